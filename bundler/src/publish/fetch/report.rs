//! Says how to fetch, and what was fetched.

use std::collections::BTreeMap;

/// Says how to fetch.
#[derive(Debug, Clone, Default)]
pub(crate) struct Options {
    /// All targets, not only those that the next patch needs.
    pub all: bool,
    /// Also an old state.
    pub force: bool,
    /// A root to trust where none is pinned.
    pub root: Option<Vec<u8>>,
}

/// Says what was fetched.
#[derive(Debug, Default)]
pub(crate) struct Report {
    /// Versions of the roles that are there.
    pub versions: BTreeMap<&'static str, u64>,
    /// Metadata files that were written.
    pub metadata: Vec<String>,
    /// Targets that were fetched.
    pub targets: Vec<String>,
    /// Targets that were here already.
    pub unchanged: usize,
    /// Roles that are past their expiry date.
    pub expired: Vec<&'static str>,
    /// What is here is newer, and stayed.
    pub newer_here: bool,
    /// What had been published here only, and is pending again.
    pub pending: Vec<String>,
    /// What had been published or prepared here, and somebody else changed
    /// too: theirs stays.
    pub dropped: Vec<String>,
    /// Delegated roles, which stay there.
    pub delegated: Vec<String>,
}
