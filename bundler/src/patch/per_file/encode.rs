//! Encodes the difference of two files, as the streams of a patch have it.

use super::budget::Budget;
use super::container;
use super::search::{Match, search};
use super::streams::{Runs, number, zigzag};
use super::view::{self, View};
use flate2::Compression;
use flate2::write::DeflateEncoder;
use notsotuf_stub::bundle::patch::parts::{Part, Prediction, Unit};
use notsotuf_stub::bundle::patch::references::References;
use notsotuf_stub::bundle::patch::{
    BLOCK, Cover, Format, MAX_COVERS, MAX_DIFF_SIZE, PartPredictor,
};
use std::convert::Infallible;
use std::io::Write;

/// Two covers in a line that are no farther apart become one: what is between
/// them costs no more as difference than as literal, and a cover less does.
const MERGE_GAP: usize = 48;

/// Holds the difference of one file.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct FileDiff {
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
    /// If members of it are looked into.
    pub parts: Option<Parts>,
    /// Whether only the order of its members changed.
    pub reordered: bool,
}

/// Describes a file that is made part by part.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Parts {
    /// Of the old file.
    pub units: Vec<Unit>,
    /// Of the new one.
    pub parts: Vec<Part>,
    /// What the container calls the parts that are members of it.
    pub names: Vec<Option<String>>,
    /// Where each part ends in covers, runs, differences, and literals.
    pub ends: Vec<[usize; 4]>,
    /// Members that could not be compressed again, and are compared as they are.
    pub flat: Vec<String>,
}

/// Finds the way from `old` to `new`; `None` if the new content itself is
/// likely smaller once compressed, or once the budget is spent.
pub(super) fn difference(
    old: Vec<u8>,
    new: Vec<u8>,
    format: Format,
    budget: Budget,
) -> Option<FileDiff> {
    // The suffix array cannot be made of nothing.
    if old.is_empty() || new.is_empty() {
        return None;
    }
    let mut reordered = false;
    if format >= Format::Two {
        let changed = container::changed(&old, &new, budget);
        reordered = changed.reordered;
        if !changed.new.is_empty() {
            return of_parts(View::new(old, new, changed), budget);
        }
        if let Some(module) = container::modules(&old, &new) {
            return of_parts(View::of_module(old, new, module), budget);
        }
    }
    let (old, new) = (&old[..], &new[..]);
    let matches = merge(search(old, new, budget));
    if matches.len() as u64 >= MAX_COVERS || budget.is_spent() {
        return None;
    }
    let prediction = view::native(old, new);
    let sides = Sides {
        old,
        new,
        module: &[],
        starts: (0, 0),
    };
    let (mut found, prediction) = part(&sides, &matches, prediction);
    if let Prediction::Native(references) = prediction {
        found.references = Some(*references);
    }
    found.reordered = reordered;
    let size = found.estimate();
    // A difference that small is worth it whatever the file is.
    let small = new.len() > 4096 && size < new.len() / 20;
    (small || size < estimate(new)).then_some(found)
}

/// Finds the way from one file to the other part by part.
fn of_parts(mut view: View, budget: Budget) -> Option<FileDiff> {
    let limit = MAX_DIFF_SIZE as usize;
    if view.old.len() >= limit || view.new.len() >= limit {
        return None;
    }
    let real = view.normalize();
    let matches = search(&view.old, &view.new, budget);
    view.restore(real);
    let mut matches = matches.into_iter().peekable();
    let mut all = FileDiff::default();
    let mut ends = Vec::new();
    for (range, described) in &mut view.parts {
        let mut within = Vec::new();
        // What goes across the end of a part goes on in the next one.
        while let Some(found) = matches.peek_mut().filter(|found| found.new < range.end) {
            let length = found.length.min(range.end - found.new);
            within.push(Match { length, ..*found });
            if length == found.length {
                matches.next();
            } else {
                found.old += length;
                found.new += length;
                found.length -= length;
                break;
            }
        }
        let within = merge(within);
        if within.len() as u64 >= MAX_COVERS || budget.is_spent() {
            return None;
        }
        let piece = view.pieces[described.piece].clone();
        let prediction = std::mem::take(&mut described.prediction);
        let sides = Sides {
            old: &view.old,
            new: &view.new[range.clone()],
            module: &view.old[piece.clone()],
            starts: (piece.start, range.start),
        };
        let (found, prediction) = part(&sides, &within, prediction);
        described.prediction = prediction;
        all.append(found);
        ends.push(all.lengths());
    }
    all.parts = Some(Parts {
        units: view.units,
        parts: view.parts.into_iter().map(|(_, part)| part).collect(),
        names: view.names,
        ends,
        flat: view.flat,
    });
    Some(all)
}

/// Holds what a part is made from.
struct Sides<'a> {
    /// The whole old view.
    old: &'a [u8],
    /// The new part.
    new: &'a [u8],
    /// The old piece that it is like.
    module: &'a [u8],
    /// Where that piece and that part begin in their views.
    starts: (usize, usize),
}

/// Encodes the difference of one part, with the prediction if that pays.
fn part(sides: &Sides, matches: &[Match], prediction: Prediction) -> (FileDiff, Prediction) {
    let (piece, start) = sides.starts;
    let covers = covers(matches, piece, start);
    let mut found = instructions(sides.new, matches, start, &covers);
    let nothing = Prediction::Nothing;
    (found.runs, found.differences) = differences(sides, matches, &covers, &nothing);
    let described = match &prediction {
        Prediction::Nothing => return (found, nothing),
        Prediction::Native(references) => described(references),
        Prediction::Marshal(_) => 1,
    };
    let (runs, differences) = differences(sides, matches, &covers, &prediction);
    let size = described + estimate(&runs) + estimate(&differences);
    if size < estimate(&found.runs) + estimate(&found.differences) {
        (found.runs, found.differences) = (runs, differences);
        return (found, prediction);
    }
    (found, nothing)
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

/// Returns the covers, relative to where the piece and the part begin.
fn covers(matches: &[Match], piece: usize, start: usize) -> Vec<Cover> {
    let (mut old_end, mut new_end) = (piece, start);
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

/// Writes covers and literals of the part `new`, which begins at `start`.
fn instructions(new: &[u8], matches: &[Match], start: usize, covers: &[Cover]) -> FileDiff {
    let mut out = FileDiff::default();
    number(&mut out.covers, covers.len() as u64);
    for cover in covers {
        number(&mut out.covers, cover.literal);
        number(&mut out.covers, cover.length);
        number(&mut out.covers, zigzag(cover.skip));
    }
    let mut end = 0;
    for found in matches {
        let at = found.new - start;
        out.literals.extend_from_slice(&new[end..at]);
        end = at + found.length;
    }
    out.literals.extend_from_slice(&new[end..]);
    out
}

/// Writes runs and differences of a part.
fn differences(
    sides: &Sides,
    matches: &[Match],
    covers: &[Cover],
    prediction: &Prediction,
) -> (Vec<u8>, Vec<u8>) {
    let (piece, start) = sides.starts;
    let predictor = PartPredictor::new(prediction, covers, sides.module, u64::MAX);
    let (mut predictor, _) = predictor.expect("there is no bound");
    let mut runs = Runs::default();
    let mut block = Vec::with_capacity(BLOCK);
    let mut end = 0;
    for found in matches {
        let first = found.new - start;
        predictor.literal(&sides.new[end..first]);
        end = first + found.length;
        for at in (0..found.length).step_by(BLOCK) {
            let length = BLOCK.min(found.length - at);
            let (old_at, new_at) = (found.old + at, first + at);
            let mut actual = &sides.new[new_at..new_at + length];
            block.clear();
            block.extend_from_slice(&sides.old[old_at..old_at + length]);
            let mut settle = |bytes: &mut [u8]| {
                let (here, rest) = actual.split_at(bytes.len());
                runs.add(bytes, here);
                bytes.copy_from_slice(here);
                actual = rest;
                Ok::<(), Infallible>(())
            };
            let old_at = (old_at as u64).wrapping_sub(piece as u64);
            match predictor.run(&mut block, old_at, new_at as u64, &mut settle) {
                Ok(()) => {}
                Err(never) => match never {},
            }
        }
    }
    predictor.literal(&sides.new[end..]);
    runs.finish()
}

impl FileDiff {
    fn lengths(&self) -> [usize; 4] {
        [&self.covers, &self.runs, &self.differences, &self.literals].map(Vec::len)
    }

    /// Returns what the streams hold for one of the parts.
    pub(super) fn of_part(&self, parts: &Parts, number: usize) -> FileDiff {
        let starts = number.checked_sub(1).map_or([0; 4], |n| parts.ends[n]);
        let ends = parts.ends[number];
        let slice = |stream: &[u8], n: usize| stream[starts[n]..ends[n]].to_vec();
        FileDiff {
            covers: slice(&self.covers, 0),
            runs: slice(&self.runs, 1),
            differences: slice(&self.differences, 2),
            literals: slice(&self.literals, 3),
            ..FileDiff::default()
        }
    }

    fn append(&mut self, other: FileDiff) {
        self.covers.extend_from_slice(&other.covers);
        self.runs.extend_from_slice(&other.runs);
        self.differences.extend_from_slice(&other.differences);
        self.literals.extend_from_slice(&other.literals);
    }

    fn estimate(&self) -> usize {
        let parts = [&self.covers, &self.runs, &self.differences, &self.literals];
        let described = self.references.as_ref().map_or(0, described);
        described + parts.into_iter().map(|part| estimate(part)).sum::<usize>()
    }
}

/// Estimates what a description of references takes in a patch.
fn described(references: &References) -> usize {
    20 + references.regions.len() * 6
}

/// About how large this is when compressed.
fn estimate(data: &[u8]) -> usize {
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::fast());
    match encoder.write_all(data).and_then(|()| encoder.finish()) {
        Ok(out) => out.len(),
        Err(_) => data.len(),
    }
}
