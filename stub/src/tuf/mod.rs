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
pub mod root_chain;
mod root_change;
mod trusted_metadata_set;

pub use client_workflow::{Limits, Refresh, RefreshIo, Step};
pub use error::TufError;
pub use metadata::{TargetFile, UnixTime};
pub use root_change::RootChange;
pub use trusted_metadata_set::{TrustedMetadataSet, verify_stored_targets};

/// Percent-encodes everything that is not unreserved (RFC 3986 section 2.3),
/// slashes included unless `keep_slashes`: role names and target paths come
/// from metadata and must not steer a URL or a file name elsewhere.
pub fn percent_encode(text: &str, keep_slashes: bool) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                out.push(byte as char);
            }
            b'/' if keep_slashes => out.push('/'),
            _ => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}
