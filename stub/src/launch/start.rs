//! Starts the application, with what it is to know in its environment.

use crate::install::{Layout, Lock, Record, Release};
use crate::launch::LaunchError;
use crate::settings::Settings;
use crate::{fs, install, launch, say, this_program};
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

/// Holds the names and values of environment variables.
pub(crate) type Variables = Vec<(&'static str, OsString)>;

/// Says how long to wait for a stub that is replacing the bundle: a few
/// renames.
pub const COMMIT_PATIENCE: Duration = Duration::from_secs(5);

/// Exit code of a start without an application, as a shell says it.
pub(crate) const NOT_STARTED: u8 = 127;

/// Names the environment variable with the path of a file; a program that makes
/// this file says that it works.
pub const READY_VARIABLE: &str = "NOTSOTUF_READY_FILE";

/// Names the environment variable that tells the application where the stub is.
pub(crate) const STUB_VARIABLE: &str = "NOTSOTUF_STUB";

/// Starts the application of this install.
pub(crate) fn start(layout: &Layout, settings: &Settings) -> ExitCode {
    let lock = launch_lock(layout);
    let program = fs::join(&layout.launchable(), &settings.executable);
    start_program(layout, settings, program, lock)
}

/// Starts the application where the settings cannot be read.
pub(crate) fn start_without_settings(layout: &Layout, executable: &str) -> ExitCode {
    let lock = launch_lock(layout);
    let program = fs::join(&layout.launchable(), executable);
    start_telling(layout, &variables(layout), program, lock)
}

/// Starts a program of the application.
pub(crate) fn start_program(
    layout: &Layout,
    settings: &Settings,
    program: PathBuf,
    lock: Option<Lock>,
) -> ExitCode {
    start_telling(layout, &all_variables(layout, settings), program, lock)
}

fn start_telling(
    layout: &Layout,
    variables: &Variables,
    program: PathBuf,
    lock: Option<Lock>,
) -> ExitCode {
    let result = launch::launch(program, variables, || drop(lock));
    result.unwrap_or_else(|e| not_started(layout, &e))
}

/// Returns what the application is told in its environment; see
/// `docs/reference/app-protocol.md`.
pub(crate) fn all_variables(layout: &Layout, settings: &Settings) -> Variables {
    let mut told = variables(layout);
    told.extend(telling(
        "NOTSOTUF_STAGED",
        install::offered_staged(layout, settings),
    ));
    told
}

/// What does not depend on the settings.
fn variables(layout: &Layout) -> Variables {
    let mut told = Vec::new();
    if let Ok(stub) = this_program::program() {
        told.push((STUB_VARIABLE, stub.into()));
    }
    let loaders = install::bootloaders().iter().map(u32::to_string);
    let loaders = loaders.collect::<Vec<_>>().join(",");
    if !loaders.is_empty() {
        told.push((install::BOOTLOADERS, loaders.into()));
    }
    let installed = Record::load_release(&layout.app()).ok().flatten();
    told.extend(telling("NOTSOTUF_VERSION", installed));
    let previous = install::offered_previous(layout);
    told.extend(telling("NOTSOTUF_PREVIOUS", previous));
    told
}

fn telling(name: &'static str, release: Option<Release>) -> Option<(&'static str, OsString)> {
    release.map(|release| (name, release.version.to_string().into()))
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
    ExitCode::from(NOT_STARTED)
}
