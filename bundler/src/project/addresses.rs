//! Says where clients find the two parts of a repository.

/// Says where clients fetch a repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Addresses {
    /// Metadata is below this, in `metadata/`.
    pub url: String,
    /// Targets are below this.
    pub targets_url: String,
}

impl Addresses {
    /// Returns those of a repository of which all is below `url`.
    pub(crate) fn below(url: &str) -> Self {
        let url = url.trim_end_matches('/');
        Addresses {
            url: url.into(),
            targets_url: format!("{url}/targets"),
        }
    }

    /// Returns where metadata is.
    pub(crate) fn metadata_url(&self) -> String {
        format!("{}/metadata", self.url)
    }
}
