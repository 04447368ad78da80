//! Unix: this process becomes the application, so signals, exit code,
//! standard streams and process id need no passing on.

use std::io;
use std::os::unix::process::CommandExt;
use std::process::{Command, ExitCode};

/// Does not return unless it fails. `started` is never called: files that
/// are not to survive are closed by exec itself.
pub fn run(mut command: Command, _started: impl FnOnce()) -> io::Result<ExitCode> {
    command.args(std::env::args_os().skip(1));
    Err(command.exec())
}
