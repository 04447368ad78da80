//! Handles settings key by key, as far as they are not whole: what a release
//! brings, or an administrator sets.

use super::{Settings, in_words, without_mark, without_value};
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

/// Returns the whole settings that are in a table.
///
/// # Errors
/// What is wrong, in words.
pub fn to_settings(table: Table) -> Result<Settings, String> {
    let settings: Settings =
        serde_json::from_value(Value::Object(table)).map_err(|e| without_value(&e.to_string()))?;
    settings.check()?;
    Ok(settings)
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
