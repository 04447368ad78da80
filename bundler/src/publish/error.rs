//! Says why nothing was published.

use crate::metadata::MetadataError;
use crate::metadata::limits::TooLarge;
use crate::release::ReleaseError;
use notsotuf_stub::fs::FsError;

/// Says why nothing was published.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PublishError {
    /// A file system call failed.
    #[error(transparent)]
    Fs(#[from] FsError),
    /// Metadata cannot be used.
    #[error(transparent)]
    Metadata(#[from] MetadataError),
    /// The list of what is pending.
    #[error(transparent)]
    Release(#[from] ReleaseError),
    /// Clients would refuse the metadata.
    #[error(transparent)]
    TooLarge(#[from] TooLarge),
}
