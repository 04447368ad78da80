//! Sets and compares the permission bits of files and folders.

use crate::fs::error::{Named, Result};
use std::fs;
use std::fs::File;
#[cfg(unix)]
use std::io;
use std::path::Path;

/// Sets all permissions of a file or folder.
pub fn set_permissions(path: &Path, permissions: fs::Permissions) -> Result<()> {
    fs::set_permissions(path, permissions).named("set the permissions of", path)
}

/// Sets the permission bits, where the file system has such; does nothing on
/// Windows.
pub fn set_mode(file: &File, path: &Path, mode: u32) -> Result<()> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        unless_unknown(file.set_permissions(fs::Permissions::from_mode(mode)))
            .named("set the permissions of", path)?;
    }
    #[cfg(windows)]
    let _: (&File, &Path, u32) = (file, path, mode);
    Ok(())
}

/// Returns whether a file system says by this error that it knows nothing of
/// the kind.
#[cfg(unix)]
pub(super) fn is_unknown(error: &io::Error) -> bool {
    use rustix::io::Errno;
    let unknown = [Errno::PERM, Errno::NOSYS, Errno::OPNOTSUPP];
    Errno::from_io_error(error).is_some_and(|e| unknown.contains(&e))
}

/// Nothing is wrong where a file system has no permission bits. It says so by
/// the same error as for a file of another user, which is not at hand here.
#[cfg(unix)]
fn unless_unknown(result: io::Result<()>) -> io::Result<()> {
    match result {
        Err(e) if is_unknown(&e) => {
            log::debug!("permissions cannot be set here: {e}");
            Ok(())
        }
        result => result,
    }
}

/// Sets the permission bits of a folder of a bundle, where the file system
/// has such; does nothing on Windows.
pub fn give_dir_mode(path: &Path, mode: u32) -> Result<()> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        unless_unknown(fs::set_permissions(path, fs::Permissions::from_mode(mode)))
            .named("set the permissions of", path)?;
    }
    #[cfg(windows)]
    let _: (&Path, u32) = (path, mode);
    Ok(())
}

/// Returns whether a file or folder has these permission bits; Windows has
/// none. A folder may pass on its group besides.
pub fn has_permissions(found: &fs::Metadata, mode: u32) -> bool {
    #[cfg(unix)]
    {
        let bits = std::os::unix::fs::PermissionsExt::mode(&found.permissions());
        let counted = if found.is_dir() { 0o777 } else { 0o7777 };
        bits & counted == mode
    }
    #[cfg(windows)]
    {
        let _: (&fs::Metadata, u32) = (found, mode);
        true
    }
}

/// Sets the permission bits of a file or folder by its name; does nothing on
/// Windows.
///
/// # Errors
/// If the system does not allow that, also since it has no such bits.
pub fn set_path_mode(path: &Path, mode: u32) -> Result<()> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        fs::set_permissions(path, fs::Permissions::from_mode(mode))
            .named("set the permissions of", path)?;
    }
    #[cfg(windows)]
    let _: (&Path, u32) = (path, mode);
    Ok(())
}

/// Takes the mark of being read-only from a file or folder of Windows, which
/// must be gone before that can be replaced; returns whether there was one.
pub(super) fn make_removable(path: &Path) -> bool {
    #[cfg(windows)]
    {
        let Ok(found) = fs::symlink_metadata(path) else {
            return false;
        };
        let mut permissions = found.permissions();
        if found.is_symlink() || !permissions.readonly() {
            return false;
        }
        #[expect(
            clippy::permissions_set_readonly_false,
            reason = "there it is only a mark"
        )]
        permissions.set_readonly(false);
        fs::set_permissions(path, permissions).is_ok()
    }
    #[cfg(unix)]
    {
        let _: &Path = path;
        false
    }
}

/// Does `work` on a file or folder of Windows without its mark of being read-only, which
/// must be gone before that can be removed; `None` if there is no mark. What
/// still is there afterwards gets it back: that may be a file of the installed bundle, of
/// which this was but one name.
pub(super) fn without_mark<T>(path: &Path, work: impl FnOnce() -> T) -> Option<T> {
    #[cfg(windows)]
    {
        use std::os::windows::fs::OpenOptionsExt;
        use windows_sys::Win32::Storage::FileSystem::{
            FILE_FLAG_BACKUP_SEMANTICS, FILE_FLAG_OPEN_REPARSE_POINT, FILE_READ_ATTRIBUTES,
            FILE_WRITE_ATTRIBUTES,
        };
        let found = fs::symlink_metadata(path).ok()?;
        let marked = found.permissions();
        if found.is_symlink() || !marked.readonly() {
            return None;
        }
        // No other program's open can collide with this one.
        let file = fs::OpenOptions::new()
            .access_mode(FILE_READ_ATTRIBUTES | FILE_WRITE_ATTRIBUTES)
            .custom_flags(FILE_FLAG_BACKUP_SEMANTICS | FILE_FLAG_OPEN_REPARSE_POINT)
            .open(path)
            .ok()?;
        let mut unmarked = marked.clone();
        #[expect(
            clippy::permissions_set_readonly_false,
            reason = "there it is only a mark"
        )]
        unmarked.set_readonly(false);
        file.set_permissions(unmarked).ok()?;
        let result = work();
        if let Err(e) = file.set_permissions(marked) {
            log::debug!("the mark of {path:?} is gone: {e}");
        }
        Some(result)
    }
    #[cfg(unix)]
    {
        drop((path, work));
        None
    }
}
