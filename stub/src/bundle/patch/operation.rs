//! Says what a patch does with one entry of the bundle.

use crate::bundle::patch::format::OPERATION_WEIGHT;
use crate::bundle::patch::parts::{OldFile, Part};

pub(super) enum Operation {
    Remove(String),
    Dir {
        path: String,
        mode: u32,
    },
    Link {
        path: String,
        target: String,
    },
    Full {
        path: String,
        mode: u32,
        size: u64,
    },
    /// Makes a file of old ones, one part after the other.
    Diff {
        path: String,
        mode: u32,
        size: u64,
        old: Vec<OldFile>,
        parts: Vec<Part>,
    },
    Copy {
        path: String,
        mode: u32,
        old: String,
    },
}

impl Operation {
    /// Returns the path that the operation is about.
    pub(super) fn path(&self) -> &str {
        match self {
            Operation::Remove(path)
            | Operation::Dir { path, .. }
            | Operation::Link { path, .. }
            | Operation::Full { path, .. }
            | Operation::Diff { path, .. }
            | Operation::Copy { path, .. } => path,
        }
    }

    /// Returns the path that the operation was about.
    pub(super) fn into_path(self) -> String {
        match self {
            Operation::Remove(path)
            | Operation::Dir { path, .. }
            | Operation::Link { path, .. }
            | Operation::Full { path, .. }
            | Operation::Diff { path, .. }
            | Operation::Copy { path, .. } => path,
        }
    }

    /// Returns about how many bytes of memory the operation takes, with what it
    /// makes.
    pub(super) fn weight(&self) -> u64 {
        let texts = self.path().len()
            + match self {
                Operation::Link { target, .. } => 2 * target.len(),
                Operation::Copy { old, .. } => 2 * old.len(),
                _ => 0,
            };
        let parts = match self {
            Operation::Diff { old, parts, .. } => {
                let old = old.iter().map(OldFile::weight).sum::<u64>();
                // One old file and one part are counted with the operation.
                let more = parts.len().saturating_sub(1) as u64 * Part::WEIGHT;
                old + more + parts.iter().map(Part::described).sum::<u64>()
            }
            _ => 0,
        };
        texts as u64 + parts + OPERATION_WEIGHT
    }
}
