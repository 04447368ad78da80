//! Finds the application's icon for windows and notifications.

use crate::fs;
use crate::install::Layout;
use crate::settings::Settings;
use std::path::PathBuf;

/// Returns the picture that the setting `icon` names, if it is there.
pub fn icon(layout: &Layout, settings: &Settings) -> Option<PathBuf> {
    let path = fs::join(&layout.launchable(), settings.icon.as_ref()?);
    path.is_file().then_some(path)
}
