//! Makes temporary folders that go when this program ends: by itself, by Ctrl-C
//! or SIGTERM ([`interrupt`]), or, where it was killed, at the next run.

use crate::interrupt;
use notsotuf_stub::fs::{self, FsError};
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// Owns a temporary folder.
#[derive(Debug)]
pub(crate) struct Folder {
    folder: TempDir,
    path: PathBuf,
}

impl Folder {
    /// Makes a temporary folder in `parent`, whose name starts with `prefix`.
    /// Those of programs that were killed are removed.
    ///
    /// # Errors
    /// The file system's.
    pub(crate) fn new_in(parent: &Path, prefix: &str) -> Result<Self, FsError> {
        for path in fs::list(parent)? {
            let name = path.file_name().and_then(|name| name.to_str());
            if name.is_some_and(|name| is_abandoned(name, prefix))
                // It may be another user's.
                && let Err(e) = fs::remove_tree_if_exists(&path)
            {
                log::debug!("{e}");
            }
        }
        let folder = tempfile::Builder::new()
            .prefix(&format!("{prefix}{}-", std::process::id()))
            .tempdir_in(parent)
            .map_err(|e| FsError::new("create a folder in", parent, e))?;
        // Absolute, since the one who removes it may be asked anywhere.
        let path = std::path::absolute(folder.path()).unwrap_or_else(|_| folder.path().into());
        interrupt::folder_began(&path);
        Ok(Folder { folder, path })
    }

    /// Makes a temporary folder in the system's folder for such things.
    ///
    /// # Errors
    /// The file system's.
    pub(crate) fn new() -> Result<Self, FsError> {
        Self::new_in(&std::env::temp_dir(), ".notsotuf-")
    }

    /// Returns the path of the folder.
    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // What a bundle brings may be without write permission. If it cannot
        // be removed now, the next run tries again.
        if let Err(e) = fs::remove_tree_if_exists(self.folder.path()) {
            log::debug!("{e}");
        }
        interrupt::folder_ended(&self.path);
    }
}

/// Whether a folder of that name is of a program that does not run any more.
fn is_abandoned(name: &str, prefix: &str) -> bool {
    let id = name.strip_prefix(prefix).and_then(|rest| {
        let (id, _) = rest.split_once('-')?;
        id.parse::<u32>().ok()
    });
    id.is_some_and(|id| id != std::process::id() && !is_running(id))
}

/// Returns whether a process is running, or may be, where this cannot be told.
#[cfg(unix)]
fn is_running(id: u32) -> bool {
    let id = i32::try_from(id)
        .ok()
        .and_then(rustix::process::Pid::from_raw);
    id.is_none_or(|id| {
        let asked = rustix::process::test_kill_process(id);
        asked != Err(rustix::io::Errno::SRCH)
    })
}
#[cfg(not(unix))]
fn is_running(_: u32) -> bool {
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_goes_with_its_owner_or_when_that_is_gone() {
        let parent = tempfile::tempdir().unwrap();
        // Larger than any process number of these systems.
        let abandoned = parent.path().join(".add-999999999-abc");
        let others = [
            ".add-1-abc",
            ".add-abc",
            ".other-999999999-x",
            "999999999-x",
        ];
        for name in others {
            std::fs::create_dir(parent.path().join(name)).unwrap();
        }
        std::fs::create_dir_all(abandoned.join("sub")).unwrap();
        let folder = Folder::new_in(parent.path(), ".add-").unwrap();
        assert_eq!(abandoned.exists(), cfg!(not(unix)));
        for name in others {
            assert!(parent.path().join(name).exists(), "{name}");
        }
        let path = folder.path().to_path_buf();
        std::fs::write(path.join("file"), "x").unwrap();
        drop(folder);
        assert!(!path.exists());
    }
}
