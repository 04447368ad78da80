//! Says why a patch could not be applied.

use crate::bundle::manifest::TreeHash;
use crate::bundle::patch::format::MEMORY;
use crate::bundle::path_rules::PathError;
use crate::fs::FsError;
use std::io;

/// Says why a patch cannot be applied.
#[derive(Debug, thiserror::Error)]
pub enum PatchError {
    /// The first bytes are of no format this version knows.
    #[error("the patch is of a format that this version does not know")]
    Format,
    /// Cut short, or not what the format says.
    #[error("the patch is malformed: {0}")]
    Malformed(&'static str),
    /// The compressed data cannot be read.
    #[error("the patch cannot be read: {0}")]
    Read(#[source] io::Error),
    /// The patch refers to a file that the installed version does not have.
    #[error("the patch needs {0:?}, which is not there")]
    NoOld(String),
    /// A path or link that may not be.
    #[error("the patch is refused: {0}")]
    Refused(#[from] PathError),
    /// The patch is large, or made to be.
    #[error("applying the patch would take more than {MEMORY} bytes of memory")]
    Memory,
    /// An installed file is not what was installed.
    #[error("{path:?} was changed since it was installed")]
    Changed {
        /// The file.
        path: String,
    },
    /// The result is not the signed one.
    #[error("the patched tree has hash {found}, expected {expected}")]
    WrongTree {
        /// Hash of the result.
        found: TreeHash,
        /// The signed hash.
        expected: TreeHash,
    },
    /// A file system call failed.
    #[error(transparent)]
    Fs(#[from] FsError),
    /// Someone asked to stop.
    #[error("patching was stopped")]
    Stopped,
}

pub(super) fn unused() -> PatchError {
    PatchError::Malformed("there is data that nothing uses")
}
