//! Compresses as classic zlib does, byte for byte: versions 1.2 to 1.3 with
//! 32 KiB of window and `memLevel` 8, which is what Python uses.
//!
//! Another choice of a match or a code is as good deflate, and useless here.
//! The algorithm is that of `deflate.c` and `trees.c` of zlib by Jean-loup
//! Gailly and Mark Adler (<https://zlib.net>), written anew; its names for the
//! parameters of the levels are kept: good, lazy, nice, chain.

use crate::bundle::common_prefix::common_prefix;
use crate::bundle::recompress::bits::BitWriter;
use crate::bundle::recompress::huffman::{
    BlockCodes, Codes, DISTANCES, END, LITERALS, distance_code, length_code,
};

const WINDOW: usize = 1 << 15;
const MASK: usize = WINDOW - 1;
const MIN_MATCH: usize = 3;
const MAX_MATCH: usize = 258;
const MIN_LOOKAHEAD: usize = MAX_MATCH + MIN_MATCH + 1;
const MAX_DISTANCE: usize = WINDOW - MIN_LOOKAHEAD;
const TOO_FAR: usize = 4096;
/// Counts the symbols with which a block ends.
const SYMBOLS: usize = (1 << 14) - 1;

/// Says how long a level searches.
struct Effort {
    good: usize,
    lazy: usize,
    nice: usize,
    chain: usize,
    slow: bool,
}

const fn effort(good: usize, lazy: usize, nice: usize, chain: usize, slow: bool) -> Effort {
    Effort {
        good,
        lazy,
        nice,
        chain,
        slow,
    }
}

const EFFORTS: [Effort; 9] = [
    effort(4, 4, 8, 4, false),
    effort(4, 5, 16, 8, false),
    effort(4, 6, 32, 32, false),
    effort(4, 4, 16, 16, true),
    effort(8, 16, 32, 32, true),
    effort(8, 16, 128, 128, true),
    effort(8, 32, 128, 256, true),
    effort(32, 128, 258, 1024, true),
    effort(32, 258, 258, 4096, true),
];

/// Compresses a stream; takes about 400 KiB of memory.
pub(super) struct Deflater {
    effort: &'static Effort,
    window: Box<[u8]>,
    /// The position before each with the same hash, and the last of each.
    previous: Box<[u16]>,
    heads: Box<[u16]>,
    at: usize,
    lookahead: usize,
    block_start: isize,
    match_start: usize,
    match_length: usize,
    match_available: bool,
    symbols: Vec<(u16, u8)>,
    literals: [u16; LITERALS],
    distances: [u16; DISTANCES],
    out: BitWriter,
}

impl Deflater {
    /// Starts a stream with a `level` from 1 to 9.
    pub(super) fn new(level: u8) -> Self {
        let mut new = Deflater {
            effort: &EFFORTS[usize::from(level - 1)],
            window: vec![0; 2 * WINDOW].into(),
            previous: vec![0; WINDOW].into(),
            heads: vec![0; 1 << 15].into(),
            at: 0,
            lookahead: 0,
            block_start: 0,
            match_start: 0,
            match_length: MIN_MATCH - 1,
            match_available: false,
            symbols: Vec::with_capacity(SYMBOLS),
            literals: [0; LITERALS],
            distances: [0; DISTANCES],
            out: BitWriter::default(),
        };
        new.literals[END] = 1;
        new
    }

    /// Takes the next bytes, and appends what comes out to `output`.
    ///
    /// zlib works on what it is given whenever it has enough to look ahead. It
    /// slides its window only once that is full, so this waits until then: the
    /// result does not depend on how the input is cut.
    pub(super) fn write(&mut self, mut input: &[u8], output: &mut Vec<u8>) {
        while self.fill(&mut input) {
            self.work(false);
        }
        output.append(&mut self.out.bytes);
    }

    /// Ends the stream, and appends what is left of it to `output`.
    pub(super) fn finish(&mut self, output: &mut Vec<u8>) {
        self.work(true);
        if std::mem::take(&mut self.match_available) {
            self.literal(self.window[self.at - 1]);
        }
        self.flush_block(true);
        output.append(&mut self.out.bytes);
    }

    /// Fills the window; false if `input` ended before it was full.
    fn fill(&mut self, input: &mut &[u8]) -> bool {
        self.slide();
        let end = self.at + self.lookahead;
        let (here, rest) = input.split_at(input.len().min(2 * WINDOW - end));
        self.window[end..end + here.len()].copy_from_slice(here);
        self.lookahead += here.len();
        *input = rest;
        self.at + self.lookahead == 2 * WINDOW
    }

    /// Makes room once the first half of the window is of no use.
    fn slide(&mut self) {
        if self.at < WINDOW + MAX_DISTANCE || self.lookahead >= MIN_LOOKAHEAD {
            return;
        }
        self.window.copy_within(WINDOW.., 0);
        self.at -= WINDOW;
        self.match_start = self.match_start.wrapping_sub(WINDOW);
        self.block_start -= WINDOW as isize;
        for position in self.previous.iter_mut().chain(self.heads.iter_mut()) {
            *position = position.saturating_sub(WINDOW as u16);
        }
    }

    fn work(&mut self, last: bool) {
        if self.effort.slow {
            self.slow(last)
        } else {
            self.fast(last)
        }
    }

    fn enough(&mut self, last: bool) -> bool {
        self.slide();
        self.lookahead >= if last { 1 } else { MIN_LOOKAHEAD }
    }

    #[inline]
    fn insert(&mut self, at: usize) -> usize {
        let [a, b, c] = self.window[at..at + 3] else {
            return 0;
        };
        let hash = (usize::from(a) << 10 ^ usize::from(b) << 5 ^ usize::from(c)) & MASK;
        let head = std::mem::replace(&mut self.heads[hash], at as u16);
        self.previous[at & MASK] = head;
        head.into()
    }

    /// Returns the last position with the three bytes that are next, or 0.
    #[inline]
    fn candidate(&mut self) -> usize {
        if self.lookahead < MIN_MATCH {
            return 0;
        }
        let head = self.insert(self.at);
        if self.at - head > MAX_DISTANCE {
            0
        } else {
            head
        }
    }

    fn fast(&mut self, last: bool) {
        while self.enough(last) {
            let head = self.candidate();
            let length = match head {
                0 => 0,
                _ => self.longest_match(head, MIN_MATCH - 1),
            };
            let full;
            if length >= MIN_MATCH {
                full = self.matched(self.at - self.match_start, length);
                self.lookahead -= length;
                if length <= self.effort.lazy && self.lookahead >= MIN_MATCH {
                    for at in self.at + 1..self.at + length {
                        self.insert(at);
                    }
                }
                self.at += length;
            } else {
                full = self.literal(self.window[self.at]);
                self.lookahead -= 1;
                self.at += 1;
            }
            if full {
                self.flush_block(false);
            }
        }
    }

    fn slow(&mut self, last: bool) {
        while self.enough(last) {
            let head = self.candidate();
            let (before, before_start) = (self.match_length, self.match_start);
            self.match_length = MIN_MATCH - 1;
            if head != 0 && before < self.effort.lazy {
                let length = self.longest_match(head, before);
                let far = self.at.wrapping_sub(self.match_start) > TOO_FAR;
                if !(length == MIN_MATCH && far) {
                    self.match_length = length;
                }
            }
            if before >= MIN_MATCH && self.match_length <= before {
                let end = (self.at + self.lookahead).wrapping_sub(MIN_MATCH);
                let full = self.matched(self.at - 1 - before_start, before);
                self.lookahead -= before - 1;
                for at in self.at + 1..self.at + before - 1 {
                    if at <= end {
                        self.insert(at);
                    }
                }
                self.at += before - 1;
                self.match_available = false;
                self.match_length = MIN_MATCH - 1;
                if full {
                    self.flush_block(false);
                }
                continue;
            }
            if std::mem::replace(&mut self.match_available, true)
                && self.literal(self.window[self.at - 1])
            {
                self.flush_block(false);
            }
            self.at += 1;
            self.lookahead -= 1;
        }
    }

    fn longest_match(&mut self, mut candidate: usize, before: usize) -> usize {
        let window = &self.window[..];
        let scan = &window[self.at..self.at + MAX_MATCH];
        let mut best = before;
        let mut chain = self.effort.chain;
        if before >= self.effort.good {
            chain >>= 2;
        }
        let nice = self.effort.nice.min(self.lookahead);
        let limit = self.at.saturating_sub(MAX_DISTANCE);
        let mut end = [scan[best - 1], scan[best]];
        loop {
            let other = &window[candidate..candidate + MAX_MATCH];
            if other[best - 1..=best] == end && other[..2] == scan[..2] {
                let length = common_prefix(scan, other);
                if length > best {
                    self.match_start = candidate;
                    best = length;
                    if length >= nice {
                        break;
                    }
                    end = [scan[best - 1], scan[best]];
                }
            }
            candidate = self.previous[candidate & MASK].into();
            chain -= 1;
            if candidate <= limit || chain == 0 {
                break;
            }
        }
        best.min(self.lookahead)
    }

    fn literal(&mut self, byte: u8) -> bool {
        self.symbols.push((0, byte));
        self.literals[usize::from(byte)] += 1;
        self.symbols.len() == SYMBOLS
    }

    fn matched(&mut self, distance: usize, length: usize) -> bool {
        self.symbols
            .push((distance as u16, (length - MIN_MATCH) as u8));
        self.literals[257 + length_code(length).0] += 1;
        self.distances[distance_code(distance).0] += 1;
        self.symbols.len() == SYMBOLS
    }

    fn flush_block(&mut self, last: bool) {
        let codes = BlockCodes::new(&self.literals, &self.distances);
        let fixed = (codes.cost.fixed + 3 + 7) >> 3;
        let best = fixed.min((codes.cost.own + 3 + 7) >> 3);
        let size = self.at as isize - self.block_start;
        let plain = usize::try_from(self.block_start)
            .ok()
            .filter(|_| size as i64 + 4 <= best)
            .map(|start| &self.window[start..self.at]);
        let out = &mut self.out;
        if let Some(plain) = plain {
            out.put(u32::from(last), 3);
            out.align();
            let size = plain.len() as u16;
            out.bytes.extend_from_slice(&size.to_le_bytes());
            out.bytes.extend_from_slice(&(!size).to_le_bytes());
            out.bytes.extend_from_slice(plain);
        } else if fixed == best {
            out.put(2 + u32::from(last), 3);
            let (literals, distances) = (Codes::fixed_literals(), Codes::fixed_distances());
            send(&self.symbols, &literals, &distances, out);
        } else {
            out.put(4 + u32::from(last), 3);
            codes.describe(out);
            send(&self.symbols, &codes.literals, &codes.distances, out);
        }
        if last {
            out.align();
        }
        self.block_start = self.at as isize;
        self.symbols.clear();
        self.literals = [0; LITERALS];
        self.literals[END] = 1;
        self.distances = [0; DISTANCES];
    }
}

fn send(symbols: &[(u16, u8)], literals: &Codes, distances: &Codes, out: &mut BitWriter) {
    for &(distance, value) in symbols {
        if distance == 0 {
            literals.send(value.into(), out);
            continue;
        }
        let (code, bits, count) = length_code(usize::from(value) + MIN_MATCH);
        literals.send(257 + code, out);
        out.put(bits, count);
        let (code, bits, count) = distance_code(distance.into());
        distances.send(code, out);
        out.put(bits, count);
    }
    literals.send(END, out);
}
