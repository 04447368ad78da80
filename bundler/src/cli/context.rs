//! Holds what every command is given besides its own arguments.

use crate::keys::{KeyError, Keyring, Passphrases};
use crate::output::Output;
use crate::progress::Progress;
use crate::project::{self, Project, ProjectError};
use std::path::{Path, PathBuf};

/// Holds what every command is given besides its own arguments.
pub(super) struct Context<'a> {
    /// The folder of the project, if the command line names it.
    pub named: Option<PathBuf>,
    /// Folders of keys beside the project's own.
    pub key_dirs: Vec<PathBuf>,
    /// Where passphrases come from.
    pub passphrases: Passphrases,
    /// Whether and how progress is shown.
    pub progress: Progress,
    /// Neither progress nor warnings are wanted.
    pub quiet: bool,
    /// Where the result goes.
    pub output: &'a Output,
}

impl Context<'_> {
    /// Opens the project.
    ///
    /// # Errors
    /// [`ProjectError`].
    pub(super) fn project(&self) -> Result<Project, ProjectError> {
        Project::open(&project::find(self.named.as_deref())?)
    }

    /// Returns the folder where a project should be.
    pub(super) fn folder(&self) -> &Path {
        self.named.as_deref().unwrap_or_else(|| Path::new("."))
    }

    /// Returns the keys that are at hand for a project.
    ///
    /// # Errors
    /// If one of them is malformed.
    pub(super) fn keyring(&self, project: &Project) -> Result<Keyring, KeyError> {
        project.keyring(&self.key_dirs)
    }
}
