//! Finds what two large files have in common block by block, after rsync (Andrew
//! Tridgell, "Efficient Algorithms for Sorting and Synchronization", chapter 3):
//! the blocks of the old file are known by a hash that can be rolled along the
//! new one.

use super::matches::Match;
use super::work::Work;
use crate::patch::bytes::{Bytes, Window};
use notsotuf_stub::bundle::common_prefix;
use notsotuf_stub::fs::FsError;

/// Blocks that are remembered at most; files with more have larger blocks. They
/// take eight bytes each, in a table at most half full.
const MOST_BLOCKS: usize = 1 << 21;
/// Bytes of a block at least.
const SMALLEST: usize = 64;
/// Bytes that are compared at once.
const COMPARED: usize = 1 << 16;
/// Bytes after which progress is told and the clock is looked at.
const LOOK: usize = 1 << 22;

/// Counts what the search takes in memory.
pub(super) const MEMORY: u64 = (MOST_BLOCKS as u64 * 2 + 1) * 8 + (4 << 20);

/// Returns the exact matches of at least a block, in the order of the new file,
/// without overlap there. Once the budget is spent, no more are looked for.
///
/// # Errors
/// The file system's.
pub(super) fn anchors(old: &Bytes, new: &Bytes, work: &Work) -> Result<Vec<Match>, FsError> {
    let size = old.len().div_ceil(MOST_BLOCKS).max(SMALLEST);
    let size = size.next_power_of_two();
    let blocks = Blocks::new(old, size, work)?;
    let mut scan = Scan {
        blocks,
        old: Window::new(old, COMPARED),
        old_length: old.len(),
        new: Window::new(new, 1 << 20),
        new_length: new.len(),
        found: Vec::new(),
    };
    scan.run(work)?;
    Ok(scan.found)
}

/// Hashes windows of a fixed size (Rabin and Karp): a polynomial modulo 2^64.
#[derive(Clone, Copy)]
struct Rolling {
    /// The factor that the first byte of a window has.
    first: u64,
}

impl Rolling {
    const BASE: u64 = 0x9e37_79b9_7f4a_7c15;

    fn new(size: usize) -> Self {
        let factors = std::iter::repeat_n(Self::BASE, size - 1);
        Rolling {
            first: factors.fold(1, u64::wrapping_mul),
        }
    }

    fn of(window: &[u8]) -> u64 {
        window.iter().fold(0, |hash: u64, &byte| {
            hash.wrapping_mul(Self::BASE)
                .wrapping_add(u64::from(byte) + 1)
        })
    }

    /// Takes the first byte of the window away and appends one.
    fn roll(self, hash: u64, gone: u8, come: u8) -> u64 {
        let gone = self.first.wrapping_mul(u64::from(gone) + 1);
        let rest = hash.wrapping_sub(gone).wrapping_mul(Self::BASE);
        rest.wrapping_add(u64::from(come) + 1)
    }
}

/// Knows where the blocks of a file are, by their hash.
struct Blocks {
    size: usize,
    rolling: Rolling,
    /// Of each block: the lower half of its hash, and its number counted from
    /// one; those that share a place follow each other.
    table: Vec<(u32, u32)>,
}

impl Blocks {
    fn new(old: &Bytes, size: usize, work: &Work) -> Result<Self, FsError> {
        let places = (2 * (old.len() / size)).max(2).next_power_of_two();
        let mut blocks = Blocks {
            size,
            rolling: Rolling::new(size),
            table: vec![(0, 0); places],
        };
        let mut number = 0;
        // A chunk holds whole blocks, but for the last one.
        for chunk in old.chunks() {
            if work.budget.is_spent() {
                break;
            }
            for block in chunk?.chunks_exact(size) {
                number += 1;
                // Stretches of one byte are everywhere, and lead anywhere.
                if block.iter().any(|byte| *byte != block[0]) {
                    blocks.insert(Rolling::of(block), number);
                }
            }
        }
        Ok(blocks)
    }

    /// Mixes a hash, of which the lower bits know the least. Returns the place to
    /// look at first, and what is remembered.
    fn place(&self, hash: u64) -> (usize, u32) {
        let mixed = (hash ^ hash >> 32).wrapping_mul(0xd6e8_feb8_6659_fd93);
        let place = mixed >> (64 - self.table.len().trailing_zeros());
        (place as usize, mixed as u32)
    }

    /// Remembers a block, unless there is another one of that hash.
    fn insert(&mut self, hash: u64, number: u32) {
        let (mut place, tag) = self.place(hash);
        while self.table[place].1 != 0 {
            if self.table[place].0 == tag {
                return;
            }
            place = (place + 1) % self.table.len();
        }
        self.table[place] = (tag, number);
    }

    /// Returns where the block of this hash is.
    fn find(&self, hash: u64) -> Option<usize> {
        let (mut place, tag) = self.place(hash);
        loop {
            let (known, number) = self.table[place];
            if number == 0 {
                return None;
            }
            if known == tag {
                return Some((number as usize - 1) * self.size);
            }
            place = (place + 1) % self.table.len();
        }
    }
}

/// Goes along the new file.
struct Scan<'a> {
    blocks: Blocks,
    old: Window<'a>,
    old_length: usize,
    new: Window<'a>,
    new_length: usize,
    found: Vec<Match>,
}

impl Scan<'_> {
    fn run(&mut self, work: &Work) -> Result<(), FsError> {
        let size = self.blocks.size;
        let (mut at, mut told) = (0, 0);
        let mut hash = None;
        while at + size <= self.new_length {
            if at >= told + LOOK {
                (work.progress)((at - told) as u64 / 2);
                told = at;
                if work.budget.is_spent() {
                    return Ok(());
                }
            }
            let known = match hash {
                Some(hash) => hash,
                None => Rolling::of(self.new.get(at..at + size)?),
            };
            if let Some(found) = self.found_at(known, at)? {
                at = found.new + found.length;
                self.found.push(found);
                hash = None;
                continue;
            }
            hash = None;
            if at + size < self.new_length {
                let window = self.new.get(at..at + size + 1)?;
                hash = Some(self.blocks.rolling.roll(known, window[0], window[size]));
            }
            at += 1;
        }
        Ok(())
    }

    /// Returns the match around the block at `at` of the new file.
    fn found_at(&mut self, hash: u64, at: usize) -> Result<Option<Match>, FsError> {
        let Some(place) = self.blocks.find(hash) else {
            return Ok(None);
        };
        let size = self.blocks.size;
        let last = self.found.last().copied();
        // Where the last match would go on, the same block is the better one.
        let goes_on = last.map(|last| last.old + (at - last.new));
        for old in goes_on.into_iter().chain([place]) {
            if old + size > self.old_length {
                continue;
            }
            let length = self.forward(old, at)?;
            if length >= size {
                let free = at - last.map_or(0, |last| last.new + last.length);
                let back = self.backward(old, at, free)?;
                return Ok(Some(Match {
                    old: old - back,
                    new: at - back,
                    length: length + back,
                }));
            }
        }
        Ok(None)
    }

    /// Counts the bytes that are the same from here on.
    fn forward(&mut self, old: usize, new: usize) -> Result<usize, FsError> {
        let mut length = 0;
        loop {
            let left = (self.old_length - old).min(self.new_length - new) - length;
            let here = left.min(COMPARED);
            let (one, other) = (old + length, new + length);
            let one = self.old.get(one..one + here)?;
            let same = common_prefix(one, self.new.get(other..other + here)?);
            length += same;
            if same < here || here == 0 {
                return Ok(length);
            }
        }
    }

    /// Counts the bytes that are the same before here, at most `free`.
    fn backward(&mut self, old: usize, new: usize, free: usize) -> Result<usize, FsError> {
        // What is farther back belongs to a block that was found.
        let most = free.min(old).min(2 * self.blocks.size);
        let one = self.old.get(old - most..old)?;
        let other = self.new.get(new - most..new)?;
        let pairs = one.iter().rev().zip(other.iter().rev());
        Ok(pairs.take_while(|(a, b)| a == b).count())
    }
}

#[cfg(test)]
mod tests;
