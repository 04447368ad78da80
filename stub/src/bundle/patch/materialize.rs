//! Puts the files of a tree into one folder.

use crate::bundle::entry::EntryKind;
use crate::bundle::manifest::Manifest;
use crate::bundle::patch::error::PatchError;
use crate::bundle::patch::file_digest::verify;
use crate::bundle::patch::tree_overlay::{FileSource, TreeOverlay};
use crate::fs;
use crate::fs::FsError;
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

fn place_file(place: &FileSource, to: &Path, mode: u32, last: bool) -> Result<(), FsError> {
    if place.built && last {
        return fs::rename_unsynced(&place.path, to);
    }
    if place.mode == mode && !place.built {
        return fs::link_with_mode(&place.path, to, mode);
    }
    // Another mode would change the installed file too, were it a link.
    fs::copy_with_mode(&place.path, to, mode)
}

impl TreeOverlay {
    /// Puts the whole tree into the existing, empty folder `into`. Files made
    /// by patches are moved there; installed ones are linked or copied, and
    /// each of them is hashed again first.
    ///
    /// # Errors
    /// [`PatchError::Changed`] if an installed file is not as recorded.
    pub fn gather(
        self,
        into: &Path,
        observer: &mut dyn FnMut(u64) -> bool,
    ) -> Result<Manifest, PatchError> {
        verify(self.unverified(|_| true), &AtomicBool::new(false))?;
        // A built file may be wanted under two paths.
        let mut wanted: HashMap<PathBuf, usize> = HashMap::new();
        for place in self.places.values().filter(|place| place.built) {
            *wanted.entry(place.path.clone()).or_default() += 1;
        }
        let mut made = into.to_owned();
        for (path, entry) in &self.manifest.entries {
            let to = fs::join(into, path);
            // Sorted by path, so what is in one folder mostly comes together.
            if let Some(parent) = to.parent()
                && parent != made
            {
                fs::create_dir_all(parent)?;
                made = parent.to_owned();
            }
            match &entry.kind {
                EntryKind::Dir => fs::create_dir_all(&to)?,
                EntryKind::Link { target } => fs::symlink(target, &to)?,
                EntryKind::File { size, .. } => {
                    let place = self.old(path)?;
                    let last = wanted.get_mut(&place.path).is_none_or(|wanted| {
                        *wanted -= 1;
                        *wanted == 0
                    });
                    place_file(&place, &to, entry.mode, last)?;
                    if !observer(*size) {
                        return Err(PatchError::Stopped);
                    }
                }
            }
        }
        for (path, entry) in self.manifest.entries.iter().rev() {
            if entry.kind == EntryKind::Dir {
                fs::give_dir_mode(&fs::join(into, path), entry.mode)?;
            }
        }
        Ok(self.manifest)
    }
}
