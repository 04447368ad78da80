//! Keeps the settings that releases brought, in JSON by version: those of the installed
//! version count, so that they change with it, forward and back.

use crate::catalog::Catalog;
use crate::fs::{self, FsError, plain_file};
use crate::install::{Layout, Record, may_believe_state};
use crate::settings::table::MAX_OF_A_RELEASE;
use pep440_rs::Version;
use std::collections::BTreeMap;
use std::path::PathBuf;

/// More than those of four releases, each with what a release may have.
const MAX_SIZE: u64 = 256 << 10;

/// What is kept of a release that brings none: that is known, too.
const NONE: &str = "{}";

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
/// installed, staged, previous, and `chosen`. Those of a version come with it:
/// once they are known, nobody changes them any more, who may have stolen keys
/// that are replaced later. Where that fails, it is logged: no update waits for
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
    let version_in = |folder: PathBuf| Some(Record::load_release(&folder).ok()??.version);
    let installed = [layout.app(), layout.previous()].map(version_in);
    let coming = [version_in(layout.staged()), chosen.cloned()];
    let mut now = BTreeMap::new();
    for version in installed.iter().chain(&coming).flatten().cloned() {
        let offered = catalog.archives.get(&version);
        let offered = offered.map(|archive| archive.settings.as_deref().unwrap_or(NONE));
        let known = before.get(&version).map(String::as_str);
        let brought = if installed.contains(&Some(version.clone())) {
            known.or(offered)
        } else {
            offered.or(known)
        };
        match brought {
            Some(brought) if brought.len() > MAX_OF_A_RELEASE => log::warn!(
                "the settings that version {version} brings are not used: they have {} bytes, and \
                 {MAX_OF_A_RELEASE} are the most",
                brought.len()
            ),
            Some(brought) => drop(now.insert(version, brought.to_owned())),
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
