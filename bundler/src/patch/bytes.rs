//! Holds bytes that may be more than fit into memory: those of files, and those
//! that are made of them.

use notsotuf_stub::fs::{self, FsError};
use std::borrow::Cow;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Bytes that are read at once where many are read in their order.
const CHUNK: usize = 1 << 20;

/// Holds a file open.
#[derive(Debug)]
struct OpenFile {
    path: PathBuf,
    file: File,
}

/// Says where bytes are.
#[derive(Debug, Clone)]
enum Store {
    Memory(Arc<Vec<u8>>),
    File(Arc<OpenFile>),
}

#[derive(Debug, Clone)]
struct Stretch {
    /// Where it begins in the sequence.
    start: usize,
    length: usize,
    store: Store,
    /// Where it begins in the store.
    at: usize,
}

/// Holds a sequence of bytes, which is cheap to clone and to cut. It is made of
/// stretches that are in memory or in files, which must not change meanwhile.
#[derive(Debug, Clone, Default)]
pub(crate) struct Bytes {
    stretches: Vec<Stretch>,
    length: usize,
}

impl From<Vec<u8>> for Bytes {
    fn from(bytes: Vec<u8>) -> Self {
        let mut all = Bytes::default();
        let length = bytes.len();
        all.push(Store::Memory(Arc::new(bytes)), 0, length);
        all
    }
}

impl Bytes {
    /// Opens a file; one of at most `in_memory` bytes is read at once.
    ///
    /// # Errors
    /// The file system's.
    pub(crate) fn open(path: &Path, in_memory: u64) -> Result<Self, FsError> {
        let mut file = fs::open(path)?;
        let inspected = file.metadata();
        let length = inspected.map_err(|e| FsError::new("inspect", path, e))?;
        let length = length.len();
        if length <= in_memory {
            let mut bytes = Vec::with_capacity(length as usize);
            fs::read_through(&mut file, path, &mut |read| bytes.extend_from_slice(read))?;
            return Ok(bytes.into());
        }
        let path = path.to_owned();
        let mut all = Bytes::default();
        let store = Store::File(Arc::new(OpenFile { path, file }));
        all.push(store, 0, length as usize);
        Ok(all)
    }

    fn push(&mut self, store: Store, at: usize, length: usize) {
        if length > 0 {
            self.stretches.push(Stretch {
                start: self.length,
                length,
                store,
                at,
            });
            self.length += length;
        }
    }

    /// Counts the bytes.
    pub(crate) fn len(&self) -> usize {
        self.length
    }

    /// Returns whether there are none.
    pub(crate) fn is_empty(&self) -> bool {
        self.length == 0
    }

    fn stretches(&self, range: &Range<usize>) -> impl Iterator<Item = (&Stretch, Range<usize>)> {
        let Range { start, end } = *range;
        let first = self
            .stretches
            .partition_point(|s| s.start + s.length <= start);
        let within = self.stretches[first..].iter();
        within
            .take_while(move |s| s.start < end)
            .map(move |s| (s, start.max(s.start)..end.min(s.start + s.length)))
    }

    /// Returns a part of the sequence, which is within it.
    pub(crate) fn slice(&self, range: Range<usize>) -> Bytes {
        assert!(range.end <= self.length);
        let mut part = Bytes::default();
        for (stretch, here) in self.stretches(&range) {
            let at = stretch.at + (here.start - stretch.start);
            part.push(stretch.store.clone(), at, here.len());
        }
        part
    }

    /// Appends what another sequence has.
    pub(crate) fn append(&mut self, other: &Bytes) {
        for stretch in &other.stretches {
            let store = stretch.store.clone();
            self.push(store, stretch.at, stretch.length);
        }
    }

    /// Reads a range, which is within the sequence.
    ///
    /// # Errors
    /// The file system's.
    pub(crate) fn get(&self, range: Range<usize>) -> Result<Cow<'_, [u8]>, FsError> {
        assert!(range.end <= self.length);
        let mut stretches = self.stretches(&range).peekable();
        if let Some((stretch, here)) = stretches.peek()
            && let Store::Memory(bytes) = &stretch.store
            && *here == range
        {
            let at = stretch.at + (here.start - stretch.start);
            return Ok(bytes[at..at + here.len()].into());
        }
        let mut read = vec![0; range.len()];
        let mut rest = &mut read[..];
        for (stretch, here) in stretches {
            let at = stretch.at + (here.start - stretch.start);
            let (now, later) = rest.split_at_mut(here.len());
            match &stretch.store {
                Store::Memory(bytes) => now.copy_from_slice(&bytes[at..at + now.len()]),
                Store::File(open) => {
                    fs::read_exact_at(&open.file, &open.path, at as u64, now)?;
                }
            }
            rest = later;
        }
        Ok(read.into())
    }

    /// Reads all.
    ///
    /// # Errors
    /// The file system's.
    pub(crate) fn all(&self) -> Result<Cow<'_, [u8]>, FsError> {
        self.get(0..self.length)
    }

    /// Reads all, one piece of at most a mebibyte after the other.
    pub(crate) fn chunks(&self) -> impl Iterator<Item = Result<Cow<'_, [u8]>, FsError>> {
        let starts = (0..self.length).step_by(CHUNK);
        starts.map(|at| self.get(at..self.length.min(at + CHUNK)))
    }

    /// Creates a reader of all.
    pub(crate) fn reader(&self) -> BytesReader<'_> {
        BytesReader {
            window: Window::new(self, CHUNK),
            at: 0,
        }
    }

    /// Returns where `wanted` is for the last time.
    ///
    /// # Errors
    /// The file system's.
    pub(crate) fn rfind(&self, wanted: &[u8]) -> Result<Option<usize>, FsError> {
        let mut end = self.length;
        while end >= wanted.len().max(1) {
            let start = end.saturating_sub(CHUNK);
            let found = memchr::memmem::rfind(&self.get(start..end)?, wanted);
            if let Some(at) = found {
                return Ok(Some(start + at));
            }
            if start == 0 {
                break;
            }
            // It may lie across the start.
            end = start + wanted.len() - 1;
        }
        Ok(None)
    }
}

/// Reads ranges that are near each other, with few calls.
pub(crate) struct Window<'a> {
    bytes: &'a Bytes,
    size: usize,
    start: usize,
    read: Cow<'a, [u8]>,
}

impl<'a> Window<'a> {
    /// Creates a window that is usually of `size` bytes.
    pub(crate) fn new(bytes: &'a Bytes, size: usize) -> Self {
        Window {
            bytes,
            size,
            start: 0,
            read: Cow::default(),
        }
    }

    /// Reads a range, which is within the sequence.
    ///
    /// # Errors
    /// The file system's.
    pub(crate) fn get(&mut self, range: Range<usize>) -> Result<&[u8], FsError> {
        if range.start < self.start || range.end > self.start + self.read.len() {
            // Most go forward, some a little back.
            let length = range.len().max(self.size);
            let start = range.start.saturating_sub((length - range.len()) / 8);
            let end = self.bytes.len().min(start + length).max(range.end);
            self.read = self.bytes.get(start..end)?;
            self.start = start;
        }
        Ok(&self.read[range.start - self.start..range.end - self.start])
    }
}

/// Reads bytes as if they were a file.
pub(crate) struct BytesReader<'a> {
    window: Window<'a>,
    at: u64,
}

impl Read for BytesReader<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = self.window.bytes.len();
        let at = usize::try_from(self.at).unwrap_or(length).min(length);
        let n = buffer.len().min(length - at).min(CHUNK);
        let read = self.window.get(at..at + n).map_err(io::Error::other)?;
        buffer[..n].copy_from_slice(read);
        self.at += n as u64;
        Ok(n)
    }
}

impl Seek for BytesReader<'_> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let at = match to {
            SeekFrom::Start(at) => Some(at),
            SeekFrom::End(by) => (self.window.bytes.len() as u64).checked_add_signed(by),
            SeekFrom::Current(by) => self.at.checked_add_signed(by),
        };
        self.at = at.ok_or(io::ErrorKind::InvalidInput)?;
        Ok(self.at)
    }
}

/// Takes what does not stay in memory: one file, which goes with it.
#[derive(Debug)]
pub(crate) struct Scratch {
    file: Arc<OpenFile>,
    end: AtomicU64,
}

impl Scratch {
    /// Creates the file in a folder, where it has no name or goes by itself.
    ///
    /// # Errors
    /// The file system's.
    pub(crate) fn new_in(folder: &Path) -> Result<Self, FsError> {
        let made = tempfile::tempfile_in(folder);
        let file = made.map_err(|e| FsError::new("create a file in", folder, e))?;
        let path = folder.to_owned();
        Ok(Scratch {
            file: Arc::new(OpenFile { path, file }),
            end: AtomicU64::new(0),
        })
    }

    fn write(&self, bytes: &[u8]) -> Result<usize, FsError> {
        let OpenFile { path, file } = &*self.file;
        let at = self.end.fetch_add(bytes.len() as u64, Ordering::Relaxed);
        write_all_at(file, bytes, at).map_err(|e| FsError::new("write in", path, e))?;
        Ok(at as usize)
    }
}

#[cfg(unix)]
fn write_all_at(file: &File, bytes: &[u8], at: u64) -> io::Result<()> {
    std::os::unix::fs::FileExt::write_all_at(file, bytes, at)
}

#[cfg(windows)]
fn write_all_at(file: &File, mut bytes: &[u8], mut at: u64) -> io::Result<()> {
    while !bytes.is_empty() {
        let n = std::os::windows::fs::FileExt::seek_write(file, bytes, at)?;
        bytes = &bytes[n..];
        at += n as u64;
    }
    Ok(())
}

/// Collects bytes, in memory while they are few.
pub(crate) struct Spool<'a> {
    scratch: &'a Scratch,
    in_memory: usize,
    written: Bytes,
    tail: Vec<u8>,
}

impl<'a> Spool<'a> {
    /// Starts a sequence, of which at most `in_memory` bytes stay in memory.
    pub(crate) fn new(scratch: &'a Scratch, in_memory: usize) -> Self {
        Spool {
            scratch,
            in_memory,
            written: Bytes::default(),
            tail: Vec::new(),
        }
    }

    /// Counts the bytes.
    pub(crate) fn len(&self) -> usize {
        self.written.len() + self.tail.len()
    }

    /// Appends bytes.
    ///
    /// # Errors
    /// The file system's.
    pub(crate) fn push(&mut self, bytes: &[u8]) -> Result<(), FsError> {
        self.tail.extend_from_slice(bytes);
        if self.tail.len() > self.in_memory {
            self.flush()?;
        }
        Ok(())
    }

    /// Appends a sequence. What is in a file is not copied.
    ///
    /// # Errors
    /// The file system's.
    pub(crate) fn append(&mut self, bytes: &Bytes) -> Result<(), FsError> {
        for stretch in &bytes.stretches {
            match &stretch.store {
                Store::Memory(bytes) => {
                    self.push(&bytes[stretch.at..stretch.at + stretch.length])?;
                }
                Store::File(_) => {
                    self.flush()?;
                    let store = stretch.store.clone();
                    self.written.push(store, stretch.at, stretch.length);
                }
            }
        }
        Ok(())
    }

    fn flush(&mut self) -> Result<(), FsError> {
        if !self.tail.is_empty() {
            let at = self.scratch.write(&self.tail)?;
            let store = Store::File(self.scratch.file.clone());
            self.written.push(store, at, self.tail.len());
            self.tail.clear();
        }
        Ok(())
    }

    /// Returns the sequence.
    ///
    /// # Errors
    /// The file system's.
    pub(crate) fn finish(mut self) -> Result<Bytes, FsError> {
        if !self.written.is_empty() {
            self.flush()?;
            return Ok(self.written);
        }
        self.tail.shrink_to_fit();
        Ok(self.tail.into())
    }
}

impl io::Write for Spool<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.push(bytes).map_err(io::Error::other)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests;
