//! What the user is told while an update goes on, in the user's language.

use crate::settings::Settings;
use std::collections::BTreeMap;

/// A text, and what it is called in the table `[texts]` of the settings.
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
}

/// The names of texts in the settings, in the order of [`MessageId`].
const NAMES: [&str; 7] = [
    "updating",
    "downloaded",
    "left",
    "unpacking",
    "installing",
    "start_now",
    "cancel_starts",
];

/// By language code, in the order of [`MessageId`]. English is first, and taken
/// where nothing else is known.
const LANGUAGES: [(&str, [&str; 7]); 10] = [
    (
        "en",
        [
            "Updating {name} to {version}",
            "{done} of {size}",
            "{time} left",
            "unpacking",
            "installing",
            "Start now",
            "Cancel starts the application now.",
        ],
    ),
    (
        "de",
        [
            "{name} wird auf {version} aktualisiert",
            "{done} von {size}",
            "noch {time}",
            "wird entpackt",
            "wird installiert",
            "Jetzt starten",
            "Abbrechen startet das Programm sofort.",
        ],
    ),
    (
        "fr",
        [
            "Mise à jour de {name} vers {version}",
            "{done} sur {size}",
            "reste {time}",
            "décompression",
            "installation",
            "Démarrer maintenant",
            "Annuler démarre l’application maintenant.",
        ],
    ),
    (
        "es",
        [
            "Actualizando {name} a {version}",
            "{done} de {size}",
            "quedan {time}",
            "descomprimiendo",
            "instalando",
            "Iniciar ahora",
            "Cancelar inicia la aplicación ahora.",
        ],
    ),
    (
        "it",
        [
            "Aggiornamento di {name} a {version}",
            "{done} di {size}",
            "restano {time}",
            "estrazione",
            "installazione",
            "Avvia ora",
            "Annulla avvia subito l’applicazione.",
        ],
    ),
    (
        "pt",
        [
            "A atualizar {name} para {version}",
            "{done} de {size}",
            "faltam {time}",
            "a descompactar",
            "a instalar",
            "Iniciar agora",
            "Cancelar inicia a aplicação agora.",
        ],
    ),
    (
        "nl",
        [
            "{name} wordt bijgewerkt naar {version}",
            "{done} van {size}",
            "nog {time}",
            "uitpakken",
            "installeren",
            "Nu starten",
            "Annuleren start de toepassing nu.",
        ],
    ),
    (
        "pl",
        [
            "Aktualizowanie {name} do {version}",
            "{done} z {size}",
            "pozostało {time}",
            "rozpakowywanie",
            "instalowanie",
            "Uruchom teraz",
            "Anuluj uruchamia aplikację od razu.",
        ],
    ),
    (
        "ja",
        [
            "{name} を {version} に更新しています",
            "{done} / {size}",
            "残り {time}",
            "展開しています",
            "インストールしています",
            "今すぐ起動",
            "キャンセルするとすぐに起動します。",
        ],
    ),
    (
        "zh",
        [
            "正在将 {name} 更新到 {version}",
            "{done} / {size}",
            "剩余 {time}",
            "正在解压",
            "正在安装",
            "立即启动",
            "取消将立即启动应用程序。",
        ],
    ),
];

/// The texts of one language, with those of the settings in their place.
#[derive(Debug, Clone)]
pub struct Messages {
    built_in: &'static [&'static str; 7],
    own: BTreeMap<String, String>,
}

impl Messages {
    /// Those for this user: by the setting `language`, else as the system
    /// says.
    pub fn new(settings: &Settings) -> Self {
        let language = settings.language.clone().or_else(os::language);
        Messages {
            built_in: built_in(&language.unwrap_or_default()),
            own: settings.texts.clone(),
        }
    }

    /// English.
    pub fn english() -> Self {
        Messages {
            built_in: &LANGUAGES[0].1,
            own: BTreeMap::new(),
        }
    }

    /// A text with `{…}` replaced by these values.
    pub fn with(&self, text: MessageId, values: &[(&str, &str)]) -> String {
        let index = text as usize;
        let own = self.own.get(NAMES[index]).map(String::as_str);
        let mut rest = own.unwrap_or(self.built_in[index]);
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

/// The texts for a locale like `de_CH.UTF-8` or `pt-BR`.
fn built_in(locale: &str) -> &'static [&'static str; 7] {
    let code = locale
        .split(['_', '-', '.', '@'])
        .next()
        .unwrap_or_default();
    let code = code.to_ascii_lowercase();
    let known = LANGUAGES.iter().find(|(known, _)| *known == code);
    &known.unwrap_or(&LANGUAGES[0]).1
}

#[cfg(unix)]
mod os {
    /// As setlocale(3) finds the language of messages.
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

    #[test]
    fn every_language_has_every_place() {
        for (index, english) in LANGUAGES[0].1.iter().enumerate() {
            for (code, texts) in &LANGUAGES {
                for place in ["{name}", "{version}", "{done}", "{size}", "{time}"] {
                    let (here, there) = (texts[index].contains(place), english.contains(place));
                    assert_eq!(here, there, "{code}: {}", texts[index]);
                }
                assert!(!texts[index].is_empty());
            }
        }
        assert_eq!(NAMES[MessageId::CancelStarts as usize], "cancel_starts");
    }

    #[test]
    fn a_message_is_in_the_users_language_with_its_values() {
        for (locale, start) in [
            ("de_CH.UTF-8", "Jetzt starten"),
            ("pt-BR", "Iniciar agora"),
            ("DE", "Jetzt starten"),
            ("C", "Start now"),
            ("xx", "Start now"),
            ("", "Start now"),
        ] {
            assert_eq!(
                built_in(locale)[MessageId::StartNow as usize],
                start,
                "{locale}"
            );
        }
        let mut texts = Messages::english();
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
