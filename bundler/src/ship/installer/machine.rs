//! Tells for which machine a program is.

use notsotuf_stub::fs::{self, FsError};
use std::io::Read;
use std::path::Path;

/// An operating system and a processor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Machine {
    windows: bool,
    number: u16,
}

/// Numbers of ELF and of PE, with the words of Debian and of NSIS.
const ELF: [(u16, &str); 5] = [
    (62, "amd64"),
    (183, "arm64"),
    (3, "i386"),
    (40, "armhf"),
    (243, "riscv64"),
];
/// What is read of a program, which may be large: its headers are at the beginning.
const HEAD: u64 = 1 << 16;
const PE_X86: u16 = 0x14c;

impl Machine {
    /// Returns the machine of a program; `None` for what is neither of Windows nor ELF.
    pub(super) fn of(program: &Path) -> Result<Option<Self>, FsError> {
        let mut head = Vec::new();
        let read = fs::open(program)?.take(HEAD).read_to_end(&mut head);
        read.map_err(|e| FsError::new("read", program, e))?;
        Ok(Self::of_bytes(&head))
    }

    fn of_bytes(bytes: &[u8]) -> Option<Self> {
        let number = |at: usize| {
            let bytes = bytes.get(at..at + 2)?.try_into().ok()?;
            Some(u16::from_le_bytes(bytes))
        };
        if bytes.starts_with(b"\x7fELF") {
            let number = number(18)?;
            return Some(Machine {
                windows: false,
                number,
            });
        }
        if bytes.starts_with(b"MZ") {
            let header = u32::from_le_bytes(bytes.get(0x3c..0x40)?.try_into().ok()?) as usize;
            if bytes.get(header..header.checked_add(4)?)? != b"PE\0\0" {
                return None;
            }
            let number = number(header + 4)?;
            return Some(Machine {
                windows: true,
                number,
            });
        }
        None
    }

    pub(super) fn is_windows(self) -> bool {
        self.windows
    }

    pub(super) fn is_linux(self) -> bool {
        !self.windows
    }

    /// Debian's word for it.
    pub(super) fn debian(self) -> &'static str {
        let known = ELF.iter().find(|(number, _)| *number == self.number);
        known.map_or("all", |(_, word)| word)
    }

    /// NSIS's word. Windows for other processors runs programs for this one.
    pub(super) fn nsis(self) -> &'static str {
        if self.number == PE_X86 {
            "x86-unicode"
        } else {
            "amd64-unicode"
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_header_says_which_machine_it_is() {
        let mut elf = vec![0; 64];
        elf[..4].copy_from_slice(b"\x7fELF");
        elf[18] = 183;
        let machine = Machine::of_bytes(&elf).unwrap();
        assert!(machine.is_linux() && machine.debian() == "arm64");
        let mut pe = vec![0; 0x100];
        pe[..2].copy_from_slice(b"MZ");
        pe[0x3c] = 0x80;
        pe[0x80..0x86].copy_from_slice(b"PE\0\0\x64\x86");
        assert!(Machine::of_bytes(&pe).is_some_and(|it| it.nsis() == "amd64-unicode"));
        pe[0x84..0x86].copy_from_slice(b"\x4c\x01");
        assert!(Machine::of_bytes(&pe).is_some_and(|it| it.nsis() == "x86-unicode"));
        for other in [&b"#!/bin/sh"[..], b"", b"MZ", b"\x7fELF", &pe[..0x82]] {
            assert_eq!(Machine::of_bytes(other), None);
        }
    }
}
