//! Describes a tree whose files lie in several folders while patches are
//! applied to it.

use crate::bundle::entry::{Entry, EntryKind};
use crate::bundle::manifest::Manifest;
use crate::bundle::patch::budget::Budget;
use crate::bundle::patch::error::PatchError;
use crate::bundle::patch::reader::Patch;
use crate::fs;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// Says where the content of a file is.
#[derive(Debug, Clone)]
pub(super) struct FileSource {
    pub(super) path: PathBuf,
    /// Made by a patch, so it may be moved; else it belongs to the install.
    pub(super) built: bool,
    /// The permission bits that file has.
    pub(super) mode: u32,
    /// Its content is known to be what the manifest says.
    pub(super) verified: bool,
    /// The user may change it: if it is as recorded does not matter, as long
    /// as it stays where it is.
    pub(super) free: bool,
}

impl FileSource {
    /// Describes a file that a patch has just made.
    pub(super) fn built(path: &Path, mode: u32) -> Self {
        FileSource {
            path: path.into(),
            built: true,
            mode,
            verified: true,
            free: false,
        }
    }
}

/// What a [`FileSource`] takes in memory besides its paths.
const PLACE_WEIGHT: u64 = 160;

/// Holds a tree whose files are still scattered: some where the installed version
/// has them, some just made by a patch.
#[derive(Debug, Clone)]
pub struct TreeOverlay {
    /// Where the installed version is.
    folder: PathBuf,
    pub(super) manifest: Manifest,
    /// Of the files that are elsewhere than the installed version has them.
    pub(super) places: BTreeMap<String, FileSource>,
    /// Files that may have been changed since they were installed.
    pub(super) free: BTreeSet<String>,
    /// Whether the files that are where they were installed are known to be
    /// what the manifest says.
    pub(super) checked: bool,
}

/// Describes what an operation makes.
pub(super) struct Made {
    pub(super) entry: Entry,
    /// Of a file.
    pub(super) place: Option<FileSource>,
}

/// Lends what files are made from, and says what that may take in memory.
pub(super) struct Source<'a> {
    pub(super) patch: &'a mut Patch,
    pub(super) budget: Budget,
}

impl TreeOverlay {
    /// Returns the tree that is installed in `folder` according to `manifest`.
    pub fn installed(folder: &Path, manifest: Manifest) -> Self {
        TreeOverlay {
            folder: folder.into(),
            manifest,
            places: BTreeMap::new(),
            free: BTreeSet::new(),
            checked: false,
        }
    }

    /// Names files that may have been changed since they were installed.
    #[must_use]
    pub fn allow_modified(mut self, free: &dyn Fn(&str) -> bool) -> Self {
        let files = self.manifest.entries.iter();
        let files = files.filter(|(_, entry)| matches!(entry.kind, EntryKind::File { .. }));
        let free = files.map(|(path, _)| path).filter(|path| free(path));
        self.free = free.cloned().collect();
        self
    }

    /// Returns about how many bytes of memory the overlay takes.
    pub(super) fn weight(&self) -> u64 {
        let places = self.places.iter();
        let places = places
            .map(|(path, place)| (path.len() + place.path.as_os_str().len()) as u64 + PLACE_WEIGHT);
        let free = self
            .free
            .iter()
            .map(|path| path.len() as u64 + PLACE_WEIGHT);
        self.manifest.weight() + places.sum::<u64>() + free.sum::<u64>()
    }

    /// Returns the manifest of the tree.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// Returns where the file at `path` of the tree is.
    pub(super) fn old(&self, path: &str) -> Result<FileSource, PatchError> {
        let entry = self.manifest.entries.get(path);
        entry
            .and_then(|entry| self.place(path, entry))
            .ok_or_else(|| PatchError::NoOld(path.into()))
    }

    /// Returns where the file with this entry is; `None` if the entry is no
    /// file.
    pub(super) fn place(&self, path: &str, entry: &Entry) -> Option<FileSource> {
        if !matches!(entry.kind, EntryKind::File { .. }) {
            return None;
        }
        Some(match self.places.get(path) {
            Some(place) => place.clone(),
            None => FileSource {
                path: fs::join(&self.folder, path),
                built: false,
                mode: entry.mode,
                verified: self.checked,
                free: self.free.contains(path),
            },
        })
    }

    /// Returns the files of `wanted` paths that were not hashed yet.
    pub(super) fn unverified<'a>(
        &'a self,
        wanted: impl Fn(&str) -> bool + Send + 'a,
    ) -> impl Iterator<Item = (&'a str, FileSource, &'a Entry)> + Send {
        let wanted = self
            .manifest
            .entries
            .iter()
            .filter(move |(path, _)| wanted(path));
        let files = wanted
            .filter_map(|(path, entry)| Some((path.as_str(), self.place(path, entry)?, entry)));
        files.filter(|(_, place, _)| !place.verified && !place.free)
    }
}
