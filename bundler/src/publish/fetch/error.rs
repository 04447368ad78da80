//! Says why nothing was fetched.

use crate::metadata::MetadataError;
use crate::publish::upload::UploadError;
use crate::release::ReleaseError;
use notsotuf_stub::fs::FsError;
use std::path::PathBuf;

/// Says why nothing was fetched. What is here is as it was, but for targets
/// that had come already.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FetchError {
    /// A file system call failed.
    #[error(transparent)]
    Fs(#[from] FsError),
    /// The metadata here.
    #[error(transparent)]
    Metadata(#[from] MetadataError),
    /// What is pending here cannot be kept.
    #[error(transparent)]
    Release(#[from] ReleaseError),
    /// What is there cannot be read.
    #[error(transparent)]
    Upload(#[from] UploadError),
    /// Nobody said where to fetch from.
    #[error(
        "where should this be fetched from? Name it (`notsotuf fetch \
         https://example.com/updates`), or set `upload`, or `url` under [client], in the project \
         settings"
    )]
    NoSource,
    /// There is no root that could be trusted.
    #[error(
        "there is no {0:?}, so nothing that is fetched could be trusted. Get it from version \
         control, or name the root that you trust with --root"
    )]
    NoPin(PathBuf),
    /// Nothing is published there.
    #[error("nothing is published at {0}")]
    Nothing(String),
    /// Something else is there than what this project signed.
    #[error("what is at {place} is not what the keys of this project signed: {reason}")]
    Refused {
        /// The place.
        place: String,
        /// What does not verify.
        reason: String,
    },
    /// Targets by keys that are not trusted any more.
    #[error(
        "what is at {place} has targets {version}, and root {root}, which was published here and \
         not uploaded yet, has other keys for them. If those keys were replaced because they were \
         stolen, look who published that. --force takes it, to be signed by the new keys with \
         the next publish"
    )]
    Replaced {
        /// The place.
        place: String,
        /// The version of targets there.
        version: u64,
        /// The version of the root here.
        root: u64,
    },
    /// An old state.
    #[error(
        "what is at {place} is an old state: {role} has version {found}, but version {known} was \
         published before. Somebody put an old copy there, a cache serves one, or what was \
         published was never uploaded, or uploaded elsewhere. --force accepts it anyway, and keeps \
         what is newer here to be published again"
    )]
    Old {
        /// The place.
        place: String,
        /// The role.
        role: &'static str,
        /// Its version there.
        found: u64,
        /// The version that is remembered.
        known: u64,
    },
}
