//! Finds the references of x86-64 code.

use crate::bundle::patch::references::address_map::AddressMap;
use crate::bundle::patch::references::form::Reference;
use crate::bundle::patch::references::region_window::RegionWindow;

/// How far behind a byte of x86-64 code the 4 bytes of a reference may be; 0
/// if none is there. Two bytes begin those of conditional jumps.
const X86_FIELD: [u8; 256] = {
    let mut field = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        if byte & 0xc7 == 0x05 || byte == 0xe8 || byte == 0xe9 {
            field[byte] = 1;
        }
        byte += 1;
    }
    field[0x0f] = 2;
    field
};

impl RegionWindow<'_> {
    /// Finds the opcodes of call, jump, and conditional jump, and the operand
    /// form "relative to the next instruction" (Intel's manual, volume 2, table
    /// 2-7 and appendix A). An operand before an immediate one is off by the
    /// size of that, which matters little: what is near to a target moves as it
    /// does.
    pub(super) fn x86(&self, bytes: &[u8], mut at: usize, map: &AddressMap) -> Option<Reference> {
        let last = bytes.len().saturating_sub(5);
        while let Some(opcode) = bytes.get(at..last).and_then(|rest| {
            // Most bytes are none of these, so this is what takes the time.
            rest.iter()
                .position(|&byte| X86_FIELD[usize::from(byte)] > 0)
        }) {
            at += opcode;
            let offset = usize::from(X86_FIELD[usize::from(bytes[at])]);
            if offset == 1 || bytes[at + 1] & 0xf0 == 0x80 {
                let found = self.relative(bytes, at + offset, map);
                if found.is_some() {
                    return found;
                }
            }
            at += 1;
        }
        None
    }
}
