//! Uploading the repository folder to where clients fetch it from: S3 and
//! compatible stores, Google Cloud Storage, Azure Blob Storage, a folder, or
//! another machine by rsync. Only what changed, in an order in which a client
//! that looks at any time sees a whole repository, and never backwards.

mod aws_profile;
mod destination;
mod look;
mod object_store;
mod place;
mod plan;
mod rsync;

pub use destination::Destination;
pub use look::{Conflict, check};
pub use place::Place;

use crate::metadata::{Memory, MetadataError, Published};
use crate::progress::Progress;
use crate::release::stored_name;
use notsotuf_stub::bundle::patch::hash_file;
use notsotuf_stub::fs::{self, FsError};
use notsotuf_stub::http::HttpError;
use notsotuf_stub::tuf::TufError;
use notsotuf_stub::tuf::key::encode_hex;
use plan::Files;
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::path::Path;

/// Files of more bytes than this are sent in parts of this size, each of
/// which is tried again by itself.
const PART: usize = 8 << 20;
/// Files, or parts of one, that are under way at a time.
const AT_ONCE: usize = 4;

/// Why an upload failed. What is there is a whole repository all the same;
/// called again, it goes on where it stopped.
#[derive(Debug, thiserror::Error)]
pub enum UploadError {
    /// The file system.
    #[error(transparent)]
    Fs(#[from] FsError),
    /// The destination is not named.
    #[error(
        "where to? Name it (`notsotuf upload s3://bucket/prefix`), or set `upload` in the project settings"
    )]
    NoDestination,
    /// The destination is not understood.
    #[error(
        "{0:?} is no destination: use s3://bucket/prefix, gs://bucket/prefix, az://container/prefix, a folder, or rsync:host:path"
    )]
    Destination(String),
    /// The destination is not written as it should be.
    #[error("{given:?} is no destination; did you mean {meant}?")]
    Spelling {
        /// What was given.
        given: String,
        /// What was probably meant.
        meant: String,
    },
    /// There is nothing to upload.
    #[error("nothing is published here yet: `notsotuf publish` comes before `upload`")]
    Nothing,
    /// What is there is not an earlier state of what is here.
    #[error(
        "nothing was changed at {place}: {conflict}. `notsotuf fetch` brings here what is there, and makes \
         what was published here only pending again; then `notsotuf publish` and `upload`. --force uploads all the same, and breaks clients that have \
         seen what is there"
    )]
    Conflict {
        /// The destination.
        place: String,
        /// What is wrong.
        conflict: Conflict,
    },
    /// Targets that the metadata lists are nowhere.
    #[error(
        "the metadata lists files that are neither here nor at {place}: {}. `notsotuf fetch --all` \
         brings what is published; what is only here has to be added and published again", .files.join(", ")
    )]
    Missing {
        /// The destination.
        place: String,
        /// The files.
        files: Vec<String>,
    },
    /// Another upload was quicker.
    #[error(
        "another upload to {0} was quicker, so timestamp.json there was left alone. `notsotuf fetch` \
         brings here what is there; then `notsotuf publish` and `upload` again"
    )]
    Raced(String),
    /// A file that is too large to be metadata.
    #[error("{place} has {size} bytes, more than it may have")]
    TooLarge {
        /// The file.
        place: String,
        /// Its size.
        size: u64,
    },
    /// The store says no.
    #[error("{place}: {source}{hint}", hint = credentials_hint(source))]
    Store {
        /// Object or destination.
        place: String,
        /// What it said.
        source: ::object_store::Error,
    },
    /// rsync failed.
    #[error("rsync {0}")]
    Rsync(String),
    /// The web server failed.
    #[error(transparent)]
    Http(#[from] HttpError),
    /// What is there does not verify.
    #[error("{0}")]
    Tuf(#[from] TufError),
    /// The metadata.
    #[error(transparent)]
    Metadata(#[from] MetadataError),
    /// The runtime could not be started.
    #[error("cannot start: {0}")]
    Runtime(std::io::Error),
}

fn credentials_hint(error: &::object_store::Error) -> &'static str {
    // Some stores' refusals come as a general error with the status in it.
    let text = error.to_string();
    let refused = matches!(
        error,
        ::object_store::Error::Unauthenticated { .. }
            | ::object_store::Error::PermissionDenied { .. }
    ) || text.contains("401 ")
        || text.contains("403 ");
    match refused {
        true => {
            "\nCredentials are taken from the environment: AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and \
             AWS_REGION, or AWS_PROFILE; GOOGLE_APPLICATION_CREDENTIALS; AZURE_STORAGE_ACCOUNT_NAME and \
             AZURE_STORAGE_ACCOUNT_KEY"
        }
        false => "",
    }
}

/// How to upload.
#[derive(Debug, Clone, Copy, Default)]
pub struct Options {
    /// Only say what would be done.
    pub dry_run: bool,
    /// Remove what is not in the repository any more.
    pub delete: bool,
    /// Whatever is there.
    pub force: bool,
}

/// What was done, or would be.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    /// Uploaded, in this order.
    pub uploaded: Vec<String>,
    /// Bytes of those.
    pub bytes: u64,
    /// Files that were there already.
    pub unchanged: usize,
    /// Removed there.
    pub removed: Vec<String>,
    /// There, but not in the repository any more.
    pub extra: Vec<String>,
}

/// What is here: verified metadata, and the folder that it is in.
pub struct Here<'a> {
    /// The folder with `metadata` and `targets`.
    pub repository: &'a Path,
    /// What is in it.
    pub published: &'a Published,
    /// What the project remembers.
    pub memory: &'a Memory,
}

/// Uploads what is here to `to`.
///
/// # Errors
/// [`UploadError`].
pub fn upload(
    here: &Here,
    to: &Place,
    options: Options,
    progress: Progress,
) -> Result<Report, UploadError> {
    if here.published.timestamp.is_none() {
        return Err(UploadError::Nothing);
    }
    let there = to.list()?;
    let metadata = read_metadata(to, &there)?;
    if !options.force {
        let local = |file: &str| {
            let path = here.repository.join("metadata").join(file);
            fs::read_optional(&path, MAX_METADATA).ok().flatten()
        };
        look::check(&to.name(), here.published, here.memory, &metadata, &local)?;
    }
    let mut files = local(here.repository)?;
    let listed = listed_targets(here)?;
    check_targets(&mut files, &there, &listed, &to.name())?;
    let theirs = published_there(here, &metadata);
    let same = |path: &str| match path.strip_prefix("metadata/") {
        Some(file) => {
            let ours = fs::read_optional(&fs::join(here.repository, path), MAX_METADATA);
            metadata.get(file).map(Vec::as_slice) == ours.ok().flatten().as_deref()
        }
        // Those without a hash in their names are what the metadata there says.
        None => {
            plan::is_immutable(path)
                || theirs
                    .get(path)
                    .is_some_and(|hash| listed[path].hash == *hash)
        }
    };
    let names = listed.keys().cloned().collect();
    let steps = plan::plan(&files, &there, &names, &same);
    let uploaded = steps.groups.concat();
    let mut report = Report {
        bytes: uploaded.iter().map(|path| files[path]).sum(),
        unchanged: files.len() - uploaded.len(),
        uploaded,
        extra: steps.extra,
        removed: Vec::new(),
    };
    check_hashes(here.repository, &report.uploaded, &listed)?;
    // Old metadata that no client can need goes in any case.
    let outdated = |path: &String| options.delete || plan::is_outdated(path);
    (report.removed, report.extra) = report.extra.into_iter().partition(outdated);
    if options.dry_run {
        return Ok(report);
    }
    let bar = progress.bar("uploading", report.bytes);
    to.create()?;
    for group in &steps.groups {
        match group.as_slice() {
            [only] if only == TIMESTAMP => put_timestamp(here, to, options, &metadata)?,
            group => to.send(group, here.repository, &there, &bar)?,
        }
    }
    bar.finish_and_clear();
    to.delete(&report.removed)?;
    Ok(report)
}

const TIMESTAMP: &str = "metadata/timestamp.json";
/// No metadata file is larger.
pub const MAX_METADATA: u64 = 64 << 20;

/// The last step. What is there must still be what was seen, and what the
/// timestamp leads to must be what was sent: there may be two who upload.
fn put_timestamp(
    here: &Here,
    to: &Place,
    options: Options,
    seen: &look::Metadata,
) -> Result<(), UploadError> {
    let bytes = here.published.file("timestamp").unwrap_or_default();
    to.refresh()?;
    let now = to.read(TIMESTAMP, MAX_METADATA)?;
    if !options.force {
        let changed = now.as_ref().map(|found| &found.bytes) != seen.get("timestamp.json");
        let others = here
            .published
            .files
            .iter()
            .filter(|(file, _)| file != "timestamp.json");
        let mut replaced = changed;
        for (file, ours) in others {
            let found = to.read(&format!("metadata/{file}"), MAX_METADATA)?;
            replaced |= found.is_none_or(|found| found.bytes != *ours);
        }
        if replaced {
            return Err(UploadError::Raced(to.name()));
        }
    }
    to.replace(TIMESTAMP, here.repository, bytes.to_vec(), now.as_ref())
}

/// The metadata files of the list, by name.
fn read_metadata(to: &Place, there: &Files) -> Result<look::Metadata, UploadError> {
    to.refresh()?;
    let mut metadata = BTreeMap::new();
    for path in there.keys() {
        let Some(file) = path
            .strip_prefix("metadata/")
            .filter(|f| f.ends_with(".json"))
        else {
            continue;
        };
        if let Some(found) = to.read(path, MAX_METADATA)? {
            metadata.insert(file.to_owned(), found.bytes);
        }
    }
    Ok(metadata)
}

/// What metadata says of a target.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Listed {
    length: u64,
    hash: String,
}

fn listed_in(entries: &Map<String, Value>, consistent: bool, into: &mut BTreeMap<String, Listed>) {
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

/// All targets that the metadata here lists, those of delegated roles too.
fn listed_targets(here: &Here) -> Result<BTreeMap<String, Listed>, UploadError> {
    let consistent = here.published.consistent_snapshot();
    let mut listed = BTreeMap::new();
    let snapshot = here.published.snapshot.as_ref();
    let roles = snapshot.and_then(|s| s.signed()["meta"].as_object());
    for (file, entry) in roles.into_iter().flatten() {
        let Some(role) = file.strip_suffix(".json").filter(|role| *role != "targets") else {
            continue;
        };
        let version = entry["version"].as_u64().unwrap_or(0);
        let role = notsotuf_stub::tuf::percent_encode(role, false);
        let name = crate::metadata::file_name(&role, version, consistent);
        let path = here.repository.join("metadata").join(name);
        let bytes = fs::read_optional(&path, MAX_METADATA)?;
        let value: Option<Value> = bytes.and_then(|b| serde_json::from_slice(&b).ok());
        let value = value.unwrap_or_default();
        if let Some(entries) = value["signed"]["targets"].as_object() {
            listed_in(entries, consistent, &mut listed);
        }
    }
    listed_in(&here.published.target_entries(), consistent, &mut listed);
    Ok(listed)
}

/// The hashes of the targets that are published there, as far as that can be
/// told.
fn published_there(here: &Here, there: &look::Metadata) -> BTreeMap<String, String> {
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

/// Whether every target is here or there. What is here and is not what is
/// listed stays here.
fn check_targets(
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
    match missing.is_empty() {
        true => Ok(()),
        false => Err(UploadError::Missing {
            place: place.into(),
            files: missing,
        }),
    }
}

/// Whether what is sent is what is listed.
fn check_hashes(
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

/// The metadata and target files of a repository.
fn local(repository: &Path) -> Result<Files, FsError> {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_go_as_they_are() {
        let folder = tempfile::tempdir().unwrap();
        let path = "targets/größe-1.0+local~1.tar.gz";
        let repository = folder.path().join("repository");
        fs::create_dir_all(&repository.join("targets")).unwrap();
        std::fs::write(repository.join(path), "content").unwrap();
        let to = Place::open(&Destination::Folder(folder.path().join("a b"))).unwrap();
        assert!(to.list().unwrap().is_empty());
        assert!(!folder.path().join("a b").exists(), "looking makes nothing");
        to.create().unwrap();
        let bar = Progress { show: false }.bar("", 0);
        to.send(&[path.to_owned()], &repository, &Files::new(), &bar)
            .unwrap();
        let copy = folder.path().join("a b").join(path);
        assert_eq!(std::fs::read_to_string(copy).unwrap(), "content");
        assert_eq!(to.list().unwrap(), Files::from([(path.to_owned(), 7)]));
    }

    #[test]
    fn what_another_upload_brought_meanwhile_stays() {
        let folder = tempfile::tempdir().unwrap();
        let (ours, theirs) = (folder.path().join("ours"), folder.path().join("theirs"));
        let path = "metadata/4.snapshot.json";
        for (place, content) in [(&ours, "ours"), (&theirs, "theirs")] {
            fs::create_dir_all(&place.join("metadata")).unwrap();
            std::fs::write(place.join(path), content).unwrap();
            std::fs::write(place.join(TIMESTAMP), content).unwrap();
        }
        let to = Place::open(&Destination::Folder(theirs.clone())).unwrap();
        let bar = Progress { show: false }.bar("", 0);
        // When it looked, there was nothing.
        let sent = to.send(&[path.to_owned()], &ours, &Files::new(), &bar);
        assert!(matches!(sent, Err(UploadError::Raced(_))), "{sent:?}");
        let sent = to.replace(TIMESTAMP, &ours, b"ours".to_vec(), None);
        assert!(matches!(sent, Err(UploadError::Raced(_))), "{sent:?}");
        for path in [path, TIMESTAMP] {
            assert_eq!(
                std::fs::read_to_string(theirs.join(path)).unwrap(),
                "theirs"
            );
        }
        // The same file is no conflict: an upload is gone on with.
        std::fs::write(theirs.join(path), "ours").unwrap();
        to.send(&[path.to_owned()], &ours, &Files::new(), &bar)
            .unwrap();
    }
}
