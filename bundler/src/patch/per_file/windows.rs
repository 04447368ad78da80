//! Finds what two files have in common of which the old one is too large to be
//! searched at once: block by block first, then what is left around the places
//! where it is expected.

use super::blocks;
use super::index::{Index, PIECE, WINDOW, index_memory};
use super::matches::{Coarse, Match};
use super::work::Work;
use crate::patch::bytes::Bytes;
use notsotuf_stub::fs::FsError;
use std::ops::Range;

/// Bytes of an exact match that are searched again together with what is beside
/// them, and matches that short between two such stretches.
const CONTEXT: usize = 4 << 10;
/// What a stretch is searched in besides what stands where it is expected: so
/// much, and as much as it is long, on either side.
const MARGIN: usize = 256 << 10;
/// Windows that are as near as this are searched as one.
const NEAR: usize = 1 << 20;

/// Describes a stretch of the new file, and where in the old one it may be from.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Stretch {
    new: Range<usize>,
    old: Range<usize>,
}

/// Returns all matches, in the order of the new file, without overlap there.
///
/// # Errors
/// The file system's.
pub(super) fn search(
    old: &Bytes,
    new: &Bytes,
    work: &Work,
) -> Result<(Vec<Match>, Coarse), FsError> {
    let anchors = {
        let _taken = work.gate.take(blocks::MEMORY);
        blocks::anchors(old, new, work)?
    };
    let stretches = stretches(&anchors, old.len(), new.len());
    let mut found: Vec<Option<Vec<Match>>> = vec![None; stretches.len()];
    let mut coarse = Coarse::default();
    for (window, members) in windows(&stretches) {
        let pieces: Vec<Range<usize>> = members.iter().map(|&n| stretches[n].new.clone()).collect();
        let size = pieces.iter().map(|piece| piece.len() as u64).sum::<u64>();
        if work.budget.is_running_out() {
            coarse.in_blocks += size;
            continue;
        }
        coarse.in_windows += size;
        let _taken = work.gate.take(index_memory(window.len()));
        let text = old.get(window.clone())?;
        let index = Index::new(&text);
        let all = index.search(new, &pieces, work.budget)?;
        for (n, mut matches) in members.into_iter().zip(all) {
            for found in &mut matches {
                found.old += window.start;
            }
            found[n] = Some(matches);
        }
    }
    Ok((together(&anchors, &stretches, found), coarse))
}

/// Returns what lies between exact matches, with some of these around it, in the
/// order of the new file.
fn stretches(anchors: &[Match], old: usize, new: usize) -> Vec<Stretch> {
    let nothing = |old, new| Match {
        old,
        new,
        length: 0,
    };
    let bounds = [&[nothing(0, 0)][..], anchors, &[nothing(old, new)]].concat();
    let mut joined: Vec<Stretch> = Vec::new();
    for pair in bounds.windows(2) {
        let (before, after) = (pair[0], pair[1]);
        let (old_end, new_end) = (before.old + before.length, before.new + before.length);
        if new_end == after.new {
            continue;
        }
        let length = after.new - new_end;
        let (more, behind) = (before.length.min(CONTEXT), after.length.min(CONTEXT));
        let expected = old_end - more..after.old + behind;
        // Where the two sides disagree, the one before counts.
        let sound = after.old >= old_end && expected.len() <= 2 * length + 2 * MARGIN;
        let alone = before.length == 0 && after.length == 0;
        let next = Stretch {
            new: new_end - more..after.new + behind,
            old: if sound || alone {
                expected
            } else {
                expected.start..old.min(old_end + length)
            },
        };
        match joined.last_mut() {
            Some(last) if next.new.start <= last.new.end => {
                let near =
                    next.old.start <= last.old.end + NEAR && last.old.start <= next.old.end + NEAR;
                if near {
                    last.new.end = next.new.end;
                    last.old = last.old.start.min(next.old.start)..last.old.end.max(next.old.end);
                } else {
                    let start = last.new.end;
                    joined.push(Stretch {
                        new: start..next.new.end,
                        ..next
                    });
                }
            }
            _ => joined.push(next),
        }
    }
    let parts = joined.iter().flat_map(|stretch| parts(stretch, old));
    parts.filter(|part| !part.new.is_empty()).collect()
}

/// Cuts a stretch into pieces, and says in what each of them is searched.
fn parts(stretch: &Stretch, old_length: usize) -> impl Iterator<Item = Stretch> {
    let Stretch { new, old } = stretch.clone();
    let count = new.len().div_ceil(PIECE).max(1);
    let cut = move |range: &Range<usize>, n: usize| {
        range.start + (range.len() as u128 * n as u128 / count as u128) as usize
    };
    (0..count).map(move |n| {
        let piece = cut(&new, n)..cut(&new, n + 1);
        let expected = cut(&old, n)..cut(&old, n + 1);
        let margin = MARGIN + piece.len();
        let mut old = expected.start.saturating_sub(margin)
            ..old_length.min(expected.end.saturating_add(margin));
        if old.len() > WINDOW {
            let middle = old.start + old.len() / 2;
            old = middle - WINDOW / 2..middle + WINDOW / 2;
        }
        Stretch { new: piece, old }
    })
}

/// Gathers stretches that are searched in one window, of at most [`WINDOW`].
fn windows(stretches: &[Stretch]) -> Vec<(Range<usize>, Vec<usize>)> {
    let mut order: Vec<usize> = (0..stretches.len()).collect();
    order.sort_by_key(|&n| (stretches[n].old.start, n));
    let mut windows: Vec<(Range<usize>, Vec<usize>)> = Vec::new();
    for n in order {
        let old = &stretches[n].old;
        if let Some((window, members)) = windows.last_mut()
            && old.start <= window.end + NEAR
            && old.end.max(window.end) - window.start <= WINDOW
        {
            window.end = window.end.max(old.end);
            members.push(n);
        } else {
            windows.push((old.clone(), vec![n]));
        }
    }
    windows
}

/// Puts the matches together: those of a stretch instead of the exact ones, if
/// it was searched.
fn together(
    anchors: &[Match],
    stretches: &[Stretch],
    found: Vec<Option<Vec<Match>>>,
) -> Vec<Match> {
    let searched: Vec<_> = stretches
        .iter()
        .zip(found)
        .filter_map(|(stretch, found)| Some((&stretch.new, found?)))
        .collect();
    let mut all = Vec::new();
    for anchor in anchors {
        let mut rest = *anchor;
        let first = searched.partition_point(|(range, _)| range.end <= anchor.new);
        for (range, _) in &searched[first..] {
            if range.start >= rest.new + rest.length {
                break;
            }
            let before = range.start.saturating_sub(rest.new);
            if before > 0 {
                all.push(Match {
                    length: before,
                    ..rest
                });
            }
            let gone = (range.end - rest.new).min(rest.length);
            rest.old += gone;
            rest.new += gone;
            rest.length -= gone;
        }
        if rest.length > 0 {
            all.push(rest);
        }
    }
    all.extend(searched.into_iter().flat_map(|(_, found)| found));
    all.sort_by_key(|found| found.new);
    all
}

#[cfg(test)]
mod tests;
