//! The `--updater …` commands.

use crate::error::Class;
use crate::fs;
use crate::install::{Layout, Probation, Quarantine, Record, Release};
use crate::launcher::now;
use crate::log as log_file;
use crate::notes::{self, Note};
use crate::report::{Event, Screen};
use crate::select::Choice;
use crate::settings::Settings;
use crate::updater::{self, Outcome, Repaired, UpdateError, Updater};
use crate::{behind, own, say};
use serde_json::{Value, json};
use std::cell::RefCell;
use std::ffi::OsString;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

const HELP: &str = "\
Keeps this application up to date.

Started without --updater, this program looks for an update, installs it, and
starts the application with the arguments given. With --updater first:

  --updater status     what is installed, and what is ready to be installed
  --updater check      ask the repository whether there is an update
  --updater update     install an update now, without starting the application
             --retry   even a version that failed on this computer before
  --updater stage      fetch and verify an update, and install it at the next
                       start; for applications, while they run
  --updater rollback   go back to the version before, and stay there until a
                       newer one than this comes
  --updater repair     compare the installed files with what was installed, and
                       restore those that are missing or changed
  --updater version    versions of the updater and of the application
  --updater help       this text

  --json               print one JSON object instead of text

Exit codes: 0 done; 2 wrong use; 3 refused, something did not verify;
4 unavailable, try again later; 5 a problem on this computer.
";

/// Exit code for a wrong command line.
const USAGE: u8 = 2;

/// What a command has to say, in both forms.
struct Answer {
    text: String,
    json: Value,
}

/// Runs the command that `arguments` (what follows `--updater`) name.
pub fn main(layout: &Layout, arguments: &[OsString]) -> ExitCode {
    let mut words: Vec<&str> = Vec::new();
    let (mut as_json, mut retry) = (false, false);
    for argument in arguments {
        match argument.to_str() {
            Some("--json") => as_json = true,
            Some("--retry") => retry = true,
            Some("--help" | "-h") => words.push("help"),
            Some(word) => words.push(word),
            None => words.push("\u{fffd}"),
        }
    }
    let command = match words.as_slice() {
        [] | ["help", ..] => {
            return print(HELP, ExitCode::SUCCESS);
        }
        [command] => *command,
        [command, ..] => {
            return wrong_use(&format!("{command} takes no arguments"));
        }
    };
    if retry && command != "update" {
        return wrong_use("--retry goes with update");
    }
    let settings = Settings::load(layout.root());
    if command == "version" {
        return finish(as_json, Ok(version(layout)));
    }
    let settings = match settings {
        Ok(settings) => settings,
        Err(e) => return failure(as_json, Class::Local, &e.to_string()),
    };
    let log = log_file::start(
        layout,
        &settings.name,
        settings.log_size,
        settings.log_level,
    );
    // What a user wants now goes before what is done in the background.
    let at_once = ["update", "stage", "rollback", "repair"].contains(&command);
    let _claim = at_once.then(|| behind::claim(layout));
    let result = match command {
        behind::COMMAND => return behind::main(layout, &settings),
        "status" => status(layout, &settings, log.unwrap_or(layout.log())),
        "check" => check(layout, &settings),
        "update" => update(layout, &settings, retry),
        "stage" => stage(layout, &settings),
        "rollback" => rollback(layout, &settings),
        "repair" => repair(layout, &settings),
        _ => return wrong_use(&format!("there is no command {command:?}")),
    };
    finish(as_json, result)
}

fn version(layout: &Layout) -> Answer {
    let installed = installed(&layout.app());
    let own = own::version().to_string();
    Answer {
        text: format!("notsotuf {own}\n{}\n", describe(installed.as_ref())),
        json: json!({ "updater": own, "installed": installed.map(release) }),
    }
}

fn installed(folder: &Path) -> Option<Release> {
    Record::load_release(folder).unwrap_or_else(|e| {
        log::warn!("{e}");
        None
    })
}

fn describe(installed: Option<&Release>) -> String {
    match installed {
        Some(Release { name, version }) => format!("{name} {version}"),
        None => "unknown version (no record in app)".into(),
    }
}

fn release(release: Release) -> Value {
    json!({ "name": release.name, "version": release.version.to_string() })
}

/// Whether this user may know what is in the state dir; there may be none yet.
fn is_readable(layout: &Layout) -> bool {
    match std::fs::read_dir(layout.state()) {
        Ok(_) => true,
        Err(e) => e.kind() == io::ErrorKind::NotFound,
    }
}

/// What is known to everybody who may start the application, and what is in
/// the state dir, if this user may look into that.
fn status(layout: &Layout, settings: &Settings, log: PathBuf) -> Result<Answer, UpdateError> {
    if !is_readable(layout) {
        return Ok(status_for_others(layout, settings, &log));
    }
    let current = installed(&layout.app());
    let staged = installed(&layout.staged());
    let previous = installed(&layout.previous());
    let or_none = |release: &Option<Release>| {
        let version = release.as_ref().map(|r| r.version.to_string());
        version.unwrap_or_else(|| "none".into())
    };
    let held: Vec<String> = Quarantine::load(layout)
        .versions
        .iter()
        .map(ToString::to_string)
        .collect();
    let on_probation = matches!(Probation::load(layout), Ok(Some(_)));
    let newest = staged.iter().chain(&current).map(|r| &r.version).max();
    let notes = newest.map_or(Ok(Vec::new()), |newest| notes::kept(layout, newest))?;
    let mut text = format!(
        "installed   {}{}\nready       {}\nprevious    {}\nfailed here {}\nchannel     {}\nmetadata    {}\ntargets     {}\nlog         {}\n",
        describe(current.as_ref()),
        if on_probation { " (on probation)" } else { "" },
        or_none(&staged),
        or_none(&previous),
        if held.is_empty() {
            "none".into()
        } else {
            held.join(", ")
        },
        settings.channel,
        settings.metadata_url,
        settings.targets_url,
        log.display(),
    );
    text.push_str(&in_words(&notes));
    let json = json!({
        "updater": own::version().to_string(),
        "installed": current.map(release),
        "staged": staged.map(release),
        "previous": previous.map(release),
        "probation": on_probation,
        "failed": held,
        "notes": notes,
        "channel": settings.channel.to_string(),
        "metadata_url": settings.metadata_url,
        "targets_url": settings.targets_url,
        "log": log.to_string_lossy(),
        "readable": true,
    });
    Ok(Answer { text, json })
}

fn status_for_others(layout: &Layout, settings: &Settings, log: &Path) -> Answer {
    let current = installed(&layout.app());
    let text = format!(
        "installed   {}\nchannel     {}\nmetadata    {}\ntargets     {}\nlog         {}\n\n{} belongs to another user, who alone can see and do more.\n",
        describe(current.as_ref()),
        settings.channel,
        settings.metadata_url,
        settings.targets_url,
        log.display(),
        layout.state().display(),
    );
    let json = json!({
        "updater": own::version().to_string(),
        "installed": current.map(release),
        "staged": null,
        "previous": null,
        "probation": null,
        "failed": null,
        "notes": null,
        "channel": settings.channel.to_string(),
        "metadata_url": settings.metadata_url,
        "targets_url": settings.targets_url,
        "log": log.to_string_lossy(),
        "readable": false,
    });
    Answer { text, json }
}

/// Each under its version.
fn in_words(notes: &[Note]) -> String {
    let words = |note: &Note| format!("\n{}\n{}\n", note.version, note.text.trim_end());
    notes.iter().map(words).collect()
}

fn check(layout: &Layout, settings: &Settings) -> Result<Answer, UpdateError> {
    let updater = Updater::new(layout, settings, now(), &|_| {})?;
    let checked = updater.check()?;
    let installed = checked.installed.clone();
    let (text, update, required) = match &checked.choice {
        Choice::UpToDate => (
            format!("{} is up to date\n", describe(installed.as_ref())),
            Value::Null,
            false,
        ),
        Choice::Update { version, required } => (
            format!(
                "{version} is available (installed: {})\n",
                describe(installed.as_ref())
            ),
            version.to_string().into(),
            *required,
        ),
    };
    let notes = match &checked.choice {
        Choice::UpToDate => Vec::new(),
        Choice::Update { version, .. } => checked.notes(version),
    };
    let mut text = text;
    text.push_str(&in_words(&notes));
    let json = json!({
        "installed": installed.map(release),
        "update": update,
        "required": required,
        "notes": notes,
    });
    Ok(Answer { text, json })
}

fn update(layout: &Layout, settings: &Settings, retry: bool) -> Result<Answer, UpdateError> {
    if retry {
        fs::remove_file(&layout.quarantine())?;
        fs::remove_file(&layout.failed_stub())?;
    }
    let screen = RefCell::new(Screen::new(settings, false));
    let tell = |event: Event| screen.borrow_mut().event(&event);
    let result = updater::run(layout, settings, now(), &tell);
    screen.borrow_mut().clear();
    let outcome = result?;
    log::info!("{outcome}");
    Ok(Answer {
        text: format!("{outcome}\n"),
        json: describe_outcome(&outcome),
    })
}

fn stage(layout: &Layout, settings: &Settings) -> Result<Answer, UpdateError> {
    let outcome = updater::run_behind(layout, settings, now(), &|_| {})?;
    log::info!("{outcome}");
    Ok(Answer {
        text: format!("{outcome}\n"),
        json: describe_outcome(&outcome),
    })
}

fn describe_outcome(outcome: &Outcome) -> Value {
    let (result, version) = match outcome {
        Outcome::UpToDate => ("up-to-date", None),
        Outcome::Installed(release) => ("updated", Some(&release.version)),
        Outcome::Updated(staged) => ("updated", Some(&staged.version)),
        Outcome::Deferred { version, .. } => ("staged", Some(version)),
    };
    json!({ "result": result, "version": version.map(ToString::to_string) })
}

fn rollback(layout: &Layout, settings: &Settings) -> Result<Answer, UpdateError> {
    let outcome = Updater::new(layout, settings, now(), &|_| {})?.roll_back(None)?;
    let text = match &outcome {
        Outcome::Installed(release) => format!("back at version {}", release.version),
        other => other.to_string(),
    };
    log::info!("{text}");
    Ok(Answer {
        text: format!("{text}\n"),
        json: describe_outcome(&outcome),
    })
}

fn repair(layout: &Layout, settings: &Settings) -> Result<Answer, UpdateError> {
    let Repaired { damaged, outcome } = Updater::new(layout, settings, now(), &|_| {})?.repair()?;
    let list: String = damaged.iter().map(|path| format!("  {path}\n")).collect();
    let text = match &outcome {
        Outcome::UpToDate => "all files are as they were installed\n".into(),
        Outcome::Deferred { .. } => format!("damaged or missing:\n{list}{outcome}\n"),
        _ => format!("damaged or missing, and restored:\n{list}"),
    };
    log::info!("repair: {} files restored", damaged.len());
    let mut json = describe_outcome(&outcome);
    json["damaged"] = damaged.into();
    Ok(Answer { text, json })
}

fn finish(as_json: bool, result: Result<Answer, UpdateError>) -> ExitCode {
    match result {
        Ok(answer) if as_json => print(&format!("{}\n", answer.json), ExitCode::SUCCESS),
        Ok(answer) => print(&answer.text, ExitCode::SUCCESS),
        Err(e) => {
            log::error!("{e}");
            failure(as_json, e.class(), &e.to_string())
        }
    }
}

fn failure(as_json: bool, class: Class, message: &str) -> ExitCode {
    let code = ExitCode::from(class.exit_code());
    if as_json {
        let error = json!({ "error": message, "class": class.as_str() });
        return print(&format!("{error}\n"), code);
    }
    say::line(&format!("{class}: {message}"));
    code
}

fn wrong_use(message: &str) -> ExitCode {
    say::line(&format!("{message}; --updater help lists the commands"));
    ExitCode::from(USAGE)
}

fn print(text: &str, code: ExitCode) -> ExitCode {
    match io::stdout().lock().write_all(text.as_bytes()) {
        Ok(()) => code,
        Err(_) => ExitCode::FAILURE,
    }
}
