//! Counts valid signatures against the threshold of a role.

use crate::hex::decode_hex;
use crate::tuf::error::TufError;
use crate::tuf::key::Key;
use crate::tuf::metadata::root::RoleKeys;
use crate::tuf::metadata::{MAX_KEYS, Signature};
use std::collections::{BTreeMap, BTreeSet};

/// Limits the signatures of one file, of which only those by keys of the role
/// count.
pub const MAX_SIGNATURES: usize = 1024;

/// Counts the distinct keys of `role_keys` that have a valid signature. Keys
/// are told apart by what they are, not by their ids.
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
