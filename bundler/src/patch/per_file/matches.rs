//! Describes what was found of a new file in the old one.

/// Describes a stretch of the new file that is like one of the old.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Match {
    /// Where it begins in the old file.
    pub old: usize,
    /// Where it begins in the new file.
    pub new: usize,
    /// Bytes.
    pub length: usize,
}

/// Counts bytes of a new file that were compared with less than all of the old
/// one.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Coarse {
    /// With what is around the place where they are expected.
    pub in_windows: u64,
    /// Block by block only, as there was no time for more.
    pub in_blocks: u64,
}
