//! Predicts the references and lines of a new module from those of the old.

use crate::bundle::patch::marshal::walker::{Meaning, Module, Walker};
use std::collections::BTreeMap;

/// Says where the old module has something that is predicted, or needed for it.
#[derive(Clone, Copy)]
struct Mark {
    at: u32,
    meaning: Meaning,
}

/// Rewrites bytes of an old module to what they are likely to be in the new
/// one.
pub struct MarshalPredictor {
    /// Of the old module, in its order.
    marks: Vec<Mark>,
    /// Where one is in the new module.
    new: Walker,
    /// Numbers of counted objects in the old module, and in the new one.
    numbers: BTreeMap<u32, u32>,
    /// How far the last first line moved, and the last number of each place in
    /// its tuple.
    moved: u32,
    numbers_moved: [u32; PLACES],
}

/// Counts the bytes of a reference, of a first line, and of a number.
const FIELD: usize = 4;

/// Counts the places in a tuple that are told apart.
const PLACES: usize = 4;

fn place(left: u32) -> usize {
    left as usize % PLACES
}

impl MarshalPredictor {
    /// Limits the bytes of the old module.
    pub const MAX_SIZE: u64 = 8 << 20;

    /// Counts what a mark takes in memory, with the number that is known of it.
    const MARK_WEIGHT: u64 = size_of::<Mark>() as u64 + 32;

    /// Creates a predictor for the module `old`, and returns it with the bytes
    /// of memory that it takes; `None` if that would be more than `most`. What
    /// is no marshalled object is not predicted, from where that shows.
    pub fn new(old: &[u8], module: Module, most: u64) -> Option<(Self, u64)> {
        let mut weight = Walker::WEIGHT;
        let mut marks = Vec::new();
        let mut walker = Walker::new(module);
        for (at, &byte) in old.iter().enumerate() {
            let Some(meaning) = walker.feed(byte) else {
                continue;
            };
            if marks.len() == marks.capacity() {
                // In steps, as doubling may be too much at the end.
                let step = (marks.len() / 8).max(64);
                weight += step as u64 * Self::MARK_WEIGHT;
                if weight > most {
                    return None;
                }
                marks.reserve_exact(step);
            }
            let at = at as u32;
            marks.push(Mark { at, meaning });
        }
        let new = MarshalPredictor {
            marks,
            new: Walker::new(module),
            numbers: BTreeMap::new(),
            moved: 0,
            numbers_moved: [0; PLACES],
        };
        Some((new, weight))
    }

    /// Takes bytes of the new module that come from nowhere in the old one.
    pub fn literal(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.new.feed(byte);
        }
    }

    /// Works on `bytes`, which come from `old_at` of the old module and are
    /// the next of the new one. `settle` is called on one stretch after the
    /// other, in order, and must turn predicted bytes into true ones.
    ///
    /// # Errors
    /// What `settle` returned.
    pub fn run<E>(
        &mut self,
        bytes: &mut [u8],
        old_at: u64,
        settle: &mut dyn FnMut(&mut [u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        let first = self.marks.partition_point(|m| u64::from(m.at) < old_at);
        let mut settled = 0;
        for index in first..self.marks.len() {
            let Mark { at, meaning } = self.marks[index];
            let at = (u64::from(at) - old_at) as usize;
            let length = match meaning {
                Meaning::Object(_) => 1,
                Meaning::Reference | Meaning::Line | Meaning::Number(_) => FIELD,
            };
            if at + length > bytes.len() {
                break;
            }
            // A field that lies in what was settled already is none.
            if at < settled {
                continue;
            }
            let before = &mut bytes[settled..at];
            settle(before)?;
            self.literal(before);
            settled = at + length;
            self.field(&mut bytes[at..settled], meaning, settle)?;
        }
        let rest = &mut bytes[settled..];
        settle(rest)?;
        self.literal(rest);
        Ok(())
    }

    fn field<E>(
        &mut self,
        bytes: &mut [u8],
        meaning: Meaning,
        settle: &mut dyn FnMut(&mut [u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        if let Meaning::Object(old) = meaning {
            settle(bytes)?;
            if let Some(Meaning::Object(new)) = self.new.feed(bytes[0]) {
                self.numbers.insert(old, new);
            }
            return Ok(());
        }
        let old = word(bytes);
        let predicted = match meaning {
            Meaning::Line => old.wrapping_add(self.moved),
            Meaning::Number(left) => old.wrapping_add(self.numbers_moved[place(left)]),
            _ => self.number(old),
        };
        bytes.copy_from_slice(&predicted.to_le_bytes());
        settle(bytes)?;
        self.literal(bytes);
        let actual = word(bytes);
        match meaning {
            Meaning::Line => self.moved = actual.wrapping_sub(old),
            Meaning::Number(left) => self.numbers_moved[place(left)] = actual.wrapping_sub(old),
            _ if actual != predicted => {
                self.numbers.insert(old, actual);
            }
            _ => {}
        }
        Ok(())
    }

    /// Returns the number that the object with the number `old` is likely to
    /// have.
    fn number(&self, old: u32) -> u32 {
        match self.numbers.range(..=old).next_back() {
            Some((&known, &new)) => new.wrapping_add(old - known),
            None => old,
        }
    }
}

fn word(bytes: &[u8]) -> u32 {
    bytes
        .iter()
        .rev()
        .fold(0, |word, &byte| word << 8 | u32::from(byte))
}
