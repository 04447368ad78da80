//! Explains what makes a patch as large as it is, file by file.

use super::error::ReleaseError;
use super::numbers;
use super::pending::PendingTargets;
use crate::metadata::Published;
use crate::pack::Unpacked;
use crate::patch::per_file::{self, Budget, Summary};
use crate::progress::Progress;
use crate::project::Project;
use crate::temporary;
use notsotuf_stub::bundle::patch::Format;
use pep440_rs::Version;
use std::collections::BTreeMap;

/// Says what a patch is made of.
#[derive(Debug)]
pub(crate) struct PatchReport {
    /// The version it leads from.
    pub from: Version,
    /// How many files are treated how.
    pub summary: Summary,
    /// Every file that is not kept.
    pub parts: Vec<per_file::Part>,
    /// Sizes of the direct patches that are listed, by the version that each
    /// leads from.
    pub direct: BTreeMap<Version, u64>,
}

/// Compares the archive of a version with that of the release `from`, or else of
/// the one before it.
///
/// # Errors
/// [`ReleaseError`], if one of the two is not there.
pub(crate) fn explain(
    project: &Project,
    published: &Published,
    app: &str,
    version: &Version,
    from: Option<&Version>,
    budget: Budget,
    progress: Progress,
) -> Result<PatchReport, ReleaseError> {
    let pending = PendingTargets::open(project, published)?;
    let releases: BTreeMap<Version, String> = pending.releases(app).into_iter().collect();
    let line = pending.line(app);
    let asked = from;
    let from = line.get(version).and_then(|listed| listed.from.as_ref());
    let from = from.filter(|from| line.contains_key(from));
    let from = from.or_else(|| numbers::base(&line, version));
    let from = asked.or(from);
    if let Some(asked) = asked.filter(|asked| !line.contains_key(asked) || *asked >= version) {
        let what = format!("{app} {asked}, as an older one than {version}");
        return Err(ReleaseError::None(what));
    }
    let (Some(to), Some(from)) = (releases.get(version), from) else {
        return Err(ReleaseError::None(format!(
            "{app} {version} with another one before it"
        )));
    };
    // Not among what is pending, which another command may publish meanwhile.
    let work = temporary::Folder::new()?;
    let unpacked = |path: &str, name: &str| {
        let file = pending.archive(path, published.consistent_snapshot())?;
        Unpacked::open(&file, &work.path().join(name), progress)
            .map_err(ReleaseError::old_archive(&file))
    };
    let (old, new) = (unpacked(&releases[from], "old")?, unpacked(to, "new")?);
    let (old, new) = (old.tree(), new.tree());
    let format = project.settings.patch_format.direct();
    let format = format.unwrap_or(Format::Two);
    let bar = |n| progress.bar("comparing", n);
    let (summary, parts) = per_file::explain(old, new, format, budget, work.path(), bar)?;
    Ok(PatchReport {
        from: from.clone(),
        summary,
        parts,
        direct: pending.direct_patches(app, version),
    })
}
