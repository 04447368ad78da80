//! Takes the names of targets apart: `<name>-<version><suffix>`.

use pep440_rs::Version;
use std::str::FromStr;

/// Tells archives from patches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TargetKind {
    /// `.tar.gz` or `.gz`.
    Archive,
    /// `.patch`.
    Patch,
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
        let (stem, kind) = [
            (".tar.gz", TargetKind::Archive),
            (".gz", TargetKind::Archive),
            (".patch", TargetKind::Patch),
        ]
        .into_iter()
        .find_map(|(suffix, kind)| Some((file.strip_suffix(suffix)?, kind)))?;
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
}

/// Returns whether this is a proper application name.
pub fn is_name(name: &str) -> bool {
    !name.is_empty()
        && name
            .chars()
            .all(|c| c.is_alphanumeric() || c == '_' || c == '-')
}
