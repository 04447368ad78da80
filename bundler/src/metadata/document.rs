//! Reads, edits and signs a metadata file as JSON, so that unknown fields survive.

use super::error::MetadataError;
use crate::keys::{PublicKey, Signer};
use notsotuf_stub::catalog::{TargetKind, TargetName};
use notsotuf_stub::hex::decode_hex;
use notsotuf_stub::tuf::metadata::{Metadata, Root, Snapshot, Targets, Timestamp, format_time};
use notsotuf_stub::tuf::{self, TufError, UnixTime, canonical_json};
use pep440_rs::Version;
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;
use std::path::Path;

/// Names the version of the specification that is written; python-tuf 4 to 7
/// and tufup read it.
pub(super) const SPEC_VERSION: &str = "1.0.31";

pub(super) const DAY: i64 = 86_400;

/// Returns the version after `version`. Clients in Python and in JavaScript
/// read integers of other sizes, so the bound is far below that of this
/// program.
///
/// # Errors
/// [`MetadataError::Version`].
pub(super) fn next_version(role: &str, version: u64) -> Result<u64, MetadataError> {
    const MAX: u64 = 1 << 53;
    match version {
        0..MAX => Ok(version + 1),
        _ => Err(MetadataError::Version {
            role: role.into(),
            version,
        }),
    }
}

/// Holds a metadata file: `{"signatures": [...], "signed": {...}}`.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Document(Value);

impl Document {
    pub(crate) fn new(
        role: &str,
        version: u64,
        expires: UnixTime,
        fields: Map<String, Value>,
    ) -> Self {
        let mut signed = fields;
        signed.insert("_type".into(), role.into());
        signed.insert("spec_version".into(), SPEC_VERSION.into());
        signed.insert("version".into(), version.into());
        signed.insert("expires".into(), format_time(expires).into());
        Document(json!({ "signatures": [], "signed": signed }))
    }

    /// Parses a file; that it is signed is checked elsewhere.
    ///
    /// # Errors
    /// [`MetadataError::Form`], naming `path`.
    pub(crate) fn parse(path: &Path, bytes: &[u8]) -> Result<Self, MetadataError> {
        let form = |reason: String| MetadataError::Form {
            path: path.into(),
            reason,
        };
        let value = canonical_json::parse(bytes).map_err(|e| form(e.to_string()))?;
        if !value["signed"].is_object() || !value["signatures"].is_array() {
            return Err(form("it is not TUF metadata".into()));
        }
        Ok(Document(value))
    }

    /// Returns the signed part.
    pub(crate) fn signed(&self) -> &Value {
        &self.0["signed"]
    }

    /// Returns the version; 0 if the document has none.
    pub(crate) fn version(&self) -> u64 {
        self.signed()["version"].as_u64().unwrap_or(0)
    }

    /// Returns the expiry time; long ago if the document does not say.
    pub(crate) fn expires(&self) -> UnixTime {
        let text = self.signed()["expires"].as_str().unwrap_or_default();
        tuf::metadata::parse_time(text).unwrap_or(UnixTime::MIN)
    }

    /// Returns how many keys must sign `role`, if this is a root.
    pub(crate) fn threshold(&self, role: &str) -> u64 {
        self.signed()["roles"][role]["threshold"]
            .as_u64()
            .unwrap_or(1)
    }

    /// Changes the signed part, which takes the signatures off.
    pub(crate) fn edit(&mut self) -> &mut Map<String, Value> {
        self.0["signatures"] = json!([]);
        self.0["signed"]
            .as_object_mut()
            .expect("checked when parsed")
    }

    /// Adds signatures, each under the id its key has in the metadata that
    /// names it; other signatures stay.
    ///
    /// # Errors
    /// If an external signer fails.
    pub(crate) fn sign(&mut self, signers: &[(String, Signer)]) -> Result<(), MetadataError> {
        let payload =
            canonical_json::canonical(self.signed()).map_err(|source| TufError::Json {
                role: self.signed()["_type"].to_string(),
                source,
            })?;
        for (id, signer) in signers {
            let signature = json!({ "keyid": id, "sig": signer.sign(&payload)? });
            let signatures = self.0["signatures"].as_array_mut().expect("checked");
            signatures.retain(|other| other["keyid"] != *id);
            signatures.push(signature);
        }
        Ok(())
    }

    /// Counts the distinct keys that `root` gives `role` and that have signed
    /// this document; returns also how many must.
    ///
    /// # Errors
    /// If this or the root is malformed.
    pub(crate) fn signatures(
        &self,
        role: &str,
        root: &Document,
    ) -> Result<(usize, u64), MetadataError> {
        let root = Metadata::<Root>::parse("root", &root.to_bytes())?.signed;
        let keys = &root.roles[role];
        let bytes = self.to_bytes();
        let have = match role {
            "root" => Metadata::<Root>::parse(role, &bytes)?.count_valid(&root.keys, keys),
            "timestamp" => {
                Metadata::<Timestamp>::parse(role, &bytes)?.count_valid(&root.keys, keys)
            }
            "snapshot" => Metadata::<Snapshot>::parse(role, &bytes)?.count_valid(&root.keys, keys),
            _ => Metadata::<Targets>::parse(role, &bytes)?.count_valid(&root.keys, keys),
        };
        Ok((have, keys.threshold))
    }

    /// Returns whether enough keys that `root` gives `role` have signed the
    /// document.
    ///
    /// # Errors
    /// If this or the root is malformed.
    pub(crate) fn is_signed(&self, role: &str, root: &Document) -> Result<bool, MetadataError> {
        let (have, need) = self.signatures(role, root)?;
        Ok(have as u64 >= need)
    }

    /// Returns whether the document has a valid signature by `key`, under the
    /// id `id`.
    pub(crate) fn has_signature(&self, id: &str, key: &PublicKey) -> bool {
        let Ok(payload) = canonical_json::canonical(self.signed()) else {
            return false;
        };
        let signatures = self.0["signatures"].as_array().into_iter().flatten();
        signatures
            .filter(|signature| signature["keyid"] == id)
            .filter_map(|signature| decode_hex(signature["sig"].as_str()?))
            .any(|signature| key.verifies(&payload, &signature))
    }

    /// Returns the bytes of the file.
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        serde_json::to_vec(&self.0).expect("a JSON value")
    }
}

/// Returns the time `days` from `now`.
pub(super) fn in_days(now: UnixTime, days: u32) -> UnixTime {
    now + i64::from(days) * DAY
}

/// Returns the name of a metadata file (TUF specification section 6.1).
pub(crate) fn file_name(role: &str, version: u64, consistent: bool) -> String {
    match (role, consistent) {
        ("timestamp", _) | (_, false) => format!("{role}.json"),
        _ => format!("{version}.{role}.json"),
    }
}

/// Returns the name of a root metadata file, which always has its version.
pub(crate) fn root_file_name(version: u64) -> String {
    file_name("root", version, true)
}

/// Returns the application and version of each archive among target entries.
pub(crate) fn archives_of(entries: &Map<String, Value>) -> BTreeSet<(String, Version)> {
    let targets = entries.keys().filter_map(|path| TargetName::parse(path));
    let archives = targets.filter(|target| target.kind == TargetKind::Archive);
    archives.map(|t| (t.name, t.version)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metadata::error::MetadataError;

    #[test]
    fn a_version_that_nothing_can_follow_is_an_error() {
        assert_eq!(next_version("timestamp", 7).ok(), Some(8));
        assert_eq!(next_version("timestamp", (1 << 53) - 1).ok(), Some(1 << 53));
        for version in [1 << 53, i64::MAX as u64, u64::MAX] {
            let error = next_version("timestamp", version).unwrap_err();
            assert!(matches!(error, MetadataError::Version { .. }), "{error}");
        }
    }
}
