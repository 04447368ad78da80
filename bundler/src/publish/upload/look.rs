//! Looks at what is there before anything is written: is it an earlier state of
//! what is here, and of nothing else?

use super::error::{Conflict, UploadError};
use crate::metadata::{Document, Memory, Published, file_name, root_file_name, same_signed};
use std::collections::BTreeMap;
use std::path::Path;

/// Holds the metadata that is there, by file name.
pub(super) type Metadata = BTreeMap<String, Vec<u8>>;

/// Checks that the metadata `there` is an earlier state of what is published
/// here. `local` reads a file of the folder here, of an earlier version.
///
/// # Errors
/// [`Conflict`], within [`UploadError::Conflict`] for `name`.
pub(crate) fn check(
    name: &str,
    here: &Published,
    memory: &Memory,
    there: &Metadata,
    local: &dyn Fn(&str) -> Option<Vec<u8>>,
) -> Result<(), UploadError> {
    roots(here, there)
        .and_then(|()| state(here, memory, there, local))
        .map_err(|conflict| UploadError::Conflict {
            place: name.into(),
            conflict,
        })
}

fn same(file: &str, one: &[u8], other: &[u8]) -> bool {
    one == other || same_signed(Path::new(file), one, other).unwrap_or(false)
}

fn roots(here: &Published, there: &Metadata) -> Result<(), Conflict> {
    for (file, bytes) in here.roots() {
        if let Some(other) = there.get(file)
            && !same(file, bytes, other)
        {
            return Err(Conflict::OtherRoot(file.into()));
        }
    }
    let next = root_file_name(here.root.version().saturating_add(1));
    match there.get(&next) {
        None => Ok(()),
        Some(bytes) => {
            if signed_by(&next, bytes, "root", &here.root) {
                Err(Conflict::NewerRoot(next))
            } else {
                Err(Conflict::NotOurs(next))
            }
        }
    }
}

fn signed_by(file: &str, bytes: &[u8], role: &str, root: &Document) -> bool {
    let document = Document::parse(Path::new(file), bytes);
    document.is_ok_and(|document| document.is_signed(role, root).unwrap_or(false))
}

fn state(
    here: &Published,
    memory: &Memory,
    there: &Metadata,
    local: &dyn Fn(&str) -> Option<Vec<u8>>,
) -> Result<(), Conflict> {
    let file = "timestamp.json";
    let (Some(bytes), Some(ours)) = (there.get(file), here.file("timestamp")) else {
        return Ok(());
    };
    // It may be from before the root changed.
    let signed = here.roots().any(|(name, root)| {
        let root = Document::parse(Path::new(name), root);
        root.is_ok_and(|root| signed_by(file, bytes, "timestamp", &root))
    });
    let timestamp = Document::parse(Path::new(file), bytes);
    let Some(timestamp) = timestamp.ok().filter(|_| signed) else {
        return Err(Conflict::NotOurs(file.into()));
    };
    let version = timestamp.version();
    compare("timestamp", here, version, || same(file, bytes, ours))?;
    let unknown = memory
        .uploaded
        .as_ref()
        .is_some_and(|known| version > known.timestamp.version);
    let mut listed = timestamp;
    for role in ["snapshot", "targets"] {
        let version = listed.signed()["meta"][format!("{role}.json")]["version"].as_u64();
        let Some(version) = version else {
            return Err(Conflict::NotOurs(file.into()));
        };
        let name = file_name(role, version, here.consistent_snapshot());
        let theirs = there.get(&name);
        let current = here.document(role).map_or(0, Document::version) == version;
        let ours = match current {
            true => here.file(role).map(<[u8]>::to_vec),
            false if here.consistent_snapshot() => local(&name),
            false => None,
        };
        compare(role_name(role), here, version, || match (theirs, &ours) {
            (Some(theirs), Some(ours)) => same(&name, theirs, ours),
            // It was never seen here, and is none of those that were.
            (_, None) => !(unknown && here.consistent_snapshot()),
            (None, Some(_)) => true,
        })?;
        match theirs.and_then(|bytes| Document::parse(Path::new(&name), bytes).ok()) {
            Some(document) => listed = document,
            // Not whole, which this upload fixes.
            None => return Ok(()),
        }
    }
    Ok(())
}

fn role_name(role: &str) -> &'static str {
    match role {
        "snapshot" => "snapshot",
        _ => "targets",
    }
}

fn compare(
    role: &'static str,
    here: &Published,
    there: u64,
    same: impl Fn() -> bool,
) -> Result<(), Conflict> {
    let version = here.document(role).map_or(0, Document::version);
    if there > version {
        return Err(Conflict::Newer {
            role,
            here: version,
            there,
        });
    }
    // An older timestamp has no file of its own that could be compared.
    if (role != "timestamp" || there == version) && !same() {
        return Err(Conflict::Diverged {
            role,
            version: there,
        });
    }
    Ok(())
}
