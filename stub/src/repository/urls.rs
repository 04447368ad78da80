//! Says where the two folders of a repository are.

use crate::http::shown;
use crate::repository::error::RepositoryError;

/// Says where files of a repository are, with or without a final slash.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RepositoryUrls {
    /// The metadata files.
    pub metadata_url: String,
    /// The target files.
    pub targets_url: String,
}

impl RepositoryUrls {
    /// Returns an error that names the URL, if it did not yet.
    pub(super) fn says(&self, error: &RepositoryError) -> String {
        match error {
            RepositoryError::Tuf(_) => format!("{}: {error}", shown(&self.metadata_url)),
            _ => error.to_string(),
        }
    }
}

pub(super) fn slashed(url: &str) -> String {
    format!("{}/", url.trim_end_matches('/'))
}
