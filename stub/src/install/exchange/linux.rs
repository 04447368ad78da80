//! Exchanges two folders by `renameat2` with `RENAME_EXCHANGE`.

use rustix::fs::{CWD, RenameFlags, renameat_with};
use std::io;
use std::path::Path;

/// Exchanges two folders in one atomic step; `false` if this file system or
/// kernel cannot.
pub(crate) fn exchange(one: &Path, other: &Path) -> io::Result<bool> {
    use rustix::io::Errno;
    match renameat_with(CWD, one, CWD, other, RenameFlags::EXCHANGE) {
        Ok(()) => Ok(true),
        Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) => Ok(false),
        Err(e) => Err(e.into()),
    }
}

/// Waits until all of the file system that holds `folder` is on disk: one
/// call instead of one for each of a thousand files.
pub(crate) fn sync_all(folder: &Path) -> io::Result<bool> {
    let folder = std::fs::File::open(folder)?;
    rustix::fs::syncfs(&folder)?;
    Ok(true)
}
