//! Puts the update together aside; it is complete once it has a record.

use super::{Layout, Record, exchange, trash};
use crate::bundle::{EntryKind, Manifest};
use crate::fs::{self, FsError};
use std::path::{Path, PathBuf};

/// Says why an update cannot be sealed.
pub type SealError = FsError;

/// Empties the staging area and makes the folders for an update.
///
/// # Errors
/// A file system call that failed.
pub fn reset_staging(layout: &Layout) -> Result<(), FsError> {
    discard(layout)?;
    for folder in [layout.downloads(), layout.staged(), layout.work()] {
        fs::create_dir_all(&folder)?;
    }
    Ok(())
}

/// Removes whatever is staged. A staged update loses its record first, so that
/// half of it is never taken for all. Partial downloads are kept, so that they
/// can be resumed; sealing an update removes them.
///
/// # Errors
/// A file system call that failed.
pub fn discard(layout: &Layout) -> Result<(), FsError> {
    // While a commit is under way, the application's own files are in there.
    if layout.journal().exists() {
        let error = std::io::Error::other("an interrupted update was not completed yet");
        return Err(FsError::new("remove", &layout.staging(), error));
    }
    if layout.staging().exists() {
        fs::remove_file_if_exists(&Record::path(&layout.staged()))?;
    }
    trash::put_away(layout, &layout.staging())?;
    if fs::list(&layout.downloads())?.is_empty() {
        fs::remove_tree_if_exists(&layout.downloads())
    } else {
        Ok(())
    }
}

/// Removes folders of an update that have nothing in them.
///
/// # Errors
/// A file system call that failed.
pub fn remove_empty_dirs(layout: &Layout) -> Result<(), FsError> {
    if fs::inspect(&layout.staged())?.is_none() {
        fs::remove_file_if_exists(&layout.origin())?;
    }
    for folder in [layout.staging(), layout.downloads()] {
        if fs::list(&folder)?.is_empty() {
            fs::remove_tree_if_exists(&folder)?;
        }
    }
    Ok(())
}

/// Removes downloads but those of the update that is wanted now.
///
/// # Errors
/// A file system call that failed.
pub fn prune_downloads(layout: &Layout, wanted: &[PathBuf]) -> Result<(), FsError> {
    for path in fs::list(&layout.downloads())? {
        if !wanted.contains(&path) {
            fs::remove_file_if_exists(&path)?;
        }
    }
    Ok(())
}

/// Declares the update in the staging area complete: all its files are on
/// disk before its record is.
///
/// # Errors
/// A file system call that failed.
pub fn seal(layout: &Layout, record: &Record) -> Result<(), SealError> {
    let tree = layout.staged();
    // Not needed any more, so it need not get to the disk.
    fs::remove_tree_if_exists(&layout.downloads())?;
    sync(&tree, &record.manifest)?;
    // Written elsewhere: a temporary file may be left behind by a crash, and
    // would then be in the bundle.
    fs::create_dir_all(&layout.work())?;
    let pending = layout.work().join("record");
    fs::write_atomically_with(&pending, &mut |out| record.write(out))?;
    fs::rename_durably(&pending, &Record::path(&tree))?;
    fs::remove_tree_if_exists(&layout.work())?;
    fs::sync_dir(&layout.staging())
}

fn sync(tree: &Path, manifest: &Manifest) -> Result<(), FsError> {
    if exchange::sync_all(tree).map_err(|e| FsError::new("sync", tree, e))? {
        return Ok(());
    }
    for (path, entry) in &manifest.entries {
        let place = fs::join(tree, path);
        match entry.kind {
            EntryKind::File { .. } => fs::sync_unless_linked(&place)?,
            EntryKind::Dir => fs::sync_dir(&place)?,
            EntryKind::Link { .. } => {}
        }
    }
    fs::sync_dir(tree)
}
