//! Reads and changes the list of targets, as metadata has it, by application.
//! Pure.

use super::numbers::{self, Line, Listed};
use crate::project::PatchFormat;
use notsotuf_stub::catalog::custom::{self, ArchiveCustom, PatchCustom};
use notsotuf_stub::catalog::{TargetKind, TargetName};
use pep440_rs::Version;
use serde_json::{Map, Value};
use std::collections::BTreeSet;

/// Maps paths to entries of targets.
pub(crate) type Entries = Map<String, Value>;

/// Holds the versions that were published once, and are offered no more.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Gone {
    /// Those that clients leave.
    pub withdrawn: BTreeSet<Version>,
    /// Those whose numbers are used up.
    pub retired: BTreeSet<Version>,
}

impl Gone {
    /// Returns what the releases of an application say.
    pub(super) fn of(entries: &Entries, app: &str) -> Self {
        let mut gone = Gone::default();
        for (_, path) in releases(entries, app) {
            let custom = archive_custom(entries, &path);
            gone.withdrawn.extend(custom.withdrawn);
            gone.retired.extend(custom.retired);
        }
        gone
    }
}

/// Returns the releases of an application, oldest first, with the path of the
/// archive.
pub(super) fn releases(entries: &Entries, app: &str) -> Vec<(Version, String)> {
    let targets = entries
        .keys()
        .filter_map(|path| Some((path, TargetName::parse(path)?)));
    let mut releases: Vec<_> = targets
        .filter(|(_, target)| target.name == app && target.kind == TargetKind::Archive)
        .map(|(path, target)| (target.version, path.clone()))
        .collect();
    releases.sort();
    releases
}

/// Returns the applications that there are targets of.
pub(super) fn apps(entries: &Entries) -> BTreeSet<String> {
    let targets = entries.keys().filter_map(|path| TargetName::parse(path));
    targets.map(|target| target.name).collect()
}

/// Tells which patches of an application its clients in the field would apply to
/// what they are not made for, where patches have this format.
pub(super) fn misleading_patches(
    entries: &Entries,
    app: &str,
    format: PatchFormat,
) -> impl Fn(&TargetName) -> bool + use<> {
    let app = app.to_owned();
    let versions = match format {
        PatchFormat::Bsdiff4 => numbers::misleading(&line(entries, &app)),
        _ => BTreeSet::new(),
    };
    move |target| {
        let misleads = match format {
            PatchFormat::Notsotuf1 | PatchFormat::Notsotuf2 | PatchFormat::Both => false,
            PatchFormat::Bsdiff4 => {
                target.kind == TargetKind::Patch && versions.contains(&target.version)
            }
            // A client of original notsotuf takes the patches that there are for
            // all that lead to the new version.
            PatchFormat::None => target.kind != TargetKind::Archive,
        };
        target.name == app && misleads
    }
}

/// Returns what is said of an archive.
pub(super) fn archive_custom(entries: &Entries, path: &str) -> ArchiveCustom {
    ArchiveCustom::of(&entries[path]["custom"])
}

/// Says something else of an archive.
pub(super) fn set_archive_custom(entries: &mut Entries, path: &str, internal: ArchiveCustom) {
    let custom = &mut entries[path]["custom"];
    *custom = custom::whole(custom, internal);
}

/// Lets the newest release say which versions are gone: a final one if there is
/// one, which every channel sees.
pub(super) fn bear(entries: &mut Entries, app: &str, gone: Gone) {
    if Gone::of(entries, app) == gone {
        return;
    }
    let releases = releases(entries, app);
    let is_final = |(version, _): &&(Version, String)| !version.any_prerelease();
    let bearer = releases.iter().rfind(is_final).or_else(|| releases.last());
    if let Some((_, path)) = bearer {
        let mut custom = archive_custom(entries, path);
        custom.withdrawn = gone.withdrawn.into_iter().collect();
        custom.retired = gone.retired.into_iter().collect();
        set_archive_custom(entries, path, custom);
    }
}

/// Returns the releases of an application, and where their patches lead from.
pub(super) fn line(entries: &Entries, app: &str) -> Line {
    let mut line: Line = releases(entries, app)
        .into_iter()
        .map(|(version, path)| {
            let custom = archive_custom(entries, &path);
            let partial = custom.rollout.is_some() && !custom.required;
            let from = None;
            (version, Listed { from, partial })
        })
        .collect();
    let patches = entries.iter().filter_map(|(path, entry)| {
        let target = TargetName::parse(path)?;
        let own = target.name == app && target.kind == TargetKind::Patch;
        own.then(|| (target.version, PatchCustom::of(&entry["custom"]).from))
    });
    for (version, from) in patches {
        // tufup does not say; its patches lead from the release before.
        let before = line.range(..version.clone()).next_back();
        let from = from.or_else(|| before.map(|(version, _)| version.clone()));
        if let Some(listed) = line.get_mut(&version) {
            listed.from = from;
        }
    }
    line
}

/// Takes releases of an application off the list: archives, and all patches
/// that lead to them or from them.
pub(super) fn remove_releases(entries: &mut Entries, app: &str, gone: &BTreeSet<Version>) {
    let leads_from = |listed: &Listed| listed.from.as_ref().is_some_and(|from| gone.contains(from));
    let crossing: BTreeSet<Version> = line(entries, app)
        .into_iter()
        .filter(|(_, listed)| leads_from(listed))
        .map(|(version, _)| version)
        .collect();
    entries.retain(|path, _| {
        let Some(target) = TargetName::parse(path).filter(|target| target.name == app) else {
            return true;
        };
        let goes = match &target.kind {
            TargetKind::Archive => false,
            TargetKind::Patch => crossing.contains(&target.version),
            TargetKind::DirectPatch { from } => gone.contains(from),
        };
        !goes && !gone.contains(&target.version)
    });
}
