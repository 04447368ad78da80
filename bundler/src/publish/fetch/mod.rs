//! Downloads what is published as a client would: from where clients fetch it
//! or from where `upload` puts it, verified from the pinned root.

mod error;
mod keep_ours;
mod relation;
mod report;
mod targets;
mod unsent_root;

pub(crate) use error::FetchError;
use relation::{Relation, check_age};
pub(crate) use report::{Options, Report};

use crate::metadata::{Document, Published, State, Trust, limits, stale_root_draft};
use crate::progress::Progress;
use crate::project::Project;
use crate::publish::upload::OpenDestination;
use notsotuf_stub::fs;
use notsotuf_stub::tuf::UnixTime;
use serde_json::Value;
use std::collections::BTreeMap;

/// Fetches what is at `from`.
///
/// # Errors
/// [`FetchError`] and others.
pub(crate) fn fetch(
    project: &Project,
    from: &OpenDestination,
    options: &Options,
    now: UnixTime,
    progress: Progress,
) -> Result<Report, FetchError> {
    let mut trust = Trust::open(project)?;
    let pin = trust.root.clone().or_else(|| options.root.clone());
    let pin = pin.ok_or_else(|| FetchError::NoPin(trust.pin()))?;
    let there = unsent_root::load(project, from, &trust, &pin, options.force)?;
    let here = Published::from_folder(&project.metadata(), Some(&pin)).ok();
    // What is itself an old state is no reason to keep it.
    let here = here.filter(|here| trust.memory.check(&project.metadata(), here).is_ok());
    let relation = relation::relation(project, from, &trust, here.as_ref(), &there);
    accept(
        check_age(from, &trust, &there, &relation),
        options,
        &mut trust,
    )?;
    let mut report = Report {
        newer_here: relation == Relation::Newer,
        expired: expired(&there, now),
        delegated: delegated(&there),
        versions: versions(&there),
        ..Report::default()
    };
    let kept = match (&here, &relation) {
        (Some(here), Relation::Newer) => here,
        _ => &there,
    };
    fs::create_dir_all(&project.metadata())?;
    fs::create_dir_all(&project.targets())?;
    targets::targets(
        project,
        from,
        kept,
        &there,
        options.all,
        progress,
        &mut report,
    )?;
    if relation == Relation::Newer {
        remember(&mut trust, &there, None)?;
        return Ok(report);
    }
    if let (Some(here), Relation::Behind) = (&here, &relation) {
        keep_ours::keep_ours(project, &trust, here, &there, &mut report)?;
    }
    unsent_root::keep(project, &there, &mut report)?;
    if report.pending_root.is_some() {
        // First, so that an interrupted fetch finds its way from that root.
        remember(&mut trust, &there, there.state())?;
    }
    write(project, &there, &mut report)?;
    remember(&mut trust, &there, there.state())?;
    let stale = stale_root_draft(project, &there)?;
    report.stale_root = stale.map(|stale| stale.to_string());
    Ok(report)
}

/// Takes an old state only where that is forced.
fn accept(
    age: Result<(), FetchError>,
    options: &Options,
    trust: &mut Trust,
) -> Result<(), FetchError> {
    match age {
        Err(e) if !options.force => return Err(e),
        // What was uploaded to another place, as for a trial, is nothing that what is
        // there was made from.
        Err(_) => trust.memory.uploaded = None,
        Ok(()) => {}
    }
    Ok(())
}

fn versions(there: &Published) -> BTreeMap<&'static str, u64> {
    let version = |role| there.document(role).map_or(0, Document::version);
    crate::project::ROLES
        .into_iter()
        .map(|role| (role, version(role)))
        .collect()
}

fn expired(there: &Published, now: UnixTime) -> Vec<&'static str> {
    let mut roles = crate::project::ROLES.to_vec();
    roles.retain(|role| there.document(role).is_some_and(|d| d.expires() <= now));
    roles
}

fn delegated(there: &Published) -> Vec<String> {
    let meta = there.snapshot.as_ref().map(|s| &s.signed()["meta"]);
    let files = meta.and_then(Value::as_object).into_iter().flatten();
    files
        .filter(|(file, _)| *file != "targets.json")
        .map(|(file, _)| file.clone())
        .collect()
}

/// Writes the metadata, the timestamp last.
fn write(project: &Project, there: &Published, report: &mut Report) -> Result<(), FetchError> {
    let folder = project.metadata();
    let newest = there.roots().last().map(|(_, bytes)| bytes.to_vec());
    unsent_root::remove(&folder, there)?;
    let mut files = there.files.clone();
    files.extend(newest.map(|bytes| ("root.json".to_owned(), bytes)));
    files.sort_by_key(|(file, _)| file == "timestamp.json");
    for (file, bytes) in files {
        let path = folder.join(&file);
        if fs::read_optional(&path, limits::READ)?.as_ref() != Some(&bytes) {
            fs::write_atomically(&path, &bytes)?;
            report.metadata.push(file);
        }
    }
    // Versions that are only here were never published.
    for path in fs::list(&folder)? {
        let name = path.file_name().and_then(|name| name.to_str());
        let versioned = name
            .and_then(|name| name.strip_suffix(".json")?.split_once('.'))
            .and_then(|(version, role)| Some((version.parse::<u64>().ok()?, role)));
        let newer = versioned.is_some_and(|(version, role)| {
            ["targets", "snapshot"].contains(&role)
                && there.document(role).is_some_and(|d| version > d.version())
        });
        if newer {
            fs::remove_file_if_exists(&path)?;
        }
    }
    Ok(())
}

fn remember(trust: &mut Trust, there: &Published, here: Option<State>) -> Result<(), FetchError> {
    if here.is_some() {
        trust.follow(there)?;
        trust.memory.published = here;
    }
    trust.memory.uploaded = there.state();
    Ok(trust.save()?)
}
