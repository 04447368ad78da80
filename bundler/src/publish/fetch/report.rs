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

/// Names what was published or prepared here and is not kept.
#[derive(Debug)]
pub(crate) struct Dropped {
    /// The path of the target.
    pub path: String,
    /// Why, as a sentence without its end.
    pub why: String,
}

impl Dropped {
    /// Returns a target that both changed.
    pub(super) fn conflict(path: String) -> Self {
        let why =
            "it was changed here and there, and what both changed is as it is published".into();
        Dropped { path, why }
    }

    /// Returns a patch that starts from another release than the one before.
    pub(super) fn stale(path: String) -> Self {
        let why = "it starts from another release than the one before by now, so everybody would \
                   take the whole archive; delete .notsotuf-pending, which drops what is pending, \
                   and add that release again, which makes another patch"
            .into();
        Dropped { path, why }
    }
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
    /// What had been published or prepared here, and does not go on top of
    /// what is there.
    pub dropped: Vec<Dropped>,
    /// The version of a root that had been published here only, and is pending
    /// again.
    pub pending_root: Option<u64>,
    /// What is wrong with the draft of a root that is here.
    pub stale_root: Option<String>,
    /// Delegated roles, which stay there.
    pub delegated: Vec<String>,
}
