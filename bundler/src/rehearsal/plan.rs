//! Describes what is tried.

use crate::project::Project;
use std::path::Path;
use std::time::Duration;

/// Says what to try.
#[derive(Debug, Clone)]
pub(crate) struct RehearsalPlan<'a> {
    /// The bundle that is installed first.
    pub old: &'a Path,
    /// The bundle of the update.
    pub new: &'a Path,
    /// The stub's binary.
    pub stub: &'a Path,
    /// The program to start, relative to the bundle.
    pub executable: Option<&'a str>,
    /// What the application is started with.
    pub arguments: &'a [String],
    /// How long it may run at each start.
    pub limit: Duration,
    /// Whose settings installs have.
    pub project: Option<&'a Project>,
}

impl RehearsalPlan<'_> {
    /// Returns how long a new version is on probation in the install.
    pub(crate) fn probation(&self) -> Duration {
        const USUAL: f64 = 10.0;
        let own = self.project.and_then(|project| {
            let set = project.settings.client.settings.get("probation")?;
            set.as_float().or_else(|| Some(set.as_integer()? as f64))
        });
        Duration::try_from_secs_f64(own.unwrap_or(USUAL)).unwrap_or_default()
    }
}
