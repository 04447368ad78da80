//! Answers `--updater repair`.

use crate::clock::now;
use crate::install::Layout;
use crate::progress::Event;
use crate::safe_text::Lines;
use crate::settings::Settings;
use crate::update::{Outcome, Repaired, UpdateError, Updater};
use crate::updater_cli::command_output::{CommandOutput, describe_outcome};

pub(super) fn repair(
    layout: &Layout,
    settings: &Settings,
    tell: &dyn Fn(Event),
) -> Result<CommandOutput, UpdateError> {
    let Repaired { damaged, outcome } = Updater::new(layout, settings, now(), tell)?.repair()?;
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
    Ok(CommandOutput { text, json })
}
