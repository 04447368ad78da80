//! A repository of tufup or of original notsotuf, in place: its settings file
//! is read, its keys, its metadata and its targets stay where they are and are
//! continued.

use super::ImportError;
use crate::keys::Keyring;
use crate::metadata::{self, Published};
use crate::project::{self, PatchFormat, Project, ROLES, Template};
use notsotuf_stub::fs;
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Which of the two Python packages made the repository.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flavour {
    /// tufup, 0.2 and later.
    Tufup,
    /// notsotuf, 0.1 and before.
    Notsotuf,
}

impl Flavour {
    /// The package's settings file.
    fn config(self) -> &'static str {
        match self {
            Flavour::Tufup => ".tufup-repo-config",
            Flavour::Notsotuf => ".notsotuf-repo-config",
        }
    }

    /// What its clients can apply. Those of notsotuf take patches over the
    /// compressed archives, which are about as large as these.
    fn patch_format(self) -> PatchFormat {
        match self {
            Flavour::Tufup => PatchFormat::Bsdiff4,
            Flavour::Notsotuf => PatchFormat::None,
        }
    }
}

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

/// Makes a project of the repository in `folder`. Its clients keep updating:
/// patches stay in their format, or are not made any more.
///
/// # Errors
/// [`ImportError`].
pub fn import(
    folder: &Path,
    flavour: Flavour,
    url: Option<String>,
) -> Result<Imported, ImportError> {
    let path = folder.join(flavour.config());
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
    let repository = folder_of("repo_dir")?;
    let metadata = folder.join(&repository).join("metadata");
    let published = Published::load(&metadata)?;
    let template = Template {
        apps: vec![app.clone()],
        url,
        title: None,
        signers: Vec::new(),
        expires_days: days,
        archive_suffix: suffix(&published),
        patch_format: flavour.patch_format(),
        pyupdater: BTreeMap::new(),
        keystore: folder_of("keys_dir")?,
        repository,
    };
    let keyring = Keyring::open(vec![folder.join(&template.keystore)], Vec::new())?;
    let keys = ROLES.map(|role| {
        let listed = metadata::role_keys(role, &published.root);
        let here = listed.into_iter().filter_map(|(_, key)| {
            let info = keyring.find(&key?)?;
            info.can_sign().then(|| info.name.clone())
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

/// That of the archives there are: old clients know only one.
fn suffix(published: &Published) -> String {
    let targets = published.target_entries();
    let mut archives = targets
        .keys()
        .filter(|path| path.ends_with(".gz"))
        .peekable();
    let short = archives.peek().is_some() && archives.all(|path| !path.ends_with(".tar.gz"));
    if short { ".gz" } else { ".tar.gz" }.into()
}
