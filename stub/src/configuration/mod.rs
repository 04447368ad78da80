//! Reads all settings that count: the file beside the stub, what releases
//! brought, and what administrators have set ([`crate::settings::layers`]).

mod administrator;
pub mod release_settings;

use crate::install::{Layout, Record, UserChoices};
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
}

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
        // It says in which line something is wrong.
        let alone = Settings::parse(&text).map_err(form)?;
        let mut warnings = Vec::new();
        let administrators = administrator::files(layout, &alone.name, &mut warnings);
        let layers = Layers {
            file: table::parse(&text).map_err(form)?,
            release: of_installed(layout, &alone, &mut warnings),
            administrators,
        };
        let settings = layers.combine(&mut warnings).map_err(form)?;
        Ok(Configuration { settings, warnings })
    }

    /// Returns the settings with the user's choices, and logs the warnings.
    pub fn in_force(self, layout: &Layout) -> Settings {
        let mut settings = self.logged();
        UserChoices::load(layout).apply(&mut settings);
        settings
    }

    /// Returns the settings without the user's choices, and logs the warnings.
    pub fn logged(self) -> Settings {
        for warning in &self.warnings {
            log::warn!("{warning}");
        }
        self.settings
    }
}

/// The settings that the installed release brought.
fn of_installed(
    layout: &Layout,
    alone: &Settings,
    warnings: &mut Vec<String>,
) -> Option<(Version, String)> {
    let mut known = release_settings::load(layout).unwrap_or_else(|e| {
        warnings.push(e.to_string());
        Default::default()
    });
    if known.is_empty() {
        return None;
    }
    let installed = Record::load_release(&layout.app()).ok().flatten()?;
    let brought = known.remove(&installed.version)?;
    (installed.name == alone.name).then_some((installed.version, brought))
}
