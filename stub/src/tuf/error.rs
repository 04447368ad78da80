//! Says what can be wrong with metadata or a target.

use super::canonical_json::JsonError;
use crate::failure::FailureKind;

/// Says why metadata or a target was not accepted. Every variant names the role
/// or target path it is about.
#[derive(Debug, thiserror::Error)]
pub enum TufError {
    /// The bytes are not acceptable JSON.
    #[error("{role} metadata is malformed: {source}")]
    Json {
        /// Role name.
        role: String,
        /// What the JSON reader found.
        source: JsonError,
    },
    /// The JSON does not have the form the specification gives this role.
    #[error("{role} metadata is malformed: {reason}")]
    Form {
        /// Role name.
        role: String,
        /// What is missing or of the wrong form.
        reason: String,
    },
    /// Fewer valid signatures by distinct keys than the role's threshold.
    #[error("{role} metadata has {valid} valid signature(s), its threshold is {threshold}")]
    Unsigned {
        /// Role name.
        role: String,
        /// Distinct keys with a valid signature.
        valid: usize,
        /// Signatures required.
        threshold: u64,
    },
    /// A version older than one already trusted: a rollback.
    #[error("{role} version {found} is older than version {trusted}, which was trusted before")]
    Rollback {
        /// Role or metadata file name.
        role: String,
        /// Version offered.
        found: u64,
        /// Version trusted before.
        trusted: u64,
    },
    /// The same version that is trusted already; nothing to do.
    #[error("{role} version {version} is trusted already")]
    SameVersion {
        /// Role name.
        role: String,
        /// That version.
        version: u64,
    },
    /// The version is not the one that the delegating or listing metadata
    /// names.
    #[error("{role} has version {found}, expected {expected}")]
    WrongVersion {
        /// Role name.
        role: String,
        /// Version found.
        found: u64,
        /// Version required.
        expected: u64,
    },
    /// Past its expiry date.
    #[error(
        "{role} metadata expired on {expires} (this computer's clock says {now}); \
         either the repository is not being renewed or the clock is wrong"
    )]
    Expired {
        /// Role name.
        role: String,
        /// The expiry date.
        expires: String,
        /// The time of the check.
        now: String,
    },
    /// The length is not the listed one.
    #[error("{name} has {found} bytes, expected {expected}")]
    Length {
        /// Role or target path.
        name: String,
        /// Bytes found.
        found: u64,
        /// Bytes listed.
        expected: u64,
    },
    /// A hash is not the listed one.
    #[error("{name} does not match its {algorithm} hash")]
    Hash {
        /// Role or target path.
        name: String,
        /// The hash algorithm.
        algorithm: String,
    },
    /// There is no hash of an algorithm that this client knows.
    #[error("{name} is listed with no sha256 or sha512 hash")]
    NoKnownHash {
        /// Role or target path.
        name: String,
    },
    /// A metadata file that the trusted snapshot listed is gone from the new one.
    #[error("snapshot no longer lists {file}")]
    Disappeared {
        /// Metadata file name.
        file: String,
    },
    /// The snapshot or delegator does not list this role.
    #[error("{role} is not listed by {by}")]
    NotListed {
        /// Role name.
        role: String,
        /// Role that should list it.
        by: String,
    },
    /// The repository does not have a file that its metadata promises.
    #[error("the repository has no {file}")]
    Missing {
        /// Metadata file name.
        file: String,
    },
    /// More root versions in one go than the client will follow.
    #[error("more than {limit} new root versions in one refresh")]
    TooManyRoots {
        /// The bound.
        limit: u32,
    },
}

impl TufError {
    /// Returns what kind of failure it is, for the user and the exit code.
    pub fn failure_kind(&self) -> FailureKind {
        match self {
            TufError::Expired { .. } | TufError::Missing { .. } => FailureKind::Unavailable,
            _ => FailureKind::Refused,
        }
    }
}
