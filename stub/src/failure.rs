//! Names the three classes of problem that matter to a user, and tells shortages.

use std::{fmt, io};

/// Says what kind of problem kept an update from being installed. Each one ends
/// in launching the installed application.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FailureKind {
    /// Verification failed: what was offered is not trustworthy.
    Refused,
    /// Network or repository: try again later.
    Unavailable,
    /// This machine: disk, permission, settings.
    Local,
}

impl FailureKind {
    /// Returns the word used in logs and JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            FailureKind::Refused => "refused",
            FailureKind::Unavailable => "unavailable",
            FailureKind::Local => "local",
        }
    }

    /// Returns the exit code of `--updater` commands that fail this way.
    pub fn exit_code(self) -> u8 {
        match self {
            FailureKind::Refused => 3,
            FailureKind::Unavailable => 4,
            FailureKind::Local => 5,
        }
    }
}

/// Returns whether a call failed because the disk is full, or the user's part of
/// it.
pub fn is_full(error: &io::Error) -> bool {
    let kinds = [io::ErrorKind::StorageFull, io::ErrorKind::QuotaExceeded];
    kinds.contains(&error.kind())
}

/// Returns whether a call failed because the computer has too little of
/// something at this moment: memory, processes or threads, or open files; or
/// because this process must not write files of that size.
pub fn is_shortage(error: &io::Error) -> bool {
    // EMFILE and ENFILE; ERROR_TOO_MANY_OPEN_FILES, ERROR_NO_SYSTEM_RESOURCES and
    // ERROR_COMMITMENT_LIMIT.
    let codes: &[i32] = if cfg!(windows) {
        &[4, 1450, 1455]
    } else {
        &[24, 23]
    };
    let kinds = [io::ErrorKind::WouldBlock, io::ErrorKind::OutOfMemory];
    kinds.contains(&error.kind())
        || error.kind() == io::ErrorKind::FileTooLarge && is_limited()
        || error
            .raw_os_error()
            .is_some_and(|code| codes.contains(&code))
}

/// Whether somebody has limited the size of the files that this process writes.
#[cfg(unix)]
fn is_limited() -> bool {
    use rustix::process::{Resource, getrlimit};
    getrlimit(Resource::Fsize).current.is_some()
}

#[cfg(windows)]
fn is_limited() -> bool {
    false
}

impl fmt::Display for FailureKind {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
