//! Has programs for Windows signed (Authenticode) by the project's own command.

use super::archive::{self, PackError};
use super::pe;
use crate::child;
use notsotuf_stub::fs::{self, FsError};
use notsotuf_stub::safe_text::one_line;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::process::Stdio;

/// Stands for the path of the program in the command.
pub(crate) const FILE: &str = "{file}";

/// Says why a program was not signed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SigningError {
    /// A file system call failed.
    #[error(transparent)]
    Fs(#[from] FsError),
    /// The bundle cannot be listed.
    #[error(transparent)]
    Pack(#[from] PackError),
    /// The command could not be started.
    #[error("sign_command: cannot start {program:?}: {source}")]
    Start {
        /// Its program.
        program: String,
        /// What the system said.
        source: io::Error,
    },
    /// The command failed.
    #[error("sign_command failed for {path:?} ({status}): {said}")]
    Failed {
        /// The program to be signed.
        path: PathBuf,
        /// How it ended.
        status: std::process::ExitStatus,
        /// What it printed last.
        said: String,
    },
    /// The command did not fail, but there is no signature.
    #[error(
        "sign_command ended well, but {0:?} has no signature: it must sign the file in its place, \
         which {FILE} stands for"
    )]
    NotSigned(PathBuf),
}

/// Signs programs by a command.
#[derive(Debug, Clone, Copy)]
pub(crate) struct CodeSigning<'a> {
    /// The program and its arguments, with [`FILE`] in one of them.
    pub command: &'a [String],
    /// Where it is started.
    pub folder: &'a Path,
}

impl CodeSigning<'_> {
    /// Signs a program in its place, if it is one for Windows and has no signature.
    /// Returns whether it was signed.
    ///
    /// # Errors
    /// [`SigningError`].
    pub(crate) fn sign(self, path: &Path) -> Result<bool, SigningError> {
        if !needs_signature(path)? {
            return Ok(false);
        }
        // The command is started elsewhere.
        let file = std::path::absolute(path).map_err(|e| FsError::new("find", path, e))?;
        let mut words = self
            .command
            .iter()
            .map(|word| word.replace(FILE, &file.to_string_lossy()));
        let program = words.next().unwrap_or_default();
        let start = |source| SigningError::Start {
            program: program.clone(),
            source,
        };
        let child = child::command(&program)
            .args(words)
            .current_dir(self.folder)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(start)?;
        let output = child::wait(child).map_err(start)?;
        if !output.status.success() {
            let said = [output.stdout, output.stderr].concat();
            return Err(SigningError::Failed {
                path: path.into(),
                status: output.status,
                said: last_lines(&String::from_utf8_lossy(&said)),
            });
        }
        if needs_signature(path)? {
            return Err(SigningError::NotSigned(path.into()));
        }
        Ok(true)
    }

    /// Signs the programs (`.exe`) that [`archive::pack`] would pack of a bundle and
    /// that have no signature, in their place. Returns which ones.
    ///
    /// # Errors
    /// [`SigningError`].
    pub(crate) fn sign_bundle(self, bundle: &Path) -> Result<Vec<PathBuf>, SigningError> {
        let mut signed = Vec::new();
        for item in archive::collect(bundle)? {
            let is_program = item.kind.is_file() && pe::ends_with_exe(&item.name);
            if is_program && self.sign(&item.path)? {
                signed.push(item.path);
            }
        }
        Ok(signed)
    }
}

/// Returns whether a file is a program for Windows without a signature.
fn needs_signature(path: &Path) -> Result<bool, FsError> {
    // The headers are at the beginning.
    const HEAD: u64 = 1 << 16;
    let mut head = Vec::new();
    let file: File = fs::open(path)?;
    let read = file.take(HEAD).read_to_end(&mut head);
    read.map_err(|e| FsError::new("read", path, e))?;
    Ok(pe::subsystem_offset(&head).is_some() && !pe::is_signed(&head))
}

/// Returns the end of what a program said, fit for a message.
fn last_lines(said: &str) -> String {
    const LINES: usize = 10;
    let lines: Vec<&str> = said
        .lines()
        .filter(|line| !line.trim().is_empty())
        .collect();
    let last = &lines[lines.len().saturating_sub(LINES)..];
    match last {
        [] => "it said nothing".into(),
        last => one_line(&last.join("; ")).into_owned(),
    }
}
