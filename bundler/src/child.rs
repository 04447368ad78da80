//! Starts other programs: signers, rsync. They get the environment of this one,
//! but no passphrases, which are of keys that they have no use for, and they
//! end when this one is ended.

use crate::interrupt;
use std::ffi::OsStr;
use std::io;
use std::process::{Child, Command, Output};

/// Begins the names of variables with passphrases.
pub(crate) const PASSPHRASE: &str = "NOTSOTUF_PASSPHRASE";

/// Names the variable with a token for this program alone.
pub(crate) const GITHUB_TOKEN: &str = "NOTSOTUF_GITHUB_TOKEN";

/// Returns a command without this program's passphrases in its environment.
pub(crate) fn command(program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(program);
    for (name, _) in std::env::vars_os() {
        // The names of variables know no case on Windows.
        let upper = name.to_string_lossy().to_uppercase();
        if upper.starts_with(PASSPHRASE) || upper == GITHUB_TOKEN {
            command.env_remove(name);
        }
    }
    command
}

/// Waits for the end of a child, which does not outlive this program.
///
/// # Errors
/// The system's.
pub(crate) fn wait(child: Child) -> io::Result<Output> {
    let id = child.id();
    interrupt::child_began(id);
    let output = child.wait_with_output();
    interrupt::child_ended(id);
    output
}
