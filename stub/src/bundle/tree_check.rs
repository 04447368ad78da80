//! Checks a tree as a whole: links, folders that are implied, names that meet.

use crate::bundle::entry::EntryKind;
use crate::bundle::manifest::Manifest;
use crate::bundle::path_rules::{MAX_ENTRIES, MAX_PATH, MAX_PATHS, PathError, Rules};
use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};

/// The most bytes of paths that are looked up, and of steps, to follow all links.
const MAX_FOLLOWED: usize = 1 << 30;

/// Counts what a tree has, folders that are only implied too: entries and the
/// bytes of their paths are what it costs in memory.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Tally {
    entries: usize,
    pub(super) bytes: u64,
}

impl Tally {
    /// Takes in one more.
    pub(super) fn add(&mut self, path: &str, kind: &EntryKind) -> Result<(), PathError> {
        let target = match kind {
            EntryKind::Link { target } => target.len(),
            _ => 0,
        };
        self.entries += 1;
        self.bytes += (path.len() + target) as u64;
        if self.entries > MAX_ENTRIES {
            return Err(PathError::TooMany);
        }
        if self.bytes > MAX_PATHS {
            return Err(PathError::Paths);
        }
        Ok(())
    }
}

/// Returns the folders that `path` is in, the nearest first.
pub(crate) fn folders(path: &str) -> impl Iterator<Item = &str> {
    path.rmatch_indices('/').map(|(at, _)| &path[..at])
}

/// Paths of a tree by what is left of them where case does not count. Found
/// by a hash, so that no second copy of all paths is needed.
#[derive(Default)]
struct Folded<'a> {
    paths: HashMap<u64, &'a str>,
    hashes: RandomState,
}

impl<'a> Folded<'a> {
    fn get(&self, lower: &str) -> Option<&'a str> {
        let found = self.paths.get(&self.hashes.hash_one(lower)).copied();
        found.filter(|path| path.to_lowercase() == lower)
    }

    /// Takes in a path; the other one that is the same to it.
    fn insert(&mut self, path: &'a str) -> Result<(), PathError> {
        let lower = path.to_lowercase();
        if let Some(other) = self.get(&lower) {
            return Err(PathError::CaseCollision(other.into(), path.into()));
        }
        self.paths.insert(self.hashes.hash_one(&lower), path);
        Ok(())
    }
}

/// Whether `path` is in `folder`, however deep.
fn is_in(path: &str, folder: &str) -> bool {
    path.strip_prefix(folder)
        .is_some_and(|rest| rest.starts_with('/'))
}

/// Puts the segments of a link's target on the stack, first one on top.
fn push_target(todo: &mut Vec<String>, target: &str) -> Option<()> {
    if target.is_empty()
        || target.len() > MAX_PATH
        || target.starts_with('/')
        || target.contains('\\')
        || target.as_bytes().get(1) == Some(&b':')
        || target.chars().any(char::is_control)
    {
        return None;
    }
    let segments = target.split('/').filter(|s| !s.is_empty());
    todo.extend(segments.rev().map(str::to_owned));
    Some(())
}

impl Rules {
    /// Checks all paths of a tree against each other: no duplicates where
    /// case does not count, nothing inside a file or a link, no link that
    /// leads out.
    ///
    /// # Errors
    /// The first [`PathError`].
    pub fn check_tree(&self, tree: &Manifest) -> Result<(), PathError> {
        let mut tally = Tally::default();
        let mut folded = Folded::default();
        let mut before = "";
        for (path, entry) in &tree.entries {
            self.check_path(path)?;
            tally.add(path, &entry.kind)?;
            for folder in folders(path) {
                match tree.entries.get(folder).map(|e| &e.kind) {
                    // Its own folders are looked at with itself.
                    Some(EntryKind::Dir) => break,
                    Some(_) => return Err(PathError::NotAFolder(path.clone(), folder.into())),
                    // Without an entry of its own it is only implied, which a
                    // difference in case could turn into a link. What is in one
                    // folder comes one after the other.
                    None if is_in(before, folder) => break,
                    None => {
                        tally.add(folder, &EntryKind::Dir)?;
                        if self.case_insensitive {
                            folded.insert(folder)?;
                        }
                    }
                }
            }
            if self.case_insensitive {
                folded.insert(path)?;
            }
            before = path;
        }
        let mut followed = 0;
        for (path, entry) in &tree.entries {
            if let EntryKind::Link { target } = &entry.kind {
                self.check_link(tree, &folded, path, target, &mut followed)?;
            }
        }
        Ok(())
    }

    fn check_link(
        &self,
        tree: &Manifest,
        folded: &Folded,
        path: &str,
        target: &str,
        followed: &mut usize,
    ) -> Result<(), PathError> {
        let escapes = || PathError::LinkEscapes(path.into(), target.into());
        let mut left = 40; // as many hops as Linux follows
        let mut place: Vec<String> = path.split('/').map(str::to_owned).collect();
        place.pop();
        let mut todo: Vec<String> = Vec::new();
        push_target(&mut todo, target).ok_or_else(escapes)?;
        while let Some(segment) = todo.pop() {
            // What a step costs, however short the path.
            *followed += 64;
            if *followed > MAX_FOLLOWED {
                return Err(PathError::Links);
            }
            match segment.as_str() {
                "." => continue,
                ".." => {
                    place.pop().ok_or_else(escapes)?;
                    continue;
                }
                _ => place.push(segment),
            }
            let here = place.join("/");
            *followed += here.len();
            let entry = tree.entries.get(&here).or_else(|| {
                // Where case does not count, so does a link's way through.
                self.case_insensitive
                    .then(|| tree.entries.get(folded.get(&here.to_lowercase())?))
                    .flatten()
            });
            if let Some(EntryKind::Link { target }) = entry.map(|e| &e.kind) {
                left -= 1;
                if left == 0 {
                    return Err(PathError::LinkLoop(path.into()));
                }
                place.pop();
                push_target(&mut todo, target).ok_or_else(escapes)?;
            }
        }
        Ok(())
    }
}
