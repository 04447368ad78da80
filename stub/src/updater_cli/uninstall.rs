//! Answers `--updater uninstall`, for the programs that installers leave behind.

use crate::configuration::Configuration;
use crate::install::{self, Extent, Layout, Uninstalled};
use crate::update::{UpdateError, behind};
use crate::updater_cli::command_output::{CommandOutput, finish, wrong_use};
use serde_json::json;
use std::ffi::OsString;
use std::process::ExitCode;

/// Runs the command, if it is this one. It has no log, which would be in the way, and does without
/// settings.
pub(super) fn main(layout: &Layout, arguments: &[OsString]) -> Option<ExitCode> {
    let (command, options) = arguments.split_first()?;
    if command != "uninstall" {
        return None;
    }
    let (mut as_json, mut keep_state) = (false, false);
    for option in options {
        match option.to_str() {
            Some("--json") => as_json = true,
            Some("--keep-state") => keep_state = true,
            _ => return Some(wrong_use("uninstall takes --keep-state and --json only")),
        }
    }
    Some(finish(as_json, uninstall(layout, keep_state)))
}

fn uninstall(layout: &Layout, keep_state: bool) -> Result<CommandOutput, UpdateError> {
    // Before what cannot be trusted is removed: the user's files stay by them.
    let settings = Configuration::load(layout).map(|configuration| configuration.settings);
    install::secure_state(layout)?;
    // Whoever updates behind the application ends; nobody starts with it any more below.
    drop(behind::claim(layout));
    let extent = if keep_state {
        Extent::Release
    } else {
        Extent::Everything
    };
    // Broken settings are no reason to keep the application, nor to remove what the
    // user may have changed.
    let preserved = |path: &str| {
        let settings = settings.as_ref();
        settings.map_or(true, |settings| settings.preserves(path))
    };
    match install::uninstall(layout, extent, &preserved)? {
        Uninstalled::Done(left) => Ok(CommandOutput {
            text: if left {
                "removed what releases brought; files that are not of a release are left in app"
                    .into()
            } else {
                "removed what releases brought".into()
            },
            json: json!({ "result": "uninstalled", "left": left }),
        }),
        Uninstalled::Busy(processes) if processes.is_empty() => Err(UpdateError::Locked),
        Uninstalled::Busy(processes) => Err(UpdateError::Running(processes)),
    }
}
