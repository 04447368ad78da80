//! Reads zip files (PKWARE's APPNOTE.TXT), such as `base_library.zip`.

use super::{Member, bytes, little};
use notsotuf_stub::bundle::patch::parts::Packing;

const END: &[u8; 4] = b"PK\x05\x06";
const ENTRY: &[u8; 4] = b"PK\x01\x02";
const LOCAL: &[u8; 4] = b"PK\x03\x04";

pub(super) fn members(file: &[u8]) -> Option<Vec<Member>> {
    // The end of the directory, with a comment of at most 64 KiB.
    let last = file.len().saturating_sub((1 << 16) + 22);
    let end = last + memchr::memmem::rfind(&file[last..], END)?;
    let count = little(file, end + 10, 2)?;
    let mut at = little(file, end + 16, 4)?;
    let mut found = Vec::new();
    for _ in 0..count {
        bytes(file, at, 4).filter(|magic| magic == ENTRY)?;
        let method = little(file, at + 10, 2)?;
        let size = little(file, at + 20, 4)?;
        let name = little(file, at + 28, 2)?;
        let (extra, comment) = (little(file, at + 30, 2)?, little(file, at + 32, 2)?);
        let local = little(file, at + 42, 4)?;
        let text = bytes(file, at + 46, name)?;
        at += 46 + name + extra + comment;
        let packing = match method {
            0 => Packing::Stored,
            8 => Packing::Deflate,
            _ => continue,
        };
        bytes(file, local, 4).filter(|magic| magic == LOCAL)?;
        // Its own lengths may differ from those of the directory.
        let start = local + 30 + little(file, local + 26, 2)? + little(file, local + 28, 2)?;
        let stored = start..start.checked_add(size)?;
        file.get(stored.clone())?;
        found.push(Member {
            name: String::from_utf8_lossy(text).into_owned(),
            stored,
            packing,
        });
    }
    Some(found)
}
