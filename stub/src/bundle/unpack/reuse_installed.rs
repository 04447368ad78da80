//! Links files that are installed alike instead of writing them again.

use crate::fs;
use crate::fs::FsError;
use std::fs::File;
use std::io;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

/// Names the folder of what is installed, real and without links on the way.
pub(super) struct Installed {
    pub(super) folder: PathBuf,
    /// The folder in it that was looked at last, and whether it is one.
    pub(super) last: Option<(PathBuf, bool)>,
}

/// Holds an installed file that has been like the unpacked one so far.
pub(super) struct ReusableFile {
    pub(super) path: PathBuf,
    pub(super) file: File,
    compare: Vec<u8>,
}

impl Installed {
    pub(super) fn at(folder: &Path) -> Option<Self> {
        let folder = folder.canonicalize().ok()?;
        Some(Installed { folder, last: None })
    }

    /// Returns the installed file at `path` if it may be like that of the
    /// archive.
    pub(super) fn reusable(&mut self, path: &str, mode: u32, length: u64) -> Option<ReusableFile> {
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
        Some(ReusableFile {
            file: File::open(&place).ok()?,
            path: place,
            compare: Vec::new(),
        })
    }
}

/// Says what becomes of a file of the archive.
pub(super) enum Target {
    ReusableFile(ReusableFile),
    New(File),
}

impl Target {
    /// Takes the `bytes` that follow the first `done`.
    pub(super) fn write(&mut self, place: &Path, done: u64, bytes: &[u8]) -> Result<(), FsError> {
        if let Target::ReusableFile(reusable) = self {
            reusable.compare.resize(bytes.len(), 0);
            if reusable.file.read_exact(&mut reusable.compare).is_ok() && reusable.compare == bytes
            {
                return Ok(());
            }
        }
        self.of_its_own(place, done)?
            .write_all(bytes)
            .map_err(|e| FsError::new("write", place, e))
    }

    /// Makes it a file of its own, with the `done` bytes that were alike.
    pub(super) fn of_its_own(&mut self, place: &Path, done: u64) -> Result<&mut File, FsError> {
        if let Target::ReusableFile(reusable) = self {
            let mut file = fs::create_new(place)?;
            let mut alike = fs::open(&reusable.path)?.take(done);
            let copied = io::copy(&mut alike, &mut file);
            let copied = copied.map_err(|e| FsError::new("write", place, e))?;
            if copied != done {
                let error = io::Error::other("it became shorter while it was read");
                return Err(FsError::new("read", &reusable.path, error));
            }
            *self = Target::New(file);
        }
        match self {
            Target::New(file) => Ok(file),
            Target::ReusableFile(_) => unreachable!("it was just replaced"),
        }
    }
}
