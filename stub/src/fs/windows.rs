//! Looks at files of Windows in ways that the standard library does not offer.
#![allow(unsafe_code)]

use std::fs::{File, OpenOptions};
use std::io;
use std::os::windows::fs::OpenOptionsExt;
use std::os::windows::io::AsRawHandle;
use std::path::Path;
use windows_sys::Win32::Storage::FileSystem::{
    BY_HANDLE_FILE_INFORMATION, FILE_FLAG_BACKUP_SEMANTICS, FILE_FLAG_OPEN_REPARSE_POINT,
    GetFileInformationByHandle,
};

/// Opens what is at `path` itself for nothing but its attributes, which no other
/// program's open can collide with.
fn open_for_attributes(path: &Path) -> io::Result<File> {
    let mut how = OpenOptions::new();
    how.access_mode(0);
    how.custom_flags(FILE_FLAG_BACKUP_SEMANTICS | FILE_FLAG_OPEN_REPARSE_POINT);
    how.open(path)
}

/// Returns how many names a file has.
pub(super) fn link_count(path: &Path) -> io::Result<u32> {
    let file = open_for_attributes(path)?;
    let mut found = BY_HANDLE_FILE_INFORMATION::default();
    // SAFETY: the handle is open, and the structure is of the kind asked for.
    if unsafe { GetFileInformationByHandle(file.as_raw_handle(), &raw mut found) } == 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(found.nNumberOfLinks)
}
