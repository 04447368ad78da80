//! Maps addresses of the old program to those of the new one.

use crate::bundle::patch::covers::Cover;
use crate::bundle::patch::references::description::{References, Segment, Span};
use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// Shorter covers are likely to be coincidences, and tell nothing of where
/// things moved.
const MIN_COVER: u64 = 32;

/// Entries of the table of learned targets, a power of two.
const LEARNED: usize = 1 << 17;

/// Addresses per entry of the index of spans, as a power of two.
const INDEX_SHIFT: u32 = 12;

/// The most entries of that index.
const MAX_INDEX: u64 = 1 << 18;

pub(super) fn address(segments: &[Segment], offset: u64) -> Option<u64> {
    segments
        .iter()
        .find(|s| offset >= s.offset && offset - s.offset < s.size)
        .map(|s| s.address.wrapping_add(offset - s.offset))
}

/// Maps addresses in the old file to those in the new one.
pub(super) struct AddressMap {
    /// Sorted, without overlap.
    pub(super) spans: Vec<Span>,
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

/// The spans that are told and those that the covers give, within `most` of
/// them; `None` if there are more.
fn all_spans(references: &References, covers: &[Cover], most: usize) -> Option<Vec<Span>> {
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
    Some(all)
}

/// Returns, for each stretch of addresses, how many spans begin before it.
fn index_of(spans: &[Span], low: u64, high: u64, shift: u32) -> Vec<u32> {
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
    index
}

/// Counts what a span takes in memory.
pub(super) const SPAN_WEIGHT: u64 = size_of::<Span>() as u64;

impl AddressMap {
    /// Counts the bytes of memory that do not depend on the number of spans.
    pub(super) const WEIGHT: u64 = 2 * LEARNED as u64 * 8 + MAX_INDEX * 4;

    /// Returns the map with what it takes in memory; `None` if that would be
    /// more than `most`.
    pub(super) fn new(references: &References, covers: &[Cover], most: u64) -> Option<(Self, u64)> {
        let most = (most.checked_sub(Self::WEIGHT)? / SPAN_WEIGHT) as usize;
        let all = all_spans(references, covers, most)?;
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
        let index = index_of(&spans, low, high, shift);
        let map = AddressMap {
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

    pub(super) fn knows(&self, old: u64) -> bool {
        (self.low..self.high).contains(&old)
    }

    fn slot(old: u64) -> usize {
        (old.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 40) as usize % LEARNED
    }

    pub(super) fn get(&self, old: u64) -> u64 {
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

    pub(super) fn learn(&mut self, old: u64, new: u64) {
        let slot = Self::slot(old);
        self.learned_old[slot] = old;
        self.learned_new[slot] = new;
    }
}

/// Makes spans without overlap: where several say something, the longest is
/// right, then the one with the smaller old address, then with the smaller new
/// one. `None` if that took the place of more than `most` further ones in
/// memory.
pub(super) fn paint(mut all: Vec<Span>, most: usize) -> Option<Vec<Span>> {
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
