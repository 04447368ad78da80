//! Tries an update on this computer: a project of its own in a temporary
//! folder, two releases, a server, and an install that is started. It uses this
//! program's own commands, as people type them, and the real stub.

mod error;
mod install;
mod server;

pub(crate) use error::RehearsalError;

use crate::child;
use crate::progress::Progress;
use crate::project::Project;
use crate::temporary;
use install::{Install, StartEnd};
use notsotuf_stub::fs;
use serde_json::Value;
use server::ServeProcess;
use std::path::{Path, PathBuf};
use std::time::Duration;
use toml_edit::DocumentMut;

/// The name of the application in the rehearsal's own project.
const APP: &str = "rehearsal";
const OLD: &str = "1.0";
const NEW: &str = "1.1";

/// Says what to try.
#[derive(Debug, Clone)]
pub(crate) struct RehearsalPlan<'a> {
    /// The bundle that is installed first.
    pub old: &'a Path,
    /// The bundle of the update.
    pub new: &'a Path,
    /// The stub's binary.
    pub stub: &'a Path,
    /// The program to start, relative to the bundle.
    pub executable: Option<&'a str>,
    /// What the application is started with.
    pub arguments: &'a [String],
    /// How long it may run at each start.
    pub limit: Duration,
    /// Whose settings installs have.
    pub project: Option<&'a Project>,
}

/// Says what came of it.
#[derive(Debug)]
pub(crate) struct RehearsalReport {
    /// Bytes of the archive of the update.
    pub archive: u64,
    /// Bytes of the patch, if one was made.
    pub patch: Option<u64>,
    /// What was started, and how that ended.
    pub starts: Vec<(&'static str, StartEnd)>,
}

/// Installs the old bundle, updates it to the new one, starts both, and goes
/// back. Leaves nothing behind.
///
/// # Errors
/// [`RehearsalError`]: what did not work, with the log of the stub.
pub(crate) fn rehearse(
    plan: &RehearsalPlan,
    progress: Progress,
) -> Result<RehearsalReport, RehearsalError> {
    let work = temporary::Folder::new()?;
    let project = work.path().join("project");
    let repository = project.join("repository");
    fs::create_dir_all(&repository)?;
    let commands = Commands { project: &project };
    let server = ServeProcess::start(&commands, &repository)?;
    commands.run(&["init", "--app", APP, "--plain", "--url", server.url()])?;
    take_settings(plan.project, &project)?;
    let bar = progress.waiting("the release that is installed");
    commands.run_with(&["add", OLD], &[plan.old])?;
    commands.run(&["publish"])?;
    let folder = work.path().join("install");
    let mut ship = vec!["ship", "--version", OLD];
    if let Some(executable) = plan.executable {
        ship.extend(["--executable", executable]);
    }
    let stub = [
        Path::new("--stub"),
        plan.stub,
        Path::new("--output"),
        &folder,
    ];
    let shipped = commands.run_with(&ship, &stub)?;
    let program = PathBuf::from(shipped["program"].as_str().unwrap_or_default());
    let install = Install::new(folder, program, plan)?;
    bar.set_message("the installed version");
    let mut starts = vec![(OLD, install.start(OLD)?)];
    bar.set_message("the update");
    let added = commands.run_with(&["add", NEW], &[plan.new])?;
    commands.run(&["publish"])?;
    bar.set_message("the new version");
    starts.push((NEW, install.start(NEW)?));
    starts.push((NEW, install.start(NEW)?));
    bar.set_message("going back");
    install.roll_back()?;
    starts.push((OLD, install.start(OLD)?));
    bar.finish_and_clear();
    Ok(RehearsalReport {
        archive: added["archive"]["size"].as_u64().unwrap_or_default(),
        patch: added["patch"]["size"].as_u64(),
        starts,
    })
}

/// Gives installs of the rehearsal the settings that those of `project` get, but
/// for where its repository is.
fn take_settings(project: Option<&Project>, own: &Path) -> Result<(), RehearsalError> {
    let Some(project) = project else {
        return Ok(());
    };
    let mut settings = project.settings.client.settings.clone();
    settings.remove("mirrors");
    let path = own.join(crate::project::FILE);
    let bytes = fs::read_optional(&path, 1 << 20)?.unwrap_or_default();
    let form = |reason: String| RehearsalError::Settings(reason);
    let text = String::from_utf8(bytes).map_err(|e| form(e.to_string()))?;
    let mut document: DocumentMut = text.parse().map_err(|e| form(format!("{e}")))?;
    let settings = toml_edit::ser::to_document(&settings).map_err(|e| form(e.to_string()))?;
    document["client"]["settings"] = toml_edit::Item::Table(settings.as_table().clone());
    fs::write_atomically(&path, document.to_string().as_bytes())?;
    Ok(())
}

/// Runs this program in the rehearsal's own project.
struct Commands<'a> {
    project: &'a Path,
}

impl Commands<'_> {
    fn command(&self, words: &[&str]) -> Result<std::process::Command, RehearsalError> {
        let program = std::env::current_exe().map_err(RehearsalError::ThisProgram)?;
        let mut command = child::command(program);
        command
            .arg("-C")
            .arg(self.project)
            .args(["--json", "--quiet"])
            .args(words);
        Ok(command)
    }

    fn run(&self, words: &[&str]) -> Result<Value, RehearsalError> {
        self.run_with(words, &[])
    }

    /// Runs a command, with paths after the words; returns what it says.
    fn run_with(&self, words: &[&str], paths: &[&Path]) -> Result<Value, RehearsalError> {
        let mut command = self.command(words)?;
        command.args(paths).stdin(std::process::Stdio::null());
        command
            .stdout(std::process::Stdio::piped())
            .stderr(std::process::Stdio::piped());
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
