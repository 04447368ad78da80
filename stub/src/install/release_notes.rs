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

/// Keeps the notes of an update, newest first, as far as there is room for them;
/// without any, forgets those of the update before.
///
/// # Errors
/// The file system's.
pub fn keep(layout: &Layout, notes: &[Note]) -> Result<(), FsError> {
    match notes {
        [] => fs::remove_file_if_exists(&layout.notes()),
        notes => {
            let text = |count| serde_json::to_vec(&notes[..count]).expect("texts are JSON");
            let fits = |count: &usize| text(*count).len() as u64 <= MAX_SIZE;
            let count = (0..=notes.len()).rev().find(fits).unwrap_or_default();
            fs::write_atomically(&layout.notes(), &text(count))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_are_kept_as_far_as_there_is_room() {
        let folder = tempfile::tempdir().unwrap();
        let layout = Layout::new(folder.path());
        std::fs::create_dir_all(layout.state()).unwrap();
        let note = |number| Note {
            version: Version::new([number]),
            text: "n".repeat(16_000),
        };
        let notes: Vec<Note> = (1..=100).rev().map(note).collect();
        keep(&layout, &notes).unwrap();
        let kept = kept(&layout, &Version::new([100])).unwrap();
        assert!(kept.len() > 60 && kept.len() < 70, "{}", kept.len());
        assert_eq!(kept, notes[..kept.len()]);
    }
}
