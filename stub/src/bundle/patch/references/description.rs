//! Describes what a patch says of the references in a program.

/// Limits the segments of a file.
pub const MAX_SEGMENTS: usize = 64;

/// Limits the regions of a file.
pub const MAX_REGIONS: usize = 512;

/// Limits the further spans of a file.
pub const MAX_SPANS: usize = 64;

/// Describes a part of a file that is loaded to an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Segment {
    /// Where it begins in the file.
    pub offset: u64,
    /// Where it is loaded.
    pub address: u64,
    /// Bytes, in the file and loaded.
    pub size: u64,
}

/// Describes a part of the address space of the old file, and where it went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// Address in the old file.
    pub old: u64,
    /// Address in the new file.
    pub new: u64,
    /// Bytes.
    pub size: u64,
}

/// Says how references look in a part of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReferenceKind {
    /// x86-64 code: calls, jumps, and operands relative to the next
    /// instruction.
    X86,
    /// Records of one size, with an integer at the start of each, signed and
    /// relative to `base_old` (in the new file, to `base_new`).
    Table {
        /// Bytes from one record to the next.
        stride: u32,
        /// Where in a record a second integer is; 0 if there is none.
        second: u32,
        /// Bytes of the integer: 4 or 8.
        width: u8,
        /// Address that the old ones are relative to.
        base_old: u64,
        /// Address that the new ones are relative to.
        base_new: u64,
    },
    /// The frame descriptions of `.eh_frame`: the length, the distance back to
    /// the common part, and the distance to the code, 4 bytes each.
    Frames,
    /// AArch64 code: branches, and addresses of pages.
    Arm64,
}

/// Describes a part of the old file that has references.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Region {
    /// Where it begins in the file.
    pub offset: u64,
    /// Bytes.
    pub size: u64,
    /// Where it is loaded.
    pub address: u64,
    /// What they look like.
    pub kind: ReferenceKind,
}

/// Holds what must be known of a program to predict its references.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct References {
    /// Of the old file.
    pub old_segments: Vec<Segment>,
    /// Of the new file.
    pub new_segments: Vec<Segment>,
    /// Of the old file; sorted, without overlap.
    pub regions: Vec<Region>,
    /// What moved and is in no file, such as `.bss`.
    pub spans: Vec<Span>,
}

impl References {
    /// Returns about how many bytes of memory the description takes.
    pub fn weight(&self) -> usize {
        let segments = self.old_segments.len() + self.new_segments.len();
        128 + segments * size_of::<Segment>()
            + self.regions.len() * size_of::<Region>()
            + self.spans.len() * size_of::<Span>()
    }

    /// Returns whether the description is valid: within its bounds, regions
    /// sorted and apart.
    pub fn is_valid(&self) -> bool {
        let fits = |offset: u64, size: u64| offset.checked_add(size).is_some();
        let segments = [&self.old_segments, &self.new_segments];
        segments.iter().all(|list| {
            list.len() <= MAX_SEGMENTS
                && list
                    .iter()
                    .all(|s| fits(s.offset, s.size) && fits(s.address, s.size))
        }) && self.regions.len() <= MAX_REGIONS
            && self.regions.iter().all(|r| {
                fits(r.offset, r.size)
                    && match r.kind {
                        ReferenceKind::Table {
                            stride,
                            second,
                            width,
                            ..
                        } => matches!(width, 4 | 8) && stride > second && stride > 0,
                        _ => true,
                    }
            })
            && self
                .regions
                .windows(2)
                .all(|pair| pair[0].offset + pair[0].size <= pair[1].offset)
            && self.spans.len() <= MAX_SPANS
            && self
                .spans
                .iter()
                .all(|s| fits(s.old, s.size) && fits(s.new, s.size))
    }
}

impl Span {
    /// Returns how far the span moved.
    pub(super) fn shift(&self) -> u64 {
        self.new.wrapping_sub(self.old)
    }
}
