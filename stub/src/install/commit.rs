//! Puts a staged update in the place of the installed bundle, so that a kill at
//! any instant leaves one of the two, whole.

use super::probation::record_hash;
use super::{Layout, Lock, Probation, Record, Release, running_instances, trash, user_files};
use crate::bundle::Rules;
use crate::fs::{self, FsError};
use crate::install::commit_error::CommitError;
use crate::install::integrity::{restore_modes, verify_installed_files};
use crate::install::journal::Journal;
use crate::install::swap::{finish, swap, swap_by_copy};
use crate::policy::staged_origin::{Origin, Why};
use std::time::Duration;

/// How long stubs that are just starting the application may take.
const LAUNCH_PATIENCE: Duration = Duration::from_secs(1);

/// Says what became of a staged update.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CommitOutcome {
    /// The update is installed.
    Done(Release),
    /// It stays staged: these processes of the application are running, or
    /// (none named) another stub is just starting it.
    Deferred(Vec<u32>),
    /// There is no complete staged update.
    Nothing,
}

/// Says how to install the staged update.
#[derive(Clone, Copy, Default)]
pub struct CommitOptions<'a> {
    /// Files that no release brought are left behind.
    pub purge: bool,
    /// Every staged file is hashed again first: for updates staged by an
    /// earlier run.
    pub recheck: bool,
    /// Puts the new version on probation; ignored if there is nothing to go
    /// back to.
    pub probation: bool,
    /// The version was installed before, and what it holds besides is not
    /// outdated.
    pub returning: bool,
    /// Which shipped files keep the changes made to them; `None`: none.
    pub preserve: Option<&'a dyn Fn(&str) -> bool>,
}

impl CommitOptions<'_> {
    fn preserves(&self, path: &str) -> bool {
        self.preserve.is_some_and(|preserve| preserve(path))
    }
}

/// Installs the staged update, if there is a complete one and no instance of
/// the application is running.
///
/// # Errors
/// [`CommitError`]; what was installed still is.
pub fn commit(
    layout: &Layout,
    _update_lock: &Lock,
    how: CommitOptions,
) -> Result<CommitOutcome, CommitError> {
    let rules = Rules::host();
    let staged = layout.staged();
    let Some(update) = Record::load(&staged, rules)? else {
        return Ok(CommitOutcome::Nothing);
    };
    if how.recheck {
        // A file that did not change is one with that of `app`.
        restore_modes(&staged, &update, &|path| how.preserves(path))?;
        // An edited file may be in its place already, from an interrupted
        // commit.
        let damaged = verify_installed_files(&staged, &update, &|path| how.preserves(path))?;
        if let Some(path) = damaged.into_iter().next() {
            return Err(CommitError::Damaged { path });
        }
    }
    check_place(layout)?;
    // From here until the exchange no stub may start the application.
    let Some(launch_lock) = Lock::exclusive(&layout.launch_lock(), LAUNCH_PATIENCE)? else {
        return Ok(CommitOutcome::Deferred(Vec::new()));
    };
    let app = layout.app();
    let instances = running_instances::instances(&app).map_err(CommitError::Processes)?;
    if !instances.is_empty() {
        return Ok(CommitOutcome::Deferred(instances));
    }
    let installed = Record::load(&app, rules).unwrap_or_else(|e| {
        log::warn!("{e}; all files that the update does not bring are kept");
        None
    });
    prepare_tree(layout, installed.as_ref(), &update, how)?;
    let Some(hash) = record_hash(&staged)? else {
        return Ok(CommitOutcome::Nothing);
    };
    if how.probation && installed.is_some() {
        Probation::begin(layout, hash.clone())?;
    }
    let mut journal = Journal {
        to: hash,
        copied: false,
    };
    journal.store(layout)?;
    let result = take_its_place(layout, installed.as_ref(), &update, how, &mut journal);
    if let Err(e) = &result {
        log::warn!("{e}; undoing the update");
    }
    // Whatever state that left after an error, this knows it.
    finish(layout, &journal.to)?;
    result?;
    if cfg!(windows) {
        trash::empty(layout, &launch_lock);
    }
    Ok(CommitOutcome::Done(update.release))
}

/// Makes sure that an update could take the place of the bundle.
///
/// # Errors
/// [`CommitError::Link`], or a file system call that failed.
pub fn check_place(layout: &Layout) -> Result<(), CommitError> {
    let app = layout.app();
    match fs::inspect(&app)? {
        Some(found) if !fs::is_real_folder(&found) => Err(CommitError::Link { app }),
        _ => Ok(()),
    }
}

/// All that can be done to the staged bundle before anything is moved.
fn prepare_tree(
    layout: &Layout,
    installed: Option<&Record>,
    update: &Record,
    how: CommitOptions,
) -> Result<(), FsError> {
    let (app, staged) = (layout.app(), layout.staged());
    let old = installed.map(|record| &record.manifest);
    // What this very run has staged is nothing but the update.
    if how.recheck && (how.purge || !how.returning) {
        user_files::drop_unlisted(&staged, &update.manifest)?;
    }
    if let Some(old) = old {
        let wanted = |path: &str| how.preserves(path);
        user_files::preserve_user_edits(&app, old, &staged, &update.manifest, &wanted)?;
    }
    user_files::adopt_owners(&app, old, &staged, &update.manifest)
}

fn take_its_place(
    layout: &Layout,
    installed: Option<&Record>,
    update: &Record,
    how: CommitOptions,
    journal: &mut Journal,
) -> Result<(), CommitError> {
    if !how.purge {
        let old = installed.map(|record| &record.manifest);
        let staged = layout.staged();
        let count =
            user_files::carry_over_user_files(&layout.app(), old, &staged, &update.manifest)?;
        log::debug!("{count} files and folders of the application's own moved");
    }
    match swap(layout) {
        Err(e) if fs::is_across_file_systems(&e) => {
            log::info!("{e}; copying the installed version instead");
            swap_by_copy(layout, installed.is_some(), journal)
        }
        result => Ok(result?),
    }
}

/// Goes back to the bundle that was there before the last update: stages it
/// and commits that. The application's own files come along. Where that has
/// to wait, or is interrupted, the next start completes it.
///
/// # Errors
/// [`CommitError`]; what was installed still is.
pub fn roll_back(
    layout: &Layout,
    update_lock: &Lock,
    preserve: &dyn Fn(&str) -> bool,
) -> Result<CommitOutcome, CommitError> {
    let (previous, staged) = (layout.previous(), layout.staged());
    let Some(record) = Record::load(&previous, Rules::host())? else {
        return Ok(CommitOutcome::Nothing);
    };
    restore_modes(&previous, &record, preserve)?;
    for path in verify_installed_files(&previous, &record, preserve)? {
        if fs::inspect(&fs::join(&previous, &path))?.is_none() {
            return Err(CommitError::Damaged { path });
        }
        // Most likely by the version that failed: where both have a file,
        // it is one file with two names.
        log::warn!("{path:?} of the previous version was changed since it was installed");
    }
    super::discard(layout)?;
    fs::create_dir_all(&layout.staging())?;
    // So that a later start knows it from what was put there by others.
    if let (Some(record), Some(from)) = (record_hash(&previous)?, record_hash(&layout.app())?) {
        let why = Why::BackFrom(from);
        Origin { record, why }.store(layout)?;
    }
    fs::rename_durably(&previous, &staged)?;
    let how = CommitOptions {
        returning: true,
        preserve: Some(preserve),
        ..CommitOptions::default()
    };
    commit(layout, update_lock, how)
}

#[cfg(test)]
mod tests;
