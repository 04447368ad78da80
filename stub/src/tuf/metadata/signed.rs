//! Defines what the signed parts of all roles have in common.

use crate::tuf::UnixTime;
use crate::tuf::metadata::parse_time;
use serde::Deserialize;

/// Names the four roles that root metadata delegates to.
pub const TOP_LEVEL: [&str; 4] = ["root", "timestamp", "snapshot", "targets"];

/// Holds one signature of a metadata file.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Signature {
    /// The id under which the delegating metadata lists the key.
    pub keyid: String,
    /// Hexadecimal signature.
    pub sig: String,
}

/// Reads the signed part of a role, with what all roles have in common.
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

/// Holds the fields that every role has.
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
    /// Returns the expiry time.
    pub fn expires_at(&self) -> Option<UnixTime> {
        parse_time(&self.expires)
    }

    pub(super) fn check(&self, kind: &str) -> Result<(), String> {
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
