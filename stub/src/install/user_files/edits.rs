//! Keeps the changes that users made to shipped files.

use crate::bundle::patch::verify_file;
use crate::bundle::{EntryKind, Manifest};
use crate::fs;
use crate::fs::FsError;
use crate::fs::attributes::with_access;
use std::path::Path;

/// Puts the user's version of shipped files that `wanted` names in the place
/// of the update's, where both versions have the file and the user changed
/// it.
///
/// # Errors
/// A file system call that failed; the update must then be staged again.
pub(crate) fn preserve_user_edits(
    app: &Path,
    installed: &Manifest,
    staged: &Path,
    update: &Manifest,
    wanted: &dyn Fn(&str) -> bool,
) -> Result<(), FsError> {
    for (path, entry) in installed.entries.iter().filter(|(path, _)| wanted(path)) {
        let EntryKind::File { size, sha256 } = &entry.kind else {
            continue;
        };
        let (from, to) = (fs::join(app, path), fs::join(staged, path));
        let both = matches!(
            update.entries.get(path).map(|entry| &entry.kind),
            Some(EntryKind::File { .. })
        );
        let edited = fs::inspect(&from)?.is_some_and(|found| found.is_file())
            && !verify_file(&from, *size, sha256)?;
        if both && edited {
            let folder = to.parent().unwrap_or(staged);
            with_access(&[folder], || fs::remove_file_if_exists(&to))?;
            with_access(&[folder], || fs::link_or_copy(&from, &to))?;
            log::info!("{path} keeps the changes made to it");
        }
    }
    Ok(())
}

/// Returns whether all folders on the way to `path` are folders in the update,
/// or not in it: nothing must be written through a link.
pub(super) fn has_room(update: &Manifest, path: &Path) -> bool {
    path.ancestors().skip(1).all(|folder| {
        folder.to_str().is_none_or(|folder| {
            update
                .entries
                .get(&folder.replace('\\', "/"))
                .is_none_or(|entry| entry.kind == EntryKind::Dir)
        })
    })
}
