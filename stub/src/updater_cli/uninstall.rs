//! Answers `--updater uninstall`, for the programs that installers leave behind.

use crate::configuration::Configuration;
use crate::fs;
use crate::install::{self, Extent, Layout, StateError, Uninstalled};
use crate::update::{UpdateError, behind};
use crate::updater_cli::command_output::CommandOutput;
use serde_json::json;

/// Removes what releases brought, and what the updater keeps as far as `extent` says. Does without
/// settings where they are broken.
///
/// # Errors
/// [`UpdateError`]; while the application runs, nothing is removed.
pub(super) fn uninstall(layout: &Layout, extent: Extent) -> Result<CommandOutput, UpdateError> {
    // Before what cannot be trusted is removed: the user's files stay by them.
    let settings = Configuration::load(layout).map(|configuration| configuration.settings);
    if let Err(StateError::NotAFolder(path)) = install::secure_state(layout) {
        // Whatever that is, it goes now.
        fs::remove_any(&path)?;
    }
    install::secure_state(layout)?;
    // Whoever updates behind the application ends; nobody starts with it any more below.
    drop(behind::claim(layout));
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
