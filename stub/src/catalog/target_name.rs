//! Takes the names of targets apart: `<name>-<version><suffix>`.

use pep440_rs::Version;
use std::str::FromStr;

/// Marks, in the name of a direct patch, the version it leads from. No version
/// in its normal form contains it, nor does a name.
const FROM: &str = ".from-";

/// The suffix of a direct patch: unlike `.patch`, clients of tufup and older
/// stubs do not know it, and skip such targets.
const DIRECT: &str = ".delta";

/// Tells archives from patches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TargetKind {
    /// `.tar.gz` or `.gz`.
    Archive,
    /// `.patch`: mostly from the release before.
    Patch,
    /// `.from-<version>.delta`: over the releases in between.
    DirectPatch {
        /// The version it leads from.
        from: Version,
    },
}

/// Holds the parts of `<name>-<version><suffix>`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TargetName {
    /// Letters, digits, `_` and `-`.
    pub name: String,
    /// PEP 440.
    pub version: Version,
    /// By the suffix.
    pub kind: TargetKind,
}

impl TargetName {
    /// Takes a target path apart; `None` if it is not of this form. As in
    /// tufup, the version starts after the last `-` that leaves a valid name.
    pub fn parse(path: &str) -> Option<Self> {
        let file = path.rsplit('/').next()?;
        let (stem, kind) = match file.strip_suffix(DIRECT) {
            Some(stem) => {
                let (stem, from) = stem.rsplit_once(FROM)?;
                let from = Version::from_str(from).ok()?;
                (stem, TargetKind::DirectPatch { from })
            }
            None => [
                (".tar.gz", TargetKind::Archive),
                (".gz", TargetKind::Archive),
                (".patch", TargetKind::Patch),
            ]
            .into_iter()
            .find_map(|(suffix, kind)| Some((file.strip_suffix(suffix)?, kind)))?,
        };
        let (name, version) = stem
            .rmatch_indices('-')
            .map(|(at, _)| (&stem[..at], &stem[at + 1..]))
            .find(|(name, version)| is_name(name) && !version.is_empty())?;
        Some(TargetName {
            name: name.into(),
            version: Version::from_str(version).ok()?,
            kind,
        })
    }

    /// Returns the target path that is taken apart to this. Archives get that
    /// suffix.
    pub fn path(&self, archive_suffix: &str) -> String {
        let TargetName {
            name,
            version,
            kind,
        } = self;
        match kind {
            TargetKind::Archive => format!("{name}-{version}{archive_suffix}"),
            TargetKind::Patch => format!("{name}-{version}.patch"),
            TargetKind::DirectPatch { from } => format!("{name}-{version}{FROM}{from}{DIRECT}"),
        }
    }
}

/// Returns whether this is a proper application name.
pub fn is_name(name: &str) -> bool {
    !name.is_empty()
        && name
            .chars()
            .all(|c| c.is_alphanumeric() || c == '_' || c == '-')
}
