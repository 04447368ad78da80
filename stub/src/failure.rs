//! Names the three classes of problem that matter to a user.

use std::fmt;

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

impl fmt::Display for FailureKind {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
