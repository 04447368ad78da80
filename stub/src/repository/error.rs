//! Says why a repository could not be used.

use crate::failure::FailureKind;
use crate::fs::FsError;
use crate::http::{HttpError, Oddity};
use crate::tuf::TufError;
use std::path::PathBuf;
use std::time::Duration;

/// Says why metadata could not be refreshed or a target could not be fetched.
#[derive(Debug, thiserror::Error)]
pub enum RepositoryError {
    /// Verification failed.
    #[error(transparent)]
    Tuf(#[from] TufError),
    /// Refused, and it is plain to see why.
    #[error("{source}: {url} {oddity}")]
    NotMetadata {
        /// What was asked for.
        url: String,
        /// What came instead.
        oddity: Oddity,
        /// Why it was refused.
        source: Box<TufError>,
    },
    /// A request failed.
    #[error(transparent)]
    Http(#[from] HttpError),
    /// A file system call failed.
    #[error(transparent)]
    Fs(#[from] FsError),
    /// Another of the targets that are downloaded at once failed.
    #[error("another download failed")]
    Stopped,
    /// No URL is named.
    #[error("the settings name no address to fetch files from")]
    NoUrl,
    /// There is no trusted root to start from.
    #[error("there is no {path:?}; it belongs beside the stub, as `notsotuf ship` puts it there")]
    NoRoot {
        /// The shipped root.
        path: PathBuf,
    },
}

impl RepositoryError {
    /// Returns what kind of failure it is.
    pub fn failure_kind(&self) -> FailureKind {
        match self {
            RepositoryError::Tuf(e) => e.failure_kind(),
            RepositoryError::NotMetadata { oddity, source, .. } => match oddity {
                Oddity::Cut(_) => FailureKind::Unavailable,
                _ => source.failure_kind(),
            },
            RepositoryError::Http(e) => e.failure_kind(),
            RepositoryError::Fs(_)
            | RepositoryError::Stopped
            | RepositoryError::NoUrl
            | RepositoryError::NoRoot { .. } => FailureKind::Local,
        }
    }
}

impl RepositoryError {
    /// How much it tells, where several places failed: that something was
    /// refused is more than that nothing came; but a copy that is merely old
    /// says nothing of the place that it is a copy of.
    fn weight(&self) -> u8 {
        match self {
            RepositoryError::Tuf(TufError::Rollback { .. }) => 0,
            e if e.failure_kind() == FailureKind::Refused => 1,
            _ => 0,
        }
    }

    /// Returns whether the same server may do better without haste, or as the
    /// last one that is asked.
    pub(super) fn is_worth_again(&self, time: Time, last: bool) -> bool {
        match (self, time) {
            (RepositoryError::Http(HttpError::Again { .. }), _) => !last,
            // Of the last one, only connecting was cut short.
            (RepositoryError::Http(e), Time::InAll(_)) => {
                e.is_slowness() && (!last || matches!(e, HttpError::Unreachable { .. }))
            }
            _ => false,
        }
    }
}

/// Counts the time that servers have to share.
#[derive(Clone, Copy)]
pub(super) enum Time {
    /// The time for all that is asked.
    InAll(Duration),
    /// In which nothing comes.
    OfSilence(Duration),
}

pub(super) fn keep_worst(worst: &mut Option<RepositoryError>, error: RepositoryError) {
    if worst.as_ref().is_none_or(|w| w.weight() < error.weight()) {
        *worst = Some(error);
    }
}
