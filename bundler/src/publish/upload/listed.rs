//! Compares the files here and there with what the metadata lists.

use super::error::UploadError;
use super::look;
use super::plan::Files;
use crate::metadata::{Memory, MetadataError, Published, limits};
use crate::project::ROLES;
use crate::release::stored_name;
use notsotuf_stub::bundle::patch::hash_file;
use notsotuf_stub::fs::{self, FsError};
use notsotuf_stub::hex::encode_hex;
use notsotuf_stub::tuf::{TufError, percent_encode};
use serde_json::{Map, Value};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// Holds what is here: verified metadata, and the folder that it is in.
pub(crate) struct Here<'a> {
    /// The folder with `metadata` and `targets`.
    pub repository: &'a Path,
    /// What is in it.
    pub published: &'a Published,
    /// What the project remembers.
    pub memory: &'a Memory,
}

/// Holds what metadata says of a target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Listed {
    pub length: u64,
    pub hash: String,
}

pub(super) fn listed_in(
    entries: &Map<String, Value>,
    consistent: bool,
    into: &mut BTreeMap<String, Listed>,
) {
    for (path, entry) in entries {
        let hash = entry["hashes"]["sha256"].as_str();
        let listed = Listed {
            length: entry["length"].as_u64().unwrap_or(0),
            hash: hash.unwrap_or_default().into(),
        };
        let stored = stored_name(path, entry, consistent);
        into.insert(format!("targets/{stored}"), listed);
    }
}

/// The delegated roles, by the names of their files, with what the snapshot says
/// of them.
fn delegated(published: &Published) -> impl Iterator<Item = (String, &Value)> {
    let snapshot = published.snapshot.as_ref();
    let meta = snapshot.and_then(|s| s.signed()["meta"].as_object());
    meta.into_iter().flatten().filter_map(|(file, entry)| {
        let role = file.strip_suffix(".json")?;
        (role != "targets").then(|| (percent_encode(role), entry))
    })
}

/// Takes out of `files` what is no part of the repository, and returns it: what
/// is in the folder of metadata and none of this repository, such as a key, and
/// targets that no metadata lists, such as those of a release that was taken
/// back.
pub(super) fn take_foreign(
    files: &mut Files,
    published: &Published,
    listed: &BTreeMap<String, Listed>,
) -> Vec<String> {
    let mut roles: BTreeSet<String> = ROLES.map(str::to_owned).into();
    roles.extend(delegated(published).map(|(role, _)| role));
    let is_ours = |path: &str| {
        let Some(file) = path.strip_prefix("metadata/") else {
            return listed.contains_key(path);
        };
        let Some(name) = file.strip_suffix(".json") else {
            return false;
        };
        let is_number = |text: &str| text.bytes().all(|c| c.is_ascii_digit());
        let versioned = name.split_once('.').filter(|(number, _)| is_number(number));
        roles.contains(name) || versioned.is_some_and(|(_, role)| roles.contains(role))
    };
    let foreign = files.extract_if(.., |path, _| !is_ours(path));
    foreign.map(|(path, _)| path).collect()
}

/// Returns all targets that the metadata here lists, those of delegated roles
/// too.
pub(super) fn listed_targets(here: &Here) -> Result<BTreeMap<String, Listed>, UploadError> {
    let consistent = here.published.consistent_snapshot();
    let mut listed = BTreeMap::new();
    for (role, entry) in delegated(here.published) {
        let version = entry["version"].as_u64().unwrap_or(0);
        let name = crate::metadata::file_name(&role, version, consistent);
        let path = here.repository.join("metadata").join(name);
        let bytes = fs::read_optional(&path, limits::READ)?;
        let value: Option<Value> = bytes.and_then(|b| serde_json::from_slice(&b).ok());
        let value = value.unwrap_or_default();
        if let Some(entries) = value["signed"]["targets"].as_object() {
            listed_in(entries, consistent, &mut listed);
        }
    }
    listed_in(&here.published.target_entries(), consistent, &mut listed);
    Ok(listed)
}

/// Returns the hashes of the targets that are published there, as far as that
/// can be told.
pub(super) fn published_there(here: &Here, there: &look::Metadata) -> BTreeMap<String, String> {
    let read = &mut |file: &str, _| -> Result<Option<Vec<u8>>, MetadataError> {
        Ok(there.get(file).cloned())
    };
    let first = here.published.roots().next().map(|(_, bytes)| bytes);
    let Ok(found) = crate::metadata::walk(first, read) else {
        return BTreeMap::new();
    };
    let mut listed = BTreeMap::new();
    listed_in(
        &found.target_entries(),
        found.consistent_snapshot(),
        &mut listed,
    );
    listed.into_iter().map(|(path, l)| (path, l.hash)).collect()
}

/// Checks that every target is here or there. A target that is here and is not
/// what is listed stays here.
pub(super) fn check_targets(
    here: &mut Files,
    there: &Files,
    listed: &BTreeMap<String, Listed>,
    place: &str,
) -> Result<(), UploadError> {
    let mut missing = Vec::new();
    for (path, Listed { length, .. }) in listed {
        if here.get(path) == Some(length) {
            continue;
        }
        here.remove(path);
        if there.get(path) != Some(length) {
            missing.push(path.clone());
        }
    }
    if missing.is_empty() {
        Ok(())
    } else {
        Err(UploadError::Missing {
            place: place.into(),
            files: missing,
        })
    }
}

/// Checks that what is sent is what is listed.
pub(super) fn check_hashes(
    repository: &Path,
    files: &[String],
    listed: &BTreeMap<String, Listed>,
) -> Result<(), UploadError> {
    for path in files {
        let Some(Listed { hash, .. }) = listed.get(path).filter(|l| !l.hash.is_empty()) else {
            continue;
        };
        let file = fs::join(repository, path);
        if encode_hex(&hash_file(&file)?.1) != *hash {
            let error = TufError::Hash {
                name: file.display().to_string(),
                algorithm: "sha256".into(),
            };
            return Err(error.into());
        }
    }
    Ok(())
}

/// Lists the metadata and target files of a repository.
pub(super) fn local(repository: &Path) -> Result<Files, FsError> {
    let mut files = Files::new();
    let mut folders = vec!["metadata".to_owned(), "targets".to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::list(&fs::join(repository, &folder))? {
            let Some(name) = entry.file_name().and_then(|name| name.to_str()) else {
                continue;
            };
            let Some(found) = fs::inspect(&entry)? else {
                continue;
            };
            let path = format!("{folder}/{name}");
            if found.is_dir() {
                folders.push(path);
            } else if !name.starts_with('.') {
                files.insert(path, found.len());
            }
        }
    }
    Ok(files)
}
