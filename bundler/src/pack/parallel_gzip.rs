//! Compresses by gzip (RFC 1952) on all cores: the data is cut into blocks,
//! which are compressed apart and put together to one stream, as pigz does. Any
//! reader of gzip reads it, and the bytes do not depend on the number of cores.

use flate2::{Compress, Compression, Crc, FlushCompress, Status};
use std::collections::VecDeque;
use std::io::{self, Write};
use std::sync::mpsc::{Receiver, sync_channel};

/// Bytes that are compressed together. What is before a block cannot help to
/// compress it, so larger ones are smaller in all.
const BLOCK: usize = 2 << 20;
const LEVEL: Compression = Compression::new(6);
/// Begins the stream: no name, no time, "unknown" for the system.
const HEADER: [u8; 10] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255];

/// Compresses what is written to it.
pub(crate) struct Gzip<W: Write> {
    out: W,
    block: Vec<u8>,
    crc: Crc,
    /// Blocks that are being compressed, in their order.
    waiting: VecDeque<Receiver<io::Result<Vec<u8>>>>,
    most: usize,
}

impl<W: Write> Gzip<W> {
    /// Begins a stream.
    ///
    /// # Errors
    /// What writing to `out` said.
    pub(crate) fn new(mut out: W) -> io::Result<Self> {
        out.write_all(&HEADER)?;
        Ok(Gzip {
            out,
            block: Vec::with_capacity(BLOCK),
            crc: Crc::new(),
            waiting: VecDeque::new(),
            most: rayon::current_num_threads() + 1,
        })
    }

    fn pass_on(&mut self) -> io::Result<()> {
        let block = std::mem::replace(&mut self.block, Vec::with_capacity(BLOCK));
        let (send, receive) = sync_channel(1);
        rayon::spawn(move || {
            // Nobody waits for it after an error.
            drop(send.send(deflate(&block, FlushCompress::Sync)));
        });
        self.waiting.push_back(receive);
        self.drain(self.most)
    }

    /// Writes out blocks until no more than `most` are left.
    fn drain(&mut self, most: usize) -> io::Result<()> {
        while self.waiting.len() > most {
            let next = self.waiting.pop_front().expect("there are some");
            let block = next.recv().map_err(io::Error::other)??;
            self.out.write_all(&block)?;
        }
        Ok(())
    }

    /// Ends the stream.
    ///
    /// # Errors
    /// What writing said.
    pub(crate) fn finish(mut self) -> io::Result<W> {
        if !self.block.is_empty() {
            self.pass_on()?;
        }
        self.drain(0)?;
        self.out.write_all(&deflate(&[], FlushCompress::Finish)?)?;
        self.out.write_all(&self.crc.sum().to_le_bytes())?;
        self.out.write_all(&self.crc.amount().to_le_bytes())?;
        Ok(self.out)
    }
}

impl<W: Write> Write for Gzip<W> {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        let n = data.len().min(BLOCK - self.block.len());
        self.block.extend_from_slice(&data[..n]);
        self.crc.update(&data[..n]);
        if self.block.len() == BLOCK {
            self.pass_on()?;
        }
        Ok(n)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

/// One block, ending at a byte.
fn deflate(data: &[u8], flush: FlushCompress) -> io::Result<Vec<u8>> {
    let mut compress = Compress::new(LEVEL, false);
    let mut out = Vec::with_capacity(data.len() / 2 + 4096);
    loop {
        let from = compress.total_in() as usize;
        let status = compress.compress_vec(&data[from..], &mut out, flush)?;
        let all = compress.total_in() as usize == data.len();
        // Room that is left says that nothing is held back.
        if status == Status::StreamEnd
            || (flush == FlushCompress::Sync && all && out.len() < out.capacity())
        {
            return Ok(out);
        }
        out.reserve(data.len() / 4 + 4096);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::read::GzDecoder;
    use std::io::Read;

    #[test]
    fn blocks_make_one_stream_that_every_reader_reads() {
        for length in [0, 1, BLOCK - 1, BLOCK, BLOCK + 1, 3 * BLOCK + 77] {
            let mut state = 1u32;
            let data: Vec<u8> = (0..length)
                .map(|n| {
                    state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                    if n % 3 == 0 {
                        (state >> 24) as u8
                    } else {
                        b'x'
                    }
                })
                .collect();
            let pack = || {
                let mut gzip = Gzip::new(Vec::new()).unwrap();
                gzip.write_all(&data).unwrap();
                gzip.finish().unwrap()
            };
            let packed = pack();
            assert_eq!(packed, pack());
            // One member, and nothing after it.
            let mut decoder = GzDecoder::new(&packed[..]);
            let mut out = Vec::new();
            decoder.read_to_end(&mut out).unwrap();
            assert!(out == data, "{length}");
            assert!(decoder.into_inner().is_empty());
        }
    }
}
