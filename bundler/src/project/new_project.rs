//! Writes the files of a new project: all of them, or none.
//!
//! A journal names the files before the first of them is written. If the
//! process is killed before the last one is there, the next `init` finds the
//! journal, and removes what it names and nobody has changed since.

use crate::interrupt;
use crate::keys::write_private_file;
use notsotuf_stub::fs::{self, FsError};
use notsotuf_stub::hex::sha256_hex;
use serde_json::{Value, json};
use std::io::Write;
use std::path::{Path, PathBuf};

/// Names the file that is there from the first file of a project to the last.
const JOURNAL: &str = ".notsotuf-init.json";

/// The most that is read of a file that `init` wrote, the journal among them.
const MAX_SIZE: u64 = 1 << 20;

/// Holds a file that a new project will have.
pub(crate) struct NewFile {
    /// Where.
    pub path: PathBuf,
    /// What.
    pub bytes: Vec<u8>,
    /// Whether only this user is to read it.
    pub secret: bool,
}

impl NewFile {
    /// Names a file that everybody may read.
    pub(crate) fn open(path: PathBuf, bytes: impl Into<Vec<u8>>) -> Self {
        NewFile {
            path,
            bytes: bytes.into(),
            secret: false,
        }
    }

    /// Names a file that only this user may read.
    pub(crate) fn secret(path: PathBuf, bytes: impl Into<Vec<u8>>) -> Self {
        NewFile {
            secret: true,
            ..Self::open(path, bytes)
        }
    }

    fn write(&self) -> Result<(), FsError> {
        fs::create_dir_all(self.path.parent().unwrap_or_else(|| Path::new(".")))?;
        if self.secret {
            write_private_file(&self.path, &self.bytes)
        } else {
            fs::write_atomically(&self.path, &self.bytes)
        }
    }

    /// Whether it is there as it was written.
    fn is_there(path: &Path, hash: &str) -> Result<bool, FsError> {
        Ok(fs::read_optional(path, MAX_SIZE)?.is_some_and(|bytes| sha256_hex(&bytes) == hash))
    }
}

/// Removes what an interrupted `init` left in the folder `root`.
///
/// # Errors
/// The file system's.
pub(crate) fn clear_up(root: &Path) -> Result<(), FsError> {
    let journal = root.join(JOURNAL);
    let Some(bytes) = fs::read_optional(&journal, MAX_SIZE)? else {
        return Ok(());
    };
    let list: Value = serde_json::from_slice(&bytes).unwrap_or_default();
    let list: Vec<(PathBuf, &str)> = list["files"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|file| Some((file["path"].as_str()?.into(), file["sha256"].as_str()?)))
        .collect();
    // The last one was there: only the journal was still to go.
    let whole = match list.last() {
        Some((path, hash)) => NewFile::is_there(path, hash)?,
        None => true,
    };
    for (path, hash) in list.iter().filter(|_| !whole) {
        if NewFile::is_there(path, hash)? {
            fs::remove_file_if_exists(path)?;
        }
        fs::sweep(path.parent().unwrap_or_else(|| Path::new(".")))?;
    }
    fs::remove_file_if_exists(&journal)
}

/// Writes the files, of which the last one makes the folder a project.
///
/// # Errors
/// The file system's; none of them is there then.
pub(crate) fn write(root: &Path, files: &[NewFile]) -> Result<(), FsError> {
    let list: Result<Vec<Value>, FsError> = files
        .iter()
        .map(|file| {
            let path =
                std::path::absolute(&file.path).map_err(|e| FsError::new("find", &file.path, e))?;
            Ok(json!({ "path": path, "sha256": sha256_hex(&file.bytes) }))
        })
        .collect();
    let list = json!({ "files": list? }).to_string();
    let _whole = interrupt::hold();
    fs::create_dir_all(root)?;
    let journal = root.join(JOURNAL);
    write_journal(&journal, &list)?;
    for (done, file) in files.iter().enumerate() {
        if let Err(e) = file.write() {
            for file in &files[..done] {
                fs::remove_file_if_exists(&file.path)?;
            }
            fs::remove_file_if_exists(&journal)?;
            return Err(e);
        }
    }
    fs::remove_file_if_exists(&journal)
}

/// Under its own name from the start: one that is not whole names nothing, and
/// nothing is there then.
fn write_journal(path: &Path, text: &str) -> Result<(), FsError> {
    let mut file = fs::create_new(path)?;
    file.write_all(text.as_bytes())
        .and_then(|()| file.sync_all())
        .map_err(|e| FsError::new("write", path, e))?;
    fs::sync_dir(path.parent().unwrap_or_else(|| Path::new(".")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files(root: &Path) -> Vec<NewFile> {
        vec![
            NewFile::secret(root.join("keys/root.pem"), "secret"),
            NewFile::open(root.join("keys/root.pub"), "public"),
            NewFile::open(root.join("settings"), "settings"),
        ]
    }

    fn names(folder: &Path) -> Vec<String> {
        let list = fs::list(folder).unwrap();
        let name = |path: &PathBuf| path.file_name().unwrap().to_str().unwrap().to_owned();
        list.iter().map(name).collect()
    }

    /// The state after a kill before the file of that number.
    fn killed_at(root: &Path, at: usize) {
        write(root, &files(root)).unwrap();
        let list: Vec<Value> = files(root)
            .iter()
            .map(|f| json!({ "path": f.path, "sha256": sha256_hex(&f.bytes) }))
            .collect();
        let list = json!({ "files": list }).to_string();
        std::fs::write(root.join(JOURNAL), list).unwrap();
        for file in &files(root)[at..] {
            std::fs::remove_file(&file.path).unwrap();
        }
    }

    #[test]
    fn what_a_kill_leaves_is_cleared_up() {
        for at in 0..3 {
            let root = tempfile::tempdir().unwrap();
            killed_at(root.path(), at);
            clear_up(root.path()).unwrap();
            assert_eq!(names(root.path()), ["keys"], "{at}");
            assert_eq!(names(&root.path().join("keys")), [""; 0], "{at}");
        }
        let root = tempfile::tempdir().unwrap();
        killed_at(root.path(), 3);
        clear_up(root.path()).unwrap();
        assert_eq!(names(root.path()), ["keys", "settings"], "it was complete");
        assert_eq!(names(&root.path().join("keys")), ["root.pem", "root.pub"]);
    }

    #[test]
    fn what_was_put_there_since_stays() {
        let root = tempfile::tempdir().unwrap();
        killed_at(root.path(), 2);
        std::fs::write(root.path().join("keys/root.pem"), "another").unwrap();
        clear_up(root.path()).unwrap();
        assert_eq!(names(&root.path().join("keys")), ["root.pem"]);
    }

    #[test]
    fn a_failure_takes_back_what_was_written() {
        let root = tempfile::tempdir().unwrap();
        std::fs::write(root.path().join("a file"), "").unwrap();
        let mut list = files(root.path());
        list[2].path = root.path().join("a file/settings");
        assert!(write(root.path(), &list).is_err());
        assert_eq!(names(root.path()), ["a file", "keys"]);
        assert_eq!(names(&root.path().join("keys")), [""; 0]);
    }
}
