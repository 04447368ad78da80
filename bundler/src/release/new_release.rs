//! Describes a release to be added, and what came of adding it.

use crate::patch::per_file::Summary;
use crate::vet::Vetting;
use pep440_rs::Version;
use serde_json::{Map, Value};
use std::path::Path;
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
        }
    }
}

/// Says what came of a direct patch.
#[derive(Debug, Clone)]
pub(crate) struct DirectPatch {
    /// The version it leads from.
    pub from: Version,
    /// Target path and size, or why it was left out.
    pub made: Result<(String, u64), String>,
}

/// Says what was added.
#[derive(Debug, Clone)]
pub(crate) struct AddReport {
    /// Target path and size of the archive.
    pub archive: (String, u64),
    /// Target path and size of the patch, if there is one, and what is in it,
    /// if it works per file.
    pub patch: Option<(String, u64, Option<Summary>)>,
    /// Why there is none.
    pub no_patch: Option<String>,
    /// The version the patch leads from.
    pub from: Option<Version>,
    /// Direct patches, newest first.
    pub direct: Vec<DirectPatch>,
    /// What the release engineer should know, one sentence each.
    pub warnings: Vec<String>,
}
