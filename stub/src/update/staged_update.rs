//! Installs what an earlier run staged, if it is what the metadata lists.

use crate::catalog::Catalog;
use crate::install;
use crate::install::{CommitError, CommitOptions, CommitOutcome, Record, RecordError, Release};
use crate::policy::staged_origin::Origin;
use crate::policy::vouch::{InstalledBundle, StagedBundle, Unvouched, Vouched, vouch};
use crate::update::check::UpdateCheck;
use crate::update::error::UpdateError;
use crate::update::outcome::Outcome;
use crate::update::session::Updater;
use pep440_rs::Version;

const COMMIT_ATTEMPTS: u32 = 3;

/// Names a staged update that could not be installed.
pub(super) struct StagedFailure {
    pub(super) version: Version,
    pub(super) error: UpdateError,
    /// It is not there any more, and not taken again for a while.
    pub(super) dropped: bool,
}

impl<'a> Updater<'a> {
    /// Installs an update that an earlier run staged. `None` if there is none.
    ///
    /// # Errors
    /// Only of the file system.
    pub fn install_staged(&self) -> Result<Option<Outcome>, UpdateError> {
        self.settings_allow_updates()?;
        let staged = match Record::load_release(&self.layout.staged()) {
            Ok(staged) => staged,
            Err(RecordError::Fs(e)) => return Err(e.into()),
            Err(_) => None,
        };
        Ok(match (self.commit_staged()?, staged) {
            (CommitOutcome::Done(release), _) => Some(Outcome::Installed(release)),
            (CommitOutcome::Deferred(instances), Some(Release { version, .. })) => {
                Some(Outcome::Deferred { version, instances })
            }
            _ => None,
        })
    }

    /// Installs an update that an earlier run staged but could not commit. A
    /// damaged one is dropped.
    ///
    /// # Errors
    /// Only of the file system.
    pub fn commit_staged(&self) -> Result<CommitOutcome, UpdateError> {
        if !self.layout.staged().exists() {
            if self.layout.staging().exists() {
                // Something was interrupted before there was anything whole.
                install::discard(self.layout)?;
            }
            return Ok(CommitOutcome::Nothing);
        }
        let result = match Record::load_release(&self.layout.staged()) {
            Ok(None) => Ok(CommitOutcome::Nothing),
            Ok(Some(release)) if release.name != self.settings.name => Ok(CommitOutcome::Nothing),
            Ok(Some(release)) if !install::may_follow(self.layout, self.settings, &release) => {
                log::info!(
                    "version {}, which is staged, is not wanted any more; dropping it",
                    release.version
                );
                Ok(CommitOutcome::Nothing)
            }
            Ok(Some(_)) => match self.vouch_for_staged(self.stored_catalog().as_ref())? {
                Ok(vouched) => self.install(CommitOptions {
                    recheck: true,
                    probation: true,
                    returning: vouched == Vouched::WayBack,
                    ..CommitOptions::default()
                }),
                Err(e) => {
                    log::warn!("the staged update is not installed: {e}; dropping it");
                    Ok(CommitOutcome::Nothing)
                }
            },
            Err(e) => Err(e.into()),
        };
        match result {
            Ok(CommitOutcome::Nothing) => {
                install::discard(self.layout)?;
                Ok(CommitOutcome::Nothing)
            }
            Err(error @ (CommitError::Damaged { .. } | CommitError::Record(_))) => {
                log::warn!("{error}; dropping it");
                install::discard(self.layout)?;
                Ok(CommitOutcome::Nothing)
            }
            other => Ok(other?),
        }
    }

    /// Drops a staged update that is not wanted any more: the user has chosen
    /// another channel, or a version to stay with.
    ///
    /// # Errors
    /// Only of the file system.
    pub fn drop_unwanted(&self) -> Result<(), UpdateError> {
        match Record::load_release(&self.layout.staged()) {
            Ok(Some(release)) if !install::may_follow(self.layout, self.settings, &release) => {
                Ok(install::discard(self.layout)?)
            }
            _ => Ok(()),
        }
    }

    /// Whether what an earlier run staged may be installed, by the metadata
    /// that `catalog` is from. A record that cannot be used is an error when
    /// it is installed, not here.
    fn vouch_for_staged(
        &self,
        catalog: Option<&Catalog>,
    ) -> Result<Result<Vouched, Unvouched>, UpdateError> {
        let (app, staged) = (self.layout.app(), self.layout.staged());
        let (Ok(Some(record)), Some(hash)) = (
            Record::load(&staged, self.rules),
            install::record_hash(&staged)?,
        ) else {
            return Ok(Ok(Vouched::Listed));
        };
        let origin = Origin::load(self.layout);
        let installed = install::recorded(&app, &self.settings.name);
        let installed_hash = install::record_hash(&app)?.unwrap_or_default();
        let installed = installed.as_ref().map(|release| InstalledBundle {
            version: &release.version,
            record: &installed_hash,
        });
        let staged = StagedBundle {
            version: &record.release.version,
            tree: record.manifest.tree_hash(),
            record: &hash,
            origin: origin.as_ref(),
        };
        Ok(vouch(staged, installed, catalog))
    }

    /// Returns whether exactly this version is staged already.
    pub(super) fn has_staged(&self, checked: &UpdateCheck, version: &Version) -> bool {
        let staged = Record::load_release(&self.layout.staged());
        matches!(staged, Ok(Some(release)) if release.version == *version)
            && matches!(self.vouch_for_staged(Some(&checked.catalog)), Ok(Ok(_)))
    }

    /// Reports and counts that the staged update could not be installed, and
    /// drops it where there is no hope for the next start.
    ///
    /// # Errors
    /// `error`, if nothing else can be done before that is fixed.
    pub(super) fn staged_failed(&self, error: UpdateError) -> Result<StagedFailure, UpdateError> {
        let staged = Record::load_release(&self.layout.staged()).ok().flatten();
        let Some(Release { version, .. }) = staged else {
            return Err(error);
        };
        if self.layout.journal().exists() || !error.counts() {
            return Err(error);
        }
        let dropped = self.note_failure(&version, None, &error, COMMIT_ATTEMPTS);
        let then = if dropped {
            "dropping it"
        } else {
            "trying again at the next start"
        };
        log::error!("version {version} cannot be installed: {error}; {then}");
        if dropped || error.is_for_room() {
            install::discard(self.layout)?;
        }
        if error.is_for_room() {
            Err(error)
        } else {
            Ok(StagedFailure {
                version,
                error,
                dropped,
            })
        }
    }

    /// Does the same as [`Updater::install_staged`]; a failure is counted, too.
    ///
    /// # Errors
    /// [`UpdateError`]; what was installed still is.
    pub fn install_staged_or_drop(&self) -> Result<Option<Outcome>, UpdateError> {
        match self.install_staged() {
            Err(e) => Err(self.staged_failed(e)?.error),
            result => result,
        }
    }
}
