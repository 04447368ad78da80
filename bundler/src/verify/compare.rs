//! Compares what is published there with what is published here.

use super::source::{RepositorySource, VerifyError};
use crate::metadata::{Document, Published};
use notsotuf_stub::tuf::Limits;
use std::path::Path;

/// Says what is there, beside what is published here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum There {
    /// The same, byte for byte.
    Same,
    /// Nothing is there.
    Nothing,
    /// Something else than metadata.
    NoMetadata,
    /// A timestamp of this version, which is older.
    Older(u64),
    /// A timestamp of this version, which is newer.
    Newer(u64),
    /// The same timestamp version, but this file has another content.
    Other(String),
}

/// Compares the metadata there with what is published here.
///
/// # Errors
/// If it cannot be read.
pub(crate) fn compare(target: &RepositorySource, here: &Published) -> Result<There, VerifyError> {
    let limit = Limits::default().targets;
    let file = "timestamp.json";
    let Some(bytes) = target.metadata(file, limit)? else {
        return Ok(There::Nothing);
    };
    let Ok(timestamp) = Document::parse(Path::new(file), &bytes) else {
        return Ok(There::NoMetadata);
    };
    let (version, there) = (
        here.document("timestamp").map_or(0, Document::version),
        timestamp.version(),
    );
    if there != version {
        return Ok(if there < version {
            There::Older(there)
        } else {
            There::Newer(there)
        });
    }
    for (file, ours) in &here.files {
        if target.metadata(file, limit)?.as_ref() != Some(ours) {
            return Ok(There::Other(file.clone()));
        }
    }
    Ok(There::Same)
}
