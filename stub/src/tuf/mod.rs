//! A client of The Update Framework: bytes in, verified metadata out.
//!
//! Pure: no files, no network, no clock. Follows the client workflow of the
//! TUF specification 1.0.34, section 5
//! (<https://theupdateframework.github.io/specification/latest/>).

pub mod canonical_json;
mod client_workflow;
pub mod envelope;
mod error;
pub mod key;
pub mod metadata;
pub mod path_pattern;
mod percent_encoding;
pub mod root_chain;
mod root_change;
mod trusted_metadata_set;

pub use client_workflow::{Limits, Refresh, RefreshIo, Step};
pub use error::TufError;
pub use metadata::{TargetFile, UnixTime};
pub use percent_encoding::{percent_encode, percent_encode_path};
pub use root_change::RootChange;
pub use trusted_metadata_set::{TrustedMetadataSet, verify_stored_targets};
