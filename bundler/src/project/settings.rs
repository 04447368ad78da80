//! Reads the settings file of a project.

use super::addresses::Addresses;
use crate::keys::External;
use crate::project::installer_settings::Installer;
use notsotuf_stub::bundle::patch::Format;
use notsotuf_stub::catalog::{Channel, is_name};
use notsotuf_stub::settings::Mode;
use notsotuf_stub::stub_version::target_name;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

/// Holds the name of the settings file.
pub(crate) const FILE: &str = "notsotuf-project.toml";

/// The most that is read of the settings file, which people write.
pub(super) const MAX_SIZE: u64 = 1 << 20;

/// Lists the four top-level roles, in their usual order.
pub(crate) const ROLES: [&str; 4] = ["root", "targets", "snapshot", "timestamp"];

/// Says for how many days new metadata of each role is valid.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs)]
pub(crate) struct ExpiresDays {
    pub root: u32,
    pub targets: u32,
    pub snapshot: u32,
    pub timestamp: u32,
}

impl ExpiresDays {
    /// Returns the days of one of [`ROLES`].
    pub(crate) fn get(&self, role: &str) -> u32 {
        match role {
            "root" => self.root,
            "targets" => self.targets,
            "snapshot" => self.snapshot,
            "timestamp" => self.timestamp,
            _ => unreachable!("{role} is not a top-level role"),
        }
    }
}

/// Says how patches are written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
pub(crate) enum PatchFormat {
    /// Per file, with the members of files compared as plain bytes.
    #[default]
    #[serde(rename = "notsotuf-2")]
    Notsotuf2,
    /// Per file, for stubs that know no better.
    #[serde(rename = "notsotuf-1")]
    Notsotuf1,
    /// Both: for stubs that know no better, and direct ones beside them for those
    /// that do.
    #[serde(rename = "both")]
    Both,
    /// tufup's: over the whole uncompressed archive, for clients that still
    /// are tufup's.
    #[serde(rename = "bsdiff4")]
    Bsdiff4,
    /// No patches at all, for clients that still are original notsotuf's:
    /// those take whatever patches are listed, and cannot do without one of
    /// them.
    #[serde(rename = "none")]
    None,
}

impl PatchFormat {
    /// Returns the stub's name for the format of patches from the release before;
    /// `None` if no patches are made for the stub.
    pub(crate) fn per_file(self) -> Option<Format> {
        match self {
            PatchFormat::Notsotuf2 => Some(Format::Two),
            PatchFormat::Notsotuf1 | PatchFormat::Both => Some(Format::One),
            PatchFormat::Bsdiff4 | PatchFormat::None => None,
        }
    }

    /// Returns that of direct patches.
    pub(crate) fn direct(self) -> Option<Format> {
        match self {
            PatchFormat::Both => Some(Format::Two),
            other => other.per_file(),
        }
    }

    /// Returns the name by which the settings call the format.
    pub(crate) fn name(self) -> &'static str {
        match self {
            PatchFormat::Notsotuf2 => Format::Two.name(),
            PatchFormat::Notsotuf1 => Format::One.name(),
            PatchFormat::Both => "both",
            PatchFormat::Bsdiff4 => "bsdiff4",
            PatchFormat::None => "none",
        }
    }
}

/// Says what an application is called in the PyUpdater repository that it comes
/// from.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PyUpdaterName {
    /// PyUpdater's `APP_NAME`.
    pub name: String,
    /// PyUpdater's word for the platform: `win`, `mac`, `nix64`, …
    pub platform: String,
}

/// Holds what `ship` writes into the stub's settings, and what releases bring.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Client {
    /// Where the repository is published; `metadata/` and `targets/` are in it.
    pub url: Option<String>,
    /// Where the targets are published, if that is not `targets/` in it.
    #[serde(default)]
    pub targets_url: Option<String>,
    /// What users know the application as; else its name.
    #[serde(default)]
    pub title: Option<String>,
    /// The channel of new installs.
    #[serde(default)]
    pub channel: Option<Channel>,
    /// When the stub looks for updates.
    #[serde(default)]
    pub mode: Option<Mode>,
    /// Other settings of the stub.
    #[serde(default)]
    pub settings: toml::Table,
}

impl Client {
    /// Returns where clients fetch what is published, if that is known.
    pub(crate) fn addresses(&self) -> Option<Addresses> {
        self.url.as_deref().map(|url| self.addresses_at(url))
    }

    /// Returns where clients fetch what is published, given the address on the
    /// command line.
    pub(crate) fn addresses_at(&self, url: &str) -> Addresses {
        let at = Addresses::below(url);
        let same = |known: &String| known.trim_end_matches('/') == at.url;
        match &self.targets_url {
            // They are not those of another server.
            Some(targets_url) if self.url.as_ref().is_some_and(same) => Addresses {
                targets_url: targets_url.trim_end_matches('/').into(),
                ..at
            },
            _ => at,
        }
    }
}

/// Holds the settings file.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Settings {
    /// Names of the applications (with the platform, by custom).
    pub apps: Vec<String>,
    /// Folder of the keys, relative to the project.
    #[serde(default = "default_keystore")]
    pub keystore: PathBuf,
    /// Folder of the repository, relative to the project.
    #[serde(default = "default_repository")]
    pub repository: PathBuf,
    /// Where `upload` copies the repository to.
    #[serde(default)]
    pub upload: Option<String>,
    /// Suffix of new archives.
    #[serde(default = "default_suffix")]
    pub archive_suffix: String,
    /// Format of new patches.
    #[serde(default = "first_format")]
    pub patch_format: PatchFormat,
    /// From how many earlier releases patches are made: from the one before,
    /// and direct ones from so many less one before that.
    #[serde(default = "default_patch_from")]
    pub patch_from: usize,
    /// How long making the patches of a release may take.
    #[serde(default = "default_patch_budget", deserialize_with = "read_time")]
    pub patch_budget: Duration,
    /// Program and arguments that sign a program for Windows.
    #[serde(default)]
    pub sign_command: Vec<String>,
    /// How long metadata is valid.
    pub expires_days: ExpiresDays,
    /// Private keys that are used through a program.
    #[serde(default)]
    pub signers: Vec<External>,
    /// What new installs get.
    #[serde(default)]
    pub client: Client,
    /// What installers say.
    #[serde(default)]
    pub installer: Installer,
    /// For `bridge`: applications as PyUpdater knows them, by their names here.
    #[serde(default)]
    pub pyupdater: BTreeMap<String, PyUpdaterName>,
}

pub(super) fn default_keystore() -> PathBuf {
    "keystore".into()
}

pub(super) fn default_repository() -> PathBuf {
    "repository".into()
}

/// Returns the format of projects whose settings name none: they are older
/// than the next format, and so are stubs in the field.
fn first_format() -> PatchFormat {
    PatchFormat::Notsotuf1
}

pub(super) fn default_suffix() -> String {
    ".tar.gz".into()
}

fn default_patch_from() -> usize {
    1
}

fn default_patch_budget() -> Duration {
    Duration::from_secs(15 * 60)
}

fn read_time<'de, D: Deserializer<'de>>(from: D) -> Result<Duration, D::Error> {
    let text = String::deserialize(from)?;
    parse_duration(&text).map_err(|why| D::Error::custom(format!("{text:?}: {why}")))
}

/// Reads a time as people write it: `90s`, `15m`, `2h`.
///
/// # Errors
/// What is wrong with it.
pub(crate) fn parse_duration(text: &str) -> Result<Duration, String> {
    let wrong = || "expected a number and s, m or h, such as 15m".to_owned();
    let unit = match text.chars().last() {
        Some('s') => 1,
        Some('m') => 60,
        Some('h') => 3600,
        _ => return Err(wrong()),
    };
    let number: u64 = text[..text.len() - 1].parse().map_err(|_| wrong())?;
    let seconds = number.checked_mul(unit).ok_or_else(wrong)?;
    Ok(Duration::from_secs(seconds))
}

pub(super) fn parse(text: &str) -> Result<Settings, String> {
    let settings: Settings = toml::from_str(text).map_err(|e| e.to_string())?;
    if settings.apps.is_empty() {
        return Err("apps is empty".into());
    }
    for app in &settings.apps {
        check_app(app)?;
        // Clients of one would take releases of the other for their stub.
        let stub = target_name(app);
        if settings.apps.contains(&stub) {
            return Err(format!(
                "{stub} in apps is the name under which `notsotuf add-stub` releases the stub of \
                 {app}: call that application something else"
            ));
        }
    }
    if let Some(app) = settings
        .pyupdater
        .keys()
        .find(|app| !settings.apps.contains(app))
    {
        return Err(format!("[pyupdater.{app}]: {app} is not in apps"));
    }
    if ![".tar.gz", ".gz"].contains(&settings.archive_suffix.as_str()) {
        return Err("archive_suffix is neither .tar.gz nor .gz".into());
    }
    check_patch_from(&settings)?;
    let words = &settings.sign_command;
    if !words.is_empty()
        && !words
            .iter()
            .skip(1)
            .any(|word| word.contains(crate::pack::FILE))
    {
        return Err("sign_command needs an argument with {file}, the path of the program".into());
    }
    for role in ROLES {
        if !(1..=36_500).contains(&settings.expires_days.get(role)) {
            return Err(format!("expires_days.{role} must be 1 to 36500"));
        }
    }
    Ok(settings)
}

/// The most releases from which patches are made: each takes time to make and
/// room in the metadata that every client fetches.
const MAX_PATCH_FROM: usize = 50;

fn check_patch_from(settings: &Settings) -> Result<(), String> {
    let wanted = settings.patch_from;
    if !(1..=MAX_PATCH_FROM).contains(&wanted) {
        return Err(format!("patch_from must be 1 to {MAX_PATCH_FROM}"));
    }
    let why = match settings.patch_format {
        PatchFormat::Notsotuf1 | PatchFormat::Notsotuf2 | PatchFormat::Both => return Ok(()),
        PatchFormat::Bsdiff4 => {
            "clients of tufup apply the patch of every release in between, and no others"
        }
        PatchFormat::None => "it makes no patches",
    };
    if wanted == 1 {
        return Ok(());
    }
    let format = settings.patch_format.name();
    Err(format!(
        "patch_from = {wanted} does not go with patch_format = \"{format}\": {why}; remove \
         patch_from, or set patch_format to \"{}\"",
        PatchFormat::Notsotuf2.name()
    ))
}

/// Checks the name of an application.
///
/// # Errors
/// What is wrong with it.
pub(super) fn check_app(name: &str) -> Result<(), String> {
    if is_name(name) {
        return Ok(());
    }
    Err(format!(
        "invalid application name {name:?}: use only letters, digits, `_` and `-`"
    ))
}

/// Writes a basic string of TOML 1.0, whose escapes are those of JSON.
pub(crate) fn toml_string(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}
