//! Answers `--updater check`.

use crate::clock::now;
use crate::install::Layout;
use crate::policy::choose_release::ReleaseChoice;
use crate::progress::Event;
use crate::safe_text::Lines;
use crate::settings::Settings;
use crate::update::{UpdateError, Updater};
use crate::updater_cli::command_output::{
    CommandOutput, add_notes, add_skipped, describe, release, skipped_versions,
};
use serde_json::{Value, json};

pub(super) fn check(
    layout: &Layout,
    settings: &Settings,
    tell: &dyn Fn(Event),
) -> Result<CommandOutput, UpdateError> {
    let updater = Updater::new(layout, settings, now(), tell)?;
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
    Ok(CommandOutput { text, json })
}
