//! Reads the stub's settings, `notsotuf.toml` beside it.

use crate::bundle::Rules;
use crate::catalog::Channel;
use crate::fs::{self, FsError};
use crate::http;
use crate::tuf::path_pattern::path_matches;
use base64ct::{Base64, Encoding};
use pep440_rs::Version;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

pub mod layers;
pub mod table;
mod urls;

pub use urls::RepositoryUrls;

/// Holds the name of the settings file in the install dir.
pub const FILE: &str = "notsotuf.toml";

/// The most that is read of the settings file, which people write.
pub const MAX_SIZE: u64 = 1 << 20;

/// Says when updates are looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Mode {
    /// Check, and install what is new, before the application starts.
    #[default]
    BeforeLaunch,
    /// Start the application, stage what is new meanwhile, and install it at
    /// the next start.
    Background,
    /// Look for nothing. What the application or the user has staged is
    /// installed.
    Off,
}

impl std::fmt::Display for Mode {
    fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        f.write_str(match self {
            Mode::BeforeLaunch => "before-launch",
            Mode::Background => "background",
            Mode::Off => "off",
        })
    }
}

/// Holds what `notsotuf.toml` says. Keys that this version does not know are
/// ignored, since the file may be of a newer release than the stub.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Settings {
    /// The application's name in the repository.
    pub name: String,
    /// What the user knows it as; else `name`.
    #[serde(default)]
    pub title: Option<String>,
    /// Where the metadata files are, with or without a final slash.
    pub metadata_url: String,
    /// Where the target files are, with or without a final slash.
    pub targets_url: String,
    /// Copies of the repository: folders with `metadata` and `targets`, which
    /// are used where the primary repository is out of reach.
    #[serde(default)]
    pub mirrors: Vec<String>,
    /// Certificates (PEM) of authorities that are trusted besides the
    /// system's; relative to the install dir.
    #[serde(default)]
    pub ca_file: Option<String>,
    /// Bytes per second that a download may take; 0: no limit.
    #[serde(default)]
    pub max_rate: u64,
    /// Who this is, for servers that ask.
    #[serde(default)]
    authorization: Vec<Authorization>,
    /// The program to start, relative to `app/`, with `/`.
    pub executable: String,
    /// The least final kind of release that is wanted.
    #[serde(default)]
    pub channel: Channel,
    /// The version that the user stays with; the file does not say it
    /// (`install/user_choices.rs`).
    #[serde(skip)]
    pub hold: Option<Version>,
    /// When updates are looked for.
    #[serde(default)]
    pub mode: Mode,
    /// Seconds until it must be known whether there is an update; then the
    /// application starts anyway. More than 0, at most 300.
    #[serde(default = "default_deadline")]
    pub deadline: f64,
    /// Seconds without a byte after which a download is given up.
    #[serde(default = "default_stall")]
    pub stall: f64,
    /// Seconds that a start waits for an update in all; else 600 where the
    /// user can see that, and 30 where nobody can. More than 0, at most a day.
    #[serde(default)]
    pub wait: Option<f64>,
    /// Whether files in `app/` that no release brought are dropped on update.
    #[serde(default)]
    pub purge: bool,
    /// Patterns (`*`, `?`, `[…]`, none matching `/`) of files that releases
    /// bring and users may change: such changes are kept.
    #[serde(default)]
    pub preserve: Vec<String>,
    /// Seconds that a new version must live, unless it ends well or says that
    /// it is ready, to count as working; else the previous version comes
    /// back. 0 to 3600; 0: no probation.
    #[serde(default = "default_probation")]
    pub probation: f64,
    /// Whether, where only administrators can write to the install dir, the
    /// user is asked to allow an update (Windows).
    #[serde(default)]
    pub elevate: bool,
    /// The Application User Model ID that the application's windows get, if any
    /// (Windows).
    #[serde(default)]
    pub app_user_model_id: Option<String>,
    /// Whether to show nothing of an update, on a terminal or in a window.
    #[serde(default)]
    pub quiet: bool,
    /// Whether a window shows an update that takes longer, where there is no
    /// terminal.
    #[serde(default = "default_window")]
    pub window: bool,
    /// Whether the desktop's notifications say that there was an update.
    #[serde(default = "default_notify")]
    pub notify: bool,
    /// A picture in `app/` that the window has as its icon, with `/`.
    #[serde(default)]
    pub icon: Option<String>,
    /// The language of what is shown, as in `de`; else the user's.
    #[serde(default)]
    pub language: Option<String>,
    /// Other words for what is shown.
    #[serde(default)]
    pub texts: BTreeMap<String, String>,
    /// Bytes the log may grow to before it is put aside as `log.1`.
    #[serde(default = "default_log_size")]
    pub log_size: u64,
    /// The least of what gets into the log.
    #[serde(default)]
    pub log_level: LogLevel,
    /// Where else the repository may be, once neither the primary one nor a
    /// mirror serves it: the URLs of the other layers
    /// ([`layers::Layers`]). Not in a file.
    #[serde(skip)]
    pub other_urls: Vec<RepositoryUrls>,
    /// The file with which an administrator has switched updates off. Not in a
    /// file itself.
    #[serde(skip)]
    pub switched_off_by: Option<PathBuf>,
    /// The file with which an administrator has set the channel, so that the
    /// user cannot choose. Not in a file itself.
    #[serde(skip)]
    pub channel_set_by: Option<PathBuf>,
}

/// Says how much gets into the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogLevel {
    /// Nothing is logged.
    Off,
    /// Errors: what kept an update from coming.
    Error,
    /// Also what may be wrong.
    Warn,
    /// Also what was done.
    #[default]
    Info,
    /// Also what helps to find faults.
    Debug,
    /// Everything there is.
    Trace,
}

impl LogLevel {
    /// Returns the level with this name, in large or small letters.
    pub fn parse(name: &str) -> Option<Self> {
        Some(match name.trim().to_ascii_lowercase().as_str() {
            "off" => LogLevel::Off,
            "error" => LogLevel::Error,
            "warn" => LogLevel::Warn,
            "info" => LogLevel::Info,
            "debug" => LogLevel::Debug,
            "trace" => LogLevel::Trace,
            _ => return None,
        })
    }

    /// Returns the level as the logger has it.
    pub fn filter(self) -> log::LevelFilter {
        match self {
            LogLevel::Off => log::LevelFilter::Off,
            LogLevel::Error => log::LevelFilter::Error,
            LogLevel::Warn => log::LevelFilter::Warn,
            LogLevel::Info => log::LevelFilter::Info,
            LogLevel::Debug => log::LevelFilter::Debug,
            LogLevel::Trace => log::LevelFilter::Trace,
        }
    }
}

fn default_deadline() -> f64 {
    3.0
}
fn default_stall() -> f64 {
    20.0
}
fn default_window() -> bool {
    true
}
fn default_notify() -> bool {
    true
}
fn default_probation() -> f64 {
    10.0
}
fn default_log_size() -> u64 {
    1_000_000
}

/// A name and password, or a token, for one server.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Authorization {
    /// Scheme, host and port, as in `https://updates.example.com`.
    origin: String,
    user: Option<String>,
    password: Option<String>,
    bearer: Option<String>,
    /// The environment variable that holds the password or the token.
    env: Option<String>,
}

impl std::fmt::Debug for Authorization {
    /// Leaves out the secrets, which must not get into a log.
    fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        f.debug_struct("Authorization")
            .field("origin", &self.origin)
            .finish_non_exhaustive()
    }
}

impl Authorization {
    fn header(&self) -> Option<String> {
        let from_env = || std::env::var(self.env.as_ref()?).ok();
        if let Some(user) = &self.user {
            let password = self.password.clone().or_else(from_env)?;
            let pair = Base64::encode_string(format!("{user}:{password}").as_bytes());
            return Some(format!("Basic {pair}"));
        }
        let token = self.bearer.clone().or_else(from_env)?;
        Some(format!("Bearer {token}"))
    }
}

/// Says what is wrong with the settings file.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// The settings file does not exist.
    #[error("there is no {0:?}; it belongs beside the stub")]
    Missing(std::path::PathBuf),
    /// The settings file cannot be read.
    #[error(transparent)]
    Fs(#[from] FsError),
    /// The settings file is not TOML of the right form.
    #[error("{path:?}: {reason}")]
    Form {
        /// The file.
        path: std::path::PathBuf,
        /// What is wrong.
        reason: String,
    },
}

impl Settings {
    /// Reads the settings file in the install dir, and nothing but that:
    /// [`crate::configuration`] reads all that counts.
    ///
    /// # Errors
    /// [`SettingsError`], naming the file.
    pub fn load(install_dir: &Path) -> Result<Self, SettingsError> {
        let path = install_dir.join(FILE);
        let text = read_text(&path)?.ok_or_else(|| SettingsError::Missing(path.clone()))?;
        Self::parse(&text).map_err(|reason| SettingsError::Form { path, reason })
    }

    /// Returns where the repository is, in the order in which that is tried.
    pub fn all_urls(&self) -> Vec<RepositoryUrls> {
        let first = RepositoryUrls {
            metadata_url: self.metadata_url.clone(),
            targets_url: self.targets_url.clone(),
        };
        let mirrors = self
            .mirrors
            .iter()
            .map(|url| RepositoryUrls::of_mirror(url));
        let all = std::iter::once(first).chain(mirrors);
        all.chain(self.other_urls.iter().cloned()).collect()
    }

    fn check(&self) -> Result<(), String> {
        if self.name.is_empty() {
            return Err("name is empty".into());
        }
        let mirrors = self.mirrors.iter().map(|url| ("a mirror:", url));
        let urls = [
            ("metadata_url", &self.metadata_url),
            ("targets_url", &self.targets_url),
        ];
        for (key, url) in urls.into_iter().chain(mirrors) {
            http::check_url(url).map_err(|e| format!("{key} {e}"))?;
        }
        for who in &self.authorization {
            http::check_url(&who.origin).map_err(|e| format!("authorization: origin {e}"))?;
            let parts = who.origin.splitn(4, '/').collect::<Vec<_>>();
            let origin = matches!(parts.as_slice(), [_, "", _] | [_, "", _, ""]);
            if !origin || who.origin.contains(['?', '#']) {
                return Err(format!(
                    "authorization: {:?} is not of the form https://host:port",
                    http::shown(&who.origin)
                ));
            }
        }
        if !(self.deadline > 0.0 && self.deadline <= 300.0) {
            return Err("deadline must be more than 0 and at most 300 seconds".into());
        }
        if !(self.stall > 0.0 && self.stall <= 3600.0) {
            return Err("stall must be more than 0 and at most 3600 seconds".into());
        }
        if let Some(wait) = self.wait
            && !(wait > 0.0 && wait <= 86_400.0)
        {
            return Err("wait must be more than 0 and at most 86400 seconds".into());
        }
        if !(self.probation >= 0.0 && self.probation <= 3600.0) {
            return Err("probation must be 0 to 3600 seconds".into());
        }
        if let Some(id) = &self.app_user_model_id
            && (id.is_empty() || id.len() > 128 || id.contains([' ', '\0']))
        {
            return Err("app_user_model_id must have 1 to 128 characters and no spaces".into());
        }
        if let Some(icon) = &self.icon {
            let checked = Rules::portable().check_path(icon);
            checked.map_err(|e| format!("icon: {e}"))?;
        }
        Rules::portable()
            .check_path(&self.executable)
            .map_err(|e| format!("executable: {e}"))
    }

    /// Values of the header `Authorization`, each with the origin it is for.
    /// Those whose secret is nowhere are left out.
    pub fn authorization(&self) -> Vec<(String, String)> {
        let known = self.authorization.iter();
        known
            .filter_map(|who| Some((who.origin.clone(), who.header()?)))
            .collect()
    }

    /// Returns [`Settings::deadline`] as a duration.
    pub fn deadline(&self) -> Duration {
        Duration::from_secs_f64(self.deadline)
    }

    /// Returns how long a start waits for an update in all. `seen`: whether
    /// somebody can see what goes on.
    pub fn wait(&self, seen: bool) -> Duration {
        let default = if seen { 600.0 } else { 30.0 };
        Duration::from_secs_f64(self.wait.unwrap_or(default))
    }

    /// Returns whether the user's changes to a shipped file are kept.
    pub fn preserves(&self, path: &str) -> bool {
        let mut patterns = self.preserve.iter();
        patterns.any(|pattern| path_matches(pattern, path))
    }

    /// Returns [`Settings::probation`] as a duration; `None` if there is none.
    pub fn probation(&self) -> Option<Duration> {
        (self.probation > 0.0).then(|| Duration::from_secs_f64(self.probation))
    }

    /// Returns [`Settings::stall`] as a duration.
    pub fn stall(&self) -> Duration {
        Duration::from_secs_f64(self.stall)
    }
}

/// Reads the text of a settings file; `None` if there is none.
///
/// # Errors
/// [`SettingsError`], naming the file.
pub(crate) fn read_text(path: &Path) -> Result<Option<String>, SettingsError> {
    read_text_with(path, fs::read_optional)
}

/// The same with another way to read at most so many bytes.
///
/// # Errors
/// [`SettingsError`], naming the file.
pub(crate) fn read_text_with(
    path: &Path,
    read: impl FnOnce(&Path, u64) -> fs::Result<Option<Vec<u8>>>,
) -> Result<Option<String>, SettingsError> {
    let bytes = read(path, MAX_SIZE)?;
    let text = bytes.map(String::from_utf8).transpose();
    text.map_err(|_| SettingsError::Form {
        path: path.into(),
        reason: "it is not UTF-8".into(),
    })
}

#[cfg(test)]
mod tests;
