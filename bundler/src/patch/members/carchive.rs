//! Reads PyInstaller's archive at the end of a program.
//!
//! The format is that of `PyInstaller/archive/writers.py`: members, a table of
//! them, and a cookie that says where both are.

use super::{Member, big, bytes, pyz, table};
use crate::patch::bytes::Bytes;
use notsotuf_stub::bundle::patch::parts::Packing;

/// Marks the end of what PyInstaller appended.
pub(crate) const COOKIE: &[u8; 8] = b"MEI\x0c\x0b\x0a\x0b\x0e";
const COOKIE_SIZE: usize = 88;
/// Counts the bytes of an entry of the table before the name: its length,
/// offset, stored and plain size, whether it is compressed, and its kind.
const ENTRY_SIZE: usize = 18;
/// Marks the archive of modules.
const PYZ: u8 = b'z';

pub(super) fn members(file: &Bytes) -> Option<Vec<Member>> {
    // It may be followed by a signature.
    let at = file.rfind(COOKIE).ok()??;
    let cookie = bytes(file, at, COOKIE_SIZE.min(file.len() - at))?;
    let start = (at + COOKIE_SIZE).checked_sub(big(&cookie, 8)?)?;
    let entries = start.checked_add(big(&cookie, 12)?)?;
    let entries = table(file, entries, big(&cookie, 16)?)?;
    let mut found = Vec::new();
    let mut rest = &entries[..];
    while !rest.is_empty() {
        let length = big(rest, 0)?;
        let entry = rest.get(..length).filter(|_| length >= ENTRY_SIZE)?;
        rest = &rest[length..];
        let offset = start.checked_add(big(entry, 4)?)?;
        let stored = offset..offset.checked_add(big(entry, 8)?)?;
        if stored.end > file.len() {
            return None;
        }
        let name = entry[ENTRY_SIZE..].split(|byte| *byte == 0).next()?;
        let name = String::from_utf8_lossy(name).into_owned();
        let packing = if entry[16] == 0 {
            Packing::Stored
        } else {
            Packing::Zlib
        };
        if entry[17] == PYZ && packing == Packing::Stored {
            found.extend(pyz::members(
                &file.slice(stored.clone()),
                &name,
                stored.start,
            ));
        } else {
            found.push(Member {
                name,
                stored,
                packing,
            });
        }
    }
    Some(found)
}
