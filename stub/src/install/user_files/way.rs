//! Moves what the application made from one bundle to the other.

use crate::bundle::Manifest;
use crate::fs;
use crate::fs::attributes::with_access;
use crate::fs::{FsError, attributes};
use crate::install::user_files::bundle_copy::copy_bundle;
use crate::install::user_files::unlisted::lists;
use std::collections::BTreeSet;
use std::fs::Metadata;
use std::path::{Path, PathBuf};

/// Leads from one bundle to another.
pub(super) struct Way<'a> {
    pub(super) from: &'a Path,
    pub(super) to: &'a Path,
    /// Folders that got or lost an entry.
    pub(super) changed: BTreeSet<PathBuf>,
}

impl Way<'_> {
    /// Returns whether `path` can be taken there. Outdated files are removed.
    pub(super) fn is_free(&self, path: &Path, update: &Manifest) -> Result<bool, FsError> {
        let place = self.to.join(path);
        if fs::inspect(&place)?.is_none() {
            return Ok(true);
        }
        let folder = place.parent().unwrap_or(self.to);
        let of_update = path.to_str().is_some_and(|path| lists(update, path));
        if of_update || !fs::list(folder)?.contains(&place) {
            return Ok(false);
        }
        match fs::remove_any(&place) {
            // A folder of another user, see `bring`.
            Err(e) if cfg!(unix) && e.is_denied() => {
                log::warn!("{e}");
                Ok(false)
            }
            result => result.map(|()| true),
        }
    }

    /// Moves `path`, which is in none of the two manifests.
    pub(super) fn bring(&mut self, path: &Path) -> Result<(), FsError> {
        let (from, to) = (self.from.join(path), self.to.join(path));
        let Some(kind) = fs::inspect(&from)? else {
            return Ok(());
        };
        self.make_parent(path)?;
        match self.rename(&from, &to, &kind) {
            // A folder of an overlay's lower layer cannot be renamed; what is
            // in it can.
            Err(e) if fs::is_across_file_systems(&e) && kind.is_dir() => {
                self.bring_what_is_in(path, &kind)
            }
            // Nobody but its owner can move a folder elsewhere, as one that the application
            // made when an administrator started it.
            Err(e) if cfg!(unix) && e.is_denied() && kind.is_dir() => {
                log::info!("{e}; copying it instead");
                copy_bundle(&from, &to).or_else(|e| {
                    log::warn!("{e}; it is left in the previous version's folder");
                    fs::remove_any(&to)
                })
            }
            result => result,
        }
    }

    fn rename(&mut self, from: &Path, to: &Path, kind: &Metadata) -> Result<(), FsError> {
        let parents = [from.parent(), to.parent()];
        let mut folders: Vec<&Path> = parents.into_iter().flatten().collect();
        folders.push(from);
        with_access(&folders, || fs::rename_unsynced(from, to))?;
        if cfg!(unix) && kind.is_dir() {
            let moved = fs::inspect(to)?;
            if moved.is_some_and(|moved| moved.permissions() != kind.permissions()) {
                fs::set_permissions(to, kind.permissions())?;
            }
        }
        self.changed
            .extend(parents.into_iter().flatten().map(Path::to_path_buf));
        Ok(())
    }

    pub(super) fn bring_what_is_in(
        &mut self,
        folder: &Path,
        kind: &Metadata,
    ) -> Result<(), FsError> {
        let (from, to) = (self.from.join(folder), self.to.join(folder));
        fs::create_dir_all(&to)?;
        for entry in with_access(&[&from], || fs::list(&from))? {
            if let Some(name) = entry.file_name() {
                self.bring(&folder.join(name))?;
            }
        }
        attributes::copy_attributes(&from, &to)?;
        attributes::copy_times(kind, &to);
        with_access(&[&from], || fs::remove_dir(&from))
    }

    /// Makes the folder for `path`, and those above it, like those it is in.
    fn make_parent(&self, path: &Path) -> Result<(), FsError> {
        let mut missing = Vec::new();
        for folder in path.ancestors().skip(1) {
            if fs::inspect(&self.to.join(folder))?.is_some() {
                break;
            }
            missing.push(folder);
        }
        for folder in missing.into_iter().rev() {
            let place = self.to.join(folder);
            let parent = place.parent().unwrap_or(self.to);
            with_access(&[parent], || fs::create_dir_all(&place))?;
            attributes::copy_attributes(&self.from.join(folder), &place)?;
        }
        Ok(())
    }

    /// Brings `path` back, unless it never left. A folder may be in both
    /// places, when only some of what is in it was moved.
    pub(super) fn return_home(&mut self, path: &Path) -> Result<(), FsError> {
        let (from, to) = (self.from.join(path), self.to.join(path));
        let Some(kind) = fs::inspect(&from)? else {
            return Ok(());
        };
        match fs::inspect(&to)? {
            None => self.bring(path),
            Some(found) if found.is_dir() && kind.is_dir() => {
                for entry in with_access(&[&from], || fs::list(&from))? {
                    if let Some(name) = entry.file_name() {
                        self.return_home(&path.join(name))?;
                    }
                }
                if fs::list(&from)?.is_empty() {
                    fs::remove_dir(&from)?;
                }
                Ok(())
            }
            Some(_) => Ok(()),
        }
    }

    /// Waits until all that is on disk.
    pub(super) fn sync(&self) -> Result<(), FsError> {
        for folder in &self.changed {
            // One that had only own files may be gone by now.
            if fs::inspect(folder)?.is_some() {
                with_access(&[folder], || fs::sync_dir(folder))?;
            }
        }
        Ok(())
    }
}
