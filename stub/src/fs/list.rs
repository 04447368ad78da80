//! Lists folders.

use crate::fs::error::{Named, Result};
use std::fs::FileType;
use std::path::{Path, PathBuf};
use std::{fs, io};

/// Returns the entries of a folder, sorted by name; none if there is no such
/// folder.
pub fn list(path: &Path) -> Result<Vec<PathBuf>> {
    let mut paths: Vec<_> = entries(path)?.iter().map(fs::DirEntry::path).collect();
    paths.sort();
    Ok(paths)
}

/// Returns the entries of a folder with their kinds, in no order; none if there
/// is no such folder. Most systems tell the kinds in the listing, and links are
/// not followed.
pub fn list_with_types(path: &Path) -> Result<Vec<(PathBuf, FileType)>> {
    let with_type = |entry: fs::DirEntry| {
        let path = entry.path();
        match entry.file_type() {
            Ok(found) => Some(Ok((path, found))),
            // Somebody else has removed it.
            Err(e) if e.kind() == io::ErrorKind::NotFound => None,
            Err(e) => Some(Err(e).named("inspect", &path)),
        }
    };
    entries(path)?.into_iter().filter_map(with_type).collect()
}

pub(super) fn entries(path: &Path) -> Result<Vec<fs::DirEntry>> {
    let entries = match fs::read_dir(path) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.named("list", path)?,
    };
    let entries: io::Result<Vec<_>> = entries.collect();
    entries.named("list", path)
}
