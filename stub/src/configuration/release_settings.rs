//! Keeps the settings that releases brought, in JSON by version: those of the installed
//! version count, so that they change with it, forward and back.

use crate::catalog::Catalog;
use crate::fs::{self, FsError, plain_file};
use crate::install::{Layout, Record, may_believe_state};
use crate::settings::table::MAX_OF_A_RELEASE;
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
/// counts, as it is signed. Where that fails, it is logged: no update waits for
/// settings.
pub fn keep(layout: &Layout, catalog: &Catalog, chosen: Option<&Version>) {
    if let Err(e) = try_to_keep(layout, catalog, chosen) {
        log::warn!("the settings of releases are not kept: {e}");
    }
}

fn try_to_keep(
    layout: &Layout,
    catalog: &Catalog,
    chosen: Option<&Version>,
) -> Result<(), FsError> {
    // What cannot be read is replaced.
    let before = load(layout);
    let is_readable = before.is_ok();
    let before = before.unwrap_or_default();
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
        match brought {
            Some(brought) if brought.len() > MAX_OF_A_RELEASE => log::warn!(
                "the settings that version {version} brings are not used: they have {} bytes, and \
                 {MAX_OF_A_RELEASE} are the most",
                brought.len()
            ),
            Some(brought) => drop(now.insert(version, brought)),
            None => {}
        }
    }
    let path = layout.release_settings();
    if now.is_empty() {
        return fs::remove_file_if_exists(&path);
    }
    if now == before && is_readable {
        return Ok(());
    }
    let text = serde_json::to_vec(&now).expect("texts are JSON");
    fs::write_atomically(&path, &text)
}
