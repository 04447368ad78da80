//! Remembers where this process came from: its program and its working
//! directory, as they were at the start. Later the system may say something
//! else: a program that has been replaced is "… (deleted)", a folder that was
//! exchanged has another name.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

struct Origin {
    start: Instant,
    program: io::Result<PathBuf>,
    folder: Option<PathBuf>,
}

static ORIGIN: OnceLock<Origin> = OnceLock::new();

fn origin() -> &'static Origin {
    ORIGIN.get_or_init(|| Origin {
        start: Instant::now(),
        program: find_program(),
        folder: std::env::current_dir().ok(),
    })
}

/// Notes where this process came from; must be called before anything else.
pub fn note() {
    origin();
}

/// Returns the path of this program, links to it followed (but on Windows).
///
/// # Errors
/// If nothing tells where it is.
pub fn program() -> io::Result<&'static Path> {
    match &origin().program {
        Ok(path) => Ok(path),
        Err(e) => Err(io::Error::new(e.kind(), e.to_string())),
    }
}

/// Returns the working directory at the start, where the system could say it.
pub fn folder() -> Option<&'static Path> {
    origin().folder.as_deref()
}

/// Returns how long this process has been running.
pub fn age() -> Duration {
    origin().start.elapsed()
}

fn find_program() -> io::Result<PathBuf> {
    let program = match std::env::current_exe() {
        Ok(path) if path.exists() => path,
        // Linux reads it in /proc, which may not be there (chroot, container).
        other => match crate::launch::start_name().and_then(|name| search(&name)) {
            Some(path) => path,
            None => other?,
        },
    };
    // Not on Windows, where this yields a `\\?\` path that many programs do
    // not take; links to programs are rare there.
    if cfg!(unix) {
        program.canonicalize()
    } else {
        Ok(program)
    }
}

/// Returns what a shell means by the name of a program.
pub fn search(name: &Path) -> Option<PathBuf> {
    if name.components().count() > 1 {
        let path = std::path::absolute(name).ok()?;
        return path.is_file().then_some(path);
    }
    let path = std::env::var_os("PATH")?;
    let found = std::env::split_paths(&path).map(|folder| folder.join(name));
    found.into_iter().find(|path| path.is_file())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_are_found_as_a_shell_finds_them() {
        let this = std::env::current_exe().unwrap();
        assert_eq!(search(&this), Some(this));
        assert_eq!(search(Path::new("./no/such/program")), None);
        assert_eq!(search(Path::new("no-such-program")), None);
        #[cfg(unix)]
        assert!(search(Path::new("sh")).unwrap().is_absolute());
    }
}
