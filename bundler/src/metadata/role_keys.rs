//! Finds the keys of roles, and which of them are at hand.

use super::document::Document;
use super::error::MetadataError;
use crate::keys::{Keyring, Passphrases, PublicKey, Signer};
use serde_json::Value;

/// Opens the keys that `root` gives `role` and that are at hand, with the ids
/// they go by there.
///
/// # Errors
/// What is wrong with a key.
pub(crate) fn signers(
    role: &str,
    root: &Document,
    keyring: &Keyring,
    passphrases: &Passphrases,
) -> Result<Vec<(String, Signer)>, MetadataError> {
    let mut signers = Vec::new();
    for (id, key) in role_keys(role, root) {
        let Some(key) = key else { continue };
        if let Some(signer) = keyring.signer(&key, passphrases)? {
            signers.push((id, signer));
        }
    }
    Ok(signers)
}

/// Returns the keys that `root` gives `role`, by id; `None` for those of a kind
/// that this program does not know.
pub(crate) fn role_keys(role: &str, root: &Document) -> Vec<(String, Option<PublicKey>)> {
    let ids = root.signed()["roles"][role]["keyids"].as_array();
    let ids = ids.into_iter().flatten().filter_map(Value::as_str);
    ids.map(|id| {
        (
            id.to_owned(),
            PublicKey::from_json(&root.signed()["keys"][id]),
        )
    })
    .collect()
}

/// Returns the names that the keys of `role` in `root` have here; else their
/// ids.
pub(crate) fn key_names(role: &str, root: &Document, keyring: &Keyring) -> Vec<String> {
    let keys = role_keys(role, root).into_iter();
    keys.map(|(id, key)| {
        let known = key.as_ref().and_then(|key| keyring.find(key));
        known.map_or_else(|| id.chars().take(16).collect(), |info| info.name.clone())
    })
    .collect()
}
