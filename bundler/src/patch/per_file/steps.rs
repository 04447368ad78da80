//! Plans what a patch does about each path, and reads what it holds for one step.

use super::encode::{self, FileDiff, Seen};
use super::error::DiffError;
use super::streams::{self, number, string};
use super::tree::{Summary, Tree};
use super::work::Work;
use crate::patch::bytes::Bytes;
use notsotuf_stub::bundle::patch::op;
use notsotuf_stub::bundle::{Entry, EntryKind, Manifest};
use notsotuf_stub::fs;
use std::collections::BTreeMap;
use std::path::PathBuf;

/// Files up to this size are read into memory.
const IN_MEMORY: u64 = 8 << 20;

/// Says what the streams hold for one step.
pub(super) enum Content {
    Nothing,
    /// All of a file.
    Whole {
        path: PathBuf,
        size: u64,
        /// What was seen in it, if it was compared with an old one.
        seen: Seen,
    },
    Diff(Box<FileDiff>, Seen),
}

impl Content {
    /// Returns what was seen in a file that was compared with an old one.
    pub(super) fn seen(&self) -> Option<&Seen> {
        match self {
            Content::Nothing => None,
            Content::Whole { seen, .. } | Content::Diff(_, seen) => Some(seen),
        }
    }
}

/// Says what is done about one path.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Step<'a> {
    Remove(&'a str),
    Dir(&'a str),
    Link(&'a str),
    /// From the old file of that path, where it has the same content.
    Copy(&'a str, &'a str),
    /// From the old file of that path, where it pays.
    Change(&'a str, &'a str),
    New(&'a str),
}

/// Compares two trees. Files are matched by path, then by content, then by
/// similar name.
pub(super) fn plan<'a>(old: &'a Manifest, new: &'a Manifest) -> Vec<Step<'a>> {
    let mut steps = Vec::new();
    let gone: Vec<&str> = old
        .entries
        .keys()
        .filter(|path| !new.entries.contains_key(*path))
        .map(String::as_str)
        .collect();
    let mut by_content: BTreeMap<&[u8; 32], &str> = BTreeMap::new();
    for (path, entry) in old.entries.iter().rev() {
        if let EntryKind::File { sha256, .. } = &entry.kind {
            by_content.insert(sha256, path);
        }
    }
    let mut similar = similar_names(old, &gone);
    for (path, entry) in &new.entries {
        let before = old.entries.get(path);
        if before == Some(entry) {
            continue;
        }
        let step = match &entry.kind {
            EntryKind::Dir => Step::Dir(path),
            EntryKind::Link { .. } => Step::Link(path),
            EntryKind::File { sha256, .. } => {
                let was_file = |e: &&Entry| matches!(e.kind, EntryKind::File { .. });
                if let Some(from) = by_content.get(sha256) {
                    Step::Copy(path, from)
                } else if before.filter(was_file).is_some() {
                    Step::Change(path, path)
                } else if let Some(from) = similar.get_mut(&skeleton(path)).and_then(Vec::pop) {
                    Step::Change(path, from)
                } else {
                    Step::New(path)
                }
            }
        };
        steps.push(step);
    }
    steps.extend(gone.into_iter().map(Step::Remove));
    steps
}

/// Finds files that are gone by what their path has besides digits; the first
/// in order last.
pub(super) fn similar_names<'a>(
    old: &Manifest,
    gone: &[&'a str],
) -> BTreeMap<String, Vec<&'a str>> {
    let mut similar: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    for path in gone.iter().rev() {
        if matches!(old.entries[*path].kind, EntryKind::File { .. }) {
            similar.entry(skeleton(path)).or_default().push(path);
        }
    }
    similar
}

/// Returns a path without what changes in it from version to version and from
/// build to build: `numpy-1.26.4.dist-info/METADATA`,
/// `libopenblas64_p-r0-0cf96a72.so`.
pub(super) fn skeleton(path: &str) -> String {
    let words = path.split_inclusive(['/', '-', '.', '_']);
    words
        .filter(|word| {
            let bare = word.trim_end_matches(['/', '-', '.', '_']);
            let version = bare.chars().all(|c| c.is_ascii_digit());
            let hash = bare.len() >= 8
                && bare.chars().all(|c| c.is_ascii_hexdigit())
                && bare.chars().any(|c| c.is_ascii_digit());
            !(version || hash)
        })
        .collect()
}

impl Step<'_> {
    pub(super) fn size(&self, new: &Manifest) -> u64 {
        match self {
            Step::Change(path, _) | Step::New(path) => file_size(new, path),
            _ => 0,
        }
    }

    /// Returns about how many bytes of memory the step takes, apart from what
    /// searching does: both files, and their members inflated, as far as they
    /// stay in memory.
    pub(super) fn memory(&self, old: &Manifest, new: &Manifest) -> u64 {
        match self {
            Step::Change(path, from) => {
                let files = [file_size(new, path), file_size(old, from)];
                let some = files.map(|size| 2 * size.min(IN_MEMORY));
                some.into_iter().sum::<u64>() + (1 << 20)
            }
            _ => 0,
        }
    }

    /// Compares what the step has.
    pub(super) fn content(&self, old: Tree, new: Tree, work: &Work) -> Result<Content, DiffError> {
        if work.budget.is_spent() {
            return Err(DiffError::Budget);
        }
        let whole = |path, seen| Content::Whole {
            path: fs::join(new.folder, path),
            size: file_size(new.manifest, path),
            seen,
        };
        match self {
            Step::New(path) => Ok(whole(path, Seen::default())),
            Step::Change(path, from) => {
                let largest = file_size(old.manifest, from).max(file_size(new.manifest, path));
                if largest >= work.format.max_diff_size() {
                    return Ok(whole(path, Seen::default()));
                }
                let before = Bytes::open(&fs::join(old.folder, from), IN_MEMORY)?;
                let after = Bytes::open(&fs::join(new.folder, path), IN_MEMORY)?;
                let mut seen = Seen::default();
                let found = encode::difference(&before, &after, work, &mut seen)?;
                // What is found when the time is over is not all there is.
                if work.budget.is_spent() {
                    return Err(DiffError::Budget);
                }
                Ok(match found {
                    Some(found) => Content::Diff(Box::new(found), seen),
                    None => whole(path, seen),
                })
            }
            _ => Ok(Content::Nothing),
        }
    }

    pub(super) fn write(
        &self,
        new: &Manifest,
        content: &Content,
        out: &mut Vec<u8>,
        summary: &mut Summary,
    ) {
        let mut operation = |code: u8, path: &str| {
            out.push(code);
            if !matches!(code, op::REMOVE | op::LINK) {
                number(out, u64::from(new.entries[path].mode));
            }
            string(out, path);
        };
        match (self, content) {
            (Step::Remove(path), _) => {
                operation(op::REMOVE, path);
                summary.removed += 1;
            }
            (Step::Dir(path), _) => operation(op::DIR, path),
            (Step::Link(path), _) => {
                operation(op::LINK, path);
                if let EntryKind::Link { target } = &new.entries[*path].kind {
                    string(out, target);
                }
            }
            (Step::Copy(path, from), _) => {
                operation(op::COPY, path);
                string(out, from);
                summary.moved += 1;
            }
            (Step::Change(path, from), Content::Diff(diff, _)) => {
                let code = if diff.parts.is_some() {
                    op::PARTS
                } else {
                    op::DIFF
                };
                operation(code, path);
                number(out, file_size(new, path));
                if let Some(parts) = &diff.parts {
                    streams::parts(out, from, &parts.units, &parts.parts);
                } else {
                    string(out, from);
                    streams::optional_references(out, diff.references.as_ref());
                }
                summary.changed += 1;
            }
            (Step::New(path) | Step::Change(path, _), _) => {
                operation(op::FULL, path);
                number(out, file_size(new, path));
                summary.new += 1;
            }
        }
    }
}

pub(super) fn file_size(manifest: &Manifest, path: &str) -> u64 {
    match manifest.entries[path].kind {
        EntryKind::File { size, .. } => size,
        _ => 0,
    }
}
