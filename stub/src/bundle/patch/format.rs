//! Numbers and names of the patch format (docs/patch-format.md).

use crate::bundle::path_rules::MAX_TOTAL;

/// The most bytes of memory: the manifest, the operations, the dictionaries,
/// and what belongs to one file at a time.
pub const MEMORY: u64 = 50 << 20;

/// The first bytes of a patch in this format.
pub const MAGIC: &[u8; 8] = b"NSTFPT1\n";

/// The name of this format in targets metadata.
pub const FORMAT: &str = "notsotuf-1";

/// How many streams a patch has.
pub const STREAMS: usize = 5;

/// The largest LZMA dictionary of all streams but that of the literals, and,
/// four times as large, of that one.
pub const MAX_DICTIONARY: u32 = 4 << 20;

/// The most bytes in a stream.
pub const MAX_STREAM: u64 = MAX_TOTAL;

/// The most covers of one file.
pub const MAX_COVERS: u64 = 1 << 19;

/// The largest file that is patched; larger ones are brought whole.
pub const MAX_DIFF_SIZE: u64 = 1 << 31;

/// Bytes of the first and last parts of the header, and the most bytes of a
/// stream's entry in it.
pub(super) const MAX_HEADER: usize = 8 + STREAMS * (2 + 10 + 10);

/// What an operation takes in memory besides its texts: itself, the place of
/// the file it makes and the entry for it, and its path among the changed ones.
pub(super) const OPERATION_WEIGHT: u64 = 512;

/// What a stream takes besides its dictionary.
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

/// The first byte of each operation.
pub mod op {
    #![allow(missing_docs)]
    pub const REMOVE: u8 = 0;
    pub const DIR: u8 = 1;
    pub const LINK: u8 = 2;
    pub const FULL: u8 = 3;
    pub const DIFF: u8 = 4;
    pub const COPY: u8 = 5;
}

/// The streams, in their order.
pub mod stream {
    #![allow(missing_docs)]
    pub const OPERATIONS: usize = 0;
    pub const COVERS: usize = 1;
    pub const RUNS: usize = 2;
    pub const DIFFERENCES: usize = 3;
    pub const LITERALS: usize = 4;
}
