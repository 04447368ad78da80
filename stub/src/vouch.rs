//! Whether an update that an earlier run staged may be installed: the signed
//! metadata that is trusted now must list what it is, and it must be newer
//! than what is installed. What merely lies in the staging area is nothing
//! that anybody signed. Pure.

use crate::bundle::TreeHash;
use crate::install::{Origin, Release, Why};
use crate::select::Catalog;
use pep440_rs::Version;

/// What is staged.
#[derive(Debug, Clone, Copy)]
pub struct StagedBundle<'a> {
    /// What it says it is.
    pub version: &'a Version,
    /// The tree hash of its manifest.
    pub tree: TreeHash,
    /// The hash of its record.
    pub record: &'a str,
    /// What was noted of it.
    pub origin: Option<&'a Origin>,
}

/// What is installed.
#[derive(Debug, Clone, Copy)]
pub struct InstalledBundle<'a> {
    /// Name and version.
    pub release: &'a Release,
    /// The hash of its record.
    pub record: &'a str,
}

/// Why it may not be installed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unvouched {
    /// No metadata to ask.
    #[error("there is no trusted metadata that lists version {0}")]
    NoMetadata(Version),
    /// Metadata does not know it.
    #[error("version {0} is not listed by the trusted metadata")]
    NotListed(Version),
    /// Another content is signed for that version.
    #[error("it is not what the trusted metadata lists as version {0}")]
    OtherContent(Version),
    /// Its makers took it back.
    #[error("version {0} was withdrawn by its makers")]
    Withdrawn(Version),
    /// It would be a downgrade.
    #[error("version {staged} is not newer than version {installed}, which is installed")]
    NotNewer {
        /// What is staged.
        staged: Version,
        /// What is installed.
        installed: Version,
    },
}

/// Checks what is staged against the `catalog` of trusted metadata; `None`:
/// there is none. The same version may be installed again, as a repair does it;
/// an older one only where the installed one was withdrawn, or on the way back
/// that this program itself began.
///
/// # Errors
/// [`Unvouched`].
pub fn vouch(
    staged: StagedBundle,
    installed: Option<InstalledBundle>,
    catalog: Option<&Catalog>,
) -> Result<(), Unvouched> {
    if is_way_back(staged, installed) {
        return Ok(());
    }
    let version = staged.version;
    let catalog = catalog.ok_or_else(|| Unvouched::NoMetadata(version.clone()))?;
    check_content(staged, catalog)?;
    if catalog.withdrawn.contains(version) {
        return Err(Unvouched::Withdrawn(version.clone()));
    }
    match installed.map(|installed| &installed.release.version) {
        Some(installed) if version < installed && !catalog.withdrawn.contains(installed) => {
            Err(Unvouched::NotNewer {
                staged: version.clone(),
                installed: installed.clone(),
            })
        }
        _ => Ok(()),
    }
}

fn is_way_back(staged: StagedBundle, installed: Option<InstalledBundle>) -> bool {
    let (Some(origin), Some(installed)) = (staged.origin, installed) else {
        return false;
    };
    let why = Why::BackFrom(installed.record.into());
    origin.record == staged.record && origin.why == why
}

fn check_content(staged: StagedBundle, catalog: &Catalog) -> Result<(), Unvouched> {
    let version = staged.version;
    let not_listed = || Unvouched::NotListed(version.clone());
    let archive = catalog.archives.get(version).ok_or_else(not_listed)?;
    if catalog.signs_tree(version, staged.tree) {
        return Ok(());
    }
    let from_archive = archive.tree.is_none()
        && staged.origin.is_some_and(|origin| {
            origin.record == staged.record
                && matches!(&origin.why, Why::Target { path, algorithm, hash }
                    if *path == archive.path && archive.file.hashes.get(algorithm) == Some(hash))
        });
    match from_archive {
        true => Ok(()),
        false => Err(Unvouched::OtherContent(version.clone())),
    }
}
