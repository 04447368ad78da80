//! Which paths may occur in a bundle. Everything that names a path (archive,
//! patch, stored record) passes here before a file is touched.

use super::manifest::{Kind, Manifest};
use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};

/// The longest path in a bundle, in bytes.
pub const MAX_PATH: usize = 4096;
/// The most entries in a bundle.
pub const MAX_ENTRIES: usize = 200_000;
/// The most folders inside each other.
pub const MAX_DEPTH: usize = 128;
/// The most bytes of all paths of a bundle and of the targets of its links, with
/// folders that are only implied.
pub const MAX_PATHS: u64 = 24 << 20;
/// The most bytes of paths that are looked up, and of steps, to follow all links.
const MAX_FOLLOWED: usize = 1 << 30;
/// The most bytes a bundle may unpack to.
pub const MAX_TOTAL: u64 = 16 << 30;
/// The record of a release, at the top of its folder; no bundle may bring one.
pub const RECORD: &str = ".notsotuf-release";

/// What the file system of the target machine cannot tell apart or hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rules {
    /// Refuse two paths that differ only in case.
    pub case_insensitive: bool,
    /// Refuse the names that Windows gives a meaning to.
    pub windows_names: bool,
}

/// Why a path or link is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Absolute, with a drive letter, or starting with a separator.
    #[error("{0:?} is not a relative path")]
    Absolute(String),
    /// A `..` segment.
    #[error("{0:?} leads out of the bundle")]
    Escapes(String),
    /// Empty, or with an empty, `.`, over-long or control-character segment.
    #[error("{0:?} is not a proper path")]
    Malformed(String),
    /// A name that Windows reserves or changes.
    #[error("{0:?} has a name that Windows reserves")]
    Reserved(String),
    /// The name of the release record.
    #[error("{0:?} is reserved for the updater's own record")]
    Record(String),
    /// A second entry for a path.
    #[error("{0:?} occurs twice")]
    Duplicate(String),
    /// Two paths that differ only in case.
    #[error("{0:?} and {1:?} are the same path where case does not count")]
    CaseCollision(String, String),
    /// Something inside what is not a folder.
    #[error("{0:?} lies inside {1:?}, which is not a folder")]
    NotAFolder(String, String),
    /// A link whose target is outside the bundle, directly or through others.
    #[error("the link {0:?} leads out of the bundle, to {1:?}")]
    LinkEscapes(String, String),
    /// A link that leads to itself.
    #[error("the link {0:?} leads in a circle")]
    LinkLoop(String),
    /// Inside too many folders.
    #[error("{0:?} lies more than {MAX_DEPTH} folders deep")]
    TooDeep(String),
    /// Links through links through links.
    #[error("its links lead through too many others")]
    Links,
    /// A header that names a member has too much to say.
    #[error("a name or header in it is far too long")]
    Extension,
    /// Too many bytes of paths.
    #[error("more than {MAX_PATHS} bytes of paths")]
    Paths,
    /// Too many entries.
    #[error("more than {MAX_ENTRIES} entries")]
    TooMany,
    /// Too many bytes.
    #[error("more than {MAX_TOTAL} bytes")]
    TooLarge,
}

/// Counts what a tree has, folders that are only implied too: entries and the
/// bytes of their paths are what it costs in memory.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Tally {
    entries: usize,
    bytes: u64,
}

impl Tally {
    /// Takes in one more.
    pub fn add(&mut self, path: &str, kind: &Kind) -> Result<(), Refusal> {
        let target = match kind {
            Kind::Link { target } => target.len(),
            _ => 0,
        };
        self.entries += 1;
        self.bytes += (path.len() + target) as u64;
        if self.entries > MAX_ENTRIES {
            return Err(Refusal::TooMany);
        }
        if self.bytes > MAX_PATHS {
            return Err(Refusal::Paths);
        }
        Ok(())
    }
}

/// The folders that `path` is in, the nearest first.
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
    fn insert(&mut self, path: &'a str) -> Result<(), Refusal> {
        let lower = path.to_lowercase();
        if let Some(other) = self.get(&lower) {
            return Err(Refusal::CaseCollision(other.into(), path.into()));
        }
        self.paths.insert(self.hashes.hash_one(&lower), path);
        Ok(())
    }
}

impl Rules {
    /// The rules of the machine this runs on.
    pub fn host() -> Self {
        Rules {
            case_insensitive: cfg!(any(windows, target_os = "macos")),
            windows_names: cfg!(windows),
        }
    }

    /// The rules under which a bundle works on every platform.
    pub fn portable() -> Self {
        Rules {
            case_insensitive: true,
            windows_names: true,
        }
    }

    /// Checks one path by itself: relative, `/`-separated, no `.` or `..`.
    ///
    /// # Errors
    /// The [`Refusal`] that names the path.
    pub fn check_path(&self, path: &str) -> Result<(), Refusal> {
        let owned = || path.to_owned();
        if path.starts_with(['/', '\\']) || path.as_bytes().get(1) == Some(&b':') {
            return Err(Refusal::Absolute(owned()));
        }
        if path.is_empty() || path.len() > MAX_PATH {
            return Err(Refusal::Malformed(owned()));
        }
        if path.bytes().filter(|&b| b == b'/').count() > MAX_DEPTH {
            return Err(Refusal::TooDeep(owned()));
        }
        for segment in path.split('/') {
            // A backslash separates segments on Windows, so it is refused on
            // every platform rather than meaning two things.
            if segment == ".." || segment.split('\\').any(|s| s == "..") {
                return Err(Refusal::Escapes(owned()));
            }
            if segment.is_empty()
                || segment == "."
                || segment.len() > 255
                || segment.contains('\\')
                || segment.chars().any(char::is_control)
            {
                return Err(Refusal::Malformed(owned()));
            }
            if self.windows_names && reserved_on_windows(segment) {
                return Err(Refusal::Reserved(owned()));
            }
        }
        if path
            .split('/')
            .next()
            .is_some_and(|first| first.eq_ignore_ascii_case(RECORD))
        {
            return Err(Refusal::Record(owned()));
        }
        Ok(())
    }

    /// Checks all paths of a tree against each other: no duplicates where
    /// case does not count, nothing inside a file or a link, no link that
    /// leads out.
    ///
    /// # Errors
    /// The first [`Refusal`].
    pub fn check_tree(&self, tree: &Manifest) -> Result<(), Refusal> {
        let mut tally = Tally::default();
        let mut folded = Folded::default();
        let mut before = "";
        for (path, entry) in &tree.entries {
            self.check_path(path)?;
            tally.add(path, &entry.kind)?;
            for folder in folders(path) {
                match tree.entries.get(folder).map(|e| &e.kind) {
                    // Its own folders are looked at with itself.
                    Some(Kind::Dir) => break,
                    Some(_) => return Err(Refusal::NotAFolder(path.clone(), folder.into())),
                    // Without an entry of its own it is only implied, which a
                    // difference in case could turn into a link. What is in one
                    // folder comes one after the other.
                    None if is_in(before, folder) => break,
                    None => {
                        tally.add(folder, &Kind::Dir)?;
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
            if let Kind::Link { target } = &entry.kind {
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
    ) -> Result<(), Refusal> {
        let escapes = || Refusal::LinkEscapes(path.into(), target.into());
        let mut left = 40; // as many hops as Linux follows
        let mut place: Vec<String> = path.split('/').map(str::to_owned).collect();
        place.pop();
        let mut todo: Vec<String> = Vec::new();
        push_target(&mut todo, target).ok_or_else(escapes)?;
        while let Some(segment) = todo.pop() {
            // What a step costs, however short the path.
            *followed += 64;
            if *followed > MAX_FOLLOWED {
                return Err(Refusal::Links);
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
            if let Some(Kind::Link { target }) = entry.map(|e| &e.kind) {
                left -= 1;
                if left == 0 {
                    return Err(Refusal::LinkLoop(path.into()));
                }
                place.pop();
                push_target(&mut todo, target).ok_or_else(escapes)?;
            }
        }
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

/// Names that mean a device, or that Windows stores as something else
/// (<https://learn.microsoft.com/windows/win32/fileio/naming-a-file>).
fn reserved_on_windows(name: &str) -> bool {
    if name.ends_with(['.', ' ']) || name.contains(['<', '>', ':', '"', '|', '?', '*']) {
        return true;
    }
    let stem = name.split('.').next().unwrap_or(name).trim_end();
    let stem = stem.to_ascii_uppercase();
    if matches!(
        stem.as_str(),
        "CON" | "PRN" | "AUX" | "NUL" | "CONIN$" | "CONOUT$"
    ) {
        return true;
    }
    let mut chars = stem.chars();
    let device: String = chars.by_ref().take(3).collect();
    let number = chars.as_str();
    matches!(device.as_str(), "COM" | "LPT")
        && matches!(
            number,
            "0" | "1" | "2" | "3" | "4" | "5" | "6" | "7" | "8" | "9" | "¹" | "²" | "³"
        )
}
