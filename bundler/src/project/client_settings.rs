//! Checks the settings of the stub that a project has, and picks those that
//! travel with a release.

use super::addresses::Addresses;
use super::settings::Client;
use notsotuf_stub::settings::Settings;
use notsotuf_stub::settings::table::{self, KEYS, MAX_OF_A_RELEASE, OF_THE_INSTALL, Table};
use serde_json::Value;

/// What `ship` fills in itself.
const NOT_FOR_THE_PROJECT: [&str; 5] = [
    "name",
    "metadata_url",
    "targets_url",
    "executable",
    table::SHIPPED,
];

/// Checks the settings of the stub that a project has for new installs.
///
/// # Errors
/// What is wrong with them.
pub(crate) fn check(own: &toml::Table) -> Result<(), String> {
    for key in own.keys().map(String::as_str) {
        if NOT_FOR_THE_PROJECT.contains(&key) {
            return Err(format!("{key} is not for the project to set"));
        }
    }
    of_install(own)?;
    table::check_of_release(&to_table(own)?)?;
    match own.keys().find(|key| !KEYS.contains(&key.as_str())) {
        Some(wrong) => Err(format!("there is no setting {wrong:?}{}", nearest(wrong))),
        None => Ok(()),
    }
}

/// Returns the settings of a new install with what the project sets, but for its
/// name, its addresses and its program.
///
/// # Errors
/// What is wrong with them.
pub(crate) fn of_install(own: &toml::Table) -> Result<Settings, String> {
    with_least(to_table(own)?)
}

/// The settings that these are with the least that every install has.
fn with_least(own: Table) -> Result<Settings, String> {
    let mut all = table::least();
    all.extend(own);
    table::to_settings(all).map_err(|e| e.to_string())
}

/// Returns what a release that is added now tells clients to use from then on:
/// what the project sets, but for what belongs to an install, and secrets. As JSON
/// in one line: canonical JSON, over which metadata is signed, has no fractions,
/// and clients do not agree on what it makes of line breaks.
///
/// # Errors
/// What is wrong with the settings.
pub(crate) fn of_release(client: &Client) -> Result<Option<String>, String> {
    check(&client.settings)?;
    let mut travel = client.settings.clone();
    travel.retain(|key, _| !OF_THE_INSTALL.contains(&key));
    let mut add = |key: &str, text: Option<String>| {
        if let Some(text) = text {
            travel.insert(key.into(), text.into());
        }
    };
    let at = client.addresses();
    add("metadata_url", at.as_ref().map(Addresses::metadata_url));
    add("targets_url", at.map(|at| at.targets_url));
    add("title", client.title.clone());
    add("channel", client.channel.map(|channel| channel.to_string()));
    add("mode", client.mode.map(|mode| mode.to_string()));
    let travel = to_table(&travel)?;
    let text = Value::from(travel.clone()).to_string();
    with_least(travel.clone())?;
    if text.len() > MAX_OF_A_RELEASE {
        return Err(format!(
            "the settings have {} bytes; clients download them with the metadata, and take \
             {MAX_OF_A_RELEASE}",
            text.len()
        ));
    }
    Ok((!travel.is_empty()).then_some(text))
}

fn to_table(settings: &toml::Table) -> Result<Table, String> {
    match serde_json::to_value(settings) {
        Ok(Value::Object(table)) => Ok(table),
        Ok(_) => Ok(Table::new()),
        Err(e) => Err(e.to_string()),
    }
}

/// Returns `; did you mean …?`, if a setting is called nearly so.
fn nearest(wrong: &str) -> String {
    let close = KEYS
        .iter()
        .map(|key| (strsim::damerau_levenshtein(wrong, key), key))
        .min()
        .filter(|(distance, _)| *distance <= 2);
    close.map_or_else(String::new, |(_, key)| format!("; did you mean {key:?}?"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(text: &str) -> Client {
        toml::from_str(text).unwrap()
    }

    #[test]
    fn what_the_project_sets_travels_but_for_what_belongs_to_an_install() {
        let all = of_release(&client(
            "url = 'https://b/u/'\ntitle = 'T'\nchannel = 'rc'\nmode = 'background'\n\
             [settings]\nprobation = 1.5\nca_file = 'ca.pem'\nmirrors = ['https://c']\n\
             [settings.texts]\nleft = 'noch {time}'\n\
             [[settings.authorization]]\norigin = 'https://b'\nbearer = 'secret'\n",
        ))
        .unwrap();
        let found: Value = serde_json::from_str(&all.unwrap()).unwrap();
        let expected = serde_json::json!({
            "metadata_url": "https://b/u/metadata", "targets_url": "https://b/u/targets",
            "title": "T", "channel": "rc", "mode": "background", "probation": 1.5,
            "mirrors": ["https://c"], "texts": { "left": "noch {time}" },
        });
        assert_eq!(found, expected);
        assert_eq!(of_release(&client("")).unwrap(), None);
        let apart = "url = 'https://b/u'\ntargets_url = 'https://c/t/'";
        let found = of_release(&client(apart)).unwrap().unwrap();
        let found: Value = serde_json::from_str(&found).unwrap();
        let expected = serde_json::json!({
            "metadata_url": "https://b/u/metadata", "targets_url": "https://c/t",
        });
        assert_eq!(found, expected);
    }

    #[test]
    fn what_clients_would_not_take_does_not_travel() {
        for (bad, told) in [
            ("[settings]\nprobtion = 1.0", "did you mean \"probation\"?"),
            ("[settings]\nname = 'b'", "not for the project"),
            ("[settings]\nshipped = 'b'", "not for the project"),
            ("[settings]\nprobation = -1.0", "probation must be"),
            (
                "[settings]\nmax_rate = 1",
                "max_rate must be at least 10000",
            ),
            ("[settings]\nstall = 0.0001", "stall must be at least 1"),
            (
                "[settings]\ndeadline = 0.4",
                "deadline must be at least 0.5",
            ),
            ("url = 'ftp://a'", "metadata_url"),
            ("url = 'https://me:SECRET@a'", "metadata_url"),
        ] {
            let found = of_release(&client(bad)).unwrap_err();
            assert!(
                found.contains(told) && !found.contains("SECRET"),
                "{bad}: {found}"
            );
        }
        let long = "x".repeat(MAX_OF_A_RELEASE);
        let found = of_release(&client(&format!("title = '{long}'"))).unwrap_err();
        assert!(found.contains("16384"), "{found}");
    }
}
