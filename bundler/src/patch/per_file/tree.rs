//! Counts how many files of two trees a patch treats in which way.

use notsotuf_stub::bundle::{Entry, EntryKind, Manifest};

pub(crate) use notsotuf_stub::bundle::Tree;

/// Counts how many files a patch treats in which way.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Summary {
    /// Not in the patch at all.
    pub kept: usize,
    /// Rebuilt from an old file.
    pub changed: usize,
    /// Under another name, or with other permissions only.
    pub moved: usize,
    /// Brought whole.
    pub new: usize,
    /// Taken away.
    pub removed: usize,
}

impl Summary {
    /// Counts what two trees have in common, and nothing else yet.
    pub(crate) fn kept(old: &Manifest, new: &Manifest) -> Self {
        let same = |(path, entry): &(&String, &Entry)| {
            matches!(entry.kind, EntryKind::File { .. }) && old.entries.get(*path) == Some(entry)
        };
        Summary {
            kept: new.entries.iter().filter(same).count(),
            ..Summary::default()
        }
    }
}

impl std::fmt::Display for Summary {
    fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        let Summary {
            kept,
            changed,
            moved,
            new,
            removed,
        } = self;
        write!(
            f,
            "{kept} files kept, {changed} changed, {moved} moved, {new} new, {removed} removed"
        )
    }
}
