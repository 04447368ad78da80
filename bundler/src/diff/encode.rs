//! The difference of two files, as the streams of a patch have it.

use super::program;
use super::search::{Match, search};
use super::streams::{Runs, number, zigzag};
use flate2::Compression;
use flate2::write::DeflateEncoder;
use notsotuf_stub::bundle::patch::references::{Predictor, References};
use notsotuf_stub::bundle::patch::{BLOCK, Cover, MAX_COVERS};
use std::convert::Infallible;
use std::io::Write;

/// Two covers in a line that are no farther apart become one: what is between
/// them costs no more as difference than as literal, and a cover less does.
const MERGE_GAP: usize = 48;

/// The difference of one file.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct FileDiff {
    /// Stream of covers.
    pub covers: Vec<u8>,
    /// Stream of runs.
    pub runs: Vec<u8>,
    /// Stream of differences.
    pub differences: Vec<u8>,
    /// Stream of literals.
    pub literals: Vec<u8>,
    /// If predicting references pays.
    pub references: Option<References>,
}

/// The way from `old` to `new`; `None` if the new content itself is likely
/// smaller once compressed.
pub fn difference(old: &[u8], new: &[u8]) -> Option<FileDiff> {
    // The suffix array cannot be made of nothing.
    if old.is_empty() || new.is_empty() {
        return None;
    }
    let matches = merge(search(old, new));
    if matches.len() as u64 >= MAX_COVERS {
        return None;
    }
    let covers = covers(&matches);
    let mut best = encode(old, new, &matches, &covers, None);
    let mut size = best.estimate();
    if let Some(references) = program::references(old, new) {
        let other = encode(old, new, &matches, &covers, Some(references));
        let other_size = other.estimate();
        if other_size < size {
            (best, size) = (other, other_size);
        }
    }
    // A difference that small is worth it whatever the file is.
    let small = new.len() > 4096 && size < new.len() / 20;
    (small || size < estimate(new)).then_some(best)
}

fn merge(matches: Vec<Match>) -> Vec<Match> {
    let mut merged: Vec<Match> = Vec::with_capacity(matches.len());
    for next in matches {
        if let Some(last) = merged.last_mut() {
            let (old_end, new_end) = (last.old + last.length, last.new + last.length);
            if next.old >= old_end
                && next.old - old_end == next.new - new_end
                && next.new - new_end <= MERGE_GAP
            {
                last.length = next.new + next.length - last.new;
                continue;
            }
        }
        merged.push(next);
    }
    merged
}

fn covers(matches: &[Match]) -> Vec<Cover> {
    let (mut old_end, mut new_end) = (0, 0);
    let cover = |m: &Match| {
        let cover = Cover {
            literal: (m.new - new_end) as u64,
            skip: m.old as i64 - old_end as i64,
            length: m.length as u64,
        };
        (old_end, new_end) = (m.old + m.length, m.new + m.length);
        cover
    };
    matches.iter().map(cover).collect()
}

fn encode(
    old: &[u8],
    new: &[u8],
    matches: &[Match],
    covers: &[Cover],
    references: Option<References>,
) -> FileDiff {
    let mut out = FileDiff::default();
    number(&mut out.covers, covers.len() as u64);
    for cover in covers {
        number(&mut out.covers, cover.literal);
        number(&mut out.covers, cover.length);
        number(&mut out.covers, zigzag(cover.skip));
    }
    let mut runs = Runs::default();
    let mut predictor = references.as_ref().map(|r| Predictor::new(r, covers));
    let mut block = Vec::with_capacity(BLOCK);
    let mut end = 0;
    for found in matches {
        out.literals.extend_from_slice(&new[end..found.new]);
        end = found.new + found.length;
        for at in (0..found.length).step_by(BLOCK) {
            let length = BLOCK.min(found.length - at);
            let (old_at, new_at) = (found.old + at, found.new + at);
            block.clear();
            block.extend_from_slice(&old[old_at..old_at + length]);
            let mut actual = &new[new_at..new_at + length];
            let mut settle = |bytes: &mut [u8]| {
                let (here, rest) = actual.split_at(bytes.len());
                runs.add(bytes, here);
                bytes.copy_from_slice(here);
                actual = rest;
                Ok::<(), Infallible>(())
            };
            let result = match &mut predictor {
                Some(predictor) => {
                    predictor.run(&mut block, old_at as u64, new_at as u64, &mut settle)
                }
                None => settle(&mut block),
            };
            match result {
                Ok(()) => {}
                Err(never) => match never {},
            }
        }
    }
    out.literals.extend_from_slice(&new[end..]);
    (out.runs, out.differences) = runs.finish();
    out.references = references;
    out
}

impl FileDiff {
    fn estimate(&self) -> usize {
        let parts = [&self.covers, &self.runs, &self.differences, &self.literals];
        let described = self
            .references
            .as_ref()
            .map_or(0, |r| 20 + r.regions.len() * 6);
        described + parts.into_iter().map(|part| estimate(part)).sum::<usize>()
    }
}

/// About how large this is when compressed.
pub fn estimate(data: &[u8]) -> usize {
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::fast());
    match encoder.write_all(data).and_then(|()| encoder.finish()) {
        Ok(out) => out.len(),
        Err(_) => data.len(),
    }
}
