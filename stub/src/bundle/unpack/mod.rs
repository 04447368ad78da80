//! Safe unpacking of archives (gzipped tar).
//!
//! Reads what Python's tarfile, GNU tar and the bundler write: ustar, GNU
//! long names and pax headers. Hard links, which Python writes for files with
//! several names, become files of their own.

mod members;

use self::members::{Member, Members};
use crate::bundle::manifest::{Entry, Kind, Manifest};
use crate::bundle::path_rules::{MAX_TOTAL, Refusal, Rules, Tally, folders};
use crate::fs::{self, FsError};
use ring::digest;
use std::fs::File;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use tar::EntryType;

/// The most that may follow the last entry: tar programs fill up a block,
/// whose size can be chosen.
const MAX_PADDING: u64 = 4 << 20;

/// The mode of a folder in which something is, until the archive says it or ends.
const IMPLIED: u32 = u32::MAX;

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
    /// Nothing in it.
    #[error("the archive is empty")]
    Empty,
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
/// Files that the folder `installed` has at the same path, with the same
/// content and permissions, become hard links to those where the file system
/// has such: most of an update is not new, and what is linked need be neither
/// written nor waited for.
///
/// # Errors
/// [`ArchiveError`]; what was unpacked so far stays, for the caller to remove.
pub fn unpack(
    gz: impl Read + Send,
    into: &Path,
    installed: Option<&Path>,
    rules: Rules,
    observer: &mut dyn Observer,
) -> Result<Manifest, ArchiveError> {
    // Inflating takes about as long as hashing and writing.
    std::thread::scope(|scope| {
        let (full, chunks) = sync_channel(WAITING);
        let (give_back, empty) = sync_channel(WAITING + 2);
        let inflating = std::thread::Builder::new()
            .spawn_scoped(scope, move || inflate(gz, &full, &empty))
            .map_err(ArchiveError::Read)?;
        let tar = Inflated {
            chunks,
            give_back,
            chunk: Vec::new(),
            at: 0,
        };
        let (written, files) = sync_channel::<File>(WAITING);
        std::thread::Builder::new()
            .spawn_scoped(scope, move || {
                for file in files {
                    fs::begin_sync(&file);
                }
            })
            .map_err(ArchiveError::Read)?;
        // Ends the channels in any case, and so the threads.
        let result = unpack_tar(tar, into, installed, rules, observer, written);
        inflating.join().expect("inflating does not panic");
        result
    })
}

fn unpack_tar(
    tar: impl Read,
    into: &Path,
    installed: Option<&Path>,
    rules: Rules,
    observer: &mut dyn Observer,
    written: SyncSender<File>,
) -> Result<Manifest, ArchiveError> {
    let mut archive = Members::new(tar);
    let mut unpacker = Unpacker {
        into,
        rules,
        tree: Manifest::default(),
        tally: Tally::default(),
        total: 0,
        buffer: vec![0; 1 << 18],
        installed: installed.and_then(Installed::at),
        observer,
        written,
    };
    while let Some(member) = archive.next()? {
        unpacker.entry(&member, &mut archive)?;
    }
    // On to the end of the compressed data, whose checksum is checked there.
    let rest = io::copy(
        &mut archive.into_inner().take(MAX_PADDING + 1),
        &mut io::sink(),
    );
    if rest.map_err(ArchiveError::Read)? > MAX_PADDING {
        return Err(Refusal::TooLarge.into());
    }
    if unpacker.tree.entries.is_empty() {
        return Err(ArchiveError::Empty);
    }
    unpacker.finish()
}

/// How many chunks of inflated data may wait for being written, and the bytes
/// of each.
const WAITING: usize = 4;
const CHUNK: usize = 1 << 18;

/// Sends the inflated data until its end, an error, or until nobody wants it
/// any more.
fn inflate(gz: impl Read, full: &SyncSender<io::Result<Vec<u8>>>, empty: &Receiver<Vec<u8>>) {
    let gz = io::BufReader::with_capacity(CHUNK, gz);
    let mut gz = flate2::bufread::MultiGzDecoder::new(gz);
    loop {
        let mut chunk = empty.try_recv().unwrap_or_default();
        let read = (&mut gz).take(CHUNK as u64).read_to_end(&mut chunk);
        let (last, message) = match read {
            Ok(n) => (n < CHUNK, Ok(chunk)),
            Err(e) => (true, Err(e)),
        };
        if full.send(message).is_err() || last {
            return;
        }
    }
}

/// What [`inflate`] sends.
struct Inflated {
    chunks: Receiver<io::Result<Vec<u8>>>,
    give_back: SyncSender<Vec<u8>>,
    chunk: Vec<u8>,
    at: usize,
}

impl Read for Inflated {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.at == self.chunk.len() {
            let Ok(next) = self.chunks.recv() else {
                return Ok(0);
            };
            let mut used = std::mem::replace(&mut self.chunk, next?);
            self.at = 0;
            used.clear();
            // If nobody wants it any more, it may go.
            drop(self.give_back.try_send(used));
        }
        let n = (&self.chunk[self.at..]).read(buffer)?;
        self.at += n;
        Ok(n)
    }
}

struct Unpacker<'a> {
    into: &'a Path,
    rules: Rules,
    tree: Manifest,
    tally: Tally,
    total: u64,
    buffer: Vec<u8>,
    installed: Option<Installed>,
    observer: &'a mut dyn Observer,
    /// Takes files that are to get to the disk.
    written: SyncSender<File>,
}

impl Unpacker<'_> {
    fn entry(&mut self, member: &Member, content: &mut dyn Read) -> Result<(), ArchiveError> {
        let Some(path) = clean(&member.path)? else {
            return Ok(()); // the bundle folder itself, "."
        };
        self.rules.check_path(&path)?;
        let mode = member.mode & 0o777;
        match member.kind {
            EntryType::Directory => {
                self.add(&path, Kind::Dir, mode)?;
                fs::create_dir_all(&self.place(&path))?;
            }
            EntryType::Regular | EntryType::Continuous => {
                // Before anything is written of what it says it has.
                if member.size > MAX_TOTAL.saturating_sub(self.total) {
                    return Err(Refusal::TooLarge.into());
                }
                self.file(&path, mode, member.size, content)?;
            }
            EntryType::Link => {
                let target = clean(&member.link)?.unwrap_or_default();
                let earlier = self.tree.entries.get(&target).map(|e| &e.kind);
                let Some(&Kind::File { size, .. }) = earlier else {
                    return Err(ArchiveError::HardLink { path, target });
                };
                let mut source = fs::open(&self.place(&target))?;
                self.file(&path, mode, size, &mut source)?;
            }
            EntryType::Symlink => {
                let target = utf8(&member.link)?.to_owned();
                self.add(&path, Kind::Link { target }, 0o777)?;
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
    fn add(&mut self, path: &str, kind: Kind, mode: u32) -> Result<(), ArchiveError> {
        for folder in folders(path) {
            match self.tree.entries.get(folder).map(|entry| &entry.kind) {
                Some(Kind::Dir) => break,
                Some(_) => return Err(Refusal::NotAFolder(path.into(), folder.into()).into()),
                None => self.insert(folder, Kind::Dir, IMPLIED)?,
            }
        }
        let known = self.tree.entries.get(path);
        match known.map(|entry| (&entry.kind, entry.mode, &kind)) {
            None => self.insert(path, kind, mode),
            Some((Kind::Dir, IMPLIED, Kind::Dir)) => {
                self.tree.entries.insert(path.into(), Entry { kind, mode });
                Ok(())
            }
            Some(_) => Err(Refusal::Duplicate(path.into()).into()),
        }
    }

    fn insert(&mut self, path: &str, kind: Kind, mode: u32) -> Result<(), ArchiveError> {
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
        let nothing = Kind::File {
            size: 0,
            sha256: [0; 32],
        };
        self.add(path, nothing, mode)?;
        let place = self.place(path);
        if let Some(parent) = place.parent() {
            fs::create_dir_all(parent)?;
        }
        let twin = self.installed.as_mut();
        let twin = twin.and_then(|installed| installed.twin(path, mode, length));
        let mut target = match twin {
            Some(twin) => Target::Twin(twin),
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
                return Err(Refusal::TooLarge.into());
            }
            if !self.observer.wrote(n as u64) {
                return Err(ArchiveError::Stopped);
            }
        }
        match target {
            Target::Twin(twin) if size == length => fs::link_or_copy(&twin.path, &place)?,
            mut target => {
                let file = target.of_its_own(&place, size)?;
                fs::set_mode(file, &place, mode)?;
                if let Target::New(file) = target
                    && size >= fs::WORTH_BEGINNING
                {
                    // It only does not take it if it is gone, which the sync at
                    // the end makes up for.
                    drop(self.written.send(file));
                }
            }
        }
        let sha256 = hash.finish().as_ref().try_into().expect("32 bytes");
        let kind = Kind::File { size, sha256 };
        self.tree.entries.insert(path.into(), Entry { kind, mode });
        Ok(())
    }

    fn finish(mut self) -> Result<Manifest, ArchiveError> {
        for entry in self.tree.entries.values_mut() {
            if entry.mode == IMPLIED {
                entry.mode = 0o755;
            }
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
                fs::give_dir_mode(&place, entry.mode)?;
            }
        }
        Ok(self.tree)
    }
}

/// The folder of what is installed, real and without links on the way.
struct Installed {
    folder: PathBuf,
    /// The folder in it that was looked at last, and whether it is one.
    last: Option<(PathBuf, bool)>,
}

/// An installed file that has been like the unpacked one so far.
struct Twin {
    path: PathBuf,
    file: File,
    compare: Vec<u8>,
}

impl Installed {
    fn at(folder: &Path) -> Option<Self> {
        let folder = folder.canonicalize().ok()?;
        Some(Installed { folder, last: None })
    }

    /// The installed file at `path` if it may be like that of the archive.
    fn twin(&mut self, path: &str, mode: u32, length: u64) -> Option<Twin> {
        let place = fs::join(&self.folder, path);
        let parent = place.parent()?;
        // What a link leads to is not of the installation.
        let real = match &self.last {
            Some((last, real)) if last == parent => *real,
            _ => {
                let real = parent.canonicalize().is_ok_and(|found| found == parent);
                self.last = Some((parent.to_owned(), real));
                real
            }
        };
        if !real {
            return None;
        }
        let found = fs::inspect(&place).ok()??;
        if !found.is_file() || found.len() != length || !fs::has_permissions(&found, mode) {
            return None;
        }
        Some(Twin {
            file: File::open(&place).ok()?,
            path: place,
            compare: Vec::new(),
        })
    }
}

/// What becomes of a file of the archive.
enum Target {
    Twin(Twin),
    New(File),
}

impl Target {
    /// Takes the `bytes` that follow the first `done`.
    fn write(&mut self, place: &Path, done: u64, bytes: &[u8]) -> Result<(), FsError> {
        if let Target::Twin(twin) = self {
            twin.compare.resize(bytes.len(), 0);
            if twin.file.read_exact(&mut twin.compare).is_ok() && twin.compare == bytes {
                return Ok(());
            }
        }
        self.of_its_own(place, done)?
            .write_all(bytes)
            .map_err(|e| FsError::new("write", place, e))
    }

    /// Makes it a file of its own, with the `done` bytes that were alike.
    fn of_its_own(&mut self, place: &Path, done: u64) -> Result<&mut File, FsError> {
        if let Target::Twin(twin) = self {
            let mut file = fs::create_new(place)?;
            let mut alike = fs::open(&twin.path)?.take(done);
            let copied = io::copy(&mut alike, &mut file);
            let copied = copied.map_err(|e| FsError::new("write", place, e))?;
            if copied != done {
                let error = io::Error::other("it became shorter while it was read");
                return Err(FsError::new("read", &twin.path, error));
            }
            *self = Target::New(file);
        }
        match self {
            Target::New(file) => Ok(file),
            Target::Twin(_) => unreachable!("it was just replaced"),
        }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bundle::path_rules::{MAX_DEPTH, MAX_ENTRIES, MAX_PATHS};
    use flate2::Compression;
    use flate2::write::GzEncoder;
    use tar::Header;

    /// An entry just as given, without the care that `tar::Builder` takes.
    fn entry(name: &str, kind: EntryType, link: &str, content: &[u8]) -> Vec<u8> {
        let mut header = Header::new_gnu();
        let gnu = header.as_gnu_mut().unwrap();
        gnu.name[..name.len()].copy_from_slice(name.as_bytes());
        gnu.linkname[..link.len()].copy_from_slice(link.as_bytes());
        header.set_entry_type(kind);
        header.set_mode(0o755);
        header.set_size(content.len() as u64);
        header.set_cksum();
        let mut out = header.as_bytes().to_vec();
        out.extend(content);
        out.resize(out.len().next_multiple_of(512), 0);
        out
    }
    fn file(name: &str) -> Vec<u8> {
        entry(name, EntryType::Regular, "", b"content")
    }
    fn link(name: &str, to: &str) -> Vec<u8> {
        entry(name, EntryType::Symlink, to, b"")
    }
    fn hard(name: &str, to: &str) -> Vec<u8> {
        entry(name, EntryType::Link, to, b"")
    }

    fn gzip(entries: &[Vec<u8>]) -> Vec<u8> {
        let mut gz = GzEncoder::new(Vec::new(), Compression::fast());
        gz.write_all(&entries.concat()).unwrap();
        gz.write_all(&[0; 1024]).unwrap();
        gz.finish().unwrap()
    }

    struct Place {
        folder: tempfile::TempDir,
    }
    impl Place {
        fn new() -> Self {
            let folder = tempfile::tempdir().unwrap();
            fs::create_dir_all(&folder.path().join("in/tree")).unwrap();
            std::fs::write(folder.path().join("victim"), "untouched").unwrap();
            Place { folder }
        }
        fn tree(&self) -> PathBuf {
            self.folder.path().join("in/tree")
        }
        fn unpack(&self, gz: &[u8]) -> Result<Manifest, ArchiveError> {
            unpack(gz, &self.tree(), None, Rules::portable(), &mut |_| true)
        }
        fn assert_nothing_outside(&self, what: &str) {
            let victim = std::fs::read_to_string(self.folder.path().join("victim")).unwrap();
            assert_eq!(victim, "untouched", "{what}");
            for (folder, count) in [("", 2), ("in", 1)] {
                let found = fs::list(&self.folder.path().join(folder)).unwrap();
                assert_eq!(found.len(), count, "{what}: {found:?}");
            }
        }
    }

    #[test]
    fn hostile_archives_are_refused_and_write_nothing_outside() {
        let device = |kind| entry("device", kind, "", b"");
        for (what, entries) in [
            ("absolute", vec![file("/tmp/notsotuf-was-here")]),
            ("parent", vec![file("../../victim")]),
            ("inner parent", vec![file("a/../../../victim")]),
            ("drive", vec![file("C:/victim")]),
            ("backslashes", vec![file("..\\..\\victim")]),
            ("link out", vec![link("l", "../../victim")]),
            ("absolute link", vec![link("l", "/etc/passwd")]),
            ("through a link", vec![link("l", ".."), file("l/x")]),
            (
                "through a link to a folder",
                vec![link("l", "d"), file("l/x")],
            ),
            (
                "through two links",
                vec![
                    link("d/b", "../../top"),
                    link("d/a", "b/../.."),
                    file("d/a/x"),
                ],
            ),
            (
                "file, then link",
                vec![file("x"), link("x", "../../victim")],
            ),
            (
                "link, then file",
                vec![link("x", "../../victim"), file("x")],
            ),
            ("hard link out", vec![hard("h", "../../victim")]),
            (
                "hard link to a link",
                vec![link("l", "x"), file("x"), hard("h", "l")],
            ),
            ("hard link to nothing", vec![hard("h", "none")]),
            ("character device", vec![device(EntryType::Char)]),
            ("block device", vec![device(EntryType::Block)]),
            ("pipe", vec![device(EntryType::Fifo)]),
            ("twice", vec![file("x"), file("x")]),
            ("case", vec![file("x"), file("X")]),
            ("case of folders", vec![file("d/x"), file("D/y")]),
            ("inside a file", vec![file("x"), file("x/y")]),
            ("a name of Windows", vec![file("d/NUL.txt")]),
            ("the record", vec![file(".notsotuf-release")]),
        ] {
            let place = Place::new();
            assert!(place.unpack(&gzip(&entries)).is_err(), "{what}");
            place.assert_nothing_outside(what);
        }
    }

    #[test]
    fn bombs_are_refused() {
        let place = Place::new();
        // It says that more follows than is allowed.
        let mut header = Header::new_gnu();
        header.set_path("large").unwrap();
        header.set_mode(0o644);
        header.set_size(MAX_TOTAL + 1);
        header.set_cksum();
        let large = place.unpack(&gzip(&[header.as_bytes().to_vec()]));
        assert!(matches!(
            large,
            Err(ArchiveError::Refused(Refusal::TooLarge))
        ));
        let many: Vec<_> = (0..=MAX_ENTRIES)
            .map(|n| link(&format!("l{n}"), "x"))
            .collect();
        let many = place.unpack(&gzip(&many));
        assert!(matches!(many, Err(ArchiveError::Refused(Refusal::TooMany))));
        // Data without end after the last entry.
        let mut padded = vec![file("x"), vec![0; 1024]];
        padded.extend(vec![vec![0; 1 << 20]; 5]);
        let padded = Place::new().unpack(&gzip(&padded));
        assert!(matches!(
            padded,
            Err(ArchiveError::Refused(Refusal::TooLarge))
        ));
        place.assert_nothing_outside("bombs");
    }

    #[test]
    fn what_headers_and_paths_take_in_memory_is_bounded() {
        let refusal = |entries: &[Vec<u8>]| match Place::new().unpack(&gzip(entries)) {
            Err(ArchiveError::Refused(refusal)) => refusal,
            other => panic!("{other:?}"),
        };
        let of = |kind: EntryType, size: usize| entry("long", kind, "", &vec![b'a'; size]);
        for kind in [
            EntryType::GNULongName,
            EntryType::GNULongLink,
            EntryType::XHeader,
        ] {
            let long = refusal(&[of(kind, (1 << 16) + 1), file("x")]);
            assert_eq!(long, Refusal::Extension, "{kind:?}");
        }
        // Announced only, however much it is.
        let mut header = Header::new_gnu();
        header.set_entry_type(EntryType::GNULongName);
        header.set_size(1 << 33);
        header.set_cksum();
        let announced = refusal(&[header.as_bytes().to_vec()]);
        assert_eq!(announced, Refusal::Extension);
        // What says nothing of a member is passed by.
        let global = [of(EntryType::XGlobalHeader, 1 << 20), file("x")];
        assert!(Place::new().unpack(&gzip(&global)).is_ok());

        let long = |path: &str| {
            let name = [path.as_bytes(), b"\0"].concat();
            [entry("@", EntryType::GNULongName, "", &name), file("cut")].concat()
        };
        let deep = |depth: usize| long(&format!("{}x", "d/".repeat(depth)));
        let place = Place::new();
        // Folders that nothing lists count.
        let tree = place.unpack(&gzip(&[deep(MAX_DEPTH)])).unwrap();
        assert_eq!(tree.entries.len(), MAX_DEPTH + 1);
        let too_deep = refusal(&[deep(MAX_DEPTH + 1)]);
        assert!(matches!(too_deep, Refusal::TooDeep(_)));

        let linked = |n: usize| {
            let target = entry("@", EntryType::GNULongLink, "", &vec![b'x'; 4000]);
            [target, link(&format!("l{n}"), "cut")].concat()
        };
        let linked: Vec<_> = (0..=MAX_PATHS as usize / 4000).map(linked).collect();
        assert_eq!(refusal(&linked), Refusal::Paths);
    }

    #[test]
    fn names_come_in_headers_of_their_own() {
        fn record(key: &str, value: &str) -> String {
            let rest = format!(" {key}={value}\n");
            let mut length = rest.len();
            while length != rest.len() + length.to_string().len() {
                length = rest.len() + length.to_string().len();
            }
            format!("{length}{rest}")
        }
        let pax = |records: &[(&str, &str)]| {
            let text: String = records.iter().map(|(k, v)| record(k, v)).collect();
            entry("pax", EntryType::XHeader, "", text.as_bytes())
        };
        let gnu = |kind, name: &str| entry("@", kind, "", name.as_bytes());
        let (name, target) = ("n/".repeat(60) + "x", "./".repeat(80) + "real");
        let tree = Place::new()
            .unpack(&gzip(&[
                gnu(EntryType::GNULongName, &format!("{name}\0")),
                file("cut"),
                pax(&[("mtime", "1.5"), ("path", "ü\n".trim()), ("size", "7")]),
                file("cut"),
                file("real"),
                gnu(EntryType::GNULongLink, &target),
                pax(&[("comment", "a=b\nc")]),
                link("l1", "cut"),
                pax(&[("linkpath", &target)]),
                link("l2", "cut"),
            ]))
            .unwrap();
        for path in [name.as_str(), "ü", "real"] {
            let kind = &tree.entries[path].kind;
            assert!(matches!(kind, Kind::File { size: 7, .. }), "{path}");
        }
        for path in ["l1", "l2"] {
            assert_eq!(
                tree.entries[path].kind,
                Kind::Link {
                    target: target.clone()
                }
            );
        }
        for (what, entries) in [
            ("nothing follows", vec![file("x"), pax(&[("path", "y")])]),
            (
                "two names",
                vec![
                    gnu(EntryType::GNULongName, "a\0"),
                    gnu(EntryType::GNULongName, "b\0"),
                    file("x"),
                ],
            ),
            ("two headers", vec![pax(&[]), pax(&[]), file("x")]),
            (
                "two paths",
                vec![pax(&[("path", "a"), ("path", "b")]), file("x")],
            ),
            ("no size", vec![pax(&[("size", "-1")]), file("x")]),
            ("a larger size", vec![pax(&[("size", "99999")]), file("x")]),
            (
                "no records",
                vec![
                    entry("pax", EntryType::XHeader, "", b"99 path=x\n"),
                    file("x"),
                ],
            ),
        ] {
            assert!(Place::new().unpack(&gzip(&entries)).is_err(), "{what}");
        }
    }

    #[test]
    fn folders_may_be_listed_after_what_is_in_them_but_once() {
        let folder = || entry("d/", EntryType::Directory, "", b"");
        let place = Place::new();
        let tree = place.unpack(&gzip(&[file("d/e/x"), folder()])).unwrap();
        let dirs = tree.entries.iter().filter(|(_, e)| e.kind == Kind::Dir);
        let dirs: Vec<_> = dirs.map(|(path, e)| (path.as_str(), e.mode)).collect();
        assert_eq!(dirs, [("d", 0o755), ("d/e", 0o755)]);
        for twice in [
            vec![file("d/x"), folder(), folder()],
            vec![folder(), file("d/x"), folder()],
            vec![file("d/x"), file("d")],
            vec![file("d/x"), link("d", "e")],
            vec![file("d"), file("d/x")],
        ] {
            assert!(Place::new().unpack(&gzip(&twice)).is_err());
        }
    }

    #[test]
    fn a_hard_link_becomes_a_file_of_its_own() {
        let place = Place::new();
        let tree = place
            .unpack(&gzip(&[file("./x"), hard("y", "./x")]))
            .unwrap();
        assert_eq!(tree.entries["x"], tree.entries["y"]);
        std::fs::write(place.tree().join("x"), "changed").unwrap();
        assert_eq!(
            std::fs::read_to_string(place.tree().join("y")).unwrap(),
            "content"
        );
    }

    #[test]
    fn cut_or_damaged_archives_are_refused() {
        let whole = gzip(&[file("x"), entry("big", EntryType::Regular, "", &[7; 5000])]);
        assert!(Place::new().unpack(&whole).is_ok());
        for cut in 0..whole.len() {
            let place = Place::new();
            let result = place.unpack(&whole[..cut]);
            assert!(result.is_err(), "{cut} of {}", whole.len());
        }
        assert!(Place::new().unpack(b"not gzip at all").is_err());
    }

    #[test]
    fn unpacking_can_be_stopped() {
        let place = Place::new();
        let archive = gzip(&[file("x")]);
        let result = unpack(
            &archive[..],
            &place.tree(),
            None,
            Rules::host(),
            &mut |_| false,
        );
        assert!(matches!(result, Err(ArchiveError::Stopped)));
    }

    #[cfg(unix)]
    #[test]
    fn what_is_installed_alike_is_linked() {
        use std::os::unix::fs::{MetadataExt, PermissionsExt};
        let place = Place::new();
        let app = place.folder.path().join("app");
        let long = vec![7; 3 * CHUNK];
        let mut end = long.clone();
        *end.last_mut().unwrap() = 8;
        let mut start = long.clone();
        start[0] = 8;
        let same: &[u8] = b"content";
        let put = |path: &str, content: &[u8], mode: u32| {
            let to = fs::join(&app, path);
            fs::create_dir_all(to.parent().unwrap()).unwrap();
            std::fs::write(&to, content).unwrap();
            std::fs::set_permissions(&to, PermissionsExt::from_mode(mode)).unwrap();
        };
        for (path, content) in [
            ("same", same),
            ("d/long", &long),
            ("other", b"CONTENT"),
            ("shorter", b"conten"),
            ("longer", b"content!"),
            ("end", &end),
            ("start", &start),
            ("outside/x", same),
            ("folder/x", same),
            ("link", same),
        ] {
            put(path, content, 0o755);
        }
        put("mode", same, 0o644);
        put("setuid", same, 0o4755);
        // A folder and a file that are links by now.
        std::fs::rename(app.join("outside"), place.folder.path().join("outside")).unwrap();
        fs::symlink("../outside", &app.join("outside")).unwrap();
        std::fs::rename(app.join("link"), place.folder.path().join("outside/link")).unwrap();
        fs::symlink("../outside/link", &app.join("link")).unwrap();

        let mut entries: Vec<_> = [
            "same",
            "other",
            "shorter",
            "longer",
            "outside/x",
            "folder",
            "link",
            "mode",
            "setuid",
            "new",
        ]
        .map(file)
        .into();
        entries.push(hard("hard", "same"));
        for path in ["d/long", "end", "start"] {
            entries.push(entry(path, EntryType::Regular, "", &long));
        }
        let gz = gzip(&entries);
        let tree = unpack(
            &gz[..],
            &place.tree(),
            Some(&app),
            Rules::portable(),
            &mut |_| true,
        )
        .unwrap();
        let alone = Place::new();
        assert_eq!(tree, alone.unpack(&gz).unwrap());
        let mut linked = Vec::new();
        for (path, entry) in &tree.entries {
            let Kind::File { size, sha256 } = &entry.kind else {
                continue;
            };
            let to = fs::join(&place.tree(), path);
            let found = fs::inspect(&to).unwrap().unwrap();
            assert!(crate::bundle::patch::verify_file(&to, *size, sha256).unwrap());
            assert_eq!(found.mode() & 0o7777, 0o755, "{path}");
            if found.nlink() > 1 {
                linked.push(path.as_str());
                let installed = fs::inspect(&fs::join(&app, path)).unwrap().unwrap();
                assert_eq!(found.ino(), installed.ino(), "{path}");
            }
        }
        assert_eq!(linked, ["d/long", "same"]);
        assert_eq!(std::fs::read(app.join("end")).unwrap(), end);

        // What is not an installation does not matter.
        let place = Place::new();
        let none = place.folder.path().join("none");
        unpack(
            &gz[..],
            &place.tree(),
            Some(&none),
            Rules::portable(),
            &mut |_| true,
        )
        .unwrap();
    }
}
