//! Limits what applying a patch may take in memory. What a patch asks for is
//! counted before it is there; one that asks for too much is refused, and the
//! full archive taken, which needs little.

use super::PatchError;
use super::format::MEMORY;

/// Counts the memory that may still be taken.
#[derive(Debug, Clone, Copy)]
pub(super) struct Budget {
    left: u64,
}

impl Default for Budget {
    fn default() -> Self {
        Budget { left: MEMORY }
    }
}

impl Budget {
    /// Takes `bytes` of the memory that is left.
    pub(super) fn take(&mut self, bytes: u64) -> Result<(), PatchError> {
        self.left = self.left.checked_sub(bytes).ok_or(PatchError::Memory)?;
        Ok(())
    }

    /// Gives back what is not needed any more.
    pub(super) fn give_back(&mut self, bytes: u64) {
        self.left += bytes;
    }

    /// Returns how many bytes may still be taken.
    pub(super) fn left(&self) -> u64 {
        self.left
    }
}
