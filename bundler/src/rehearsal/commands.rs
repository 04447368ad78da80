//! Runs this program's own commands.

use super::error::RehearsalError;
use crate::child;
use serde_json::Value;
use std::path::Path;
use std::process::{Command, Stdio};

/// Runs this program in the rehearsal's own project.
pub(super) struct Commands<'a> {
    pub project: &'a Path,
}

impl Commands<'_> {
    /// A command that is ready to be run.
    pub(super) fn command(&self, words: &[&str]) -> Result<Command, RehearsalError> {
        let program = std::env::current_exe().map_err(RehearsalError::ThisProgram)?;
        let mut command = child::command(program);
        command
            .arg("-C")
            .arg(self.project)
            .args(["--json", "--quiet"])
            .args(words);
        Ok(command)
    }

    /// Runs a command; returns what it says.
    pub(super) fn run(&self, words: &[&str]) -> Result<Value, RehearsalError> {
        self.run_with(words, &[])
    }

    /// The same, with paths after the words.
    pub(super) fn run_with(
        &self,
        words: &[&str],
        paths: &[&Path],
    ) -> Result<Value, RehearsalError> {
        let mut command = self.command(words)?;
        command.args(paths).stdin(Stdio::null());
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let child = command.spawn().map_err(RehearsalError::ThisProgram)?;
        let done = child::wait(child).map_err(RehearsalError::ThisProgram)?;
        let said: Value = serde_json::from_slice(&done.stdout).unwrap_or_default();
        if done.status.success() {
            return Ok(said);
        }
        let said = said["error"].as_str().map(str::to_owned);
        let reason = said.unwrap_or_else(|| String::from_utf8_lossy(&done.stderr).into_owned());
        Err(RehearsalError::Command {
            command: words.first().copied().unwrap_or_default().to_owned(),
            reason,
        })
    }
}
