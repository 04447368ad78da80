//! Holds what installers say of an application.

use serde::Deserialize;
use std::path::PathBuf;

/// Holds the settings under `[installer]`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Installer {
    /// Who makes the application.
    pub publisher: Option<String>,
    /// Its page in the web.
    pub homepage: Option<String>,
    /// What it does, in a line.
    pub description: Option<String>,
    /// A square PNG picture, or an SVG, for Linux; relative to the project. Windows shows that of
    /// the program.
    pub icon: Option<PathBuf>,
    /// Where menus of Linux show it, as `Graphics`.
    pub categories: Vec<String>,
    /// Whether it runs in a terminal (Linux).
    pub terminal: bool,
    /// Whether there is a shortcut on the desktop (Windows).
    pub desktop_shortcut: bool,
    /// Who looks after the package for Debian: name and address.
    pub maintainer: Option<String>,
    /// Packages that the application needs (Debian).
    pub depends: Vec<String>,
    /// A script for NSIS in place of the usual one; relative to the project.
    pub script: Option<PathBuf>,
}

impl Default for Installer {
    fn default() -> Self {
        Installer {
            publisher: None,
            homepage: None,
            description: None,
            icon: None,
            categories: Vec::new(),
            terminal: false,
            desktop_shortcut: true,
            maintainer: None,
            depends: vec!["libc6".into()],
            script: None,
        }
    }
}
