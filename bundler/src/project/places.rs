//! Finds out where folders really are, and refuses those that would give secrets
//! away.

use super::Project;
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

/// Checks that what is secret is not in the folder that is published.
///
/// # Errors
/// What is where it should not be, and what to do.
pub(super) fn check(project: &Project) -> Result<(), String> {
    let (keystore, repository) = (&project.settings.keystore, &project.settings.repository);
    if is_published(project, project.root()) {
        return Err(format!(
            "with repository = {repository:?} the folder of the project would be published, with \
             all that is in it: name a folder of its own (repository = \"repository\"), and move \
             `metadata` and `targets` there if there are any"
        ));
    }
    if is_published(project, &project.keystore()) {
        return Err(format!(
            "keystore = {keystore:?} is in the folder that is published, repository = \
             {repository:?}, and private keys would be published with it: name another folder \
             (keystore = \"keystore\"), and move the keys there if there are any"
        ));
    }
    Ok(())
}

/// Returns whether a folder is published, as part of the repository.
pub(crate) fn is_published(project: &Project, folder: &Path) -> bool {
    resolved(folder).starts_with(resolved(&project.repository()))
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
