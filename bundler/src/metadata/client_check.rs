//! Checks metadata that is not written yet with the code of clients.

use super::error::MetadataError;
use super::{limits, published};
use notsotuf_stub::fs::{self, FsError};
use notsotuf_stub::tuf::{Refresh, Step, UnixTime};
use std::path::Path;

/// Checks that a client that trusts only the first root would accept the
/// repository once `files` are written.
///
/// # Errors
/// [`MetadataError::Tuf`]: what that client would say.
pub fn check_as_client(
    metadata: &Path,
    files: &[(String, Vec<u8>)],
    now: UnixTime,
) -> Result<(), MetadataError> {
    let read = |file: &str| -> Result<Option<Vec<u8>>, FsError> {
        match files.iter().find(|(name, _)| name == file) {
            Some((_, bytes)) => Ok(Some(bytes.clone())),
            None => fs::read_optional(&metadata.join(file), limits::READ),
        }
    };
    let first = metadata.join("1.root.json");
    let root = read("1.root.json")?.ok_or(MetadataError::Missing(first))?;
    let mut client = Refresh::new(&root, now, published::BOUNDS)?;
    loop {
        match client.next_step() {
            Step::Done => return Ok(()),
            Step::Load { .. } => client.answer(None)?,
            Step::Fetch { file, .. } => client.answer(read(&file)?)?,
            Step::Store { .. } | Step::Remove { .. } => {}
        }
    }
}
