//! Gives access to a TUF repository as the client has it: trusted metadata in a
//! folder, new metadata and targets over HTTP. What to fetch and what to
//! believe is up to [`crate::tuf`].

mod download;
mod download_all;
mod error;
mod mirrors;
mod refresh;
mod stored;
mod trusted_root;
mod urls;

pub use download_all::Download;
pub use error::RepositoryError;

use crate::http::Http;
pub use crate::settings::RepositoryUrls;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicUsize};

/// Gives access to one repository.
pub struct Repository {
    /// The folder of the trusted metadata; it must exist.
    pub metadata: PathBuf,
    /// The root to start from while that folder has none.
    pub shipped_root: PathBuf,
    /// Where its files are: the first that has them is used.
    pub mirrors: Vec<RepositoryUrls>,
    /// Where they were before a release said otherwise.
    earlier: Vec<RepositoryUrls>,
    /// How they are fetched.
    pub http: Http,
    /// The place that had something last.
    preferred: AtomicUsize,
    /// Whether the stored root was compared with the shipped one by this
    /// process.
    settled: AtomicBool,
}

impl Repository {
    /// Creates the repository at these URLs.
    pub fn new(
        metadata: PathBuf,
        shipped_root: PathBuf,
        mirrors: Vec<RepositoryUrls>,
        http: Http,
    ) -> Self {
        Repository {
            metadata,
            shipped_root,
            mirrors,
            earlier: Vec::new(),
            http,
            preferred: AtomicUsize::new(0),
            settled: AtomicBool::new(false),
        }
    }

    /// Also asks these places, once a day, before the ones that count: they are
    /// from before a release said where its files are.
    pub fn with_earlier_places(self, earlier: Vec<RepositoryUrls>) -> Self {
        Repository { earlier, ..self }
    }
}
