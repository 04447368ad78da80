//! Says where the two folders of a repository are.

/// Says where files of a repository are, with or without a final slash.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RepositoryUrls {
    /// The metadata files.
    pub metadata_url: String,
    /// The target files.
    pub targets_url: String,
}

impl RepositoryUrls {
    /// Returns the URLs of a folder with `metadata` and `targets` in it.
    pub fn of_mirror(url: &str) -> Self {
        let url = url.trim_end_matches('/');
        RepositoryUrls {
            metadata_url: format!("{url}/metadata"),
            targets_url: format!("{url}/targets"),
        }
    }
}
