//! Describes the manifest: what a bundle folder holds, in one canonical text.
//!
//! ```text
//! notsotuf-manifest 1
//! d <mode> <path>
//! f <mode> <size> <sha256> <path>
//! l <target> <path>
//! ```
//! Entries are sorted by the bytes of their paths, modes are three octal
//! digits, sizes decimal; `%`, control characters and (in link targets) spaces
//! are percent-encoded. The SHA-256 of this text is the *tree hash*, which
//! the repository signs.

use super::entries::Entries;
use crate::bundle::entry::EntryKind;
use crate::hex::{decode_hex, encode_hex};
use ring::digest;
use std::fmt;
use std::path::Path;

/// What an entry of a tree takes in memory besides its texts.
const ENTRY_WEIGHT: u64 = 96;

/// Holds the SHA-256 of a manifest.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct TreeHash(pub [u8; 32]);

impl TreeHash {
    /// Reads 64 hexadecimal digits.
    pub fn parse(hex: &str) -> Option<Self> {
        decode_hex(hex)?.try_into().ok().map(TreeHash)
    }
}

impl fmt::Display for TreeHash {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(&encode_hex(&self.0))
    }
}

impl fmt::Debug for TreeHash {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Lists a whole tree, sorted by path.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Manifest {
    /// Entries by `/`-separated relative path.
    pub entries: Entries,
}

/// Lends a bundle on disk: a folder, and what is in it.
#[derive(Debug, Clone, Copy)]
pub struct Tree<'a> {
    /// The folder.
    pub folder: &'a Path,
    /// What is in it, of what is the bundle's.
    pub manifest: &'a Manifest,
}

impl Manifest {
    /// Returns the tree hash: SHA-256 of [`Manifest::to_text`].
    pub fn tree_hash(&self) -> TreeHash {
        let mut hash = digest::Context::new(&digest::SHA256);
        self.lines(&mut |line| hash.update(line.as_bytes()));
        TreeHash(
            hash.finish()
                .as_ref()
                .try_into()
                .expect("SHA-256 has 32 bytes"),
        )
    }

    /// Returns about how many bytes of memory the manifest takes.
    pub fn weight(&self) -> u64 {
        let entries = self.entries.iter().map(|(path, entry)| match &entry.kind {
            EntryKind::Link { target } => path.len() + target.len(),
            _ => path.len(),
        });
        entries.map(|bytes| bytes as u64 + ENTRY_WEIGHT).sum()
    }

    /// Returns the number of regular files and their bytes.
    pub fn totals(&self) -> (usize, u64) {
        self.entries
            .values()
            .fold((0, 0), |(n, sum), entry| match entry.kind {
                EntryKind::File { size, .. } => (n + 1, sum + size),
                _ => (n, sum),
            })
    }
}

#[cfg(test)]
mod tests;
