//! Finds what a piece of a new file has in common with old bytes, after bsdiff
//! (Colin Percival, "Naive differences of executable code"): a match may have
//! errors, as code that moved has, and ends where going on would cost more than
//! it saves.

use super::budget::Budget;
use super::matches::Match;
use crate::patch::bytes::Bytes;
use libsais::SuffixArrayConstruction;
use notsotuf_stub::bundle::common_prefix;
use notsotuf_stub::fs::FsError;
use rayon::prelude::*;
use std::ops::Range;

/// New files are searched in pieces of this size, on all cores. A constant,
/// as another one gives another patch.
pub(super) const PIECE: usize = 4 << 20;
/// Pieces that are in memory at once.
const AT_ONCE: usize = 4;
/// Old bytes that are searched at once: larger files are searched in windows.
/// A constant for the same reason.
pub(super) const WINDOW: usize = 24 << 20;
/// A match must be longer by this than what the one before it, prolonged,
/// would get right.
const BETTER: usize = 8;
/// Bytes of which [`RIGHT`] must be right: then no better match is looked for,
/// since looking is what takes the time.
const COUNTED: usize = 32;
const RIGHT: usize = 27;

/// Searches after which the clock is looked at.
const LOOK_AT_CLOCK: u32 = 1 << 12;

/// Counts what searching so many old bytes takes in memory: themselves, and four
/// bytes for each. The new pieces are no more than a few at once.
pub(super) fn index_memory(size: usize) -> u64 {
    5 * size as u64
}

/// All suffixes of a file, sorted.
pub(super) struct Index<'a> {
    old: &'a [u8],
    suffixes: Vec<i32>,
    /// Where the suffixes begin that start with two certain bytes.
    buckets: Vec<u32>,
}

impl<'a> Index<'a> {
    /// Sorts the suffixes of bytes that are shorter than 2 GiB.
    pub(super) fn new(old: &'a [u8]) -> Self {
        let suffixes = SuffixArrayConstruction::for_text(old)
            .in_owned_buffer32()
            .single_threaded()
            .run()
            .expect("the file is short enough")
            .into_vec();
        // The suffix of one byte sorts before all others that start with it.
        let mut counts = vec![0u32; (1 << 16) + 1];
        for pair in old.windows(2) {
            counts[bucket(pair) + 1] += 1;
        }
        if let Some(&last) = old.last() {
            counts[bucket(&[last, 0]) + 1] += 1;
        }
        for n in 1..counts.len() {
            counts[n] += counts[n - 1];
        }
        Index {
            old,
            suffixes,
            buckets: counts,
        }
    }

    /// Returns the matches of each of the pieces of a new file, in the order of
    /// the file. Once the budget is spent, no more are looked for.
    ///
    /// # Errors
    /// The file system's.
    pub(super) fn search(
        &self,
        new: &Bytes,
        pieces: &[Range<usize>],
        budget: Budget,
    ) -> Result<Vec<Vec<Match>>, FsError> {
        let one = |range: &Range<usize>| {
            let mut matches = Piece {
                index: self,
                new: &new.get(range.clone())?,
                budget,
            }
            .matches();
            for found in &mut matches {
                found.new += range.start;
            }
            Ok(matches)
        };
        let mut all = Vec::with_capacity(pieces.len());
        for some in pieces.chunks(AT_ONCE) {
            let found: Result<Vec<_>, FsError> = some.par_iter().map(one).collect();
            all.extend(found?);
        }
        Ok(all)
    }

    /// Returns where the most bytes are as those at the start of `wanted`, and
    /// how many.
    fn longest(&self, wanted: &[u8]) -> (usize, usize) {
        if wanted.len() < 2 {
            return (0, 0);
        }
        let bucket = bucket(wanted);
        let (mut low, mut high) = (
            self.buckets[bucket] as usize,
            self.buckets[bucket + 1] as usize,
        );
        if low == high {
            return (0, 0);
        }
        // What the suffixes on either side are known to have in common with
        // what is wanted: all between them have as much.
        let (mut low_common, mut high_common) = (0, 0);
        let mut best = (0, 0);
        while low < high {
            let middle = low + (high - low) / 2;
            let at = self.suffixes[middle] as usize;
            let known = low_common.min(high_common);
            let suffix = &self.old[at..];
            let common =
                known + common_prefix(&suffix[known.min(suffix.len())..], &wanted[known..]);
            if common > best.1 {
                best = (at, common);
            }
            if common == wanted.len() {
                return best;
            }
            if common == suffix.len() || suffix[common] < wanted[common] {
                (low, low_common) = (middle + 1, common);
            } else {
                (high, high_common) = (middle, common);
            }
        }
        best
    }
}

fn bucket(bytes: &[u8]) -> usize {
    usize::from(bytes[0]) << 8 | usize::from(bytes[1])
}

/// A piece of the new file.
struct Piece<'a> {
    index: &'a Index<'a>,
    new: &'a [u8],
    budget: Budget,
}

impl Piece<'_> {
    fn matches(&self) -> Vec<Match> {
        let (old, new) = (self.index.old, self.new);
        let mut matches = Vec::new();
        let mut last: Option<Match> = None;
        let (mut at, mut searched) = (0, 0u32);
        while at < new.len() {
            // The next place where another match is clearly better.
            let mut found = (0, 0);
            // What the last match would get right from `at` to `counted`.
            let (mut score, mut counted) = (0, at);
            while at < new.len() {
                if let Some(step) = last.and_then(|last| self.goes_on(&last, at)) {
                    at += step;
                    (score, counted) = (0, at);
                    continue;
                }
                searched += 1;
                if searched % LOOK_AT_CLOCK == 0 && self.budget.is_spent() {
                    return Vec::new();
                }
                found = self.index.longest(&new[at..]);
                let right = |place: usize| last.is_some_and(|last| self.right(&last, place));
                while counted < at + found.1 {
                    score += usize::from(right(counted));
                    counted += 1;
                }
                if found.1 == score && score > 0 {
                    // It is what the last match gets anyway.
                    at += found.1;
                    (score, counted) = (0, at);
                    continue;
                }
                if found.1 > score + BETTER {
                    break;
                }
                score -= usize::from(counted > at && right(at));
                at += 1;
                counted = counted.max(at);
            }
            let next = (at < new.len()).then_some(Match {
                old: found.0,
                new: at,
                length: found.1,
            });
            if let Some(next) = next {
                at += found.1;
                let (whole, begun) = meet(old, new, last, next);
                matches.extend(whole);
                last = Some(begun);
            }
        }
        if let Some(last) = last {
            matches.push(forward(old, new, last, new.len()));
        }
        matches.retain(|found| found.length > 0);
        matches
    }

    /// Whether a match, prolonged, is right at a place.
    fn right(&self, last: &Match, place: usize) -> bool {
        let old = self.index.old.get(last.old + (place - last.new));
        old.is_some_and(|byte| *byte == self.new[place])
    }

    /// Returns how far a match, prolonged, goes at least, if it is right enough
    /// at a place.
    fn goes_on(&self, last: &Match, at: usize) -> Option<usize> {
        let old = self.index.old.get(last.old + (at - last.new)..)?;
        let (old, new) = (old.get(..COUNTED)?, self.new[at..].get(..COUNTED)?);
        let right = old.iter().zip(new).filter(|(a, b)| a == b).count();
        if right == COUNTED {
            let (old, new) = (
                &self.index.old[last.old + (at - last.new)..],
                &self.new[at..],
            );
            return Some(common_prefix(old, new));
        }
        (right >= RIGHT).then_some(COUNTED / 2)
    }
}

/// Prolongs the last match forward and the next one backward until they
/// meet, where together they are right most often. Returns both; the next one
/// begins earlier.
fn meet(old: &[u8], new: &[u8], last: Option<Match>, next: Match) -> (Option<Match>, Match) {
    let from = last.map_or(0, |last| last.new);
    let mut whole = last.map(|last| forward(old, new, last, next.new));
    // Backward.
    let most = (next.new - from).min(next.old);
    let back = best_length((1..=most).map(|n| old[next.old - n] == new[next.new - n]));
    let mut begun = Match {
        old: next.old - back,
        new: next.new - back,
        length: next.length + back,
    };
    if let Some(whole) = &mut whole
        && whole.new + whole.length > begun.new
    {
        let overlap = whole.new + whole.length - begun.new;
        let (mut score, mut best, mut keep) = (0i64, 0, 0);
        for n in 0..overlap {
            let place = begun.new + n;
            score += i64::from(new[place] == old[whole.old + (place - whole.new)]);
            score -= i64::from(new[place] == old[begun.old + n]);
            if score > best {
                (best, keep) = (score, n + 1);
            }
        }
        whole.length -= overlap - keep;
        begun.old += keep;
        begun.new += keep;
        begun.length -= keep;
    }
    (whole, begun)
}

/// A match as long as pays, before `end`.
fn forward(old: &[u8], new: &[u8], found: Match, end: usize) -> Match {
    let (old, new) = (&old[found.old..], &new[found.new..end]);
    Match {
        length: best_length(old.iter().zip(new).map(|(a, b)| a == b)),
        ..found
    }
}

/// The length at which what is right exceeds what is wrong by most.
fn best_length(right: impl Iterator<Item = bool>) -> usize {
    let (mut score, mut best, mut length) = (0i64, 0, 0);
    for (n, right) in right.enumerate() {
        score += if right { 1 } else { -1 };
        if score > best {
            (best, length) = (score, n + 1);
        }
    }
    length
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_match_is_the_longest() {
        let old: Vec<u8> = (0..2000u32)
            .map(|n| (n * n % 7 + n % 3) as u8 % 4)
            .collect();
        let index = Index::new(&old);
        for from in (0..1990).step_by(13) {
            for wanted in [&old[from..], &[&old[from..from + 9], b"\x09"].concat()[..]] {
                let naive = (0..old.len())
                    .map(|at| common_prefix(&old[at..], wanted))
                    .max();
                let (at, length) = index.longest(wanted);
                assert_eq!(Some(length), naive);
                assert_eq!(old[at..at + length], wanted[..length]);
            }
        }
        assert_eq!(index.longest(b"\xff\xff").1, 0);
        assert_eq!(Index::new(b"").longest(b"ab").1, 0);
    }
}
