//! Implements a client of The Update Framework: bytes in, verified metadata
//! out.
//!
//! It follows the client workflow of the TUF specification 1.0.34, section 5
//! (<https://theupdateframework.github.io/specification/latest/>), and is
//! pure: no files, no network, no clock.
//!
//! Rules:
//!
//! - Metadata is loaded in order: root, timestamp, snapshot, targets, delegated
//!   targets. [`Refresh`] knows the order, and asks for one file at a time.
//! - Nothing of a file is believed before its signatures are verified, by the
//!   keys that its delegator names; a root must be signed by the keys of the
//!   root before it, and by its own.
//! - Versions never go down, and roots go up one by one. When a root takes a
//!   timestamp or snapshot key away, the trusted timestamp and snapshot are
//!   dropped (5.3.11).
//! - A snapshot must be the one that the timestamp lists, targets those that
//!   the snapshot lists: version, and length and hashes where they are given.
//! - Expiry is checked against one time for the whole refresh, and only for
//!   final metadata: intermediate roots may be expired, and an expired or
//!   superseded stored file still counts in the rollback checks.
//! - Every file has a bound on its length, whatever is listed ([`Limits`]).
//!
//! Not supported: several repositories at once (TAP 4), and other major
//! versions of the specification.
//!
//! A client provides storage and transport:
//!
//! ```
//! use notsotuf_stub::tuf::{Limits, Refresh, RefreshIo, TufError};
//! use std::collections::BTreeMap;
//!
//! /// Metadata in memory; a real client fetches by HTTP, and stores files.
//! struct Memory {
//!     published: BTreeMap<String, Vec<u8>>,
//!     stored: BTreeMap<String, Vec<u8>>,
//! }
//!
//! impl RefreshIo for Memory {
//!     type Error = TufError;
//!
//!     fn load(&mut self, role: &str) -> Option<Vec<u8>> {
//!         self.stored.get(role).cloned()
//!     }
//!
//!     fn fetch(&mut self, _: &str, file: &str, max: u64) -> Result<Option<Vec<u8>>, TufError> {
//!         let bytes = self.published.get(file);
//!         Ok(bytes.filter(|bytes| bytes.len() as u64 <= max).cloned())
//!     }
//!
//!     fn store(&mut self, role: &str, bytes: &[u8]) -> Result<(), TufError> {
//!         self.stored.insert(role.into(), bytes.into());
//!         Ok(())
//!     }
//!
//!     fn remove(&mut self, role: &str) -> Result<(), TufError> {
//!         self.stored.remove(role);
//!         Ok(())
//!     }
//! }
//!
//! /// The paths of all targets, once everything is verified.
//! fn targets(root: &[u8], now: i64, io: &mut Memory) -> Result<Vec<String>, TufError> {
//!     let mut refresh = Refresh::new(root, now, Limits::default())?;
//!     refresh.run(io)?;
//!     let targets = refresh.trusted().targets("targets");
//!     Ok(targets.iter().flat_map(|t| t.targets.keys().cloned()).collect())
//! }
//!
//! let mut io = Memory { published: BTreeMap::new(), stored: BTreeMap::new() };
//! assert!(targets(b"{}", 0, &mut io).is_err());
//! ```

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
