//! Handles a project: its settings file, and where its keys and its repository
//! are.

pub(crate) mod address;
mod addresses;
pub(crate) mod client_settings;
mod error;
mod find;
pub(crate) mod github;
mod installer_settings;
pub(crate) mod lock;
pub(crate) mod new_project;
pub(crate) mod places;
mod settings;
mod template;
pub(crate) mod version_control;

use crate::project::settings::{Settings, parse};
pub(crate) use addresses::Addresses;
pub(crate) use error::ProjectError;
pub(crate) use find::find;
pub(crate) use installer_settings::Installer;
pub(crate) use settings::{FILE, PatchFormat, PyUpdaterName, ROLES, parse_duration, toml_string};
pub(crate) use template::{Template, create, planned};

use crate::keys::{KeyError, Keyring};
use crate::pack::CodeSigning;
use notsotuf_stub::catalog::{TargetKind, TargetName};
use notsotuf_stub::fs::{self};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// Holds an open project.
#[derive(Debug, Clone)]
pub(crate) struct Project {
    root: PathBuf,
    /// Its settings.
    pub settings: Settings,
}

impl Project {
    /// Opens the project in the folder `root`.
    ///
    /// # Errors
    /// [`ProjectError`], naming the settings file.
    pub(crate) fn open(root: &Path) -> Result<Self, ProjectError> {
        let path = root.join(FILE);
        let bytes = fs::read_optional(&path, settings::MAX_SIZE)?
            .ok_or_else(|| ProjectError::Missing(path.clone()))?;
        let form = |reason: String| ProjectError::Form {
            path: path.clone(),
            reason,
        };
        let text = String::from_utf8(bytes).map_err(|_| form("it is not UTF-8".into()))?;
        let settings = parse(&text).map_err(form)?;
        let project = Self::with(root, settings);
        places::check(&project).map_err(form)?;
        Ok(project)
    }

    pub(crate) fn with(root: &Path, mut settings: Settings) -> Self {
        for signer in &mut settings.signers {
            signer.key = root.join(&signer.key);
            signer.folder = root.into();
        }
        Project {
            root: root.into(),
            settings,
        }
    }

    /// Returns the project's own folder.
    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// Returns how programs for Windows are signed, if the settings say that.
    pub(crate) fn code_signing(&self) -> Option<CodeSigning<'_>> {
        let command = &self.settings.sign_command[..];
        (!command.is_empty()).then_some(CodeSigning {
            command,
            folder: &self.root,
        })
    }

    /// Returns the folder with the settings.
    pub(crate) fn folder(&self) -> &Path {
        &self.root
    }
    /// Returns the project's own folder of keys.
    pub(crate) fn keystore(&self) -> PathBuf {
        self.root.join(&self.settings.keystore)
    }
    /// Returns all keys at hand: the keystore, `more` folders, external
    /// signers.
    ///
    /// # Errors
    /// If one of them is malformed.
    pub(crate) fn keyring(&self, more: &[PathBuf]) -> Result<Keyring, KeyError> {
        let mut folders = vec![self.keystore()];
        folders.extend_from_slice(more);
        Keyring::open(folders, self.settings.signers.clone())
    }
    /// Returns the folder of the published files.
    pub(crate) fn repository(&self) -> PathBuf {
        self.root.join(&self.settings.repository)
    }
    /// Returns the folder of the published metadata.
    pub(crate) fn metadata(&self) -> PathBuf {
        self.repository().join("metadata")
    }
    /// Returns the folder of the published targets.
    pub(crate) fn targets(&self) -> PathBuf {
        self.repository().join("targets")
    }
    /// Returns the folder of what is prepared and not published. It is beside
    /// the repository, so that copying that one copies nothing unfinished.
    pub(crate) fn pending(&self) -> PathBuf {
        self.root.join(".notsotuf-pending")
    }

    /// Returns the application that `wanted` names, or the only one.
    ///
    /// # Errors
    /// [`ProjectError::NoApp`] or [`ProjectError::WhichApp`].
    pub(crate) fn app(&self, wanted: Option<&str>) -> Result<&str, ProjectError> {
        let apps = &self.settings.apps;
        match (wanted, apps.as_slice()) {
            (None, [only]) => Ok(only),
            (None, _) => Err(ProjectError::WhichApp(apps.clone())),
            (Some(name), _) => apps
                .iter()
                .find(|app| *app == name)
                .map(String::as_str)
                .ok_or_else(|| ProjectError::NoApp {
                    name: name.into(),
                    known: apps.clone(),
                }),
        }
    }

    /// Returns the application that `wanted` names, or all of them.
    ///
    /// # Errors
    /// [`ProjectError::NoApp`].
    pub(crate) fn apps(&self, wanted: Option<&str>) -> Result<Vec<&str>, ProjectError> {
        match wanted {
            Some(name) => Ok(vec![self.app(Some(name))?]),
            None => Ok(self.settings.apps.iter().map(String::as_str).collect()),
        }
    }

    /// Returns the applications that have archives among these paths of targets
    /// and are not in the settings: after a slip there, or before their last
    /// release is removed.
    pub(crate) fn unknown_apps<'a>(
        &self,
        paths: impl Iterator<Item = &'a String>,
    ) -> BTreeSet<String> {
        paths
            .filter_map(|path| TargetName::parse(path))
            .filter(|target| target.kind == TargetKind::Archive)
            .map(|target| target.name)
            .filter(|name| !self.settings.apps.contains(name))
            .collect()
    }

    /// Returns the name of a target.
    pub(crate) fn target(
        &self,
        app: &str,
        version: &pep440_rs::Version,
        kind: TargetKind,
    ) -> String {
        let target = TargetName {
            name: app.into(),
            version: version.clone(),
            kind,
        };
        target.path(&self.settings.archive_suffix)
    }
}
