//! Says why an update did not work when it was tried.

use super::plan::Bundle;
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
    /// A version ends in another way than with exit code 0.
    #[error(
        "the {bundle} version ends with {end}{output}\nif it needs arguments to end by itself, \
         give them after `--`"
    )]
    Unhealthy {
        /// Which one.
        bundle: Bundle,
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
        "after a start, version {found} is installed, not {} ({} stands for the old bundle, \
         {} for the new one){output}\nlog of the stub:\n{log}",
        wanted.version(),
        Bundle::Old.version(),
        Bundle::New.version()
    )]
    NotInstalled {
        /// What should be.
        wanted: Bundle,
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
