//! Finds out where folders really are.

use std::path::{Component, Path, PathBuf};

/// Returns the whole path of a folder, through links, without `.` and `..`, so
/// that it can be compared with others. It need not be there yet.
pub(crate) fn resolved(folder: &Path) -> PathBuf {
    let whole = std::path::absolute(folder).unwrap_or_else(|_| folder.into());
    let mut found = PathBuf::new();
    for part in whole.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir => {
                found.pop();
            }
            Component::Normal(name) => {
                found.push(name);
                // Step by step: `..` after a link leads out of its target.
                found = std::fs::canonicalize(&found).unwrap_or(found);
            }
            Component::Prefix(_) | Component::RootDir => found.push(part),
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_folder_is_the_same_however_it_is_written() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().canonicalize().unwrap();
        std::fs::create_dir_all(root.join("a/b")).unwrap();
        for same in ["a/new", "./a/./new/", "a/b/../new", "x/y/../../a/new"] {
            assert_eq!(resolved(&root.join(same)), root.join("a/new"), "{same}");
        }
        #[cfg(unix)]
        {
            std::os::unix::fs::symlink("a/b", root.join("link")).unwrap();
            assert_eq!(resolved(&root.join("link/../new")), root.join("a/new"));
        }
    }
}
