//! Checks the targets of a repository: archives are unpacked, patches applied.

use super::source::{RepositorySource, VerifyError};
use crate::progress::Progress;
use crate::temporary;
use notsotuf_stub::bundle::patch::{self, Scattered};
use notsotuf_stub::bundle::unpack::unpack;
use notsotuf_stub::bundle::{Manifest, Rules};
use notsotuf_stub::catalog::{Catalog, TargetName};
use notsotuf_stub::fs;
use notsotuf_stub::tuf::{Refresh, TargetFile};
use pep440_rs::Version;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

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

/// An unpacked archive.
pub struct Release {
    folder: PathBuf,
    manifest: Manifest,
}

pub fn targets(
    target: &RepositorySource,
    client: &Refresh,
    progress: Progress,
    report: &mut Report,
) -> Result<(), VerifyError> {
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

pub fn apply(
    patch: &notsotuf_stub::catalog::Patch,
    file: &Path,
    version: &Version,
    catalog: &Catalog,
    open: &BTreeMap<Version, Release>,
    work: &Path,
) -> Result<Result<(), String>, VerifyError> {
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
