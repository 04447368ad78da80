//! Refuses version numbers that were used already, or that no client would take.

use super::numbers::barrier;
use super::{PendingTargets, ReleaseError};
use crate::metadata::{Trust, archives_of, limits};
use crate::project::Project;
use notsotuf_stub::fs::{self, FsError};
use pep440_rs::Version;
use serde_json::Value;
use std::collections::BTreeSet;
use std::path::Path;

/// Refuses a number that was used already, and one that no client would take.
///
/// # Errors
/// [`ReleaseError`], which says what to do.
pub(super) fn check(
    pending: &PendingTargets,
    project: &Project,
    app: &str,
    new: &Version,
    force: bool,
) -> Result<(), ReleaseError> {
    let (app_name, version) = (|| app.to_owned(), || new.clone());
    let line = pending.line(app);
    if pending.withdrawn(app).contains(new) {
        return Err(ReleaseError::Withdrawn {
            app: app_name(),
            version: version(),
        });
    }
    if let Some(latest) = barrier(&line, new) {
        return Err(ReleaseError::NotNewer {
            app: app_name(),
            version: version(),
            latest: latest.clone(),
            take_back: take_back(pending, project, app, latest),
        });
    }
    let used = pending.is_published(app, new) || pending.retired(app).contains(new);
    let used = used || remembered(&project.metadata(), app)?.contains(new);
    let used = used || Trust::open(project)?.was_used(app, new);
    if used && !force {
        return Err(ReleaseError::Used {
            app: app_name(),
            version: version(),
        });
    }
    Ok(())
}

/// Returns the command that takes a release back which was added, if there is one:
/// it must be the last one, and not published.
pub(crate) fn take_back(
    pending: &PendingTargets,
    project: &Project,
    app: &str,
    version: &Version,
) -> Option<String> {
    let added = |path: &str| pending.custom(path).added;
    let releases = pending.releases(app).into_iter();
    // As `remove-latest` has it.
    let (last, _) = releases.max_by_key(|(version, path)| (added(path), version.clone()))?;
    if last != *version || pending.is_published(app, version) {
        return None;
    }
    Some(match project.settings.apps.as_slice() {
        [_] => "notsotuf remove-latest".into(),
        _ => format!("notsotuf remove-latest --app {app}"),
    })
}

/// Returns the versions that any targets metadata that is still here lists.
pub(super) fn remembered(metadata: &Path, app: &str) -> Result<BTreeSet<Version>, FsError> {
    let mut versions = BTreeSet::new();
    for path in fs::list(metadata)? {
        let name = path.file_name().and_then(|name| name.to_str());
        if !name.is_some_and(|name| name.ends_with(".targets.json") || name == "targets.json") {
            continue;
        }
        // What cannot be read is a case for others; here it only warns of a
        // number.
        let bytes = fs::read_optional(&path, limits::READ).ok().flatten();
        let value: Value = serde_json::from_slice(&bytes.unwrap_or_default()).unwrap_or_default();
        let entries = value["signed"]["targets"].as_object();
        let archives = entries.map(archives_of).unwrap_or_default();
        let own = archives.into_iter().filter(|(name, _)| name == app);
        versions.extend(own.map(|(_, version)| version));
    }
    Ok(versions)
}
