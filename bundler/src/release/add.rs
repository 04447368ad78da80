//! Adds a release: packs it, has its patches made, checks both, and lists them.

use super::direct_patches;
use super::error::ReleaseError;
use super::new_release::{AddReport, NewRelease};
use super::patching::{self, Bases, Making};
use super::pending::{PendingTargets, settle};
use super::target_entry::entry;
use super::{rollout, version_check};
use crate::metadata::{Published, limits};
use crate::pack::{SigningError, Unpacked, archive};
use crate::patch::per_file::Budget;
use crate::progress::Progress;
use crate::project::{Project, client_settings};
use crate::temporary;
use crate::vet::{self, Candidate, Vetting};
use notsotuf_stub::bundle::Manifest;
use notsotuf_stub::catalog::TargetKind;
use notsotuf_stub::catalog::custom::ArchiveCustom;
use notsotuf_stub::clock::now;
use notsotuf_stub::fs::{self, FsError};
use notsotuf_stub::stub_version;
use pep440_rs::Version;
use serde_json::Value;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// Packs a bundle, makes a patch from the release before it and as many direct
/// ones as the settings want, checks all of it
/// with the stub's own code, and puts them on the list.
///
/// # Errors
/// [`ReleaseError`]; nothing is on the list then.
pub(crate) fn add(
    project: &Project,
    published: &Published,
    addition: &NewRelease,
    progress: Progress,
) -> Result<AddReport, ReleaseError> {
    let mut pending = PendingTargets::open(project, published)?;
    let (app, version) = (addition.app, &addition.version);
    let replaced = take_replaced(&mut pending, addition);
    let force = matches!(addition.vetting, Vetting::Forced { .. });
    version_check::check(&pending, project, app, version, force)?;
    let settings = client_settings::of_release(&project.settings.client)
        .map_err(ReleaseError::ClientSettings)?;
    let bases = Bases::new(project, &pending, published, addition);
    let candidate = Candidate {
        app,
        bundle: addition.bundle,
        vetting: addition.vetting,
    };
    let mut warnings = vet::vet(project, published, &candidate, bases.previous()?.as_ref())?;
    let signed = sign(project, addition.bundle)?;
    fs::create_dir_all(&pending.files())?;
    let work = temporary::Folder::new_in(&project.pending(), ".add-")?;
    let archive_file = work.path().join("archive");
    let tar = archive::pack(addition.bundle, &archive_file, |n| {
        progress.bar("packing", n)
    })?;
    let new = Unpacked::open(&archive_file, &work.path().join("new"), progress)
        .map_err(ReleaseError::NewArchive)?;
    let custom = archive_custom(&pending, addition, settings, &new.manifest);
    let (archive_entry, archive_size) = entry(&archive_file, addition.meta.clone().into(), custom)?;
    let archive_path = project.target(app, version, TargetKind::Archive);
    let making = Making {
        work: work.path(),
        archive: &archive_file,
        size: archive_size,
        tar,
        new,
        progress,
        budget: Budget::of(addition.budget),
        within: addition.budget,
    };
    let patches = patching::make(&bases, &making)?;
    let direct = direct_patches::make(&bases, &making, &patches)?;
    warnings.extend(patches.warnings.into_iter().chain(direct.warnings));
    let archive = [(archive_file, archive_path.clone(), archive_entry)].into_iter();
    let files = archive.chain(patches.files).chain(direct.files);
    list(&mut pending, files)?;
    replaced.finish(project, &mut pending, app)?;
    warnings.extend(limits::warning(&pending.entries));
    Ok(AddReport {
        archive: (archive_path, archive_size),
        patch: patches.made,
        no_patch: patches.why_none,
        from: patches.from,
        direct: direct.patches,
        signed,
        warnings,
    })
}

/// What a new release replaces.
struct Replaced {
    /// Targets that are off the list.
    paths: Vec<String>,
    withdrawn: BTreeSet<Version>,
    retired: BTreeSet<Version>,
}

/// Takes what the new release replaces off the list, in memory.
fn take_replaced(pending: &mut PendingTargets, addition: &NewRelease) -> Replaced {
    let app = addition.app;
    let (withdrawn, retired) = (pending.withdrawn(app), pending.retired(app));
    let releases = pending.releases(app).into_iter();
    let paths: Vec<String> = releases
        .filter(|(version, _)| addition.replaces && !pending.is_published(app, version))
        .map(|(_, path)| path)
        .collect();
    pending.entries.retain(|path, _| !paths.contains(path));
    Replaced {
        paths,
        withdrawn,
        retired,
    }
}

impl Replaced {
    /// Keeps the list, and removes the files of what is not on it any more.
    fn finish(
        self,
        project: &Project,
        pending: &mut PendingTargets,
        app: &str,
    ) -> Result<(), FsError> {
        if !self.paths.is_empty() {
            // It may be one of these that said it.
            pending.bear(app, self.withdrawn, self.retired);
        }
        pending.save()?;
        settle(project, pending, app)?;
        let gone = |path: &&String| !pending.entries.contains_key(*path);
        let mut gone = self.paths.iter().filter(gone);
        gone.try_for_each(|path| fs::remove_file_if_exists(&pending.files().join(path)))
    }
}

/// Signs the programs of a bundle as the settings say, in their place.
fn sign(project: &Project, bundle: &Path) -> Result<Vec<PathBuf>, SigningError> {
    let signing = project.code_signing();
    signing.map_or(Ok(Vec::new()), |signing| signing.sign_bundle(bundle))
}

/// Puts new files where those of the list are, and on it.
fn list(
    pending: &mut PendingTargets,
    files: impl Iterator<Item = (PathBuf, String, Value)>,
) -> Result<(), FsError> {
    for (file, path, entry) in files {
        fs::rename_durably(&file, &pending.files().join(&path))?;
        pending.entries.insert(path, entry);
    }
    Ok(())
}

fn archive_custom(
    pending: &PendingTargets,
    addition: &NewRelease,
    settings: Option<String>,
    new: &Manifest,
) -> ArchiveCustom {
    let releases = pending.releases(addition.app).into_iter();
    let last = releases
        .filter_map(|(_, path)| pending.custom(&path).added)
        .max();
    ArchiveCustom {
        required: addition.required,
        tree: Some(new.tree_hash()),
        stub: addition.stub.clone(),
        rollout: rollout::rollout_entry(None, addition.rollout),
        notes: addition.notes.clone(),
        settings,
        size: Some(new.totals().1),
        // Later than all others, so that the last one is known.
        added: Some(now().max(last.map_or(0, |last| last + 1))),
        ..ArchiveCustom::default()
    }
}

/// Refuses a `wanted` stub that no client can have: neither is it listed for
/// the application, nor is it `at_hand`.
///
/// # Errors
/// [`ReleaseError::NoSuchStub`].
pub(crate) fn check_stub(
    pending: &PendingTargets,
    app: &str,
    wanted: &Version,
    at_hand: Option<Version>,
) -> Result<(), ReleaseError> {
    let listed = pending.releases(&stub_version::target_name(app)).pop();
    let newest = listed.map(|(version, _)| version).max(at_hand);
    if newest.as_ref().is_some_and(|newest| newest >= wanted) {
        return Ok(());
    }
    Err(ReleaseError::NoSuchStub {
        wanted: wanted.clone(),
        newest,
    })
}
