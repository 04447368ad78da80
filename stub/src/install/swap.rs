//! Exchanges the installed bundle with the staged one, and tidies up after it.

use crate::bundle::{Manifest, Rules};
use crate::fs;
use crate::fs::attributes::with_access;
use crate::fs::{FsError, plain_file};
use crate::install::commit_error::CommitError;
use crate::install::journal::Journal;
use crate::install::probation::record_hash;
use crate::install::{Layout, Record, exchange, trash, user_files};
use std::path::Path;

pub(super) fn swap(layout: &Layout) -> Result<(), FsError> {
    let (app, staged, previous) = (layout.app(), layout.staged(), layout.previous());
    if fs::inspect(&app)?.is_none() {
        return fs::rename_durably(&staged, &app);
    }
    let exchanged = with_access(&[&app, &staged], || {
        exchange::exchange(&staged, &app).map_err(|e| FsError::new("exchange", &app, e))
    });
    if exchanged? {
        fs::sync_dir(layout.root())?;
        return fs::sync_dir(&layout.staging());
    }
    remove_bundle(layout, &previous)?;
    with_access(&[&app], || fs::rename_durably(&app, &previous))?;
    with_access(&[&staged], || fs::rename_durably(&staged, &app))
}

/// Puts the staged bundle in the place of `app` where that cannot be renamed,
/// as a folder of an overlay's lower layer cannot: `previous` becomes a copy
/// of it, and only then it is removed.
pub(super) fn swap_by_copy(
    layout: &Layout,
    recorded: bool,
    journal: &mut Journal,
) -> Result<(), CommitError> {
    let (app, staged, previous) = (layout.app(), layout.staged(), layout.previous());
    // Without a record nobody could tell whether a bundle is whole.
    let here = fs::inspect(&app)?.is_some();
    if !recorded || !here || !can_rename_into(layout)? {
        return Err(CommitError::OtherFileSystem { staged, app });
    }
    if let Err(e) = copy_to_previous(layout) {
        remove_bundle(layout, &previous)?;
        return Err(e.into());
    }
    journal.copied = true;
    journal.store(layout)?;
    remove_bundle(layout, &app)?;
    Ok(fs::rename_durably(&staged, &app)?)
}

pub(super) fn copy_to_previous(layout: &Layout) -> Result<(), FsError> {
    let (app, previous) = (layout.app(), layout.previous());
    remove_bundle(layout, &previous)?;
    user_files::copy_bundle(&app, &previous)?;
    let record = plain_file::read(&Record::path(&app), u64::MAX)?;
    fs::write_atomically(&Record::path(&previous), &record.unwrap_or_default())
}

/// Whether a folder can be moved from the staging area into the install dir.
fn can_rename_into(layout: &Layout) -> Result<bool, FsError> {
    let (from, to) = (
        layout.staging().join("probe"),
        layout.root().join("app.probe"),
    );
    fs::create_dir_all(&from)?;
    let moved = fs::rename_durably(&from, &to);
    fs::remove_tree_if_exists(&from)?;
    fs::remove_tree_if_exists(&to)?;
    match moved {
        Err(e) if fs::is_across_file_systems(&e) => Ok(false),
        result => result.map(|()| true),
    }
}

/// Returns the hash of the record that an interrupted commit was putting in
/// place; `None` if none was interrupted.
pub(super) fn interrupted(layout: &Layout) -> Result<Option<String>, FsError> {
    Ok(Journal::load(layout)?.map(|journal| journal.to))
}

/// Returns whether a commit was interrupted while it removed `app`, of which
/// `previous` is a copy.
pub(super) fn is_being_removed(layout: &Layout) -> bool {
    let copied = matches!(
        Journal::load(layout),
        Ok(Some(Journal { copied: true, .. }))
    );
    copied && matches!(fs::inspect(&Record::path(&layout.app())), Ok(None))
}

/// Finishes a commit, whatever state it is in. `to` is the hash of the update's
/// record.
pub(super) fn finish(layout: &Layout, to: &str) -> Result<(), FsError> {
    let (app, staged, previous) = (layout.app(), layout.staged(), layout.previous());
    let is_update = |folder: &Path| -> Result<bool, FsError> {
        Ok(record_hash(folder)?.is_some_and(|hash| hash == to))
    };
    if is_being_removed(layout) {
        remove_bundle(layout, &app)?;
    }
    if fs::inspect(&app)?.is_none() {
        // Between two renames.
        let forward = if is_update(&staged)? {
            with_access(&[&staged], || fs::rename_durably(&staged, &app)).map(|()| true)
        } else {
            Ok(false)
        };
        if !matches!(forward, Ok(true)) && fs::inspect(&previous)?.is_some() {
            fs::rename_durably(&previous, &app)?;
        } else {
            forward?;
        }
    }
    if fs::inspect(&staged)?.is_some() {
        if !is_update(&app)? {
            take_back(layout)?;
        } else if is_update(&staged)? {
            // A repair: both are the same release, and this is before the
            // exchange or after it. The other one is nothing to go back to.
            take_back(layout)?;
            remove_bundle(layout, &staged)?;
        } else {
            // After an exchange: what is staged now is the old bundle.
            remove_bundle(layout, &previous)?;
            fs::rename_durably(&staged, &previous)?;
        }
    }
    if is_update(&app)? && is_update(&previous)? {
        // A repair by two renames: this is what was damaged.
        remove_bundle(layout, &previous)?;
    }
    fs::remove_file_if_exists(&layout.journal())?;
    fs::sync_dir(&layout.state())?;
    #[cfg(windows)]
    super::uninstall_entry::show_version(layout);
    super::remove_empty_dirs(layout)
}

/// Gives the commit up: what is the application's own returns.
fn take_back(layout: &Layout) -> Result<(), FsError> {
    let (app, staged, previous) = (layout.app(), layout.staged(), layout.previous());
    let update = Record::load(&staged, Rules::host()).unwrap_or_else(|e| {
        log::warn!("{e}");
        None
    });
    // Of a bundle that nothing is known of, all is kept.
    let update = update.map_or_else(Manifest::default, |record| record.manifest);
    user_files::move_back(&staged, &app, &update)?;
    // A copy that was not needed is nothing to go back to.
    let copy = record_hash(&previous)?;
    if copy.is_some() && copy == record_hash(&app)? {
        remove_bundle(layout, &previous)?;
    }
    Ok(())
}

/// Removes a bundle, its record first: without one it counts as incomplete.
pub(super) fn remove_bundle(layout: &Layout, folder: &Path) -> Result<(), FsError> {
    if fs::inspect(folder)?.is_some() {
        fs::remove_file_if_exists(&Record::path(folder))?;
    }
    trash::put_away(layout, folder)
}
