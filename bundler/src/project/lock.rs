//! Lets one command at a time change a project. The lock belongs to an open
//! file, so the system drops it with the process, however it ends.

use crate::output::complain;
use notsotuf_stub::fs::FsError;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, Write};
use std::path::Path;

/// The file, beside the settings.
const FILE: &str = ".notsotuf-lock";

/// Says why a project cannot be locked.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LockError {
    /// A file system call failed.
    #[error(transparent)]
    Fs(#[from] FsError),
    /// Another command has the lock.
    #[error("{holder} is changing this project right now; try again when it has finished")]
    Busy {
        /// The other command, as far as it is known.
        holder: String,
    },
}

/// Gives the right to change a project, until this is dropped.
#[derive(Debug)]
pub(crate) struct Lock {
    _file: File,
}

/// Says what happens while another command has the lock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum WhenBusy {
    /// It is said, and waited for.
    Wait,
    /// It is an error.
    Refuse,
}

impl Lock {
    /// Takes the lock of the project in `folder` for `command`.
    ///
    /// # Errors
    /// [`LockError`].
    pub(crate) fn acquire(
        folder: &Path,
        command: &str,
        when_busy: WhenBusy,
    ) -> Result<Self, LockError> {
        let path = folder.join(FILE);
        let mut file = OpenOptions::new()
            .create(true)
            .truncate(false)
            .read(true)
            .write(true)
            .open(&path)
            .map_err(|e| FsError::new("open", &path, e))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) if when_busy == WhenBusy::Wait => {
                complain(format!(
                    "waiting: {} is changing this project",
                    holder(&path)
                ));
                file.lock().map_err(|e| FsError::new("lock", &path, e))?;
            }
            Err(TryLockError::WouldBlock) => {
                let holder = holder(&path);
                return Err(LockError::Busy { holder });
            }
            Err(TryLockError::Error(e)) => return Err(FsError::new("lock", &path, e).into()),
        }
        note(&mut file, &path, command)?;
        Ok(Lock { _file: file })
    }
}

/// Writes who has the lock, for those who wait.
fn note(file: &mut File, path: &Path, command: &str) -> Result<(), FsError> {
    let name = format!("notsotuf {command}");
    let text = format!("`{name}` (process {})\n", std::process::id());
    file.set_len(0)
        .and_then(|()| file.rewind())
        .and_then(|()| file.write_all(text.as_bytes()))
        .map_err(|e| FsError::new("write", path, e))
}

/// Reads who has the lock. Windows lets nobody else read the file meanwhile.
fn holder(path: &Path) -> String {
    let mut text = String::new();
    let read = File::open(path).and_then(|file| file.take(200).read_to_string(&mut text));
    let line = text.lines().next().unwrap_or_default();
    let plain = !line.is_empty() && line.chars().all(|c| !c.is_control());
    if read.is_ok() && plain {
        line.to_owned()
    } else {
        "another command".into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_second_is_told_of_the_first_and_a_dropped_lock_is_free() {
        let folder = tempfile::tempdir().unwrap();
        let first = Lock::acquire(folder.path(), "add", WhenBusy::Refuse).unwrap();
        let refused = Lock::acquire(folder.path(), "publish", WhenBusy::Refuse).unwrap_err();
        let said = refused.to_string();
        if cfg!(unix) {
            assert!(said.starts_with("`notsotuf add` (process "), "{said}");
        }
        drop(first);
        Lock::acquire(folder.path(), "publish", WhenBusy::Refuse).unwrap();
    }
}
