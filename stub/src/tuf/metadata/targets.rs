//! Reads targets metadata, which lists the files that are on offer.

use crate::tuf::envelope;
use crate::tuf::error::TufError;
use crate::tuf::metadata::content_check::Hasher;
use crate::tuf::metadata::delegations::Delegations;
use crate::tuf::metadata::hashes::Hashes;
use crate::tuf::metadata::{Common, Signed};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer};
use serde_json::Value;
use serde_json::value::RawValue;
use std::collections::BTreeMap;

/// Limits the values and names in what an application put beside a target.
pub const MAX_CUSTOM: usize = 10_000;

/// Holds what an application put beside a target, as text: values would take
/// many times as much memory.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Custom(Option<Box<str>>);

impl Custom {
    /// Returns the value; `null` if there is none.
    pub fn value(&self) -> Value {
        let text = self.0.as_deref().unwrap_or("null");
        serde_json::from_str(text).unwrap_or_default()
    }
}

impl<'de> Deserialize<'de> for Custom {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text: Box<str> = Box::<RawValue>::deserialize(deserializer)?.into();
        if text.len() > MAX_CUSTOM {
            let values = envelope::count(text.as_bytes()).map_err(D::Error::custom)?;
            if values > MAX_CUSTOM {
                let limit = format!("there are more than {MAX_CUSTOM} values in a `custom`");
                return Err(D::Error::custom(limit));
            }
        }
        Ok(Custom((&*text != "null").then_some(text)))
    }
}

/// Describes a target as targets metadata lists it (section 4.5).
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct TargetFile {
    /// Length in bytes.
    pub length: u64,
    /// Hexadecimal hashes by algorithm.
    pub hashes: Hashes,
    /// Whatever the application put there.
    #[serde(default)]
    pub custom: Custom,
}

impl TargetFile {
    /// Returns a running check of a download against this entry.
    ///
    /// # Errors
    /// [`TufError::NoKnownHash`] if no listed hash is of a known algorithm.
    pub fn hasher(&self, path: &str) -> Result<Hasher, TufError> {
        Hasher::new(path, &self.hashes)
    }

    /// Returns the name under which the file is stored (section 5.7.2): a
    /// consistent snapshot puts a hash before the last segment.
    pub fn stored_name(&self, path: &str, consistent_snapshot: bool) -> String {
        let hash = self
            .hashes
            .get("sha256")
            .or_else(|| self.hashes.values().next())
            .filter(|_| consistent_snapshot);
        match (hash, path.rsplit_once('/')) {
            (None, _) => path.to_owned(),
            (Some(hash), Some((folder, name))) => format!("{folder}/{hash}.{name}"),
            (Some(hash), None) => format!("{hash}.{path}"),
        }
    }
}

/// Holds targets metadata (section 4.5) of the top-level role or a delegated
/// one.
#[derive(Debug, Clone)]
pub struct Targets {
    /// Common fields.
    pub common: Common,
    /// Target files by path.
    pub targets: BTreeMap<String, TargetFile>,
    /// Roles this one trusts for some paths.
    pub delegations: Option<Delegations>,
}

impl Signed for Targets {
    const TYPE: &'static str = "targets";
    fn read(signed: &[u8]) -> serde_json::Result<Self> {
        #[derive(Deserialize)]
        struct Own {
            targets: BTreeMap<String, TargetFile>,
            delegations: Option<Delegations>,
        }
        let own: Own = serde_json::from_slice(signed)?;
        Ok(Targets {
            common: serde_json::from_slice(signed)?,
            targets: own.targets,
            delegations: own.delegations,
        })
    }
    fn common(&self) -> &Common {
        &self.common
    }
    fn check(&self) -> Result<(), String> {
        for (path, file) in &self.targets {
            if file.hashes.is_empty() {
                return Err(format!("target {path:?} has no hashes"));
            }
        }
        self.delegations.as_ref().map_or(Ok(()), Delegations::check)
    }
}
