//! Handles settings key by key, as far as they are not whole: what a release
//! brings, or an administrator sets.

use super::Settings;
use crate::hex::sha256_hex;
use serde_json::{Map, Value};

/// Holds settings by their keys, as they are in `notsotuf.toml`.
pub type Table = Map<String, Value>;

/// The key by which `notsotuf ship` says what it wrote ([`mark`]).
pub const SHIPPED: &str = "shipped";

/// The settings that say where the repository is.
const URLS: [&str; 3] = ["metadata_url", "targets_url", "mirrors"];

/// The settings that belong to an install, so that no release brings them: what
/// it is, which program it starts, and whom it trusts and tells secrets.
pub const OF_THE_INSTALL: [&str; 5] = ["name", "executable", "ca_file", "authorization", SHIPPED];

/// All settings there are. `serde` does not tell.
pub const KEYS: [&str; 27] = [
    "name",
    "title",
    "metadata_url",
    "targets_url",
    "mirrors",
    "ca_file",
    "max_rate",
    "authorization",
    "executable",
    "channel",
    "mode",
    "deadline",
    "stall",
    "wait",
    "purge",
    "preserve",
    "probation",
    "elevate",
    "app_user_model_id",
    "quiet",
    "window",
    "notify",
    "icon",
    "language",
    "texts",
    "log_size",
    "log_level",
];

/// The most bytes that the settings of a release may have.
pub const MAX_OF_A_RELEASE: usize = 16 << 10;

/// Reads the text of a settings file as a table.
///
/// # Errors
/// What is wrong, in words.
pub fn parse(text: &str) -> Result<Table, String> {
    let text = without_mark(text);
    toml::from_str(text).map_err(|e| in_words(text, &e))
}

/// Says why a table cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableError {
    /// The key whose value is wrong, if it is one.
    pub key: Option<String>,
    /// What is wrong, in words, without the value: it may be a password.
    pub reason: String,
}

impl std::fmt::Display for TableError {
    fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        match &self.key {
            Some(key) if !self.reason.contains(key) => write!(f, "{key}: {}", self.reason),
            _ => f.write_str(&self.reason),
        }
    }
}

impl TableError {
    /// Returns the line of `text` that begins with the key, from 1 on.
    pub(super) fn line_in(&self, text: &str) -> Option<usize> {
        let key = self.key.as_ref()?;
        let begins = |line: &str| {
            let line = line.trim_start_matches([' ', '\t', '[', '\'', '"', '\u{feff}']);
            let rest = line.strip_prefix(key.as_str());
            rest.is_some_and(|rest| !rest.starts_with(|c: char| c.is_alphanumeric() || c == '_'))
        };
        Some(text.lines().position(begins)? + 1)
    }
}

impl Settings {
    /// Reads the text of a settings file.
    ///
    /// # Errors
    /// What is wrong, in words.
    pub fn parse(text: &str) -> Result<Self, String> {
        Self::from_table(parse(text)?, text)
    }

    /// Returns the settings that are in `table`, which was read of `text`.
    ///
    /// # Errors
    /// What is wrong, in words, and in which line.
    pub(crate) fn from_table(table: Table, text: &str) -> Result<Self, String> {
        to_settings(table).map_err(|e| match e.line_in(text) {
            Some(line) => format!("line {line}: {}", e.reason),
            None => e.to_string(),
        })
    }
}

/// Returns the whole settings that are in a table.
///
/// # Errors
/// [`TableError`], in words.
pub fn to_settings(table: Table) -> Result<Settings, TableError> {
    let read = |table: Table| -> Result<Settings, String> {
        let settings = serde_json::from_value::<Settings>(Value::Object(table));
        let settings = settings.map_err(|e| without_value(&e.to_string()))?;
        settings.check()?;
        Ok(settings)
    };
    let reason = match read(table.clone()) {
        Ok(settings) => return Ok(settings),
        Err(reason) => reason,
    };
    // serde does not say where: with nothing else that is set, it fails again.
    let key = table.into_iter().find_map(|(key, value)| {
        let mut only = least();
        only.insert(key.clone(), value);
        read(only).is_err().then_some(key)
    });
    Err(TableError { key, reason })
}

/// Checks what a release brings: with less time or fewer bytes a second than that,
/// no client would ever get the next one, which brings better ones.
///
/// # Errors
/// What is wrong, in words.
pub fn check_of_release(table: &Table) -> Result<(), String> {
    const LEAST: [(&str, f64); 3] = [("deadline", 0.5), ("stall", 1.0), ("max_rate", 10_000.0)];
    for (key, least) in LEAST {
        let value = table.get(key).and_then(Value::as_f64);
        // No rate at all is no limit.
        let is_none = key == "max_rate" && value == Some(0.0);
        if value.is_some_and(|value| value < least) && !is_none {
            return Err(format!(
                "{key} must be at least {least} in a release, or its clients never get another"
            ));
        }
    }
    Ok(())
}

/// Returns settings with which nothing is wrong, and only those that every
/// install has.
pub fn least() -> Table {
    let keys = ["name", "metadata_url", "targets_url", "executable"];
    let value = |key: &str| {
        if key.ends_with("url") {
            "https://a"
        } else {
            "a"
        }
    };
    let pairs = keys.map(|key| (key.to_owned(), Value::from(value(key))));
    pairs.into_iter().collect()
}

/// Puts the settings of `over` in the place of those in `under`. Tables, such as
/// that of texts, are put together key by key.
pub fn overlay(under: &mut Table, over: Table) {
    for (key, value) in over {
        match (under.get_mut(&key), value) {
            (Some(Value::Object(under)), Value::Object(over)) => overlay(under, over),
            (_, value) => {
                under.insert(key, value);
            }
        }
    }
}

/// Returns what `notsotuf ship` notes under [`SHIPPED`]: the `version` of the
/// release that is shipped, and the hashes of all `settings`, and of those that
/// are `urls`.
pub fn mark(table: &Table, version: &str) -> Table {
    let (settings, urls) = hashes(table);
    let pairs = [
        ("version", version.into()),
        ("settings", settings),
        ("urls", urls),
    ];
    let pairs = pairs.map(|(key, text)| (key.to_owned(), Value::String(text)));
    pairs.into_iter().collect()
}

/// Says what became of the settings that were shipped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SinceShipped<'a> {
    /// Nothing was changed; they were shipped with this version.
    Unchanged(&'a str),
    /// Something was changed.
    Changed {
        /// Whether that is where the repository is.
        urls: bool,
    },
    /// They were written by somebody else, or by a bundler that noted nothing.
    Unknown,
}

/// Returns what became of the settings that were shipped. Comments, spaces, and
/// the order of keys do not count.
pub fn since_shipped(table: &Table) -> SinceShipped<'_> {
    let text = |key: &str| table.get(SHIPPED)?[key].as_str();
    let (Some(version), Some(settings), Some(urls)) =
        (text("version"), text("settings"), text("urls"))
    else {
        return SinceShipped::Unknown;
    };
    let found = hashes(table);
    if settings == found.0 {
        SinceShipped::Unchanged(version)
    } else {
        SinceShipped::Changed {
            urls: urls != found.1,
        }
    }
}

/// The hashes of all settings but [`SHIPPED`], and of [`URLS`].
fn hashes(table: &Table) -> (String, String) {
    let mut all = table.clone();
    all.remove(SHIPPED);
    let mut urls = all.clone();
    urls.retain(|key, _| URLS.contains(&key.as_str()));
    // Keys are sorted, and TOML has one value for each number.
    let hash = |table: Table| sha256_hex(Value::Object(table).to_string().as_bytes());
    (hash(all), hash(urls))
}

/// Takes out of a table what says where the repository is.
pub(super) fn remove_urls(table: &mut Table) {
    table.retain(|key, _| !URLS.contains(&key.as_str()));
}

/// Returns the text without the byte order mark that an editor on Windows may
/// put first.
fn without_mark(text: &str) -> &str {
    text.strip_prefix('\u{feff}').unwrap_or(text)
}

/// What is wrong with the text, and where. Not the line itself, as the library
/// would: a password may stand in it.
fn in_words(text: &str, error: &toml::de::Error) -> String {
    let message = without_value(error.message());
    let before = error.span().and_then(|span| text.get(..span.start));
    match before {
        Some(before) => format!("line {}: {message}", before.matches('\n').count() + 1),
        None => message,
    }
}

/// The message without the value that it is about.
fn without_value(message: &str) -> String {
    match message.split_once(", expected ") {
        Some((wrong, expected)) if wrong.starts_with("invalid ") => {
            format!("{expected} is expected here")
        }
        _ => message.to_owned(),
    }
}
