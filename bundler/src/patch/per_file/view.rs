//! Shows two files as they are compared: with the members inflated that changed.

use super::container::{self, Changed, Plain};
use super::module;
use super::program;
use notsotuf_stub::bundle::patch::marshal::Module;
use notsotuf_stub::bundle::patch::parts::{Part, Prediction, Unit};
use std::iter;
use std::ops::Range;

/// Holds two files, as plain bytes.
pub(super) struct View {
    /// The old one's units.
    pub units: Vec<Unit>,
    pub old: Vec<u8>,
    pub new: Vec<u8>,
    /// Where the old one's pieces are in it.
    pub pieces: Vec<Range<usize>>,
    /// The new one's parts, and where they are in it.
    pub parts: Vec<(Range<usize>, Part)>,
    /// What the parts are called.
    pub names: Vec<Option<String>>,
    /// Members that stay as they are.
    pub flat: Vec<String>,
}

/// Holds the bytes of modules that were normalized, and where they are.
#[derive(Default)]
pub(super) struct Real {
    old: Vec<(usize, Vec<u8>)>,
    new: Vec<(usize, Vec<u8>)>,
}

impl View {
    /// Creates the view of two files of which these members changed.
    pub(super) fn new(old: Vec<u8>, new: Vec<u8>, changed: Changed) -> Self {
        let mut view = View {
            units: Vec::new(),
            old: Vec::new(),
            new: Vec::new(),
            pieces: Vec::new(),
            parts: Vec::new(),
            names: Vec::new(),
            flat: changed.flat,
        };
        view.add_old(&old, changed.old);
        view.add_new(&new, changed.new);
        view.add_program(&old, &new);
        view
    }

    /// Creates the view of two files that are marshalled modules.
    pub(super) fn of_module(old: Vec<u8>, new: Vec<u8>, module: Module) -> Self {
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
            flat: Vec::new(),
        }
    }

    /// Makes references to the same thing alike, which is how modules are best
    /// searched. Returns what [`View::restore`] needs.
    pub(super) fn normalize(&mut self) -> Real {
        let mut real = Real::default();
        for (range, part) in &self.parts {
            if let Prediction::Marshal(known) = part.prediction {
                let piece = self.pieces[part.piece].clone();
                real.old
                    .push((piece.start, self.old[piece.clone()].to_vec()));
                real.new
                    .push((range.start, self.new[range.clone()].to_vec()));
                module::normalize(&mut self.old[piece], known);
                module::normalize(&mut self.new[range.clone()], known);
            }
        }
        real
    }

    /// Puts the real bytes back.
    pub(super) fn restore(&mut self, real: Real) {
        // The last first: a piece that two parts are like was kept twice.
        for (at, bytes) in real.old.into_iter().rev() {
            self.old[at..at + bytes.len()].copy_from_slice(&bytes);
        }
        for (at, bytes) in real.new {
            self.new[at..at + bytes.len()].copy_from_slice(&bytes);
        }
    }

    fn add_old(&mut self, old: &[u8], members: Vec<Plain>) {
        let plain: usize = members.iter().map(|member| member.bytes.len()).sum();
        let stored: usize = members.iter().map(|m| m.member.stored.len()).sum();
        self.old.reserve_exact(old.len() + plain - stored);
        let mut piece = |bytes: &[u8]| {
            let start = self.old.len();
            self.old.extend_from_slice(bytes);
            self.pieces.push(start..self.old.len());
        };
        let mut end = 0;
        for Plain { member, bytes, .. } in members {
            let gap = &old[end..member.stored.start];
            piece(gap);
            piece(&bytes);
            end = member.stored.end;
            self.units.push(Unit {
                gap: gap.len() as u64,
                size: bytes.len() as u64,
                packing: member.packing,
            });
        }
        piece(&old[end..]);
    }

    fn add_new(&mut self, new: &[u8], members: Vec<Plain>) {
        let plain: usize = members.iter().map(|member| member.bytes.len()).sum();
        let stored: usize = members.iter().map(|m| m.member.stored.len()).sum();
        self.new.reserve_exact(new.len() + plain - stored);
        let mut end = 0;
        // The piece behind that of the last part.
        let mut next = 0;
        for new_member in members {
            let stored = &new_member.member.stored;
            self.add_part(&new[end..stored.start], &mut next, None);
            end = stored.end;
            if let Some(twin) = new_member.twin {
                next = 2 * twin + 1;
            }
            self.add_part(&new_member.bytes, &mut next, Some(&new_member));
        }
        self.add_part(&new[end..], &mut next, None);
    }

    fn add_part(&mut self, bytes: &[u8], next: &mut usize, member: Option<&Plain>) {
        // What is compressed has bytes even if it is empty.
        if bytes.is_empty() && member.is_none_or(|member| member.recipe.is_none()) {
            return;
        }
        let piece = (*next).min(self.pieces.len() - 1);
        let old = &self.old[self.pieces[piece].clone()];
        let prediction = match member {
            Some(member) if member.twin.is_none() => Prediction::Nothing,
            Some(_) => prediction(old, bytes),
            None => Prediction::Nothing,
        };
        let part = Part {
            piece,
            size: bytes.len() as u64,
            recipe: member.and_then(|member| member.recipe),
            prediction,
        };
        let start = self.new.len();
        self.new.extend_from_slice(bytes);
        self.parts.push((start..self.new.len(), part));
        self.names
            .push(member.map(|member| member.member.name.clone()));
        *next = piece + 1;
    }

    /// Looks at the program that a container begins with. Its headers may name
    /// places in or behind the members, so they are read in the whole files.
    fn add_program(&mut self, old: &[u8], new: &[u8]) {
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

/// Returns how a part can be predicted from the piece that it is like.
fn prediction(old: &[u8], new: &[u8]) -> Prediction {
    if let Some(known) = container::modules(old, new) {
        return Prediction::Marshal(known);
    }
    native(old, new)
}

/// Returns how a program can be predicted from the one before.
pub(super) fn native(old: &[u8], new: &[u8]) -> Prediction {
    match program::references(old, new) {
        Some(references) => Prediction::Native(Box::new(references)),
        None => Prediction::Nothing,
    }
}
