//! Answers the `--updater …` commands.

use crate::clock::now;
use crate::failure::FailureKind;
use crate::http::shown;
use crate::install::release_notes::{self, Note};
use crate::install::{self, BlockedVersions, Layout, Probation, Record, Release};
use crate::policy::blocked::{BlockedWhy, Skipped};
use crate::policy::choose_release::ReleaseChoice;
use crate::progress::{Event, ProgressDisplay, Surfaces};
use crate::safe_text::{self, Lines};
use crate::settings::Settings;
use crate::update::{self, Outcome, Repaired, UpdateError, Updater, behind};
use crate::{fs, logging, say, stub_version};
use pep440_rs::Version;
use serde_json::{Value, json};
use std::cell::RefCell;
use std::ffi::OsString;
use std::io::{self, Write};
use std::path::Path;
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
  --updater rollback   go back to the previous version, and stay there until
                       a newer one than this comes
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
    text: Lines,
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
            return write(HELP, ExitCode::SUCCESS);
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
        Err(e) => return failure(as_json, FailureKind::Local, &e.to_string()),
    };
    let log = logging::start(
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
        "status" => status(layout, &settings, &log.unwrap_or_else(|| layout.log())),
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
    let own = stub_version::version().to_string();
    let mut text = Lines::from(format!("notsotuf {own}"));
    text.line(describe(installed.as_ref()));
    Answer {
        text,
        json: json!({ "updater": own, "installed": installed.as_ref().map(release) }),
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

fn release(release: &Release) -> Value {
    json!({ "name": release.name, "version": release.version.to_string() })
}

/// Whether this user may know what is in the state dir; there may be none yet.
fn is_readable(layout: &Layout) -> bool {
    match std::fs::read_dir(layout.state()) {
        Ok(_) => true,
        Err(e) => e.kind() == io::ErrorKind::NotFound,
    }
}

/// What only the owner of the state dir can see.
struct OwnersView {
    staged: Option<Release>,
    previous: Option<Release>,
    on_probation: bool,
    failed: Vec<String>,
    rolled_back: Vec<String>,
    not_installed: Vec<String>,
    notes: Vec<Note>,
}

impl OwnersView {
    fn of(layout: &Layout, current: Option<&Release>) -> Result<Self, UpdateError> {
        let staged = installed(&layout.staged());
        let newest = staged.iter().chain(current).map(|r| &r.version).max();
        let notes = newest.map_or(Ok(Vec::new()), |newest| release_notes::kept(layout, newest))?;
        let blocked = BlockedVersions::load(layout);
        Ok(OwnersView {
            staged,
            previous: install::offered_previous(layout),
            on_probation: matches!(Probation::load(layout), Ok(Some(_))),
            failed: surely(&blocked, BlockedWhy::Failed),
            rolled_back: surely(&blocked, BlockedWhy::RolledBack),
            not_installed: surely(&blocked, BlockedWhy::NotInstalled),
            notes,
        })
    }

    fn lines(&self) -> [(&'static str, String); 5] {
        [
            ("ready", or_none(&self.staged)),
            ("previous", or_none(&self.previous)),
            ("failed here", list(&self.failed)),
            ("rolled back", list(&self.rolled_back)),
            ("left out", list(&self.not_installed)),
        ]
    }
}

/// What is known to everybody who may start the application, and what is in
/// the state dir, if this user may look into that.
fn status(layout: &Layout, settings: &Settings, log: &Path) -> Result<Answer, UpdateError> {
    let current = installed(&layout.app());
    let own = if is_readable(layout) {
        Some(OwnersView::of(layout, current.as_ref())?)
    } else {
        None
    };
    let own = own.as_ref();
    let on_probation = own.is_some_and(|own| own.on_probation);
    let probation = if on_probation { " (on probation)" } else { "" };
    let (metadata, targets) = (shown(&settings.metadata_url), shown(&settings.targets_url));
    let mut lines = vec![(
        "installed",
        format!("{}{probation}", describe(current.as_ref())),
    )];
    lines.extend(own.into_iter().flat_map(OwnersView::lines));
    lines.extend([
        ("channel", settings.channel.to_string()),
        ("metadata", metadata.clone()),
        ("targets", targets.clone()),
        ("log", log.display().to_string()),
    ]);
    let mut text = Lines::new();
    for (what, value) in lines {
        text.line(format!("{what:11} {value}"));
    }
    match own {
        Some(own) => add_notes(&mut text, &own.notes),
        None => {
            text.line("");
            text.line(format!(
                "{} belongs to another user, who alone can see and do more.",
                layout.state().display()
            ));
        }
    }
    let json = json!({
        "updater": stub_version::version().to_string(),
        "installed": current.as_ref().map(release),
        "staged": own.and_then(|own| own.staged.as_ref()).map(release),
        "previous": own.and_then(|own| own.previous.as_ref()).map(release),
        "probation": own.map(|own| own.on_probation),
        "failed": own.map(|own| &own.failed),
        "rolled_back": own.map(|own| &own.rolled_back),
        "not_installed": own.map(|own| &own.not_installed),
        "notes": own.map(|own| &own.notes),
        "channel": settings.channel.to_string(),
        "metadata_url": metadata,
        "targets_url": targets,
        "log": log.to_string_lossy(),
        "readable": own.is_some(),
    });
    Ok(Answer { text, json })
}

/// Versions blocked for this reason; what may work at the next start is not
/// left out yet.
fn surely(blocked: &BlockedVersions, why: BlockedWhy) -> Vec<String> {
    let versions = blocked.versions(why).into_iter();
    let sure = |v: &Version| blocked.find(v, why).is_some_and(|entry| entry.sure);
    versions.filter(sure).map(|v| v.to_string()).collect()
}

fn or_none(release: &Option<Release>) -> String {
    let version = release.as_ref().map(|r| r.version.to_string());
    version.unwrap_or_else(|| "none".into())
}

fn list(versions: &[String]) -> String {
    match versions {
        [] => "none".to_owned(),
        versions => versions.join(", "),
    }
}

/// Each under its version.
fn add_notes(text: &mut Lines, notes: &[Note]) {
    for note in notes {
        text.line("");
        text.line(note.version.to_string());
        text.paragraph(note.text.trim_end());
    }
}

fn check(layout: &Layout, settings: &Settings) -> Result<Answer, UpdateError> {
    let updater = Updater::new(layout, settings, now(), &|_| {})?;
    let checked = updater.check()?;
    let installed = checked.installed.clone();
    let (text, update, required) = match &checked.choice {
        ReleaseChoice::UpToDate => (
            format!("{} is up to date", describe(installed.as_ref())),
            Value::Null,
            false,
        ),
        ReleaseChoice::Update { version, required } => (
            format!(
                "{version} is available (installed: {})",
                describe(installed.as_ref())
            ),
            version.to_string().into(),
            *required,
        ),
    };
    let notes = match &checked.choice {
        ReleaseChoice::UpToDate => Vec::new(),
        ReleaseChoice::Update { version, .. } => checked.notes(version),
    };
    let mut text = Lines::from(text);
    add_skipped(&mut text, &checked.skipped);
    add_notes(&mut text, &notes);
    let json = json!({
        "installed": installed.as_ref().map(release),
        "update": update,
        "required": required,
        "notes": notes,
        "skipped": skipped_versions(&checked.skipped),
    });
    Ok(Answer { text, json })
}

fn add_skipped(text: &mut Lines, skipped: &[Skipped]) {
    for skipped in skipped {
        text.line(skipped.to_string());
    }
}

fn skipped_versions(skipped: &[Skipped]) -> Value {
    let entry = |skipped: &Skipped| {
        let why = skipped
            .why
            .map_or_else(|| "rollout".into(), |why| json!(why));
        json!({
            "version": skipped.version.to_string(),
            "why": why,
            "reason": skipped.to_string(),
        })
    };
    skipped.iter().map(entry).collect()
}

fn update(layout: &Layout, settings: &Settings, retry: bool) -> Result<Answer, UpdateError> {
    if retry {
        BlockedVersions::clear(layout)?;
        fs::remove_file_if_exists(&layout.failed_stub())?;
    }
    let screen = RefCell::new(ProgressDisplay::new(settings, Surfaces::Terminal));
    let tell = |event: Event| screen.borrow_mut().event(&event);
    let mut skipped = Vec::new();
    let result = update::run_and_name(layout, settings, now(), &tell, &mut skipped);
    screen.borrow_mut().clear();
    let outcome = result?;
    log::info!("{outcome}");
    let mut json = describe_outcome(&outcome);
    json["skipped"] = skipped_versions(&skipped);
    let mut text = Lines::from(outcome.to_string());
    add_skipped(&mut text, &skipped);
    Ok(Answer { text, json })
}

fn stage(layout: &Layout, settings: &Settings) -> Result<Answer, UpdateError> {
    let outcome = update::stage_in_background(layout, settings, now(), &|_| {})?;
    log::info!("{outcome}");
    Ok(Answer {
        text: outcome.to_string().into(),
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
        text: text.into(),
        json: describe_outcome(&outcome),
    })
}

fn repair(layout: &Layout, settings: &Settings) -> Result<Answer, UpdateError> {
    let Repaired { damaged, outcome } = Updater::new(layout, settings, now(), &|_| {})?.repair()?;
    let mut text = Lines::from(match &outcome {
        Outcome::UpToDate => "all files are as they were installed",
        Outcome::Deferred { .. } => "damaged or missing:",
        _ => "damaged or missing, and restored:",
    });
    for path in &damaged {
        text.line(format!("  {path}"));
    }
    if let Outcome::Deferred { .. } = outcome {
        text.line(outcome.to_string());
    }
    let done = match outcome {
        Outcome::Deferred { .. } => "to be restored at the next start",
        _ => "restored",
    };
    log::info!("repair: {} files {done}", damaged.len());
    let mut json = describe_outcome(&outcome);
    json["damaged"] = damaged.into();
    Ok(Answer { text, json })
}

fn finish(as_json: bool, result: Result<Answer, UpdateError>) -> ExitCode {
    match result {
        Ok(answer) if as_json => print_json(&answer.json, ExitCode::SUCCESS),
        Ok(answer) => print(&answer.text, ExitCode::SUCCESS),
        Err(e) => {
            log::error!("{e}");
            failure(as_json, e.class(), &e.to_string())
        }
    }
}

fn failure(as_json: bool, class: FailureKind, message: &str) -> ExitCode {
    let code = ExitCode::from(class.exit_code());
    if as_json {
        let error = json!({ "error": message, "class": class.as_str() });
        return print_json(&error, code);
    }
    say::line(&format!("{class}: {message}"));
    code
}

fn wrong_use(message: &str) -> ExitCode {
    say::line(&format!("{message}; --updater help lists the commands"));
    ExitCode::from(USAGE)
}

fn print_json(value: &Value, code: ExitCode) -> ExitCode {
    write(&format!("{}\n", safe_text::json(value)), code)
}

fn print(text: &Lines, code: ExitCode) -> ExitCode {
    write(text.as_str(), code)
}

/// Only for what is safe to be shown.
fn write(text: &str, code: ExitCode) -> ExitCode {
    match io::stdout().lock().write_all(text.as_bytes()) {
        Ok(()) => code,
        Err(_) => ExitCode::FAILURE,
    }
}
