//! Writes the settings that a shipped stub gets: a template, and what the project
//! adds.

use super::options::ShipOptions;
use crate::project::{Addresses, Project, client_settings, toml_string};
use notsotuf_stub::settings::table;
use pep440_rs::Version;
use toml_edit::{DocumentMut, InlineTable, Item};

pub(super) fn stub_settings(
    project: &Project,
    options: &ShipOptions,
    at: &Addresses,
    executable: &str,
) -> String {
    let client = &project.settings.client;
    format!(
        "\
# Settings of the updater that starts this application. Later releases may bring
# others, and those count as long as nothing is changed here. What is to stay
# whatever comes belongs into notsotuf.local.toml beside this file.

# The application's name in the repository, and where that is.
name = {name}
# The name that is shown to users; else the name above.
{title}

metadata_url = {metadata}
targets_url = {targets}

# The program to start, in the folder app.
executable = {executable}

# Which releases are wanted: \"final\", \"rc\", \"b\" (betas) or \"a\" (alphas).
channel = \"{channel}\"

# \"before-launch\": look for updates before the application starts;
# \"background\": start it at once, fetch updates meanwhile, and install them at
# the next start; \"off\": only install what the application asked for.
mode = \"{mode}\"

# Seconds until it must be known whether there is an update; then the
# application starts anyway.
deadline = 3.0

# Seconds without a byte after which a download is given up.
stall = 20.0

# true: an update removes files in app that no release brought.
purge = false

# Files in app that releases bring and users may change, as patterns; such
# changes are kept. For example: [\"config/*.ini\"]
preserve = []

# A new version must live so many seconds, unless it ends with exit code 0 or
# makes the file that the environment variable NOTSOTUF_READY_FILE names; else
# the previous version comes back. 0: never.
probation = 10.0

# true: where only administrators can write to this folder, as in Program Files,
# ask the user to allow each update (Windows).
elevate = false

# true: show nothing of an update, on a terminal or in a window.
quiet = false

# Where there is no terminal, a window shows an update that takes longer than a
# second, with a button to start the application without it. false: no window.
window = true

# The language of what is shown, as \"de\"; else the user's.
# language = \"en\"
",
        name = toml_string(options.app),
        title = match options.title.or(client.title.as_deref()) {
            Some(title) => format!("title = {}", toml_string(title)),
            None => "# title = \"My App\"".into(),
        },
        metadata = toml_string(&at.metadata_url()),
        targets = toml_string(&at.targets_url),
        executable = toml_string(executable),
        channel = client.channel.unwrap_or_default(),
        mode = client.mode.unwrap_or_default(),
    )
}

/// Puts the settings of the project in the places of the stub's, or after them.
pub(super) fn merge_project_settings(text: &str, own: &toml::Table) -> Result<String, String> {
    client_settings::check(own)?;
    let own = toml_edit::ser::to_document(own).map_err(|e| e.to_string())?;
    let mut document: DocumentMut = text.parse().expect("it is TOML");
    for (key, item) in own.iter() {
        match (document.get_mut(key), item) {
            // So that the comment before it stays.
            (Some(Item::Value(there)), Item::Value(value)) => {
                let decor = there.decor().clone();
                *there = value.clone();
                *there.decor_mut() = decor;
            }
            _ => document[key] = item.clone(),
        }
    }
    let text = document.to_string();
    table::to_settings(table::parse(&text)?).map_err(|e| e.to_string())?;
    Ok(text)
}

/// Notes in the settings which release is shipped with them, and what they are,
/// so that a change made by somebody can be told from them.
///
/// # Errors
/// If the text is not TOML.
pub(super) fn mark_as_shipped(text: &str, version: &Version) -> Result<String, String> {
    let mut document: DocumentMut = text.parse().map_err(|e| format!("{e}"))?;
    let mut shipped = InlineTable::new();
    for (key, value) in table::mark(&table::parse(text)?, &version.to_string()) {
        shipped.insert(&key, value.as_str().unwrap_or_default().into());
    }
    document[table::SHIPPED] = toml_edit::value(shipped);
    if let Some(mut key) = document.key_mut(table::SHIPPED) {
        key.leaf_decor_mut()
            .set_prefix("\n# By this the updater sees whether something was changed here.\n");
    }
    Ok(document.to_string())
}

/// Writes shipped settings once more, without updates: for installs that something else updates.
/// Without the mark of what was shipped, so that no release brings another mode.
///
/// # Errors
/// If the text is not TOML.
pub(super) fn with_mode_off(text: &str) -> Result<String, String> {
    let mut document: DocumentMut = text.parse().map_err(|e| format!("{e}"))?;
    document.remove(table::SHIPPED);
    document["mode"] = toml_edit::value("off");
    Ok(document.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use notsotuf_stub::settings::Settings;
    use notsotuf_stub::settings::table::SinceShipped;

    #[test]
    fn the_project_has_settings_of_its_own() {
        let text = "# A comment.\nname = 'a'\nmetadata_url = 'http://a'\ntargets_url = 'http://a'\n\
                    executable = 'a'\n\n# Seconds.\nprobation = 10.0 # really\n\n# window = true\n";
        let own = |own: &str| merge_project_settings(text, &own.parse().unwrap());
        let done = own(
            "probation = 0.5\nwindow = false\npreserve = ['a', 'b']\n[texts]\nleft = 'noch {time}'\n\
             [[authorization]]\norigin = 'https://a'\nbearer = 'x'\n",
        )
        .unwrap();
        assert!(done.starts_with("# A comment.\nname"), "{done}");
        assert!(
            done.contains("\n# Seconds.\nprobation = 0.5 # really\n"),
            "{done}"
        );
        let settings = Settings::parse(&done).unwrap();
        assert_eq!((settings.probation, settings.window), (0.5, false));
        assert_eq!(settings.preserve, ["a", "b"]);
        assert_eq!(settings.texts["left"], "noch {time}");
        assert_eq!(settings.authorization().len(), 1);
        for (bad, told) in [
            ("probtion = 1.0", "no setting \"probtion\""),
            ("name = 'b'", "not for the project"),
            ("probation = -1.0", "probation must be"),
        ] {
            assert!(own(bad).unwrap_err().contains(told), "{bad}");
        }
        assert_eq!(own("").unwrap(), text);
    }

    #[test]
    fn a_change_of_shipped_settings_shows() {
        let version: Version = "1.0rc1".parse().unwrap();
        let text = "name = 'a'\nprobation = 1.0\n[texts]\nleft = 'x'\n";
        let marked = mark_as_shipped(text, &version).unwrap();
        let parsed = |text: &str| table::parse(text).unwrap();
        let harmless = marked.replace("probation = 1.0", "# Seconds.\nprobation=1.00");
        for same in [&marked, &harmless] {
            let unchanged = SinceShipped::Unchanged("1.0rc1");
            assert_eq!(table::since_shipped(&parsed(same)), unchanged, "{same}");
        }
        for change in [
            marked.replace("probation = 1.0", "probation = 2.0"),
            marked.replace("'x'", "'y'"),
            format!("quiet = true\n{marked}"),
        ] {
            let changed = SinceShipped::Changed { urls: false };
            assert_eq!(table::since_shipped(&parsed(&change)), changed, "{change}");
        }
        let moved = format!("mirrors = []\n{marked}");
        let changed = SinceShipped::Changed { urls: true };
        assert_eq!(table::since_shipped(&parsed(&moved)), changed);
        assert_eq!(table::since_shipped(&parsed(text)), SinceShipped::Unknown);
    }
}
