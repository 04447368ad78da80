//! Safe unpacking of archives (gzipped tar).
//!
//! Reads what Python's tarfile, GNU tar and the bundler write: ustar, GNU
//! long names and pax headers. Hard links, which Python writes for files with
//! several names, become files of their own.

use super::manifest::{Entry, Kind, Manifest};
use super::rules::{MAX_ENTRIES, MAX_TOTAL, Refusal, Rules};
use crate::fs::{self, FsError};
use ring::digest;
use std::io::{self, Read, Write};
use std::path::Path;
use tar::EntryType;

/// Why an archive is not unpacked.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    /// Not gzip, not tar, or cut short.
    #[error("the archive cannot be read: {0}")]
    Read(#[source] io::Error),
    /// A path or link that may not be.
    #[error("the archive is refused: {0}")]
    Refused(#[from] Refusal),
    /// A device, a fifo, a sparse file, …
    #[error("the archive is refused: {path:?} is neither file, folder nor link")]
    EntryType {
        /// The entry's path.
        path: String,
    },
    /// A path that is not UTF-8.
    #[error("the archive is refused: the path {path:?} is not UTF-8")]
    NotUtf8 {
        /// The path with replacement characters.
        path: String,
    },
    /// A hard link to something that did not come before it.
    #[error(
        "the archive is refused: {path:?} is a hard link to {target:?}, which is no earlier file"
    )]
    HardLink {
        /// The entry's path.
        path: String,
        /// What it names.
        target: String,
    },
    /// Writing failed.
    #[error(transparent)]
    Fs(#[from] FsError),
    /// Someone asked to stop.
    #[error("unpacking was stopped")]
    Stopped,
}

/// What happens while unpacking.
pub trait Observer {
    /// `bytes` more were written. Answer `false` to stop.
    fn wrote(&mut self, bytes: u64) -> bool;
}

impl<F: FnMut(u64) -> bool> Observer for F {
    fn wrote(&mut self, bytes: u64) -> bool {
        self(bytes)
    }
}

/// Unpacks `gz` into the existing, empty folder `into` and returns what is
/// there now. Links are made last, once all of them are known to stay inside,
/// so nothing is ever written through one.
///
/// # Errors
/// [`ArchiveError`]; what was unpacked so far stays, for the caller to remove.
pub fn unpack(
    gz: impl Read,
    into: &Path,
    rules: Rules,
    observer: &mut dyn Observer,
) -> Result<Manifest, ArchiveError> {
    let gz = flate2::read::MultiGzDecoder::new(gz);
    let mut archive = tar::Archive::new(io::BufReader::with_capacity(1 << 18, gz));
    let mut unpacker = Unpacker {
        into,
        rules,
        tree: Manifest::default(),
        total: 0,
        buffer: vec![0; 1 << 18],
        observer,
    };
    for entry in archive.entries().map_err(ArchiveError::Read)? {
        unpacker.entry(entry.map_err(ArchiveError::Read)?)?;
    }
    unpacker.finish()
}

struct Unpacker<'a> {
    into: &'a Path,
    rules: Rules,
    tree: Manifest,
    total: u64,
    buffer: Vec<u8>,
    observer: &'a mut dyn Observer,
}

impl Unpacker<'_> {
    fn entry<R: Read>(&mut self, mut entry: tar::Entry<'_, R>) -> Result<(), ArchiveError> {
        let kind = entry.header().entry_type();
        if kind == EntryType::XGlobalHeader {
            return Ok(());
        }
        let Some(path) = clean(&entry.path_bytes())? else {
            return Ok(()); // the bundle folder itself, "."
        };
        self.rules.check_path(&path)?;
        let mode = entry.header().mode().map_err(ArchiveError::Read)? & 0o777;
        match kind {
            EntryType::Directory => {
                self.add(&path, Kind::Dir, mode)?;
                fs::create_dir_all(&self.place(&path))?;
            }
            EntryType::Regular | EntryType::Continuous => {
                self.file(&path, mode, &mut entry)?;
            }
            EntryType::Link => {
                let target = entry.link_name_bytes().unwrap_or_default();
                let target = clean(&target)?.unwrap_or_default();
                let earlier = self.tree.entries.get(&target).map(|e| &e.kind);
                if !matches!(earlier, Some(Kind::File { .. })) {
                    return Err(ArchiveError::HardLink { path, target });
                }
                let mut source = fs::open(&self.place(&target))?;
                self.file(&path, mode, &mut source)?;
            }
            EntryType::Symlink => {
                let target = entry.link_name_bytes().unwrap_or_default();
                let target = utf8(&target)?.to_owned();
                self.add(&path, Kind::Link { target }, 0o777)?;
            }
            _ => return Err(ArchiveError::EntryType { path }),
        }
        Ok(())
    }

    fn place(&self, path: &str) -> std::path::PathBuf {
        fs::join(self.into, path)
    }

    fn add(&mut self, path: &str, kind: Kind, mode: u32) -> Result<(), ArchiveError> {
        if self.tree.entries.len() >= MAX_ENTRIES {
            return Err(Refusal::TooMany.into());
        }
        let entry = Entry { kind, mode };
        if self.tree.entries.insert(path.into(), entry).is_some() {
            return Err(Refusal::Duplicate(path.into()).into());
        }
        Ok(())
    }

    fn file(&mut self, path: &str, mode: u32, from: &mut dyn Read) -> Result<(), ArchiveError> {
        // Its place in the tree is taken before anything is written.
        self.add(path, Kind::Dir, mode)?;
        let place = self.place(path);
        if let Some(parent) = place.parent() {
            fs::create_dir_all(parent)?;
        }
        let mut file = fs::create_new(&place)?;
        let mut hash = digest::Context::new(&digest::SHA256);
        let mut size = 0;
        loop {
            let n = match from.read(&mut self.buffer) {
                Ok(0) => break,
                Ok(n) => n,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
                Err(e) => return Err(ArchiveError::Read(e)),
            };
            hash.update(&self.buffer[..n]);
            file.write_all(&self.buffer[..n])
                .map_err(|e| FsError::new("write", &place, e))?;
            size += n as u64;
            self.total += n as u64;
            if self.total > MAX_TOTAL {
                return Err(Refusal::TooLarge.into());
            }
            if !self.observer.wrote(n as u64) {
                return Err(ArchiveError::Stopped);
            }
        }
        fs::set_mode(&file, &place, mode)?;
        let sha256 = hash.finish().as_ref().try_into().expect("32 bytes");
        let kind = Kind::File { size, sha256 };
        self.tree.entries.insert(path.into(), Entry { kind, mode });
        Ok(())
    }

    fn finish(mut self) -> Result<Manifest, ArchiveError> {
        // Archives need not list the folders their files are in.
        let implied: Vec<String> = self
            .tree
            .entries
            .keys()
            .flat_map(|path| path.match_indices('/').map(|(at, _)| path[..at].to_owned()))
            .filter(|folder| !self.tree.entries.contains_key(folder))
            .collect();
        for folder in implied {
            let entry = Entry {
                kind: Kind::Dir,
                mode: 0o755,
            };
            self.tree.entries.insert(folder, entry);
        }
        self.rules.check_tree(&self.tree)?;
        for (path, entry) in &self.tree.entries {
            if let Kind::Link { target } = &entry.kind {
                let place = self.place(path);
                if let Some(parent) = place.parent() {
                    fs::create_dir_all(parent)?;
                }
                fs::symlink(target, &place)?;
            }
        }
        // Last, as a folder without write permission takes no more files.
        for (path, entry) in self.tree.entries.iter().rev() {
            if entry.kind == Kind::Dir {
                let place = self.place(path);
                fs::create_dir_all(&place)?;
                fs::set_dir_mode(&place, entry.mode)?;
            }
        }
        Ok(self.tree)
    }
}

fn utf8(bytes: &[u8]) -> Result<&str, ArchiveError> {
    std::str::from_utf8(bytes).map_err(|_| ArchiveError::NotUtf8 {
        path: String::from_utf8_lossy(bytes).into_owned(),
    })
}

/// The path without the leading `./` and trailing `/` that tar programs
/// write; `None` for the folder itself.
fn clean(bytes: &[u8]) -> Result<Option<String>, ArchiveError> {
    let mut path = utf8(bytes)?;
    while let Some(rest) = path.strip_prefix("./") {
        path = rest;
    }
    let path = path.strip_suffix('/').unwrap_or(path);
    Ok((path != "." && !path.is_empty()).then(|| path.to_owned()))
}
