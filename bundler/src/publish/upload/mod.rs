//! Uploads the repository folder to where clients fetch it from: S3 and
//! compatible stores, Google Cloud Storage, Azure Blob Storage, GitHub, a folder, or
//! another machine by rsync. Only what changed, in an order in which a client
//! that looks at any time sees a whole repository, and never backwards.

mod aws_profile;
mod destination;
mod error;
mod github;
mod leftovers;
mod listed;
mod look;
mod object_store;
mod open_destination;
mod plan;
mod rsync;

pub(crate) use destination::Destination;
pub(crate) use error::{Conflict, UploadError};
pub(crate) use listed::Here;
use listed::{
    Listed, check_hashes, check_targets, listed_targets, local, published_there, take_foreign,
};
pub(crate) use look::check;
pub(crate) use open_destination::OpenDestination;

use crate::metadata::limits;
use crate::progress::Progress;
use notsotuf_stub::fs;
use plan::Files;
use std::collections::BTreeMap;
use std::path::Path;

/// Says how to upload.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Options {
    /// Only say what would be done.
    pub dry_run: bool,
    /// Remove what is not in the repository any more.
    pub delete: bool,
    /// Whatever is there.
    pub force: bool,
}

/// Says what was done, or would be.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Report {
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
    /// Here, and no part of the repository.
    pub left_out: Vec<String>,
}

/// Uploads what is here to `to`.
///
/// # Errors
/// [`UploadError`].
pub(crate) fn upload(
    here: &Here,
    to: &OpenDestination,
    options: Options,
    progress: Progress,
) -> Result<Report, UploadError> {
    if here.published.timestamp.is_none() {
        return Err(UploadError::Nothing);
    }
    let there = to.list()?;
    let metadata = read_metadata(to, &there)?;
    if !options.force {
        let local = |file: &str| read_here(&here.repository.join("metadata").join(file));
        look::check(&to.name(), here.published, here.memory, &metadata, &local)?;
    }
    let mut files = local(here.repository)?;
    let listed = listed_targets(here)?;
    let left_out = take_foreign(&mut files, here.published, &listed);
    check_targets(&mut files, &there, &listed, &to.name())?;
    let theirs = published_there(here, &metadata);
    let same = |path: &str| match path.strip_prefix("metadata/") {
        Some(file) => metadata.get(file) == read_here(&fs::join(here.repository, path)).as_ref(),
        None => plan::is_immutable(path) || is_listed_alike(path, &listed, &theirs),
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
        left_out,
    };
    check_hashes(here.repository, &report.uploaded, &listed)?;
    // Old metadata that no client can need goes in any case.
    let outdated = |path: &String| options.delete || plan::is_outdated(path);
    (report.removed, report.extra) = report.extra.into_iter().partition(outdated);
    let leftovers = to.leftovers()?;
    to.check(&report.uploaded, &files)?;
    if options.dry_run {
        report.removed.extend(leftovers);
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
    to.complete()?;
    bar.finish_and_clear();
    to.delete(&report.removed)?;
    to.sweep(&leftovers)?;
    report.removed.extend(leftovers);
    Ok(report)
}

/// Whether a target without a hash in its name is the same there, as the metadata
/// there says.
fn is_listed_alike(
    path: &str,
    here: &BTreeMap<String, Listed>,
    there: &BTreeMap<String, String>,
) -> bool {
    let (here, there) = (here.get(path), there.get(path));
    here.is_some_and(|here| there == Some(&here.hash))
}

/// A metadata file that is here.
fn read_here(path: &Path) -> Option<Vec<u8>> {
    fs::read_optional(path, limits::READ).ok().flatten()
}

const TIMESTAMP: &str = "metadata/timestamp.json";

/// The last step. What is there must still be what was seen, and what the
/// timestamp leads to must be what was sent: there may be two who upload.
fn put_timestamp(
    here: &Here,
    to: &OpenDestination,
    options: Options,
    seen: &look::Metadata,
) -> Result<(), UploadError> {
    let bytes = here.published.file("timestamp").unwrap_or_default();
    to.refresh()?;
    let now = to.read(TIMESTAMP, limits::READ)?;
    if !options.force {
        let changed = now.as_ref().map(|found| &found.bytes) != seen.get("timestamp.json");
        let others = here
            .published
            .files
            .iter()
            .filter(|(file, _)| file != "timestamp.json");
        let mut replaced = changed;
        for (file, ours) in others {
            let found = to.read(&format!("metadata/{file}"), limits::READ)?;
            replaced |= found.is_none_or(|found| found.bytes != *ours);
        }
        if replaced {
            return Err(UploadError::Raced(to.name()));
        }
    }
    to.replace(TIMESTAMP, here.repository, bytes.to_vec(), now.as_ref())
}

/// The metadata files of the list, by name.
fn read_metadata(to: &OpenDestination, there: &Files) -> Result<look::Metadata, UploadError> {
    to.refresh()?;
    let mut metadata = BTreeMap::new();
    for path in there.keys() {
        let Some(file) = path
            .strip_prefix("metadata/")
            .filter(|f| f.ends_with(".json"))
        else {
            continue;
        };
        if let Some(found) = to.read(path, limits::READ)? {
            metadata.insert(file.to_owned(), found.bytes);
        }
    }
    Ok(metadata)
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
        let to = OpenDestination::open(&Destination::Folder(folder.path().join("a b"))).unwrap();
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
        let to = OpenDestination::open(&Destination::Folder(theirs.clone())).unwrap();
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
        // The same file is no conflict: an upload is resumed.
        std::fs::write(theirs.join(path), "ours").unwrap();
        to.send(&[path.to_owned()], &ours, &Files::new(), &bar)
            .unwrap();
    }
}
