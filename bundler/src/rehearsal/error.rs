//! Says why an update did not work when it was tried.

use notsotuf_stub::fs::FsError;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

/// Says why an update did not work when it was tried.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RehearsalError {
    /// A file system call failed.
    #[error(transparent)]
    Fs(#[from] FsError),
    /// This program cannot be started once more.
    #[error("cannot run this program's own commands: {0}")]
    ThisProgram(#[source] io::Error),
    /// One of its commands failed.
    #[error("notsotuf {command} failed: {reason}")]
    Command {
        /// Which one.
        command: String,
        /// What it said.
        reason: String,
    },
    /// The project's settings for installs cannot be used.
    #[error("[client] in the project settings: {0}")]
    Settings(String),
    /// The stub cannot be started.
    #[error("cannot start {program:?}: {source}")]
    Start {
        /// The stub.
        program: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The old version ends in another way than with exit code 0.
    #[error(
        "the application ends with {end} before there is any update{output}; if it needs arguments \
         to end by itself, give them after `--`"
    )]
    Unhealthy {
        /// How it ended.
        end: String,
        /// What it wrote, after a line break.
        output: String,
    },
    /// It was ended before it could have failed.
    #[error(
        "the new version was ended after {} s, within its probation of {} s, so nobody knows whether \
         it works; give it more time with --for",
        limit.as_secs_f64(),
        probation.as_secs_f64()
    )]
    TooShort {
        /// What it had.
        limit: Duration,
        /// What it needs.
        probation: Duration,
    },
    /// Another version is installed than expected.
    #[error(
        "after a start, version {found} is installed, not {wanted} (1.0 stands for the old bundle, \
         1.1 for the new one){output}\nlog of the stub:\n{log}"
    )]
    NotInstalled {
        /// What should be.
        wanted: String,
        /// What is.
        found: String,
        /// What the application wrote, after a line break.
        output: String,
        /// The end of the stub's log.
        log: String,
    },
    /// The stub did not go back.
    #[error("going back failed: {reason}\nlog of the stub:\n{log}")]
    RollBack {
        /// What it said.
        reason: String,
        /// The end of the stub's log.
        log: String,
    },
}
