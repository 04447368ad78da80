//! Applying patches. The format is described in `docs/patch-format.md`.

mod budget;
mod covers;
mod format;
mod input_stream;
mod operation;
mod reader;
mod rebuild;
pub mod references;

pub use budget::MEMORY;
pub use covers::{Cover, Start};
pub use format::{
    FORMAT, MAGIC, MAX_COVERS, MAX_DICTIONARY, MAX_DIFF_SIZE, MAX_STREAM, STREAMS, op, stream,
};
pub use rebuild::BLOCK;

use super::manifest::{Entry, Kind, Manifest, TreeHash};
use super::path_rules::{Refusal, Rules};
use crate::fs::{self, FsError};
use budget::Budget;
use operation::Operation;
use reader::Patch;
use rebuild::Output;
use ring::digest;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

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
    /// It is large, or made to be.
    #[error("applying the patch would take more than {MEMORY} bytes of memory")]
    Memory,
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

impl Place {
    /// Of a file that a patch has just made.
    fn built(path: &Path, mode: u32) -> Self {
        Place {
            path: path.into(),
            built: true,
            mode,
            verified: true,
            free: false,
        }
    }
}

/// What a [`Place`] takes in memory besides its paths.
const PLACE_WEIGHT: u64 = 160;

/// A tree whose files are still scattered: some where the installed version
/// has them, some just made by a patch.
#[derive(Debug, Clone)]
pub struct Scattered {
    /// Where the installed version is.
    folder: PathBuf,
    manifest: Manifest,
    /// Of the files that are elsewhere than the installed version has them.
    places: BTreeMap<String, Place>,
    /// Files that may have been changed since they were installed.
    free: BTreeSet<String>,
    /// Whether the files that are where they were installed are known to be
    /// what the manifest says.
    checked: bool,
}

impl Scattered {
    /// The tree that is installed in `folder` according to `manifest`.
    pub fn installed(folder: &Path, manifest: Manifest) -> Self {
        Scattered {
            folder: folder.into(),
            manifest,
            places: BTreeMap::new(),
            free: BTreeSet::new(),
            checked: false,
        }
    }

    /// Files that may have been changed since they were installed.
    #[must_use]
    pub fn with_free(mut self, free: &dyn Fn(&str) -> bool) -> Self {
        let files = self.manifest.entries.iter();
        let files = files.filter(|(_, entry)| matches!(entry.kind, Kind::File { .. }));
        let free = files.map(|(path, _)| path).filter(|path| free(path));
        self.free = free.cloned().collect();
        self
    }

    /// About how many bytes of memory it takes.
    fn weight(&self) -> u64 {
        let places = self.places.iter();
        let places = places
            .map(|(path, place)| (path.len() + place.path.as_os_str().len()) as u64 + PLACE_WEIGHT);
        let free = self
            .free
            .iter()
            .map(|path| path.len() as u64 + PLACE_WEIGHT);
        self.manifest.weight() + places.sum::<u64>() + free.sum::<u64>()
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
        mut self,
        patch: &Path,
        expected: TreeHash,
        work: &Path,
        rules: Rules,
        observer: &mut dyn FnMut(u64) -> bool,
    ) -> Result<Scattered, PatchError> {
        let mut budget = Budget::default();
        budget.take(self.weight())?;
        let mut patch = Patch::open(patch, &mut budget)?;
        let operations = patch.operations(rules, &mut budget)?;
        // What stays is checked while the rest is made. Old paths mean the
        // old tree, so that is changed when all is made.
        let changed: HashSet<&str> = operations.iter().map(Operation::path).collect();
        let stop = AtomicBool::new(false);
        let made = std::thread::scope(|scope| {
            let kept = || verify(self.unverified(|path| !changed.contains(path)), &stop);
            let checks = std::thread::Builder::new()
                .spawn_scoped(scope, kept)
                .map_err(|e| FsError::new("start a thread for", work, e))?;
            let mut perform = || {
                let mut made = Vec::with_capacity(operations.len());
                for (index, operation) in operations.iter().enumerate() {
                    let built = work.join(index.to_string());
                    let source = Source {
                        patch: &mut patch,
                        budget,
                    };
                    made.push(self.perform(operation, source, &built, observer)?);
                }
                patch.finish().map(|()| made)
            };
            let performed = perform();
            stop.store(performed.is_err(), Ordering::Relaxed);
            let checked = checks.join().expect("no thread panics");
            performed.and_then(|made| checked.map(|()| made))
        })?;
        self.checked = true;
        for (path, place) in &mut self.places {
            place.verified |= !place.free && !changed.contains(path.as_str());
        }
        drop(changed);
        for (operation, made) in operations.into_iter().zip(made) {
            self.change(operation.into_path(), made)?;
        }
        rules.check_tree(&self.manifest)?;
        let found = self.manifest.tree_hash();
        if found != expected {
            return Err(PatchError::WrongTree { found, expected });
        }
        Ok(self)
    }

    /// Makes what one operation brings; `None` if it takes something away.
    fn perform(
        &self,
        operation: &Operation,
        source: Source,
        built: &Path,
        observer: &mut dyn FnMut(u64) -> bool,
    ) -> Result<Option<Made>, PatchError> {
        let (kind, mode, place) = match operation {
            Operation::Remove(_) => return Ok(None),
            Operation::Dir { mode, .. } => (Kind::Dir, *mode, None),
            Operation::Link { target, .. } => {
                let target = target.clone();
                (Kind::Link { target }, 0o777, None)
            }
            Operation::Copy { mode, old, .. } => {
                let place = Place {
                    free: false,
                    ..self.old(old)?
                };
                (self.manifest.entries[old].kind.clone(), *mode, Some(place))
            }
            &Operation::Full { mode, size, .. } => {
                let mut out = Output::create(built, size, mode, observer)?;
                source.patch.literals(size, &mut |bytes| out.write(bytes))?;
                let sha256 = out.finish()?;
                let place = Place::built(built, mode);
                (Kind::File { size, sha256 }, mode, Some(place))
            }
            Operation::Diff {
                mode,
                size,
                old,
                references,
                ..
            } => {
                let old = self.old(old)?.path;
                let mut out = Output::create(built, *size, *mode, observer)?;
                rebuild::rebuild(&old, references.as_deref(), *size, source, &mut out)?;
                let (size, sha256) = (*size, out.finish()?);
                let place = Place::built(built, *mode);
                (Kind::File { size, sha256 }, *mode, Some(place))
            }
        };
        let entry = Entry { kind, mode };
        Ok(Some(Made { entry, place }))
    }

    /// Puts what was made into the tree.
    fn change(&mut self, path: String, made: Option<Made>) -> Result<(), PatchError> {
        self.places.remove(&path);
        let Some(Made { entry, place }) = made else {
            return match self.manifest.entries.remove(&path) {
                Some(_) => Ok(()),
                None => Err(PatchError::NoOld(path)),
            };
        };
        if let Some(place) = place {
            self.places.insert(path.clone(), place);
        }
        self.manifest.entries.insert(path, entry);
        Ok(())
    }

    /// Where the file at `path` of the tree is.
    fn old(&self, path: &str) -> Result<Place, PatchError> {
        let entry = self.manifest.entries.get(path);
        entry
            .and_then(|entry| self.place(path, entry))
            .ok_or_else(|| PatchError::NoOld(path.into()))
    }

    /// Where a file is that has this entry; `None` if it is none.
    fn place(&self, path: &str, entry: &Entry) -> Option<Place> {
        if !matches!(entry.kind, Kind::File { .. }) {
            return None;
        }
        Some(match self.places.get(path) {
            Some(place) => place.clone(),
            None => Place {
                path: fs::join(&self.folder, path),
                built: false,
                mode: entry.mode,
                verified: self.checked,
                free: self.free.contains(path),
            },
        })
    }

    /// The files of `wanted` paths that were not hashed yet.
    fn unverified<'a>(
        &'a self,
        wanted: impl Fn(&str) -> bool + Send + 'a,
    ) -> impl Iterator<Item = (&'a str, Place, &'a Entry)> + Send {
        let wanted = self
            .manifest
            .entries
            .iter()
            .filter(move |(path, _)| wanted(path));
        let files = wanted
            .filter_map(|(path, entry)| Some((path.as_str(), self.place(path, entry)?, entry)));
        files.filter(|(_, place, _)| !place.verified && !place.free)
    }

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
                Kind::Dir => fs::create_dir_all(&to)?,
                Kind::Link { target } => fs::symlink(target, &to)?,
                Kind::File { size, .. } => {
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
            if entry.kind == Kind::Dir {
                fs::give_dir_mode(&fs::join(into, path), entry.mode)?;
            }
        }
        Ok(self.manifest)
    }
}

/// What an operation makes.
struct Made {
    entry: Entry,
    /// Of a file.
    place: Option<Place>,
}

/// What files are made from, and what that may take in memory.
struct Source<'a> {
    patch: &'a mut Patch,
    budget: Budget,
}

/// Whether installed files are as recorded; on all cores, until `stop` is set.
fn verify<'a>(
    files: impl Iterator<Item = (&'a str, Place, &'a Entry)> + Send,
    stop: &AtomicBool,
) -> Result<(), PatchError> {
    let files = Mutex::new(files);
    let next = || files.lock().ok()?.next();
    let work = || {
        while let Some((path, place, entry)) = next() {
            let Kind::File { size, sha256 } = &entry.kind else {
                continue;
            };
            if stop.load(Ordering::Relaxed) {
                break;
            }
            if !verify_file(&place.path, *size, sha256)? {
                stop.store(true, Ordering::Relaxed);
                return Err(PatchError::Changed { path: path.into() });
            }
        }
        Ok(())
    };
    std::thread::scope(|scope| {
        // One that cannot be started is done without.
        let other = |_| std::thread::Builder::new().spawn_scoped(scope, work).ok();
        let others: Vec<_> = (1..threads()).filter_map(other).collect();
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
