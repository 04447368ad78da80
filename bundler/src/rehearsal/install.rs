//! Starts and asks the install of a rehearsal.

use super::error::RehearsalError;
use super::plan::{Bundle, RehearsalPlan};
use crate::{child, interrupt};
use notsotuf_stub::fs::{self, FsError};
use serde_json::Value;
use std::fmt;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

/// Begin the names of variables by which uploads get what they need.
const OF_UPLOADS: [&str; 5] = ["AWS_", "AZURE_", "GOOGLE_", "GITHUB_TOKEN", "GH_TOKEN"];

/// How often it is looked whether the application has ended.
const LOOK: Duration = Duration::from_millis(50);
/// How long an application that is asked to end may take for that.
const TO_END: Duration = Duration::from_secs(5);
/// The most that is shown of what the application wrote, and of the log.
const SHOWN: usize = 4000;

/// Says how a start ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum StartEnd {
    /// By itself.
    Ended(ExitStatus),
    /// It was still running, and was ended then.
    StillRunning,
}

impl StartEnd {
    /// Returns the exit code, if it ended by itself with one.
    pub(crate) fn code(self) -> Option<i32> {
        match self {
            StartEnd::Ended(status) => status.code(),
            StartEnd::StillRunning => None,
        }
    }

    fn is_good(self) -> bool {
        match self {
            StartEnd::Ended(status) => status.success(),
            StartEnd::StillRunning => true,
        }
    }
}

impl fmt::Display for StartEnd {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self {
            StartEnd::Ended(status) => write!(f, "{status}"),
            StartEnd::StillRunning => f.write_str("still running, then ended"),
        }
    }
}

/// An install, and how it is started.
pub(super) struct Install<'a> {
    folder: PathBuf,
    program: PathBuf,
    arguments: &'a [String],
    limit: Duration,
}

impl<'a> Install<'a> {
    pub(super) fn new(folder: PathBuf, program: PathBuf, plan: &RehearsalPlan<'a>) -> Self {
        Install {
            folder,
            program,
            arguments: plan.arguments,
            limit: plan.limit,
        }
    }

    /// Starts the application; afterwards `wanted` must be installed, and the
    /// application must have ended well, or still be running.
    pub(super) fn start(&self, wanted: Bundle) -> Result<StartEnd, RehearsalError> {
        let written = self.folder.with_extension("output");
        let end = self.run(&written)?;
        let output = tail(&written).map_or_else(String::new, |text| format!("\nit wrote:\n{text}"));
        let found = self.installed()?;
        if found != wanted.version() {
            let log = self.log();
            return Err(RehearsalError::NotInstalled {
                wanted,
                found,
                output,
                log,
            });
        }
        if !end.is_good() {
            return Err(RehearsalError::Unhealthy {
                bundle: wanted,
                end: end.to_string(),
                output,
            });
        }
        Ok(end)
    }

    fn run(&self, written: &Path) -> Result<StartEnd, RehearsalError> {
        let file = |e| RehearsalError::Fs(FsError::new("write", written, e));
        let out = File::create(written).map_err(file)?;
        let error = out.try_clone().map_err(file)?;
        let mut command = self.command();
        command
            .args(self.arguments)
            .stdin(Stdio::null())
            .stdout(out)
            .stderr(error);
        let child = command.spawn().map_err(|e| self.failed(e))?;
        let id = child.id();
        interrupt::child_began(id);
        let end = self.watch(child);
        interrupt::child_ended(id);
        end
    }

    /// The stub, which finds the server on this machine whatever proxies are set.
    fn command(&self) -> Command {
        let mut command = child::command(&self.program);
        // Where users start it there are none of these, and it need not know them.
        for (name, _) in std::env::vars_os() {
            let text = name.to_string_lossy().to_uppercase();
            if OF_UPLOADS.iter().any(|begin| text.starts_with(begin)) {
                command.env_remove(&name);
            }
        }
        for name in ["no_proxy", "NO_PROXY"] {
            let others = std::env::var(name).unwrap_or_default();
            command.env(name, format!("127.0.0.1,{others}"));
        }
        command
    }

    fn watch(&self, mut child: Child) -> Result<StartEnd, RehearsalError> {
        if let Some(status) = self.await_end(&mut child, self.limit)? {
            return Ok(StartEnd::Ended(status));
        }
        // The stub passes it on to an application that is its child.
        interrupt::terminate(child.id());
        if self.await_end(&mut child, TO_END)?.is_none() {
            child.kill().map_err(|e| self.failed(e))?;
            child.wait().map_err(|e| self.failed(e))?;
        }
        Ok(StartEnd::StillRunning)
    }

    fn await_end(
        &self,
        child: &mut Child,
        limit: Duration,
    ) -> Result<Option<ExitStatus>, RehearsalError> {
        let start = Instant::now();
        loop {
            let ended = child.try_wait().map_err(|e| self.failed(e))?;
            if ended.is_some() || start.elapsed() >= limit {
                return Ok(ended);
            }
            std::thread::sleep(LOOK);
        }
    }

    fn failed(&self, source: io::Error) -> RehearsalError {
        RehearsalError::Start {
            program: self.program.clone(),
            source,
        }
    }

    /// Asks the stub.
    fn ask(&self, command: &str) -> Result<Value, RehearsalError> {
        let mut asked = self.command();
        asked
            .args(["--updater", command, "--json"])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let done = asked
            .spawn()
            .and_then(child::wait)
            .map_err(|e| self.failed(e))?;
        Ok(serde_json::from_slice(&done.stdout).unwrap_or_default())
    }

    fn installed(&self) -> Result<String, RehearsalError> {
        let status = self.ask("status")?;
        let version = status["installed"]["version"].as_str();
        Ok(version.unwrap_or("none").to_owned())
    }

    pub(super) fn roll_back(&self) -> Result<(), RehearsalError> {
        let said = self.ask("rollback")?;
        match said["error"].as_str() {
            None if said.is_object() => Ok(()),
            reason => Err(RehearsalError::RollBack {
                reason: reason.unwrap_or("the stub says nothing").into(),
                log: self.log(),
            }),
        }
    }

    fn log(&self) -> String {
        tail(&self.folder.join(".notsotuf/log")).unwrap_or_else(|| "it has none".into())
    }
}

/// The end of a text file; `None` if there is nothing in it.
fn tail(path: &Path) -> Option<String> {
    let bytes = fs::read_optional(path, 64 << 20).ok().flatten()?;
    let from = bytes.len().saturating_sub(SHOWN);
    let text = String::from_utf8_lossy(&bytes[from..]).trim().to_owned();
    (!text.is_empty()).then_some(text)
}
