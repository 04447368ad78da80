//! Restores files and permissions of the installed version.

use crate::install;
use crate::install::{CommitOptions, CommitOutcome, Record};
use crate::update::error::UpdateError;
use crate::update::outcome::Outcome;
use crate::update::session::Updater;
use std::collections::BTreeSet;

/// Holds what [`Updater::repair`] found and did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Repaired {
    /// Paths that were missing or changed.
    pub damaged: Vec<String>,
    /// [`Outcome::UpToDate`] if there was nothing to do.
    pub outcome: Outcome,
}

impl<'a> Updater<'a> {
    /// Compares what is installed with its record, and installs the same
    /// version again if files are missing or changed. Files that users may
    /// change, and the application's own, stay.
    ///
    /// # Errors
    /// [`UpdateError`]; what was installed still is.
    pub fn repair(&self) -> Result<Repaired, UpdateError> {
        let record = Record::load(&self.layout.app(), self.rules)?;
        let record = record.ok_or(UpdateError::NoRecord)?;
        let free = |path: &str| self.settings.preserves(path);
        // These take no download.
        let modes = install::restore_modes(&self.layout.app(), &record, &free)?;
        for path in &modes {
            log::warn!("{path:?} had other permissions than it was installed with");
        }
        let mut damaged = install::verify_installed_files(&self.layout.app(), &record, &free)?;
        for path in &damaged {
            log::warn!("{path:?} is missing or not as it was installed");
        }
        let only_modes = damaged.is_empty();
        let both: BTreeSet<String> = damaged.into_iter().chain(modes).collect();
        damaged = both.into_iter().collect();
        if only_modes {
            let outcome = if damaged.is_empty() {
                Outcome::UpToDate
            } else {
                Outcome::Installed(record.release)
            };
            return Ok(Repaired { damaged, outcome });
        }
        let checked = self.check()?;
        let version = record.release.version;
        let offered = checked.catalog.archives.contains_key(&version);
        if !offered || record.release.name != self.settings.name {
            return Err(UpdateError::NotOffered(version));
        }
        let result = self.stage_full(&checked, &version);
        let staged = self.tidied(result)?;
        let outcome = match self.install(CommitOptions::default())? {
            CommitOutcome::Deferred(instances) => Outcome::Deferred { version, instances },
            _ => Outcome::Updated(staged),
        };
        Ok(Repaired { damaged, outcome })
    }
}
