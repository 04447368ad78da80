//! Updates the stub itself.
//!
//! The stub is a target of its own: the archive `<name>-stub-<version>.tar.gz`
//! of the application `<name>` holds one file, the program. Its version is
//! the one that the program carries ([`version`]), so the bundler can read it
//! off programs for other platforms.

use crate::bundle::EntryKind;
use crate::bundle::unpack::{ArchiveError, UnpackOptions, unpack};
use crate::failure::{is_full, is_shortage};
use crate::fs::{self, FsError, plain_file};
use crate::install::Layout;
use crate::stub_version::{version, version_of};
use crate::this_program;
use pep440_rs::Version;
use serde_json::Value;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::str::FromStr;
use std::time::{Duration, Instant};

/// Says why the stub was not replaced. The old one stays in use.
#[derive(Debug, thiserror::Error)]
pub enum SelfUpdateError {
    /// A file system call failed.
    #[error(transparent)]
    Fs(#[from] FsError),
    /// The archive is not a stub's.
    #[error("the archive of the new updater cannot be used: {0}")]
    Archive(String),
    /// The new stub cannot be tried out now.
    #[error("cannot start the new updater {path:?}: {source}")]
    Start {
        /// The new program.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The new stub does not run here.
    #[error("the new updater {path:?} does not run on this computer: {reason}")]
    DoesNotRun {
        /// The new program.
        path: PathBuf,
        /// What happened.
        reason: String,
    },
    /// The new stub could not take the place of the old one.
    #[error("cannot replace the updater {path:?}: {source}")]
    Replace {
        /// The running program.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

impl SelfUpdateError {
    /// Returns whether the new stub is the cause, and so will be the next time.
    pub(super) fn is_for_good(&self) -> bool {
        matches!(
            self,
            SelfUpdateError::Archive(_) | SelfUpdateError::DoesNotRun { .. }
        )
    }

    /// Returns whether it was for want of room, or of something else that the
    /// computer may have the next time.
    pub(super) fn is_for_want(&self) -> bool {
        match self {
            SelfUpdateError::Fs(FsError { source, .. })
            | SelfUpdateError::Start { source, .. }
            | SelfUpdateError::Replace { source, .. } => is_full(source) || is_shortage(source),
            _ => false,
        }
    }
}

/// Puts the stub in the verified archive `gz` in the place of this program.
/// It must be version `expected`, and must have run once before it gets
/// there. This program is kept in the state dir until then.
///
/// # Errors
/// [`SelfUpdateError`]; this program is still there.
pub fn replace(
    layout: &Layout,
    gz: impl Read + Send,
    expected: &Version,
) -> Result<(), SelfUpdateError> {
    let folder = layout.staging().join("stub");
    fs::remove_tree_if_exists(&folder)?;
    fs::create_dir_all(&folder)?;
    let bad = |reason: &str| SelfUpdateError::Archive(reason.into());
    let manifest = match unpack(gz, &folder, UnpackOptions::default()) {
        Err(ArchiveError::Fs(e)) => return Err(e.into()),
        Err(e) => return Err(SelfUpdateError::Archive(e.to_string())),
        Ok(manifest) => manifest,
    };
    let mut entries = manifest.entries.iter();
    let (Some((name, entry)), None) = (entries.next(), entries.next()) else {
        return Err(bad("it does not hold exactly one file"));
    };
    if !matches!(entry.kind, EntryKind::File { .. }) || name.contains('/') {
        return Err(bad("it does not hold a program"));
    }
    let new = fs::join(&folder, name);
    fs::set_mode(&fs::open(&new)?, &new, 0o755)?;
    fs::sync_file(&new)?;
    try_out(&new, expected)?;
    let running = this_program::program().map_err(|e| SelfUpdateError::Replace {
        path: PathBuf::from("this program"),
        source: e,
    })?;
    let old = layout.old_stub();
    fs::remove_file_if_exists(&old)?;
    fs::copy_with_mode(running, &old, 0o755)?;
    take_place(&new, running)?;
    fs::remove_tree_if_exists(&folder)?;
    Ok(())
}

#[cfg(unix)]
fn take_place(new: &Path, running: &Path) -> Result<(), SelfUpdateError> {
    use std::os::unix::fs::PermissionsExt;
    let mode = fs::inspect(running)?.map_or(0o755, |found| found.permissions().mode() & 0o777);
    // Beside it, as the state dir may be on another file system.
    let mut beside = running.as_os_str().to_owned();
    beside.push(".new");
    let beside = PathBuf::from(beside);
    fs::remove_file_if_exists(&beside)?;
    fs::copy_with_mode(new, &beside, mode)?;
    fs::sync_file(&beside)?;
    Ok(fs::rename_durably(&beside, running)?)
}

/// A running program can be renamed there, but not replaced.
#[cfg(windows)]
fn take_place(new: &Path, running: &Path) -> Result<(), SelfUpdateError> {
    self_replace::self_replace(new).map_err(|source| SelfUpdateError::Replace {
        path: running.into(),
        source,
    })
}

/// Removes the old stub, which is not needed any more once a new one has come
/// as far as starting the application.
///
/// # Errors
/// A file system call that failed.
pub fn drop_old(layout: &Layout) -> Result<(), FsError> {
    let old = layout.old_stub();
    let Some(found) = fs::inspect(&old)? else {
        return Ok(());
    };
    // In the very run that replaced it, this still is the old one.
    let bytes = plain_file::read(&old, found.len())?.unwrap_or_default();
    if version_of(&bytes) == Some(version()) {
        Ok(())
    } else {
        fs::remove_file_if_exists(&old)
    }
}

/// Runs the new stub, which must tell its version.
fn try_out(new: &Path, expected: &Version) -> Result<(), SelfUpdateError> {
    const PATIENCE: Duration = Duration::from_secs(10);
    let failed = |reason: String| SelfUpdateError::DoesNotRun {
        path: new.into(),
        reason,
    };
    let mut child = Command::new(new)
        .args(["--updater", "version", "--json"])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .map_err(|source| {
            let path = new.into();
            if is_shortage(&source) {
                SelfUpdateError::Start { path, source }
            } else {
                failed(source.to_string())
            }
        })?;
    let start = Instant::now();
    let status = loop {
        match child.try_wait().map_err(|e| failed(e.to_string()))? {
            Some(status) => break status,
            None if start.elapsed() < PATIENCE => std::thread::sleep(Duration::from_millis(5)),
            None => {
                child.kill().map_err(|e| failed(e.to_string()))?;
                child.wait().map_err(|e| failed(e.to_string()))?;
                return Err(failed("it does not exit".into()));
            }
        }
    };
    let mut said = String::new();
    if let Some(out) = child.stdout.take() {
        // One line, which fits into the pipe.
        out.take(4096)
            .read_to_string(&mut said)
            .map_err(|e| failed(e.to_string()))?;
    }
    let json: Value = serde_json::from_str(&said).unwrap_or_default();
    let told = json["updater"]
        .as_str()
        .and_then(|v| Version::from_str(v).ok());
    match (status.success(), told) {
        (true, Some(told)) if told == *expected => Ok(()),
        (true, Some(told)) => Err(failed(format!("it is version {told}, not {expected}"))),
        _ => Err(failed(format!("it ended with {status}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stub_version::{is_stub, mark};

    #[test]
    fn versions_are_read_off_programs() {
        assert_eq!(version().to_string(), env!("CARGO_PKG_VERSION"));
        let mut program = b"\x7fELF notsotuf stub version nonsense".to_vec();
        assert_eq!(version_of(&program), None);
        program.extend(mark("notsotuf stub version 2.0rc1\n"));
        assert_eq!(version_of(&program).unwrap().to_string(), "2.0rc1");
        assert_eq!(version_of(b""), None);
    }

    #[test]
    fn a_stub_is_known_wherever_its_mark_is() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("program");
        for before in [0, 1 << 17, (1 << 17) - 1, (1 << 17) - 40, 300_000] {
            let mut program = vec![b'n'; before];
            program.extend(mark("notsotuf stub version 2.0\n"));
            std::fs::write(&path, &program).unwrap();
            assert!(is_stub(&path).unwrap(), "{before}");
            std::fs::write(&path, &program[..before + 10]).unwrap();
            assert!(!is_stub(&path).unwrap(), "{before}");
        }
    }
}
