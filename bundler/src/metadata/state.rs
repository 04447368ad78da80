//! Compares which versions of the roles make a published state.

use serde::{Deserialize, Serialize};

/// Names one version of one role.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Known {
    /// The version.
    pub version: u64,
    /// SHA-256 of the file.
    pub sha256: String,
}

/// Says which versions make a published state.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub(crate) struct State {
    pub root: u64,
    pub timestamp: Known,
    pub snapshot: Known,
    pub targets: Known,
}

impl State {
    fn roles(&self) -> [(&'static str, &Known); 3] {
        [
            ("timestamp", &self.timestamp),
            ("snapshot", &self.snapshot),
            ("targets", &self.targets),
        ]
    }

    /// Returns the first role in which this state is older than `other`, with
    /// its version here and there.
    pub(crate) fn older_than(&self, other: &State) -> Option<(&'static str, u64, u64)> {
        if self.root < other.root {
            return Some(("root", self.root, other.root));
        }
        let both = self.roles().into_iter().zip(other.roles());
        let mut older = both.filter(|((_, here), (_, there))| here.version < there.version);
        older
            .next()
            .map(|((role, here), (_, there))| (role, here.version, there.version))
    }

    /// Returns the first role that has the same version as in `other`, but
    /// different content.
    pub(crate) fn differs_from(&self, other: &State) -> Option<(&'static str, u64)> {
        let both = self.roles().into_iter().zip(other.roles());
        let mut other = both.filter(|((_, here), (_, there))| {
            here.version == there.version && here.sha256 != there.sha256
        });
        other.next().map(|((role, here), _)| (role, here.version))
    }
}
