//! Tells where administrators keep settings on Windows, and whether they did.
#![allow(unsafe_code)]

use crate::install::{belongs_to_administrators, is_as_trusted};
use std::ffi::OsString;
use std::io;
use std::os::windows::ffi::OsStringExt;
use std::path::{Path, PathBuf};
use std::ptr::null_mut;
use windows_sys::Win32::System::Com::CoTaskMemFree;
use windows_sys::Win32::UI::Shell::{FOLDERID_ProgramData, SHGetKnownFolderPath};

/// Returns the folder of settings for the whole machine. By the system, not by
/// the environment, which the user can set.
pub(super) fn folder() -> Option<PathBuf> {
    let mut path = null_mut();
    // SAFETY: the text that the system gives ends with NUL, and is freed once it
    // is copied; it may be there even where the call fails.
    let text = unsafe {
        let result = SHGetKnownFolderPath(&FOLDERID_ProgramData, 0, null_mut(), &raw mut path);
        let text = (result >= 0 && !path.is_null()).then(|| {
            let length = (0..).take_while(|&at| *path.add(at) != 0).count();
            OsString::from_wide(std::slice::from_raw_parts(path, length))
        });
        CoTaskMemFree(path.cast());
        text
    };
    Some(PathBuf::from(text?).join("notsotuf"))
}

/// Returns whether the file and its folder belong to administrators or the
/// system: in that place, everybody may make folders. `None` if there is no such
/// file.
pub(super) fn is_of_administrators(path: &Path) -> io::Result<Option<bool>> {
    if !path.try_exists()? {
        return Ok(None);
    }
    let folder = path.parent().map_or(Ok(false), belongs_to_administrators)?;
    Ok(Some(folder && belongs_to_administrators(path)?))
}

/// Returns whether the file belongs to this user, an administrator, or the owner of
/// the install dir; `None` if there is no such file.
pub(super) fn is_as_trusted_as(path: &Path, install_dir: &Path) -> io::Result<Option<bool>> {
    if !path.try_exists()? {
        return Ok(None);
    }
    is_as_trusted(path, install_dir).map(Some)
}
