//! Encodes the difference of two files, as the streams of a patch have it.

use super::container::{self, Flat};
use super::matches::{Coarse, Match};
use super::search::search;
use super::streams::{IN_MEMORY, Runs, number, zigzag};
use super::view::{self, View};
use super::work::Work;
use crate::patch::bytes::{Bytes, Scratch, Spool, Window};
use flate2::Compression;
use flate2::write::DeflateEncoder;
use notsotuf_stub::bundle::patch::parts::{Part, Prediction, Unit};
use notsotuf_stub::bundle::patch::references::References;
use notsotuf_stub::bundle::patch::{BLOCK, Cover, MAX_COVERS, PartPredictor};
use notsotuf_stub::fs::FsError;
use std::borrow::Cow;
use std::convert::Infallible;
use std::io::{self, Write};
use std::mem;
use std::ops::Range;

/// Two covers in a line that are no farther apart become one: what is between
/// them costs no more as difference than as literal, and a cover less does.
const MERGE_GAP: usize = 48;

/// Bytes that are read at once of what is compared.
const READ: usize = 1 << 18;

/// Holds the difference of one file.
#[derive(Debug, Default)]
pub(super) struct FileDiff {
    /// Stream of covers.
    pub covers: Bytes,
    /// Stream of runs.
    pub runs: Bytes,
    /// Stream of differences.
    pub differences: Bytes,
    /// Stream of literals.
    pub literals: Bytes,
    /// If predicting references pays.
    pub references: Option<References>,
    /// If members of it are looked into.
    pub parts: Option<Parts>,
}

/// Says what was seen in a file, however it gets into the patch.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Seen {
    /// Members that are compared as they are.
    pub flat: Vec<Flat>,
    /// Whether only the order of its members changed.
    pub reordered: bool,
    /// What was compared with less than all of the old file.
    pub coarse: Coarse,
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
}

/// Finds the way from `old` to `new`, and says what was `seen` in them; `None` if
/// the new content itself is likely smaller once compressed, or once the budget
/// is spent.
///
/// # Errors
/// The file system's.
pub(super) fn difference(
    old: &Bytes,
    new: &Bytes,
    work: &Work,
    seen: &mut Seen,
) -> Result<Option<FileDiff>, FsError> {
    // The suffix array cannot be made of nothing.
    if old.is_empty() || new.is_empty() {
        return Ok(None);
    }
    if work.format.has_parts() {
        let mut changed = container::changed(old, new, work)?;
        seen.flat = mem::take(&mut changed.flat);
        seen.reordered = changed.reordered;
        if !changed.new.is_empty() {
            return of_parts(View::new(old, new, changed)?, work, seen);
        }
        if let Some(module) = container::modules(old, new)? {
            let view = View::of_module(old.clone(), new.clone(), module);
            return of_parts(view, work, seen);
        }
    }
    of_whole(old, new, work, seen)
}

/// Finds the way from one file to the other as they are.
fn of_whole(
    old: &Bytes,
    new: &Bytes,
    work: &Work,
    seen: &mut Seen,
) -> Result<Option<FileDiff>, FsError> {
    let (matches, coarse) = search(old, new, work)?;
    seen.coarse = coarse;
    let matches = merge(matches);
    if work.budget.is_spent() {
        return Ok(None);
    }
    let prediction = view::native(old, new);
    let sides = Sides {
        old,
        new: new.clone(),
        module: Cow::default(),
        starts: (0, 0),
        scratch: work.scratch,
    };
    let (mut found, prediction) = part(&sides, &matches, prediction)?;
    if let Prediction::Native(references) = prediction {
        found.references = Some(*references);
    }
    let size = found.estimate()?;
    // A difference that small is worth it whatever the file is.
    let small = new.len() > 4096 && size < new.len() / 20;
    let pays = small || size < estimate(new)?;
    Ok(pays.then_some(found))
}

/// Finds the way from one file to the other part by part.
fn of_parts(mut view: View, work: &Work, seen: &mut Seen) -> Result<Option<FileDiff>, FsError> {
    let limit = work.format.max_diff_size();
    if view.old.len() as u64 >= limit || view.new.len() as u64 >= limit {
        return Ok(None);
    }
    let (old, new) = view.normalized(work)?;
    let (matches, coarse) = search(&old, &new, work)?;
    seen.coarse = coarse;
    drop((old, new));
    let mut matches = matches.into_iter().peekable();
    let mut all = Streams::new(work.scratch);
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
        if work.budget.is_spent() {
            return Ok(None);
        }
        let piece = view.pieces[described.piece].clone();
        let prediction = mem::take(&mut described.prediction);
        let sides = Sides {
            old: &view.old,
            new: view.new.slice(range.clone()),
            module: match prediction {
                Prediction::Marshal(_) => view.old.get(piece.clone())?,
                _ => Cow::default(),
            },
            starts: (piece.start, range.start),
            scratch: work.scratch,
        };
        let (found, prediction) = part(&sides, &within, prediction)?;
        described.prediction = prediction;
        all.append(&found)?;
        ends.push(all.lengths());
    }
    let mut all = all.finish()?;
    all.parts = Some(Parts {
        units: view.units,
        parts: view.parts.into_iter().map(|(_, part)| part).collect(),
        names: view.names,
        ends,
    });
    Ok(Some(all))
}

/// Holds what a part is made from.
struct Sides<'a> {
    /// The whole old view.
    old: &'a Bytes,
    /// The new part.
    new: Bytes,
    /// The old piece that it is like, if it is looked at.
    module: Cow<'a, [u8]>,
    /// Where that piece and that part begin in their views.
    starts: (usize, usize),
    /// Takes what does not stay in memory.
    scratch: &'a Scratch,
}

/// Encodes the difference of one part, with the prediction if that pays.
fn part(
    sides: &Sides,
    matches: &[Match],
    prediction: Prediction,
) -> Result<(FileDiff, Prediction), FsError> {
    let (piece, start) = sides.starts;
    let covers = covers(matches, piece, start);
    let mut found = instructions(sides, matches, &covers)?;
    let nothing = Prediction::Nothing;
    (found.runs, found.differences) = differences(sides, matches, &covers, &nothing)?;
    let described = match &prediction {
        Prediction::Nothing => return Ok((found, nothing)),
        Prediction::Native(references) => described(references),
        Prediction::Marshal(_) => 1,
    };
    let (runs, differences) = differences(sides, matches, &covers, &prediction)?;
    let size = described + estimate(&runs)? + estimate(&differences)?;
    if size < estimate(&found.runs)? + estimate(&found.differences)? {
        (found.runs, found.differences) = (runs, differences);
        return Ok((found, prediction));
    }
    Ok((found, nothing))
}

/// Makes one match of those that go on after a short gap. If there are too many
/// for the format, the shortest are given up.
fn merge(mut matches: Vec<Match>) -> Vec<Match> {
    let mut shortest = 1;
    loop {
        matches = in_lines(matches);
        if (matches.len() as u64) < MAX_COVERS {
            return matches;
        }
        shortest *= 2;
        matches.retain(|found| found.length >= shortest);
    }
}

fn in_lines(matches: Vec<Match>) -> Vec<Match> {
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

/// Writes covers and literals of a part.
fn instructions(sides: &Sides, matches: &[Match], covers: &[Cover]) -> Result<FileDiff, FsError> {
    let mut described = Vec::new();
    number(&mut described, covers.len() as u64);
    for cover in covers {
        number(&mut described, cover.literal);
        number(&mut described, cover.length);
        number(&mut described, zigzag(cover.skip));
    }
    let mut literals = Spool::new(sides.scratch, IN_MEMORY);
    let mut new = Window::new(&sides.new, READ);
    for range in between(sides, matches) {
        for piece in cut(range, READ) {
            literals.push(new.get(piece)?)?;
        }
    }
    Ok(FileDiff {
        covers: described.into(),
        literals: literals.finish()?,
        ..FileDiff::default()
    })
}

/// Returns the ranges of a part before, between, and after the matches.
fn between(sides: &Sides, matches: &[Match]) -> impl Iterator<Item = Range<usize>> {
    let start = sides.starts.1;
    let begins = matches.iter().map(move |found| found.new - start);
    let ends = matches.iter().map(move |m| m.new + m.length - start);
    let last = std::iter::once(sides.new.len());
    let ends = std::iter::once(0).chain(ends);
    ends.zip(begins.chain(last)).map(|(end, begin)| end..begin)
}

/// Cuts a range into pieces of at most `size`.
fn cut(range: Range<usize>, size: usize) -> impl Iterator<Item = Range<usize>> {
    let end = range.end;
    range.step_by(size).map(move |at| at..end.min(at + size))
}

/// Writes runs and differences of a part.
fn differences(
    sides: &Sides,
    matches: &[Match],
    covers: &[Cover],
    prediction: &Prediction,
) -> Result<(Bytes, Bytes), FsError> {
    let (piece, start) = sides.starts;
    let predictor = PartPredictor::new(prediction, covers, &sides.module, u64::MAX);
    let (mut predictor, _) = predictor.expect("there is no bound");
    let mut runs = Runs::new(sides.scratch);
    let mut block = Vec::with_capacity(BLOCK);
    let (mut old, mut new) = (Window::new(sides.old, READ), Window::new(&sides.new, READ));
    let mut literals = between(sides, matches);
    let literal = |range, new: &mut Window, predictor: &mut PartPredictor| {
        cut(range, READ).try_for_each(|range| {
            predictor.literal(new.get(range)?);
            Ok::<_, FsError>(())
        })
    };
    for found in matches {
        literal(
            literals.next().unwrap_or_default(),
            &mut new,
            &mut predictor,
        )?;
        let first = found.new - start;
        for at in cut(0..found.length, BLOCK) {
            let (old_at, new_at) = (found.old + at.start, first + at.start);
            let mut actual = new.get(new_at..new_at + at.len())?;
            block.clear();
            block.extend_from_slice(old.get(old_at..old_at + at.len())?);
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
            runs.move_on()?;
        }
    }
    literal(
        literals.next().unwrap_or_default(),
        &mut new,
        &mut predictor,
    )?;
    runs.finish()
}

/// Collects the streams of a file.
struct Streams<'a>([Spool<'a>; 4]);

impl<'a> Streams<'a> {
    fn new(scratch: &'a Scratch) -> Self {
        Streams([(); 4].map(|()| Spool::new(scratch, IN_MEMORY)))
    }

    fn append(&mut self, part: &FileDiff) -> Result<(), FsError> {
        let streams = self.0.iter_mut().zip(part.streams());
        streams
            .into_iter()
            .try_for_each(|(all, part)| all.append(part))
    }

    fn lengths(&self) -> [usize; 4] {
        self.0.each_ref().map(Spool::len)
    }

    fn finish(self) -> Result<FileDiff, FsError> {
        let [covers, runs, differences, literals] = self.0;
        Ok(FileDiff {
            covers: covers.finish()?,
            runs: runs.finish()?,
            differences: differences.finish()?,
            literals: literals.finish()?,
            ..FileDiff::default()
        })
    }
}

impl FileDiff {
    fn streams(&self) -> [&Bytes; 4] {
        [&self.covers, &self.runs, &self.differences, &self.literals]
    }

    /// Returns what the streams hold for one of the parts.
    pub(super) fn of_part(&self, parts: &Parts, number: usize) -> FileDiff {
        let starts = number.checked_sub(1).map_or([0; 4], |n| parts.ends[n]);
        let ends = parts.ends[number];
        let slice = |n: usize| self.streams()[n].slice(starts[n]..ends[n]);
        FileDiff {
            covers: slice(0),
            runs: slice(1),
            differences: slice(2),
            literals: slice(3),
            ..FileDiff::default()
        }
    }

    fn estimate(&self) -> Result<usize, FsError> {
        let mut size = self.references.as_ref().map_or(0, described);
        for stream in self.streams() {
            size += estimate(stream)?;
        }
        Ok(size)
    }
}

/// Estimates what a description of references takes in a patch.
fn described(references: &References) -> usize {
    20 + references.regions.len() * 6
}

/// About how large this is when compressed.
fn estimate(data: &Bytes) -> Result<usize, FsError> {
    let mut encoder = DeflateEncoder::new(Counter(0), Compression::fast());
    for chunk in data.chunks() {
        if encoder.write_all(&chunk?).is_err() {
            return Ok(data.len());
        }
    }
    Ok(encoder.finish().map_or(data.len(), |counter| counter.0))
}

/// Counts what is written to it.
struct Counter(usize);

impl Write for Counter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 += bytes.len();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_more_matches_than_the_format_has_the_longest_stay() {
        // No two are in a line.
        let count = MAX_COVERS as usize + 1000;
        let matches = (0..count).map(|n| Match {
            old: 2000 * (count - n),
            new: 1000 * n,
            length: if n % 3 == 0 { 900 } else { 1 },
        });
        let merged = merge(matches.clone().collect());
        let long: Vec<Match> = matches.clone().filter(|m| m.length > 1).collect();
        assert_eq!(merged, long);
        // As many as it may have stay as they are.
        let fits: Vec<Match> = matches.take(MAX_COVERS as usize - 1).collect();
        assert_eq!(merge(fits.clone()), fits);
    }
}
