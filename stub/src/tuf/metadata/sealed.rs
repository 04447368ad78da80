//! Metadata whose signatures are checked before it is parsed.

use crate::tuf::envelope::Envelope;
use crate::tuf::error::TufError;
use crate::tuf::key::{Key, decode_hex};
use crate::tuf::metadata::root::RoleKeys;
use crate::tuf::metadata::{MAX_KEYS, Metadata, Signature, Signed};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::collections::{BTreeMap, BTreeSet};

/// The most signatures of one file, of which only those count that are by keys
/// of the role.
pub const MAX_SIGNATURES: usize = 1024;

/// A metadata file whose JSON is sound, and of whose signed part nothing is
/// understood yet: what can be had of a file without believing it.
#[derive(Debug)]
pub struct Sealed<'a> {
    pub(super) role: &'a str,
    pub(super) signed: &'a [u8],
    pub(super) payload: Vec<u8>,
    pub(super) signatures: Vec<Signature>,
}

impl<'a> Sealed<'a> {
    /// Takes apart a metadata file of role `role` (which, for delegated roles,
    /// is not the same as its type).
    ///
    /// # Errors
    /// [`TufError::Json`] or [`TufError::Form`].
    pub fn read(role: &'a str, bytes: &'a [u8]) -> Result<Self, TufError> {
        let form = |reason: String| TufError::Form {
            role: role.into(),
            reason,
        };
        let envelope = Envelope::read(bytes).map_err(|source| TufError::Json {
            role: role.into(),
            source,
        })?;
        let signatures: Vec<Signature> =
            serde_json::from_slice(envelope.signatures).map_err(|e| form(e.to_string()))?;
        if signatures.len() > MAX_SIGNATURES {
            return Err(form(format!(
                "it has more than {MAX_SIGNATURES} signatures"
            )));
        }
        let ids: BTreeSet<_> = signatures.iter().map(|s| &s.keyid).collect();
        if ids.len() != signatures.len() {
            return Err(form("it has two signatures by one key id".into()));
        }
        Ok(Sealed {
            role,
            signed: envelope.signed,
            payload: envelope.payload,
            signatures,
        })
    }

    /// Checks that a threshold of the role's keys signed this.
    ///
    /// # Errors
    /// [`TufError::Unsigned`].
    pub fn verify(
        &self,
        keys: &BTreeMap<String, Key>,
        role_keys: &RoleKeys,
    ) -> Result<(), TufError> {
        let valid = count_valid(&self.payload, &self.signatures, keys, role_keys);
        enough(self.role, valid, role_keys)
    }

    /// Reads the signed part.
    ///
    /// # Errors
    /// [`TufError::Form`].
    pub fn open<T: Signed>(self) -> Result<Metadata<T>, TufError> {
        let form = |reason: String| TufError::Form {
            role: self.role.into(),
            reason,
        };
        let signed = T::read(self.signed).map_err(|e| form(e.to_string()))?;
        signed.common().check(T::TYPE).map_err(form)?;
        signed.check().map_err(form)?;
        Ok(Metadata {
            signed,
            payload: self.payload,
            signatures: self.signatures,
        })
    }
}

/// How many distinct keys of `role_keys` have a valid signature. Keys are told
/// apart by what they are, not by their ids.
pub(super) fn count_valid(
    payload: &[u8],
    signatures: &[Signature],
    keys: &BTreeMap<String, Key>,
    role_keys: &RoleKeys,
) -> usize {
    role_keys
        .keyids
        .iter()
        .take(MAX_KEYS)
        .filter_map(|id| {
            let key = keys.get(id)?;
            let signature = signatures.iter().find(|s| &s.keyid == id)?;
            let bytes = decode_hex(&signature.sig)?;
            key.verifies(payload, &bytes).then(|| key.material())
        })
        .collect::<BTreeSet<_>>()
        .len()
}

pub(super) fn enough(role: &str, valid: usize, role_keys: &RoleKeys) -> Result<(), TufError> {
    if (valid as u64) < role_keys.threshold {
        return Err(TufError::Unsigned {
            role: role.into(),
            valid,
            threshold: role_keys.threshold,
        });
    }
    Ok(())
}
