//! Stores where a staged update is from.

use super::Layout;
use crate::fs::{self, FsError, plain_file};
use crate::policy::staged_origin::Origin;

/// Upper bound of the file; a real one has a few hundred bytes.
const MAX_SIZE: u64 = 1 << 14;

impl Origin {
    /// Writes the origin, which must be done before the bundle is complete.
    ///
    /// # Errors
    /// A file system call that failed.
    pub fn store(&self, layout: &Layout) -> Result<(), FsError> {
        fs::write_atomically(&layout.origin(), self.to_text().as_bytes())
    }

    /// Reads the origin; what cannot be read counts as none.
    pub fn load(layout: &Layout) -> Option<Self> {
        let bytes = plain_file::read(&layout.origin(), MAX_SIZE).unwrap_or_else(|e| {
            log::warn!("{e}");
            None
        })?;
        Self::parse(std::str::from_utf8(&bytes).ok()?)
    }
}
