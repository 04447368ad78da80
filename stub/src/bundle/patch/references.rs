//! Predicting references: where code or data moves within a program, every
//! address that leads there changes with it. A plain binary difference pays
//! for each of them; here the old bytes are first rewritten to what they
//! should be in the new file, and only what that gets wrong is in the patch.
//!
//! The bundler and the stub run this same code, one to find out what is
//! wrong, the other to mend it. So it need not understand a program, it only
//! has to do the same thing twice: which bytes are references is a matter of
//! patterns, and a wrong guess costs bytes, never correctness.
//!
//! Nothing here knows an executable format. The bundler reads the headers
//! and sends a [`References`].

use super::covers::Cover;
use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// The most segments of a file.
pub const MAX_SEGMENTS: usize = 64;
/// The most regions of a file.
pub const MAX_REGIONS: usize = 512;
/// The most further spans of a file.
pub const MAX_SPANS: usize = 64;
/// Shorter covers are likely to be coincidences, and tell nothing of where
/// things moved.
const MIN_COVER: u64 = 32;
/// Entries of the table of learned targets, a power of two.
const LEARNED: usize = 1 << 17;
/// Addresses per entry of the index of spans, as a power of two.
const INDEX_SHIFT: u32 = 12;
/// The most entries of that index.
const MAX_INDEX: u64 = 1 << 18;

/// A part of a file that is loaded to an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Segment {
    /// Where it begins in the file.
    pub offset: u64,
    /// Where it is loaded.
    pub address: u64,
    /// Bytes, in the file and loaded.
    pub size: u64,
}

/// A part of the address space of the old file, and where it went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// Address in the old file.
    pub old: u64,
    /// Address in the new file.
    pub new: u64,
    /// Bytes.
    pub size: u64,
}

/// How references look in a part of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// x86-64 code: calls, jumps, and operands relative to the next
    /// instruction.
    X86,
    /// Records of one size, with an integer at the start of each, signed and
    /// relative to `base_old` (in the new file, to `base_new`).
    Table {
        /// Bytes from one record to the next.
        stride: u32,
        /// Where in a record a second integer is; 0 if there is none.
        second: u32,
        /// Bytes of the integer: 4 or 8.
        width: u8,
        /// Address that the old ones are relative to.
        base_old: u64,
        /// Address that the new ones are relative to.
        base_new: u64,
    },
    /// The frame descriptions of `.eh_frame`: the length, the distance back to
    /// the common part, and the distance to the code, 4 bytes each.
    Frames,
    /// AArch64 code: branches, and addresses of pages.
    Arm64,
}

/// A part of the old file that has references.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Region {
    /// Where it begins in the file.
    pub offset: u64,
    /// Bytes.
    pub size: u64,
    /// Where it is loaded.
    pub address: u64,
    /// What they look like.
    pub kind: Kind,
}

/// What is to be known of a program to predict its references.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct References {
    /// Of the old file.
    pub old_segments: Vec<Segment>,
    /// Of the new file.
    pub new_segments: Vec<Segment>,
    /// Of the old file; sorted, without overlap.
    pub regions: Vec<Region>,
    /// What moved and is in no file, such as `.bss`.
    pub spans: Vec<Span>,
}

impl References {
    /// About how many bytes of memory it takes.
    pub fn weight(&self) -> usize {
        let segments = self.old_segments.len() + self.new_segments.len();
        128 + segments * size_of::<Segment>()
            + self.regions.len() * size_of::<Region>()
            + self.spans.len() * size_of::<Span>()
    }

    /// Whether it is sound: within its bounds, regions sorted and apart.
    pub fn is_valid(&self) -> bool {
        let fits = |offset: u64, size: u64| offset.checked_add(size).is_some();
        let segments = [&self.old_segments, &self.new_segments];
        segments.iter().all(|list| {
            list.len() <= MAX_SEGMENTS
                && list
                    .iter()
                    .all(|s| fits(s.offset, s.size) && fits(s.address, s.size))
        }) && self.regions.len() <= MAX_REGIONS
            && self.regions.iter().all(|r| {
                fits(r.offset, r.size)
                    && match r.kind {
                        Kind::Table {
                            stride,
                            second,
                            width,
                            ..
                        } => matches!(width, 4 | 8) && stride > second && stride > 0,
                        _ => true,
                    }
            })
            && self
                .regions
                .windows(2)
                .all(|pair| pair[0].offset + pair[0].size <= pair[1].offset)
            && self.spans.len() <= MAX_SPANS
            && self
                .spans
                .iter()
                .all(|s| fits(s.old, s.size) && fits(s.new, s.size))
    }
}

fn address(segments: &[Segment], offset: u64) -> Option<u64> {
    segments
        .iter()
        .find(|s| offset >= s.offset && offset - s.offset < s.size)
        .map(|s| s.address.wrapping_add(offset - s.offset))
}

/// From addresses in the old file to those in the new one.
struct Map {
    /// Sorted, without overlap.
    spans: Vec<Span>,
    /// For each stretch of addresses, how many spans begin before it.
    index: Vec<u32>,
    shift: u32,
    /// Targets whose new address came out another way: a reference that was
    /// wrong once is right from then on.
    learned_old: Vec<u64>,
    learned_new: Vec<u64>,
    /// The addresses of the old file.
    low: u64,
    high: u64,
}

/// What a span takes in memory.
const SPAN_WEIGHT: u64 = size_of::<Span>() as u64;

impl Map {
    /// Bytes of memory of what does not depend on the number of spans.
    const WEIGHT: u64 = 2 * LEARNED as u64 * 8 + MAX_INDEX * 4;

    /// With what it takes in memory; `None` if that would be more than `most`.
    fn new(references: &References, covers: &[Cover], most: u64) -> Option<(Self, u64)> {
        let most = (most.checked_sub(Self::WEIGHT)? / SPAN_WEIGHT) as usize;
        let mut all = references.spans.clone();
        let (mut old_at, mut new_at) = (0, 0);
        for cover in covers {
            let start = cover.start(&mut old_at, &mut new_at);
            for segment in &references.old_segments {
                let from = start.old.max(segment.offset);
                let end = start.old.saturating_add(cover.length);
                let to = end.min(segment.offset + segment.size);
                let size = to.saturating_sub(from);
                if size < MIN_COVER {
                    continue;
                }
                let new = start.new + (from - start.old);
                if let Some(new) = address(&references.new_segments, new) {
                    if all.len() == all.capacity() {
                        // In steps, as doubling may be too much at the end.
                        all.reserve_exact((all.len() / 8).max(64));
                    }
                    if all.capacity() > most {
                        return None;
                    }
                    all.push(Span {
                        old: segment.address + (from - segment.offset),
                        new,
                        size,
                    });
                }
            }
        }
        let most = most.checked_sub(all.capacity())?;
        let spans = paint(all, most)?;
        let weight = Self::WEIGHT + spans.capacity() as u64 * SPAN_WEIGHT;
        let segments = references.old_segments.iter();
        let low = segments.clone().map(|s| s.address).min().unwrap_or(0);
        let extra = references.spans.iter().map(|s| s.old + s.size);
        let high = segments.map(|s| s.address + s.size).chain(extra).max();
        let high = high.unwrap_or(0);
        let mut shift = INDEX_SHIFT;
        while (high - low.min(high)) >> shift >= MAX_INDEX {
            shift += 1;
        }
        let mut index = Vec::new();
        let mut count = 0;
        for slot in 0..=(high - low.min(high)) >> shift {
            while spans
                .get(count)
                .is_some_and(|s| s.old < low + (slot << shift))
            {
                count += 1;
            }
            index.push(count as u32);
        }
        let map = Map {
            spans,
            index,
            shift,
            // Zeros of the system's, so that a small file touches little of them.
            learned_old: vec![0; LEARNED],
            learned_new: vec![0; LEARNED],
            low,
            high,
        };
        Some((map, weight))
    }

    fn knows(&self, old: u64) -> bool {
        (self.low..self.high).contains(&old)
    }

    fn slot(old: u64) -> usize {
        (old.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 40) as usize % LEARNED
    }

    fn get(&self, old: u64) -> u64 {
        let slot = Self::slot(old);
        if self.learned_old[slot] == old && old != 0 {
            return self.learned_new[slot];
        }
        let slot = (old.wrapping_sub(self.low) >> self.shift) as usize;
        let mut next = self
            .index
            .get(slot)
            .map_or(self.spans.len(), |&n| n as usize);
        while self.spans.get(next).is_some_and(|s| s.old <= old) {
            next += 1;
        }
        let before = next.checked_sub(1).map(|n| self.spans[n]);
        let after = self.spans.get(next);
        let moved = |span: &Span| old.wrapping_sub(span.old).wrapping_add(span.new);
        match (before, after) {
            (Some(span), _) if old - span.old < span.size => moved(&span),
            // Between two spans it is likely to have gone with the nearer one.
            (Some(span), Some(other)) if other.old - old >= old - (span.old + span.size) => {
                moved(&span)
            }
            (_, Some(other)) => moved(other),
            (Some(span), None) => moved(&span),
            (None, None) => old,
        }
    }

    fn learn(&mut self, old: u64, new: u64) {
        let slot = Self::slot(old);
        self.learned_old[slot] = old;
        self.learned_new[slot] = new;
    }
}

/// Spans without overlap: where several say something, the longest is right,
/// then the one with the smaller old address, then with the smaller new one.
/// `None` if that took the place of more than `most` further ones in memory.
fn paint(mut all: Vec<Span>, most: usize) -> Option<Vec<Span>> {
    all.retain(|span| span.size > 0);
    all.sort_unstable_by_key(|span| span.old);
    let mut painted: Vec<Span> = Vec::new();
    // Those that began and may not have ended, the one that is right on top.
    let mut begun = BinaryHeap::new();
    let mut next = 0;
    let mut at = 0;
    loop {
        while let Some((size, Reverse(old), _)) = begun.peek()
            && old + size <= at
        {
            begun.pop();
        }
        if begun.is_empty() {
            let Some(span) = all.get(next) else {
                return Some(painted);
            };
            at = span.old;
        }
        while let Some(span) = all.get(next).filter(|span| span.old == at) {
            begun.push((span.size, Reverse(span.old), Reverse(span.new)));
            next += 1;
        }
        let Some(&(size, Reverse(old), Reverse(new))) = begun.peek() else {
            continue;
        };
        let end = (old + size).min(all.get(next).map_or(u64::MAX, |span| span.old));
        let part = Span {
            old: at,
            new: new.wrapping_add(at - old),
            size: end - at,
        };
        match painted.last_mut() {
            // It goes on, as the one that began here is not right.
            Some(last) if last.old + last.size == at && last.shift() == part.shift() => {
                last.size += part.size;
            }
            _ => {
                if painted.len() == painted.capacity() {
                    painted.reserve_exact((painted.len() / 8).max(64));
                }
                painted.push(part);
            }
        }
        if painted.capacity() + begun.capacity() > most {
            return None;
        }
        at = end;
    }
}

impl Span {
    /// How far it moved.
    fn shift(&self) -> u64 {
        self.new.wrapping_sub(self.old)
    }
}

/// Rewrites old bytes to what they are likely to be in the new file.
pub struct Predictor<'a> {
    references: &'a References,
    map: Map,
}

impl<'a> Predictor<'a> {
    /// For a file of which the new one has `covers`.
    pub fn new(references: &'a References, covers: &[Cover]) -> Self {
        let (map, _) = Map::new(references, covers, u64::MAX).expect("there is no bound");
        Predictor { map, references }
    }

    /// The same with the bytes of memory that it takes; `None` if that would
    /// be more than `most`.
    pub fn within(references: &'a References, covers: &[Cover], most: u64) -> Option<(Self, u64)> {
        let (map, weight) = Map::new(references, covers, most)?;
        Some((Predictor { map, references }, weight))
    }

    /// Works on `bytes`, which come from `old_at` of the old file and go to
    /// `new_at` of the new one. `settle` is called on one stretch after the
    /// other, in order, and must turn predicted bytes into true ones.
    ///
    /// # Errors
    /// What `settle` returned.
    pub fn run<E>(
        &mut self,
        bytes: &mut [u8],
        old_at: u64,
        new_at: u64,
        settle: &mut dyn FnMut(&mut [u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        let references = self.references;
        let end = old_at + bytes.len() as u64;
        let mut settled = 0;
        let first = references
            .regions
            .partition_point(|r| r.offset + r.size <= old_at);
        for region in &references.regions[first..] {
            if region.offset >= end {
                break;
            }
            let start = region.offset.max(old_at);
            let stop = ((region.offset + region.size).min(end) - old_at) as usize;
            let mut at = (start - old_at) as usize;
            let new = new_at + at as u64;
            let Some(new) = address(&references.new_segments, new) else {
                continue;
            };
            let part = Part {
                region,
                old: region
                    .address
                    .wrapping_add(start - region.offset)
                    .wrapping_sub(at as u64),
                new: new.wrapping_sub(at as u64),
                within: old_at.wrapping_sub(region.offset),
                stop,
            };
            while let Some(found) = part.find(bytes, at, &self.map) {
                settle(&mut bytes[settled..found.field])?;
                at = found.next;
                settled = found.field + found.width;
                let target = self.map.get(found.target);
                found.write(bytes, target);
                settle(&mut bytes[found.field..settled])?;
                let actual = found.target_of(bytes);
                let hit = match found.form {
                    Form::Page => actual == target / PAGE * PAGE,
                    _ => actual == target,
                };
                if !hit {
                    self.map.learn(found.target, actual);
                }
            }
        }
        settle(&mut bytes[settled..])
    }
}

/// One reference, found in old bytes.
struct Found {
    /// Where its field begins, in the buffer.
    field: usize,
    width: usize,
    /// Where the search goes on.
    next: usize,
    /// The address it leads to, in the old file.
    target: u64,
    /// What it is relative to in the new file.
    base: u64,
    form: Form,
}

#[derive(Clone, Copy, PartialEq)]
enum Form {
    /// Target less base.
    Plain,
    /// Base less target.
    Back,
    /// 26 bits of target less base, in units of 4 bytes.
    Branch,
    /// 21 bits in two parts, of the page of the target less that of the base.
    Page,
}

const PAGE: u64 = 4096;

impl Found {
    /// The field, with its sign.
    fn read(&self, bytes: &[u8]) -> u64 {
        match bytes[self.field..].first_chunk::<8>() {
            Some(field) if self.width == 8 => u64::from_le_bytes(*field),
            _ => i64::from(word(bytes, self.field) as i32) as u64,
        }
    }

    fn write(&self, bytes: &mut [u8], target: u64) {
        let place = &mut bytes[self.field..self.field + self.width];
        let word = u32::from_le_bytes(place[..4].try_into().expect("at least four bytes"));
        let distance = target.wrapping_sub(self.base);
        let value = match self.form {
            Form::Plain => distance,
            Form::Back => distance.wrapping_neg(),
            Form::Branch => {
                u64::from(word & 0xfc00_0000) | ((distance as i64 >> 2) as u64 & 0x03ff_ffff)
            }
            Form::Page => {
                let pages = (target / PAGE).wrapping_sub(self.base / PAGE) as u32;
                u64::from(word & 0x9f00_001f | (pages & 3) << 29 | (pages >> 2 & 0x7ffff) << 5)
            }
        };
        place.copy_from_slice(&value.to_le_bytes()[..self.width]);
    }

    /// Where the field in `bytes` leads, taken as one of the new file.
    fn target_of(&self, bytes: &[u8]) -> u64 {
        let value = self.read(bytes);
        match self.form {
            Form::Plain => self.base.wrapping_add(value),
            Form::Back => self.base.wrapping_sub(value),
            Form::Branch => self.base.wrapping_add(branch(value as u32)),
            Form::Page => page(value as u32, self.base),
        }
    }
}

fn word(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(bytes[at..at + 4].try_into().expect("four bytes"))
}

/// The distance of an AArch64 branch.
fn branch(word: u32) -> u64 {
    i64::from((word << 6) as i32 >> 4) as u64
}

/// The page that an AArch64 `adrp` at `base` leads to.
fn page(word: u32, base: u64) -> u64 {
    let pages = word >> 29 & 3 | (word >> 5 & 0x7ffff) << 2;
    let pages = i64::from((pages << 11) as i32 >> 11) as u64;
    (base / PAGE).wrapping_add(pages).wrapping_mul(PAGE)
}

/// How far behind a byte of x86-64 code the 4 bytes of a reference may be; 0
/// if none is there. Two bytes begin those of conditional jumps.
const X86_FIELD: [u8; 256] = {
    let mut field = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        if byte & 0xc7 == 0x05 || byte == 0xe8 || byte == 0xe9 {
            field[byte] = 1;
        }
        byte += 1;
    }
    field[0x0f] = 2;
    field
};

/// The part of a region that is in a buffer.
struct Part<'a> {
    region: &'a Region,
    /// Old and new address of the first byte of the buffer.
    old: u64,
    new: u64,
    /// Position of that byte in the region; wraps where it comes before.
    within: u64,
    /// Where the region or the buffer ends.
    stop: usize,
}

impl Part<'_> {
    /// The first reference from `at` on.
    fn find(&self, bytes: &[u8], at: usize, map: &Map) -> Option<Found> {
        match self.region.kind {
            Kind::X86 => self.x86(&bytes[..self.stop], at, map),
            Kind::Arm64 => self.arm64(&bytes[..self.stop], at, map),
            Kind::Frames => self.frames(&bytes[..self.stop], at, map),
            Kind::Table {
                stride,
                second,
                width,
                base_old,
                base_new,
            } => {
                let width = usize::from(width);
                let mut at = at;
                while at + width <= self.stop {
                    let place = self.within.wrapping_add(at as u64) % u64::from(stride);
                    let second = u64::from(second);
                    if place != 0 && place != second {
                        let next = if place < second {
                            second
                        } else {
                            u64::from(stride)
                        };
                        at += (next - place) as usize;
                        continue;
                    }
                    let mut found = Found {
                        field: at,
                        width,
                        next: at + width,
                        target: 0,
                        base: base_new,
                        form: Form::Plain,
                    };
                    found.target = base_old.wrapping_add(found.read(bytes));
                    // Small numbers are rather counts and flags.
                    if map.knows(found.target) && (width == 4 || found.target >= PAGE) {
                        return Some(found);
                    }
                    at += 1;
                }
                None
            }
        }
    }

    /// A reference relative to what follows its 4 bytes at `field`.
    fn relative(&self, bytes: &[u8], field: usize, map: &Map) -> Option<Found> {
        let distance = i64::from(word(bytes, field) as i32) as u64;
        let next = field as u64 + 4;
        let target = self.old.wrapping_add(next).wrapping_add(distance);
        map.knows(target).then_some(Found {
            field,
            width: 4,
            next: field + 4,
            target,
            base: self.new.wrapping_add(next),
            form: Form::Plain,
        })
    }

    /// The opcodes of call, jump, and conditional jump, and the operand form
    /// "relative to the next instruction"
    /// (Intel's manual, volume 2, table 2-7 and appendix A). An operand before
    /// an immediate one is off by the size of that, which matters little: what
    /// is near to a target moves as it does.
    fn x86(&self, bytes: &[u8], mut at: usize, map: &Map) -> Option<Found> {
        let last = bytes.len().saturating_sub(5);
        while let Some(opcode) = bytes.get(at..last).and_then(|rest| {
            // Most bytes are none of these, so this is what takes the time.
            rest.iter()
                .position(|&byte| X86_FIELD[usize::from(byte)] > 0)
        }) {
            at += opcode;
            let offset = usize::from(X86_FIELD[usize::from(bytes[at])]);
            if offset == 1 || bytes[at + 1] & 0xf0 == 0x80 {
                let found = self.relative(bytes, at + offset, map);
                if found.is_some() {
                    return found;
                }
            }
            at += 1;
        }
        None
    }

    /// `b`, `bl` and `adrp` (Arm Architecture Reference Manual, C4.1).
    fn arm64(&self, bytes: &[u8], at: usize, map: &Map) -> Option<Found> {
        let misfit = self.within.wrapping_add(at as u64) % 4;
        let mut at = at + ((4 - misfit) % 4) as usize;
        while at + 4 <= bytes.len() {
            let code = word(bytes, at);
            let here = self.old.wrapping_add(at as u64);
            let (form, target) = if code & 0x7c00_0000 == 0x1400_0000 {
                (Form::Branch, here.wrapping_add(branch(code)))
            } else if code & 0x9f00_0000 == 0x9000_0000 {
                (Form::Page, page(code, here))
            } else {
                at += 4;
                continue;
            };
            if map.knows(target) {
                return Some(Found {
                    field: at,
                    width: 4,
                    next: at + 4,
                    target,
                    base: self.new.wrapping_add(at as u64),
                    form,
                });
            }
            at += 4;
        }
        None
    }

    /// Records of a length, a distance back to the common part (0 in that
    /// itself), and a distance to the code (Linux Standard Base Core, 10.6.1).
    /// A buffer may begin inside a record, so the search looks for plausible
    /// ones.
    fn frames(&self, bytes: &[u8], at: usize, map: &Map) -> Option<Found> {
        // Just behind a distance back comes the one to the code.
        if at >= 8 && self.is_frame(bytes, at - 8) {
            let target = self.old + at as u64;
            let target = target.wrapping_add(i64::from(word(bytes, at) as i32) as u64);
            return map.knows(target).then_some(Found {
                field: at,
                width: 4,
                next: at - 4 + word(bytes, at - 8) as usize,
                target,
                base: self.new.wrapping_add(at as u64),
                form: Form::Plain,
            });
        }
        let misfit = self.within.wrapping_add(at as u64) % 4;
        let mut at = at + ((4 - misfit) % 4) as usize;
        while at + 12 <= bytes.len() {
            if self.is_frame(bytes, at) {
                let field = at + 4;
                let place = self.old.wrapping_add(field as u64);
                return Some(Found {
                    field,
                    width: 4,
                    next: field + 4,
                    target: place.wrapping_sub(u64::from(word(bytes, field))),
                    base: self.new.wrapping_add(field as u64),
                    form: Form::Back,
                });
            }
            at += 4;
        }
        None
    }

    /// Whether a frame description seems to begin at `at`.
    fn is_frame(&self, bytes: &[u8], at: usize) -> bool {
        if at + 12 > bytes.len() {
            return false;
        }
        let (length, back) = (word(bytes, at), word(bytes, at + 4));
        let place = self.within.wrapping_add(at as u64 + 4);
        (12..4096).contains(&length)
            && length % 4 == 0
            && back >= 8
            && back % 4 == 0
            && u64::from(back) <= place
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    /// The rule of the format, word by word: the larger spans first, each where
    /// nothing is yet.
    fn by_the_rule(mut all: Vec<Span>, at: u64) -> Option<u64> {
        all.sort_by_key(|s| (Reverse(s.size), s.old, s.new));
        let right = all.iter().find(|s| (s.old..s.old + s.size).contains(&at))?;
        Some(at - right.old + right.new)
    }

    #[test]
    fn overlapping_spans_are_put_apart_by_the_rule() {
        let mut seed = 7u32;
        let mut random = |below: u32| {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            u64::from((seed >> 8) % below)
        };
        for _ in 0..300 {
            let all: Vec<Span> = (0..random(12))
                .map(|_| Span {
                    old: random(60),
                    new: random(60),
                    size: random(20),
                })
                .collect();
            let painted = paint(all.clone(), usize::MAX).unwrap();
            assert!(painted.len() <= 2 * all.len());
            let apart = painted.windows(2).all(|p| p[0].old + p[0].size <= p[1].old);
            assert!(apart, "{painted:?}");
            let found: BTreeMap<u64, u64> = painted
                .iter()
                .flat_map(|s| (0..s.size).map(|n| (s.old + n, s.new + n)))
                .collect();
            for at in 0..90 {
                assert_eq!(
                    found.get(&at).copied(),
                    by_the_rule(all.clone(), at),
                    "{all:?}"
                );
            }
        }
    }

    /// Found by fuzzing: offsets that no file has.
    #[test]
    fn segments_and_covers_at_the_end_of_all_numbers_are_no_spans() {
        let at_the_end = |size| Segment {
            offset: u64::MAX - size,
            address: u64::MAX - size,
            size,
        };
        for (segment, skip, length) in [
            (at_the_end(5), 0, 100),
            (at_the_end(5), -6, 100),
            (at_the_end(100), -40, 100),
            (at_the_end(100), i64::MAX, 10),
        ] {
            let references = References {
                old_segments: vec![segment],
                new_segments: vec![segment],
                ..References::default()
            };
            assert!(references.is_valid());
            let cover = Cover {
                literal: 0,
                skip,
                length,
            };
            let (map, _) = Map::new(&references, &[cover], 64 << 20).unwrap();
            assert_eq!(map.spans, []);
        }
    }

    #[test]
    fn what_spans_take_in_memory_is_bounded() {
        let segment = Segment {
            offset: 0,
            address: 0,
            size: 1 << 30,
        };
        // One cover is in every one of the segments.
        let references = References {
            old_segments: vec![segment; MAX_SEGMENTS],
            new_segments: vec![segment],
            ..References::default()
        };
        let cover = Cover {
            literal: 0,
            skip: 0,
            length: 64,
        };
        let covers = [cover; 1000];
        let found = 64 * 1000 * SPAN_WEIGHT;
        let within = |most| Predictor::within(&references, &covers, Map::WEIGHT + most);
        // All of them are the same, so little is left.
        let (_, weight) = within(4 * found).unwrap();
        assert!(weight < Map::WEIGHT + found / 10);
        assert!(within(found - 1).is_none());
        let apart = [Cover { skip: 0, ..cover }; 1000];
        let one = References {
            old_segments: vec![segment],
            ..references.clone()
        };
        let most = Map::WEIGHT + 3 * 1000 * SPAN_WEIGHT;
        assert!(Predictor::within(&one, &apart, most).is_some());
        // They begin one after the other and end together: all are kept in mind.
        let nested: Vec<Cover> = (0..7_000)
            .map(|n| Cover {
                literal: 0,
                skip: if n == 0 { 0 } else { 32 * (n - 7_001) },
                length: 32 * (7_001 - n as u64),
            })
            .collect();
        let bounded = |spans: u64| {
            let most = Map::WEIGHT + spans * SPAN_WEIGHT;
            Predictor::within(&one, &nested, most).is_some()
        };
        assert!(!bounded(10_000) && bounded(30_000));
    }
}
