//! Answers `--updater update` and `--updater stage`.

use crate::clock::now;
use crate::fs;
use crate::install::{BlockedVersions, Layout};
use crate::progress::{Event, ProgressDisplay, Surfaces};
use crate::safe_text::Lines;
use crate::settings::Settings;
use crate::update::{self, UpdateError};
use crate::updater_cli::command_output::{
    CommandOutput, add_skipped, describe_outcome, skipped_versions,
};
use crate::updater_cli::events::Events;
use std::cell::RefCell;

pub(super) fn update(
    layout: &Layout,
    settings: &Settings,
    retry: bool,
    events: Option<&Events>,
) -> Result<CommandOutput, UpdateError> {
    if retry {
        BlockedVersions::clear(layout)?;
        fs::remove_file_if_exists(&layout.failed_stub())?;
    }
    let mut skipped = Vec::new();
    let mut run =
        |tell: &dyn Fn(Event)| update::run_and_name(layout, settings, now(), tell, &mut skipped);
    let result = match events {
        Some(events) => run(&|event| events.tell(event)),
        None => {
            let screen = RefCell::new(ProgressDisplay::new(settings, Surfaces::Terminal, None));
            let result = run(&|event| screen.borrow_mut().event(&event));
            screen.borrow_mut().clear();
            result
        }
    };
    let outcome = result?;
    log::info!("{outcome}");
    let mut json = describe_outcome(&outcome);
    json["skipped"] = skipped_versions(&skipped);
    let mut text = Lines::from(outcome.to_string());
    add_skipped(&mut text, &skipped);
    Ok(CommandOutput { text, json })
}

pub(super) fn stage(
    layout: &Layout,
    settings: &Settings,
    tell: &dyn Fn(Event),
) -> Result<CommandOutput, UpdateError> {
    let outcome = update::stage_in_background(layout, settings, now(), tell)?;
    log::info!("{outcome}");
    Ok(CommandOutput {
        text: outcome.to_string().into(),
        json: describe_outcome(&outcome),
    })
}
