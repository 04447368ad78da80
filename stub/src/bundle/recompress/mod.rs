//! Compresses a deflate stream again, to the bytes that it had.
//!
//! PyInstaller compresses the members of its archives with Python's zlib.
//! Patches compare such members as plain bytes, which differ little where the
//! compressed ones differ wholly, and the stub compresses the result again.
//! Which program compressed a stream, and how hard, is found out when a patch
//! is made: [`Recipe`] says it.

mod bits;
mod huffman;
mod zlib;

use flate2::{Compress, Compression, FlushCompress, Status};
use zlib::Deflater;

/// Names the program that compressed a stream, and how Python called it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compressor {
    /// Describes zlib 1.2 and 1.3, which do not mind how they are called.
    Zlib,
    /// Describes zlib-ng 2.3, which the crate zlib-rs follows, given all at
    /// once by `zlib.compress`: PyInstaller does so with modules.
    ZlibNgWhole,
    /// Describes the same, given 16 KiB at a time by a `zlib.compressobj`:
    /// PyInstaller does so with files.
    ZlibNgPieces,
}

/// Says how to compress a stream again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Recipe {
    /// By which program.
    pub compressor: Compressor,
    /// From 1 to 9.
    pub level: u8,
    /// With the header and checksum of zlib's format (RFC 1950), or bare.
    pub wrapped: bool,
}

impl Compressor {
    /// Lists all of them, the most common one first.
    pub const ALL: [Self; 3] = [Self::Zlib, Self::ZlibNgWhole, Self::ZlibNgPieces];
}

impl Recipe {
    const LEVELS: u8 = 9;

    /// Reads the recipe that a byte of a patch says, from 1 to 54; `None` if it
    /// says none.
    pub fn of_byte(byte: u8) -> Option<Self> {
        let number = byte.checked_sub(1)?;
        let kind = number / Self::LEVELS;
        Some(Recipe {
            compressor: *Compressor::ALL.get(usize::from(kind / 2))?,
            level: number % Self::LEVELS + 1,
            wrapped: kind % 2 == 1,
        })
    }

    /// Returns the byte that says this recipe in a patch.
    pub fn byte(self) -> u8 {
        let compressor = match self.compressor {
            Compressor::Zlib => 0,
            Compressor::ZlibNgWhole => 1,
            Compressor::ZlibNgPieces => 2,
        };
        1 + (2 * compressor + u8::from(self.wrapped)) * Self::LEVELS + self.level - 1
    }

    /// Returns the bytes of memory that compressing takes, for a stream of
    /// `size` plain bytes.
    pub fn weight(self, size: u64) -> u64 {
        const WITHOUT: u64 = 512 << 10;
        match self.compressor {
            // All of it, and what comes out, which moves while it grows.
            Compressor::ZlibNgWhole => size
                .saturating_mul(3)
                .saturating_add(LARGEST_BLOCK as u64 + WITHOUT),
            _ => WITHOUT,
        }
    }

    /// Returns the two bytes before a stream in zlib's format (RFC 1950, section
    /// 2.2).
    fn header(self) -> [u8; 2] {
        let effort = match self.level {
            ..2 => 0,
            2..6 => 1,
            6 => 2,
            _ => 3,
        };
        let header = 0x7800u16 | effort << 6;
        (header + 31 - header % 31).to_be_bytes()
    }
}

impl std::fmt::Display for Recipe {
    fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        let name = match self.compressor {
            Compressor::Zlib => "zlib",
            Compressor::ZlibNgWhole | Compressor::ZlibNgPieces => "zlib-ng",
        };
        write!(f, "{name} level {}", self.level)
    }
}

/// Compresses a stream again.
pub struct Recompressor {
    raw: Raw,
    /// Of what came so far, if a checksum is wanted.
    checksum: Option<Adler32>,
}

enum Raw {
    Zlib(Box<Deflater>),
    Ng {
        stream: Compress,
        /// What comes next, up to so many bytes.
        waiting: Vec<u8>,
        most: usize,
    },
}

/// Counts the bytes that PyInstaller gives zlib at a time.
const PIECE: usize = 16 << 10;

/// Lists what Python gives zlib for its output, at first and then more and more
/// (`_BlocksOutputBuffer` in CPython's pycore_blocks_output_buffer.h). zlib-ng
/// forgets what it looked at when one is full, so it matters.
const BLOCKS: [usize; 5] = [32 << 10, 64 << 10, 256 << 10, 1 << 20, LARGEST_BLOCK];

/// Ends that list, which goes on in Python: a stream of more than 5 MB that was
/// compressed in one go is not reproduced.
const LARGEST_BLOCK: usize = 4 << 20;

impl Recompressor {
    /// Starts a stream of `size` plain bytes, and appends its header to `output`.
    pub fn new(recipe: Recipe, size: u64, output: &mut Vec<u8>) -> Self {
        if recipe.wrapped {
            output.extend_from_slice(&recipe.header());
        }
        let ng = |most, room| {
            let level = Compression::new(recipe.level.into());
            Raw::Ng {
                stream: Compress::new(level, false),
                waiting: Vec::with_capacity(room),
                most,
            }
        };
        Recompressor {
            raw: match recipe.compressor {
                Compressor::Zlib => Raw::Zlib(Box::new(Deflater::new(recipe.level))),
                Compressor::ZlibNgWhole => ng(usize::MAX, size as usize),
                Compressor::ZlibNgPieces => ng(PIECE, PIECE),
            },
            checksum: recipe.wrapped.then(Adler32::default),
        }
    }

    /// Takes the next plain bytes, and appends what comes out to `output`.
    pub fn write(&mut self, mut plain: &[u8], output: &mut Vec<u8>) {
        if let Some(checksum) = &mut self.checksum {
            checksum.add(plain);
        }
        match &mut self.raw {
            Raw::Zlib(raw) => raw.write(plain, output),
            Raw::Ng {
                stream,
                waiting,
                most,
            } => {
                while !plain.is_empty() {
                    let (here, rest) = plain.split_at(plain.len().min(*most - waiting.len()));
                    waiting.extend_from_slice(here);
                    plain = rest;
                    if waiting.len() == *most {
                        call(stream, waiting, FlushCompress::None, output);
                        waiting.clear();
                    }
                }
            }
        }
    }

    /// Ends the stream, and appends what is left of it to `output`.
    pub fn finish(mut self, output: &mut Vec<u8>) {
        match &mut self.raw {
            Raw::Zlib(raw) => raw.finish(output),
            Raw::Ng {
                stream,
                waiting,
                most,
            } => {
                if *most == PIECE && !waiting.is_empty() {
                    call(stream, waiting, FlushCompress::None, output);
                    waiting.clear();
                }
                call(stream, waiting, FlushCompress::Finish, output);
            }
        }
        if let Some(checksum) = self.checksum {
            output.extend_from_slice(&checksum.value().to_be_bytes());
        }
    }
}

/// Calls zlib-ng as Python does.
fn call(stream: &mut Compress, mut plain: &[u8], flush: FlushCompress, output: &mut Vec<u8>) {
    for n in 0.. {
        let room = BLOCKS[usize::min(n, BLOCKS.len() - 1)];
        let end = output.len();
        output.reserve_exact(room);
        output.resize(end + room, 0);
        let (taken, given) = (stream.total_in(), stream.total_out());
        // Only a misuse of its state is an error, which there is none of.
        let status = stream.compress(plain, &mut output[end..], flush);
        let given = (stream.total_out() - given) as usize;
        plain = &plain[(stream.total_in() - taken) as usize..];
        output.truncate(end + given);
        let full = given == room;
        if !full || matches!(status, Ok(Status::StreamEnd) | Err(_)) {
            return;
        }
    }
}

/// Computes the checksum of zlib's format (RFC 1950, section 8).
struct Adler32(u32, u32);

impl Default for Adler32 {
    fn default() -> Self {
        Adler32(1, 0)
    }
}

impl Adler32 {
    const MODULUS: u32 = 65521;
    /// Limits the bytes after which the sums still fit.
    const MOST: usize = 5552;

    fn add(&mut self, bytes: &[u8]) {
        for part in bytes.chunks(Self::MOST) {
            for byte in part {
                self.0 += u32::from(*byte);
                self.1 += self.0;
            }
            self.0 %= Self::MODULUS;
            self.1 %= Self::MODULUS;
        }
    }

    fn value(&self) -> u32 {
        self.1 << 16 | self.0
    }
}

#[cfg(test)]
mod tests;
