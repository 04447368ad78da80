//! Imports a repository of tufup or of the original notsotuf in place: its
//! settings file is read, its keys, its metadata and its targets stay where
//! they are and are continued.

use super::error::ImportError;
use super::roots;
use super::tufup_folder::TufupFolder;
use crate::keys::Keyring;
use crate::metadata::{self, MetadataError, Published, Trust};
use crate::project::{self, PatchFormat, Project, ROLES, Template};
use crate::release::stored_name;
use notsotuf_stub::bundle::patch::hash_file;
use notsotuf_stub::catalog::{TargetKind, TargetName};
use notsotuf_stub::clock::now;
use notsotuf_stub::fs;
use notsotuf_stub::hex::encode_hex;
use serde_json::{Map, Value};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// Says which of the two Python packages made the repository.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Flavour {
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
}

/// Says what was imported.
#[derive(Debug)]
pub(crate) struct Imported {
    /// The application.
    pub app: String,
    /// How many targets.
    pub targets: usize,
    /// All applications that have releases in it.
    pub apps: Vec<String>,
    /// The format of its patches from now on.
    pub patch_format: PatchFormat,
    /// What the release engineer should know, one sentence each.
    pub warnings: Vec<String>,
    /// For each role the names of its keys whose private half is at hand.
    pub keys: Vec<(&'static str, Vec<String>)>,
}

/// Makes a project of the repository in `folder`. Its clients keep updating:
/// patches stay in their format, or are not made any more.
///
/// # Errors
/// [`ImportError`].
pub(crate) fn import(
    folder: &Path,
    flavour: Flavour,
    url: Option<String>,
    root: Option<&Path>,
) -> Result<Imported, ImportError> {
    let config = Config::read(folder.join(flavour.config()))?;
    let app = config.text("app_name")?;
    let days = config.expires_days();
    let trusted = root.map(trusted).transpose()?;
    let mut warnings = Vec::new();
    let tufup = TufupFolder {
        folder,
        config: &config.path,
    };
    let repository = tufup.repository(&config.text("repo_dir")?, &mut warnings)?;
    let keystore = tufup.keystore(&config.text("keys_dir")?, &mut warnings);
    let metadata = folder.join(&repository).join("metadata");
    warnings.extend(roots::fix(&metadata)?);
    let published = Published::from_folder(&metadata, trusted.as_deref())?;
    check_targets(&folder.join(&repository).join("targets"), &published)?;
    let apps = apps(&app, &published);
    if apps.len() > 1 {
        warnings.push(format!(
            "the repository has releases of {}: all of them are in the settings now, and commands \
             need --app",
            apps.join(", ")
        ));
    }
    let (patch_format, why) = patch_format(flavour, &config.value, &published);
    warnings.extend(why);
    warnings.extend(expiry(&published, days));
    let template = Template {
        apps: apps.clone(),
        url,
        title: None,
        signers: Vec::new(),
        expires_days: days,
        archive_suffix: suffix(&published),
        patch_format,
        pyupdater: BTreeMap::new(),
        keystore,
        repository,
    };
    let keyring = Keyring::open(vec![folder.join(&template.keystore)], Vec::new())?;
    let keys = keys_at_hand(&keyring, &published);
    let project: Project = project::create(folder, &template)?;
    debug_assert_eq!(project.metadata(), metadata);
    Trust::remember_published(&project, &published)?;
    Ok(Imported {
        app,
        apps,
        patch_format,
        warnings,
        targets: published.target_entries().len(),
        keys,
    })
}

fn trusted(root: &Path) -> Result<Vec<u8>, ImportError> {
    let bytes = fs::read_optional(root, 512_000).map_err(ImportError::Fs)?;
    Ok(bytes.ok_or_else(|| MetadataError::Missing(root.into()))?)
}

/// The names of the private keys that are at hand, by role.
fn keys_at_hand(keyring: &Keyring, published: &Published) -> Vec<(&'static str, Vec<String>)> {
    let keys = ROLES.map(|role| {
        let listed = metadata::role_keys(role, &published.root);
        let here = listed.into_iter().filter_map(|(_, key)| {
            let info = keyring.find(&key?)?;
            info.can_sign().then(|| info.name.clone())
        });
        (role, here.collect())
    });
    keys.into()
}

/// The most that is read of the settings file of the other program, which has
/// a few hundred bytes.
const MAX_CONFIG: u64 = 1 << 20;

/// The settings file of the other program.
struct Config {
    path: PathBuf,
    value: Value,
}

impl Config {
    fn read(path: PathBuf) -> Result<Self, ImportError> {
        let bytes = fs::read_optional(&path, MAX_CONFIG)
            .map_err(project::ProjectError::Fs)?
            .ok_or_else(|| ImportError::Missing(path.clone()))?;
        match serde_json::from_slice(&bytes) {
            Ok(value) => Ok(Config { path, value }),
            Err(e) => Err(ImportError::Form {
                path,
                reason: e.to_string(),
            }),
        }
    }

    fn text(&self, key: &str) -> Result<String, ImportError> {
        let found = self.value[key].as_str().map(str::to_owned);
        found.ok_or_else(|| ImportError::Form {
            path: self.path.clone(),
            reason: format!("it has no {key}"),
        })
    }

    /// Returns for how many days metadata is valid, in the order of [`ROLES`].
    fn expires_days(&self) -> [u32; 4] {
        ROLES.map(|role| {
            let days = self.value["expiration_days"][role].as_u64();
            days.and_then(|days| u32::try_from(days).ok()).unwrap_or(7)
        })
    }
}

/// Checks the targets that are here; some may be only where they are published.
fn check_targets(targets: &Path, published: &Published) -> Result<(), ImportError> {
    let consistent = published.consistent_snapshot();
    for (path, entry) in published.target_entries() {
        let place = fs::join(targets, &stored_name(&path, &entry, consistent));
        let Some(hash) = entry["hashes"]["sha256"].as_str() else {
            continue;
        };
        if place.is_file() && encode_hex(&hash_file(&place)?.1) != hash {
            return Err(ImportError::Damaged(place));
        }
    }
    Ok(())
}

/// The applications that have releases, that of the settings first.
fn apps(own: &str, published: &Published) -> Vec<String> {
    let targets = published.target_entries();
    let names = targets.keys().filter_map(|path| TargetName::parse(path));
    let others: BTreeSet<String> = names
        .filter(|target| target.kind == TargetKind::Archive && target.name != own)
        .map(|target| target.name)
        .collect();
    std::iter::once(own.to_owned()).chain(others).collect()
}

/// What the clients in the field can apply, as far as what was published for
/// them tells, and why that is no patch at all.
fn patch_format(
    flavour: Flavour,
    config: &Value,
    published: &Published,
) -> (PatchFormat, Option<String>) {
    let none = |why: String| {
        let text = format!(
            "patch_format is \"none\", and clients in the field take full archives: {why}. Once \
             they are gone, set it to \"notsotuf-2\" in the settings"
        );
        (PatchFormat::None, Some(text))
    };
    if flavour == Flavour::Notsotuf {
        return none(
            "those of the original notsotuf treat every patch as one over compressed \
                     archives"
                .into(),
        );
    }
    if let Some(class) = config["binary_diff"].as_str() {
        return none(format!(
            "their patches are made by {class}, which this program does not know"
        ));
    }
    let old = published.target_entries().into_iter().find_map(|(path, entry)| {
        let target = TargetName::parse(&path)?;
        let custom = &entry["custom"];
        let keys = custom.as_object().map_or(0, Map::len);
        let new = keys == 2 && custom.get("user").is_some() && custom.get("tufup").is_some();
        match (target.kind, keys) {
            _ if new => None,
            (TargetKind::DirectPatch { .. }, _) => None,
            (TargetKind::Patch, 0) => Some(format!(
                "{path} was made by a tufup older than 0.6, whose clients treat every patch as \
                 one over compressed archives"
            )),
            (TargetKind::Patch, _) => Some(format!(
                "{path} was made by tufup 0.6.0, whose clients look for the checksums of patches \
                 in another place than later ones"
            )),
            (TargetKind::Archive, _) => Some(format!(
                "{path} was made by tufup 0.6.0 or older, whose clients cannot apply the patches \
                 of later ones"
            )),
        }
    });
    match old {
        Some(why) => none(why),
        None => (PatchFormat::Bsdiff4, None),
    }
}

/// tufup's timestamps last for one day unless its settings say otherwise.
fn expiry(published: &Published, days: [u32; 4]) -> Vec<String> {
    let mut said = Vec::new();
    let expired = ROLES.into_iter().filter(|role| {
        let document = published.document(role);
        document.is_some_and(|document| document.expires() <= now())
    });
    let expired: Vec<&str> = expired.collect();
    if !expired.is_empty() {
        said.push(format!(
            "expired: {}; no client updates until `notsotuf renew` (with --root for the root) has \
             renewed that, and it is uploaded",
            expired.join(", ")
        ));
    }
    for (role, days) in ROLES.into_iter().zip(days).filter(|(_, days)| *days <= 1) {
        said.push(format!(
            "{role} metadata lasts {days} day, as in tufup's settings: let `notsotuf renew` and \
             `notsotuf upload` run more often than that, or write more into expires_days.{role} \
             (new projects have {})",
            if role == "timestamp" { 14 } else { 30 }
        ));
    }
    said
}

/// Returns the suffix of the archives that there are: old clients know only
/// one.
fn suffix(published: &Published) -> String {
    let targets = published.target_entries();
    let mut archives = targets
        .keys()
        .filter(|path| path.ends_with(".gz"))
        .peekable();
    let short = archives.peek().is_some() && archives.all(|path| !path.ends_with(".tar.gz"));
    if short { ".gz" } else { ".tar.gz" }.into()
}
