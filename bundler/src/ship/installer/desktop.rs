//! Writes what desktops of Linux know an application by
//! (<https://specifications.freedesktop.org/desktop-entry-spec/latest/>).

use super::{Application, InstallerError, icon};
use notsotuf_stub::fs;

/// An icon, and where in `icons/hicolor` it belongs.
#[derive(Debug)]
pub(super) struct Icon {
    /// Its file name.
    pub name: String,
    /// The folder below `icons/hicolor`.
    pub folder: String,
    /// The picture.
    pub bytes: Vec<u8>,
}

impl Icon {
    /// Reads the icon of the settings, if they name one.
    pub(super) fn of(app: &Application) -> Result<Option<Self>, InstallerError> {
        const MAX: u64 = 16 << 20;
        let Some(path) = &app.settings.icon else {
            return Ok(None);
        };
        let path = app.file("icon", path)?;
        let bytes = fs::read_optional(&path, MAX)?.unwrap_or_default();
        let (end, folder) = match icon::size_of_png(&bytes) {
            Some((width, height)) if width == height => ("png", format!("{width}x{height}")),
            Some((width, height)) => {
                let reason = format!("{path:?} has {width}x{height} pixels and is to be a square");
                return Err(InstallerError::Setting {
                    name: "icon",
                    reason,
                });
            }
            None if path
                .extension()
                .is_some_and(|end| end.eq_ignore_ascii_case("svg")) =>
            {
                ("svg", "scalable".to_owned())
            }
            None => {
                let reason = format!("{path:?} is neither a PNG picture nor named .svg");
                return Err(InstallerError::Setting {
                    name: "icon",
                    reason,
                });
            }
        };
        let name = format!("{}.{end}", app.name);
        Ok(Some(Icon {
            name,
            folder,
            bytes,
        }))
    }
}

/// Writes the entry, all but what is started.
pub(super) fn entry(app: &Application) -> String {
    let mut entry = String::from("[Desktop Entry]\nType=Application\nVersion=1.0\n");
    let mut line = |key: &str, value: &str| entry.push_str(&format!("{key}={value}\n"));
    line("Name", &escaped(app.title));
    if let Some(description) = &app.settings.description {
        line("Comment", &escaped(description));
    }
    if app.settings.icon.is_some() {
        line("Icon", app.name);
    }
    if !app.settings.categories.is_empty() {
        line(
            "Categories",
            &format!("{};", app.settings.categories.join(";")),
        );
    }
    line(
        "Terminal",
        if app.settings.terminal {
            "true"
        } else {
            "false"
        },
    );
    entry
}

/// Writes the line that says what is started, for a path without special characters.
pub(super) fn exec(path: &str) -> String {
    let mut quoted = String::new();
    for letter in path.chars() {
        if ['\\', '"', '`', '$'].contains(&letter) {
            quoted.push('\\');
        }
        quoted.push(letter);
    }
    // Once more, as any text.
    format!("Exec=\"{}\"\n", escaped(&quoted).replace('%', "%%"))
}

fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\")
        .replace('\n', "\\n")
        .replace('\r', "")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_quoted_twice() {
        assert_eq!(exec("/opt/app/My App"), "Exec=\"/opt/app/My App\"\n");
        assert_eq!(
            exec(r#"/a$b"c\d%"#),
            "Exec=\"/a\\\\$b\\\\\"c\\\\\\\\d%%\"\n"
        );
        assert_eq!(escaped("one\r\ntwo \\"), "one\\ntwo \\\\");
    }
}
