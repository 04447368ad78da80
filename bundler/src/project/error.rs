//! Says what is wrong with a project.

use super::settings::FILE;
use notsotuf_stub::fs::FsError;
use std::path::PathBuf;

/// Says what is wrong with a project.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ProjectError {
    /// A file system call failed.
    #[error(transparent)]
    Fs(#[from] FsError),
    /// The settings file does not exist.
    #[error(
        "there is no {0:?}; `notsotuf init --app NAME` starts a project, --project names its folder"
    )]
    Missing(PathBuf),
    /// There is no settings file here or above.
    #[error(
        "there is no {FILE} in {0:?} or a folder above it; `notsotuf init --app NAME` starts a \
         project, --project names its folder"
    )]
    Nowhere(PathBuf),
    /// A settings file above, of somebody else: it could name programs to run.
    #[error(
        "{0:?} belongs to another user, and is not used from a folder below it; --project names \
         its folder if that is what you mean"
    )]
    Foreign(PathBuf),
    /// A settings file of the wrong form.
    #[error("{path:?}: {reason}")]
    Form {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// `init` was called where there is a project.
    #[error("{0:?} exists already: this folder is a project; --project names another folder")]
    Exists(PathBuf),
    /// `init` where there are settings and no root.
    #[error(
        "{settings:?} exists already, but there is no {root:?}: if an `init` was interrupted here, \
         remove {settings:?} and call it again; if this is a project, its repository is missing: \
         fetch it from where it is published"
    )]
    Unfinished {
        /// The settings.
        settings: PathBuf,
        /// The root.
        root: PathBuf,
    },
    /// The command line does not say which application.
    #[error("this project has several applications ({}); name one with --app", .0.join(", "))]
    WhichApp(Vec<String>),
    /// An application that is not in the settings.
    #[error("there is no application {name:?} in the settings; they name {}", .known.join(", "))]
    NoApp {
        /// What was asked for.
        name: String,
        /// What there is.
        known: Vec<String>,
    },
}
