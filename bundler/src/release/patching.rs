//! Makes the patch of a new release: from which release, in which format,
//! within which time, and checked with the stub's own code.

use super::numbers::{self, Line};
use super::patch_hints;
use super::target_entry::entry;
use super::{NewRelease, PendingTargets, ReleaseError};
use crate::metadata::Published;
use crate::pack::Unpacked;
use crate::pack::archive::Tar;
use crate::patch::bsdiff4::{self, BsdiffError};
use crate::patch::per_file::{self, Budget, DiffError, Noticed, Summary};
use crate::progress::Progress;
use crate::project::{PatchFormat, Project};
use crate::vet::{self, Previous, Vetting};
use indicatif::HumanDuration;
use notsotuf_stub::bundle::patch::{Format, PatchError, apply_patch};
use notsotuf_stub::bundle::{Rules, TreeHash};
use notsotuf_stub::catalog::TargetKind;
use notsotuf_stub::catalog::custom::{self, PatchCustom};
use notsotuf_stub::hex::encode_hex;
use notsotuf_stub::policy::update_plan::MAX_SIZE_RATIO;
use pep440_rs::Version;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// A release that is there already.
struct Release {
    version: Version,
    /// Its archive, as a target.
    path: String,
    tree: Option<TreeHash>,
}

/// Holds what a new release stands beside.
pub(super) struct Bases<'a> {
    project: &'a Project,
    pending: &'a PendingTargets<'a>,
    addition: &'a NewRelease<'a>,
    consistent: bool,
    /// The one its patch leads from.
    base: Option<Release>,
    /// The one whose patch has to lead from the new one: only clients of tufup
    /// need that.
    next: Option<Release>,
}

impl<'a> Bases<'a> {
    /// Finds what a new release of this version stands beside.
    pub(super) fn new(
        project: &'a Project,
        pending: &'a PendingTargets,
        published: &Published,
        addition: &'a NewRelease,
    ) -> Self {
        let line: Line = pending.line(addition.app);
        let releases = pending.releases(addition.app);
        let release = |wanted: &Version| {
            let found = releases.iter().find(|(version, _)| version == wanted);
            found.map(|(version, path)| Release {
                version: version.clone(),
                path: path.clone(),
                tree: pending.custom(path).tree,
            })
        };
        let new = &addition.version;
        let tufup = project.settings.patch_format == PatchFormat::Bsdiff4;
        let base = if tufup {
            line.range(..new).next_back().map(|(version, _)| version)
        } else {
            numbers::base(&line, new)
        };
        let next = line.range(new..).next().filter(|_| tufup);
        let next = next.filter(|(_, listed)| listed.from.is_some());
        Bases {
            project,
            pending,
            addition,
            consistent: published.consistent_snapshot(),
            base: base.and_then(release),
            next: next.and_then(|(version, _)| release(version)),
        }
    }

    /// Returns what is known of the previous release, for a look at the new
    /// bundle.
    ///
    /// # Errors
    /// The file system's.
    pub(super) fn previous(&self) -> Result<Option<Previous>, ReleaseError> {
        let Some(base) = &self.base else {
            return Ok(None);
        };
        if matches!(self.addition.vetting, Vetting::None) {
            return Ok(None);
        }
        let archive = self.pending.find(&base.path, self.consistent)?;
        Ok(archive.and_then(|archive| vet::previous(&base.version, &archive)))
    }

    fn archive(&self, release: &Release) -> Result<PathBuf, ReleaseError> {
        self.pending.archive(&release.path, self.consistent)
    }
}

/// Holds the new release, and how its patch is made.
pub(super) struct Making<'a> {
    /// Where files can be written.
    pub work: &'a Path,
    /// Its archive,
    pub archive: &'a Path,
    /// the size of that,
    pub size: u64,
    /// the tar in it,
    pub tar: Tar,
    /// and what is in that.
    pub new: Unpacked,
    /// How progress is shown.
    pub progress: Progress,
    /// How long it may take from now on,
    pub budget: Budget,
    /// and in all.
    pub within: Duration,
}

/// Says what came of making patches.
#[derive(Default)]
pub(super) struct Patches {
    /// New files with their target paths and entries.
    pub files: Vec<(PathBuf, String, Value)>,
    /// Target path and size of the patch, and what is in it.
    pub made: Option<(String, u64, Option<Summary>)>,
    /// Why there is none.
    pub why_none: Option<String>,
    /// The version it leads from.
    pub from: Option<Version>,
    /// What the release engineer should know.
    pub warnings: Vec<String>,
}

/// Makes the patch, if one is wanted and pays.
///
/// # Errors
/// [`ReleaseError`].
pub(super) fn make(bases: &Bases, making: &Making) -> Result<Patches, ReleaseError> {
    let mut patches = Patches::default();
    let Some(base) = &bases.base else {
        patches.why_none = Some("it is the first release".into());
        return Ok(patches);
    };
    let wanted = bases.project.settings.patch_format;
    if base.tree == Some(making.new.manifest.tree_hash()) {
        patches.warnings.push(unchanged(&base.version));
    }
    if bases.addition.skip_patch {
        patches.why_none = Some("as asked".into());
        return Ok(patches);
    }
    if wanted == PatchFormat::None {
        patches.why_none = Some("patch_format is \"none\"".into());
        return Ok(patches);
    }
    let old = bases.archive(base)?;
    patches.from = Some(base.version.clone());
    let made = match wanted.per_file() {
        None => bsdiff_patch(bases, base, &old, making, &mut patches),
        Some(format) => patch_per_file(bases, base, &old, making, format, &mut patches),
    };
    match made {
        Err(ReleaseError::Diff(DiffError::Budget) | ReleaseError::Bsdiff(BsdiffError::Budget)) => {
            let time = HumanDuration(making.within);
            patches = Patches {
                why_none: Some(format!(
                    "making it takes longer than {time} (--patch-budget)"
                )),
                warnings: patches.warnings,
                ..Patches::default()
            };
            Ok(patches)
        }
        // No client would take it.
        Err(ReleaseError::Check(PatchError::Memory)) => Ok(Patches {
            why_none: Some("applying it would take a client too much memory".into()),
            warnings: patches.warnings,
            ..Patches::default()
        }),
        other => other.map(|()| patches),
    }
}

fn unchanged(base: &Version) -> String {
    format!(
        "nothing in this bundle differs from {base}: was PyInstaller run since? Users would update \
         to what they have; `notsotuf remove-latest` takes it back"
    )
}

fn patch_per_file(
    bases: &Bases,
    base: &Release,
    old: &Path,
    making: &Making,
    format: Format,
    patches: &mut Patches,
) -> Result<(), ReleaseError> {
    let old = Unpacked::open(old, &making.work.join("old"), making.progress)
        .map_err(ReleaseError::old_archive(old))?;
    let (from_tree, tree) = (old.manifest.tree_hash(), making.new.manifest.tree_hash());
    if from_tree == tree && base.tree.is_none() {
        patches.warnings.push(unchanged(&base.version));
    }
    let file = making.work.join("patch");
    let (summary, noticed) = make_checked(&old, making, format, &file)?;
    let custom = PatchCustom {
        format: Some(format.name().into()),
        from: Some(base.version.clone()),
        from_tree: Some(from_tree),
        tree: Some(tree),
        tar: Some(custom::Tar {
            sha256: encode_hex(&making.tar.sha256),
            size: making.tar.size,
        }),
        ..PatchCustom::default()
    };
    let (entry, size) = entry(&file, json!({}), custom)?;
    let hints = patch_hints::hints(&noticed, &making.new.folder, format, size, making.size);
    patches.warnings.extend(hints);
    if size * MAX_SIZE_RATIO.1 > making.size * MAX_SIZE_RATIO.0 {
        patches.why_none = Some("it would be about as large as the archive".into());
        return Ok(());
    }
    let path = target(bases, &bases.addition.version);
    patches.made = Some((path.clone(), size, Some(summary)));
    patches.files.push((file, path, entry));
    Ok(())
}

/// The patch is listed however large it is: where a release has none, clients
/// of tufup take those before it for the way to it.
fn bsdiff_patch(
    bases: &Bases,
    base: &Release,
    old: &Path,
    making: &Making,
    patches: &mut Patches,
) -> Result<(), ReleaseError> {
    let make = |from: &Version, old: &Path, new: &Path, name: &str| {
        let file = making.work.join(name);
        let tar = bsdiff4::patch(old, new, &file, making.budget, making.progress)?;
        let custom = PatchCustom {
            format: Some("bsdiff4".into()),
            from: Some(from.clone()),
            tar: Some(tar),
            ..PatchCustom::default()
        };
        let (entry, size) = entry(&file, json!({}), custom)?;
        Ok::<_, ReleaseError>((file, entry, size))
    };
    let version = &bases.addition.version;
    let (file, entry, size) = make(&base.version, old, making.archive, "patch")?;
    let path = target(bases, version);
    patches.made = Some((path.clone(), size, None));
    patches.files.push((file, path, entry));
    let Some(next) = &bases.next else {
        return Ok(());
    };
    // They apply all patches in the order of the versions, so that of the next
    // version has to lead from this one from now on.
    match bases.pending.find(&next.path, bases.consistent)? {
        Some(archive) => {
            let (file, entry, _) = make(version, making.archive, &archive, "next")?;
            patches
                .files
                .push((file, target(bases, &next.version), entry));
        }
        None => patches.warnings.push(format!(
            "the archive of {} is not here, so no patch to it from {version} can be made: the \
             patches up to there are dropped from the metadata, and clients take full archives",
            next.version
        )),
    }
    Ok(())
}

fn target(bases: &Bases, version: &Version) -> String {
    let app = bases.addition.app;
    bases.project.target(app, version, TargetKind::Patch)
}

fn make_checked(
    old: &Unpacked,
    making: &Making,
    format: Format,
    patch: &Path,
) -> Result<(Summary, Noticed), ReleaseError> {
    let (new, progress) = (&making.new, making.progress);
    let expected = new.manifest.tree_hash();
    let (before, after) = (old.tree(), new.tree());
    let made = per_file::diff(before, after, patch, format, making.budget, |n| {
        progress.bar("making the patch", n)
    })?;
    let check = making.work.join("check");
    let bar = progress.bar("checking the patch", new.manifest.totals().1);
    let mut observer = |n| {
        bar.inc(n);
        true
    };
    apply_patch(
        before,
        patch,
        expected,
        Rules::host(),
        &check,
        &mut observer,
    )
    .map_err(ReleaseError::Check)?;
    bar.finish_and_clear();
    Ok(made)
}
