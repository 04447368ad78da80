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

/// The program that compressed a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compressor {
    /// zlib 1.2 and 1.3.
    Zlib,
    /// zlib-ng 2, of which the crate zlib-rs has the algorithms.
    ZlibNg,
}

/// How to compress a stream again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Recipe {
    /// By which program.
    pub compressor: Compressor,
    /// From 1 to 9.
    pub level: u8,
    /// With the header and checksum of zlib's format (RFC 1950), or bare.
    pub wrapped: bool,
}

impl Recipe {
    /// Bits of [`Recipe::byte`].
    const LEVEL: u8 = 0x0f;
    const WRAPPED: u8 = 0x10;
    const NG: u8 = 0x20;

    /// Reads the recipe that a byte of a patch says; `None` if it says none.
    pub fn of_byte(byte: u8) -> Option<Self> {
        let level = byte & Self::LEVEL;
        let known = byte & !(Self::LEVEL | Self::WRAPPED | Self::NG) == 0;
        (known && (1..=9).contains(&level)).then_some(Recipe {
            compressor: match byte & Self::NG {
                0 => Compressor::Zlib,
                _ => Compressor::ZlibNg,
            },
            level,
            wrapped: byte & Self::WRAPPED != 0,
        })
    }

    /// Returns the byte that says this recipe in a patch.
    pub fn byte(self) -> u8 {
        let ng = match self.compressor {
            Compressor::Zlib => 0,
            Compressor::ZlibNg => Self::NG,
        };
        let wrapped = if self.wrapped { Self::WRAPPED } else { 0 };
        self.level | wrapped | ng
    }

    /// The two bytes before a stream in zlib's format (RFC 1950, section 2.2).
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
            Compressor::ZlibNg => "zlib-ng",
        };
        write!(f, "{name} level {}", self.level)
    }
}

/// A stream that is being compressed again.
pub struct Recompressor {
    raw: Raw,
    /// Of what came so far, if a checksum is wanted.
    checksum: Option<Adler32>,
}

enum Raw {
    Zlib(Box<Deflater>),
    /// With what waits for it: what comes out depends on how the input is cut.
    Ng(Compress, Vec<u8>),
}

/// What zlib-ng is given at a time. Part of the patch format.
const PIECE: usize = 1 << 17;

/// Memory that a recompressor takes, generously.
pub const RECOMPRESSOR_WEIGHT: u64 = 512 << 10;

impl Recompressor {
    /// Starts a stream, and appends its header to `output`.
    pub fn new(recipe: Recipe, output: &mut Vec<u8>) -> Self {
        if recipe.wrapped {
            output.extend_from_slice(&recipe.header());
        }
        Recompressor {
            raw: match recipe.compressor {
                Compressor::Zlib => Raw::Zlib(Box::new(Deflater::new(recipe.level))),
                Compressor::ZlibNg => {
                    let level = Compression::new(recipe.level.into());
                    Raw::Ng(Compress::new(level, false), Vec::with_capacity(PIECE))
                }
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
            Raw::Ng(raw, waiting) => {
                while !plain.is_empty() {
                    let (here, rest) = plain.split_at(plain.len().min(PIECE - waiting.len()));
                    waiting.extend_from_slice(here);
                    plain = rest;
                    if waiting.len() == PIECE {
                        run(raw, waiting, FlushCompress::None, output);
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
            Raw::Ng(raw, waiting) => run(raw, waiting, FlushCompress::Finish, output),
        }
        if let Some(checksum) = self.checksum {
            output.extend_from_slice(&checksum.value().to_be_bytes());
        }
    }
}

fn run(raw: &mut Compress, mut plain: &[u8], flush: FlushCompress, output: &mut Vec<u8>) {
    loop {
        output.reserve(1 << 14);
        let before = raw.total_in();
        // Only a misuse of its state is an error, which there is none of.
        let status = raw.compress_vec(plain, output, flush);
        plain = &plain[(raw.total_in() - before) as usize..];
        let room = output.len() < output.capacity();
        match status {
            Ok(Status::Ok) if !room || !plain.is_empty() => {}
            Ok(Status::Ok) if matches!(flush, FlushCompress::Finish) => {}
            _ => return,
        }
    }
}

/// The checksum of zlib's format (RFC 1950, section 8).
struct Adler32(u32, u32);

impl Default for Adler32 {
    fn default() -> Self {
        Adler32(1, 0)
    }
}

impl Adler32 {
    const MODULUS: u32 = 65521;
    /// After so many bytes the sums may not fit any more.
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
