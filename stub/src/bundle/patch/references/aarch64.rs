//! Finds the references of AArch64 code.

use crate::bundle::patch::references::address_map::AddressMap;
use crate::bundle::patch::references::form::{Form, Reference, branch, page, word};
use crate::bundle::patch::references::region_window::RegionWindow;

impl RegionWindow<'_> {
    /// Finds `b`, `bl` and `adrp` (Arm Architecture Reference Manual, C4.1).
    pub(super) fn arm64(&self, bytes: &[u8], at: usize, map: &AddressMap) -> Option<Reference> {
        let misfit = self.within.wrapping_add(at as u64) % 4;
        let mut at = at + ((4 - misfit) % 4) as usize;
        while at + 4 <= bytes.len() {
            let code = word(bytes, at);
            let here = self.old.wrapping_add(at as u64);
            let (form, target) = if code & 0x7c00_0000 == 0x1400_0000 {
                (Form::Branch, here.wrapping_add(branch(code)))
            } else if code & 0x9f00_0000 == 0x9000_0000 {
                (Form::Page, page(code, here))
            } else {
                at += 4;
                continue;
            };
            if map.knows(target) {
                return Some(Reference {
                    field: at,
                    width: 4,
                    next: at + 4,
                    target,
                    base: self.new.wrapping_add(at as u64),
                    form,
                });
            }
            at += 4;
        }
        None
    }
}
