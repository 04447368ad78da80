//! Finds what is called nearly like something that is not there.

use notsotuf_stub::fs::{self, FsError};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// Finds what lies where `missing` should, or in PyInstaller's folder, and is
/// called something like it.
pub(super) fn near_names(missing: &Path) -> Result<Vec<PathBuf>, FsError> {
    let name = missing.file_name().and_then(|name| name.to_str());
    let Some(name) = name.map(str::to_lowercase) else {
        return Ok(Vec::new());
    };
    let folder = missing.parent().unwrap_or_else(|| Path::new(""));
    let here = if folder.as_os_str().is_empty() {
        Path::new(".")
    } else {
        folder
    };
    let mut near = Vec::new();
    for place in [
        here.to_path_buf(),
        here.join("dist"),
        folder.join("../dist"),
    ] {
        for path in fs::list(&place).unwrap_or_default() {
            let other = path.file_name().and_then(|name| name.to_str());
            let Some(other) = other.map(str::to_lowercase) else {
                continue;
            };
            let stem = other.split('.').next().unwrap_or(&other);
            let similar = distance(&name, &other) <= 2.min(name.len() / 2)
                || stem == name
                || (stem.len() >= 3 && (name.starts_with(stem) || stem.starts_with(&name)));
            if similar {
                near.push(path.strip_prefix("./").unwrap_or(&path).to_path_buf());
            }
        }
    }
    // The same may be reached in more than one way: those in dist/ as `../dist/`, too.
    let mut seen = BTreeSet::new();
    near.retain(|path| seen.insert(path.canonicalize().unwrap_or_else(|_| path.clone())));
    near.truncate(3);
    Ok(near)
}

/// Counts how many letters must be changed, added or removed (Levenshtein).
pub(super) fn distance(one: &str, other: &str) -> usize {
    let other: Vec<char> = other.chars().collect();
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (n, a) in one.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = n + 1;
        for (m, b) in other.iter().enumerate() {
            let change = diagonal + usize::from(a != *b);
            diagonal = row[m + 1];
            row[m + 1] = change.min(row[m] + 1).min(row[m + 1] + 1);
        }
    }
    row[other.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_distance_of_names_counts_changed_letters() {
        for (one, other, expected) in [
            ("hello", "hello", 0),
            ("helo", "hello", 1),
            ("hlelo", "hello", 2),
            ("", "abc", 3),
            ("kitten", "sitting", 3),
        ] {
            assert_eq!(distance(one, other), expected, "{one} {other}");
        }
    }
}
