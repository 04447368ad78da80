//! Keeps the settings that releases brought, in TOML by version: those of the installed
//! version count, so that they change with it, forward and back.

use crate::catalog::Catalog;
use crate::fs::{self, FsError, plain_file};
use crate::install::{Layout, Record, may_believe_state};
use pep440_rs::Version;
use std::collections::BTreeMap;

/// More than those of four releases, each with what a release may have.
const MAX_SIZE: u64 = 256 << 10;

/// Returns what is known. A file that others may have written, or of another
/// form, says nothing.
///
/// # Errors
/// The file system's.
pub fn load(layout: &Layout) -> Result<BTreeMap<Version, String>, FsError> {
    let path = layout.release_settings();
    // Cheap where there is nothing.
    if fs::inspect(&path)?.is_none() || !may_believe_state(layout) {
        return Ok(BTreeMap::new());
    }
    let bytes = plain_file::read(&path, MAX_SIZE)?.unwrap_or_default();
    Ok(serde_json::from_slice(&bytes).unwrap_or_default())
}

/// Keeps the settings of those versions that are here, or are about to be:
/// installed, staged, previous, and `chosen`. For what the catalog offers, that
/// counts, as it is signed.
///
/// # Errors
/// The file system's.
pub fn keep(layout: &Layout, catalog: &Catalog, chosen: Option<&Version>) -> Result<(), FsError> {
    let before = load(layout)?;
    let folders = [layout.app(), layout.staged(), layout.previous()];
    let here = folders
        .iter()
        .filter_map(|folder| Some(Record::load_release(folder).ok()??.version));
    let mut now = BTreeMap::new();
    for version in here.chain(chosen.cloned()) {
        let brought = match catalog.archives.get(&version) {
            Some(archive) => archive.settings.clone(),
            None => before.get(&version).cloned(),
        };
        if let Some(brought) = brought {
            now.insert(version, brought);
        }
    }
    let path = layout.release_settings();
    if now.is_empty() {
        return fs::remove_file_if_exists(&path);
    }
    if now == before {
        return Ok(());
    }
    let text = serde_json::to_vec(&now).expect("texts are JSON");
    fs::write_atomically(&path, &text)
}
