//! Says why an archive could not be unpacked.

use crate::bundle::path_rules::PathError;
use crate::fs::FsError;
use std::io;

/// Says why an archive is not unpacked.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    /// The archive is not gzip, not tar, or cut short.
    #[error("the archive cannot be read: {0}")]
    Read(#[source] io::Error),
    /// A path or link that may not be.
    #[error("the archive is refused: {0}")]
    Refused(#[from] PathError),
    /// A device, a fifo, a sparse file, …
    #[error("the archive is refused: {path:?} is neither file, folder nor link")]
    EntryType {
        /// The entry's path.
        path: String,
    },
    /// A path is not UTF-8.
    #[error("the archive is refused: the path {path:?} is not UTF-8")]
    NotUtf8 {
        /// The path with replacement characters.
        path: String,
    },
    /// A hard link to something that did not come before it.
    #[error(
        "the archive is refused: {path:?} is a hard link to {target:?}, which is no earlier file"
    )]
    HardLink {
        /// The entry's path.
        path: String,
        /// What it names.
        target: String,
    },
    /// The archive is empty.
    #[error("the archive is empty")]
    Empty,
    /// Writing failed.
    #[error(transparent)]
    Fs(#[from] FsError),
    /// Someone asked to stop.
    #[error("unpacking was stopped")]
    Stopped,
}
