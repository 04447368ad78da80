//! Finds the references of frame descriptions.

use crate::bundle::patch::references::address_map::AddressMap;
use crate::bundle::patch::references::form::{Form, Reference, word};
use crate::bundle::patch::references::region_window::RegionWindow;

impl RegionWindow<'_> {
    /// Records of a length, a distance back to the common part (0 in that
    /// itself), and a distance to the code (Linux Standard Base Core, 10.6.1).
    /// A buffer may begin inside a record, so the search looks for plausible
    /// ones.
    pub(super) fn frames(&self, bytes: &[u8], at: usize, map: &AddressMap) -> Option<Reference> {
        // Just behind a distance back comes the one to the code.
        if at >= 8 && self.is_frame(bytes, at - 8) {
            let target = self.old + at as u64;
            let target = target.wrapping_add(i64::from(word(bytes, at) as i32) as u64);
            return map.knows(target).then_some(Reference {
                field: at,
                width: 4,
                next: at - 4 + word(bytes, at - 8) as usize,
                target,
                base: self.new.wrapping_add(at as u64),
                form: Form::Plain,
            });
        }
        let misfit = self.within.wrapping_add(at as u64) % 4;
        let mut at = at + ((4 - misfit) % 4) as usize;
        while at + 12 <= bytes.len() {
            if self.is_frame(bytes, at) {
                let field = at + 4;
                let place = self.old.wrapping_add(field as u64);
                return Some(Reference {
                    field,
                    width: 4,
                    next: field + 4,
                    target: place.wrapping_sub(u64::from(word(bytes, field))),
                    base: self.new.wrapping_add(field as u64),
                    form: Form::Back,
                });
            }
            at += 4;
        }
        None
    }

    /// Whether a frame description seems to begin at `at`.
    fn is_frame(&self, bytes: &[u8], at: usize) -> bool {
        if at + 12 > bytes.len() {
            return false;
        }
        let (length, back) = (word(bytes, at), word(bytes, at + 4));
        let place = self.within.wrapping_add(at as u64 + 4);
        (12..4096).contains(&length)
            && length % 4 == 0
            && back >= 8
            && back % 4 == 0
            && u64::from(back) <= place
    }
}
