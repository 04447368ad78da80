//! Says that two folders cannot be exchanged in one step.

use std::io;
use std::path::Path;

/// Does nothing: `false`.
pub(crate) fn exchange(_one: &Path, _other: &Path) -> io::Result<bool> {
    Ok(false)
}

/// Answers `false`: there is no call for a whole file system.
pub(crate) fn sync_all(_folder: &Path) -> io::Result<bool> {
    Ok(false)
}
