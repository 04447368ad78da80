//! Starts the application: arguments, environment, working directory, standard
//! streams, signals and exit code pass through.

#[cfg(unix)]
#[path = "unix.rs"]
mod os;
#[cfg(windows)]
#[path = "windows.rs"]
mod os;
#[cfg(unix)]
#[path = "unix_signals.rs"]
mod signals;

mod allocator;
pub mod rescue;
mod reserve;
pub mod start;
mod start_name;

pub use allocator::Allocator;
pub use start_name::start_name;

use crate::install::Layout;
use crate::this_program;
use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::sync::OnceLock;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};
use std::{fmt, io};

static APP_ID: OnceLock<String> = OnceLock::new();

/// Notes the Application User Model ID that the application's windows are to have
/// (Windows).
pub fn note_app_id(id: Option<&str>) {
    if let Some(id) = id {
        APP_ID.get_or_init(|| id.to_owned());
    }
}

#[cfg_attr(unix, expect(dead_code, reason = "only Windows has such"))]
fn app_id() -> Option<&'static str> {
    APP_ID.get().map(String::as_str)
}

/// Says why the application did not start.
#[derive(Debug, thiserror::Error)]
#[error("cannot start {program:?}: {source}")]
pub struct LaunchError {
    /// The program.
    pub program: PathBuf,
    /// What the system said.
    pub source: io::Error,
}

/// Variables for the application.
pub type Variables = [(&'static str, OsString)];

/// Begins the names of variables for the application.
pub const PREFIX: &str = "NOTSOTUF_";

/// Starts `program` with the arguments of this process, and `more` in its
/// environment. On Unix this process becomes the program and the call does
/// not return; on Windows it waits for the end and returns the exit code.
/// `started` is called once a new process exists.
///
/// # Errors
/// [`LaunchError`].
pub fn launch(
    program: PathBuf,
    more: &Variables,
    started: impl FnOnce(),
) -> Result<ExitCode, LaunchError> {
    let command = command(&program, more);
    os::run(command, started).map_err(|source| LaunchError { program, source })
}

/// Starts `program` as a child with the arguments of this process, passes
/// signals on to it, and waits for its end. `more` is added to its
/// environment, `started` is called once it runs.
///
/// # Errors
/// [`LaunchError`].
pub fn supervise(
    program: PathBuf,
    more: &Variables,
    started: impl FnOnce(),
) -> Result<AppExit, LaunchError> {
    let command = command(&program, more);
    os::supervise(command, started).map_err(|source| LaunchError { program, source })
}

/// Starts `program` as a process that has nothing to do with this one any
/// more: no parent, no terminal, no streams, and `folder` to work in.
///
/// # Errors
/// What the system said.
pub fn detach(program: &Path, arguments: &[&str], folder: &Path) -> io::Result<()> {
    let mut command = Command::new(program);
    clean(&mut command);
    command
        .args(arguments)
        .current_dir(folder)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    os::detach(command)
}

/// Returns whether [`detach`] is without consequences for this process. For the
/// first one of a system it is not: all that have no parent are its children.
pub fn can_detach() -> bool {
    cfg!(windows) || std::process::id() != 1
}

pub use os::{has_input, prepare, was_asked_to_end};

/// Waits for the end of the application if it is a child that runs, or has
/// ended, and ends this process in the same way. For a thread that can do
/// nothing else any more.
pub fn end_with_child() {
    os::end_with_child();
}

/// Says how the application ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AppExit {
    /// It ended with this exit code.
    Code(i32),
    /// It was killed by this signal (Unix).
    Signal(i32),
}

impl AppExit {
    /// Ends this process in the same way.
    pub fn exit_like(self) -> ExitCode {
        os::exit_like(self)
    }
}

impl fmt::Display for AppExit {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self {
            AppExit::Code(code) if cfg!(windows) && os::is_crash(*self) => {
                write!(f, "exit code {code:#x}")
            }
            AppExit::Code(code) => write!(f, "exit code {code}"),
            AppExit::Signal(signal) => write!(f, "signal {signal}"),
        }
    }
}

/// Says what the end of an application tells about a version that is on
/// probation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// The version works.
    Healthy,
    /// The version does not work.
    Failed,
    /// Somebody ended it before that could be told.
    Inconclusive,
}

/// Judges by the end of the application. `proven`: it lived long enough, or
/// has said that it is ready.
pub fn verdict(end: AppExit, proven: bool) -> Verdict {
    match end {
        _ if proven => Verdict::Healthy,
        // Python makes an ordinary error of Ctrl-C.
        _ if os::was_asked_to_end() => Verdict::Inconclusive,
        AppExit::Code(0) => Verdict::Healthy,
        end if os::is_crash(end) => Verdict::Failed,
        AppExit::Code(code) if cfg!(unix) || code.cast_unsigned() >> 30 == 0 => Verdict::Failed,
        _ => Verdict::Inconclusive,
    }
}

/// Waits until the application has lived for `limit` or `ready` says it is
/// ready, and returns true; or false once `ended`.
pub fn watch(limit: Duration, ready: impl Fn() -> bool, ended: &Receiver<()>) -> bool {
    const STEP: Duration = Duration::from_millis(100);
    let start = Instant::now();
    loop {
        if ready() {
            return true;
        }
        let Some(left) = limit.checked_sub(start.elapsed()).filter(|d| !d.is_zero()) else {
            return true;
        };
        if ended.recv_timeout(left.min(STEP)) != Err(RecvTimeoutError::Timeout) {
            // It may have said so and ended at once.
            return ready();
        }
    }
}

fn command(program: &Path, more: &Variables) -> Command {
    let mut command = Command::new(program);
    clean(&mut command);
    for (name, value) in more {
        command.env(name, value);
    }
    if let Some(folder) = working_directory() {
        command.current_dir(folder);
    }
    command
}

/// Where the application is to work, if that is not where this process is: it
/// may have been started in a folder of the bundle, of which there is another
/// one now; or, on Windows, have left for a place where it is in nobody's way.
fn working_directory() -> Option<PathBuf> {
    let folder = this_program::folder()?;
    if cfg!(unix) {
        let moved = std::env::current_dir().map_or(true, |now| now != folder);
        if !moved || !folder.starts_with(Layout::of_this_program().ok()?.app()) {
            return None;
        }
    }
    // Where the new bundle does not have it, the next one above that it has.
    let there = folder.ancestors().find(|folder| folder.is_dir())?;
    Some(there.to_path_buf())
}

/// Takes what a PyInstaller application may have left in the environment of
/// this process out of that of a program.
pub fn clean(command: &mut Command) {
    let environment = std::env::vars_os().collect();
    for (name, value) in environment_changes(&environment) {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
}

/// Whether a variable is one that the stub sets for the application, and not
/// one by which users or the bundler's tools are set up.
fn is_told(name: &str) -> bool {
    const TOLD: [&str; 7] = [
        "STUB",
        "VERSION",
        "STAGED",
        "PREVIOUS",
        "READY_FILE",
        "WAIT_FOR",
        "BOOTLOADERS",
    ];
    name.strip_prefix(PREFIX)
        .is_some_and(|rest| TOLD.contains(&rest))
}

/// What has to change in the environment of a PyInstaller application that
/// is started by another one (which happens when an application restarts
/// itself through the stub): variables with which the loader tells its own
/// child where the unpacked files are would send the new one to the old
/// files. `LD_LIBRARY_PATH` and its relatives are given back the value they
/// had (<https://pyinstaller.org/en/stable/runtime-information.html>).
fn environment_changes(
    environment: &BTreeMap<OsString, OsString>,
) -> BTreeMap<OsString, Option<OsString>> {
    let mut changes = BTreeMap::new();
    for name in environment.keys() {
        let Some(text) = name.to_str() else { continue };
        // Ours too: what an outer application was told is not for this one.
        if text == "_MEIPASS2" || text.starts_with("_PYI_") || is_told(text) {
            changes.insert(name.clone(), None);
        }
    }
    // "Forget what you know", for loaders from PyInstaller 6.9 on.
    changes.insert("PYINSTALLER_RESET_ENVIRONMENT".into(), Some("1".into()));
    for name in ["LD_LIBRARY_PATH", "LIBPATH", "DYLD_LIBRARY_PATH"] {
        let saved = OsString::from(format!("{name}_ORIG"));
        if let Some(value) = environment.get(&saved) {
            let value = (!value.is_empty()).then(|| value.clone());
            changes.insert(name.into(), value);
            changes.insert(saved, None);
        } else if let Some(rest) = without_home(environment, name) {
            changes.insert(name.into(), (!rest.is_empty()).then_some(rest));
        }
    }
    changes
}

/// The paths in a variable but the first, if the loader has put that one there:
/// where the variable was not set before, it leaves nothing by which to tell.
fn without_home(environment: &BTreeMap<OsString, OsString>, name: &str) -> Option<OsString> {
    let home = environment.get(OsStr::new("_PYI_APPLICATION_HOME_DIR"))?;
    let mut paths = std::env::split_paths(environment.get(OsStr::new(name))?);
    let first = paths.next()?;
    (first == Path::new(home)).then(|| std::env::join_paths(paths).ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_a_new_version_tells_whether_it_works() {
        assert_eq!(verdict(AppExit::Code(0), false), Verdict::Healthy);
        assert_eq!(verdict(AppExit::Code(1), false), Verdict::Failed);
        assert_eq!(verdict(AppExit::Code(1), true), Verdict::Healthy);
        #[cfg(unix)]
        {
            assert_eq!(verdict(AppExit::Signal(11), false), Verdict::Failed);
            assert_eq!(verdict(AppExit::Signal(15), false), Verdict::Inconclusive);
            assert_eq!(verdict(AppExit::Signal(9), true), Verdict::Healthy);
        }
        #[cfg(windows)]
        {
            let status = |code: u32| AppExit::Code(code.cast_signed());
            assert_eq!(verdict(status(0xC000_0005), false), Verdict::Failed);
            assert_eq!(verdict(status(0xC000_013A), false), Verdict::Inconclusive);
        }
    }

    #[test]
    fn watches_for_time_readiness_and_end() {
        let second = Duration::from_secs(1);
        let (sender, ended) = std::sync::mpsc::channel();
        assert!(watch(Duration::ZERO, || false, &ended));
        assert!(watch(second * 99, || true, &ended));
        sender.send(()).unwrap();
        assert!(!watch(second * 99, || false, &ended));
        drop(sender);
        assert!(!watch(second * 99, || false, &ended));
    }

    #[test]
    fn loader_variables_go_and_library_paths_come_back() {
        let environment = [
            ("PATH", "/bin"),
            ("_MEIPASS2", "/tmp/_MEI1"),
            ("_PYI_ARCHIVE_FILE", "/x"),
            ("LD_LIBRARY_PATH", "/tmp/_MEI1"),
            ("LD_LIBRARY_PATH_ORIG", "/opt/lib"),
            ("DYLD_LIBRARY_PATH", "/tmp/_MEI1"),
            ("DYLD_LIBRARY_PATH_ORIG", ""),
        ];
        let environment = environment.map(|(k, v)| (k.into(), v.into())).into();
        let changes = environment_changes(&environment);
        let change = |name: &str| changes.get(&OsString::from(name)).cloned();
        assert_eq!(change("PATH"), None);
        for gone in [
            "_MEIPASS2",
            "_PYI_ARCHIVE_FILE",
            "LD_LIBRARY_PATH_ORIG",
            "DYLD_LIBRARY_PATH",
            "DYLD_LIBRARY_PATH_ORIG",
        ] {
            assert_eq!(change(gone), Some(None), "{gone}");
        }
        assert_eq!(change("LD_LIBRARY_PATH"), Some(Some("/opt/lib".into())));
    }

    #[cfg(unix)]
    #[test]
    fn the_folder_of_an_application_is_no_library_path_of_the_next_one() {
        let home = ("_PYI_APPLICATION_HOME_DIR", "/app/_internal");
        for (before, after) in [
            ("/app/_internal", Some(None)),
            ("/app/_internal:/opt/lib", Some(Some("/opt/lib".into()))),
            ("/opt/lib:/app/_internal", None),
            ("/app", None),
        ] {
            let own = ("LD_LIBRARY_PATH", before);
            let environment = [home, own].map(|(k, v)| (k.into(), v.into())).into();
            let changes = environment_changes(&environment);
            let changed = changes.get(OsStr::new("LD_LIBRARY_PATH"));
            assert_eq!(changed.cloned(), after, "{before}");
            let alone = [(own.0.into(), own.1.into())].into();
            let changes = environment_changes(&alone);
            assert!(!changes.contains_key(OsStr::new("LD_LIBRARY_PATH")));
        }
    }
}
