//! Reads what signed targets metadata offers: archives, patches, and what
//! `custom` says of them. Pure: metadata goes in, a catalog comes out.

mod channel;
pub mod custom;
mod rollout;
mod target_name;

pub use channel::Channel;
pub use target_name::{TargetKind, TargetName, is_name};

use crate::bundle::TreeHash;
pub use crate::catalog::custom::Rollout;
use crate::catalog::custom::{ArchiveCustom, PatchCustom};
use crate::tuf::TargetFile;
use pep440_rs::Version;
use std::collections::{BTreeMap, BTreeSet};

/// Describes a full archive on offer.
#[derive(Debug, Clone, PartialEq)]
pub struct Archive {
    /// Target path.
    pub path: String,
    /// As the metadata lists it.
    pub file: TargetFile,
    /// Whether no update may skip it.
    pub required: bool,
    /// The tree hash of what is in it, if the repository gives one.
    pub tree: Option<TreeHash>,
    /// The oldest stub that can install it, if it says so.
    pub stub: Option<Version>,
    /// The part of the clients that are to have it, if not all.
    pub rollout: Option<Rollout>,
    /// What is new in it, in Markdown.
    pub notes: Option<String>,
    /// The settings of the stub that it brings, in JSON.
    pub settings: Option<String>,
}

/// Describes a patch on offer.
#[derive(Debug, Clone, PartialEq)]
pub struct Patch {
    /// Target path.
    pub path: String,
    /// As the metadata lists it.
    pub file: TargetFile,
    /// Name of its format; `None` for tufup's.
    pub format: Option<String>,
    /// The version it applies to; tufup does not say.
    pub from: Option<Version>,
    /// The tree hash it applies to.
    pub from_tree: Option<TreeHash>,
    /// The tree hash it results in.
    pub tree: Option<TreeHash>,
}

impl Patch {
    fn new(path: &str, file: &TargetFile) -> Self {
        let custom = PatchCustom::of(&file.custom.value());
        Patch {
            path: path.into(),
            file: file.clone(),
            format: custom.format,
            from: custom.from,
            from_tree: custom.from_tree,
            tree: custom.tree,
        }
    }
}

/// Holds all that a repository offers under one name.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Catalog {
    /// Archives by version.
    pub archives: BTreeMap<Version, Archive>,
    /// Patches by the version they result in.
    pub patches: BTreeMap<Version, Patch>,
    /// Patches over the releases in between, by the version they result in and
    /// then by the one they lead from.
    pub direct_patches: BTreeMap<Version, BTreeMap<Version, Patch>>,
    /// Versions that were published once and must not be used any more.
    pub withdrawn: BTreeSet<Version>,
}

impl Catalog {
    /// Picks the targets of `name` out of trusted targets metadata. Targets
    /// of other forms are skipped.
    pub fn new<'a>(
        name: &str,
        targets: impl IntoIterator<Item = (&'a String, &'a TargetFile)>,
    ) -> Self {
        let mut catalog = Catalog::default();
        for (path, file) in targets {
            // Versions of other names need not be parsed.
            let of_name = path.rsplit('/').next().is_some_and(|p| p.starts_with(name));
            let Some(target) = of_name
                .then(|| TargetName::parse(path))
                .flatten()
                .filter(|t| t.name == name)
            else {
                continue;
            };
            match target.kind {
                TargetKind::Archive => {
                    let custom = ArchiveCustom::of(&file.custom.value());
                    let archive = Archive {
                        path: path.clone(),
                        file: file.clone(),
                        required: custom.required,
                        tree: custom.tree,
                        stub: custom.stub,
                        rollout: custom.rollout,
                        notes: custom.notes,
                        settings: custom.settings,
                    };
                    catalog.withdrawn.extend(custom.withdrawn);
                    catalog.archives.insert(target.version, archive);
                }
                TargetKind::Patch => {
                    let patch = Patch::new(path, file);
                    catalog.patches.insert(target.version, patch);
                }
                TargetKind::DirectPatch { from } => {
                    let patch = Patch::new(path, file);
                    // What is signed of it counts; a name is only a name.
                    if patch.from.as_ref() == Some(&from) {
                        let to = catalog.direct_patches.entry(target.version);
                        to.or_default().insert(from, patch);
                    }
                }
            }
        }
        catalog
    }

    /// Returns whether a bundle with this tree hash is signed as `version`.
    pub fn signs_tree(&self, version: &Version, tree: TreeHash) -> bool {
        let archive = self.archives.get(version).and_then(|archive| archive.tree);
        let mut patches = self.patches_to(version).filter_map(|patch| patch.tree);
        archive == Some(tree) || patches.any(|signed| signed == tree)
    }

    /// Returns all patches that result in `version`, that from the release
    /// before it first.
    pub fn patches_to(&self, version: &Version) -> impl Iterator<Item = &Patch> + use<'_> {
        let direct = self.direct_patches.get(version).into_iter();
        let direct = direct.flat_map(BTreeMap::values);
        self.patches.get(version).into_iter().chain(direct)
    }
}

#[cfg(test)]
pub(crate) mod tests;
