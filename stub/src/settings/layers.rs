//! Puts the layers of settings together: those that were shipped, those that
//! came with a release, those that the user chose, and those of administrators.
//! Pure.

use super::table::{
    KEYS, OF_THE_INSTALL, SHIPPED, SinceShipped, Table, check_of_release, overlay, remove_urls,
    since_shipped, to_settings,
};
use super::{Mode, RepositoryUrls, Settings};
use pep440_rs::Version;
use serde_json::Value;
use std::path::PathBuf;
use std::str::FromStr;

/// Holds the layers, the lowest first.
#[derive(Debug, Clone, Default)]
pub struct Layers {
    /// What is in the settings file.
    pub file: Table,
    /// The version that is installed, and what it brought, in JSON.
    pub release: Option<(Version, String)>,
    /// The files of administrators, the one that wins last; or what is wrong with
    /// one, in words.
    pub administrators: Vec<(PathBuf, Result<Table, String>)>,
}

impl Layers {
    /// Returns the settings that count, where `alone` are those of the file, and
    /// adds to `warnings` what could not be used.
    ///
    /// What a release brought takes the place of what was shipped, unless
    /// somebody has changed the settings file: then that wins. Where the
    /// repository is by the layer below is tried after that, so that a URL that
    /// does not work strands nobody; not if somebody has changed the URLs.
    /// Administrators win over all, and theirs are the only URLs if they set any.
    /// Where a file of theirs cannot be used, updates are off: that may be what it
    /// says.
    pub fn combine(self, alone: Settings, warnings: &mut Vec<String>) -> Settings {
        let (mut table, mut settings) = (self.file, alone);
        let (mut others, mut off) = (Vec::new(), None);
        if let Some((version, release)) = self.release {
            match with_release(&table, &version, &release) {
                Ok(Some(combined)) => (table, settings, others) = combined,
                Ok(None) => {}
                Err(e) => warnings.push(format!(
                    "the settings that version {version} brought are not used: {e}"
                )),
            }
        }
        let (mut channel_set_by, mut broken) = (None, None);
        for (path, administrator) in self.administrators {
            let combined = administrator.and_then(|own| {
                let (combined, new) = with_administrator(&table, &own)?;
                Ok((own, combined, new))
            });
            match combined {
                Ok((own, combined, new)) => {
                    if sets_urls(&own) {
                        others.clear();
                    }
                    if own.contains_key("channel") {
                        channel_set_by = Some(path.clone());
                    }
                    if own.contains_key("mode") {
                        off = (new.mode == Mode::Off).then_some(path);
                    }
                    (table, settings) = (combined, new);
                }
                Err(e) => {
                    warnings.push(format!(
                        "{path:?}: {e}; there are no updates until that is corrected"
                    ));
                    broken = Some(path);
                }
            }
        }
        let off = broken.or(off);
        if off.is_some() {
            settings.mode = Mode::Off;
        }
        settings.switched_off_by = off;
        settings.channel_set_by = channel_set_by;
        let known = settings.all_urls();
        others.retain(|urls| !known.contains(urls));
        settings.other_urls = others;
        settings
    }
}

type WithUrlsBelow = (Table, Settings, Vec<RepositoryUrls>);

/// The settings file with those of a release, as a table and as settings, and the
/// URLs of the layer below; `None` if the file is of the same release or a newer
/// one.
fn with_release(
    file: &Table,
    version: &Version,
    release: &str,
) -> Result<Option<WithUrlsBelow>, String> {
    let release = serde_json::from_str::<Table>(release);
    let mut release = release.map_err(|_| "they are no JSON object".to_owned())?;
    release.retain(|key, _| !OF_THE_INSTALL.contains(&key.as_str()));
    check_of_release(&release)?;
    if release.contains_key("metadata_url") != release.contains_key("targets_url") {
        return Err("metadata_url and targets_url belong together".into());
    }
    let (mut table, over) = match since_shipped(file) {
        SinceShipped::Unchanged(shipped) => {
            if Version::from_str(shipped).is_ok_and(|shipped| shipped >= *version) {
                return Ok(None);
            }
            (file.clone(), release)
        }
        SinceShipped::Changed { urls: true } => {
            remove_urls(&mut release);
            (release, file.clone())
        }
        SinceShipped::Changed { urls: false } | SinceShipped::Unknown => (release, file.clone()),
    };
    let below = urls(&table);
    overlay(&mut table, over);
    let settings = to_settings(table.clone()).map_err(|e| e.to_string())?;
    Ok(Some((table, settings, below)))
}

fn with_administrator(table: &Table, over: &Table) -> Result<(Table, Settings), String> {
    // What is started is no matter of updates; and a key that is misspelt is
    // one that does not do what it is there for.
    for key in over.keys() {
        if ["name", "executable", SHIPPED].contains(&key.as_str()) {
            return Err(format!("{key} cannot be set here"));
        }
        if !KEYS.contains(&key.as_str()) {
            return Err(format!("there is no setting {key:?}"));
        }
    }
    let mut under = table.clone();
    if sets_urls(over) && !over.contains_key("mirrors") {
        under.remove("mirrors");
    }
    overlay(&mut under, over.clone());
    let settings = to_settings(under.clone()).map_err(|e| e.to_string())?;
    Ok((under, settings))
}

fn sets_urls(table: &Table) -> bool {
    table.contains_key("metadata_url") || table.contains_key("targets_url")
}

fn urls(table: &Table) -> Vec<RepositoryUrls> {
    let text = |key: &str| table.get(key)?.as_str().map(str::to_owned);
    let mut found = Vec::new();
    if let (Some(metadata_url), Some(targets_url)) = (text("metadata_url"), text("targets_url")) {
        found.push(RepositoryUrls {
            metadata_url,
            targets_url,
        });
    }
    let mirrors = table.get("mirrors").and_then(Value::as_array);
    let mirrors = mirrors.into_iter().flatten().filter_map(Value::as_str);
    found.extend(mirrors.map(RepositoryUrls::of_mirror));
    found
}

#[cfg(test)]
mod tests;
