//! Tells where administrators keep settings on Unix, and whether they did.

use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// Returns the folder of settings for the whole machine.
pub(super) fn folder() -> Option<PathBuf> {
    Some(PathBuf::from(if cfg!(target_vendor = "apple") {
        "/Library/Application Support/notsotuf"
    } else {
        "/etc/notsotuf"
    }))
}

/// Returns whether the file and its folder are root's, and closed to the writes
/// of others; `None` if there is no such file. A link counts as what it leads
/// to.
pub(super) fn is_of_administrators(path: &Path) -> io::Result<Option<bool>> {
    is_of(path, 0)
}

/// The same for any `user`.
pub(super) fn is_of(path: &Path, user: u32) -> io::Result<Option<bool>> {
    let found = match path.metadata() {
        Err(e) if [io::ErrorKind::NotFound, io::ErrorKind::NotADirectory].contains(&e.kind()) => {
            return Ok(None);
        }
        found => found?,
    };
    let target = path.canonicalize()?;
    let folders = [path.parent(), target.parent()].into_iter().flatten();
    let mut all = folders
        .map(Path::metadata)
        .collect::<io::Result<Vec<_>>>()?;
    all.push(found);
    Ok(Some(all.iter().all(|found| {
        found.uid() == user && found.mode() & 0o022 == 0
    })))
}
