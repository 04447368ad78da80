//! Says which file system call failed, and on what.

use std::io;
use std::path::{Path, PathBuf};

/// Describes a failed file system call.
#[derive(Debug, thiserror::Error)]
#[error("cannot {what} {path:?}: {source}")]
pub struct FsError {
    /// The call, as a verb.
    pub what: &'static str,
    /// The path.
    pub path: PathBuf,
    /// What the system said.
    pub source: io::Error,
}

impl FsError {
    /// Names a failed call.
    pub fn new(what: &'static str, path: &Path, source: io::Error) -> Self {
        FsError {
            what,
            path: path.into(),
            source,
        }
    }

    /// Returns whether the system does not allow it to this user.
    pub fn is_denied(&self) -> bool {
        self.source.kind() == io::ErrorKind::PermissionDenied
    }
}

/// Holds what these functions return, or a failed call.
pub type Result<T> = std::result::Result<T, FsError>;

pub(super) trait Named<T> {
    fn named(self, what: &'static str, path: &Path) -> Result<T>;
}

impl<T> Named<T> for io::Result<T> {
    fn named(self, what: &'static str, path: &Path) -> Result<T> {
        self.map_err(|e| FsError::new(what, path, e))
    }
}
