//! Removes files and folders.

use crate::fs::error::{Named, Result};
use crate::fs::modes::set_path_mode;
use crate::fs::patience::patiently;
use crate::fs::read::inspect;
use std::path::Path;
use std::{fs, io};

/// Removes a file if it is there.
pub fn remove_file(path: &Path) -> Result<()> {
    match patiently(|| fs::remove_file(path)) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(()),
        result => result.named("remove", path),
    }
}

/// Removes whatever is there, if there is anything; never follows links.
pub fn remove_any(path: &Path) -> Result<()> {
    match inspect(path)? {
        Some(found) if found.is_dir() => remove_tree(path),
        Some(found) if found.is_symlink() => remove_link(path),
        _ => remove_file(path),
    }
}

/// Removes a link, which on Windows may be one of the folder kind.
fn remove_link(path: &Path) -> Result<()> {
    match patiently(|| fs::remove_file(path).or_else(|_| fs::remove_dir(path))) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(()),
        result => result.named("remove", path),
    }
}

/// Removes a folder and all in it, if it is there; never follows links.
pub fn remove_tree(path: &Path) -> Result<()> {
    match patiently(|| fs::remove_dir_all(path)) {
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
    patiently(|| fs::remove_dir(path)).named("remove", path)
}
