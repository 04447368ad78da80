//! Drops half-signed metadata once it is published.

use super::next_versions::{self, Update};
use super::root_change;
use crate::project::Project;
use notsotuf_stub::fs::{self, FsError};

/// Deletes half-signed metadata that `update` published. What colleagues
/// signed of a role that it does not change waits for its other signatures.
///
/// # Errors
/// The file system's.
pub(crate) fn drop_drafts(project: &Project, update: &Update) -> Result<(), FsError> {
    let drafts = [
        ("root", root_change::draft_path(project)),
        ("targets", next_versions::draft_path(project)),
    ];
    for (_, path) in drafts
        .iter()
        .filter(|(role, _)| update.versions.contains_key(role))
    {
        fs::remove_file_if_exists(path)?;
    }
    Ok(())
}
