//! Keeps the journal of an exchange of bundles that is under way.

use crate::fs;
use crate::fs::{FsError, plain_file};
use crate::install::Layout;

const JOURNAL_HEADER: &str = "notsotuf-journal 1\nto ";

/// The second line, once `previous` is a whole copy of `app`, which may be
/// gone or in pieces from then on.
const COPIED: &str = "\ncopied\n";

/// Says what a commit is doing, for the start that finds it interrupted. On
/// disk:
///
/// ```text
/// notsotuf-journal 1
/// to <SHA-256 of the record of the update>
/// copied
/// ```
///
/// with the last line only if it is so.
pub(super) struct Journal {
    pub(super) to: String,
    pub(super) copied: bool,
}

impl Journal {
    /// Reads the journal; `None` if no commit is under way.
    pub(super) fn load(layout: &Layout) -> Result<Option<Self>, FsError> {
        let Some(text) = plain_file::read(&layout.journal(), 1024)? else {
            return Ok(None);
        };
        let text = String::from_utf8_lossy(&text);
        // It is written atomically; one of another form is of another
        // version, and then names no bundle that is here.
        let to = text.strip_prefix(JOURNAL_HEADER).unwrap_or_default();
        Ok(Some(Journal {
            to: to.lines().next().unwrap_or_default().into(),
            copied: text.ends_with(COPIED),
        }))
    }

    pub(super) fn store(&self, layout: &Layout) -> Result<(), FsError> {
        let end = if self.copied { COPIED } else { "\n" };
        let text = format!("{JOURNAL_HEADER}{}{end}", self.to);
        fs::write_atomically(&layout.journal(), text.as_bytes())
    }
}
