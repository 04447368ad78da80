//! Says why an update could not be installed.

use crate::fs::FsError;
use crate::install::RecordError;

/// Says why a staged update was not installed. The installed version is as it
/// was.
#[derive(Debug, thiserror::Error)]
pub enum CommitError {
    /// A file system call failed.
    #[error(transparent)]
    Fs(#[from] FsError),
    /// A record cannot be used.
    #[error(transparent)]
    Record(#[from] RecordError),
    /// It is not known whether the application is running.
    #[error("cannot list the running programs: {0}")]
    Processes(std::io::Error),
    /// A staged file is not what was staged.
    #[error("the staged update is damaged: {path:?} is not as it was staged")]
    Damaged {
        /// The file.
        path: String,
    },
    /// The bundle is a link to somewhere else, and what takes its place would be
    /// exchanged with the link alone.
    #[error(
        "{app:?} is a link, and an update replaces the folder itself, so there are no updates here; move that folder back to the place of the link"
    )]
    Link {
        /// The link.
        app: std::path::PathBuf,
    },
    /// Neither can the folders be exchanged nor one be moved to the other's
    /// place.
    #[error(
        "{staged:?} cannot take the place of {app:?}: they are on different file systems (or layers of one); the folder .notsotuf must be on that of the application"
    )]
    OtherFileSystem {
        /// The staged bundle.
        staged: std::path::PathBuf,
        /// The installed one.
        app: std::path::PathBuf,
    },
}
