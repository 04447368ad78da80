//! Checking a whole repository, here or on the web, as clients would: a fresh
//! one, and ones that were offline since each of the older roots.

use crate::metadata::{Document, Published};
use crate::progress::Progress;
use crate::temporary;
use notsotuf_stub::bundle::patch::{self, Scattered};
use notsotuf_stub::bundle::unpack::unpack;
use notsotuf_stub::bundle::{Manifest, Rules};
use notsotuf_stub::catalog::{Catalog, TargetName};
use notsotuf_stub::fs::{self, FsError};
use notsotuf_stub::http::{Answer, Http, HttpError};
use notsotuf_stub::tuf::{self, Bounds, Refresh, Step, TargetFile, TufError, UnixTime};
use pep440_rs::Version;
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Why an audit could not be done.
#[derive(Debug, thiserror::Error)]
pub enum AuditError {
    /// The file system.
    #[error(transparent)]
    Fs(#[from] FsError),
    /// The network.
    #[error(transparent)]
    Http(#[from] HttpError),
    /// No root to start from.
    #[error("there is no {0:?}; name the root to trust with --root")]
    NoRoot(PathBuf),
}

/// Where the repository is.
pub enum Target {
    /// A folder with `metadata` and `targets`.
    Local(PathBuf),
    /// A URL below which they are.
    Remote(String, Http),
}

impl Target {
    /// A repository on the web.
    pub fn remote(url: &str) -> Self {
        Self::patient(url, Duration::from_secs(30))
    }

    /// A repository on the web, whose server may be silent for so long.
    pub fn patient(url: &str, silence: Duration) -> Self {
        let url = url.trim_end_matches('/').to_owned();
        Target::Remote(url, Http::new(silence))
    }

    fn metadata(&self, file: &str, limit: u64) -> Result<Option<Vec<u8>>, AuditError> {
        match self {
            Target::Local(folder) => Ok(fs::read_optional(
                &folder.join("metadata").join(file),
                limit,
            )?),
            Target::Remote(url, http) => {
                let url = format!("{url}/metadata/{}", tuf::percent_encode(file, false));
                match http.get(&url, limit, None)? {
                    Answer::Found { bytes, .. } => Ok(Some(bytes)),
                    Answer::Absent | Answer::NotModified => Ok(None),
                    // As object stores answer where there is nothing.
                    Answer::Forbidden if file.ends_with(".root.json") => Ok(None),
                    Answer::Forbidden => Err(HttpError::forbidden(&url).into()),
                }
            }
        }
    }

    /// What a client says of a file here that is larger than it reads.
    fn too_large(&self, file: &str, limit: u64) -> Result<Option<TufError>, AuditError> {
        let Target::Local(folder) = self else {
            return Ok(None);
        };
        let found = fs::inspect(&folder.join("metadata").join(file))?;
        let size = found.map_or(0, |found| found.len());
        Ok((size > limit).then(|| TufError::Length {
            name: file.into(),
            found: size,
            expected: limit,
        }))
    }

    /// Copies a target to `to`, checked; what is wrong with it is the inner
    /// error.
    fn target(
        &self,
        path: &str,
        stored: &str,
        target: &TargetFile,
        to: &Path,
    ) -> Result<Result<(), String>, AuditError> {
        let mut hasher = match target.hasher(path) {
            Ok(hasher) => hasher,
            Err(e) => return Ok(Err(e.to_string())),
        };
        let mut file = fs::create_new(to)?;
        let mut length = 0;
        let mut take = |data: &[u8]| -> Result<(), AuditError> {
            hasher.update(data);
            length += data.len() as u64;
            file.write_all(data)
                .map_err(|e| FsError::new("write", to, e))?;
            Ok(())
        };
        match self {
            Target::Local(folder) => {
                let place = folder.join("targets").join(stored);
                let Ok(mut from) = fs::open(&place) else {
                    return Ok(Err(format!("{place:?} is missing")));
                };
                let mut buffer = vec![0; 1 << 17];
                loop {
                    let n = from
                        .read(&mut buffer)
                        .map_err(|e| FsError::new("read", &place, e))?;
                    if n == 0 {
                        break;
                    }
                    take(&buffer[..n])?;
                }
            }
            Target::Remote(url, http) => {
                let url = format!("{url}/targets/{}", tuf::percent_encode(stored, true));
                match http.stream(&url, target.length, &mut take) {
                    Ok(()) => {}
                    Err(AuditError::Http(e)) => return Ok(Err(e.to_string())),
                    Err(e) => return Err(e),
                }
            }
        }
        let checked = tuf::metadata::verify_length(path, target.length, length)
            .and_then(|()| hasher.finish(path));
        Ok(checked.map_err(|e| e.to_string()))
    }
}

/// What is there, beside what is published here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum There {
    /// The same, byte for byte.
    Same,
    /// Nothing.
    Nothing,
    /// Something else than metadata.
    NoMetadata,
    /// A timestamp of this version, which is older.
    Older(u64),
    /// A timestamp of this version, which is newer.
    Newer(u64),
    /// The same timestamp version, but this file has another content.
    Other(String),
}

/// Compares the metadata there with what is published here.
///
/// # Errors
/// If it cannot be read.
pub fn compare(target: &Target, here: &Published) -> Result<There, AuditError> {
    let limit = Bounds::default().targets;
    let file = "timestamp.json";
    let Some(bytes) = target.metadata(file, limit)? else {
        return Ok(There::Nothing);
    };
    let Ok(timestamp) = Document::parse(Path::new(file), &bytes) else {
        return Ok(There::NoMetadata);
    };
    let (version, there) = (
        here.document("timestamp").map_or(0, Document::version),
        timestamp.version(),
    );
    if there != version {
        return Ok(match there < version {
            true => There::Older(there),
            false => There::Newer(there),
        });
    }
    for (file, ours) in &here.files {
        if target.metadata(file, limit)?.as_ref() != Some(ours) {
            return Ok(There::Other(file.clone()));
        }
    }
    Ok(There::Same)
}

/// What was checked, and what is wrong.
#[derive(Debug, Default)]
pub struct Report {
    /// Versions of the root.
    pub roots: usize,
    /// Full archives.
    pub archives: usize,
    /// Patches.
    pub patches: usize,
    /// Targets that are neither.
    pub others: usize,
    /// One sentence each.
    pub problems: Vec<String>,
}

/// Checks the repository as clients that trust the root in the file `root`
/// would.
///
/// # Errors
/// If it cannot be checked; what is wrong with it is in the report.
pub fn verify(
    target: &Target,
    root: &Path,
    metadata_only: bool,
    now: UnixTime,
    progress: Progress,
) -> Result<Report, AuditError> {
    let mut report = Report::default();
    let first = fs::read_optional(root, Bounds::default().root)?
        .ok_or_else(|| AuditError::NoRoot(root.into()))?;
    let mut roots = Vec::new();
    let client = match walk(target, &first, now, Some(&mut roots))? {
        Ok(client) => Some(client),
        Err(e) => {
            report.problems.push(format!("a fresh client: {e}"));
            None
        }
    };
    report.roots = 1 + roots.len();
    // A client that was offline since one of the later roots.
    for root in &roots {
        if let Err(e) = walk(target, root, now, None)? {
            let version = version(root);
            report
                .problems
                .push(format!("a client with root {version}: {e}"));
        }
    }
    if let Some(client) = client.filter(|_| !metadata_only) {
        targets(target, &client, progress, &mut report)?;
    }
    Ok(report)
}

/// The targets that clients which trust `root` find, by path, as JSON; what
/// is wrong with the metadata is the inner error. Expiry does not matter here.
///
/// # Errors
/// If it cannot be read.
pub fn listed(
    target: &Target,
    root: &[u8],
) -> Result<Result<Map<String, Value>, TufError>, AuditError> {
    let client = match walk(target, root, UnixTime::MIN, None)? {
        Ok(client) => client,
        Err(e) => return Ok(Err(e)),
    };
    let entry = |file: &TargetFile| json!({ "length": file.length, "hashes": file.hashes, "custom": file.custom.value() });
    let targets = client.trusted().targets("targets");
    let targets = targets.iter().flat_map(|metadata| &metadata.targets);
    let entries = targets.map(|(path, file)| (path.clone(), entry(file)));
    Ok(Ok(entries.collect()))
}

fn version(root: &[u8]) -> u64 {
    let value: Option<serde_json::Value> = serde_json::from_slice(root).ok();
    value
        .and_then(|v| v["signed"]["version"].as_u64())
        .unwrap_or(0)
}

/// Refreshes as a client that has nothing but `root`. Puts the roots on the
/// way into `seen`.
fn walk(
    target: &Target,
    root: &[u8],
    now: UnixTime,
    mut seen: Option<&mut Vec<Vec<u8>>>,
) -> Result<Result<Refresh, TufError>, AuditError> {
    let mut client = match Refresh::new(root, now, Bounds::default()) {
        Ok(client) => client,
        Err(e) => return Ok(Err(e)),
    };
    loop {
        let answer = match client.next_step() {
            Step::Done => return Ok(Ok(client)),
            Step::Load { .. } => client.answer(None),
            Step::Fetch {
                file, max_length, ..
            } => match target.too_large(&file, max_length)? {
                Some(problem) => Err(problem),
                None => client.answer(target.metadata(&file, max_length)?),
            },
            Step::Store { role, bytes } => {
                if let Some(seen) = seen.as_mut().filter(|_| role == "root") {
                    seen.push(bytes);
                }
                Ok(())
            }
            Step::Remove { .. } => Ok(()),
        };
        if let Err(e) = answer {
            return Ok(Err(e));
        }
    }
}

/// An unpacked archive.
struct Release {
    folder: PathBuf,
    manifest: Manifest,
}

fn targets(
    target: &Target,
    client: &Refresh,
    progress: Progress,
    report: &mut Report,
) -> Result<(), AuditError> {
    let Some(metadata) = client.trusted().targets("targets") else {
        return Ok(());
    };
    let consistent = client.trusted().root().consistent_snapshot;
    let total = metadata.targets.values().map(|file| file.length).sum();
    let bar = progress.bar("checking targets", total);
    let work = temporary::Folder::new()?;
    let fetch = |path: &str, file: &TargetFile, to: &Path| {
        let result = target.target(path, &file.stored_name(path, consistent), file, to);
        bar.inc(file.length);
        result
    };
    let mut apps = BTreeSet::new();
    for (path, file) in &metadata.targets {
        if let Some(name) = TargetName::parse(path) {
            apps.insert(name.name);
            continue;
        }
        report.others += 1;
        let to = work.path().join("other");
        if let Err(problem) = fetch(path, file, &to)? {
            report.problems.push(problem);
        }
        fs::remove_file(&to)?;
    }
    for app in apps {
        let catalog = Catalog::new(&app, &metadata.targets);
        let mut open: BTreeMap<Version, Release> = BTreeMap::new();
        for (version, archive) in &catalog.archives {
            report.archives += 1;
            let to = work.path().join("archive");
            fs::remove_file(&to)?;
            let folder = work.path().join(format!("{app}-{version}"));
            if let Err(problem) = fetch(&archive.path, &archive.file, &to)? {
                report.problems.push(problem);
                continue;
            }
            fs::create_dir_all(&folder)?;
            let file = fs::open(&to)?;
            match unpack(file, &folder, None, Rules::host(), &mut |_| true) {
                Ok(manifest) => {
                    if archive
                        .tree
                        .is_some_and(|tree| tree != manifest.tree_hash())
                    {
                        let problem = format!("{}: its content is another", archive.path);
                        report.problems.push(problem);
                    }
                    let release = Release { folder, manifest };
                    open.insert(version.clone(), release);
                }
                Err(e) => report.problems.push(format!("{}: {e}", archive.path)),
            }
            if let Some(patch) = catalog.patches.get(version) {
                report.patches += 1;
                let to = work.path().join("patch");
                fs::remove_file(&to)?;
                match fetch(&patch.path, &patch.file, &to)? {
                    Err(problem) => report.problems.push(problem),
                    Ok(()) if patch.format.as_deref() == Some(patch::FORMAT) => {
                        if let Err(e) = apply(patch, &to, version, &catalog, &open, work.path())? {
                            report.problems.push(format!("{}: {e}", patch.path));
                        }
                    }
                    // tufup's are over the whole archive; their hashes match.
                    Ok(()) => {}
                }
            }
            // Trees that no later patch leads from are done with.
            let wanted = |old: &Version| {
                let mut later = catalog
                    .patches
                    .range(version..)
                    .skip_while(|(v, _)| *v == version);
                later.any(|(_, patch)| patch.from.as_ref() == Some(old))
            };
            let done: Vec<Version> = open.keys().filter(|v| !wanted(v)).cloned().collect();
            for old in done {
                if let Some(old) = open.remove(&old) {
                    fs::remove_tree(&old.folder)?;
                }
            }
        }
        for patch in catalog
            .patches
            .iter()
            .filter(|(v, _)| !catalog.archives.contains_key(v))
        {
            report.problems.push(format!(
                "{}: there is no archive of that version",
                patch.1.path
            ));
        }
        for release in open.values() {
            fs::remove_tree(&release.folder)?;
        }
    }
    bar.finish_and_clear();
    Ok(())
}

fn apply(
    patch: &notsotuf_stub::catalog::Patch,
    file: &Path,
    version: &Version,
    catalog: &Catalog,
    open: &BTreeMap<Version, Release>,
    work: &Path,
) -> Result<Result<(), String>, AuditError> {
    let from = match &patch.from {
        Some(from) if from < version => from,
        _ => {
            return Ok(Err(
                "it does not say from which older version it leads".into()
            ));
        }
    };
    // That one may have been dropped: clients that have it still take the
    // patch, but nobody can try it any more.
    if !catalog.archives.contains_key(from) {
        return Ok(Ok(()));
    }
    let Some(old) = open.get(from) else {
        return Ok(Err(format!("the archive of {from} is not sound")));
    };
    let Some(new) = open.get(version) else {
        return Ok(Err("its archive is not sound".into()));
    };
    let (built, out) = (work.join("built"), work.join("out"));
    fs::create_dir_all(&built)?;
    fs::create_dir_all(&out)?;
    let expected = new.manifest.tree_hash();
    let result = Scattered::installed(&old.folder, old.manifest.clone())
        .apply(file, expected, &built, Rules::host(), &mut |_| true)
        .and_then(|scattered| scattered.gather(&out, &mut |_| true));
    fs::remove_tree(&built)?;
    fs::remove_tree(&out)?;
    Ok(result.map(|_| ()).map_err(|e| e.to_string()))
}
