//! Which paths may occur in a bundle. Everything that names a path (archive,
//! patch, stored record) passes here before a file is touched.

use super::manifest::{Kind, Manifest};
use std::collections::{BTreeMap, HashMap};

/// The longest path in a bundle, in bytes.
pub const MAX_PATH: usize = 4096;
/// The most entries in a bundle.
pub const MAX_ENTRIES: usize = 200_000;
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
    /// Too many entries.
    #[error("more than {MAX_ENTRIES} entries")]
    TooMany,
    /// Too many bytes.
    #[error("more than {MAX_TOTAL} bytes")]
    TooLarge,
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
        if tree.entries.len() > MAX_ENTRIES {
            return Err(Refusal::TooMany);
        }
        let mut folded: HashMap<String, &str> = HashMap::new();
        for (path, entry) in &tree.entries {
            self.check_path(path)?;
            if self.case_insensitive
                && let Some(other) = folded.insert(path.to_lowercase(), path)
            {
                return Err(Refusal::CaseCollision(other.into(), path.clone()));
            }
            let mut parent = path.as_str();
            while let Some((folder, _)) = parent.rsplit_once('/') {
                parent = folder;
                // A folder without an entry of its own is only implied, which
                // a difference in case could turn into a link.
                let found = tree.entries.get(folder).map(|e| &e.kind);
                if found.is_some_and(|kind| *kind != Kind::Dir) {
                    return Err(Refusal::NotAFolder(path.clone(), folder.into()));
                }
            }
            if let Kind::Link { target } = &entry.kind {
                self.check_link(tree, path, target)?;
            }
        }
        if self.case_insensitive {
            self.check_implied_folders(tree, &folded)?;
        }
        Ok(())
    }

    fn check_implied_folders(
        &self,
        tree: &Manifest,
        folded: &HashMap<String, &str>,
    ) -> Result<(), Refusal> {
        let mut spelled: BTreeMap<String, &str> = BTreeMap::new();
        for path in tree.entries.keys() {
            let mut parent = path.as_str();
            while let Some((folder, _)) = parent.rsplit_once('/') {
                parent = folder;
                let lower = folder.to_lowercase();
                let known = folded
                    .get(&lower)
                    .copied()
                    .or_else(|| spelled.insert(lower, folder));
                if let Some(other) = known
                    && other != folder
                {
                    return Err(Refusal::CaseCollision(other.into(), folder.into()));
                }
            }
        }
        Ok(())
    }

    fn check_link(&self, tree: &Manifest, path: &str, target: &str) -> Result<(), Refusal> {
        let escapes = || Refusal::LinkEscapes(path.into(), target.into());
        let mut left = 40; // as many hops as Linux follows
        let mut place: Vec<String> = path.split('/').map(str::to_owned).collect();
        place.pop();
        let mut todo: Vec<String> = Vec::new();
        push_target(&mut todo, target).ok_or_else(escapes)?;
        while let Some(segment) = todo.pop() {
            match segment.as_str() {
                "." => continue,
                ".." => {
                    place.pop().ok_or_else(escapes)?;
                    continue;
                }
                _ => place.push(segment),
            }
            let here = place.join("/");
            let entry = tree.entries.get(&here).or_else(|| {
                // Where case does not count, so does a link's way through.
                self.case_insensitive
                    .then(|| {
                        let lower = here.to_lowercase();
                        tree.entries
                            .iter()
                            .find(|(p, _)| p.to_lowercase() == lower)
                            .map(|(_, e)| e)
                    })
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
