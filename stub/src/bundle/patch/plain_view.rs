//! Reads old files as if their members were not compressed.

use crate::bundle::patch::error::PatchError;
use crate::bundle::patch::format::{MAX_DIFF_SIZE, MAX_INFLATED, most_plain};
use crate::bundle::patch::parts::{OldFile, Packing, Unit};
use crate::fs::{self, FsError};
use flate2::{Decompress, FlushDecompress, Status};
use std::fs::File;
use std::io::Write;
use std::ops::Range;
use std::path::{Path, PathBuf};

/// Describes a stretch of the view that lies in one file.
#[derive(Debug, Clone, Copy)]
pub(super) struct Piece {
    /// Where it begins in the view.
    pub(super) start: u64,
    /// Plain bytes.
    pub(super) size: u64,
    /// In which file, and where.
    file: usize,
    at: u64,
}

/// Shows old files one after the other, with their members inflated.
pub(super) struct PlainView {
    /// The old files, and at last what was inflated, if anything was.
    files: Vec<(PathBuf, File)>,
    pieces: Vec<Piece>,
    size: u64,
}

fn too_large() -> PatchError {
    PatchError::Malformed("a file is too large to be patched")
}

impl PlainView {
    /// Opens the old files, of which these are where they say. What has to be
    /// inflated goes into a file in `folder` that has no name or goes with the
    /// view. `observer` is told of each step, and may stop it.
    pub(super) fn open(
        old: &[(PathBuf, &OldFile)],
        folder: &Path,
        observer: &mut dyn FnMut(u64) -> bool,
    ) -> Result<Self, PatchError> {
        let mut view = PlainView {
            files: Vec::new(),
            pieces: Vec::with_capacity(old.iter().map(|(_, file)| file.pieces()).sum()),
            size: 0,
        };
        for (path, _) in old {
            view.files.push((path.clone(), fs::open(path)?));
        }
        // Before anything is inflated for nothing.
        let units = old.iter().flat_map(|(_, file)| &file.units);
        let packed = units.filter(|unit| unit.packing != Packing::Stored);
        let mut packed = packed.map(|unit| unit.size).peekable();
        let any = packed.peek().is_some();
        if packed.fold(0, u64::saturating_add) > MAX_INFLATED {
            return Err(too_large());
        }
        if any {
            let file = tempfile::tempfile_in(folder);
            let file = file.map_err(|e| FsError::new("create a file in", folder, e))?;
            view.files.push((folder.to_owned(), file));
        }
        let mut written = 0;
        for (index, (_, file)) in old.iter().enumerate() {
            view.add(index, &file.units, &mut written, observer)?;
        }
        if view.size > MAX_DIFF_SIZE {
            return Err(too_large());
        }
        Ok(view)
    }

    fn add(
        &mut self,
        file: usize,
        units: &[Unit],
        written: &mut u64,
        observer: &mut dyn FnMut(u64) -> bool,
    ) -> Result<(), PatchError> {
        let (path, handle) = &self.files[file];
        let length = handle
            .metadata()
            .map_err(|e| FsError::new("inspect", path, e))?
            .len();
        let plain = units.iter().map(|unit| unit.size);
        if plain.fold(0, u64::saturating_add) > most_plain(length) {
            return Err(PatchError::Malformed("an old file holds too much"));
        }
        let mut at = 0;
        for unit in units {
            self.push(file, at, unit.gap);
            at = at.saturating_add(unit.gap);
            if unit.packing == Packing::Stored {
                self.push(file, at, unit.size);
                at = at.saturating_add(unit.size);
            } else {
                at += self.inflate(file, at..length, unit, observer)?;
                self.push(self.files.len() - 1, *written, unit.size);
                *written += unit.size;
            }
        }
        let left = length.checked_sub(at);
        let left = left.ok_or(PatchError::Malformed("it needs more than the old file has"))?;
        self.push(file, at, left);
        Ok(())
    }

    fn push(&mut self, file: usize, at: u64, size: u64) {
        let start = self.size;
        self.pieces.push(Piece {
            start,
            size,
            file,
            at,
        });
        self.size = self.size.saturating_add(size);
    }

    /// Appends a member, which has bytes from the start of `range` on, to what
    /// is inflated. Returns how many bytes it has in its file.
    fn inflate(
        &self,
        file: usize,
        range: Range<u64>,
        unit: &Unit,
        observer: &mut dyn FnMut(u64) -> bool,
    ) -> Result<u64, PatchError> {
        const BUFFER: usize = 1 << 16;
        let wrong = || PatchError::Malformed("a compressed member is not as it should be");
        let (path, handle) = &self.files[file];
        let Some((to, inflated)) = self.files.last() else {
            return Err(wrong());
        };
        let mut inflated = inflated;
        let mut at = range.start;
        let mut inflate = Decompress::new(unit.packing == Packing::Zlib);
        let mut input = vec![0; BUFFER];
        let mut plain = Vec::with_capacity(BUFFER);
        loop {
            let n = range.end.saturating_sub(at).min(BUFFER as u64) as usize;
            fs::read_exact_at(handle, path, at, &mut input[..n])?;
            let status = inflate.decompress_vec(&input[..n], &mut plain, FlushDecompress::None);
            at = range.start + inflate.total_in();
            if inflate.total_out() > unit.size {
                return Err(wrong());
            }
            inflated
                .write_all(&plain)
                .map_err(|e| FsError::new("write", to, e))?;
            if !observer(0) {
                return Err(PatchError::Stopped);
            }
            match status {
                Ok(Status::StreamEnd) if inflate.total_out() == unit.size => {
                    return Ok(inflate.total_in());
                }
                // It has room, and more to read.
                Ok(Status::Ok) if n > 0 => plain.clear(),
                _ => return Err(wrong()),
            }
        }
    }

    /// Returns the piece of this number.
    pub(super) fn piece(&self, number: usize) -> Option<Piece> {
        self.pieces.get(number).copied()
    }

    /// Counts the bytes of all pieces.
    pub(super) fn size(&self) -> u64 {
        self.size
    }

    /// Fills `buffer` from bytes that the view has.
    pub(super) fn read(&self, mut at: u64, mut buffer: &mut [u8]) -> Result<(), FsError> {
        let mut next = self
            .pieces
            .partition_point(|piece| piece.start + piece.size <= at);
        while !buffer.is_empty() {
            let piece = &self.pieces[next];
            let skip = at - piece.start;
            let here = (piece.size - skip).min(buffer.len() as u64);
            let (now, rest) = buffer.split_at_mut(here as usize);
            let (path, file) = &self.files[piece.file];
            fs::read_exact_at(file, path, piece.at + skip, now)?;
            at += here;
            buffer = rest;
            next += 1;
        }
        Ok(())
    }
}
