//! Finds the references in a part of a program.

use crate::bundle::patch::references::address_map::AddressMap;
use crate::bundle::patch::references::description::{ReferenceKind, Region};
use crate::bundle::patch::references::form::{Form, PAGE, Reference, word};

/// Describes the part of a region that is in a buffer.
pub(super) struct RegionWindow<'a> {
    pub(super) region: &'a Region,
    /// Old and new address of the first byte of the buffer.
    pub(super) old: u64,
    pub(super) new: u64,
    /// Position of that byte in the region; wraps where it comes before.
    pub(super) within: u64,
    /// Where the region or the buffer ends.
    pub(super) stop: usize,
}

impl RegionWindow<'_> {
    /// Returns the first reference from `at` on.
    pub(super) fn find(&self, bytes: &[u8], at: usize, map: &AddressMap) -> Option<Reference> {
        match self.region.kind {
            ReferenceKind::X86 => self.x86(&bytes[..self.stop], at, map),
            ReferenceKind::Arm64 => self.arm64(&bytes[..self.stop], at, map),
            ReferenceKind::Frames => self.frames(&bytes[..self.stop], at, map),
            ReferenceKind::Table {
                stride,
                second,
                width,
                base_old,
                base_new,
            } => {
                let width = usize::from(width);
                let mut at = at;
                while at + width <= self.stop {
                    let place = self.within.wrapping_add(at as u64) % u64::from(stride);
                    let second = u64::from(second);
                    if place != 0 && place != second {
                        let next = if place < second {
                            second
                        } else {
                            u64::from(stride)
                        };
                        at += (next - place) as usize;
                        continue;
                    }
                    let mut found = Reference {
                        field: at,
                        width,
                        next: at + width,
                        target: 0,
                        base: base_new,
                        form: Form::Plain,
                    };
                    found.target = base_old.wrapping_add(found.read(bytes));
                    // Small numbers are rather counts and flags.
                    if map.knows(found.target) && (width == 4 || found.target >= PAGE) {
                        return Some(found);
                    }
                    at += 1;
                }
                None
            }
        }
    }

    /// Returns a reference relative to what follows its 4 bytes at `field`.
    pub(super) fn relative(
        &self,
        bytes: &[u8],
        field: usize,
        map: &AddressMap,
    ) -> Option<Reference> {
        let distance = i64::from(word(bytes, field) as i32) as u64;
        let next = field as u64 + 4;
        let target = self.old.wrapping_add(next).wrapping_add(distance);
        map.knows(target).then_some(Reference {
            field,
            width: 4,
            next: field + 4,
            target,
            base: self.new.wrapping_add(next),
            form: Form::Plain,
        })
    }
}
