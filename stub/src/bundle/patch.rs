//! Applying patches.
//!
//! A patch file begins with 8 bytes that name its format. `NSTFPT1\n` is
//! ours, version 1; all integers are LEB128 varints, strings are their length
//! in bytes and UTF-8:
//!
//! ```text
//! "NSTFPT1\n"  lzma-props:u8  dictionary:u32-le  body:LZMA until end marker
//! body     = count operation{count} stream*
//! operation = 0 path                             remove
//!           | 1 mode path                        folder
//!           | 2 path target                      symbolic link
//!           | 3 mode path size                   file, stream = its content
//!           | 4 mode path size old-path length   file, stream = bipatch of old-path
//!           | 5 mode path old-path               file with the content of old-path
//! ```
//! Streams stand in the order of the operations 3 and 4. Paths that no
//! operation names are as in the old tree. There are no hashes inside: what
//! comes out is hashed, and the manifest of that must have the tree hash that
//! the repository signed.

use super::manifest::{Entry, Kind, Manifest, TreeHash};
use super::rules::{MAX_ENTRIES, MAX_PATH, MAX_TOTAL, Refusal, Rules};
use crate::fs::{self, FsError};
use ring::digest;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufReader, Read, Write};
use std::path::{Path, PathBuf};

/// The first bytes of a patch in this format.
pub const MAGIC: &[u8; 8] = b"NSTFPT1\n";
/// The name of this format in targets metadata.
pub const FORMAT: &str = "notsotuf-1";
/// The largest LZMA dictionary, and so about the memory applying takes.
pub const MAX_DICTIONARY: u32 = 32 << 20;

/// The first byte of each operation.
pub mod op {
    #![allow(missing_docs)]
    pub const REMOVE: u8 = 0;
    pub const DIR: u8 = 1;
    pub const LINK: u8 = 2;
    pub const FULL: u8 = 3;
    pub const DIFF: u8 = 4;
    pub const COPY: u8 = 5;
}

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
            };
            (path.clone(), place)
        });
        Scattered {
            places: places.collect(),
            manifest,
        }
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
        patch: impl Read,
        expected: TreeHash,
        work: &Path,
        rules: Rules,
        observer: &mut dyn FnMut(u64) -> bool,
    ) -> Result<Scattered, PatchError> {
        let mut body = Body::open(patch)?;
        let operations = body.operations(rules)?;
        let mut new = self.clone();
        // Old paths mean the old tree, so removals and changes are made on a
        // copy, in one pass.
        for (index, operation) in operations.into_iter().enumerate() {
            let built = work.join(index.to_string());
            self.perform(&mut new, operation, &mut body, &built, observer)?;
        }
        body.finish()?;
        rules.check_tree(&new.manifest)?;
        let found = new.manifest.tree_hash();
        if found != expected {
            return Err(PatchError::WrongTree { found, expected });
        }
        Ok(new)
    }

    fn perform<R: Read>(
        &self,
        new: &mut Scattered,
        operation: Operation,
        body: &mut Body<R>,
        built: &Path,
        observer: &mut dyn FnMut(u64) -> bool,
    ) -> Result<(), PatchError> {
        let (path, mode, kind) = match operation {
            Operation::Remove(path) => {
                new.places.remove(&path);
                return match new.manifest.entries.remove(&path) {
                    Some(_) => Ok(()),
                    None => Err(PatchError::NoOld(path)),
                };
            }
            Operation::Dir { path, mode } => {
                new.places.remove(&path);
                (path, mode, Kind::Dir)
            }
            Operation::Link { path, target } => {
                new.places.remove(&path);
                (path, 0o777, Kind::Link { target })
            }
            Operation::Copy { path, mode, old } => {
                let place = self.old(&old)?;
                let kind = self.manifest.entries[&old].kind.clone();
                new.places.insert(path.clone(), place.clone());
                (path, mode, kind)
            }
            Operation::Full { path, mode, size } => {
                let stream = (&mut body.reader).take(size);
                let sha256 = build(stream, size, built, mode, observer)?;
                new.built(&path, built, mode);
                (path, mode, Kind::File { size, sha256 })
            }
            Operation::Diff {
                path,
                mode,
                size,
                old,
                length,
            } => {
                let file = BufReader::with_capacity(1 << 16, fs::open(&self.old(&old)?.path)?);
                let mut stream = (&mut body.reader).take(length);
                let reader = bipatch::Reader::new(&mut stream, file)
                    .map_err(|_| PatchError::Malformed("a bipatch stream has the wrong start"))?;
                let sha256 = build(reader, size, built, mode, observer)?;
                if stream.limit() != 0 {
                    return Err(PatchError::Malformed("a bipatch stream is too long"));
                }
                new.built(&path, built, mode);
                (path, mode, Kind::File { size, sha256 })
            }
        };
        new.manifest.entries.insert(path, Entry { kind, mode });
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
        };
        self.places.insert(path.into(), place);
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
        for (path, entry) in &self.manifest.entries {
            let to = fs::join(into, path);
            if let Some(parent) = to.parent() {
                fs::create_dir_all(parent)?;
            }
            match &entry.kind {
                Kind::Dir => fs::create_dir_all(&to)?,
                Kind::Link { target } => fs::symlink(target, &to)?,
                Kind::File { size, sha256 } => {
                    let place = self.places.remove(path).expect("every file has a place");
                    if !place.built {
                        verify_file(&place.path, *size, sha256)?
                            .then_some(())
                            .ok_or_else(|| PatchError::Changed { path: path.clone() })?;
                    }
                    // A built file may be wanted under two paths.
                    let last =
                        !place.built || !self.places.values().any(|other| other.path == place.path);
                    place_file(&place, &to, entry.mode, last)?;
                    if !observer(*size) {
                        return Err(PatchError::Stopped);
                    }
                }
            }
        }
        for (path, entry) in self.manifest.entries.iter().rev() {
            if entry.kind == Kind::Dir {
                fs::set_dir_mode(&fs::join(into, path), entry.mode)?;
            }
        }
        Ok(self.manifest)
    }
}

fn place_file(place: &Place, to: &Path, mode: u32, last: bool) -> Result<(), FsError> {
    if place.built && last {
        return fs::rename_unsynced(&place.path, to);
    }
    if place.mode == mode && !place.built {
        return fs::link_or_copy(&place.path, to);
    }
    // Another mode would change the installed file too, were it a link.
    fs::copy_with_mode(&place.path, to, mode)
}

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
    let mut buffer = vec![0; 1 << 17];
    let mut size = 0;
    loop {
        match file.read(&mut buffer) {
            Ok(0) => break,
            Ok(n) => {
                hash.update(&buffer[..n]);
                size += n as u64;
            }
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(FsError::new("read", path, e)),
        }
    }
    let sha256 = hash.finish().as_ref().try_into().expect("32 bytes");
    Ok((size, sha256))
}

/// Writes exactly `size` bytes from `from` to a new file and hashes them.
fn build(
    mut from: impl Read,
    size: u64,
    path: &Path,
    mode: u32,
    observer: &mut dyn FnMut(u64) -> bool,
) -> Result<[u8; 32], PatchError> {
    let mut file: File = fs::create_new(path)?;
    let mut hash = digest::Context::new(&digest::SHA256);
    let mut buffer = vec![0; 1 << 16];
    let mut left = size;
    loop {
        let n = match from.read(&mut buffer) {
            Ok(0) => break,
            Ok(n) => n,
            Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
            Err(e) => return Err(PatchError::Read(e)),
        };
        left = left
            .checked_sub(n as u64)
            .ok_or(PatchError::Malformed("a file comes out too long"))?;
        hash.update(&buffer[..n]);
        file.write_all(&buffer[..n])
            .map_err(|e| FsError::new("write", path, e))?;
        if !observer(n as u64) {
            return Err(PatchError::Stopped);
        }
    }
    if left != 0 {
        return Err(PatchError::Malformed("a file comes out too short"));
    }
    fs::set_mode(&file, path, mode)?;
    Ok(hash.finish().as_ref().try_into().expect("32 bytes"))
}

enum Operation {
    Remove(String),
    Dir {
        path: String,
        mode: u32,
    },
    Link {
        path: String,
        target: String,
    },
    Full {
        path: String,
        mode: u32,
        size: u64,
    },
    Diff {
        path: String,
        mode: u32,
        size: u64,
        old: String,
        length: u64,
    },
    Copy {
        path: String,
        mode: u32,
        old: String,
    },
}

struct Body<R: Read> {
    reader: BufReader<lzma_rust2::LzmaReader<R>>,
    total: u64,
}

impl<R: Read> Body<R> {
    fn open(mut patch: R) -> Result<Self, PatchError> {
        let mut head = [0; 13];
        patch.read_exact(&mut head).map_err(|e| match e.kind() {
            io::ErrorKind::UnexpectedEof => PatchError::Format,
            _ => PatchError::Read(e),
        })?;
        if &head[..8] != MAGIC {
            return Err(PatchError::Format);
        }
        let dictionary = u32::from_le_bytes(head[9..].try_into().expect("four bytes"));
        if dictionary > MAX_DICTIONARY {
            return Err(PatchError::Malformed("its dictionary is too large"));
        }
        let reader =
            lzma_rust2::LzmaReader::new_with_props(patch, u64::MAX, head[8], dictionary, None)
                .map_err(PatchError::Read)?;
        Ok(Body {
            reader: BufReader::with_capacity(1 << 16, reader),
            total: 0,
        })
    }

    fn operations(&mut self, rules: Rules) -> Result<Vec<Operation>, PatchError> {
        let count = self.number()?;
        if count > 2 * MAX_ENTRIES as u64 {
            return Err(Refusal::TooMany.into());
        }
        let mut operations = Vec::new();
        for _ in 0..count {
            operations.push(self.operation(rules)?);
        }
        Ok(operations)
    }

    fn operation(&mut self, rules: Rules) -> Result<Operation, PatchError> {
        let kind = self.byte()?;
        let mode = match kind {
            op::REMOVE | op::LINK => 0,
            _ => self.number()? as u32,
        };
        if mode > 0o777 {
            return Err(PatchError::Malformed("a mode has more than nine bits"));
        }
        let path = self.string()?;
        rules.check_path(&path)?;
        Ok(match kind {
            op::REMOVE => Operation::Remove(path),
            op::DIR => Operation::Dir { path, mode },
            op::LINK => Operation::Link {
                path,
                target: self.string()?,
            },
            op::FULL => Operation::Full {
                path,
                mode,
                size: self.size()?,
            },
            op::DIFF => Operation::Diff {
                path,
                mode,
                size: self.size()?,
                old: self.string()?,
                length: self.number()?,
            },
            op::COPY => Operation::Copy {
                path,
                mode,
                old: self.string()?,
            },
            _ => return Err(PatchError::Malformed("an operation is unknown")),
        })
    }

    fn byte(&mut self) -> Result<u8, PatchError> {
        let mut byte = [0];
        self.reader
            .read_exact(&mut byte)
            .map_err(PatchError::Read)?;
        Ok(byte[0])
    }

    fn number(&mut self) -> Result<u64, PatchError> {
        let mut value = 0u64;
        for shift in (0..63).step_by(7) {
            let byte = self.byte()?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(PatchError::Malformed("a number is too large"))
    }

    fn size(&mut self) -> Result<u64, PatchError> {
        let size = self.number()?;
        self.total = self.total.saturating_add(size);
        if self.total > MAX_TOTAL {
            return Err(Refusal::TooLarge.into());
        }
        Ok(size)
    }

    fn string(&mut self) -> Result<String, PatchError> {
        let length = self.number()? as usize;
        if length > MAX_PATH {
            return Err(PatchError::Malformed("a path is too long"));
        }
        let mut bytes = vec![0; length];
        self.reader
            .read_exact(&mut bytes)
            .map_err(PatchError::Read)?;
        String::from_utf8(bytes).map_err(|_| PatchError::Malformed("a path is not UTF-8"))
    }

    fn finish(mut self) -> Result<(), PatchError> {
        let mut byte = [0];
        match self.reader.read(&mut byte) {
            Ok(0) => Ok(()),
            Ok(_) => Err(PatchError::Malformed("there is data after its end")),
            Err(e) => Err(PatchError::Read(e)),
        }
    }
}
