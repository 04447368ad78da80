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

/// Opens the keys at hand that the new root or the old one gives `role`: while one
/// follows the other, there are clients of both.
///
/// # Errors
/// What is wrong with a key.
pub(super) fn signers_of_both(
    role: &str,
    [new, old]: [&Document; 2],
    keyring: &Keyring,
    passphrases: &Passphrases,
) -> Result<Vec<(String, Signer)>, MetadataError> {
    let mut all = signers(role, new, keyring, passphrases)?;
    let known: Vec<String> = all.iter().map(|(id, _)| id.clone()).collect();
    let old = signers(role, old, keyring, passphrases)?;
    all.extend(old.into_iter().filter(|(id, _)| !known.contains(id)));
    Ok(all)
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
    let keys = role_keys(role, root);
    keys.iter().map(|key| named(key, keyring)).collect()
}

/// Returns the names of those keys that have not signed `document`.
pub(crate) fn missing_names(
    role: &str,
    root: &Document,
    document: &Document,
    keyring: &Keyring,
) -> Vec<String> {
    let has_signed = |(id, key): &(String, Option<PublicKey>)| {
        let key = key.as_ref();
        key.is_some_and(|key| document.has_signature(id, key))
    };
    let keys = role_keys(role, root);
    let missing = keys.iter().filter(|key| !has_signed(key));
    missing.map(|key| named(key, keyring)).collect()
}

fn named((id, key): &(String, Option<PublicKey>), keyring: &Keyring) -> String {
    let known = key.as_ref().and_then(|key| keyring.find(key));
    known.map_or_else(|| id.chars().take(16).collect(), |info| info.name.clone())
}
