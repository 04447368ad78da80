//! Holds the texts that users see during an update, in their language.

use crate::settings::Settings;
use std::collections::BTreeMap;

/// Names a text, also in the table `[texts]` of the settings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MessageId {
    /// `{name}`, `{version}`.
    Updating,
    /// `{done}`, `{size}`.
    Downloaded,
    /// `{time}`.
    Left,
    /// After the download.
    Unpacking,
    /// In the end.
    Installing,
    /// On the button that starts the application without the update.
    StartNow,
    /// What Cancel does, where its name cannot be changed.
    CancelStarts,
    /// After an update: `{name}`, `{version}`.
    Updated,
    /// After a new version failed: `{name}`, `{version}`, `{previous}`.
    RolledBack,
}

impl MessageId {
    /// What it is called in the files of languages and in the settings.
    fn name(self) -> &'static str {
        match self {
            MessageId::Updating => "updating",
            MessageId::Downloaded => "downloaded",
            MessageId::Left => "left",
            MessageId::Unpacking => "unpacking",
            MessageId::Installing => "installing",
            MessageId::StartNow => "start_now",
            MessageId::CancelStarts => "cancel_starts",
            MessageId::Updated => "updated",
            MessageId::RolledBack => "rolled_back",
        }
    }
}

/// Language codes with the files `messages/<code>.toml`.
macro_rules! languages {
    ($($code:literal),+) => {
        [$(($code, include_str!(concat!("messages/", $code, ".toml")))),+]
    };
}

/// English is first, and taken where nothing else is known.
const LANGUAGES: [(&str, &str); 10] =
    languages!["en", "de", "fr", "es", "it", "pt", "nl", "pl", "ja", "zh"];

/// Holds the texts of one language, with those of the settings in their place.
#[derive(Debug, Clone)]
pub struct Messages {
    /// The file of the language.
    file: &'static str,
    own: BTreeMap<String, String>,
}

impl Messages {
    /// Returns the texts for this user: by the setting `language`, else as the
    /// system says.
    pub fn new(settings: &Settings) -> Self {
        let language = settings.language.clone().or_else(os::language);
        Messages {
            own: settings.texts.clone(),
            ..Messages::of(&language.unwrap_or_default())
        }
    }

    /// Returns the texts for a locale like `de_CH.UTF-8` or `pt-BR`.
    pub(super) fn of(locale: &str) -> Self {
        let code = locale
            .split(['_', '-', '.', '@'])
            .next()
            .unwrap_or_default();
        let code = code.to_ascii_lowercase();
        let known = LANGUAGES.iter().find(|(known, _)| *known == code);
        Messages {
            file: known.unwrap_or(&LANGUAGES[0]).1,
            own: BTreeMap::new(),
        }
    }

    /// Returns a text with `{…}` replaced by these values.
    pub fn with(&self, text: MessageId, values: &[(&str, &str)]) -> String {
        let name = text.name();
        let own = self.own.get(name).map(String::as_str);
        let mut rest = own.unwrap_or_else(|| find(self.file, name));
        let mut out = String::new();
        // In one go, so that nothing in a value is taken for a place.
        while let Some((before, after)) = rest.split_once('{') {
            out.push_str(before);
            let found = after.split_once('}').and_then(|(name, after)| {
                let value = values.iter().find(|(known, _)| *known == name)?;
                Some((value.1, after))
            });
            match found {
                Some((value, after)) => {
                    out.push_str(value);
                    rest = after;
                }
                None => {
                    out.push('{');
                    rest = after;
                }
            }
        }
        out.push_str(rest);
        out
    }
}

/// The text `name` in the file of a language. The files are TOML, of which
/// only lines `name = "text"` are used, without escapes; a test compares. The
/// parser for all of TOML would add to the size of the stub.
fn find(file: &'static str, name: &str) -> &'static str {
    let text = |line: &'static str| {
        let text = line.strip_prefix(name)?.strip_prefix(" = \"")?;
        text.strip_suffix('"')
    };
    file.lines().find_map(text).unwrap_or_default()
}

#[cfg(unix)]
mod os {
    /// Finds the language of messages as setlocale(3) does.
    pub(super) fn language() -> Option<String> {
        ["LC_ALL", "LC_MESSAGES", "LANG"]
            .into_iter()
            .filter_map(|name| std::env::var(name).ok())
            .find(|value| !value.is_empty())
    }
}

#[cfg(windows)]
#[path = "locale_windows.rs"]
mod os;

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    const ALL: [MessageId; 9] = [
        MessageId::Updating,
        MessageId::Downloaded,
        MessageId::Left,
        MessageId::Unpacking,
        MessageId::Installing,
        MessageId::StartNow,
        MessageId::CancelStarts,
        MessageId::Updated,
        MessageId::RolledBack,
    ];

    fn parse(code: &str, file: &str) -> BTreeMap<String, String> {
        toml::from_str(file).unwrap_or_else(|e| panic!("{code}: {e}"))
    }

    fn placeholders(text: &str) -> BTreeSet<&str> {
        let parts = text.split('{').skip(1);
        parts
            .map(|part| part.split_once('}').expect("it is closed").0)
            .collect()
    }

    #[test]
    fn every_language_has_every_text_and_no_other() {
        for (code, file) in LANGUAGES {
            let texts = parse(code, file);
            let names: BTreeSet<&str> = texts.keys().map(String::as_str).collect();
            assert_eq!(names, ALL.map(MessageId::name).into(), "{code}");
            for (name, text) in &texts {
                assert!(!text.trim().is_empty(), "{code}: {name}");
                let line = "not a line of the form name = \"text\", without \\";
                assert_eq!(find(file, name), text, "{code}: {line}");
            }
        }
    }

    #[test]
    fn every_language_has_the_placeholders_of_english() {
        let english = parse("en", LANGUAGES[0].1);
        assert_eq!(
            placeholders(&english["updating"]),
            ["name", "version"].into()
        );
        assert_eq!(
            placeholders(&english["downloaded"]),
            ["done", "size"].into()
        );
        assert_eq!(placeholders(&english["left"]), ["time"].into());
        for (code, file) in LANGUAGES {
            for (name, text) in parse(code, file) {
                assert_eq!(
                    placeholders(&text),
                    placeholders(&english[&name]),
                    "{code}: {text}"
                );
            }
        }
    }

    #[test]
    fn every_file_of_a_language_is_built_in() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/src/progress/messages");
        let files = std::fs::read_dir(folder).unwrap();
        let names = files.map(|file| file.unwrap().file_name().into_string().unwrap());
        let built_in = LANGUAGES.map(|(code, _)| format!("{code}.toml"));
        assert_eq!(names.collect::<BTreeSet<_>>(), built_in.into());
    }

    #[test]
    fn a_message_is_in_the_users_language_with_its_values() {
        for (locale, start) in [
            ("de_CH.UTF-8", "Ohne Aktualisierung öffnen"),
            ("pt-BR", "Abrir sem atualizar"),
            ("DE", "Ohne Aktualisierung öffnen"),
            ("C", "Open without updating"),
            ("xx", "Open without updating"),
            ("", "Open without updating"),
        ] {
            let texts = Messages::of(locale);
            assert_eq!(texts.with(MessageId::StartNow, &[]), start, "{locale}");
        }
        let mut texts = Messages::of("en");
        let values = [("name", "{version}{"), ("version", "1}")];
        let text = texts.with(MessageId::Updating, &values);
        assert_eq!(text, "Updating {version}{ to 1}");
        texts.own.insert("left".into(), "{x} {time} to go {".into());
        assert_eq!(
            texts.with(MessageId::Left, &[("time", "0:01")]),
            "{x} 0:01 to go {"
        );
    }
}
