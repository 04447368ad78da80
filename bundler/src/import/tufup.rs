//! A repository of tufup, in place: its settings file is read, its keys, its
//! metadata and its targets stay where they are and are continued.

use super::ImportError;
use crate::keys::{Keyring, Private};
use crate::metadata::{self, Published};
use crate::project::{self, PatchFormat, Project, ROLES, Template};
use notsotuf_stub::fs;
use serde_json::Value;
use std::path::{Path, PathBuf};

/// tufup's settings file.
const CONFIG: &str = ".tufup-repo-config";

/// What was taken over.
#[derive(Debug)]
pub struct Imported {
    /// The application.
    pub app: String,
    /// How many targets.
    pub targets: usize,
    /// For each role the names of its keys whose private half is at hand.
    pub keys: Vec<(&'static str, Vec<String>)>,
}

/// Makes a project of the tufup repository in `folder`. tufup's clients keep
/// updating: patches stay in their format.
///
/// # Errors
/// [`ImportError`].
pub fn import(folder: &Path, url: Option<String>) -> Result<Imported, ImportError> {
    let path = folder.join(CONFIG);
    let bytes = fs::read_optional(&path, 1 << 20)
        .map_err(project::ProjectError::Fs)?
        .ok_or_else(|| ImportError::Missing(path.clone()))?;
    let form = |reason: &str| ImportError::Form {
        path: path.clone(),
        reason: reason.into(),
    };
    let config: Value = serde_json::from_slice(&bytes).map_err(|e| form(&e.to_string()))?;
    let text = |key: &str| {
        let found = config[key].as_str().map(str::to_owned);
        found.ok_or_else(|| form(&format!("it has no {key}")))
    };
    // tufup writes the paths of Windows with slashes, too, but reads both.
    let folder_of = |key: &str| text(key).map(|path| PathBuf::from(path.replace('\\', "/")));
    let app = text("app_name")?;
    let days = ROLES.map(|role| {
        let days = config["expiration_days"][role].as_u64();
        days.and_then(|days| u32::try_from(days).ok()).unwrap_or(7)
    });
    let template = Template {
        apps: vec![app.clone()],
        url,
        expires_days: days,
        keystore: folder_of("keys_dir")?,
        repository: folder_of("repo_dir")?,
        patch_format: PatchFormat::Bsdiff4,
    };
    let metadata = folder.join(&template.repository).join("metadata");
    let published = Published::load(&metadata)?;
    let keyring = Keyring::open(vec![folder.join(&template.keystore)], Vec::new())?;
    let keys = ROLES.map(|role| {
        let listed = metadata::role_keys(role, &published.root);
        let here = listed.into_iter().filter_map(|(_, key)| {
            let info = keyring.find(&key?)?;
            (!matches!(info.private, Private::No)).then(|| info.name.clone())
        });
        (role, here.collect())
    });
    let project: Project = project::create(folder, &template)?;
    debug_assert_eq!(project.metadata(), metadata);
    Ok(Imported {
        app,
        targets: published.target_entries().len(),
        keys: keys.into(),
    })
}
