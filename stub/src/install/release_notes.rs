//! Keeps what is new in the update that was staged last, for the application to
//! show.

use crate::fs::plain_file;
use crate::fs::{self, FsError};
use crate::install::Layout;
use pep440_rs::Version;
use serde::{Deserialize, Serialize};

/// More than the notes of many releases; each has at most 16 kB.
const MAX_SIZE: u64 = 1 << 20;

/// Holds what the makers say is new in one version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Note {
    /// The version.
    pub version: Version,
    /// Markdown.
    pub text: String,
}

/// Keeps the notes of an update; without any, forgets those of the update
/// before.
///
/// # Errors
/// The file system's.
pub fn keep(layout: &Layout, notes: &[Note]) -> Result<(), FsError> {
    match notes {
        [] => fs::remove_file_if_exists(&layout.notes()),
        notes => {
            let text = serde_json::to_vec(notes).expect("texts are JSON");
            fs::write_atomically(&layout.notes(), &text)
        }
    }
}

/// Returns the notes that were kept, of versions up to `newest`.
///
/// # Errors
/// The file system's. A file of another form has no notes.
pub fn kept(layout: &Layout, newest: &Version) -> Result<Vec<Note>, FsError> {
    let bytes = plain_file::read(&layout.notes(), MAX_SIZE)?.unwrap_or_default();
    let notes: Vec<Note> = serde_json::from_slice(&bytes).unwrap_or_default();
    // An update that was staged and is not any more may have been newer.
    let known = notes.into_iter().filter(|note| note.version <= *newest);
    Ok(known.collect())
}
