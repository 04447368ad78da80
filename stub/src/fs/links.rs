//! Makes hard and symbolic links, or what replaces them.

use crate::failure::is_shortage;
use crate::fs::attributes;
use crate::fs::error::{FsError, Named, Result};
#[cfg(unix)]
use crate::fs::modes::is_unknown;
use crate::fs::modes::{has_permissions, set_path_mode};
use crate::fs::read::{inspect, read_link};
use crate::fs::remove::remove_file_if_exists;
use crate::fs::sync::sync_file;
use crate::fs::write::copy_with_mode;
use std::path::Path;
use std::{fs, io};

/// What [`FsError::what`] says of symbolic links.
const MAKE_LINK: &str = "create the link";

/// Returns whether what was found, links not followed, is a folder, and nothing that
/// leads elsewhere: on Windows a junction may count as a folder.
pub fn is_real_folder(found: &fs::Metadata) -> bool {
    #[cfg(windows)]
    {
        use std::os::windows::fs::MetadataExt;
        const FILE_ATTRIBUTE_REPARSE_POINT: u32 = 0x400;
        if found.file_attributes() & FILE_ATTRIBUTE_REPARSE_POINT != 0 {
            return false;
        }
    }
    found.is_dir()
}

/// Gives `to` the content and permissions of `from`: as a hard link where
/// the file system has them, else as a copy.
pub fn link_or_copy(from: &Path, to: &Path) -> Result<()> {
    if fs::hard_link(from, to).is_ok() {
        return Ok(());
    }
    fs::copy(from, to).named("copy", from)?;
    attributes::copy_attributes(from, to)?;
    if let Some(found) = inspect(from)? {
        attributes::copy_times(&found, to);
    }
    sync_file(to)
}

/// Gives `to` the content of `from`, as [`link_or_copy`] does, and these
/// permission bits: those which `from` has, unless somebody changed them. Then
/// it gets them back, too, if it is the same file.
pub fn link_with_mode(from: &Path, to: &Path, mode: u32) -> Result<()> {
    link_or_copy(from, to)?;
    match inspect(to)? {
        Some(found) if !has_permissions(&found, mode) => {
            // Of another user's file only a copy can be changed.
            if set_path_mode(to, mode).is_ok() {
                return Ok(());
            }
            remove_file_if_exists(to)?;
            copy_with_mode(from, to, mode)
        }
        _ => Ok(()),
    }
}

/// Returns whether a file has no other name than this.
#[cfg(windows)]
pub fn has_one_name(path: &Path) -> Result<bool> {
    Ok(crate::fs::sync::link_count(path)? == 1)
}

/// Returns whether a call failed because this file system has nothing of the
/// kind: no symbolic links, no such names, no files of that size.
pub fn is_beyond_file_system(error: &FsError) -> bool {
    use io::ErrorKind;
    #[cfg(unix)]
    let no_links = is_unknown(&error.source);
    // ERROR_PRIVILEGE_NOT_HELD, ERROR_INVALID_FUNCTION.
    #[cfg(windows)]
    let no_links = [Some(1314), Some(1)].contains(&error.source.raw_os_error());
    let kind = error.source.kind();
    (error.what == MAKE_LINK && no_links)
        || kind == ErrorKind::InvalidFilename
        || kind == ErrorKind::FileTooLarge && !is_shortage(&error.source)
}

/// Returns whether a call failed because two paths are on different file
/// systems, or on two layers of one.
pub fn is_across_file_systems(error: &FsError) -> bool {
    error.source.kind() == io::ErrorKind::CrossesDevices
}

/// Makes a symbolic link at `to` that leads where the one at `from` does.
pub fn copy_link(from: &Path, to: &Path) -> Result<()> {
    #[cfg(unix)]
    return std::os::unix::fs::symlink(read_link(from)?, to).named(MAKE_LINK, to);
    #[cfg(windows)]
    symlink(&read_link(from)?.to_string_lossy(), to)
}

/// Makes a symbolic link at `path`.
pub fn symlink(target: &str, path: &Path) -> Result<()> {
    #[cfg(unix)]
    let result = std::os::unix::fs::symlink(target, path);
    #[cfg(windows)]
    let result = {
        // Needs a privilege or developer mode; PyInstaller makes no links on
        // Windows.
        let resolved = crate::fs::join(path.parent().unwrap_or_else(|| Path::new(".")), target);
        if resolved.is_dir() {
            std::os::windows::fs::symlink_dir(target.replace('/', "\\"), path)
        } else {
            std::os::windows::fs::symlink_file(target.replace('/', "\\"), path)
        }
    };
    result.named(MAKE_LINK, path)
}
