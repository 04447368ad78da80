//! Defines the numbers and names of the patch format
//! (docs/reference/patch-format.md).

use crate::bundle::path_rules::MAX_TOTAL;

/// Limits the bytes of memory: the manifest, the operations, the dictionaries,
/// and what belongs to one file at a time.
pub const MEMORY: u64 = 50 << 20;

/// Names a format of patches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Format {
    /// `notsotuf-1`, which compares files as they are.
    One,
    /// `notsotuf-2`, which looks into compressed members of files.
    Two,
}

impl Format {
    /// Lists all formats.
    pub const ALL: [Format; 2] = [Format::One, Format::Two];

    /// Returns the first bytes of a patch in this format.
    pub fn magic(self) -> &'static [u8; 8] {
        match self {
            Format::One => b"NSTFPT1\n",
            Format::Two => b"NSTFPT2\n",
        }
    }

    /// Returns the name of this format in targets metadata.
    pub fn name(self) -> &'static str {
        match self {
            Format::One => "notsotuf-1",
            Format::Two => "notsotuf-2",
        }
    }

    /// Returns the size from which on a file is brought whole. Stubs that know only
    /// the first format refuse larger ones.
    pub fn max_diff_size(self) -> u64 {
        match self {
            Format::One => 1 << 31,
            Format::Two => MAX_DIFF_SIZE,
        }
    }

    /// Returns whether files may be made part by part.
    pub fn has_parts(self) -> bool {
        self >= Format::Two
    }

    /// Returns the format of this name; `None` if this version knows none.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|format| format.name() == name)
    }
}

/// Stands in the place of the LZMA properties: the stream is stored as it is.
pub const STORED: u8 = 0xff;

/// Says how many streams a patch has.
pub const STREAMS: usize = 5;

/// Limits the LZMA dictionary of all streams but that of the literals and,
/// times four, of that one.
pub const MAX_DICTIONARY: u32 = 4 << 20;

/// Limits the bytes in a stream.
pub const MAX_STREAM: u64 = MAX_TOTAL;

/// Limits the covers of one file.
pub const MAX_COVERS: u64 = 1 << 19;

/// Limits the size of files that are patched, and of the old one with its members
/// inflated; larger ones are brought whole.
pub const MAX_DIFF_SIZE: u64 = MAX_TOTAL;

/// Limits what the compressed members of the old files inflate to that one new
/// file is made of.
pub const MAX_INFLATED: u64 = 1 << 31;

/// Limits the members of a file, while they are plain, to so many times its
/// bytes and some more ([`MIN_PLAIN`]): compressing takes time.
pub const MAX_PLAIN_RATIO: u64 = 64;

/// Adds so many bytes to that limit.
pub const MIN_PLAIN: u64 = 1 << 20;

/// Returns how many plain bytes the members of a file of `size` bytes may have.
pub fn most_plain(size: u64) -> u64 {
    size.saturating_mul(MAX_PLAIN_RATIO)
        .saturating_add(MIN_PLAIN)
}

/// Limits the bytes of the header: its first and last parts, and the entry of
/// each stream.
pub(super) const MAX_HEADER: usize = 8 + STREAMS * (2 + 10 + 10);

/// Counts what an operation takes in memory besides its texts: itself, the
/// place of the file it makes and the entry for it, and its path among the
/// changed ones.
pub(super) const OPERATION_WEIGHT: u64 = 512;

/// Counts what a stream takes in memory besides its dictionary.
pub(super) const STREAM_WEIGHT: u64 = 64 << 10;

pub(super) fn unzigzag(value: u64) -> i64 {
    (value >> 1) as i64 ^ -((value & 1) as i64)
}

pub(super) fn varint(from: &mut &[u8]) -> Option<u64> {
    let mut value = 0u64;
    for shift in (0..63).step_by(7) {
        let (&byte, rest) = from.split_first()?;
        *from = rest;
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

/// Names the first byte of each operation.
pub mod op {
    #![allow(missing_docs)]
    pub const REMOVE: u8 = 0;
    pub const DIR: u8 = 1;
    pub const LINK: u8 = 2;
    pub const FULL: u8 = 3;
    pub const DIFF: u8 = 4;
    pub const COPY: u8 = 5;
    /// Makes a file of parts; does not exist in `notsotuf-1`.
    pub const PARTS: u8 = 6;
}

/// Names the streams, in their order.
pub mod stream {
    #![allow(missing_docs)]
    pub const OPERATIONS: usize = 0;
    pub const COVERS: usize = 1;
    pub const RUNS: usize = 2;
    pub const DIFFERENCES: usize = 3;
    pub const LITERALS: usize = 4;
}
