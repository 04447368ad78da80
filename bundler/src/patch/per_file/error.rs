//! Says why a patch cannot be made.

use notsotuf_stub::fs::FsError;
use std::io;
use std::path::PathBuf;

/// Says why a patch cannot be made.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DiffError {
    /// A file system call failed.
    #[error(transparent)]
    Fs(#[from] FsError),
    /// Compressing or writing the patch.
    #[error("cannot write {path:?}: {source}")]
    Write {
        /// The patch.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Making the patch takes longer than allowed.
    #[error("it takes longer than the time allowed")]
    Budget,
}
