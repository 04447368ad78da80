//! The form of the metadata files: TUF specification section 4.

mod content_check;
mod delegations;
mod hashes;
mod root;
mod sealed;
mod targets;
mod time;
mod timestamp_snapshot;

pub use content_check::{Hasher, verify_length};
pub use delegations::{DelegatedRole, Delegations, SuccinctRoles};
pub use hashes::Hashes;
pub use root::{RoleKeys, Root};
pub use sealed::{MAX_SIGNATURES, Sealed};
pub use targets::{Custom, MAX_CUSTOM, TargetFile, Targets};
pub use time::{UnixTime, format_time, parse_time};
pub use timestamp_snapshot::{MetaFile, Snapshot, Timestamp};

use super::error::TufError;
use super::key::Key;
use crate::tuf::metadata::sealed::{count_valid, enough};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::collections::BTreeMap;

/// The four roles that root metadata delegates to.
pub const TOP_LEVEL: [&str; 4] = ["root", "timestamp", "snapshot", "targets"];

/// The most keys of one role: each may cost the verification of a signature
/// over the whole file.
pub const MAX_KEYS: usize = 64;

/// One signature of a metadata file.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Signature {
    /// The id under which the delegating metadata lists the key.
    pub keyid: String,
    /// Hexadecimal signature.
    pub sig: String,
}

/// A parsed metadata file. Parsed is not verified.
#[derive(Debug, Clone)]
pub struct Metadata<T> {
    /// The signed part, as this client understands it.
    pub signed: T,
    /// The canonical bytes of the signed part as received, unknown fields kept.
    pub payload: Vec<u8>,
    /// The signatures, one per key id.
    pub signatures: Vec<Signature>,
}

/// The signed part of a role: what all roles have in common.
pub trait Signed: Sized {
    /// The value of `_type`.
    const TYPE: &'static str;
    /// Reads the fields, straight from the text: `serde(flatten)` would keep
    /// a copy of all of it in between.
    ///
    /// # Errors
    /// If it is not of the form of this role.
    fn read(signed: &[u8]) -> serde_json::Result<Self>;
    /// Fields all roles have.
    fn common(&self) -> &Common;
    /// Constraints that the field types do not express.
    fn check(&self) -> Result<(), String>;
}

/// The fields that every role has.
#[derive(Debug, Clone, Deserialize)]
pub struct Common {
    #[serde(rename = "_type")]
    kind: String,
    spec_version: String,
    /// Positive, grows with each change.
    pub version: u64,
    /// As written, `YYYY-MM-DDTHH:MM:SSZ`.
    pub expires: String,
}

impl Common {
    /// The expiry time.
    pub fn expires_at(&self) -> Option<UnixTime> {
        parse_time(&self.expires)
    }

    fn check(&self, kind: &str) -> Result<(), String> {
        if self.kind != kind {
            return Err(format!("its type is {:?}, expected {kind:?}", self.kind));
        }
        // Section 4.3: a client of this major version reads all its minors.
        let mut parts = self.spec_version.split('.');
        if parts.next() != Some("1") || !(1..=2).contains(&parts.count()) {
            return Err(format!(
                "specification version {:?} is not supported",
                self.spec_version
            ));
        }
        if self.version < 1 {
            return Err("its version is not positive".into());
        }
        self.expires_at()
            .map(|_| ())
            .ok_or_else(|| format!("{:?} is not an expiry date", self.expires))
    }
}

impl<T: Signed> Metadata<T> {
    /// Parses a metadata file of role `role`, whoever signed it.
    ///
    /// # Errors
    /// [`TufError::Json`] or [`TufError::Form`].
    pub fn parse(role: &str, bytes: &[u8]) -> Result<Self, TufError> {
        Sealed::read(role, bytes)?.open()
    }

    /// Parses a metadata file that a threshold of these keys must have signed.
    /// What they did not sign is not looked into.
    ///
    /// # Errors
    /// [`TufError::Json`], [`TufError::Unsigned`] or [`TufError::Form`].
    pub fn parse_signed(
        role: &str,
        bytes: &[u8],
        keys: &BTreeMap<String, Key>,
        role_keys: &RoleKeys,
    ) -> Result<Self, TufError> {
        let sealed = Sealed::read(role, bytes)?;
        sealed.verify(keys, role_keys)?;
        sealed.open()
    }

    /// How many distinct keys of `role_keys` have a valid signature here.
    /// Keys are told apart by what they are, not by their ids.
    pub fn count_valid(&self, keys: &BTreeMap<String, Key>, role_keys: &RoleKeys) -> usize {
        count_valid(&self.payload, &self.signatures, keys, role_keys)
    }

    /// Checks that a threshold of the role's keys signed this.
    ///
    /// # Errors
    /// [`TufError::Unsigned`].
    pub fn verify(
        &self,
        role: &str,
        keys: &BTreeMap<String, Key>,
        role_keys: &RoleKeys,
    ) -> Result<(), TufError> {
        enough(role, self.count_valid(keys, role_keys), role_keys)
    }

    /// Checks the expiry date; metadata expires *at* its date.
    ///
    /// # Errors
    /// [`TufError::Expired`].
    pub fn check_expiry(&self, role: &str, now: UnixTime) -> Result<(), TufError> {
        let common = self.signed.common();
        if common.expires_at().is_some_and(|at| now < at) {
            return Ok(());
        }
        Err(TufError::Expired {
            role: role.into(),
            expires: common.expires.clone(),
            now: format_time(now),
        })
    }
}
