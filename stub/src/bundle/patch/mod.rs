//! Applying patches. The format is described in `docs/patch-format.md`.

mod covers;
mod format;
mod rebuild;
pub mod references;

pub use covers::{Cover, Start};
pub use format::{
    FORMAT, MAGIC, MAX_COVERS, MAX_DICTIONARY, MAX_DIFF_SIZE, MAX_STREAM, STREAMS, op, stream,
};
pub use rebuild::BLOCK;

use super::manifest::{Entry, Kind, Manifest, TreeHash};
use super::rules::{Refusal, Rules};
use crate::fs::{self, FsError};
use format::{Operation, Patch};
use rebuild::Output;
use ring::digest;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// Why a patch cannot be applied.
#[derive(Debug, thiserror::Error)]
pub enum PatchError {
    /// The first bytes are of no format this version knows.
    #[error("the patch is of a format that this version does not know")]
    Format,
    /// Cut short, or not what the format says.
    #[error("the patch is malformed: {0}")]
    Malformed(&'static str),
    /// The compressed data cannot be read.
    #[error("the patch cannot be read: {0}")]
    Read(#[source] io::Error),
    /// It refers to a file that the installed version does not have.
    #[error("the patch needs {0:?}, which is not there")]
    NoOld(String),
    /// A path or link that may not be.
    #[error("the patch is refused: {0}")]
    Refused(#[from] Refusal),
    /// An installed file is not what was installed.
    #[error("{path:?} was changed since it was installed")]
    Changed {
        /// The file.
        path: String,
    },
    /// The result is not the signed one.
    #[error("the patched tree has hash {found}, expected {expected}")]
    WrongTree {
        /// Hash of the result.
        found: TreeHash,
        /// The signed hash.
        expected: TreeHash,
    },
    /// A file system call failed.
    #[error(transparent)]
    Fs(#[from] FsError),
    /// Someone asked to stop.
    #[error("patching was stopped")]
    Stopped,
}

/// Where the content of a file is.
#[derive(Debug, Clone)]
struct Place {
    path: PathBuf,
    /// Made by a patch, so it may be moved; else it belongs to the install.
    built: bool,
    /// The permission bits that file has.
    mode: u32,
    /// Its content is known to be what the manifest says.
    verified: bool,
    /// The user may change it: if it is as recorded does not matter, as long
    /// as it stays where it is.
    free: bool,
}

/// A tree whose files are still scattered: some where the installed version
/// has them, some just made by a patch.
#[derive(Debug, Clone)]
pub struct Scattered {
    manifest: Manifest,
    places: BTreeMap<String, Place>,
}

impl Scattered {
    /// The tree that is installed in `folder` according to `manifest`.
    pub fn installed(folder: &Path, manifest: Manifest) -> Self {
        let files = manifest
            .entries
            .iter()
            .filter(|(_, entry)| matches!(entry.kind, Kind::File { .. }));
        let places = files.map(|(path, entry)| {
            let place = Place {
                path: fs::join(folder, path),
                built: false,
                mode: entry.mode,
                verified: false,
                free: false,
            };
            (path.clone(), place)
        });
        Scattered {
            places: places.collect(),
            manifest,
        }
    }

    /// Files that may have been changed since they were installed.
    #[must_use]
    pub fn with_free(mut self, free: &dyn Fn(&str) -> bool) -> Self {
        for (path, place) in &mut self.places {
            place.free = free(path);
        }
        self
    }

    /// What the tree holds.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// Applies one patch. New files are made in the folder `work`, which must
    /// be empty. `observer` is told of every byte written and may stop it.
    ///
    /// # Errors
    /// [`PatchError`]; in particular if the result does not have tree hash
    /// `expected`. The installed files are only read.
    pub fn apply(
        &self,
        patch: &Path,
        expected: TreeHash,
        work: &Path,
        rules: Rules,
        observer: &mut dyn FnMut(u64) -> bool,
    ) -> Result<Scattered, PatchError> {
        let mut patch = Patch::open(patch)?;
        let operations = patch.operations(rules)?;
        // What stays is checked while the rest is made.
        let changed: HashSet<&str> = operations.iter().map(Operation::path).collect();
        let kept = self.unverified(|path| !changed.contains(path));
        let stop = AtomicBool::new(false);
        let mut new = self.clone();
        std::thread::scope(|scope| {
            let checks = scope.spawn(|| verify(&kept, &stop));
            let mut perform = || {
                // Old paths mean the old tree, so removals and changes are
                // made on a copy, in one pass.
                for (index, operation) in operations.iter().enumerate() {
                    let built = work.join(index.to_string());
                    self.perform(&mut new, operation, &mut patch, &built, observer)?;
                }
                patch.finish()
            };
            let performed = perform();
            stop.store(performed.is_err(), Ordering::Relaxed);
            let checked = checks.join().expect("no thread panics");
            performed.and(checked)
        })?;
        for (path, _, _) in kept {
            if let Some(place) = new.places.get_mut(path) {
                place.verified = true;
            }
        }
        rules.check_tree(&new.manifest)?;
        let found = new.manifest.tree_hash();
        if found != expected {
            return Err(PatchError::WrongTree { found, expected });
        }
        Ok(new)
    }

    fn perform(
        &self,
        new: &mut Scattered,
        operation: &Operation,
        patch: &mut Patch,
        built: &Path,
        observer: &mut dyn FnMut(u64) -> bool,
    ) -> Result<(), PatchError> {
        let path = operation.path();
        let (mode, kind) = match operation {
            Operation::Remove(_) => {
                new.places.remove(path);
                return match new.manifest.entries.remove(path) {
                    Some(_) => Ok(()),
                    None => Err(PatchError::NoOld(path.into())),
                };
            }
            Operation::Dir { mode, .. } => {
                new.places.remove(path);
                (*mode, Kind::Dir)
            }
            Operation::Link { target, .. } => {
                new.places.remove(path);
                let target = target.clone();
                (0o777, Kind::Link { target })
            }
            Operation::Copy { mode, old, .. } => {
                let place = Place {
                    free: false,
                    ..self.old(old)?.clone()
                };
                let kind = self.manifest.entries[old].kind.clone();
                new.places.insert(path.into(), place);
                (*mode, kind)
            }
            &Operation::Full { mode, size, .. } => {
                let mut out = Output::create(built, size, mode, observer)?;
                patch.literals(size, &mut |bytes| out.write(bytes))?;
                let sha256 = out.finish()?;
                new.built(path, built, mode);
                (mode, Kind::File { size, sha256 })
            }
            Operation::Diff {
                mode,
                size,
                old,
                references,
                ..
            } => {
                let source = &self.old(old)?.path;
                let mut out = Output::create(built, *size, *mode, observer)?;
                rebuild::rebuild(source, references.as_deref(), *size, patch, &mut out)?;
                let (size, sha256) = (*size, out.finish()?);
                new.built(path, built, *mode);
                (*mode, Kind::File { size, sha256 })
            }
        };
        new.manifest
            .entries
            .insert(path.into(), Entry { kind, mode });
        Ok(())
    }

    fn old(&self, path: &str) -> Result<&Place, PatchError> {
        self.places
            .get(path)
            .ok_or_else(|| PatchError::NoOld(path.into()))
    }

    fn built(&mut self, path: &str, built: &Path, mode: u32) {
        let place = Place {
            path: built.into(),
            built: true,
            mode,
            verified: true,
            free: false,
        };
        self.places.insert(path.into(), place);
    }

    /// The installed files of `wanted` paths that were not hashed yet.
    fn unverified(&self, wanted: impl Fn(&str) -> bool) -> Vec<(&String, &Place, &Entry)> {
        self.places
            .iter()
            .filter(|(path, place)| !place.verified && !place.free && wanted(path))
            .map(|(path, place)| (path, place, &self.manifest.entries[path]))
            .collect()
    }

    /// Puts the whole tree into the existing, empty folder `into`. Files made
    /// by patches are moved there; installed ones are linked or copied, and
    /// each of them is hashed again first.
    ///
    /// # Errors
    /// [`PatchError::Changed`] if an installed file is not as recorded.
    pub fn gather(
        mut self,
        into: &Path,
        observer: &mut dyn FnMut(u64) -> bool,
    ) -> Result<Manifest, PatchError> {
        verify(&self.unverified(|_| true), &AtomicBool::new(false))?;
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
                Kind::Dir => fs::create_dir_all(&to)?,
                Kind::Link { target } => fs::symlink(target, &to)?,
                Kind::File { size, .. } => {
                    let place = self.places.remove(path).expect("every file has a place");
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
            if entry.kind == Kind::Dir {
                fs::give_dir_mode(&fs::join(into, path), entry.mode)?;
            }
        }
        Ok(self.manifest)
    }
}

/// Whether installed files are as recorded; on all cores, until `stop` is set.
fn verify(files: &[(&String, &Place, &Entry)], stop: &AtomicBool) -> Result<(), PatchError> {
    let next = AtomicUsize::new(0);
    let work = || {
        while let Some((path, place, entry)) = files.get(next.fetch_add(1, Ordering::Relaxed)) {
            let Kind::File { size, sha256 } = &entry.kind else {
                continue;
            };
            if stop.load(Ordering::Relaxed) {
                break;
            }
            if !verify_file(&place.path, *size, sha256)? {
                stop.store(true, Ordering::Relaxed);
                return Err(PatchError::Changed {
                    path: (*path).clone(),
                });
            }
        }
        Ok(())
    };
    std::thread::scope(|scope| {
        let others: Vec<_> = (1..threads()).map(|_| scope.spawn(work)).collect();
        let mine = work();
        others
            .into_iter()
            .map(|thread| thread.join().expect("no thread panics"))
            .fold(mine, Result::and)
    })
}

/// On this many threads things are done at a time.
fn threads() -> usize {
    std::thread::available_parallelism().map_or(1, |n| n.get().min(MAX_THREADS))
}

fn place_file(place: &Place, to: &Path, mode: u32, last: bool) -> Result<(), FsError> {
    if place.built && last {
        return fs::rename_unsynced(&place.path, to);
    }
    if place.mode == mode && !place.built {
        return fs::link_with_mode(&place.path, to, mode);
    }
    // Another mode would change the installed file too, were it a link.
    fs::copy_with_mode(&place.path, to, mode)
}

/// Hashing is limited by memory bandwidth from about here on.
const MAX_THREADS: usize = 4;

/// Whether the file has this size and hash; a missing one has not.
///
/// # Errors
/// If it is there and cannot be read.
pub fn verify_file(path: &Path, size: u64, sha256: &[u8; 32]) -> Result<bool, FsError> {
    match std::fs::symlink_metadata(path) {
        Ok(found) if found.is_file() && found.len() == size => {}
        Ok(_) => return Ok(false),
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(false),
        Err(e) => return Err(FsError::new("inspect", path, e)),
    }
    Ok(hash_file(path)?.1 == *sha256)
}

/// The size and SHA-256 of a file.
///
/// # Errors
/// If it cannot be read.
pub fn hash_file(path: &Path) -> Result<(u64, [u8; 32]), FsError> {
    let mut file = fs::open(path)?;
    let mut hash = digest::Context::new(&digest::SHA256);
    let size = fs::read_through(&mut file, path, &mut |bytes| hash.update(bytes))?;
    let sha256 = hash.finish().as_ref().try_into().expect("32 bytes");
    Ok((size, sha256))
}
