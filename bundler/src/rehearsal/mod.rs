//! Tries an update on this computer: a project of its own in a temporary
//! folder, two releases, a server, and an install that is started. It uses this
//! program's own commands, as people type them, and the real stub.

mod commands;
mod error;
mod install;
mod plan;
mod server;

pub(crate) use error::RehearsalError;
pub(crate) use plan::{Bundle, RehearsalPlan};

use crate::progress::Progress;
use crate::project::Project;
use crate::temporary;
use commands::Commands;
use install::{Install, StartEnd};
use notsotuf_stub::fs;
use server::ServeProcess;
use std::path::{Path, PathBuf};
use toml_edit::DocumentMut;

/// The name of the application in the rehearsal's own project.
const APP: &str = "rehearsal";
/// Settings that have to do with where updates come from, and when: they would not
/// work here, or keep the update from coming at the start that is watched.
const NOT_HERE: [&str; 5] = ["mirrors", "ca_file", "authorization", "mode", "max_rate"];

/// Says what came of it.
#[derive(Debug)]
pub(crate) struct RehearsalReport {
    /// Bytes of the archive of the update.
    pub archive: u64,
    /// Bytes of the patch, if one was made.
    pub patch: Option<u64>,
    /// What was started, and how that ended.
    pub starts: Vec<(Bundle, StartEnd)>,
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
    // It was released, with whatever that took.
    commands.run_with(&["add", "--force", Bundle::Old.version()], &[plan.old])?;
    commands.run(&["publish"])?;
    let folder = work.path().join("install");
    let mut ship = vec!["ship", "--version", Bundle::Old.version()];
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
    let install = Install::new(folder, program, plan);
    bar.set_message("the installed version");
    let mut starts = vec![(Bundle::Old, install.start(Bundle::Old)?)];
    bar.set_message("the update");
    let mut add = vec!["add", Bundle::New.version()];
    if plan.force {
        add.push("--force");
    }
    let added = commands.run_with(&add, &[plan.new])?;
    commands.run(&["publish"])?;
    bar.set_message("the new version");
    for _ in 0..2 {
        starts.push((Bundle::New, install.start(Bundle::New)?));
    }
    check_time(plan, &starts)?;
    bar.set_message("going back");
    install.roll_back()?;
    starts.push((Bundle::Old, install.start(Bundle::Old)?));
    bar.finish_and_clear();
    Ok(RehearsalReport {
        archive: added["archive"]["size"].as_u64().unwrap_or_default(),
        patch: added["patch"]["size"].as_u64(),
        starts,
    })
}

/// Makes sure that a new version that was ended had the time to fail.
fn check_time(plan: &RehearsalPlan, starts: &[(Bundle, StartEnd)]) -> Result<(), RehearsalError> {
    let probation = plan.probation();
    let was_ended = starts.iter().any(|(_, end)| *end == StartEnd::StillRunning);
    if was_ended && plan.limit <= probation {
        return Err(RehearsalError::TooShort {
            limit: plan.limit,
            probation,
        });
    }
    Ok(())
}

/// Gives installs of the rehearsal the settings that those of `project` get, but
/// for where its repository is.
fn take_settings(project: Option<&Project>, own: &Path) -> Result<(), RehearsalError> {
    let Some(project) = project else {
        return Ok(());
    };
    let mut settings = project.settings.client.settings.clone();
    for key in NOT_HERE {
        settings.remove(key);
    }
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
