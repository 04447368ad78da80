//! Parses a metadata file, and checks its signatures.

use crate::tuf::envelope::Envelope;
use crate::tuf::error::TufError;
use crate::tuf::key::Key;
use crate::tuf::metadata::root::RoleKeys;
use crate::tuf::metadata::signed::{Signature, Signed};
use crate::tuf::metadata::threshold::{MAX_SIGNATURES, count_valid, enough};
use crate::tuf::metadata::time::{UnixTime, format_time};
use std::collections::{BTreeMap, BTreeSet};

/// Holds a parsed metadata file. Parsed is not verified.
#[derive(Debug, Clone)]
pub struct Metadata<T> {
    /// The signed part, as this client understands it.
    pub signed: T,
    /// The canonical bytes of the signed part as received, unknown fields kept.
    pub payload: Vec<u8>,
    /// The signatures, one per key id.
    pub signatures: Vec<Signature>,
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

    /// Returns how many distinct keys of `role_keys` have a valid signature
    /// here. Keys are told apart by what they are, not by their ids.
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

/// Holds a metadata file whose JSON is sound, and of whose signed part nothing
/// is understood yet: what can be had of a file without believing it.
#[derive(Debug)]
pub struct Sealed<'a> {
    role: &'a str,
    pub(super) signed: &'a [u8],
    payload: Vec<u8>,
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
