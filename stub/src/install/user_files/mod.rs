//! Carries files that the application made in `app/` along when an update takes
//! its place.
//!
//! They are moved, not copied: so they keep mode, owner, times and whatever
//! else a file system knows of them, take no room twice where there are no
//! hard links, and whole folders cost one rename. While they are under way, a
//! journal says so, and [`move_back`] brings them home if the commit is given
//! up: before the exchange of the two bundles that is the way back, and after it
//! all of them are in the new one already.

mod bundle_copy;
mod edits;
mod owners;
mod unlisted;
mod way;

use crate::bundle::Manifest;
use crate::fs::{self, FsError};
use crate::install::user_files::edits::has_room;
use crate::install::user_files::unlisted::{lists, unlisted};
use crate::install::user_files::way::Way;
pub(super) use bundle_copy::copy_bundle;
pub(super) use edits::preserve_user_edits;
pub(super) use owners::adopt_owners;
use std::collections::BTreeSet;
use std::path::Path;

/// Moves from `app` to `staged` what neither the manifest of what is
/// installed nor that of the update lists, and returns how many files,
/// links and folders that were. With nothing known of what is installed,
/// that is all the update does not bring.
///
/// # Errors
/// A file system call that failed; [`move_back`] undoes what was done.
pub(super) fn carry_over_user_files(
    app: &Path,
    installed: Option<&Manifest>,
    staged: &Path,
    update: &Manifest,
) -> Result<usize, FsError> {
    let mut way = Way {
        from: app,
        to: staged,
        changed: BTreeSet::new(),
    };
    let own = unlisted(app, &|path| {
        lists(update, path) || installed.is_some_and(|old| lists(old, path))
    })?;
    let mut count = 0;
    for path in own {
        if !has_room(update, &path) {
            log::warn!(
                "the new version has something else in the place of {:?}, which is left in the previous version's folder",
                app.join(&path)
            );
            continue;
        }
        if !way.is_free(&path, update)? {
            // A name that differs in case only, where that does not count.
            log::warn!(
                "{:?} is left behind, as the new version has a file of that name",
                app.join(&path)
            );
            continue;
        }
        way.bring(&path)?;
        count += 1;
    }
    way.sync()?;
    Ok(count)
}

/// Takes back what [`carry_over_user_files`] did, as far as it came.
///
/// # Errors
/// A file system call that failed; it may be called again.
pub(super) fn move_back(staged: &Path, app: &Path, update: &Manifest) -> Result<(), FsError> {
    let mut way = Way {
        from: staged,
        to: app,
        changed: BTreeSet::new(),
    };
    for path in unlisted(staged, &|path| lists(update, path))? {
        way.return_home(&path)?;
    }
    way.sync()
}

/// Removes what is in `staged` and not of the update: an interrupted commit
/// of an earlier version left it, and it may be outdated.
///
/// # Errors
/// A file system call that failed.
pub(super) fn drop_unlisted(staged: &Path, update: &Manifest) -> Result<(), FsError> {
    for path in unlisted(staged, &|path| lists(update, path))? {
        fs::remove_any(&staged.join(path))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
