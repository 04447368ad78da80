//! Goes back to the root that clients have seen, where a newer one was published
//! here and never uploaded, and makes that pending again.

use super::error::FetchError;
use super::relation::published_at;
use super::report::{Dropped, Report};
use crate::metadata::{self, Document, Published, Trust, limits, root_file_name};
use crate::project::Project;
use crate::publish::upload::OpenDestination;
use notsotuf_stub::fs;
use notsotuf_stub::hex::sha256_hex;
use std::path::Path;

/// Loads what is published there: from the root `pin` or, where it is not
/// there, from the last one that was uploaded, which led to it.
///
/// # Errors
/// [`FetchError`]; [`FetchError::Replaced`] without `force`.
pub(super) fn load(
    project: &Project,
    from: &OpenDestination,
    trust: &Trust,
    pin: &[u8],
    force: bool,
) -> Result<Published, FetchError> {
    let refused = match published_at(from, pin) {
        Err(e @ FetchError::Refused { .. }) => e,
        loaded => return loaded,
    };
    let pinned = Document::parse(&trust.pin(), pin)?;
    let Some(seen) = uploaded_root(project, trust, &pinned)? else {
        return Err(refused);
    };
    let there = published_at(from, &seen)?;
    if there.root.version() >= pinned.version() {
        // Another one than ours, which a person has to look at.
        return Err(refused);
    }
    if !force {
        check_targets(from, trust, &there, &pinned)?;
    }
    Ok(there)
}

/// Returns the root that was uploaded last, if that is before the pinned one.
fn uploaded_root(
    project: &Project,
    trust: &Trust,
    pinned: &Document,
) -> Result<Option<Vec<u8>>, FetchError> {
    let version = match &trust.memory.uploaded {
        Some(state) if state.root < pinned.version() => state.root,
        _ => return Ok(None),
    };
    let path = project.metadata().join(root_file_name(version));
    let before = usize::try_from(version).ok().and_then(|n| n.checked_sub(1));
    let known = before.and_then(|n| trust.memory.roots.get(n));
    let bytes = fs::read_optional(&path, limits::READ)?;
    Ok(bytes.filter(|bytes| known == Some(&sha256_hex(bytes))))
}

/// Checks that nothing comes from keys that may have been replaced because they
/// were stolen.
fn check_targets(
    from: &OpenDestination,
    trust: &Trust,
    there: &Published,
    pinned: &Document,
) -> Result<(), FetchError> {
    let Some(targets) = &there.targets else {
        return Ok(());
    };
    let seen = trust.memory.uploaded.as_ref().map(|state| &state.targets);
    let found = there.state().map(|state| state.targets);
    if seen == found.as_ref() || targets.is_signed("targets", pinned)? {
        return Ok(());
    }
    Err(FetchError::Replaced {
        place: from.name(),
        version: targets.version(),
        root: pinned.version(),
    })
}

/// Makes the root after that of `there` a draft again, if it is here, with its
/// signatures.
///
/// # Errors
/// The file system's, or if a root is malformed.
pub(super) fn keep(
    project: &Project,
    there: &Published,
    report: &mut Report,
) -> Result<(), FetchError> {
    let read = |version: u64| {
        let path = project.metadata().join(root_file_name(version));
        fs::read_optional(&path, limits::READ)
    };
    let next = there.root.version() + 1;
    let Some(bytes) = read(next)? else {
        return Ok(());
    };
    let root = Document::parse(Path::new(&root_file_name(next)), &bytes)?;
    if !root.is_signed("root", &there.root)? {
        // Nobody could publish it.
        return Ok(());
    }
    let later = metadata::root_draft_version(project)?.filter(|draft| *draft > next);
    let mut lost = Vec::from_iter(later.map(|draft| format!("the draft of root {draft}")));
    for version in next + 1.. {
        match read(version)? {
            Some(_) => lost.push(root_file_name(version)),
            None => break,
        }
    }
    report.dropped.extend(lost.into_iter().map(|path| {
        Dropped {
            path,
            why: "it follows from a root that is pending again; make its change again (`notsotuf \
              keys`) once that is published"
                .into(),
        }
    }));
    metadata::keep_root_draft(project, &bytes)?;
    report.pending_root = Some(next);
    Ok(())
}

/// Removes roots that follow from that of `there`, and are not there.
///
/// # Errors
/// The file system's.
pub(super) fn remove(folder: &Path, there: &Published) -> Result<(), FetchError> {
    for version in there.root.version() + 1.. {
        let path = folder.join(root_file_name(version));
        if !path.exists() {
            break;
        }
        fs::remove_file_if_exists(&path)?;
    }
    Ok(())
}
