//! Describes a release to be added, and what came of adding it.

use super::error::ReleaseError;
use crate::patch::per_file::Summary;
use crate::vet::Vetting;
use indicatif::HumanDuration;
use notsotuf_stub::bundle::unpack::ArchiveError;
use pep440_rs::Version;
use serde_json::{Map, Value};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Says what to add.
#[derive(Debug, Clone)]
pub(crate) struct NewRelease<'a> {
    /// Application.
    pub app: &'a str,
    /// Version.
    pub version: Version,
    /// Folder or one file.
    pub bundle: &'a Path,
    /// No client may skip it.
    pub required: bool,
    /// For the application's own use.
    pub meta: Map<String, Value>,
    /// Make no patch.
    pub skip_patch: bool,
    /// The oldest stub that can install it.
    pub stub: Option<Version>,
    /// Part of the clients that get it.
    pub rollout: u64,
    /// What is new, in Markdown.
    pub notes: Option<String>,
    /// How long making the patches may take.
    pub budget: Duration,
    /// How the bundle is looked at.
    pub vetting: Vetting<'a>,
    /// What was added and is not published makes way for it.
    pub replaces: bool,
}

impl<'a> NewRelease<'a> {
    /// Creates a release with nothing special about it, not looked at, and
    /// without a patch.
    pub(crate) fn plain(app: &'a str, version: Version, bundle: &'a Path) -> Self {
        NewRelease {
            app,
            version,
            bundle,
            required: false,
            meta: Map::new(),
            skip_patch: true,
            stub: None,
            rollout: 100,
            notes: None,
            budget: Duration::ZERO,
            vetting: Vetting::None,
            replaces: false,
        }
    }
}

/// Says why a patch is left out.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NoPatch {
    /// There is nothing that it could lead from.
    #[error("it is the first release")]
    FirstRelease,
    /// The caller wanted none.
    #[error("as asked")]
    AsAsked,
    /// The settings want none.
    #[error("patch_format is \"none\"")]
    Settings,
    /// No client would take it.
    #[error("it would be about as large as the archive")]
    TooLarge,
    /// No client could apply it.
    #[error("applying it would take a client too much memory")]
    Memory,
    /// It takes longer than this.
    #[error("making it takes longer than {} (--patch-budget)", HumanDuration(*.0))]
    Budget(Duration),
    /// The patches before it took this time.
    #[error("making all patches takes longer than {} (--patch-budget)", HumanDuration(*.0))]
    BudgetOfAll(Duration),
    /// The archive of the old release is not here.
    #[error(
        "the archive of that release is missing, or is not the one that was published; \
         `notsotuf fetch` gets it"
    )]
    OldArchiveMissing,
    /// The archive of the old release is damaged.
    #[error("the archive of that release cannot be used: {0}")]
    OldArchive(ArchiveError),
    /// The stub's code did not make the new release of it.
    #[error("{0}")]
    Check(Box<ReleaseError>),
}

/// Says what came of a direct patch.
#[derive(Debug)]
pub(crate) struct DirectPatch {
    /// The version it leads from.
    pub from: Version,
    /// Target path and size, or why it was left out.
    pub made: Result<(String, u64), NoPatch>,
}

/// Says what was added.
#[derive(Debug)]
pub(crate) struct AddReport {
    /// Target path and size of the archive.
    pub archive: (String, u64),
    /// Target path and size of the patch, if there is one, and what is in it,
    /// if it works per file.
    pub patch: Option<(String, u64, Option<Summary>)>,
    /// Why there is none.
    pub no_patch: Option<NoPatch>,
    /// The version the patch leads from.
    pub from: Option<Version>,
    /// Direct patches, newest first.
    pub direct: Vec<DirectPatch>,
    /// Programs of the bundle that were signed, in their place.
    pub signed: Vec<PathBuf>,
    /// What the release engineer should know, one sentence each.
    pub warnings: Vec<String>,
}
