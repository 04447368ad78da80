//! Uploads to another machine by rsync.

use super::error::UploadError;
use super::plan::Files;
use crate::child;
use notsotuf_stub::fs::{self, FsError};
use std::path::{Path, PathBuf};
use std::process::Stdio;

/// What rsync says, in its own words, where there is nothing.
const NOT_THERE: &str = "No such file or directory";

/// Gives access to a folder that rsync reaches.
pub(crate) struct Rsync {
    /// As rsync takes it, with a slash at its end.
    to: String,
    /// A copy of the metadata there.
    copy: tempfile::TempDir,
}

impl Rsync {
    /// Opens the destination; nothing is asked for yet.
    ///
    /// # Errors
    /// The file system's.
    pub(crate) fn open(to: &str) -> Result<Self, UploadError> {
        let copy = tempfile::tempdir()
            .map_err(|e| FsError::new("create a folder in", &std::env::temp_dir(), e))?;
        Ok(Rsync {
            to: format!("{}/", to.trim_end_matches('/')),
            copy,
        })
    }

    /// Returns the destination as it is written.
    pub(crate) fn name(&self) -> String {
        format!("rsync:{}", self.to.trim_end_matches('/'))
    }

    /// Lists the files of the destination.
    ///
    /// # Errors
    /// [`UploadError::Rsync`].
    pub(crate) fn list(&self) -> Result<Files, UploadError> {
        let arguments = [
            "--recursive",
            "--list-only",
            "--8-bit-output",
            "--no-human-readable",
            "--include=/metadata/***",
            "--include=/targets/***",
            "--exclude=*",
        ];
        let listed = run(&arguments, &[self.to.as_ref()], "")?;
        // -rw-r--r--          1,234 2026/01/31 12:00:00 targets/x
        let file = |line: &str| {
            let rest = line.strip_prefix('-')?;
            let mut words = rest.splitn(2, ' ');
            let rest = words.nth(1)?.trim_start();
            let (size, rest) = rest.split_once(' ')?;
            let name = rest.splitn(3, ' ').nth(2)?;
            Some((name.to_owned(), size.replace([',', '.'], "").parse().ok()?))
        };
        let listed = listed.unwrap_or_default();
        Ok(listed.lines().filter_map(file).collect())
    }

    /// Brings the metadata here, for [`Rsync::read`].
    ///
    /// # Errors
    /// [`UploadError::Rsync`].
    pub(crate) fn refresh(&self) -> Result<(), UploadError> {
        let arguments = [
            "--recursive",
            "--checksum",
            "--delete",
            "--max-size=64M",
            "--include=/metadata/",
            "--include=/metadata/*.json",
            "--exclude=*",
        ];
        if run(&arguments, &[self.to.as_ref(), self.copy.path()], "")?.is_none() {
            fs::remove_tree_if_exists(&self.copy.path().join("metadata"))?;
        }
        Ok(())
    }

    /// Returns what a metadata file had when [`Rsync::refresh`] was called.
    ///
    /// # Errors
    /// The file system's.
    pub(crate) fn read(&self, path: &str, limit: u64) -> Result<Option<Vec<u8>>, UploadError> {
        Ok(fs::read_optional(&fs::join(self.copy.path(), path), limit)?)
    }

    /// Sends these files of `repository`.
    ///
    /// # Errors
    /// [`UploadError::Rsync`].
    pub(crate) fn send(&self, repository: &Path, files: &[String]) -> Result<(), UploadError> {
        let arguments = [
            "--times",
            "--ignore-times",
            "--relative",
            "--delay-updates",
            "--files-from=-",
        ];
        let from_to = [repository, self.to.as_ref()];
        run(&arguments, &from_to, &files.join("\n"))?
            .map(|_| ())
            .ok_or_else(|| UploadError::Rsync(format!("cannot write to {}", self.to)))
    }

    /// Fetches one file to `to`, where a part of it may be already.
    ///
    /// # Errors
    /// [`UploadError::Rsync`]; what came stays.
    pub(crate) fn fetch(&self, path: &str, to: &Path) -> Result<(), UploadError> {
        let from = PathBuf::from(format!("{}{path}", self.to));
        let arguments = ["--partial", "--inplace", "--append-verify"];
        run(&arguments, &[&from, to], "")?
            .map(|_| ())
            .ok_or_else(|| UploadError::Rsync(format!("finds no {path} in {}", self.to)))
    }

    /// Removes just these files.
    ///
    /// # Errors
    /// [`UploadError::Rsync`].
    pub(crate) fn delete(&self, files: &[String]) -> Result<(), UploadError> {
        // What is not included is protected.
        let empty = tempfile::tempdir()
            .map_err(|e| FsError::new("create a folder in", &std::env::temp_dir(), e))?;
        let mut arguments: Vec<String> = vec!["--recursive".into(), "--delete".into()];
        for file in files {
            let mut folder = PathBuf::new();
            let parents = Path::new(file).parent();
            for part in parents.into_iter().flat_map(Path::iter) {
                folder.push(part);
                fs::create_dir_all(&empty.path().join(&folder))?;
                arguments.push(format!(
                    "--include=/{}/",
                    literal(&folder.to_string_lossy())
                ));
            }
            arguments.push(format!("--include=/{}", literal(file)));
        }
        arguments.push("--exclude=*".into());
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let from = PathBuf::from(format!("{}/", empty.path().display()));
        run(&arguments, &[&from, self.to.as_ref()], "")?;
        Ok(())
    }
}

/// A name as a pattern that matches only itself. Without a wildcard in it,
/// rsync takes a backslash for itself.
fn literal(name: &str) -> String {
    if !name.contains(['*', '?', '[']) {
        return name.into();
    }
    let mut out = String::new();
    for c in name.chars() {
        if matches!(c, '*' | '?' | '[' | '\\') {
            out.push('\\');
        }
        out.push(c);
    }
    out
}

/// Runs rsync and returns what it prints; `None` if what it is to read is not
/// there.
fn run(arguments: &[&str], places: &[&Path], input: &str) -> Result<Option<String>, UploadError> {
    let failed = |what: String| UploadError::Rsync(what);
    let mut command = child::command("rsync");
    // Its messages are read.
    command
        .args(arguments)
        .arg("--")
        .args(places)
        .env("LC_ALL", "C");
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|e| failed(format!("cannot be started: {e}")))?;
    if let Some(mut stdin) = child.stdin.take() {
        // If it ends early, its exit code says why.
        drop(std::io::Write::write_all(&mut stdin, input.as_bytes()));
    }
    let output = child::wait(child).map_err(|e| failed(e.to_string()))?;
    if output.status.success() {
        return Ok(Some(String::from_utf8_lossy(&output.stdout).into_owned()));
    }
    let said = String::from_utf8_lossy(&output.stderr);
    if output.status.code() == Some(23) && said.contains(NOT_THERE) {
        return Ok(None);
    }
    let said: String = said
        .chars()
        .filter(|c| !c.is_control() || *c == '\n')
        .collect();
    Err(failed(format!(
        "failed with {}: {}",
        output.status,
        said.trim()
    )))
}
