//! Makes pending again what was published here and never reached clients.

use super::error::FetchError;
use super::report::{Dropped, Report};
use crate::metadata::{Document, Published, Trust, limits};
use crate::project::Project;
use crate::publish::move_file::move_file;
use crate::release::{Entries, PendingTargets, rebase, stored_name};
use notsotuf_stub::catalog::{TargetKind, TargetName};
use notsotuf_stub::fs;
use notsotuf_stub::hex::sha256_hex;

/// Makes pending again, on top of what is published there, what was published
/// here and never reached clients.
pub(super) fn keep_ours(
    project: &Project,
    trust: &Trust,
    here: &Published,
    there: &Published,
    report: &mut Report,
) -> Result<(), FetchError> {
    let ours = PendingTargets::open(project, here)?.entries;
    let theirs = there.target_entries();
    let base = match base(project, trust, here)? {
        Some(base) => base,
        None => {
            let base = not_newer(&ours, &theirs);
            report.dropped = undecided(&base, &ours, &theirs);
            base
        }
    };
    let merged = rebase::merge(&base, &ours, &theirs, project.settings.patch_format)?;
    let conflicts = merged.conflicts.into_iter().map(Dropped::conflict);
    report.dropped.extend(conflicts);
    let refused = merged.refused.into_iter();
    let refused = refused.map(|(path, error)| Dropped {
        path,
        why: error.to_string(),
    });
    report.dropped.extend(refused);
    let stale = merged.stale.into_iter().map(Dropped::stale);
    report.dropped.extend(stale);
    let merged = merged.entries;
    let list = project.pending().join("targets.json");
    if merged == theirs && !list.exists() {
        return Ok(());
    }
    let pending = PendingTargets::on_top_of(project, there, merged);
    fs::create_dir_all(&pending.files())?;
    for (path, entry) in &pending.entries {
        if theirs.get(path) == Some(entry) {
            continue;
        }
        report.pending.push(path.clone());
        let waiting = pending.files().join(path);
        let stored = stored_name(path, entry, here.consistent_snapshot());
        let place = fs::join(&project.targets(), &stored);
        if !theirs.contains_key(path) && !waiting.exists() && place.exists() {
            move_file(&place, &waiting)?;
        }
    }
    Ok(pending.save()?)
}

/// Returns the targets that both what is here and what is there were made from:
/// those that clients saw last, as far as this project knows.
pub(super) fn base(
    project: &Project,
    trust: &Trust,
    here: &Published,
) -> Result<Option<Entries>, FetchError> {
    let Some(known) = &trust.memory.uploaded else {
        return Ok(None);
    };
    if here.state().as_ref() == Some(known) {
        return Ok(Some(here.target_entries()));
    }
    let name =
        crate::metadata::file_name("targets", known.targets.version, here.consistent_snapshot());
    let path = project.metadata().join(name);
    let bytes = fs::read_optional(&path, limits::READ)?;
    let bytes = bytes.filter(|bytes| sha256_hex(bytes) == known.targets.sha256);
    Ok(match bytes {
        Some(bytes) => {
            let targets = Document::parse(&path, &bytes)?;
            targets.signed()["targets"].as_object().cloned()
        }
        None => None,
    })
}

/// Returns what of ours is not kept where `base` is only what [`not_newer`]
/// makes of both.
fn undecided(base: &Entries, ours: &Entries, theirs: &Entries) -> Vec<Dropped> {
    let differing = rebase::differing(ours, theirs).into_iter();
    let only_here = base.keys().filter(|path| {
        let target = TargetName::parse(path);
        !theirs.contains_key(*path)
            && target.is_some_and(|target| target.kind == TargetKind::Archive)
    });
    let only_here = only_here.map(|path| Dropped {
        path: path.clone(),
        why: "it is not published there, and not newer than what is".into(),
    });
    differing.map(Dropped::conflict).chain(only_here).collect()
}

/// Decides without a base: whatever is here and not newer than what is there
/// was removed there.
pub(super) fn not_newer(ours: &Entries, theirs: &Entries) -> Entries {
    let newest = |name: &str| {
        let targets = theirs.keys().filter_map(|path| TargetName::parse(path));
        let named = targets.filter(|target| target.name == name);
        named.map(|target| target.version).max()
    };
    let mut base = ours.clone();
    base.retain(|path, _| {
        let target = TargetName::parse(path);
        theirs.contains_key(path)
            || target.is_none_or(|t| newest(&t.name).is_some_and(|newest| t.version <= newest))
    });
    base
}
