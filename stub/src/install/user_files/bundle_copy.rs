//! Copies a bundle with all that is in it.

use crate::bundle::path_rules::RECORD;
use crate::fs;
use crate::fs::attributes::with_access;
use crate::fs::{FsError, attributes};
use std::path::{Path, PathBuf};

/// Makes a copy of the bundle in `from`, with all that is in it but its
/// record, at `to`, where nothing is.
///
/// # Errors
/// A file system call that failed; half a copy is left.
pub(crate) fn copy_bundle(from: &Path, to: &Path) -> Result<(), FsError> {
    fs::create_dir_all(to)?;
    let mut folders = vec![PathBuf::new()];
    let mut all = Vec::new();
    while let Some(relative) = folders.pop() {
        let folder = from.join(&relative);
        for entry in with_access(&[&folder], || fs::list(&folder))? {
            let path = relative.join(entry.file_name().unwrap_or_default());
            let Some(found) = fs::inspect(&entry)? else {
                continue;
            };
            if path.as_os_str() == RECORD {
                continue;
            }
            let place = to.join(&path);
            if found.is_dir() {
                fs::create_dir_all(&place)?;
                folders.push(path.clone());
            } else if found.is_symlink() {
                fs::copy_link(&entry, &place)?;
                attributes::copy_attributes(&entry, &place)?;
            } else if found.is_file() {
                fs::link_or_copy(&entry, &place)?;
            }
        }
        all.push((folder, to.join(&relative)));
    }
    // Last, as a folder without write permission takes no more files.
    for (folder, place) in all.iter().rev() {
        attributes::copy_attributes(folder, place)?;
        fs::sync_dir(place)?;
    }
    Ok(())
}
