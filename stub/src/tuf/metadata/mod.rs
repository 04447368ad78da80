//! Defines the form of the metadata files (TUF specification, section 4).

mod content_check;
mod delegations;
mod document;
mod hashes;
mod root;
mod signed;
mod targets;
mod threshold;
mod time;
mod timestamp_snapshot;

pub use document::{Metadata, Sealed};
pub use signed::{Common, Signature, Signed, TOP_LEVEL};

pub use content_check::{Hasher, verify_length};
pub use delegations::{DelegatedRole, Delegations, SuccinctRoles};
pub use hashes::Hashes;
pub use root::{MAX_KEYS, RoleKeys, Root};
pub use targets::{Custom, MAX_CUSTOM, TargetFile, Targets};
pub use threshold::MAX_SIGNATURES;
pub use time::{UnixTime, format_time, parse_time};
pub use timestamp_snapshot::{MetaFile, Snapshot, Timestamp};
