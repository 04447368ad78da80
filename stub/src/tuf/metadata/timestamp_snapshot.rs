//! Reads timestamp and snapshot metadata, which say which version of each file
//! is current.

use crate::tuf::error::TufError;
use crate::tuf::metadata::content_check::{Hasher, verify_length};
use crate::tuf::metadata::hashes::Hashes;
use crate::tuf::metadata::{Common, Signed};
use serde::Deserialize;
use std::collections::BTreeMap;

/// Holds what one metadata file says of another.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct MetaFile {
    /// Version of the other file.
    pub version: u64,
    /// Its length in bytes, if listed.
    pub length: Option<u64>,
    /// Its hashes, if listed.
    pub hashes: Option<Hashes>,
}

impl MetaFile {
    fn check(&self, name: &str) -> Result<(), String> {
        if self.version < 1 {
            return Err(format!("the version of {name} is not positive"));
        }
        if self.hashes.as_ref().is_some_and(Hashes::is_empty) {
            return Err(format!("the hashes of {name} are empty"));
        }
        Ok(())
    }

    /// Checks `bytes` against the length and hashes listed, where listed.
    ///
    /// # Errors
    /// [`TufError::Length`], [`TufError::Hash`] or [`TufError::NoKnownHash`].
    pub fn verify(&self, name: &str, bytes: &[u8]) -> Result<(), TufError> {
        if let Some(length) = self.length {
            verify_length(name, length, bytes.len() as u64)?;
        }
        match &self.hashes {
            Some(hashes) => {
                let mut hasher = Hasher::new(name, hashes)?;
                hasher.update(bytes);
                hasher.finish(name)
            }
            None => Ok(()),
        }
    }
}

/// What timestamp and snapshot metadata have besides the common fields.
#[derive(Deserialize)]
struct Listing {
    meta: BTreeMap<String, MetaFile>,
}

/// Holds timestamp metadata (section 4.6).
#[derive(Debug, Clone)]
pub struct Timestamp {
    /// Common fields.
    pub common: Common,
    meta: BTreeMap<String, MetaFile>,
}

impl Timestamp {
    /// Returns what the timestamp says of the snapshot.
    pub fn snapshot(&self) -> &MetaFile {
        &self.meta["snapshot.json"]
    }
}

impl Signed for Timestamp {
    const TYPE: &'static str = "timestamp";
    fn read(signed: &[u8]) -> serde_json::Result<Self> {
        let listing: Listing = serde_json::from_slice(signed)?;
        Ok(Timestamp {
            common: serde_json::from_slice(signed)?,
            meta: listing.meta,
        })
    }
    fn common(&self) -> &Common {
        &self.common
    }
    fn check(&self) -> Result<(), String> {
        self.meta
            .get("snapshot.json")
            .ok_or("it does not list snapshot.json")?
            .check("snapshot.json")
    }
}

/// Holds snapshot metadata (section 4.4).
#[derive(Debug, Clone)]
pub struct Snapshot {
    /// Common fields.
    pub common: Common,
    /// All targets metadata files, by file name.
    pub meta: BTreeMap<String, MetaFile>,
}

impl Signed for Snapshot {
    const TYPE: &'static str = "snapshot";
    fn read(signed: &[u8]) -> serde_json::Result<Self> {
        let listing: Listing = serde_json::from_slice(signed)?;
        Ok(Snapshot {
            common: serde_json::from_slice(signed)?,
            meta: listing.meta,
        })
    }
    fn common(&self) -> &Common {
        &self.common
    }
    fn check(&self) -> Result<(), String> {
        self.meta
            .iter()
            .try_for_each(|(name, file)| file.check(name))
    }
}
