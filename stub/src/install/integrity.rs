//! Compares installed files with their record, and restores permissions.

use crate::bundle::patch::verify_file;
use crate::bundle::{Entry, EntryKind};
use crate::fs;
use crate::fs::{FsError, attributes};
use crate::install::Record;
use std::cell::OnceCell;
use std::path::Path;

/// Returns the paths in `folder` that are not what the record says, but for
/// those that `may_differ`.
///
/// # Errors
/// If something is there and cannot be read.
pub fn verify_installed_files(
    folder: &Path,
    record: &Record,
    may_differ: &dyn Fn(&str) -> bool,
) -> Result<Vec<String>, FsError> {
    let mut damaged = Vec::new();
    let modes = Modes::of(folder);
    for (path, entry) in &record.manifest.entries {
        let place = fs::join(folder, path);
        let free = matches!(entry.kind, EntryKind::File { .. }) && may_differ(path);
        let sound = match &entry.kind {
            EntryKind::File { .. } if free => fs::inspect(&place)?.is_some(),
            EntryKind::File { size, sha256 } => verify_file(&place, *size, sha256)?,
            EntryKind::Dir => fs::inspect(&place)?.is_some_and(|found| found.is_dir()),
            EntryKind::Link { target } => {
                fs::inspect(&place)?.is_some_and(|found| found.is_symlink())
                    && fs::read_link(&place)?.to_str().map(slashes).as_ref() == Some(target)
            }
        };
        if !sound || !(free || modes.are_right(&place, entry)?) {
            damaged.push(path.clone());
        }
    }
    Ok(damaged)
}

/// Returns the target of a link with slashes: on Windows links are made with
/// backslashes.
fn slashes(target: &str) -> String {
    if cfg!(windows) {
        target.replace('\\', "/")
    } else {
        target.into()
    }
}

/// Gives the files and folders of the bundle in `folder` the permission bits
/// that the record says, where they have others, and returns which those are.
/// Those that `may_differ` stay as they are.
///
/// # Errors
/// If something is there and cannot be inspected.
pub fn restore_modes(
    folder: &Path,
    record: &Record,
    may_differ: &dyn Fn(&str) -> bool,
) -> Result<Vec<String>, FsError> {
    let mut restored = Vec::new();
    let modes = Modes::of(folder);
    // A folder comes before what is in it, which may be out of reach so far.
    for (path, entry) in &record.manifest.entries {
        let place = fs::join(folder, path);
        let free = matches!(entry.kind, EntryKind::File { .. }) && may_differ(path);
        if free || modes.are_right(&place, entry)? {
            continue;
        }
        match fs::set_path_mode(&place, entry.mode) {
            Ok(()) => restored.push(path.clone()),
            // Only a new file can have others then.
            Err(e) => log::warn!("{e}"),
        }
    }
    Ok(restored)
}

/// Whether files have the permission bits they should, where files can have
/// such: only tried if some have not.
struct Modes<'a> {
    pub(super) folder: &'a Path,
    kept: OnceCell<bool>,
}

impl<'a> Modes<'a> {
    fn of(folder: &'a Path) -> Self {
        Modes {
            folder,
            kept: OnceCell::new(),
        }
    }

    /// What is not there, or is something else, has no wrong ones.
    fn are_right(&self, place: &Path, entry: &Entry) -> Result<bool, FsError> {
        let Some(found) = fs::inspect(place)? else {
            return Ok(true);
        };
        let same_kind = match entry.kind {
            EntryKind::File { .. } => found.is_file(),
            EntryKind::Dir => found.is_dir(),
            EntryKind::Link { .. } => false,
        };
        if !same_kind || fs::has_permissions(&found, entry.mode) {
            return Ok(true);
        }
        let beside = self.folder.parent().unwrap_or(self.folder);
        Ok(!self.kept.get_or_init(|| attributes::keeps_modes(beside)))
    }
}
