//! Makes the files and folders of an archive.

use crate::bundle::entry::{Entry, EntryKind};
use crate::bundle::manifest::Manifest;
use crate::bundle::path_rules::{MAX_TOTAL, PathError, Rules};
use crate::bundle::tree_check::{Tally, folders};
use crate::bundle::unpack::error::ArchiveError;
use crate::bundle::unpack::members::Member;
use crate::bundle::unpack::reuse_installed::{Installed, Target};
use crate::fs;
use ring::digest;
use std::fs::File;
use std::io;
use std::io::Read;
use std::path::Path;
use std::sync::mpsc::SyncSender;
use tar::EntryType;

/// The mode of a folder in which something is, until the archive says it or ends.
const IMPLIED: u32 = u32::MAX;

pub(super) struct Unpacker<'a> {
    pub(super) into: &'a Path,
    pub(super) rules: Rules,
    pub(super) tree: Manifest,
    pub(super) tally: Tally,
    pub(super) total: u64,
    pub(super) buffer: Vec<u8>,
    pub(super) installed: Option<Installed>,
    pub(super) observer: Option<&'a mut dyn FnMut(u64) -> bool>,
    /// Takes files that are to get to the disk.
    pub(super) written: SyncSender<File>,
}

impl Unpacker<'_> {
    pub(super) fn entry(
        &mut self,
        member: &Member,
        content: &mut dyn Read,
    ) -> Result<(), ArchiveError> {
        let Some(path) = clean(&member.path)? else {
            return Ok(()); // the bundle folder itself, "."
        };
        self.rules.check_path(&path)?;
        let mode = member.mode & 0o777;
        match member.kind {
            EntryType::Directory => {
                self.add(&path, EntryKind::Dir, mode)?;
                fs::create_dir_all(&self.place(&path))?;
            }
            EntryType::Regular | EntryType::Continuous => {
                // Before anything is written of what it says it has.
                if member.size > MAX_TOTAL.saturating_sub(self.total) {
                    return Err(PathError::TooLarge.into());
                }
                self.file(&path, mode, member.size, content)?;
            }
            EntryType::Link => {
                let target = clean(&member.link)?.unwrap_or_default();
                let earlier = self.tree.entries.get(&target).map(|e| &e.kind);
                let Some(&EntryKind::File { size, .. }) = earlier else {
                    return Err(ArchiveError::HardLink { path, target });
                };
                let mut source = fs::open(&self.place(&target))?;
                self.file(&path, mode, size, &mut source)?;
            }
            EntryType::Symlink => {
                let target = utf8(&member.link)?.to_owned();
                self.add(&path, EntryKind::Link { target }, 0o777)?;
            }
            _ => return Err(ArchiveError::EntryType { path }),
        }
        Ok(())
    }

    fn place(&self, path: &str) -> std::path::PathBuf {
        fs::join(self.into, path)
    }

    /// Takes an entry into the tree, with the folders it is in: archives need
    /// not list those, but they are made, so they count.
    fn add(&mut self, path: &str, kind: EntryKind, mode: u32) -> Result<(), ArchiveError> {
        for folder in folders(path) {
            match self.tree.entries.get(folder).map(|entry| &entry.kind) {
                Some(EntryKind::Dir) => break,
                Some(_) => return Err(PathError::NotAFolder(path.into(), folder.into()).into()),
                None => self.insert(folder, EntryKind::Dir, IMPLIED)?,
            }
        }
        let known = self.tree.entries.get(path);
        match known.map(|entry| (&entry.kind, entry.mode, &kind)) {
            None => self.insert(path, kind, mode),
            Some((EntryKind::Dir, IMPLIED, EntryKind::Dir)) => {
                self.tree.entries.insert(path.into(), Entry { kind, mode });
                Ok(())
            }
            Some(_) => Err(PathError::Duplicate(path.into()).into()),
        }
    }

    fn insert(&mut self, path: &str, kind: EntryKind, mode: u32) -> Result<(), ArchiveError> {
        self.tally.add(path, &kind)?;
        self.tree.entries.insert(path.into(), Entry { kind, mode });
        Ok(())
    }

    /// `length` is only what the archive announces.
    fn file(
        &mut self,
        path: &str,
        mode: u32,
        length: u64,
        from: &mut dyn Read,
    ) -> Result<(), ArchiveError> {
        // Its place in the tree is taken before anything is written.
        let nothing = EntryKind::File {
            size: 0,
            sha256: [0; 32],
        };
        self.add(path, nothing, mode)?;
        let place = self.place(path);
        if let Some(parent) = place.parent() {
            fs::create_dir_all(parent)?;
        }
        let reusable = self.installed.as_mut();
        let reusable = reusable.and_then(|installed| installed.reusable(path, mode, length));
        let mut target = match reusable {
            Some(reusable) => Target::ReusableFile(reusable),
            None => Target::New(fs::create_new(&place)?),
        };
        let mut hash = digest::Context::new(&digest::SHA256);
        let mut size = 0;
        loop {
            let n = match from.read(&mut self.buffer) {
                Ok(0) => break,
                Ok(n) => n,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
                Err(e) => return Err(ArchiveError::Read(e)),
            };
            let bytes = &self.buffer[..n];
            hash.update(bytes);
            target.write(&place, size, bytes)?;
            size += n as u64;
            self.total += n as u64;
            if self.total > MAX_TOTAL {
                return Err(PathError::TooLarge.into());
            }
            if let Some(observer) = &mut self.observer
                && !observer(n as u64)
            {
                return Err(ArchiveError::Stopped);
            }
        }
        match target {
            Target::ReusableFile(reusable) if size == length => {
                fs::link_or_copy(&reusable.path, &place)?
            }
            target => self.complete(target, &place, size, mode)?,
        }
        let sha256 = hash.finish().as_ref().try_into().expect("32 bytes");
        let kind = EntryKind::File { size, sha256 };
        self.tree.entries.insert(path.into(), Entry { kind, mode });
        Ok(())
    }

    /// Gives a file that was written its mode, and hands it on to be synced.
    fn complete(
        &self,
        mut target: Target,
        place: &Path,
        size: u64,
        mode: u32,
    ) -> Result<(), ArchiveError> {
        let file = target.of_its_own(place, size)?;
        fs::set_mode(file, place, mode)?;
        if let Target::New(file) = target
            && size >= fs::WORTH_BEGINNING
        {
            // `send` fails only if the sync thread has ended; the final sync
            // covers that case.
            drop(self.written.send(file));
        }
        Ok(())
    }

    pub(super) fn finish(mut self) -> Result<Manifest, ArchiveError> {
        for entry in self.tree.entries.values_mut() {
            if entry.mode == IMPLIED {
                entry.mode = 0o755;
            }
        }
        self.rules.check_tree(&self.tree)?;
        for (path, entry) in &self.tree.entries {
            if let EntryKind::Link { target } = &entry.kind {
                let place = self.place(path);
                if let Some(parent) = place.parent() {
                    fs::create_dir_all(parent)?;
                }
                fs::symlink(target, &place)?;
            }
        }
        // Last, as a folder without write permission takes no more files.
        for (path, entry) in self.tree.entries.iter().rev() {
            if entry.kind == EntryKind::Dir {
                let place = self.place(path);
                fs::create_dir_all(&place)?;
                fs::give_dir_mode(&place, entry.mode)?;
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
