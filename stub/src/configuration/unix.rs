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
///
/// # Errors
/// Whether it is there cannot be told, or a link leads nowhere.
pub(super) fn is_of_administrators(path: &Path) -> io::Result<Option<bool>> {
    is_of(path, 0)
}

/// The same for any `user`.
pub(super) fn is_of(path: &Path, user: u32) -> io::Result<Option<bool>> {
    if !is_there(path)? {
        return Ok(None);
    }
    let target = path.canonicalize()?;
    let folders = [path.parent(), target.parent()].into_iter().flatten();
    let mut all = folders
        .map(Path::metadata)
        .collect::<io::Result<Vec<_>>>()?;
    all.push(path.metadata()?);
    Ok(Some(all.iter().all(|found| {
        found.uid() == user && found.mode() & OTHERS_WRITE == 0
    })))
}

/// Returns whether nobody could have written the file who could not write to the
/// install dir; `None` if there is no such file.
///
/// # Errors
/// That cannot be told.
pub(super) fn is_as_trusted_as(path: &Path, install_dir: &Path) -> io::Result<Option<bool>> {
    if !is_there(path)? {
        return Ok(None);
    }
    let (found, folder) = (path.symlink_metadata()?, install_dir.metadata()?);
    // A link can be read by all, and written by none: whoever made it counts, and that it
    // is no file is found when it is read.
    let writable = if found.is_symlink() { 0 } else { found.mode() };
    let user = rustix::process::geteuid().as_raw();
    // In a folder in which everybody may make files, but nobody replace those of
    // others, others may make this one.
    let is_open = folder.mode() & OTHERS_WRITE != 0 && folder.mode() & STICKY == 0;
    let known = [0, user, folder.uid()].contains(&found.uid());
    Ok(Some(
        is_open || known && writable & OTHERS_WRITE & !folder.mode() == 0,
    ))
}

const OTHERS_WRITE: u32 = 0o022;
const STICKY: u32 = 0o1000;

fn is_there(path: &Path) -> io::Result<bool> {
    match path.symlink_metadata() {
        Ok(_) => Ok(true),
        Err(e) if [io::ErrorKind::NotFound, io::ErrorKind::NotADirectory].contains(&e.kind()) => {
            Ok(false)
        }
        Err(e) => Err(e),
    }
}
