//! Describes what is tried.

use crate::project::{Project, client_settings};
use std::fmt;
use std::path::Path;
use std::time::Duration;

/// Names one of the two bundles.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Bundle {
    /// The one that is installed first.
    Old,
    /// The update.
    New,
}

impl Bundle {
    /// Returns the version that it has in the rehearsal's own project.
    pub(crate) fn version(self) -> &'static str {
        match self {
            Bundle::Old => "1.0",
            Bundle::New => "1.1",
        }
    }
}

impl fmt::Display for Bundle {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(match self {
            Bundle::Old => "old",
            Bundle::New => "new",
        })
    }
}

/// Says what to try.
#[derive(Debug, Clone)]
pub(crate) struct RehearsalPlan<'a> {
    /// The bundle that is installed first.
    pub old: &'a Path,
    /// The bundle of the update.
    pub new: &'a Path,
    /// Whether to try it although `add` takes it only with `--force`.
    pub force: bool,
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
