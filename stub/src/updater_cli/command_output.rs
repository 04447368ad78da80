//! Writes what a command has to say, as text and as JSON.

use crate::failure::FailureKind;
use crate::install::release_notes::Note;
use crate::install::{Record, Release};
use crate::policy::blocked::{Skipped, SkippedWhy};
use crate::safe_text::{self, Lines};
use crate::say;
use crate::update::{Outcome, UpdateError};
use serde_json::{Value, json};
use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;

/// Holds what a command has to say, in both forms.
pub(super) struct CommandOutput {
    pub(super) text: Lines,
    pub(super) json: Value,
}

pub(super) fn installed(folder: &Path) -> Option<Release> {
    Record::load_release(folder).unwrap_or_else(|e| {
        log::warn!("{e}");
        None
    })
}

pub(super) fn describe(installed: Option<&Release>) -> String {
    match installed {
        Some(Release { name, version }) => format!("{name} {version}"),
        None => "unknown version (no record in app)".into(),
    }
}

pub(super) fn release(release: &Release) -> Value {
    json!({ "name": release.name, "version": release.version.to_string() })
}

pub(super) fn or_none(release: &Option<Release>) -> String {
    let version = release.as_ref().map(|r| r.version.to_string());
    version.unwrap_or_else(|| "none".into())
}

pub(super) fn add_skipped(text: &mut Lines, skipped: &[Skipped]) {
    for skipped in skipped {
        text.line(skipped.to_string());
    }
}

pub(super) fn skipped_versions(skipped: &[Skipped]) -> Value {
    let entry = |skipped: &Skipped| {
        let why = match skipped.why {
            SkippedWhy::Blocked(why) => json!(why),
            SkippedWhy::Held => "held".into(),
            SkippedWhy::Rollout => "rollout".into(),
        };
        json!({
            "version": skipped.version.to_string(),
            "why": why,
            "reason": skipped.to_string(),
        })
    };
    skipped.iter().map(entry).collect()
}

pub(super) fn list(versions: &[String]) -> String {
    match versions {
        [] => "none".to_owned(),
        versions => versions.join(", "),
    }
}

/// Adds release notes, each under its version.
pub(super) fn add_notes(text: &mut Lines, notes: &[Note]) {
    for note in notes {
        text.line("");
        text.line(note.version.to_string());
        text.paragraph(note.text.trim_end());
    }
}

pub(super) fn describe_outcome(outcome: &Outcome) -> Value {
    let (result, version) = match outcome {
        Outcome::UpToDate => ("up-to-date", None),
        Outcome::Installed(release) => ("updated", Some(&release.version)),
        Outcome::Updated(staged) => ("updated", Some(&staged.version)),
        Outcome::Deferred { version, .. } => ("staged", Some(version)),
    };
    json!({ "result": result, "version": version.map(ToString::to_string) })
}

pub(super) fn finish(as_json: bool, result: Result<CommandOutput, UpdateError>) -> ExitCode {
    match result {
        Ok(answer) if as_json => print_json(&answer.json, ExitCode::SUCCESS),
        Ok(answer) => print(&answer.text, ExitCode::SUCCESS),
        Err(e) => {
            log::error!("{e}");
            let class = e.failure_kind();
            if !as_json {
                return failure(false, class, &e.to_string());
            }
            let mut error = error(class, &e.to_string());
            if matches!(e, UpdateError::Locked) {
                error["locked"] = true.into();
            }
            print_json(&error, ExitCode::from(class.exit_code()))
        }
    }
}

pub(super) fn failure(as_json: bool, class: FailureKind, message: &str) -> ExitCode {
    let code = ExitCode::from(class.exit_code());
    if as_json {
        return print_json(&error(class, message), code);
    }
    say::line(&format!("{class}: {message}"));
    code
}

fn error(class: FailureKind, message: &str) -> Value {
    json!({ "error": message, "class": class.as_str() })
}

pub(super) fn wrong_use(message: &str) -> ExitCode {
    say::line(&format!("{message}; --updater help lists the commands"));
    ExitCode::from(USAGE)
}

pub(super) fn print_json(value: &Value, code: ExitCode) -> ExitCode {
    write(&format!("{}\n", safe_text::json(value)), code)
}

pub(super) fn print(text: &Lines, code: ExitCode) -> ExitCode {
    write(text.as_str(), code)
}

/// Writes to standard output what is safe to be shown.
pub(super) fn write(text: &str, code: ExitCode) -> ExitCode {
    match io::stdout().lock().write_all(text.as_bytes()) {
        Ok(()) => code,
        Err(_) => ExitCode::FAILURE,
    }
}

/// Exit code for a wrong command line.
pub(super) const USAGE: u8 = 2;
