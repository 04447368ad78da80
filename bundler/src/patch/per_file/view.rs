//! Shows two files as they are compared: with the members inflated that changed.

use super::container::{self, Changed, Plain};
use super::module;
use super::program;
use super::work::Work;
use crate::patch::bytes::{Bytes, Spool};
use notsotuf_stub::bundle::patch::marshal::Module;
use notsotuf_stub::bundle::patch::parts::{Part, Prediction, Unit};
use notsotuf_stub::fs::FsError;
use std::collections::BTreeMap;
use std::iter;
use std::ops::Range;

/// Normalized bytes of a file that stay in memory.
const IN_MEMORY: usize = 4 << 20;

/// Holds two files, as plain bytes.
pub(super) struct View {
    /// The old one's units.
    pub units: Vec<Unit>,
    pub old: Bytes,
    pub new: Bytes,
    /// Where the old one's pieces are in it.
    pub pieces: Vec<Range<usize>>,
    /// The new one's parts, and where they are in it.
    pub parts: Vec<(Range<usize>, Part)>,
    /// What the parts are called.
    pub names: Vec<Option<String>>,
}

impl View {
    /// Creates the view of two files of which these members changed.
    ///
    /// # Errors
    /// The file system's.
    pub(super) fn new(old: &Bytes, new: &Bytes, changed: Changed) -> Result<Self, FsError> {
        let mut view = View {
            units: Vec::new(),
            old: Bytes::default(),
            new: Bytes::default(),
            pieces: Vec::new(),
            parts: Vec::new(),
            names: Vec::new(),
        };
        view.add_old(old, changed.old);
        view.add_new(new, changed.new)?;
        view.add_program(old, new);
        Ok(view)
    }

    /// Creates the view of two files that are marshalled modules.
    pub(super) fn of_module(old: Bytes, new: Bytes, module: Module) -> Self {
        let part = Part {
            piece: 0,
            size: new.len() as u64,
            recipe: None,
            prediction: Prediction::Marshal(module),
        };
        View {
            units: Vec::new(),
            pieces: iter::once(0..old.len()).collect(),
            parts: vec![(0..new.len(), part)],
            old,
            new,
            names: vec![None],
        }
    }

    /// Returns both with references to the same thing alike, which is how modules
    /// are best searched. Everything stays where it is.
    ///
    /// # Errors
    /// The file system's.
    pub(super) fn normalized(&self, work: &Work) -> Result<(Bytes, Bytes), FsError> {
        let (mut old, mut new) = (BTreeMap::new(), BTreeMap::new());
        for (range, part) in &self.parts {
            if let Prediction::Marshal(known) = part.prediction {
                let piece = &self.pieces[part.piece];
                old.insert(piece.start, (piece.end, known));
                new.insert(range.start, (range.end, known));
            }
        }
        Ok((
            normalized(&self.old, old, work)?,
            normalized(&self.new, new, work)?,
        ))
    }

    fn add_old(&mut self, old: &Bytes, members: Vec<Plain>) {
        let mut piece = |bytes: &Bytes| {
            let start = self.old.len();
            self.old.append(bytes);
            self.pieces.push(start..self.old.len());
        };
        let mut end = 0;
        for Plain { member, bytes, .. } in members {
            let gap = old.slice(end..member.stored.start);
            piece(&gap);
            piece(&bytes);
            end = member.stored.end;
            self.units.push(Unit {
                gap: gap.len() as u64,
                size: bytes.len() as u64,
                packing: member.packing,
            });
        }
        piece(&old.slice(end..old.len()));
    }

    fn add_new(&mut self, new: &Bytes, members: Vec<Plain>) -> Result<(), FsError> {
        let mut end = 0;
        // The piece behind that of the last part.
        let mut next = 0;
        for new_member in members {
            let stored = &new_member.member.stored;
            self.add_part(&new.slice(end..stored.start), &mut next, None)?;
            end = stored.end;
            if let Some(counterpart) = new_member.counterpart {
                next = 2 * counterpart + 1;
            }
            self.add_part(&new_member.bytes, &mut next, Some(&new_member))?;
        }
        self.add_part(&new.slice(end..new.len()), &mut next, None)
    }

    fn add_part(
        &mut self,
        bytes: &Bytes,
        next: &mut usize,
        member: Option<&Plain>,
    ) -> Result<(), FsError> {
        // What is compressed has bytes even if it is empty.
        if bytes.is_empty() && member.is_none_or(|member| member.recipe.is_none()) {
            return Ok(());
        }
        let piece = (*next).min(self.pieces.len() - 1);
        let old = self.old.slice(self.pieces[piece].clone());
        let prediction = match member {
            Some(member) if member.counterpart.is_some() => prediction(&old, bytes)?,
            _ => Prediction::Nothing,
        };
        let part = Part {
            piece,
            size: bytes.len() as u64,
            recipe: member.and_then(|member| member.recipe),
            prediction,
        };
        let start = self.new.len();
        self.new.append(bytes);
        self.parts.push((start..self.new.len(), part));
        self.names
            .push(member.map(|member| member.member.name.clone()));
        *next = piece + 1;
        Ok(())
    }

    /// Looks at the program that a container begins with. Its headers may name
    /// places in or behind the members, so they are read in the whole files.
    fn add_program(&mut self, old: &Bytes, new: &Bytes) {
        let Some((range, part)) = self.parts.first_mut() else {
            return;
        };
        if part.piece != 0 || part.recipe.is_some() {
            return;
        }
        let Some(mut references) = program::references(old, new) else {
            return;
        };
        let (old, new) = (self.pieces[0].len() as u64, range.len() as u64);
        references
            .regions
            .retain(|region| region.offset + region.size <= old);
        references
            .old_segments
            .retain(|segment| segment.offset + segment.size <= old);
        references
            .new_segments
            .retain(|segment| segment.offset + segment.size <= new);
        if !references.regions.is_empty() && references.is_valid() {
            part.prediction = Prediction::Native(Box::new(references));
        }
    }
}

/// Returns bytes in which modules, by where they begin, are normalized.
fn normalized(
    bytes: &Bytes,
    modules: BTreeMap<usize, (usize, Module)>,
    work: &Work,
) -> Result<Bytes, FsError> {
    let mut spool = Spool::new(work.scratch, IN_MEMORY);
    for (&start, &(end, known)) in &modules {
        let mut module = bytes.get(start..end)?.into_owned();
        module::normalize(&mut module, known);
        spool.push(&module)?;
    }
    let normal = spool.finish()?;
    let (mut all, mut done, mut at) = (Bytes::default(), 0, 0);
    for (start, (end, _)) in modules {
        all.append(&bytes.slice(done..start));
        all.append(&normal.slice(at..at + (end - start)));
        at += end - start;
        done = end;
    }
    all.append(&bytes.slice(done..bytes.len()));
    Ok(all)
}

/// Returns how a part can be predicted from the piece that it is like.
fn prediction(old: &Bytes, new: &Bytes) -> Result<Prediction, FsError> {
    if let Some(known) = container::modules(old, new)? {
        return Ok(Prediction::Marshal(known));
    }
    Ok(native(old, new))
}

/// Returns how a program can be predicted from the one before.
pub(super) fn native(old: &Bytes, new: &Bytes) -> Prediction {
    match program::references(old, new) {
        Some(references) => Prediction::Native(Box::new(references)),
        None => Prediction::Nothing,
    }
}
