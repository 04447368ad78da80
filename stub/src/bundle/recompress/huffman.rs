//! Chooses the Huffman codes of a block of deflate as zlib does.

use crate::bundle::recompress::bits::BitWriter;

/// Counts the codes for literals and lengths that can occur, and those for
/// distances.
pub(super) const LITERALS: usize = 286;
pub(super) const DISTANCES: usize = 30;
const LENGTHS: usize = 19;
/// Counts the nodes of the largest tree: its leaves, and one less above them.
const NODES: usize = 2 * LITERALS + 1;
const MAX_BITS: usize = 15;
pub(super) const END: usize = 256;

/// Counts the bits behind each code of a length, and of a distance.
const EXTRA_LENGTH: [u8; 29] = [
    0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5, 0,
];
const EXTRA_DISTANCE: [u8; DISTANCES] = [
    0, 0, 0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7, 8, 8, 9, 9, 10, 10, 11, 11, 12, 12, 13,
    13,
];
/// Says in which order the lengths of the codes of lengths are sent.
const ORDER: [usize; LENGTHS] = [
    16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15,
];

/// Returns the code of a match's length, less 257, and the bits behind it.
pub(super) fn length_code(length: usize) -> (usize, u32, u8) {
    let value = length - 3;
    if value == 255 {
        return (28, 0, 0);
    }
    if value < 8 {
        return (value, 0, 0);
    }
    let top = value.ilog2() as usize;
    let code = 4 * (top - 1) + ((value >> (top - 2)) & 3);
    let extra = EXTRA_LENGTH[code];
    (code, (value & ((1 << extra) - 1)) as u32, extra)
}

/// Returns the code of a match's distance, and the bits behind it.
pub(super) fn distance_code(distance: usize) -> (usize, u32, u8) {
    let value = distance - 1;
    if value < 4 {
        return (value, 0, 0);
    }
    let top = value.ilog2() as usize;
    let code = 2 * top + ((value >> (top - 1)) & 1);
    let extra = EXTRA_DISTANCE[code];
    (code, (value & ((1 << extra) - 1)) as u32, extra)
}

/// Describes one of the three alphabets.
struct Alphabet {
    size: usize,
    longest: usize,
    /// Bits behind the codes from `base` on.
    extra: &'static [u8],
    base: usize,
    fixed: Option<fn(usize) -> usize>,
}

impl Alphabet {
    fn fixed_bits(&self, code: usize) -> usize {
        self.fixed.map_or(0, |bits| bits(code))
    }

    fn extra_bits(&self, code: usize) -> usize {
        let index = code.checked_sub(self.base);
        index.map_or(0, |index| self.extra[index].into())
    }
}

fn fixed_literal(code: usize) -> usize {
    match code {
        0..=143 => 8,
        144..=255 => 9,
        256..=279 => 7,
        _ => 8,
    }
}

const LITERAL: Alphabet = Alphabet {
    size: LITERALS,
    longest: 15,
    extra: &EXTRA_LENGTH,
    base: 257,
    fixed: Some(fixed_literal),
};
const DISTANCE: Alphabet = Alphabet {
    size: DISTANCES,
    longest: 15,
    extra: &EXTRA_DISTANCE,
    base: 0,
    fixed: Some(|_| 5),
};
const LENGTH: Alphabet = Alphabet {
    size: LENGTHS,
    longest: 7,
    extra: &[0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 3, 7],
    base: 0,
    fixed: None,
};

/// Holds the codes of one alphabet.
pub(super) struct Codes {
    /// Bits of each code; one more, as a guard.
    lengths: [u16; LITERALS + 3],
    codes: [u16; LITERALS + 2],
    /// The last code that is in use.
    last: usize,
}

impl Codes {
    pub(super) fn send(&self, code: usize, out: &mut BitWriter) {
        out.put(self.codes[code].into(), self.lengths[code] as u8);
    }

    /// Gives codes to lengths.
    fn number(&mut self) {
        let mut counts = [0u16; MAX_BITS + 1];
        for &length in &self.lengths[..=self.last] {
            counts[length as usize] += 1;
        }
        counts[0] = 0;
        let mut next = [0u16; MAX_BITS + 1];
        let mut code = 0u16;
        for bits in 1..=MAX_BITS {
            code = code.wrapping_add(counts[bits - 1]) << 1;
            next[bits] = code;
        }
        for (code, &length) in self.codes.iter_mut().zip(&self.lengths[..=self.last]) {
            let length = length as usize;
            if length > 0 {
                *code = next[length].reverse_bits() >> (16 - length);
                next[length] = next[length].wrapping_add(1);
            }
        }
    }

    pub(super) fn fixed_literals() -> Self {
        Codes::fixed(288, fixed_literal)
    }

    pub(super) fn fixed_distances() -> Self {
        Codes::fixed(DISTANCES, |_| 5)
    }

    fn fixed(size: usize, length: fn(usize) -> usize) -> Self {
        let mut codes = Codes {
            lengths: [0; LITERALS + 3],
            codes: [0; LITERALS + 2],
            last: size - 1,
        };
        for code in 0..size {
            codes.lengths[code] = length(code) as u16;
        }
        codes.number();
        codes
    }
}

/// Counts the bits that the symbols of a block take with codes made for it, and
/// with the fixed ones.
#[derive(Default)]
pub(super) struct Cost {
    pub(super) own: i64,
    pub(super) fixed: i64,
}

/// Builds a tree.
struct Tree {
    frequency: [u16; NODES],
    depth: [u8; NODES],
    parent: [u16; NODES],
    length: [u16; NODES],
    heap: [u16; NODES + 1],
    waiting: usize,
    /// The heap's end holds the nodes in the order they left it, from here on.
    done: usize,
    /// The last symbol that occurs.
    last: usize,
}

impl Tree {
    fn smaller(&self, one: u16, other: u16) -> bool {
        let key = |n: u16| (self.frequency[n as usize], self.depth[n as usize]);
        key(one) <= key(other)
    }

    fn sift(&mut self, mut at: usize) {
        let moved = self.heap[at];
        let mut child = 2 * at;
        while child <= self.waiting {
            if child < self.waiting && self.smaller(self.heap[child + 1], self.heap[child]) {
                child += 1;
            }
            if self.smaller(moved, self.heap[child]) {
                break;
            }
            self.heap[at] = self.heap[child];
            at = child;
            child *= 2;
        }
        self.heap[at] = moved;
    }

    fn push_done(&mut self, node: u16) {
        self.done -= 1;
        self.heap[self.done] = node;
    }

    fn wait(&mut self, code: usize, frequency: u16) {
        self.frequency[code] = frequency;
        self.waiting += 1;
        self.heap[self.waiting] = code as u16;
        self.last = self.last.max(code);
    }

    /// Takes in the symbols that occur; two at least, as older inflaters want
    /// it.
    fn new(frequencies: &[u16], alphabet: &Alphabet, cost: &mut Cost) -> Self {
        let mut tree = Tree {
            frequency: [0; NODES],
            depth: [0; NODES],
            parent: [0; NODES],
            length: [0; NODES],
            heap: [0; NODES + 1],
            waiting: 0,
            done: NODES,
            last: 0,
        };
        for (code, &frequency) in frequencies.iter().enumerate() {
            if frequency > 0 {
                tree.wait(code, frequency);
            }
        }
        while tree.waiting < 2 {
            let code = match tree.last {
                _ if tree.waiting == 0 => 0,
                last @ ..2 => last + 1,
                _ => 0,
            };
            tree.wait(code, 1);
            // It will be counted, and does not occur.
            cost.own -= 1;
            cost.fixed -= alphabet.fixed_bits(code) as i64;
        }
        tree
    }

    /// Joins the two rarest nodes, until there is one.
    fn grow(&mut self, leaves: usize) {
        for at in (1..=self.waiting / 2).rev() {
            self.sift(at);
        }
        for node in leaves.. {
            let one = self.heap[1];
            self.heap[1] = self.heap[self.waiting];
            self.waiting -= 1;
            self.sift(1);
            let other = self.heap[1];
            self.push_done(one);
            self.push_done(other);
            let (a, b) = (one as usize, other as usize);
            self.frequency[node] = self.frequency[a] + self.frequency[b];
            self.depth[node] = self.depth[a].max(self.depth[b]) + 1;
            self.parent[a] = node as u16;
            self.parent[b] = node as u16;
            self.heap[1] = node as u16;
            self.sift(1);
            if self.waiting < 2 {
                break;
            }
        }
        self.push_done(self.heap[1]);
    }

    /// Gives symbols the lengths of their codes, none longer than may be.
    fn measure(&mut self, alphabet: &Alphabet, cost: &mut Cost) {
        let mut counts = [0usize; MAX_BITS + 1];
        let mut overflow = 0i32;
        let root = self.heap[self.done] as usize;
        self.length[root] = 0;
        for at in self.done + 1..NODES {
            let node = self.heap[at] as usize;
            let mut bits = usize::from(self.length[self.parent[node] as usize]) + 1;
            if bits > alphabet.longest {
                bits = alphabet.longest;
                overflow += 1;
            }
            self.length[node] = bits as u16;
            if node > self.last {
                continue;
            }
            counts[bits] += 1;
            let extra = alphabet.extra_bits(node);
            let frequency = i64::from(self.frequency[node]);
            cost.own += frequency * (bits + extra) as i64;
            if alphabet.fixed.is_some() {
                cost.fixed += frequency * (alphabet.fixed_bits(node) + extra) as i64;
            }
        }
        if overflow > 0 {
            self.shorten(counts, overflow, alphabet.longest, cost);
        }
    }

    /// Gives the rarest symbols other lengths, as so many were too long.
    fn shorten(
        &mut self,
        mut counts: [usize; MAX_BITS + 1],
        mut overflow: i32,
        longest: usize,
        cost: &mut Cost,
    ) {
        while overflow > 0 {
            let mut bits = longest - 1;
            while counts[bits] == 0 {
                bits -= 1;
            }
            counts[bits] -= 1;
            counts[bits + 1] += 2;
            counts[longest] -= 1;
            overflow -= 2;
        }
        let mut at = NODES;
        for bits in (1..=longest).rev() {
            let mut left = counts[bits];
            while left > 0 {
                at -= 1;
                let node = self.heap[at] as usize;
                if node > self.last {
                    continue;
                }
                let longer = bits as i64 - i64::from(self.length[node]);
                cost.own += longer * i64::from(self.frequency[node]);
                self.length[node] = bits as u16;
                left -= 1;
            }
        }
    }
}

/// Makes the codes that zlib gives symbols of these frequencies.
fn build(frequencies: &[u16], alphabet: &Alphabet, cost: &mut Cost) -> Codes {
    let mut tree = Tree::new(frequencies, alphabet, cost);
    tree.grow(alphabet.size);
    tree.measure(alphabet, cost);
    let mut codes = Codes {
        lengths: [0; LITERALS + 3],
        codes: [0; LITERALS + 2],
        last: tree.last,
    };
    codes.lengths[..=tree.last].copy_from_slice(&tree.length[..=tree.last]);
    codes.number();
    codes
}

/// Holds the codes of one block, and those by which their lengths are sent.
pub(super) struct BlockCodes {
    pub(super) literals: Codes,
    pub(super) distances: Codes,
    lengths: Codes,
    /// So many lengths of `lengths` are sent.
    sent: usize,
    pub(super) cost: Cost,
}

impl BlockCodes {
    pub(super) fn new(literals: &[u16; LITERALS], distances: &[u16; DISTANCES]) -> Self {
        let mut cost = Cost::default();
        let literals = build(literals, &LITERAL, &mut cost);
        let distances = build(distances, &DISTANCE, &mut cost);
        let mut frequencies = [0u16; LENGTHS];
        for codes in [&literals, &distances] {
            runs(codes, &mut |code, _, _| frequencies[code] += 1);
        }
        let lengths = build(&frequencies, &LENGTH, &mut cost);
        let sent = (3..LENGTHS)
            .rev()
            .find(|&rank| lengths.lengths[ORDER[rank]] != 0)
            .unwrap_or(2)
            + 1;
        cost.own += 3 * sent as i64 + 5 + 5 + 4;
        BlockCodes {
            literals,
            distances,
            lengths,
            sent,
            cost,
        }
    }

    /// Sends the codes.
    pub(super) fn describe(&self, out: &mut BitWriter) {
        out.put((self.literals.last - 256) as u32, 5);
        out.put(self.distances.last as u32, 5);
        out.put((self.sent - 4) as u32, 4);
        for &code in &ORDER[..self.sent] {
            out.put(self.lengths.lengths[code].into(), 3);
        }
        for codes in [&self.literals, &self.distances] {
            runs(codes, &mut |code, bits, count| {
                self.lengths.send(code, out);
                out.put(bits, count);
            });
        }
    }
}

/// Tells the lengths of codes as runs: a code, and bits behind it.
fn runs(codes: &Codes, tell: &mut dyn FnMut(usize, u32, u8)) {
    let mut before = None;
    let mut count = 0u32;
    let lengths = &codes.lengths[..=codes.last];
    let limits = |length: u16, before: Option<u16>| match length {
        0 => (138, 3),
        _ if Some(length) == before => (6, 3),
        _ => (7, 4),
    };
    let (mut most, mut least) = limits(lengths[0], None);
    for (n, &length) in lengths.iter().enumerate() {
        let next = lengths.get(n + 1).copied();
        count += 1;
        if count < most && Some(length) == next {
            continue;
        }
        if count < least {
            for _ in 0..count {
                tell(length.into(), 0, 0);
            }
        } else if length != 0 {
            if Some(length) != before {
                tell(length.into(), 0, 0);
                count -= 1;
            }
            tell(16, count - 3, 2);
        } else if count <= 10 {
            tell(17, count - 3, 3);
        } else {
            tell(18, count - 11, 7);
        }
        count = 0;
        before = Some(length);
        (most, least) = limits(next.unwrap_or(u16::MAX), before);
    }
}
