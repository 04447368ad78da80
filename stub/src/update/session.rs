//! Holds the update lock and what all steps of an update need.

use crate::bundle::Rules;
use crate::catalog::Catalog;
use crate::configuration::release_settings;
use crate::install::{BlockedVersions, CommitError, CommitOptions, CommitOutcome, Layout, Lock};
use crate::policy::blocked;
use crate::policy::blocked::BlockedWhy;
use crate::progress::Event;
use crate::repository::{Repository, RepositoryError};
use crate::settings::Settings;
use crate::tuf::UnixTime;
use crate::update::check::{UpdateCheck, check, repository};
use crate::update::error::UpdateError;
use crate::{fs, install};
use std::time::Duration;

/// Does updates of one installed application. Only one per install dir at a
/// time: it holds the lock.
pub struct Updater<'a> {
    pub(super) layout: &'a Layout,
    pub(super) settings: &'a Settings,
    pub(super) repository: Repository,
    pub(super) now: UnixTime,
    pub(super) rules: Rules,
    pub(super) lock: Lock,
    pub(super) tell: &'a dyn Fn(Event),
}

impl<'a> Updater<'a> {
    /// Takes the lock, at once or not at all, and completes a commit that was
    /// interrupted. `now` is the time of all expiry checks.
    ///
    /// # Errors
    /// [`UpdateError::Locked`] if another stub is updating; else what the
    /// file system said.
    pub fn new(
        layout: &'a Layout,
        settings: &'a Settings,
        now: UnixTime,
        tell: &'a dyn Fn(Event),
    ) -> Result<Self, UpdateError> {
        install::open_state_dir(layout)?;
        fs::create_dir_all(&layout.metadata())?;
        let lock = Lock::exclusive(&layout.update_lock(), Duration::ZERO)?;
        let lock = lock.ok_or(UpdateError::Locked)?;
        install::recover(layout, &lock)?;
        fs::sweep(&layout.state())?;
        fs::sweep(&layout.metadata())?;
        let repository = repository(layout, settings, layout.metadata())?;
        match repository.settle_root(&mut || install::forget(layout, &lock)) {
            Err(e @ RepositoryError::Fs(_)) => return Err(e.into()),
            // Not every command needs one; a check will say the same.
            Err(e) => log::debug!("{e}"),
            Ok(_) => {}
        }
        Ok(Updater {
            repository,
            layout,
            settings,
            now,
            rules: Rules::host(),
            lock,
            tell,
        })
    }

    /// Returns what the stored metadata offers, as far as it is still trusted.
    pub(super) fn stored_catalog(&self) -> Option<Catalog> {
        let stored = self.repository.stored_targets().unwrap_or_else(|e| {
            log::warn!("{e}");
            None
        });
        stored.map(|targets| Catalog::new(&self.settings.name, &targets.targets))
    }

    /// Refreshes the trusted metadata and chooses the version to update to.
    ///
    /// # Errors
    /// [`UpdateError`].
    pub fn check(&self) -> Result<UpdateCheck, UpdateError> {
        self.settings_allow_updates()?;
        (self.tell)(Event::Checking);
        let checked = check(&self.repository, self.layout, self.settings, self.now)?;
        let chosen = checked.choice.version();
        release_settings::keep(self.layout, &checked.catalog, chosen);
        Ok(checked)
    }

    /// Makes sure that no administrator has switched updates off.
    ///
    /// # Errors
    /// [`UpdateError::SwitchedOff`].
    pub(super) fn settings_allow_updates(&self) -> Result<(), UpdateError> {
        match &self.settings.switched_off_by {
            Some(by) => Err(UpdateError::SwitchedOff(by.clone())),
            None => Ok(()),
        }
    }

    /// Installs the update that [`Updater::stage`] has just staged.
    ///
    /// # Errors
    /// [`UpdateError::Commit`]; what was installed still is.
    pub fn commit(&self) -> Result<CommitOutcome, UpdateError> {
        Ok(self.install(CommitOptions {
            probation: true,
            ..CommitOptions::default()
        })?)
    }

    /// Installs the staged update as the settings want it, and as far as they
    /// want a probation.
    pub(super) fn install(&self, how: CommitOptions) -> Result<CommitOutcome, CommitError> {
        let how = CommitOptions {
            purge: self.settings.purge,
            probation: how.probation && self.settings.probation().is_some(),
            preserve: Some(&|path| self.settings.preserves(path)),
            ..how
        };
        (self.tell)(Event::Committing);
        let result = install::commit(self.layout, &self.lock, how)?;
        if let CommitOutcome::Done(release) = &result {
            // What could not be installed before can, or is outdated.
            let over = |entry: &blocked::Blocked| {
                entry.why == BlockedWhy::NotInstalled && entry.version <= release.version
            };
            BlockedVersions::remove(self.layout, over).unwrap_or_else(|e| log::warn!("{e}"));
        }
        Ok(result)
    }
}
