//! Handles the URLs of the two folders of a repository.

use crate::http::shown;
use crate::repository::error::RepositoryError;
use crate::settings::RepositoryUrls;

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
