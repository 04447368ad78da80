//! Reads zip files (PKWARE's APPNOTE.TXT), such as `base_library.zip`.

use super::{Member, bytes, little, table};
use crate::patch::bytes::Bytes;
use notsotuf_stub::bundle::patch::parts::Packing;

const END: &[u8; 4] = b"PK\x05\x06";
const ENTRY: &[u8; 4] = b"PK\x01\x02";
const LOCAL: &[u8; 4] = b"PK\x03\x04";

/// Counts the bytes of an entry of the directory, of a local one, and of the
/// end, each before its texts.
const ENTRY_SIZE: usize = 46;
const LOCAL_SIZE: usize = 30;
const END_SIZE: usize = 22;

pub(super) fn members(file: &Bytes) -> Option<Vec<Member>> {
    // The end of the directory, with a comment of at most 64 KiB.
    let last = file.len().saturating_sub((1 << 16) + END_SIZE);
    let tail = bytes(file, last, file.len() - last)?;
    let end = memchr::memmem::rfind(&tail, END)?;
    let count = little(&tail, end + 10, 2)?;
    let start = little(&tail, end + 16, 4)?;
    let size = (last + end).checked_sub(start)?;
    let directory = table(file, start, size)?;
    let mut rest = &directory[..];
    let mut found = Vec::new();
    for _ in 0..count {
        let entry = rest.get(..ENTRY_SIZE).filter(|e| e.starts_with(ENTRY))?;
        let method = little(entry, 10, 2)?;
        let size = little(entry, 20, 4)?;
        let name = little(entry, 28, 2)?;
        let (extra, comment) = (little(entry, 30, 2)?, little(entry, 32, 2)?);
        let local = little(entry, 42, 4)?;
        let text = rest.get(ENTRY_SIZE..ENTRY_SIZE + name)?;
        rest = rest.get(ENTRY_SIZE + name + extra + comment..)?;
        let packing = match method {
            0 => Packing::Stored,
            8 => Packing::Deflate,
            _ => continue,
        };
        let head = bytes(file, local, LOCAL_SIZE).filter(|head| head.starts_with(LOCAL))?;
        // Its own lengths may differ from those of the directory.
        let start = local + LOCAL_SIZE + little(&head, 26, 2)? + little(&head, 28, 2)?;
        let stored = start..start.checked_add(size)?;
        if stored.end > file.len() {
            return None;
        }
        found.push(Member {
            name: String::from_utf8_lossy(text).into_owned(),
            stored,
            packing,
        });
    }
    Some(found)
}
