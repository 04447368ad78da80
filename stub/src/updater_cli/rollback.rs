//! Answers `--updater rollback`.

use crate::clock::now;
use crate::install::Layout;
use crate::progress::Event;
use crate::settings::Settings;
use crate::update::{Outcome, UpdateError, Updater};
use crate::updater_cli::command_output::{CommandOutput, describe_outcome};

pub(super) fn rollback(
    layout: &Layout,
    settings: &Settings,
    tell: &dyn Fn(Event),
) -> Result<CommandOutput, UpdateError> {
    let outcome = Updater::new(layout, settings, now(), tell)?.roll_back(None)?;
    let text = match &outcome {
        Outcome::Installed(release) => format!("back at version {}", release.version),
        other => other.to_string(),
    };
    log::info!("{text}");
    Ok(CommandOutput {
        text: text.into(),
        json: describe_outcome(&outcome),
    })
}
