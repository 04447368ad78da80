//! Reads each file of a bundle once, and says what is in it.

use super::key_forms::{self, Key};
use crate::pack::archive::{Item, mode};
use crate::patch::members::carchive::COOKIE;
use memchr::memmem;
use notsotuf_stub::fs::{self, FsError};
use notsotuf_stub::stub_version;
use rayon::prelude::*;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

/// Read at a time.
const CHUNK: usize = 1 << 20;
/// What of a chunk is looked at again with the next: a key of 16384 bits has
/// 13 kB.
const OVERLAP: usize = 16 << 10;
/// How far before the end PyInstaller's cookie may be: a signature may follow
/// it.
const COOKIE_PLACE: u64 = 1 << 20;

/// Says what kind of program a file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ProgramKind {
    /// A program for Linux.
    Elf,
    /// A program for macOS.
    MachO,
    /// A program for Windows.
    Pe,
    /// With the name of its interpreter in the first line.
    Script,
    /// No program.
    Other,
}

impl ProgramKind {
    /// Returns the system that such programs are for; a script is for any.
    pub(crate) fn system(self) -> Option<&'static str> {
        match self {
            ProgramKind::Elf => Some("Linux"),
            ProgramKind::MachO => Some("macOS"),
            ProgramKind::Pe => Some("Windows"),
            ProgramKind::Script | ProgramKind::Other => None,
        }
    }

    /// Returns the kind of a file that begins with these bytes.
    pub(crate) fn of(head: &[u8]) -> Self {
        let first: Option<[u8; 4]> = head.get(..4).and_then(|first| first.try_into().ok());
        match first.map(u32::from_be_bytes) {
            Some(0x7f45_4c46) => ProgramKind::Elf,
            Some(0xfeed_face | 0xfeed_facf | 0xcefa_edfe | 0xcffa_edfe) => ProgramKind::MachO,
            // With several architectures; what has many is a class of Java.
            Some(0xcafe_babe) if matches!(head, [_, _, _, _, 0, 0, 0, ..32, ..]) => {
                ProgramKind::MachO
            }
            _ if head.starts_with(b"MZ") => ProgramKind::Pe,
            _ if head.starts_with(b"#!") => ProgramKind::Script,
            _ => ProgramKind::Other,
        }
    }
}

/// Holds what was found in a regular file.
#[derive(Debug)]
pub(super) struct Found {
    /// Its path in the bundle.
    pub name: String,
    /// Its path here.
    pub path: PathBuf,
    /// What it is.
    pub kind: ProgramKind,
    /// Whether it has the permission to be started.
    pub executable: bool,
    /// Whether it is a stub.
    pub stub: bool,
    /// Private keys in it.
    pub keys: Vec<Key>,
}

/// Holds what was found in a bundle.
#[derive(Debug)]
pub(super) struct Look {
    /// The bundle.
    pub bundle: PathBuf,
    /// Files, folders and links.
    pub items: Vec<Item>,
    /// The regular files.
    pub files: Vec<Found>,
}

impl Look {
    /// Reads what is in `items`.
    ///
    /// # Errors
    /// The file system's.
    pub(super) fn at(bundle: &Path, items: Vec<Item>) -> Result<Self, FsError> {
        let files = items.par_iter().filter(|item| item.kind.is_file());
        let files: Result<Vec<Found>, FsError> = files.map(read).collect();
        Ok(Look {
            bundle: bundle.into(),
            files: files?,
            items,
        })
    }

    /// Returns whether there is a folder of that path.
    pub(super) fn has_folder(&self, name: &str) -> bool {
        let mut items = self.items.iter();
        items.any(|item| item.name == name && item.kind.is_dir())
    }

    /// Returns the file of that path.
    pub(super) fn file(&self, name: &str) -> Option<&Found> {
        self.files.iter().find(|file| file.name == name)
    }
}

fn read(item: &Item) -> Result<Found, FsError> {
    let mut found = Found {
        name: item.name.clone(),
        path: item.path.clone(),
        kind: ProgramKind::Other,
        executable: mode(item) & 0o100 != 0,
        stub: false,
        keys: Vec::new(),
    };
    let mut file = fs::open(&item.path)?;
    let mut buffer = Vec::new();
    let mut read = 0;
    loop {
        let keep = buffer.len().min(OVERLAP);
        buffer.drain(..buffer.len() - keep);
        let fresh = (&mut file)
            .take(CHUNK as u64)
            .read_to_end(&mut buffer)
            .map_err(|e| FsError::new("read", &item.path, e))?;
        if read == 0 {
            found.kind = ProgramKind::of(&buffer);
            // Small files may be keys as a whole.
            if fresh < CHUNK {
                found.keys.extend(key_forms::whole(&item.name, &buffer));
            }
        }
        read += fresh;
        if fresh == 0 {
            return Ok(found);
        }
        for key in key_forms::pem(&buffer) {
            if !found.keys.contains(&key) {
                found.keys.push(key);
            }
        }
        let program = matches!(
            found.kind,
            ProgramKind::Elf | ProgramKind::MachO | ProgramKind::Pe
        );
        if program && !found.stub {
            let mut marks = memmem::find_iter(&buffer, stub_version::VERSION_MARKER);
            let mark = |at: usize| &buffer[at..buffer.len().min(at + 64)];
            found.stub = marks.any(|at| stub_version::version_of(mark(at)).is_some());
        }
    }
}

/// Returns whether the file is a program that PyInstaller made; false if it
/// cannot be read.
pub(crate) fn is_made_by_pyinstaller(path: &Path) -> bool {
    let end = || -> io::Result<Vec<u8>> {
        let mut file = File::open(path)?;
        let size = file.metadata()?.len();
        file.seek(SeekFrom::Start(size.saturating_sub(COOKIE_PLACE)))?;
        let mut end = Vec::new();
        file.read_to_end(&mut end)?;
        Ok(end)
    };
    end().is_ok_and(|end| memmem::rfind(&end, COOKIE).is_some())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_are_known_by_their_first_bytes() {
        for (head, kind) in [
            (&b"\x7fELF\x02"[..], ProgramKind::Elf),
            (b"\xcf\xfa\xed\xfe\x0c", ProgramKind::MachO),
            (b"\xca\xfe\xba\xbe\0\0\0\x02", ProgramKind::MachO),
            (b"\xca\xfe\xba\xbe\0\0\0\x34", ProgramKind::Other),
            (b"MZ\x90", ProgramKind::Pe),
            (b"#!/bin/sh", ProgramKind::Script),
            (b"", ProgramKind::Other),
            (b"text", ProgramKind::Other),
        ] {
            assert_eq!(ProgramKind::of(head), kind, "{head:?}");
        }
    }

    #[test]
    fn what_is_in_a_file_is_found_wherever_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let mark = format!("{}1.0\n", stub_version::VERSION_MARKER);
        let key = "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIBxyDbSjyJsqzHpPRbNUYbGDbVuxOEXHAnzn3l7d\n-----END PRIVATE KEY-----\n";
        // Over the edge of a chunk, and well behind it.
        for at in [0, 100, CHUNK - 10, CHUNK, 2 * CHUNK + 77] {
            let mut bytes = b"\x7fELF".to_vec();
            bytes.resize(4 + at, b' ');
            bytes.extend_from_slice(mark.as_bytes());
            bytes.extend_from_slice(key.as_bytes());
            std::fs::write(folder.path().join("file"), bytes).unwrap();
            let items = crate::pack::archive::collect(folder.path()).unwrap();
            let look = Look::at(folder.path(), items).unwrap();
            let file = look.file("file").unwrap();
            assert!(file.stub && file.kind == ProgramKind::Elf, "{at}");
            assert_eq!(file.keys.len(), 1, "{at}");
        }
    }
}
