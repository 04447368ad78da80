//! Goes back to the previous version, and forward again.

use crate::catalog::Catalog;
use crate::install::{BlockedVersions, CommitOutcome, Record};
use crate::policy::blocked;
use crate::policy::blocked::BlockedWhy;
use crate::progress::Event;
use crate::update::error::UpdateError;
use crate::update::outcome::Outcome;
use crate::update::session::Updater;
use crate::{install, stub_version};
use pep440_rs::Version;

impl<'a> Updater<'a> {
    /// Goes back to the previous version, and does not install this one again
    /// for a while: as it failed with `from`, if that still is installed (else
    /// another instance has gone back already, and the outcome is
    /// [`Outcome::UpToDate`]), and as the user wants it without.
    ///
    /// # Errors
    /// [`UpdateError`]; what was installed still is.
    pub fn roll_back(&self, from: Option<&Version>) -> Result<Outcome, UpdateError> {
        let installed = Record::load_release(&self.layout.app())?;
        if let (Some(from), Some(installed)) = (from, &installed)
            && installed.version != *from
        {
            return Ok(Outcome::UpToDate);
        }
        let previous = Record::load_release(&self.layout.previous())?;
        let previous = previous.ok_or(UpdateError::NoPrevious)?.version;
        let blocked = BlockedVersions::load(self.layout);
        if blocked.find(&previous, BlockedWhy::Failed).is_some() {
            return Err(UpdateError::PreviousFailed(previous));
        }
        // What failed is worse than what its makers do not want any more.
        let withdrawn = |catalog: Catalog| catalog.withdrawn.contains(&previous);
        if from.is_none() && self.stored_catalog().is_some_and(withdrawn) {
            return Err(UpdateError::PreviousWithdrawn(previous));
        }
        if let Some(installed) = installed {
            let why = match from {
                Some(_) => BlockedWhy::Failed,
                None => BlockedWhy::RolledBack,
            };
            let fill = |entry: &mut blocked::Blocked| entry.updater = Some(stub_version::version());
            BlockedVersions::add(self.layout, &installed.version, why, self.now, fill)?;
        }
        self.exchange_with(previous)
    }

    /// Goes forward again from `from`, if that still is installed, to the
    /// version that was there before, which did not fail after all.
    ///
    /// # Errors
    /// [`UpdateError`]; what was installed still is.
    pub fn reinstate(&self, from: &Version) -> Result<Outcome, UpdateError> {
        let installed = Record::load_release(&self.layout.app())?;
        if installed.is_none_or(|installed| installed.version != *from) {
            return Ok(Outcome::UpToDate);
        }
        let previous = Record::load_release(&self.layout.previous())?;
        self.exchange_with(previous.ok_or(UpdateError::NoPrevious)?.version)
    }

    fn exchange_with(&self, previous: Version) -> Result<Outcome, UpdateError> {
        BlockedVersions::remove(self.layout, |entry| entry.version == previous)?;
        let preserve = |path: &str| self.settings.preserves(path);
        (self.tell)(Event::Committing);
        match install::roll_back(self.layout, &self.lock, &preserve)? {
            CommitOutcome::Done(release) => Ok(Outcome::Installed(release)),
            CommitOutcome::Deferred(instances) => Ok(Outcome::Deferred {
                version: previous,
                instances,
            }),
            CommitOutcome::Nothing => Err(UpdateError::NoPrevious),
        }
    }
}
