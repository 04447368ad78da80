//! Writes a new file.

use crate::bundle::patch::error::PatchError;
use crate::fs::{self, FsError};
use ring::digest;
use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;

/// Receives a new file. A thread of its own hashes and writes what is made
/// here.
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

    /// Returns whether to go on, while nothing comes out.
    pub(super) fn go_on(&mut self) -> Result<(), PatchError> {
        if (self.observer)(0) {
            Ok(())
        } else {
            Err(PatchError::Stopped)
        }
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
        if (self.observer)(length) {
            Ok(())
        } else {
            Err(PatchError::Stopped)
        }
    }

    /// Returns the hash of the file, which must have its size by now.
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
