//! Removes files and folders.

use crate::fs::error::{Named, Result};
use crate::fs::list::list_with_types;
use crate::fs::modes::{set_path_mode, without_mark};
use crate::fs::read::inspect;
use crate::fs::retry::retry_while_locked;
use std::path::Path;
use std::{fs, io};

/// Removes a file if it exists, also a read-only one.
pub fn remove_file_if_exists(path: &Path) -> Result<()> {
    let remove = || unless_read_only(path, fs::remove_file);
    match retry_while_locked("remove", path, remove) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(()),
        result => result.named("remove", path),
    }
}

/// Removes a file, a link or an empty folder, but does not wait for those who have it
/// open.
pub fn remove_at_once(path: &Path) -> Result<()> {
    let is_dir = inspect(path)?.is_some_and(|found| found.is_dir());
    let removed = unless_read_only(path, |path| {
        if is_dir {
            fs::remove_dir(path)
        } else {
            // A link may be of the folder kind.
            fs::remove_file(path).or_else(|e| fs::remove_dir(path).map_err(|_| e))
        }
    });
    match removed {
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(()),
        result => result.named("remove", path),
    }
}

/// Removes what is at `path`, and once more if it only was marked as read-only. Windows
/// 10 takes no notice of the mark on NTFS.
fn unless_read_only<'a>(
    path: &'a Path,
    remove: impl Fn(&'a Path) -> io::Result<()>,
) -> io::Result<()> {
    match remove(path) {
        Err(e) if e.kind() == io::ErrorKind::PermissionDenied => {
            without_mark(path, || remove(path)).unwrap_or(Err(e))
        }
        result => result,
    }
}

/// Removes whatever is there, if there is anything; never follows links.
pub fn remove_any(path: &Path) -> Result<()> {
    match inspect(path)? {
        Some(found) if found.is_dir() => remove_tree_if_exists(path),
        Some(found) if found.is_symlink() => remove_link(path),
        _ => remove_file_if_exists(path),
    }
}

/// Removes a link, which on Windows may be one of the folder kind.
fn remove_link(path: &Path) -> Result<()> {
    let remove = || fs::remove_file(path).or_else(|_| fs::remove_dir(path));
    match retry_while_locked("remove", path, remove) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(()),
        result => result.named("remove", path),
    }
}

/// Removes a folder and all in it, if it is there, also what is read-only; never
/// follows links.
pub fn remove_tree_if_exists(path: &Path) -> Result<()> {
    match fs::remove_dir_all(path) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(()),
        // A folder of a bundle may be without write permission.
        Err(e) if e.kind() == io::ErrorKind::PermissionDenied && cfg!(unix) => {
            make_writable(path)?;
            fs::remove_dir_all(path).named("remove", path)
        }
        // One by one, so that what is read-only or in use elsewhere for a moment is
        // dealt with, and the error names what it is about.
        Err(_) if cfg!(windows) => remove_one_by_one(path),
        result => result.named("remove", path),
    }
}

fn remove_one_by_one(folder: &Path) -> Result<()> {
    for (entry, kind) in list_with_types(folder)? {
        if kind.is_dir() {
            remove_one_by_one(&entry)?;
        } else if kind.is_symlink() {
            remove_link(&entry)?;
        } else {
            remove_file_if_exists(&entry)?;
        }
    }
    let remove = || unless_read_only(folder, fs::remove_dir);
    match retry_while_locked("remove", folder, remove) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(()),
        result => result.named("remove", folder),
    }
}

fn make_writable(path: &Path) -> Result<()> {
    let kind = fs::symlink_metadata(path).named("inspect", path)?;
    if kind.is_dir() {
        set_path_mode(path, 0o700)?;
        for entry in fs::read_dir(path).named("list", path)? {
            make_writable(&entry.named("list", path)?.path())?;
        }
    }
    Ok(())
}

/// Removes an empty folder.
pub fn remove_dir(path: &Path) -> Result<()> {
    retry_while_locked("remove", path, || fs::remove_dir(path)).named("remove", path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tree_goes_with_all_that_is_read_only_in_it() {
        let folder = tempfile::tempdir().unwrap();
        let tree = folder.path().join("tree");
        let inner = tree.join("inner");
        fs::create_dir_all(&inner).unwrap();
        for file in [tree.join("one"), inner.join("two")] {
            fs::write(&file, "text").unwrap();
            let mut permissions = fs::metadata(&file).unwrap().permissions();
            permissions.set_readonly(true);
            fs::set_permissions(&file, permissions).unwrap();
        }
        remove_one_by_one(&inner).unwrap();
        assert!(!inner.exists());
        remove_tree_if_exists(&tree).unwrap();
        assert!(!tree.exists());
        remove_tree_if_exists(&tree).unwrap();
        remove_file_if_exists(&tree).unwrap();
    }
}
