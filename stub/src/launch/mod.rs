//! Starting the application: arguments, environment, working directory,
//! standard streams, signals and exit code pass through.

#[cfg(unix)]
#[path = "unix.rs"]
mod os;
#[cfg(windows)]
#[path = "windows.rs"]
mod os;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io;
use std::path::PathBuf;
use std::process::{Command, ExitCode};

/// Why the application did not start.
#[derive(Debug, thiserror::Error)]
#[error("cannot start {program:?}: {source}")]
pub struct LaunchError {
    /// The program.
    pub program: PathBuf,
    /// What the system said.
    pub source: io::Error,
}

/// Starts `program` with the arguments of this process. On Unix this process
/// becomes the program and the call does not return; on Windows it waits for
/// the end and returns the exit code. `started` is called once a new process
/// exists.
///
/// # Errors
/// [`LaunchError`].
pub fn launch(program: PathBuf, started: impl FnOnce()) -> Result<ExitCode, LaunchError> {
    let mut command = Command::new(&program);
    let environment = std::env::vars_os().collect();
    for (name, value) in environment_changes(&environment) {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    os::run(command, started).map_err(|source| LaunchError { program, source })
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
        if text == "_MEIPASS2" || text.starts_with("_PYI_") {
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
        }
    }
    changes
}

#[cfg(test)]
mod tests {
    use super::*;

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
}
