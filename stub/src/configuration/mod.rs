//! Reads all settings that count: the file beside the stub, what releases
//! brought, and what administrators have set ([`crate::settings::layers`]).

mod administrator;
mod likely_executable;
pub mod release_settings;

pub use likely_executable::likely_executable;

use crate::fs::FsError;
use crate::install::{self, Layout, Release, UserChoices};
use crate::settings::layers::Layers;
use crate::settings::{self, Settings, SettingsError, table};
use pep440_rs::Version;

/// Holds settings, and what is to be said of them once there is a log.
#[derive(Debug, Clone)]
pub struct Configuration {
    /// The settings that count but for what the user chose.
    pub settings: Settings,
    /// What could not be used, and why.
    pub warnings: Vec<String>,
    brought: Option<Brought>,
}

/// The version that is installed, and the settings that it brought.
type Brought = (Version, String);

impl Configuration {
    /// Reads the settings of an install. Only the file beside the stub must be
    /// there and correct.
    ///
    /// # Errors
    /// [`SettingsError`], naming that file.
    pub fn load(layout: &Layout) -> Result<Self, SettingsError> {
        let path = layout.root().join(settings::FILE);
        let text =
            settings::read_text(&path)?.ok_or_else(|| SettingsError::Missing(path.clone()))?;
        let form = |reason| SettingsError::Form {
            path: path.clone(),
            reason,
        };
        let file = table::parse(&text).map_err(form)?;
        let alone = Settings::from_table(file.clone(), &text).map_err(form)?;
        let mut warnings = Vec::new();
        let administrators = administrator::files(layout, &alone.name, &mut warnings);
        let brought = brought(layout, &alone.name).unwrap_or_else(|e| {
            warnings.push(e.to_string());
            None
        });
        let layers = Layers {
            file,
            release: brought.clone(),
            administrators,
        };
        let settings = layers.combine(alone, &mut warnings);
        Ok(Configuration {
            settings,
            warnings,
            brought,
        })
    }

    /// Returns whether another version is installed since the settings were read, or
    /// it brings others than it did then.
    pub fn is_outdated(&self, layout: &Layout) -> bool {
        brought(layout, &self.settings.name).is_ok_and(|brought| brought != self.brought)
    }

    /// Returns the settings with the user's choices.
    pub fn in_force(&self, layout: &Layout) -> Settings {
        let mut settings = self.settings.clone();
        UserChoices::load(layout).apply(&mut settings);
        settings
    }

    /// Logs what could not be used.
    pub fn log_warnings(&self) {
        for warning in &self.warnings {
            log::warn!("{warning}");
        }
    }
}

/// The installed version and the settings that it brought, if it brought any.
fn brought(layout: &Layout, name: &str) -> Result<Option<Brought>, FsError> {
    let mut known = release_settings::load(layout)?;
    if known.is_empty() {
        return Ok(None);
    }
    let installed = install::recorded(&layout.app(), name);
    Ok(installed.and_then(|Release { version, .. }| {
        let brought = known.remove(&version)?;
        Some((version, brought))
    }))
}
