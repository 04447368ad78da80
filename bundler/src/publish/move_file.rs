//! Moves a file to its place, whole, also from one file system to another.

use notsotuf_stub::fs::{self, FsError};
use std::io::{self, ErrorKind};
use std::path::Path;

/// Moves a file to its place whole: clients see nothing or all of it. Works
/// also from one file system to another.
///
/// # Errors
/// The file system's; there is nothing new at `to` then.
pub(super) fn move_file(from: &Path, to: &Path) -> Result<(), FsError> {
    match fs::rename_durably(from, to) {
        Err(e) if e.source.kind() == ErrorKind::CrossesDevices => {}
        result => return result,
    }
    let folder = to.parent().unwrap_or_else(|| Path::new("."));
    let mut copy = tempfile::Builder::new()
        .prefix(".tmp-")
        .tempfile_in(folder)
        .map_err(|e| FsError::new("create a file in", folder, e))?;
    io::copy(&mut fs::open(from)?, &mut copy).map_err(|e| FsError::new("copy", from, e))?;
    fs::set_mode(copy.as_file(), to, 0o644)?;
    copy.as_file()
        .sync_all()
        .map_err(|e| FsError::new("sync", to, e))?;
    copy.persist(to)
        .map_err(|e| FsError::new("replace", to, e.error))?;
    fs::sync_dir(folder)?;
    fs::remove_file_if_exists(from)
}
