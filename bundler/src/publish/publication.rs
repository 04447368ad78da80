//! Publishes: targets first, `timestamp.json` last, each file whole or not at
//! all, so that a client sees the old repository or the new one.

use super::error::PublishError;
use super::move_file::move_file;
use super::scope::PublishScope;
use super::size_check;
use crate::keys::{Keyring, Passphrases};
use crate::metadata::{self, Journal, Published, Trust, Update, Wanted};
use crate::project::Project;
use crate::release::{PendingTargets, stored_name};
use notsotuf_stub::fs::{self, FsError};
use notsotuf_stub::tuf::UnixTime;
use serde_json::{Map, Value};
use std::collections::BTreeSet;
use std::path::PathBuf;

/// Says what was published.
#[derive(Debug)]
pub(crate) struct Report {
    /// Targets that are new.
    pub added: Vec<String>,
    /// Targets that are gone.
    pub removed: Vec<String>,
    /// The metadata.
    pub update: Update,
    /// What the release engineer should know.
    pub warnings: Vec<String>,
}

/// Signs and writes `what`.
///
/// # Errors
/// Before anything is written, if a file is missing, signatures are missing,
/// or a client would refuse the result. Interrupted at any point, it can just
/// be called again: what was half written is completed first
/// ([`Journal::complete`], before any command that changes the project).
pub(crate) fn publish(
    project: &Project,
    keyring: &Keyring,
    passphrases: &Passphrases,
    now: UnixTime,
    what: PublishScope,
) -> Result<Report, PublishError> {
    let published = Published::load(project)?;
    let consistent = published.consistent_snapshot();
    let before = published.target_entries();
    let pending = if what.only_renews() {
        PendingTargets::on_top_of(project, &published, before.clone())
    } else {
        let pending = PendingTargets::open(project, &published)?;
        pending.check_withdrawn()?;
        pending
    };
    let (added, removed) = changes(&before, &pending.entries);
    let files = new_files(project, &pending, &before, &added, consistent)?;
    let wanted = Wanted {
        entries: &pending.entries,
        drafted_root: what != PublishScope::Renewal,
        only_renews: what.only_renews(),
    };
    let update = metadata::update(project, &published, wanted, keyring, passphrases, now)?;
    let mut warnings = Vec::from_iter(size_check::check(&published, &update, what)?);
    warnings.extend(update.targets_note.clone());
    metadata::check_as_client(&project.metadata(), &update.files, now)?;

    write(project, &files, &update)?;
    let now_published = Published::load(project)?;
    Trust::remember_published(project, &now_published)?;
    let uploaded = Trust::open(project)?.memory.uploaded;
    let uploaded = uploaded.map(|state| state.targets.version);
    Journal::remove(project)?;
    // From here on the new release is out; the rest is tidying up.
    match what {
        PublishScope::Pending => fs::remove_tree_if_exists(&project.pending())?,
        PublishScope::Renewal | PublishScope::RootRenewal => {
            metadata::drop_drafts(project, &update)?
        }
    }
    drop_old_targets(project, &before, &pending.entries, consistent)?;
    if consistent {
        drop_old_versions(project, &published, &update, uploaded)?;
    }
    Ok(Report {
        added,
        removed,
        update,
        warnings,
    })
}

/// Writes targets first, then metadata, in this order.
fn write(
    project: &Project,
    files: &[(PathBuf, PathBuf)],
    update: &Update,
) -> Result<(), PublishError> {
    fs::create_dir_all(&project.targets())?;
    fs::sweep(&project.targets())?;
    fs::sweep(&project.metadata())?;
    for (from, to) in files.iter().filter(|(from, to)| from != to) {
        move_file(from, to)?;
    }
    Ok(Journal::write(project, update)?)
}

/// The targets that are new or changed, and those that are gone.
fn changes(
    before: &Map<String, Value>,
    entries: &Map<String, Value>,
) -> (Vec<String>, Vec<String>) {
    let added = entries
        .iter()
        .filter(|(path, entry)| before.get(*path) != Some(entry))
        .map(|(path, _)| path.clone())
        .collect();
    let removed = before
        .keys()
        .filter(|path| !entries.contains_key(*path))
        .cloned()
        .collect();
    (added, removed)
}

/// The files of targets that are new, and where they go.
fn new_files(
    project: &Project,
    pending: &PendingTargets,
    before: &Map<String, Value>,
    added: &[String],
    consistent: bool,
) -> Result<Vec<(PathBuf, PathBuf)>, PublishError> {
    let mut files = Vec::new();
    let same_file = |path: &String| {
        let (old, new) = (&before[path], &pending.entries[path]);
        old["hashes"] == new["hashes"] && old["length"] == new["length"]
    };
    // Where only what is said of a file is new, the file need not be here.
    let with_files = added
        .iter()
        .filter(|path| !(before.contains_key(*path) && same_file(path)));
    for path in with_files {
        let Some(file) = pending.find(path, consistent)? else {
            let path = pending.files().join(path);
            return Err(metadata::MetadataError::Missing(path).into());
        };
        let stored = stored_name(path, &pending.entries[path], consistent);
        files.push((file, project.targets().join(stored)));
    }
    Ok(files)
}

/// Removes the files of targets that are listed no more.
fn drop_old_targets(
    project: &Project,
    before: &Map<String, Value>,
    entries: &Map<String, Value>,
    consistent: bool,
) -> Result<(), FsError> {
    let kept: BTreeSet<String> = entries
        .iter()
        .map(|(path, entry)| stored_name(path, entry, consistent))
        .collect();
    for (path, entry) in before {
        let stored = stored_name(path, entry, consistent);
        if !kept.contains(&stored) {
            fs::remove_file_if_exists(&project.targets().join(stored))?;
        }
    }
    Ok(())
}

/// Removes what no client needs any more: it reads the versions that the
/// newest timestamp leads to, or, if it is in the middle of that, those of the
/// publication before. Roots stay, since clients go from one to the next, and
/// the targets that were uploaded last, from which `fetch` tells what was
/// changed here and what there.
fn drop_old_versions(
    project: &Project,
    published: &Published,
    update: &Update,
    uploaded: Option<u64>,
) -> Result<(), PublishError> {
    let version = |role: &str| published.document(role).map(metadata::Document::version);
    for path in fs::list(&project.metadata())? {
        let Some(name) = path.file_name().and_then(|name| name.to_str()) else {
            continue;
        };
        for role in ["targets", "snapshot"] {
            let found = name
                .strip_suffix(".json")
                .and_then(|stem| stem.strip_suffix(role)?.strip_suffix('.'))
                .and_then(|number| number.parse::<u64>().ok());
            let before = version(role);
            let newest = update.versions.get(role).copied().or(before);
            let is_base = role == "targets" && found == uploaded;
            if found.is_some() && found != newest && found != before && !is_base {
                fs::remove_file_if_exists(&path)?;
            }
        }
    }
    Ok(())
}
