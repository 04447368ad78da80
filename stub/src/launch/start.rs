//! Starts the application, with what it is to know in its environment.

use crate::install::{Layout, Lock, Record};
use crate::launch::LaunchError;
use crate::{fs, install, launch, say, this_program};
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

/// Says how long to wait for a stub that is replacing the bundle: a few
/// renames.
pub const COMMIT_PATIENCE: Duration = Duration::from_secs(5);

/// Names the environment variable with the path of a file; a program that makes
/// this file says that it works.
pub const READY_VARIABLE: &str = "NOTSOTUF_READY_FILE";

/// Names the environment variable that tells the application where the stub is.
pub(crate) const STUB_VARIABLE: &str = "NOTSOTUF_STUB";

pub(crate) fn start(layout: &Layout, executable: &str) -> ExitCode {
    let lock = launch_lock(layout);
    let program = fs::join(&layout.launchable(), executable);
    start_program(layout, program, lock)
}

pub(crate) fn start_program(layout: &Layout, program: PathBuf, lock: Option<Lock>) -> ExitCode {
    let result = launch::launch(program, &variables(layout), || drop(lock));
    result.unwrap_or_else(|e| not_started(layout, &e))
}

/// Returns what the application is told in its environment; see the README.
pub(crate) fn variables(layout: &Layout) -> Vec<(&'static str, OsString)> {
    let mut told = Vec::new();
    if let Ok(stub) = this_program::program() {
        told.push((STUB_VARIABLE, stub.into()));
    }
    let loaders = install::bootloaders().iter().map(u32::to_string);
    let loaders = loaders.collect::<Vec<_>>().join(",");
    if !loaders.is_empty() {
        told.push((install::BOOTLOADERS, loaders.into()));
    }
    let release = |folder| Record::load_release(folder).ok().flatten();
    for (name, release) in [
        ("NOTSOTUF_VERSION", release(&layout.app())),
        ("NOTSOTUF_STAGED", release(&layout.staged())),
        ("NOTSOTUF_PREVIOUS", install::offered_previous(layout)),
    ] {
        if let Some(release) = release {
            told.push((name, release.version.to_string().into()));
        }
    }
    told
}

/// Takes the lock that keeps others from replacing the bundle; from the start
/// of the application on, the running instance is visible.
pub(crate) fn launch_lock(layout: &Layout) -> Option<Lock> {
    if !install::owns_state(layout) {
        return None;
    }
    let lock = Lock::shared(&layout.launch_lock(), COMMIT_PATIENCE).unwrap_or_else(|e| {
        log::debug!("{e}");
        None
    });
    #[cfg(unix)]
    if let Some(lock) = &lock
        && !install::sees_processes()
    {
        // Nobody will see the application, but that somebody holds the lock.
        log::debug!("there is no /proc here");
        lock.hand_on();
    }
    lock
}

pub(crate) fn not_started(layout: &Layout, error: &LaunchError) -> ExitCode {
    log::error!("{error}");
    if install::has_quarantine_attribute(&error.program) {
        log::error!(
            "macOS holds the program in quarantine; approve it in the system settings, Privacy & Security"
        );
    }
    let stub = this_program::program().unwrap_or_else(|_| Path::new("this program"));
    say::line(&error.to_string());
    say::line(&format!(
        "Try {stub:?} --updater repair, or install the application again; the log is {:?}.",
        layout.log()
    ));
    // As a shell says it.
    ExitCode::from(127)
}
