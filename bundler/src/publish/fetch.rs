//! Bringing what is published here, as a client would: from where clients
//! fetch it or from where `upload` puts it, verified from the pinned root.

use super::move_file::move_file;
use super::upload::{self, Conflict, Place, UploadError};
use crate::error::Error;
use crate::metadata::{Document, MetadataError, Published, State, Trust, walk};
use crate::progress::Progress;
use crate::project::Project;
use crate::release::rebase::{self, Entries};
use crate::release::{Pending, is_listed_as, stored_name};
use notsotuf_stub::catalog::{Channel, TargetKind, TargetName};
use notsotuf_stub::fs;
use notsotuf_stub::http::HttpError;
use notsotuf_stub::tuf::key::sha256_hex;
use notsotuf_stub::tuf::{TargetFile, TufError, UnixTime, percent_encode};
use pep440_rs::Version;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::Duration;

/// Why nothing was fetched. What is here is as it was, but for targets that
/// had come already.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// From where?
    #[error(
        "from where? Name it (`notsotuf fetch https://example.com/updates`), or set `upload`, or `url` \
         under [client], in the project settings"
    )]
    NoSource,
    /// Nothing that could be trusted.
    #[error(
        "there is no {0:?}, so nothing that is fetched could be trusted. It belongs under version \
         control; else name the root that you trust with --root"
    )]
    NoPin(PathBuf),
    /// Nothing there.
    #[error("nothing is published at {0}")]
    Nothing(String),
    /// Not this project's.
    #[error("what is at {place} is not what the keys of this project signed: {reason}")]
    Refused {
        /// The place.
        place: String,
        /// What does not verify.
        reason: String,
    },
    /// An old state.
    #[error(
        "what is at {place} is an old state: {role} has version {found}, and version {known} was \
         published before. Somebody put an old copy there, a cache gives one out, or what was \
         published was never uploaded. --force takes it all the same"
    )]
    Old {
        /// The place.
        place: String,
        /// The role.
        role: &'static str,
        /// Its version there.
        found: u64,
        /// The version that is remembered.
        known: u64,
    },
}

/// How to fetch.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// All targets, not only those that the next patch needs.
    pub all: bool,
    /// Also an old state.
    pub force: bool,
    /// A root to trust where none is pinned.
    pub root: Option<Vec<u8>>,
}

/// What was fetched.
#[derive(Debug, Default)]
pub struct Report {
    /// Versions of the roles that are there.
    pub versions: BTreeMap<&'static str, u64>,
    /// Metadata files that were written.
    pub metadata: Vec<String>,
    /// Targets that were fetched.
    pub targets: Vec<String>,
    /// Targets that were here already.
    pub unchanged: usize,
    /// Roles that are past their expiry date.
    pub expired: Vec<&'static str>,
    /// What is here is newer, and stayed.
    pub newer_here: bool,
    /// What had been published here only, and is pending again.
    pub pending: Vec<String>,
    /// What had been published or prepared here, and somebody else changed
    /// too: theirs stays.
    pub dropped: Vec<String>,
    /// Delegated roles, which stay there.
    pub delegated: Vec<String>,
}

/// Fetches what is at `from`.
///
/// # Errors
/// [`FetchError`] and others.
pub fn fetch(
    project: &Project,
    from: &Place,
    options: &Options,
    now: UnixTime,
    progress: Progress,
) -> Result<Report, Error> {
    let mut trust = Trust::open(project)?;
    let pin = trust.root.clone().or_else(|| options.root.clone());
    let pin = pin.ok_or_else(|| FetchError::NoPin(trust.pin()))?;
    let there = published_at(from, &pin)?;
    let here = Published::from_folder(&project.metadata(), Some(&pin)).ok();
    // What is itself an old state is no reason to keep it.
    let here = here.filter(|here| trust.memory.check(&project.metadata(), here).is_ok());
    let relation = relation(project, from, &trust, here.as_ref(), &there);
    if !options.force {
        check_age(from, &trust, &there, &relation)?;
    }
    let mut report = Report {
        newer_here: relation == Relation::Newer,
        expired: expired(&there, now),
        delegated: delegated(&there),
        ..Report::default()
    };
    let kept = match (&here, &relation) {
        (Some(here), Relation::Newer) => here,
        _ => &there,
    };
    fs::create_dir_all(&project.metadata())?;
    fs::create_dir_all(&project.targets())?;
    targets(
        project,
        from,
        kept,
        &there,
        options.all,
        progress,
        &mut report,
    )?;
    for role in crate::project::ROLES {
        let version = there.document(role).map_or(0, Document::version);
        report.versions.insert(role, version);
    }
    if relation == Relation::Newer {
        remember(&mut trust, &there, None)?;
        return Ok(report);
    }
    if let (Some(here), Relation::Behind) = (&here, &relation) {
        keep_ours(project, &trust, here, &there, &mut report)?;
    }
    write(project, &there, &mut report)?;
    remember(&mut trust, &there, there.state())?;
    Ok(report)
}

/// What is here, beside what is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Relation {
    /// There is nothing here, or nothing sound.
    None,
    /// The same.
    Same,
    /// Here is a later state of what is there.
    Newer,
    /// Here is an earlier state, or one that went another way.
    Behind,
}

fn relation(
    project: &Project,
    from: &Place,
    trust: &Trust,
    here: Option<&Published>,
    there: &Published,
) -> Relation {
    let Some(here) = here.filter(|here| here.timestamp.is_some()) else {
        return Relation::None;
    };
    if here.file("timestamp") == there.file("timestamp") {
        return Relation::Same;
    }
    let metadata = there.files.iter().cloned().collect();
    let local = |file: &str| {
        let path = project.metadata().join(file);
        fs::read_optional(&path, upload::MAX_METADATA)
            .ok()
            .flatten()
    };
    match upload::check(&from.name(), here, &trust.memory, &metadata, &local) {
        Ok(()) => Relation::Newer,
        Err(UploadError::Conflict {
            conflict: Conflict::Newer { .. } | Conflict::Diverged { .. } | Conflict::NewerRoot(_),
            ..
        }) => Relation::Behind,
        Err(_) => Relation::None,
    }
}

/// Loads what is there; twice, as somebody may just be uploading.
fn published_at(from: &Place, pin: &[u8]) -> Result<Published, Error> {
    let load = || -> Result<Published, UploadError> {
        from.refresh()?;
        let read = &mut |file: &str, limit| -> Result<Option<Vec<u8>>, UploadError> {
            let found = from.read(&format!("metadata/{file}"), limit)?;
            Ok(found.map(|found| found.bytes))
        };
        walk(Some(pin), read)
    };
    let refused = |reason: String| FetchError::Refused {
        place: from.name(),
        reason,
    };
    let loaded = match load() {
        Err(
            UploadError::Tuf(_)
            | UploadError::Metadata(_)
            | UploadError::TooLarge { .. }
            | UploadError::Http(HttpError::TooLong { .. }),
        ) => {
            std::thread::sleep(Duration::from_secs(1));
            load()
        }
        loaded => loaded,
    };
    let there = match loaded {
        Ok(there) => there,
        Err(UploadError::Metadata(MetadataError::Missing(file)))
            if file.as_os_str() == "1.root.json" =>
        {
            return Err(FetchError::Nothing(from.name()).into());
        }
        Err(UploadError::Metadata(MetadataError::Missing(file))) => {
            let reason = format!("there is no {}", file.display());
            return Err(refused(reason).into());
        }
        Err(UploadError::Tuf(e)) => return Err(refused(e.to_string()).into()),
        Err(e @ (UploadError::TooLarge { .. } | UploadError::Http(HttpError::TooLong { .. }))) => {
            return Err(refused(e.to_string()).into());
        }
        Err(UploadError::Metadata(e)) => return Err(refused(e.to_string()).into()),
        Err(e) => return Err(e.into()),
    };
    match there.timestamp {
        Some(_) => Ok(there),
        None => Err(FetchError::Nothing(from.name()).into()),
    }
}

/// Never below what clients have seen; nor, where nothing here proves that it
/// went another way, below what was published.
fn check_age(
    from: &Place,
    trust: &Trust,
    there: &Published,
    relation: &Relation,
) -> Result<(), Error> {
    let Some(state) = there.state() else {
        return Ok(());
    };
    let proven = matches!(relation, Relation::Newer | Relation::Behind);
    let published = trust.memory.published.as_ref().filter(|_| !proven);
    for known in trust.memory.uploaded.iter().chain(published) {
        if let Some((role, found, known)) = state.older_than(known) {
            return Err(FetchError::Old {
                place: from.name(),
                role,
                found,
                known,
            }
            .into());
        }
    }
    Ok(trust
        .memory
        .check_roots(std::path::Path::new(&from.name()), there)?)
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

/// The targets that the next patches start from: of each application the
/// newest release of each kind.
fn needed(project: &Project, entries: &Entries) -> BTreeSet<String> {
    let mut newest: BTreeMap<(String, Channel), (Version, String)> = BTreeMap::new();
    for path in entries.keys() {
        let Some(target) = TargetName::parse(path) else {
            continue;
        };
        if target.kind != TargetKind::Archive || !project.settings.apps.contains(&target.name) {
            continue;
        }
        let channel = Channel::of(&target.version);
        let known = newest.entry((target.name, channel));
        let this = (target.version, path.clone());
        known
            .and_modify(|known| {
                if this > *known {
                    *known = this.clone();
                }
            })
            .or_insert(this);
    }
    newest.into_values().map(|(_, path)| path).collect()
}

/// Fetches the targets of `kept` that are wanted, not here, and there.
fn targets(
    project: &Project,
    from: &Place,
    kept: &Published,
    there: &Published,
    all: bool,
    progress: Progress,
    report: &mut Report,
) -> Result<(), Error> {
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
        let part = partial.join(percent_encode(&stored, false));
        from.download(&path, &stored, &target, &part, &bar)?;
        if let Some(folder) = place.parent() {
            fs::create_dir_all(folder)?;
        }
        move_file(&part, &place)?;
        report.targets.push(path);
    }
    bar.finish_and_clear();
    fs::remove_tree(&partial)?;
    if fs::list(&project.pending())?.is_empty() {
        fs::remove_tree(&project.pending())?;
    }
    Ok(())
}

fn is_right(place: &std::path::Path, entry: &Value) -> Result<bool, Error> {
    Ok(place.is_file() && is_listed_as(place, entry)?)
}

/// What was published here and never reached clients becomes pending again,
/// on top of what is published there.
fn keep_ours(
    project: &Project,
    trust: &Trust,
    here: &Published,
    there: &Published,
    report: &mut Report,
) -> Result<(), Error> {
    let ours = Pending::open(project, here)?.entries;
    let theirs = there.target_entries();
    let base = match base(project, trust, here)? {
        Some(base) => base,
        None => not_newer(&ours, &theirs),
    };
    let (merged, dropped) = rebase::merge(&base, &ours, &theirs);
    report.dropped = dropped;
    let list = project.pending().join("targets.json");
    if merged == theirs && !list.exists() {
        return Ok(());
    }
    let pending = Pending::on_top_of(project, there, merged);
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

/// The targets that both what is here and what is there were made from: those
/// that clients saw last, as far as this project knows.
fn base(project: &Project, trust: &Trust, here: &Published) -> Result<Option<Entries>, Error> {
    let Some(known) = &trust.memory.uploaded else {
        return Ok(None);
    };
    if here.state().as_ref() == Some(known) {
        return Ok(Some(here.target_entries()));
    }
    let name =
        crate::metadata::file_name("targets", known.targets.version, here.consistent_snapshot());
    let path = project.metadata().join(name);
    let bytes = fs::read_optional(&path, upload::MAX_METADATA)?;
    let bytes = bytes.filter(|bytes| sha256_hex(bytes) == known.targets.sha256);
    Ok(match bytes {
        Some(bytes) => {
            let targets = Document::parse(&path, &bytes)?;
            targets.signed()["targets"].as_object().cloned()
        }
        None => None,
    })
}

/// Without a base: whatever is here and not newer than what is there was
/// removed there.
fn not_newer(ours: &Entries, theirs: &Entries) -> Entries {
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

/// Writes the metadata, the timestamp last.
fn write(project: &Project, there: &Published, report: &mut Report) -> Result<(), Error> {
    let folder = project.metadata();
    let newest = there.roots().last().map(|(_, bytes)| bytes.to_vec());
    let mut files = there.files.clone();
    files.extend(newest.map(|bytes| ("root.json".to_owned(), bytes)));
    files.sort_by_key(|(file, _)| file == "timestamp.json");
    for (file, bytes) in files {
        let path = folder.join(&file);
        if fs::read_optional(&path, upload::MAX_METADATA)?.as_ref() != Some(&bytes) {
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
            fs::remove_file(&path)?;
        }
    }
    Ok(())
}

fn remember(trust: &mut Trust, there: &Published, here: Option<State>) -> Result<(), Error> {
    if here.is_some() {
        trust.follow(there)?;
        trust.memory.published = here;
    }
    trust.memory.uploaded = there.state();
    Ok(trust.save()?)
}
