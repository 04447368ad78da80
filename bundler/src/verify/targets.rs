//! Checks the targets of a repository: archives are unpacked, patches applied.

use super::finding::Finding;
use super::source::{RepositorySource, VerifyError};
use crate::pack::Unpacked;
use crate::progress::Progress;
use crate::temporary;
use indicatif::ProgressBar;
use notsotuf_stub::bundle::Rules;
use notsotuf_stub::bundle::patch;
use notsotuf_stub::catalog::custom::PatchCustom;
use notsotuf_stub::catalog::{Archive, Catalog, Patch, TargetKind, TargetName};
use notsotuf_stub::fs;
use notsotuf_stub::tuf::{Refresh, TargetFile};
use pep440_rs::Version;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;
use std::path::{Path, PathBuf};

/// Says what was checked, and what is wrong.
#[derive(Debug, Default)]
pub(crate) struct Report {
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

/// Holds an unpacked archive.
/// Checks all targets that a refreshed client finds, and adds to the report.
///
/// # Errors
/// If they cannot be checked; what is wrong with them is in the report.
pub(super) fn targets(
    source: &RepositorySource,
    client: &Refresh,
    progress: Progress,
    report: &mut Report,
) -> Result<(), VerifyError> {
    let Some(metadata) = client.trusted().targets("targets") else {
        return Ok(());
    };
    let total = metadata.targets.values().map(|file| file.length).sum();
    let bar = progress.bar("checking targets", total);
    let mut check = TargetCheck {
        source,
        consistent: client.trusted().root().consistent_snapshot,
        bar: &bar,
        work: temporary::Folder::new()?,
        report,
    };
    let mut apps = BTreeSet::new();
    for (path, file) in &metadata.targets {
        match TargetName::parse(path) {
            Some(target) => {
                check.name(path, &target, file);
                apps.insert(target.name);
            }
            None => check.other(path, file)?,
        }
    }
    for app in apps {
        check.app(&app, &Catalog::new(&app, &metadata.targets))?;
    }
    bar.finish_and_clear();
    Ok(())
}

/// Looks for releases that are listed though they were withdrawn, and adds to
/// the report.
pub(super) fn withdrawn(client: &Refresh, report: &mut Report) {
    let Some(metadata) = client.trusted().targets("targets") else {
        return;
    };
    let names = metadata.targets.keys();
    let apps: BTreeSet<String> = names
        .filter_map(|path| TargetName::parse(path))
        .map(|target| target.name)
        .collect();
    for app in apps {
        let catalog = Catalog::new(&app, &metadata.targets);
        let listed = catalog.archives.iter();
        let both = listed.filter(|(version, _)| catalog.withdrawn.contains(version));
        report.problems.extend(both.map(|(version, archive)| {
            format!(
                "{}: version {version} is withdrawn, but listed: clients install it and leave it \
                 at each start",
                archive.path
            )
        }));
    }
}

struct TargetCheck<'a> {
    source: &'a RepositorySource,
    consistent: bool,
    bar: &'a ProgressBar,
    work: temporary::Folder,
    report: &'a mut Report,
}

impl TargetCheck<'_> {
    /// Fetches a target; `false` if it is not as it is listed, which is told.
    fn fetch(&mut self, path: &str, file: &TargetFile, to: &Path) -> Result<bool, VerifyError> {
        let stored = file.stored_name(path, self.consistent);
        let found = self.source.target(path, &stored, file, to);
        self.bar.inc(file.length);
        match found? {
            Finding::Sound(()) => Ok(true),
            Finding::Problem(problem) => {
                self.report.problems.push(problem);
                Ok(false)
            }
        }
    }

    /// Clients skip a direct patch whose name says something else than what is
    /// signed of it.
    fn name(&mut self, path: &str, target: &TargetName, file: &TargetFile) {
        let TargetKind::DirectPatch { from } = &target.kind else {
            return;
        };
        let signed = PatchCustom::of(&file.custom.value()).from;
        if signed.as_ref() != Some(from) {
            let signed = signed.map_or_else(|| "no version".into(), |signed| signed.to_string());
            self.report.problems.push(format!(
                "{path}: its name says that it leads from {from}, what is signed says {signed}: \
                 clients skip it"
            ));
        }
    }

    /// A target that is neither an archive nor a patch.
    fn other(&mut self, path: &str, file: &TargetFile) -> Result<(), VerifyError> {
        self.report.others += 1;
        let to = self.work.path().join("other");
        self.fetch(path, file, &to)?;
        Ok(fs::remove_file_if_exists(&to)?)
    }

    /// The archives and patches of an application, oldest first.
    fn app(&mut self, app: &str, catalog: &Catalog) -> Result<(), VerifyError> {
        let mut open: BTreeMap<Version, Unpacked> = BTreeMap::new();
        for (version, archive) in &catalog.archives {
            self.report.archives += 1;
            let to = self.work.path().join("archive");
            fs::remove_file_if_exists(&to)?;
            if !self.fetch(&archive.path, &archive.file, &to)? {
                continue;
            }
            let folder = self.work.path().join(format!("{app}-{version}"));
            open.extend(
                self.unpack(archive, &to, folder)?
                    .map(|release| (version.clone(), release)),
            );
            for patch in catalog.patches_to(version) {
                self.patch(patch, version, catalog, &open)?;
            }
            close(&mut open, version, catalog)?;
        }
        let versions = catalog.patches.keys().chain(catalog.direct_patches.keys());
        let versions: BTreeSet<&Version> = versions.collect();
        let of_none = |version: &&Version| !catalog.archives.contains_key(*version);
        for version in versions.into_iter().filter(of_none) {
            for patch in catalog.patches_to(version) {
                self.report.problems.push(format!(
                    "{}: there is no archive of that version",
                    patch.path
                ));
            }
        }
        for release in open.values() {
            fs::remove_tree_if_exists(&release.folder)?;
        }
        Ok(())
    }

    fn unpack(
        &mut self,
        archive: &Archive,
        file: &Path,
        folder: PathBuf,
    ) -> Result<Option<Unpacked>, VerifyError> {
        fs::create_dir_all(&folder)?;
        let file = fs::open(file)?;
        match Unpacked::read(file, &folder) {
            Ok(release) => {
                if archive
                    .tree
                    .is_some_and(|tree| tree != release.manifest.tree_hash())
                {
                    let problem = format!(
                        "{}: its content is not what the metadata says",
                        archive.path
                    );
                    self.report.problems.push(problem);
                }
                Ok(Some(release))
            }
            Err(e) => {
                self.report.problems.push(format!("{}: {e}", archive.path));
                Ok(None)
            }
        }
    }

    fn patch(
        &mut self,
        patch: &Patch,
        version: &Version,
        catalog: &Catalog,
        open: &BTreeMap<Version, Unpacked>,
    ) -> Result<(), VerifyError> {
        self.report.patches += 1;
        let to = self.work.path().join("patch");
        fs::remove_file_if_exists(&to)?;
        // tufup's are over the whole archive; their hashes match.
        let fetched = self.fetch(&patch.path, &patch.file, &to)?;
        let format = patch.format.as_deref().and_then(patch::Format::named);
        if fetched && format.is_some() {
            let found = apply(patch, &to, version, catalog, open, self.work.path())?;
            if let Finding::Problem(reason) = found {
                self.report
                    .problems
                    .push(format!("{}: {reason}", patch.path));
            }
        }
        Ok(())
    }
}

/// Removes the trees that no patch of a later version leads from, so that no
/// more of them take room at a time than there are releases that patches lead
/// over.
fn close(
    open: &mut BTreeMap<Version, Unpacked>,
    version: &Version,
    catalog: &Catalog,
) -> Result<(), VerifyError> {
    let wanted = |old: &Version| {
        let later = (Bound::Excluded(version), Bound::Unbounded);
        let mut chain = catalog.patches.range::<Version, _>(later);
        let mut direct = catalog.direct_patches.range::<Version, _>(later);
        chain.any(|(_, patch)| patch.from.as_ref() == Some(old))
            || direct.any(|(_, patches)| patches.contains_key(old))
    };
    let done: Vec<Version> = open.keys().filter(|v| !wanted(v)).cloned().collect();
    for old in done {
        if let Some(old) = open.remove(&old) {
            fs::remove_tree_if_exists(&old.folder)?;
        }
    }
    Ok(())
}

pub(super) fn apply(
    patch: &Patch,
    file: &Path,
    version: &Version,
    catalog: &Catalog,
    open: &BTreeMap<Version, Unpacked>,
    work: &Path,
) -> Result<Finding<()>, VerifyError> {
    let from = match &patch.from {
        Some(from) if from < version => from,
        _ => {
            return Ok(Finding::Problem(
                "it does not say which older version it starts from".into(),
            ));
        }
    };
    // That one may have been dropped: clients that have it still take the
    // patch, but nobody can try it any more.
    if !catalog.archives.contains_key(from) {
        return Ok(Finding::Sound(()));
    }
    let Some(old) = open.get(from) else {
        return Ok(Finding::Problem(format!(
            "the archive of {from} is damaged"
        )));
    };
    let Some(new) = open.get(version) else {
        return Ok(Finding::Problem("its archive is damaged".into()));
    };
    let into = work.join("patched");
    let expected = new.manifest.tree_hash();
    let rules = Rules::host();
    let result = patch::apply_patch(old.tree(), file, expected, rules, &into, &mut |_| true);
    fs::remove_tree_if_exists(&into)?;
    Ok(result.map(|_| ()).into())
}
