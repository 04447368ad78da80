//! Inflates a gzip file on a thread of its own.

use std::io;
use std::io::Read;
use std::sync::mpsc::{Receiver, SyncSender};

/// Limits the chunks of inflated data that may wait for being written, and the
/// bytes of each.
pub(super) const WAITING: usize = 4;

pub(super) const CHUNK: usize = 1 << 18;

/// Sends the inflated data until its end, an error, or until nobody wants it
/// any more.
pub(super) fn inflate(
    gz: impl Read,
    full: &SyncSender<io::Result<Vec<u8>>>,
    empty: &Receiver<Vec<u8>>,
) {
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

/// Describes what [`inflate`] sends.
pub(super) struct Inflated {
    pub(super) chunks: Receiver<io::Result<Vec<u8>>>,
    pub(super) give_back: SyncSender<Vec<u8>>,
    pub(super) chunk: Vec<u8>,
    pub(super) at: usize,
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
