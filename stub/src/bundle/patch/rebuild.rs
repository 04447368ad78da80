//! Making a new file of an old one.

use super::PatchError;
use super::format::{MAX_DIFF_SIZE, Patch};
use super::references::{Predictor, References};
use crate::fs::{self, FsError};
use ring::digest;
use std::fs::File;
use std::io::Write;
use std::path::Path;

/// Covers are worked on in blocks of so many bytes, from their start on; no
/// reference goes across the end of one. Part of the format.
pub const BLOCK: usize = 1 << 17;

/// Makes the next file of `patch`, of `size` bytes, from the one at `old`.
pub(super) fn rebuild(
    old: &Path,
    references: Option<&References>,
    size: u64,
    patch: &mut Patch,
    out: &mut Output,
) -> Result<(), PatchError> {
    let covers = patch.covers(size)?;
    let mut source = Source::open(old)?;
    if size > MAX_DIFF_SIZE || source.size > MAX_DIFF_SIZE {
        return Err(PatchError::Malformed("a file is too large to be patched"));
    }
    let mut predictor = references.map(|references| Predictor::new(references, &covers));
    let mut buffer = Vec::new();
    let (mut old_end, mut new_end) = (0, 0);
    for cover in &covers {
        patch.literals(cover.literal, &mut |bytes| out.write(bytes))?;
        let start = cover.start(&mut old_end, &mut new_end);
        let mut done = 0;
        while done < cover.length {
            let length = (cover.length - done).min(BLOCK as u64);
            buffer.resize(length as usize, 0);
            let old_at = start.old.wrapping_add(done);
            source.read(old_at, &mut buffer)?;
            match &mut predictor {
                Some(predictor) => {
                    predictor.run(&mut buffer, old_at, start.new + done, &mut |bytes| {
                        patch.add(bytes)
                    })?
                }
                None => patch.add(&mut buffer)?,
            }
            out.write(&buffer)?;
            done += length;
        }
    }
    patch.literals(size - new_end, &mut |bytes| out.write(bytes))
}

/// The old file, with a window on it.
struct Source<'a> {
    file: File,
    path: &'a Path,
    size: u64,
    window: Vec<u8>,
    /// Where the window begins.
    at: u64,
}

impl<'a> Source<'a> {
    const WINDOW: u64 = 1 << 16;

    fn open(path: &'a Path) -> Result<Self, FsError> {
        let file = fs::open(path)?;
        let size = file
            .metadata()
            .map_err(|e| FsError::new("inspect", path, e))?
            .len();
        Ok(Source {
            file,
            path,
            size,
            window: Vec::new(),
            at: 0,
        })
    }

    fn read(&mut self, at: u64, buffer: &mut [u8]) -> Result<(), PatchError> {
        let length = buffer.len() as u64;
        let end = at.checked_add(length).filter(|&end| end <= self.size);
        let end = end.ok_or(PatchError::Malformed("it needs more than the old file has"))?;
        if length >= Self::WINDOW {
            return Ok(fs::read_exact_at(&self.file, self.path, at, buffer)?);
        }
        if at < self.at || end > self.at + self.window.len() as u64 {
            self.at = at;
            self.window
                .resize(Self::WINDOW.min(self.size - at) as usize, 0);
            fs::read_exact_at(&self.file, self.path, at, &mut self.window)?;
        }
        let from = (at - self.at) as usize;
        buffer.copy_from_slice(&self.window[from..from + buffer.len()]);
        Ok(())
    }
}

/// A new file, hashed on the way.
pub(super) struct Output<'a> {
    file: File,
    path: &'a Path,
    hash: digest::Context,
    left: u64,
    buffer: Vec<u8>,
    observer: &'a mut dyn FnMut(u64) -> bool,
}

impl<'a> Output<'a> {
    const BUFFER: usize = 1 << 16;

    pub fn create(
        path: &'a Path,
        size: u64,
        observer: &'a mut dyn FnMut(u64) -> bool,
    ) -> Result<Self, PatchError> {
        Ok(Output {
            file: fs::create_new(path)?,
            path,
            hash: digest::Context::new(&digest::SHA256),
            left: size,
            buffer: Vec::with_capacity(Self::BUFFER),
            observer,
        })
    }

    pub fn write(&mut self, bytes: &[u8]) -> Result<(), PatchError> {
        self.left = self
            .left
            .checked_sub(bytes.len() as u64)
            .ok_or(PatchError::Malformed("a file comes out too long"))?;
        if self.buffer.len() + bytes.len() > Self::BUFFER {
            self.flush()?;
        }
        if bytes.len() >= Self::BUFFER {
            return self.put(bytes);
        }
        self.buffer.extend_from_slice(bytes);
        Ok(())
    }

    fn flush(&mut self) -> Result<(), PatchError> {
        let buffer = std::mem::take(&mut self.buffer);
        self.put(&buffer)?;
        self.buffer = buffer;
        self.buffer.clear();
        Ok(())
    }

    fn put(&mut self, bytes: &[u8]) -> Result<(), PatchError> {
        self.hash.update(bytes);
        self.file
            .write_all(bytes)
            .map_err(|e| FsError::new("write", self.path, e))?;
        match (self.observer)(bytes.len() as u64) {
            true => Ok(()),
            false => Err(PatchError::Stopped),
        }
    }

    /// The file must have its size by now. Returns its hash.
    pub fn finish(mut self, mode: u32) -> Result<[u8; 32], PatchError> {
        if self.left != 0 {
            return Err(PatchError::Malformed("a file comes out too short"));
        }
        self.flush()?;
        fs::set_mode(&self.file, self.path, mode)?;
        Ok(self.hash.finish().as_ref().try_into().expect("32 bytes"))
    }
}
