//! Predicts the references of the new program from those of the old one.

use crate::bundle::patch::covers::Cover;
use crate::bundle::patch::references::address_map::{AddressMap, address};
use crate::bundle::patch::references::description::References;
use crate::bundle::patch::references::form::{Form, PAGE};
use crate::bundle::patch::references::region_window::RegionWindow;

/// Rewrites old bytes to what they are likely to be in the new file.
pub struct Predictor<'a> {
    pub(super) references: &'a References,
    pub(super) map: AddressMap,
}

impl<'a> Predictor<'a> {
    /// Creates a predictor for a file of which the new one has `covers`.
    pub fn new(references: &'a References, covers: &[Cover]) -> Self {
        let (map, _) = AddressMap::new(references, covers, u64::MAX).expect("there is no bound");
        Predictor { map, references }
    }

    /// Returns the predictor with the bytes of memory that it takes; `None` if
    /// that would be more than `most`.
    pub fn within(references: &'a References, covers: &[Cover], most: u64) -> Option<(Self, u64)> {
        let (map, weight) = AddressMap::new(references, covers, most)?;
        Some((Predictor { map, references }, weight))
    }

    /// Works on `bytes`, which come from `old_at` of the old file and go to
    /// `new_at` of the new one. `settle` is called on one stretch after the
    /// other, in order, and must turn predicted bytes into true ones.
    ///
    /// # Errors
    /// What `settle` returned.
    pub fn run<E>(
        &mut self,
        bytes: &mut [u8],
        old_at: u64,
        new_at: u64,
        settle: &mut dyn FnMut(&mut [u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        let references = self.references;
        let end = old_at + bytes.len() as u64;
        let mut settled = 0;
        let first = references
            .regions
            .partition_point(|r| r.offset + r.size <= old_at);
        for region in &references.regions[first..] {
            if region.offset >= end {
                break;
            }
            let start = region.offset.max(old_at);
            let stop = ((region.offset + region.size).min(end) - old_at) as usize;
            let mut at = (start - old_at) as usize;
            let new = new_at + at as u64;
            let Some(new) = address(&references.new_segments, new) else {
                continue;
            };
            let part = RegionWindow {
                region,
                old: region
                    .address
                    .wrapping_add(start - region.offset)
                    .wrapping_sub(at as u64),
                new: new.wrapping_sub(at as u64),
                within: old_at.wrapping_sub(region.offset),
                stop,
            };
            while let Some(found) = part.find(bytes, at, &self.map) {
                settle(&mut bytes[settled..found.field])?;
                at = found.next;
                settled = found.field + found.width;
                let target = self.map.get(found.target);
                found.write(bytes, target);
                settle(&mut bytes[found.field..settled])?;
                let actual = found.target_of(bytes);
                let hit = match found.form {
                    Form::Page => actual == target / PAGE * PAGE,
                    _ => actual == target,
                };
                if !hit {
                    self.map.learn(found.target, actual);
                }
            }
        }
        settle(&mut bytes[settled..])
    }
}
