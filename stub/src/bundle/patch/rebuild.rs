//! Making a new file of an old one.

use super::PatchError;
use super::format::MAX_DIFF_SIZE;
use super::references::{Predictor, References};
use super::tree_overlay::Source as From;
use crate::fs::{self, FsError};
use ring::digest;
use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;

/// Covers are worked on in blocks of so many bytes, from their start on; no
/// reference goes across the end of one. Part of the format.
pub const BLOCK: usize = 1 << 17;

/// What writing a new file takes in memory: its buffers, and that of a block.
const OUTPUT_WEIGHT: u64 = 8 << 17;

/// Makes the next file of the patch in `from`, of `size` bytes, from the one
/// at `old`.
pub(super) fn rebuild(
    old: &Path,
    references: Option<&References>,
    size: u64,
    from: From,
    out: &mut Output,
) -> Result<(), PatchError> {
    let From { patch, mut budget } = from;
    budget.take(OUTPUT_WEIGHT)?;
    let covers = patch.covers(size, &mut budget)?;
    let mut predictor = match references {
        Some(references) => {
            let most = budget.left().saturating_sub(Source::LEAST);
            let (predictor, weight) =
                Predictor::within(references, &covers, most).ok_or(PatchError::Memory)?;
            budget.take(weight)?;
            Some(predictor)
        }
        None => None,
    };
    let mut source = Source::open(old, budget.left())?;
    if size > MAX_DIFF_SIZE || source.size > MAX_DIFF_SIZE {
        return Err(PatchError::Malformed("a file is too large to be patched"));
    }
    let (mut old_end, mut new_end) = (0, 0);
    for cover in &covers {
        let start = cover.start(&mut old_end, &mut new_end);
        if start.old > source.size || cover.length > source.size - start.old {
            return Err(PatchError::Malformed("it needs more than the old file has"));
        }
    }
    let mut buffer = Vec::new();
    let (mut old_end, mut new_end) = (0, 0);
    for cover in &covers {
        patch.literals(cover.literal, &mut |bytes| out.write(bytes))?;
        let start = cover.start(&mut old_end, &mut new_end);
        let mut done = 0;
        while done < cover.length {
            let length = (cover.length - done).min(BLOCK as u64);
            buffer.resize(length as usize, 0);
            let old_at = start.old + done;
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

/// The old file, with the pages of it that were read last.
struct Source<'a> {
    file: File,
    path: &'a Path,
    size: u64,
    /// The page in each slot, and which one that is.
    slots: Vec<Option<(u64, Box<[u8]>)>>,
}

impl<'a> Source<'a> {
    const PAGE: u64 = 1 << 16;
    /// 16 MiB of pages at most: code and data that went somewhere else are
    /// asked for in another order than they stand in.
    const SLOTS: u64 = 256;
    /// With fewer pages than this it is no use.
    const LEAST: u64 = 16 * Self::PAGE;

    /// Keeps pages of `memory` bytes at the most.
    fn open(path: &'a Path, memory: u64) -> Result<Self, PatchError> {
        if memory < Self::LEAST {
            return Err(PatchError::Memory);
        }
        let file = fs::open(path)?;
        let size = file
            .metadata()
            .map_err(|e| FsError::new("inspect", path, e))?
            .len();
        let most = (memory / Self::PAGE).min(Self::SLOTS);
        let slots = size.div_ceil(Self::PAGE).clamp(1, most);
        Ok(Source {
            file,
            path,
            size,
            slots: (0..slots).map(|_| None).collect(),
        })
    }

    /// Fills `buffer` from bytes that the file has.
    fn read(&mut self, mut at: u64, mut buffer: &mut [u8]) -> Result<(), FsError> {
        while !buffer.is_empty() {
            let page = self.page(at / Self::PAGE)?;
            let page = &page[(at % Self::PAGE) as usize..];
            let (here, rest) = buffer.split_at_mut(page.len().min(buffer.len()));
            here.copy_from_slice(&page[..here.len()]);
            at += here.len() as u64;
            buffer = rest;
        }
        Ok(())
    }

    fn page(&mut self, number: u64) -> Result<&[u8], FsError> {
        let slot = (number % self.slots.len() as u64) as usize;
        let slot = &mut self.slots[slot];
        let (holds, mut page) = slot.take().unwrap_or((u64::MAX, Box::default()));
        if holds != number {
            let at = number * Self::PAGE;
            let length = Self::PAGE.min(self.size - at) as usize;
            if page.len() != length {
                page = vec![0; length].into();
            }
            fs::read_exact_at(&self.file, self.path, at, &mut page)?;
        }
        let (_, page) = slot.insert((number, page));
        Ok(page)
    }
}

/// A new file. A thread of its own hashes and writes what is made here.
pub(super) struct Output<'a> {
    left: u64,
    buffer: Vec<u8>,
    observer: &'a mut dyn FnMut(u64) -> bool,
    full: Option<SyncSender<Vec<u8>>>,
    empty: Receiver<Vec<u8>>,
    writer: Option<JoinHandle<Result<[u8; 32], FsError>>>,
}

impl<'a> Output<'a> {
    const BUFFER: usize = 1 << 17;
    /// How many buffers may wait for being written.
    const WAITING: usize = 4;

    pub(super) fn create(
        path: &Path,
        size: u64,
        mode: u32,
        observer: &'a mut dyn FnMut(u64) -> bool,
    ) -> Result<Self, PatchError> {
        let file = fs::create_new(path)?;
        let (full, buffers) = sync_channel::<Vec<u8>>(Self::WAITING);
        let (give_back, empty) = sync_channel(Self::WAITING + 2);
        let place = path.to_owned();
        let write = move || write(&file, &place, mode, &buffers, &give_back);
        let writer = std::thread::Builder::new()
            .spawn(write)
            .map_err(|e| FsError::new("start writing", path, e))?;
        Ok(Output {
            left: size,
            buffer: Vec::with_capacity(Self::BUFFER),
            observer,
            full: Some(full),
            empty,
            writer: Some(writer),
        })
    }

    pub(super) fn write(&mut self, mut bytes: &[u8]) -> Result<(), PatchError> {
        self.left = self
            .left
            .checked_sub(bytes.len() as u64)
            .ok_or(PatchError::Malformed("a file comes out too long"))?;
        while !bytes.is_empty() {
            let room = Self::BUFFER - self.buffer.len();
            let (here, rest) = bytes.split_at(room.min(bytes.len()));
            self.buffer.extend_from_slice(here);
            bytes = rest;
            if self.buffer.len() == Self::BUFFER {
                self.pass_on()?;
            }
        }
        Ok(())
    }

    fn pass_on(&mut self) -> Result<(), PatchError> {
        let next = self.empty.try_recv().unwrap_or_default();
        let buffer = std::mem::replace(&mut self.buffer, next);
        let length = buffer.len() as u64;
        let full = self.full.as_ref().expect("not finished");
        if full.send(buffer).is_err() {
            // It stopped early, and says why.
            self.end()?;
        }
        match (self.observer)(length) {
            true => Ok(()),
            false => Err(PatchError::Stopped),
        }
    }

    /// The file must have its size by now. Returns its hash.
    pub(super) fn finish(mut self) -> Result<[u8; 32], PatchError> {
        if self.left != 0 {
            return Err(PatchError::Malformed("a file comes out too short"));
        }
        self.pass_on()?;
        Ok(self.end()?)
    }

    fn end(&mut self) -> Result<[u8; 32], FsError> {
        drop(self.full.take());
        let writer = self.writer.take().expect("ended once");
        writer.join().expect("the writer does not panic")
    }
}

impl Drop for Output<'_> {
    /// After an error: nothing is written any more once this returns.
    fn drop(&mut self) {
        drop(self.full.take());
        if let Some(writer) = self.writer.take()
            && let Ok(Err(e)) = writer.join()
        {
            log::debug!("{e}");
        }
    }
}

fn write(
    mut file: &File,
    path: &Path,
    mode: u32,
    buffers: &Receiver<Vec<u8>>,
    give_back: &SyncSender<Vec<u8>>,
) -> Result<[u8; 32], FsError> {
    let mut hash = digest::Context::new(&digest::SHA256);
    for mut buffer in buffers {
        hash.update(&buffer);
        file.write_all(&buffer)
            .map_err(|e| FsError::new("write", path, e))?;
        buffer.clear();
        // If nobody wants it any more, it may go.
        drop(give_back.try_send(buffer));
    }
    fs::set_mode(file, path, mode)?;
    Ok(hash.finish().as_ref().try_into().expect("32 bytes"))
}
