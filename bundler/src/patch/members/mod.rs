//! Finds the members of container files by their structure: what PyInstaller
//! appends to programs (CArchive, with a PYZ of modules in it), and zip files.
//!
//! Nothing needs to be right here: a member is used only if it inflates, and
//! only if the stub's own code compresses it again to the same bytes.

pub(crate) mod carchive;
mod pyz;
mod zip;

use crate::patch::bytes::Bytes;
use notsotuf_stub::bundle::patch::parts::Packing;
use std::borrow::Cow;
use std::ops::Range;

/// Tables that are larger are not looked at.
const MAX_TABLE: usize = 32 << 20;

/// Describes a stretch of a file that holds one thing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Member {
    /// What the container calls it; names of nested ones begin with that of
    /// the container.
    pub name: String,
    /// Where its bytes are, as stored.
    pub stored: Range<usize>,
    /// How.
    pub packing: Packing,
}

/// Finds the members of a file, in its order and apart from each other; none if
/// it is no container that is known.
pub(crate) fn find(file: &Bytes) -> Vec<Member> {
    let mut members = carchive::members(file).unwrap_or_default();
    if members.is_empty() {
        members = zip::members(file).unwrap_or_default();
    }
    members.retain(|member| !member.stored.is_empty());
    members.sort_by_key(|member| (member.stored.start, member.stored.end));
    let mut end = 0;
    members.retain(|member| {
        let apart = member.stored.start >= end;
        if apart {
            end = member.stored.end;
        }
        apart
    });
    members
}

/// Returns the bytes at a place of a file; `None` if it does not have all of
/// them, or cannot be read.
fn bytes(file: &Bytes, at: usize, size: usize) -> Option<Cow<'_, [u8]>> {
    let end = at.checked_add(size).filter(|end| *end <= file.len())?;
    file.get(at..end).ok()
}

/// Returns a table, if it is not too large.
fn table(file: &Bytes, at: usize, size: usize) -> Option<Cow<'_, [u8]>> {
    (size <= MAX_TABLE).then(|| bytes(file, at, size))?
}

fn big(bytes: &[u8], at: usize) -> Option<usize> {
    let number = bytes.get(at..)?.first_chunk()?;
    usize::try_from(u32::from_be_bytes(*number)).ok()
}

fn little(bytes: &[u8], at: usize, size: usize) -> Option<usize> {
    let number = bytes.get(at..at.checked_add(size)?)?.iter().rev();
    Some(number.fold(0, |value, &byte| value << 8 | usize::from(byte)))
}

#[cfg(test)]
pub(crate) mod samples;
#[cfg(test)]
mod tests;
