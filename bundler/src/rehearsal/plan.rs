//! Describes what is tried.

use crate::project::{Project, client_settings};
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
        let own = self
            .project
            .map(|project| &project.settings.client.settings);
        let none = toml::Table::new();
        let settings = client_settings::of_install(own.unwrap_or(&none));
        // What is wrong with them is said by `ship`.
        let probation = settings.ok().and_then(|settings| settings.probation());
        probation.unwrap_or_default()
    }
}
