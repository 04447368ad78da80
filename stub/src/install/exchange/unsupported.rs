//! Where two folders cannot be exchanged in one step.

use std::io;
use std::path::Path;

/// Does nothing: `false`.
pub(crate) fn exchange(_one: &Path, _other: &Path) -> io::Result<bool> {
    Ok(false)
}

/// There is no call for a whole file system: `false`.
pub(crate) fn sync_all(_folder: &Path) -> io::Result<bool> {
    Ok(false)
}
