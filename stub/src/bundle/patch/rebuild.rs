//! Makes a new file from old ones.

use crate::bundle::patch::budget::Budget;
use crate::bundle::patch::covers::Cover;
use crate::bundle::patch::error::PatchError;
use crate::bundle::patch::marshal::MarshalPredictor;
use crate::bundle::patch::output::Output;
use crate::bundle::patch::part_predictor::PartPredictor;
use crate::bundle::patch::parts::{Part, Prediction};
use crate::bundle::patch::plain_view::{Piece, PlainView};
use crate::bundle::patch::reader::Patch;
use crate::bundle::patch::tree_overlay::Source as From;
use crate::bundle::recompress::Recompressor;
use crate::fs::FsError;

/// Sets the bytes of the blocks in which covers are worked on, from their start
/// on; no reference goes across the end of one. It is part of the format.
pub const BLOCK: usize = 1 << 17;

/// Counts what writing a new file takes in memory: its buffers, and that of a
/// block.
const OUTPUT_WEIGHT: u64 = 8 << 17;

/// Makes the next file of the patch in `from`, part by part, from what `view`
/// holds.
pub(super) fn rebuild(
    view: &PlainView,
    parts: &[Part],
    from: From,
    out: &mut Output,
) -> Result<(), PatchError> {
    let From { patch, mut budget } = from;
    budget.take(OUTPUT_WEIGHT)?;
    for part in parts {
        let piece = view.piece(part.piece);
        let piece = piece.ok_or(PatchError::Malformed("a part has no old piece"))?;
        let mut budget = budget;
        if let Some(recipe) = part.recipe {
            budget.take(recipe.weight(part.size))?;
        }
        let mut to = PartOutput::new(out, part);
        rebuild_part(view, piece, part, patch, budget, &mut to)?;
        to.finish()?;
    }
    Ok(())
}

fn rebuild_part(
    view: &PlainView,
    piece: Piece,
    part: &Part,
    patch: &mut Patch,
    mut budget: Budget,
    out: &mut PartOutput,
) -> Result<(), PatchError> {
    let covers = patch.covers(part.size, &mut budget)?;
    check(&covers, piece, view.size())?;
    let old = match part.prediction {
        Prediction::Marshal(_) => module(view, piece, &mut budget)?,
        _ => Vec::new(),
    };
    let most = budget.left().saturating_sub(Pages::LEAST);
    let (mut predictor, weight) =
        PartPredictor::new(&part.prediction, &covers, &old, most).ok_or(PatchError::Memory)?;
    drop(old);
    budget.take(weight)?;
    let mut pages = Pages::new(view, budget.left())?;
    let mut buffer = Vec::new();
    let (mut old_end, mut new_end) = (0, 0);
    let literals =
        |patch: &mut Patch, size, predictor: &mut PartPredictor, out: &mut PartOutput| {
            patch.literals(size, &mut |bytes| {
                predictor.literal(bytes);
                out.write(bytes)
            })
        };
    for cover in &covers {
        literals(patch, cover.literal, &mut predictor, out)?;
        let start = cover.start(&mut old_end, &mut new_end);
        let mut done = 0;
        while done < cover.length {
            let length = (cover.length - done).min(BLOCK as u64);
            buffer.resize(length as usize, 0);
            // Relative to the piece, and before it as well.
            let old_at = start.old.wrapping_add(done);
            pages.read(piece.start.wrapping_add(old_at), &mut buffer)?;
            predictor.run(&mut buffer, old_at, start.new + done, &mut |bytes| {
                patch.add(bytes)
            })?;
            out.write(&buffer)?;
            done += length;
        }
    }
    literals(patch, part.size - new_end, &mut predictor, out)
}

/// Checks that the covers of a part are within a view of `size` bytes.
fn check(covers: &[Cover], piece: Piece, size: u64) -> Result<(), PatchError> {
    let (mut old_end, mut new_end) = (0, 0);
    for cover in covers {
        let start = cover.start(&mut old_end, &mut new_end);
        let old = piece.start.wrapping_add(start.old);
        if old > size || cover.length > size - old {
            return Err(PatchError::Malformed("it needs more than the old file has"));
        }
    }
    Ok(())
}

/// Reads an old module. It counts until the part is made, though it goes once
/// the predictor is there.
fn module(view: &PlainView, piece: Piece, budget: &mut Budget) -> Result<Vec<u8>, PatchError> {
    if piece.size > MarshalPredictor::MAX_SIZE {
        return Err(PatchError::Malformed(
            "a module is too large to be predicted",
        ));
    }
    budget.take(piece.size)?;
    let mut old = vec![0; piece.size as usize];
    view.read(piece.start, &mut old)?;
    Ok(old)
}

/// Receives the bytes of a part, and compresses them if it has a recipe.
struct PartOutput<'o, 'a> {
    out: &'o mut Output<'a>,
    recompressor: Option<Recompressor>,
    compressed: Vec<u8>,
}

impl<'o, 'a> PartOutput<'o, 'a> {
    fn new(out: &'o mut Output<'a>, part: &Part) -> Self {
        let mut compressed = Vec::new();
        let start = |recipe| Recompressor::new(recipe, part.size, &mut compressed);
        PartOutput {
            recompressor: part.recipe.map(start),
            out,
            compressed,
        }
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), PatchError> {
        let Some(recompressor) = &mut self.recompressor else {
            return self.out.write(bytes);
        };
        // It may take long until something comes out.
        self.out.go_on()?;
        for piece in bytes.chunks(BLOCK) {
            recompressor.write(piece, &mut self.compressed);
            self.out.write(&self.compressed)?;
            self.compressed.clear();
        }
        Ok(())
    }

    fn finish(mut self) -> Result<(), PatchError> {
        if let Some(recompressor) = self.recompressor.take() {
            recompressor.finish(&mut self.compressed);
            self.out.write(&self.compressed)?;
        }
        Ok(())
    }
}

/// Reads the view, and keeps the pages of it that were read last.
struct Pages<'a> {
    view: &'a PlainView,
    /// The page in each slot, and which one that is.
    slots: Vec<Option<(u64, Box<[u8]>)>>,
}

impl<'a> Pages<'a> {
    const PAGE: u64 = 1 << 16;
    /// 16 MiB of pages at most: code and data that went somewhere else are
    /// asked for in another order than they stand in.
    const SLOTS: u64 = 256;
    /// Says how many pages are needed at least to be of use.
    const LEAST: u64 = 16 * Self::PAGE;

    /// Keeps pages of `memory` bytes at the most.
    fn new(view: &'a PlainView, memory: u64) -> Result<Self, PatchError> {
        if memory < Self::LEAST {
            return Err(PatchError::Memory);
        }
        let most = (memory / Self::PAGE).min(Self::SLOTS);
        let slots = view.size().div_ceil(Self::PAGE).clamp(1, most);
        Ok(Pages {
            view,
            slots: (0..slots).map(|_| None).collect(),
        })
    }

    /// Fills `buffer` from bytes that the view has.
    fn read(&mut self, mut at: u64, mut buffer: &mut [u8]) -> Result<(), FsError> {
        while !buffer.is_empty() {
            let page = self.page(at / Self::PAGE)?;
            let page = &page[(at % Self::PAGE) as usize..];
            let (here, rest) = buffer.split_at_mut(page.len().min(buffer.len()));
            here.copy_from_slice(&page[..here.len()]);
            at += here.len() as u64;
            buffer = rest;
        }
        Ok(())
    }

    fn page(&mut self, number: u64) -> Result<&[u8], FsError> {
        let slot = (number % self.slots.len() as u64) as usize;
        let slot = &mut self.slots[slot];
        let (holds, mut page) = slot.take().unwrap_or_else(|| (u64::MAX, Box::default()));
        if holds != number {
            let at = number * Self::PAGE;
            let length = Self::PAGE.min(self.view.size() - at) as usize;
            if page.len() != length {
                page = vec![0; length].into();
            }
            self.view.read(at, &mut page)?;
        }
        let (_, page) = slot.insert((number, page));
        Ok(page)
    }
}
