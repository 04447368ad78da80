//! Makes the patch of a new release: from which release, in which format,
//! within which time, and checked with the stub's own code.

use super::new_release::NoPatch;
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
use crate::temporary;
use crate::vet::{self, Previous, Vetting};
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

/// Describes a release that is there already.
pub(super) struct Release {
    pub version: Version,
    /// Its archive, as a target.
    pub path: String,
    pub tree: Option<TreeHash>,
}

/// Holds what a new release stands beside.
pub(super) struct Bases<'a> {
    project: &'a Project,
    pending: &'a PendingTargets<'a>,
    addition: &'a NewRelease<'a>,
    consistent: bool,
    /// The one its patch leads from.
    base: Option<Release>,
    /// Those that direct patches lead from, newest first.
    pub direct: Vec<Release>,
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
        let count = project.settings.patch_from.saturating_sub(1);
        let is_out = |version: &Version| pending.is_published(addition.app, version);
        let older = base
            .map(|base| numbers::direct_bases(&line, new, base, count, is_out))
            .unwrap_or_default();
        // In the other format, from the release before as well.
        let both = project.settings.patch_format == PatchFormat::Both;
        let direct = base.filter(|_| both).into_iter().chain(older);
        let next = line.range(new..).next().filter(|_| tufup);
        let next = next.filter(|(_, listed)| listed.from.is_some());
        Bases {
            project,
            pending,
            addition,
            consistent: published.consistent_snapshot(),
            direct: direct.filter_map(release).collect(),
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

    /// Returns the archive of a release, if it is here.
    pub(super) fn find(&self, release: &Release) -> Result<Option<PathBuf>, ReleaseError> {
        Ok(self.pending.find(&release.path, self.consistent)?)
    }

    /// Returns the format of direct patches, if such are made.
    pub(super) fn direct_format(&self) -> Option<Format> {
        let wanted = self.project.settings.patch_format.direct();
        wanted.filter(|_| !self.addition.skip_patch)
    }

    /// Returns whether patches are made in both formats.
    pub(super) fn has_both(&self) -> bool {
        self.project.settings.patch_format == PatchFormat::Both
    }

    /// Returns whether this is the release that the first patch leads from.
    pub(super) fn is_base(&self, release: &Release) -> bool {
        let base = self.base.as_ref();
        base.is_some_and(|base| base.version == release.version)
    }

    /// Returns the hints for a patch per file, unless another one is made from the
    /// same release in the next format.
    pub(super) fn hints(&self, made: &Made, making: &Making, format: Format) -> Vec<String> {
        let next = self.direct_format().unwrap_or(format);
        let folder = &making.new.folder;
        let hints = || patch_hints::hints(&made.noticed, folder, format, made.size, making.size);
        if next > format { Vec::new() } else { hints() }
    }

    /// Returns the target path of a patch to the new release.
    pub(super) fn target(&self, kind: TargetKind) -> String {
        let (app, version) = (self.addition.app, &self.addition.version);
        self.project.target(app, version, kind)
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
    pub why_none: Option<NoPatch>,
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
        patches.why_none = Some(NoPatch::FirstRelease);
        return Ok(patches);
    };
    let wanted = bases.project.settings.patch_format;
    if base.tree == Some(making.new.manifest.tree_hash()) {
        patches.warnings.push(unchanged(&base.version));
    }
    if bases.addition.skip_patch {
        patches.why_none = Some(NoPatch::AsAsked);
        return Ok(patches);
    }
    if wanted == PatchFormat::None {
        patches.why_none = Some(NoPatch::Settings);
        return Ok(patches);
    }
    let old = bases.archive(base)?;
    patches.from = Some(base.version.clone());
    let made = match wanted.per_file() {
        None => bsdiff_patch(bases, base, &old, making, &mut patches),
        Some(format) => patch_per_file(bases, base, &old, making, format, &mut patches),
    };
    match made {
        Err(error) => match why_left_out(&error, making) {
            Some(why) => Ok(Patches {
                why_none: Some(why),
                warnings: patches.warnings,
                ..Patches::default()
            }),
            None => Err(error),
        },
        Ok(()) => Ok(patches),
    }
}

/// Returns why a release can do without the patch that could not be made; `None`
/// if that is no reason.
pub(super) fn why_left_out(error: &ReleaseError, making: &Making) -> Option<NoPatch> {
    match error {
        ReleaseError::Diff(DiffError::Budget) | ReleaseError::Bsdiff(BsdiffError::Budget) => {
            Some(NoPatch::Budget(making.within))
        }
        ReleaseError::Check(PatchError::Memory) => Some(NoPatch::Memory),
        _ => None,
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
    let made = make_per_file(base, old, making, format, "patch")?;
    if made.from_tree == making.new.manifest.tree_hash() && base.tree.is_none() {
        patches.warnings.push(unchanged(&base.version));
    }
    let size = made.size;
    patches.warnings.extend(bases.hints(&made, making, format));
    if made.is_too_large(making) {
        patches.why_none = Some(NoPatch::TooLarge);
        return Ok(());
    }
    let path = bases.target(TargetKind::Patch);
    patches.made = Some((path.clone(), size, Some(made.summary)));
    patches.files.push((made.file, path, made.entry));
    Ok(())
}

/// Holds a patch per file, which the stub's own code has applied.
pub(super) struct Made {
    pub file: PathBuf,
    pub entry: Value,
    pub size: u64,
    summary: Summary,
    noticed: Noticed,
    from_tree: TreeHash,
}

impl Made {
    /// Returns whether no client would take it.
    pub(super) fn is_too_large(&self, making: &Making) -> bool {
        self.size * MAX_SIZE_RATIO.1 > making.size * MAX_SIZE_RATIO.0
    }
}

/// Makes and checks the patch from the archive `old` of `base`, with the name
/// `name` where files can be written.
pub(super) fn make_per_file(
    base: &Release,
    old: &Path,
    making: &Making,
    format: Format,
    name: &str,
) -> Result<Made, ReleaseError> {
    let work = temporary::Folder::new_in(making.work, ".old-")?;
    let old = Unpacked::open(old, &work.path().join("old"), making.progress)
        .map_err(ReleaseError::old_archive(old))?;
    let from_tree = old.manifest.tree_hash();
    let file = making.work.join(name);
    let check = work.path().join("check");
    let (summary, noticed) = make_checked(&old, making, format, &file, &check)?;
    let custom = PatchCustom {
        format: Some(format.name().into()),
        from: Some(base.version.clone()),
        from_tree: Some(from_tree),
        tree: Some(making.new.manifest.tree_hash()),
        tar: Some(custom::Tar {
            sha256: encode_hex(&making.tar.sha256),
            size: making.tar.size,
        }),
        ..PatchCustom::default()
    };
    let (entry, size) = entry(&file, json!({}), custom)?;
    Ok(Made {
        file,
        entry,
        size,
        summary,
        noticed,
        from_tree,
    })
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
    let path = bases.target(TargetKind::Patch);
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
            let app = bases.addition.app;
            let path = bases.project.target(app, &next.version, TargetKind::Patch);
            patches.files.push((file, path, entry));
        }
        None => patches.warnings.push(format!(
            "the archive of {} is not here, so no patch to it from {version} can be made: the \
             patches up to there are dropped from the metadata, and clients take full archives",
            next.version
        )),
    }
    Ok(())
}

fn make_checked(
    old: &Unpacked,
    making: &Making,
    format: Format,
    patch: &Path,
    check: &Path,
) -> Result<(Summary, Noticed), ReleaseError> {
    let (new, progress) = (&making.new, making.progress);
    let expected = new.manifest.tree_hash();
    let (before, after) = (old.tree(), new.tree());
    let made = per_file::diff(before, after, patch, format, making.budget, |n| {
        progress.bar("making the patch", n)
    })?;
    let bar = progress.bar("checking the patch", new.manifest.totals().1);
    let mut observer = |n| {
        bar.inc(n);
        true
    };
    apply_patch(before, patch, expected, Rules::host(), check, &mut observer)
        .map_err(ReleaseError::Check)?;
    bar.finish_and_clear();
    Ok(made)
}
