//! Removes files and folders.

use crate::fs::error::{Named, Result};
use crate::fs::modes::set_path_mode;
use crate::fs::read::inspect;
use crate::fs::retry::retry_while_locked;
use std::path::Path;
use std::{fs, io};

/// Removes a file if it exists.
pub fn remove_file_if_exists(path: &Path) -> Result<()> {
    match retry_while_locked(|| fs::remove_file(path)) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(()),
        result => result.named("remove", path),
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
    match retry_while_locked(|| fs::remove_file(path).or_else(|_| fs::remove_dir(path))) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(()),
        result => result.named("remove", path),
    }
}

/// Removes a folder and all in it, if it is there; never follows links.
pub fn remove_tree_if_exists(path: &Path) -> Result<()> {
    match retry_while_locked(|| fs::remove_dir_all(path)) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(()),
        // A folder of a bundle may be without write permission.
        Err(e) if e.kind() == io::ErrorKind::PermissionDenied && cfg!(unix) => {
            make_writable(path)?;
            fs::remove_dir_all(path).named("remove", path)
        }
        result => result.named("remove", path),
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
    retry_while_locked(|| fs::remove_dir(path)).named("remove", path)
}
