//! Fetches the targets that are wanted and not here.

use super::error::FetchError;
use super::report::Report;
use crate::metadata::Published;
use crate::progress::Progress;
use crate::project::Project;
use crate::publish::move_file::move_file;
use crate::publish::upload::{OpenDestination, UploadError};
use crate::release::{Entries, is_listed_as, stored_name};
use notsotuf_stub::catalog::{Channel, TargetKind, TargetName};
use notsotuf_stub::fs;
use notsotuf_stub::tuf::{TargetFile, TufError, percent_encode};
use pep440_rs::Version;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// Returns the targets that the next patches start from: of each application
/// the newest releases of each kind, as many as `patch_from` says.
pub(super) fn needed(project: &Project, entries: &Entries) -> BTreeSet<String> {
    let mut releases: BTreeMap<(String, Channel), Vec<(Version, String)>> = BTreeMap::new();
    for path in entries.keys() {
        let Some(target) = TargetName::parse(path) else {
            continue;
        };
        if target.kind != TargetKind::Archive || !project.settings.apps.contains(&target.name) {
            continue;
        }
        let channel = Channel::of(&target.version);
        let known = releases.entry((target.name, channel)).or_default();
        known.push((target.version, path.clone()));
    }
    let newest = releases.into_values().flat_map(|mut releases| {
        releases.sort();
        releases.into_iter().rev().take(project.settings.patch_from)
    });
    newest.map(|(_, path)| path).collect()
}

/// Fetches the targets of `kept` that are wanted, not here, and there.
pub(super) fn targets(
    project: &Project,
    from: &OpenDestination,
    kept: &Published,
    there: &Published,
    all: bool,
    progress: Progress,
    report: &mut Report,
) -> Result<(), FetchError> {
    let consistent = kept.consistent_snapshot();
    let (entries, theirs) = (kept.target_entries(), there.target_entries());
    let wanted = needed(project, &entries);
    let mut missing = Vec::new();
    for (path, entry) in &entries {
        if !all && !wanted.contains(path) {
            continue;
        }
        let stored = stored_name(path, entry, consistent);
        let place = fs::join(&project.targets(), &stored);
        if is_right(&place, entry)? {
            report.unchanged += 1;
        } else if theirs
            .get(path)
            .is_some_and(|t| t["hashes"] == entry["hashes"])
        {
            let target: TargetFile = serde_json::from_value(entry.clone()).map_err(|e| {
                UploadError::Tuf(TufError::Form {
                    role: path.clone(),
                    reason: e.to_string(),
                })
            })?;
            missing.push((path.clone(), stored, place, target));
        }
    }
    let total = missing.iter().map(|(_, _, _, target)| target.length).sum();
    let bar = progress.bar("fetching", total);
    let partial = project.pending().join("fetch");
    for (path, stored, place, target) in missing {
        fs::create_dir_all(&partial)?;
        let part = partial.join(percent_encode(&stored));
        from.download(&path, &stored, &target, &part, &bar)?;
        if let Some(folder) = place.parent() {
            fs::create_dir_all(folder)?;
        }
        move_file(&part, &place)?;
        report.targets.push(path);
    }
    bar.finish_and_clear();
    fs::remove_tree_if_exists(&partial)?;
    if fs::list(&project.pending())?.is_empty() {
        fs::remove_tree_if_exists(&project.pending())?;
    }
    Ok(())
}

pub(super) fn is_right(place: &std::path::Path, entry: &Value) -> Result<bool, FetchError> {
    Ok(place.is_file() && is_listed_as(place, entry)?)
}
