//! Checks metadata that is not written yet with the code of clients.

use super::error::MetadataError;
use super::{limits, published};
use notsotuf_stub::fs::{self, FsError};
use notsotuf_stub::tuf::{Refresh, RefreshIo, UnixTime};
use std::path::Path;

/// Checks that a client that trusts only the first root would accept the
/// repository once `files` are written.
///
/// # Errors
/// [`MetadataError::Tuf`]: what that client would say.
pub(crate) fn check_as_client(
    metadata: &Path,
    files: &[(String, Vec<u8>)],
    now: UnixTime,
) -> Result<(), MetadataError> {
    let mut io = WrittenFiles { metadata, files };
    let first = metadata.join("1.root.json");
    let root = io
        .read("1.root.json")?
        .ok_or(MetadataError::Missing(first))?;
    Refresh::new(&root, now, published::BOUNDS)?.run(&mut io)
}

/// The metadata folder as it will be, to a client that stores nothing.
struct WrittenFiles<'a> {
    metadata: &'a Path,
    files: &'a [(String, Vec<u8>)],
}

impl WrittenFiles<'_> {
    fn read(&self, file: &str) -> Result<Option<Vec<u8>>, FsError> {
        match self.files.iter().find(|(name, _)| name == file) {
            Some((_, bytes)) => Ok(Some(bytes.clone())),
            None => fs::read_optional(&self.metadata.join(file), limits::READ),
        }
    }
}

impl RefreshIo for WrittenFiles<'_> {
    type Error = MetadataError;

    fn fetch(&mut self, _: &str, file: &str, _: u64) -> Result<Option<Vec<u8>>, MetadataError> {
        Ok(self.read(file)?)
    }
}
