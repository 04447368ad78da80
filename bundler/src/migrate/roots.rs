//! Roots under the names that clients look for: `1.root.json`, `2.root.json`,
//! and so on. Some repositories have the newest one as `root.json` only.

use super::error::ImportError;
use crate::metadata::{Document, MetadataError};
use notsotuf_stub::fs;
use notsotuf_stub::tuf::Limits;
use std::path::Path;

/// Gives the newest root its name, if it does not have it, and says so.
///
/// # Errors
/// [`ImportError::Roots`] if others are missing.
pub(super) fn fix(metadata: &Path) -> Result<Vec<String>, ImportError> {
    let path = metadata.join("root.json");
    let name = |version: u64| format!("{version}.root.json");
    let here = |version: u64| metadata.join(name(version)).is_file();
    let Some(bytes) = fs::read_optional(&path, Limits::default().root)? else {
        if here(1) {
            return Ok(Vec::new());
        }
        return Err(MetadataError::Missing(metadata.join(name(1))).into());
    };
    let newest = Document::parse(&path, &bytes)?.version();
    // Clients look for no more than this at a time.
    let first = newest
        .saturating_sub(u64::from(Limits::default().root_rotations))
        .max(1);
    let missing: Vec<String> = (first..newest).filter(|v| !here(*v)).map(name).collect();
    if !missing.is_empty() {
        return Err(ImportError::Roots {
            folder: metadata.into(),
            missing,
        });
    }
    if here(newest) {
        return Ok(Vec::new());
    }
    fs::write_atomically(&metadata.join(name(newest)), &bytes)?;
    Ok(vec![format!(
        "{}, which clients look for, was missing; root.json was copied there",
        name(newest)
    )])
}
