//! Says what a signature would put into effect, to the person who is about to
//! give it.

use super::error::Error;
use super::review_fields;
use crate::keys::{Keyring, PublicKey};
use crate::metadata::{Document, role_keys};
use crate::output::complain;
use notsotuf_stub::format_bytes::bytes;
use serde_json::{Map, Value};
use std::collections::BTreeSet;
use std::io::{IsTerminal, Write};

/// Shows the changes, and asks on a terminal whether to sign them.
///
/// # Errors
/// [`Error::Unconfirmed`], if there is no terminal and `yes` was not said;
/// [`Error::Declined`], if the answer is no.
pub(super) fn confirm(what: &str, changes: &[String], yes: bool) -> Result<(), Error> {
    show(what, changes);
    if yes {
        return Ok(());
    }
    if !std::io::stdin().is_terminal() {
        return Err(Error::Unconfirmed);
    }
    let mut out = std::io::stderr();
    // If it cannot be asked, nothing can be answered either.
    drop(write!(out, "Sign this? [y/N] ").and_then(|()| out.flush()));
    let mut answer = String::new();
    let read = std::io::stdin().read_line(&mut answer);
    if read.is_ok() && ["y", "yes"].contains(&answer.trim().to_ascii_lowercase().as_str()) {
        Ok(())
    } else {
        Err(Error::Declined)
    }
}

/// Shows the changes.
pub(super) fn show(what: &str, changes: &[String]) {
    complain(format!("{what}:"));
    for change in changes {
        complain(format!("  {change}"));
    }
}

/// Returns how a root differs from the published one, one sentence each.
pub(super) fn root_changes(old: &Document, new: &Document, keyring: &Keyring) -> Vec<String> {
    let mut changes = vec![
        format!("root: version {} becomes {}", old.version(), new.version()),
        expiry(old, new),
    ];
    let names = |document: &Document| -> BTreeSet<String> {
        let roles = document.signed()["roles"].as_object();
        roles
            .into_iter()
            .flatten()
            .map(|(role, _)| role.clone())
            .collect()
    };
    for role in &names(old) | &names(new) {
        role_changes(&role, old, new, keyring, &mut changes);
    }
    changes.extend(other_fields(old, new, &["keys", "roles"]));
    if changes.len() == 2 {
        changes.push("no role changes its keys or its threshold".into());
    }
    changes
}

/// Returns whether only version and expiry date differ.
pub(super) fn is_renewal(old: &Document, new: &Document) -> bool {
    other_fields(old, new, &[]).is_empty()
}

fn role_changes(
    role: &str,
    old: &Document,
    new: &Document,
    keyring: &Keyring,
    changes: &mut Vec<String>,
) {
    let (before, after) = (role_keys(role, old), role_keys(role, new));
    let has = |keys: &[(String, Option<PublicKey>)], (id, key): &(String, Option<PublicKey>)| {
        keys.iter().any(|(other_id, other)| match (key, other) {
            (Some(key), Some(other)) => key.material() == other.material(),
            (None, None) => id == other_id,
            _ => false,
        })
    };
    for key in before.iter().filter(|key| !has(&after, key)) {
        changes.push(format!("{role}: loses the key {}", named(key, keyring)));
    }
    for key in after.iter().filter(|key| !has(&before, key)) {
        changes.push(format!("{role}: gets the key {}", named(key, keyring)));
    }
    let threshold = |document: &Document| document.signed()["roles"][role]["threshold"].clone();
    let (from, to) = (threshold(old), threshold(new));
    if from != to {
        changes.push(format!(
            "{role}: {to} of its {} key(s) must sign, instead of {from}",
            after.len()
        ));
    }
}

fn named((id, key): &(String, Option<PublicKey>), keyring: &Keyring) -> String {
    let known = key.as_ref().and_then(|key| keyring.find(key));
    let name = known.map_or("(not in the keystore)", |info| info.name.as_str());
    let scheme = key.as_ref().map_or("of an unknown kind", PublicKey::scheme);
    format!("{name}, {scheme}, id {id}")
}

fn expiry(old: &Document, new: &Document) -> String {
    let when = |document: &Document| {
        let text = document.signed()["expires"].as_str().unwrap_or_default();
        text.to_owned()
    };
    format!("expires: {} becomes {}", when(old), when(new))
}

/// Fields that differ, but for those that every version has and `known` ones.
fn other_fields(old: &Document, new: &Document, known: &[&str]) -> Vec<String> {
    let told = |document: &Document| {
        let mut fields = document.signed().clone();
        if let Some(fields) = fields.as_object_mut() {
            fields.retain(|name, _| {
                let name = name.as_str();
                !["version", "expires"].contains(&name) && !known.contains(&name)
            });
        }
        review_fields::of(&fields)
    };
    review_fields::changes(&told(old), &told(new))
}

/// Returns how targets differ from the published ones, one sentence each: all
/// that is said of those that are new or change.
pub(super) fn targets_changes(old: Option<&Document>, new: &Document) -> Vec<String> {
    let empty = Map::new();
    let entries = |document: Option<&Document>| {
        let targets = document.and_then(|d| d.signed()["targets"].as_object());
        targets.unwrap_or(&empty).clone()
    };
    let (before, after) = (entries(old), entries(Some(new)));
    let mut changes = vec![format!(
        "targets: version {} becomes {}",
        old.map_or(0, Document::version),
        new.version()
    )];
    changes.extend(old.map(|old| expiry(old, new)));
    for (path, entry) in &after {
        changes.extend(target_changes(path, before.get(path), entry));
    }
    let gone = before.keys().filter(|path| !after.contains_key(*path));
    changes.extend(gone.map(|path| format!("- {path}")));
    changes.extend(
        old.map(|old| other_fields(old, new, &["targets"]))
            .unwrap_or_default(),
    );
    changes
}

/// How a target differs from the published one, if there is one.
fn target_changes(path: &str, old: Option<&Value>, new: &Value) -> Vec<String> {
    let file = |entry: &Value| {
        let hash = entry["hashes"]["sha256"].as_str().unwrap_or("no sha256");
        let size = bytes(entry["length"].as_u64().unwrap_or(0));
        format!("{size}, sha256 {hash}")
    };
    let is_same_file =
        |old: &Value| old["hashes"] == new["hashes"] && old["length"] == new["length"];
    let sign = match old {
        None => '+',
        Some(old) if is_same_file(old) => '~',
        Some(_) => '!',
    };
    let head = match old {
        None => Some(file(new)),
        Some(old) if is_same_file(old) => None,
        Some(old) => Some(format!("{} becomes {}", file(old), file(new))),
    };
    let before = old.map(review_fields::of_target).unwrap_or_default();
    let said = review_fields::changes(&before, &review_fields::of_target(new));
    let lines = head.into_iter().chain(said);
    lines.map(|line| format!("{sign} {path}  {line}")).collect()
}
