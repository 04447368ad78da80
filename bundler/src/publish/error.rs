//! Says why nothing was published.

use crate::metadata::MetadataError;
use crate::metadata::limits::TooLarge;
use crate::release::ReleaseError;
use notsotuf_stub::fs::FsError;

/// Says why nothing was published.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PublishError {
    /// The file system.
    #[error(transparent)]
    Fs(#[from] FsError),
    /// The metadata.
    #[error(transparent)]
    Metadata(#[from] MetadataError),
    /// The list of what is pending.
    #[error(transparent)]
    Release(#[from] ReleaseError),
    /// Metadata that clients would refuse.
    #[error(transparent)]
    TooLarge(#[from] TooLarge),
}
