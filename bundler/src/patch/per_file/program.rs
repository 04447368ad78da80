//! Reads where references are from the headers of executables and libraries.
//! Nothing needs to be right here: what is wrong makes a larger patch.

use crate::patch::bytes::Bytes;
use notsotuf_stub::bundle::patch::references::{ReferenceKind, References, Region, Segment, Span};
use object::{Architecture, Object, ObjectSection, ObjectSegment, ReadCache, ReadRef, SectionKind};

/// Describes a pair of programs; `None` if they are none, or of a kind of
/// which nothing is known.
pub(super) fn references(old: &Bytes, new: &Bytes) -> Option<References> {
    let magic = old.get(0..old.len().min(4)).ok()?;
    let magic = magic.first_chunk::<4>()?;
    let known = magic == b"\x7fELF" || magic.starts_with(b"MZ") || magic[1..] == [0xfa, 0xed, 0xfe];
    if !known && magic != &[0xcf, 0xfa, 0xed, 0xfe] {
        return None;
    }
    let (old, new) = (ReadCache::new(old.reader()), ReadCache::new(new.reader()));
    let old = object::File::parse(&old).ok()?;
    let new = object::File::parse(&new).ok()?;
    let code = match old.architecture() {
        Architecture::X86_64 => ReferenceKind::X86,
        Architecture::Aarch64 => ReferenceKind::Arm64,
        _ => return None,
    };
    if new.architecture() != old.architecture() {
        return None;
    }
    let mut references = References {
        old_segments: segments(&old),
        new_segments: segments(&new),
        ..References::default()
    };
    for section in old.sections() {
        let Ok(name) = section.name() else { continue };
        let other = new.section_by_name(name);
        if section.kind() == SectionKind::UninitializedData {
            references.spans.extend(other.map(|other| Span {
                old: section.address(),
                new: other.address(),
                size: section.size(),
            }));
            continue;
        }
        let Some((offset, size)) = section.file_range() else {
            continue;
        };
        let other = other.map_or_else(|| section.address(), |other| other.address());
        let bases = (old.relative_address_base(), new.relative_address_base());
        let Some((skip, kind)) = kind(
            name,
            section.kind(),
            code,
            (section.address(), other),
            bases,
        ) else {
            continue;
        };
        references.regions.push(Region {
            offset: offset.saturating_add(skip),
            size: size.saturating_sub(skip),
            address: section.address().wrapping_add(skip),
            kind,
        });
    }
    keep_apart(&mut references.regions);
    references.is_valid().then_some(references)
}

/// Sorts regions, and drops those that are empty or begin within another one.
fn keep_apart(regions: &mut Vec<Region>) {
    regions.retain(|region| region.size > 0);
    regions.sort_by_key(|region| region.offset);
    let mut end = 0;
    regions.retain(|region| {
        let apart = region.offset >= end;
        if apart {
            end = region.offset.saturating_add(region.size);
        }
        apart
    });
}

fn segments<'data>(file: &object::File<'data, impl ReadRef<'data>>) -> Vec<Segment> {
    let segments = file.segments().map(|segment| {
        let (offset, size) = segment.file_range();
        Segment {
            offset,
            address: segment.address(),
            size,
        }
    });
    segments.filter(|segment| segment.size > 0).collect()
}

/// How references look in a section, from which byte on.
fn kind(
    name: &str,
    content: SectionKind,
    code: ReferenceKind,
    (address_old, address_new): (u64, u64),
    (image_old, image_new): (u64, u64),
) -> Option<(u64, ReferenceKind)> {
    let table = |stride, second, width, base_old, base_new| ReferenceKind::Table {
        stride,
        second,
        width,
        base_old,
        base_new,
    };
    let pointers = table(8, 0, 8, 0, 0);
    Some(match name {
        // System V ABI: place, kind, addend; 24 bytes.
        ".rela.dyn" | ".rela.plt" => (0, table(24, 16, 8, 0, 0)),
        // Name and kind, value, size.
        ".dynsym" | ".symtab" => (8, table(24, 0, 8, 0, 0)),
        // A header of 12 bytes, then pairs relative to its start.
        ".eh_frame_hdr" => (12, table(4, 0, 4, address_old, address_new)),
        ".eh_frame" => (0, ReferenceKind::Frames),
        // PE: begin, end, and description of each function.
        ".pdata" => (0, table(4, 0, 4, image_old, image_new)),
        ".data" | ".data.rel.ro" | ".init_array" | ".fini_array" | ".got" | ".got.plt" => {
            (0, pointers)
        }
        ".rdata" if image_old > 0 => (0, pointers),
        _ if content == SectionKind::Text => (0, code),
        _ => return None,
    })
}
