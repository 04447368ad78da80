//! Makes patches in the per-file format, which `docs/reference/patch-format.md`
//! describes.

mod blocks;
mod budget;
mod compare;
mod container;
mod encode;
mod error;
mod index;
mod matches;
mod module;
mod pack;
mod program;
mod search;
mod steps;
mod streams;
mod tree;
mod view;
mod windows;
mod work;

pub(crate) use budget::Budget;
pub(crate) use container::{Flat, Why};
use encode::{FileDiff, Seen};
pub(crate) use error::DiffError;
pub(crate) use matches::Coarse;
use steps::{Content, Step, plan};
pub(crate) use tree::{Summary, Tree};

use crate::patch::bytes::Scratch;
use indicatif::ProgressBar;
use notsotuf_stub::bundle::patch::Format;
use notsotuf_stub::fs;
use std::io::{self, BufWriter};
use std::path::Path;
use streams::number;

/// Names the file that brings most of what cannot be had from the old tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Heaviest {
    /// The file.
    pub path: String,
    /// Bytes before they are compressed.
    pub literals: u64,
}

/// Says what the release engineer can make better.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Noticed {
    /// The file that brings most.
    pub heaviest: Option<Heaviest>,
    /// Members that are compared as they are, by the path of their file.
    pub flat: Vec<(String, Vec<Flat>)>,
    /// Files in which only the order of the members changed.
    pub reordered: Vec<String>,
    /// Files of which so many bytes were compared block by block only, as the
    /// time was short.
    pub hurried: Vec<(String, u64)>,
}

/// Writes the new file `patch`, which leads from `old` to `new`. The same
/// trees give the same bytes, on any machine.
///
/// # Errors
/// [`DiffError`]; [`DiffError::Budget`] if it takes longer.
pub(crate) fn diff(
    old: Tree,
    new: Tree,
    patch: &Path,
    format: Format,
    budget: Budget,
    bar: impl FnOnce(u64) -> ProgressBar,
) -> Result<(Summary, Noticed), DiffError> {
    let written = |source: io::Error| match source.kind() {
        io::ErrorKind::TimedOut if budget.is_spent() => DiffError::Budget,
        _ => DiffError::Write {
            path: patch.into(),
            source,
        },
    };
    let steps = plan(old.manifest, new.manifest);
    let bar = bar(steps.iter().map(|step| step.size(new.manifest)).sum());
    let scratch = Scratch::new_in(patch.parent().unwrap_or(patch))?;
    let contents = compare::compare(&steps, old, new, format, budget, (&scratch, &bar))?;
    let noticed = noticed(&steps, &contents);
    let mut summary = Summary::kept(old.manifest, new.manifest);
    let mut operations = Vec::new();
    number(&mut operations, steps.len() as u64);
    for (step, content) in steps.iter().zip(&contents) {
        step.write(new.manifest, content, &mut operations, &mut summary);
    }
    let parts = pack::pack(&operations, &contents, format, budget, &scratch).map_err(written)?;
    drop(contents);
    let mut file = BufWriter::new(fs::create_new(patch)?);
    streams::write(format.magic(), &parts, &mut file).map_err(written)?;
    let file = file.into_inner().map_err(|e| written(e.into_error()))?;
    file.sync_all().map_err(written)?;
    bar.finish_and_clear();
    Ok((summary, noticed))
}

fn noticed(steps: &[Step], contents: &[Content]) -> Noticed {
    let mut noticed = Noticed {
        heaviest: heaviest(steps, contents),
        ..Noticed::default()
    };
    for (step, content) in steps.iter().zip(contents) {
        let (Step::Change(path, _), Some(seen)) = (step, content.seen()) else {
            continue;
        };
        if seen.reordered {
            noticed.reordered.push((*path).to_owned());
        }
        if seen.coarse.in_blocks > 0 {
            let bytes = seen.coarse.in_blocks;
            noticed.hurried.push(((*path).to_owned(), bytes));
        }
        if !seen.flat.is_empty() {
            noticed.flat.push(((*path).to_owned(), seen.flat.clone()));
        }
    }
    noticed
}

fn heaviest(steps: &[Step], contents: &[Content]) -> Option<Heaviest> {
    let all = steps.iter().zip(contents).filter_map(|(step, content)| {
        let (Step::Change(path, _) | Step::New(path)) = step else {
            return None;
        };
        let literals = match content {
            Content::Nothing => 0,
            Content::Whole { size, .. } => *size,
            Content::Diff(diff, _) => diff.literals.len() as u64,
        };
        Some((literals, path))
    });
    let (literals, path) = all.max()?;
    Some(Heaviest {
        path: (*path).to_owned(),
        literals,
    })
}

/// Says what one file adds to a patch.
#[derive(Debug)]
pub(crate) struct Part {
    /// The file.
    pub path: String,
    /// `changed`, `new`, `moved`, `removed`, `folder` or `link`.
    pub what: &'static str,
    /// What it takes in the patch, compressed by itself.
    pub bytes: u64,
    /// What it takes on disk.
    pub size: u64,
    /// If it is a container that was looked into, what changed in it.
    pub members: Vec<MemberPart>,
    /// What of it was compared with less than all of the old file.
    pub coarse: Coarse,
}

/// Says what one member of a container adds to a patch.
#[derive(Debug)]
pub(crate) struct MemberPart {
    /// What the container calls it.
    pub name: String,
    /// How it is compared, or why it is not.
    pub how: String,
    /// What it takes in the patch, compressed by itself; `None` if that is not
    /// known apart from the file.
    pub bytes: Option<u64>,
    /// Plain bytes; 0 if they are not known.
    pub size: u64,
}

/// Compares two trees as [`diff`] does, and tells what the patch would hold. Files
/// can be written in `folder`.
///
/// # Errors
/// [`DiffError`].
pub(crate) fn explain(
    old: Tree,
    new: Tree,
    format: Format,
    budget: Budget,
    folder: &Path,
    bar: impl FnOnce(u64) -> ProgressBar,
) -> Result<(Summary, Vec<Part>), DiffError> {
    let steps = plan(old.manifest, new.manifest);
    let bar = bar(steps.iter().map(|step| step.size(new.manifest)).sum());
    let scratch = Scratch::new_in(folder)?;
    let contents = compare::compare(&steps, old, new, format, budget, (&scratch, &bar))?;
    let mut summary = Summary::kept(old.manifest, new.manifest);
    let mut parts = Vec::new();
    for (step, content) in steps.iter().zip(&contents) {
        let mut operation = Vec::new();
        step.write(new.manifest, content, &mut operation, &mut summary);
        let (what, path) = match (step, content) {
            (Step::Remove(path), _) => ("removed", path),
            (Step::Dir(path), _) => ("folder", path),
            (Step::Link(path), _) => ("link", path),
            (Step::Copy(path, _), _) => ("moved", path),
            (Step::Change(path, _), Content::Diff(..)) => ("changed", path),
            (Step::New(path) | Step::Change(path, _), _) => ("new", path),
        };
        let written = |source| DiffError::Write {
            path: fs::join(new.folder, path),
            source,
        };
        parts.push(Part {
            path: (*path).to_owned(),
            what,
            bytes: packed_size(&operation, content, format, &scratch).map_err(written)?,
            size: step.size(new.manifest),
            members: members(content, format, &scratch).map_err(written)?,
            coarse: content.seen().map(|seen| seen.coarse).unwrap_or_default(),
        });
    }
    bar.finish_and_clear();
    Ok((summary, parts))
}

/// Counts what one file or member takes in a patch, compressed by itself.
fn packed_size(
    operation: &[u8],
    content: &Content,
    format: Format,
    scratch: &Scratch,
) -> io::Result<u64> {
    let content = std::slice::from_ref(content);
    let streams = pack::pack(operation, content, format, Budget::UNLIMITED, scratch)?;
    Ok(streams.iter().map(|stream| stream.data.len() as u64).sum())
}

/// Lists the members of a file that were looked into, and those that could not
/// be.
fn members(content: &Content, format: Format, scratch: &Scratch) -> io::Result<Vec<MemberPart>> {
    let mut members = match content {
        Content::Diff(diff, _) => looked_into(diff, format, scratch)?,
        _ => Vec::new(),
    };
    let flat = content.seen().map_or(&[][..], |seen| &seen.flat);
    members.extend(flat.iter().map(|flat| MemberPart {
        name: flat.name.clone(),
        how: format!("kept compressed: {}", flat.why),
        bytes: None,
        size: 0,
    }));
    Ok(members)
}

fn looked_into(diff: &FileDiff, format: Format, scratch: &Scratch) -> io::Result<Vec<MemberPart>> {
    let mut members = Vec::new();
    let Some(parts) = &diff.parts else {
        return Ok(members);
    };
    for (n, (part, name)) in parts.parts.iter().zip(&parts.names).enumerate() {
        let Some(name) = name else { continue };
        let content = Content::Diff(Box::new(diff.of_part(parts, n)), Seen::default());
        members.push(MemberPart {
            name: name.clone(),
            how: match part.recipe {
                None => "stored".into(),
                Some(recipe) => recipe.to_string(),
            },
            bytes: Some(packed_size(&[], &content, format, scratch)?),
            size: part.size,
        });
    }
    Ok(members)
}

#[cfg(test)]
mod tests;
