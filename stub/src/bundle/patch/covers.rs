//! Describes the instructions by which a new file is made of an old one.

/// Describes a stretch of the new file that is like one of the old file, and
/// the literal bytes before it. The next cover follows where this one ends.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Cover {
    /// Literal bytes before it.
    pub literal: u64,
    /// Where it begins in the old file, less where the cover before it ends
    /// there.
    pub skip: i64,
    /// Bytes.
    pub length: u64,
}

/// Says where a cover begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Start {
    /// In the old file.
    pub old: u64,
    /// In the new file.
    pub new: u64,
}

impl Cover {
    /// Returns where the cover begins, with the ends of the cover before it (0
    /// for the first), which become its own.
    pub fn start(&self, old_end: &mut u64, new_end: &mut u64) -> Start {
        let old = old_end.wrapping_add_signed(self.skip);
        let new = *new_end + self.literal;
        *old_end = old.wrapping_add(self.length);
        *new_end = new + self.length;
        Start { old, new }
    }
}
