//! The difference of two files, as the streams of a patch have it.

use super::budget::Budget;
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
/// smaller once compressed, or once the budget is spent.
pub fn difference(old: &[u8], new: &[u8], budget: Budget) -> Option<FileDiff> {
    // The suffix array cannot be made of nothing.
    if old.is_empty() || new.is_empty() {
        return None;
    }
    let matches = merge(search(old, new, budget));
    if matches.len() as u64 >= MAX_COVERS || budget.is_spent() {
        return None;
    }
    let covers = covers(&matches);
    let mut found = instructions(new, &matches, &covers);
    (found.runs, found.differences) = differences(old, new, &matches, None);
    if let Some(references) = program::references(old, new) {
        let described = 20 + references.regions.len() * 6;
        let mut predictor = Predictor::new(&references, &covers);
        let (runs, differences) = differences(old, new, &matches, Some(&mut predictor));
        let size = described + estimate(&runs) + estimate(&differences);
        if size < estimate(&found.runs) + estimate(&found.differences) {
            (found.runs, found.differences) = (runs, differences);
            found.references = Some(references);
        }
    }
    let size = found.estimate();
    // A difference that small is worth it whatever the file is.
    let small = new.len() > 4096 && size < new.len() / 20;
    (small || size < estimate(new)).then_some(found)
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

/// Covers and literals.
fn instructions(new: &[u8], matches: &[Match], covers: &[Cover]) -> FileDiff {
    let mut out = FileDiff::default();
    number(&mut out.covers, covers.len() as u64);
    for cover in covers {
        number(&mut out.covers, cover.literal);
        number(&mut out.covers, cover.length);
        number(&mut out.covers, zigzag(cover.skip));
    }
    let mut end = 0;
    for found in matches {
        out.literals.extend_from_slice(&new[end..found.new]);
        end = found.new + found.length;
    }
    out.literals.extend_from_slice(&new[end..]);
    out
}

/// Runs and differences, with the references predicted or without.
fn differences(
    old: &[u8],
    new: &[u8],
    matches: &[Match],
    mut predictor: Option<&mut Predictor>,
) -> (Vec<u8>, Vec<u8>) {
    let mut runs = Runs::default();
    let mut block = Vec::with_capacity(BLOCK);
    for found in matches {
        for at in (0..found.length).step_by(BLOCK) {
            let length = BLOCK.min(found.length - at);
            let (old_at, new_at) = (found.old + at, found.new + at);
            let mut actual = &new[new_at..new_at + length];
            let Some(predictor) = &mut predictor else {
                runs.add(&old[old_at..old_at + length], actual);
                continue;
            };
            block.clear();
            block.extend_from_slice(&old[old_at..old_at + length]);
            let mut settle = |bytes: &mut [u8]| {
                let (here, rest) = actual.split_at(bytes.len());
                runs.add(bytes, here);
                bytes.copy_from_slice(here);
                actual = rest;
                Ok::<(), Infallible>(())
            };
            match predictor.run(&mut block, old_at as u64, new_at as u64, &mut settle) {
                Ok(()) => {}
                Err(never) => match never {},
            }
        }
    }
    runs.finish()
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
fn estimate(data: &[u8]) -> usize {
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::fast());
    match encoder.write_all(data).and_then(|()| encoder.finish()) {
        Ok(out) => out.len(),
        Err(_) => data.len(),
    }
}
