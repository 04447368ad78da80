//! Serves the repository of a rehearsal.

use super::commands::Commands;
use super::error::RehearsalError;
use crate::interrupt;
use serde_json::Value;
use std::io::{self, BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Stdio};

/// `notsotuf serve` on a free port, until this is dropped.
pub(super) struct ServeProcess {
    child: Child,
    url: String,
}

impl ServeProcess {
    pub(super) fn start(commands: &Commands, folder: &Path) -> Result<Self, RehearsalError> {
        let mut command = commands.command(&["serve", "--port", "0", "--dir"])?;
        command
            .arg(folder)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null());
        let child = command.spawn().map_err(RehearsalError::ThisProgram)?;
        interrupt::child_began(child.id());
        let mut server = ServeProcess {
            child,
            url: String::new(),
        };
        // It says where it listens once it does.
        let mut line = String::new();
        if let Some(out) = server.child.stdout.as_mut() {
            let mut out = BufReader::new(out);
            out.read_line(&mut line)
                .map_err(RehearsalError::ThisProgram)?;
        }
        let said: Value = serde_json::from_str(&line).unwrap_or_default();
        match said["url"].as_str() {
            Some(url) => server.url = url.into(),
            None => {
                let none = io::Error::other("the server for trying things out does not start");
                return Err(RehearsalError::ThisProgram(none));
            }
        }
        Ok(server)
    }

    pub(super) fn url(&self) -> &str {
        &self.url
    }
}

impl Drop for ServeProcess {
    fn drop(&mut self) {
        let id = self.child.id();
        // It may have ended.
        drop(self.child.kill());
        drop(self.child.wait());
        interrupt::child_ended(id);
    }
}
