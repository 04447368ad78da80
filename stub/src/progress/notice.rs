//! Says a word after an update, by what the desktop has for notifications. It
//! goes to a process of its own, for which nothing waits, and which is nobody's
//! child: the application is not to inherit it.

use super::messages::{MessageId, Messages};
use super::terminal::Terminal;
use super::window::Window;
use crate::install::Layout;
use crate::progress::icon;
use crate::safe_text;
use crate::settings::Settings;
use crate::{launch, this_program};
use pep440_rs::Version;
use std::path::{Path, PathBuf};

/// Says what has become of the application.
#[derive(Debug, Clone, Copy)]
pub enum Notice<'a> {
    /// It has this version now.
    Updated(&'a Version),
    /// A new version failed, and the previous one is back.
    RolledBack {
        /// The one that failed.
        version: &'a Version,
        /// The one that is installed.
        previous: &'a Version,
    },
}

impl Notice<'_> {
    /// Shows it, if there is a desktop, and nobody who sees a terminal instead.
    /// Never fails: it is only a word.
    pub fn show(self, layout: &Layout, settings: &Settings) {
        let wanted = settings.notify && !settings.quiet;
        let seen = Terminal::new().is_none() && Window::may_open();
        if !wanted || !seen || !launch::can_detach() {
            return;
        }
        let name = settings.title.as_ref().unwrap_or(&settings.name);
        let message = self.message(name, &Messages::new(settings));
        let icon = icon(layout, settings);
        let icon = icon.as_ref().and_then(|icon| icon.to_str());
        let desktop = std::env::var("XDG_CURRENT_DESKTOP").unwrap_or_default();
        for command in commands(&desktop, name, &message, icon) {
            let Some((name, arguments)) = command.split_first() else {
                continue;
            };
            let Some(program) = this_program::search(Path::new(name)) else {
                continue;
            };
            let limit = this_program::search(Path::new("timeout"));
            let (program, arguments) = limited(limit, program, arguments);
            let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
            if let Err(e) = launch::detach(&program, &arguments, layout.root()) {
                log::debug!("no notification: {e}");
            }
            return;
        }
        log::debug!("nothing shows notifications here");
    }

    fn message(self, name: &str, texts: &Messages) -> String {
        let text = match self {
            Notice::Updated(version) => {
                let version = version.to_string();
                let values = [("name", name), ("version", &version)];
                texts.with(MessageId::Updated, &values)
            }
            Notice::RolledBack { version, previous } => {
                let (version, previous) = (version.to_string(), previous.to_string());
                let values = [
                    ("name", name),
                    ("version", version.as_str()),
                    ("previous", &previous),
                ];
                texts.with(MessageId::RolledBack, &values)
            }
        };
        safe_text::one_line(&text).into_owned()
    }
}

/// More seconds than a word is shown for.
const LIFE: &str = "20";

/// The command, ended after a while where there is a program for that: nobody
/// else would notice that it hangs.
fn limited(
    limit: Option<PathBuf>,
    program: PathBuf,
    arguments: &[String],
) -> (PathBuf, Vec<String>) {
    match (limit, program.to_str()) {
        (Some(limit), Some(name)) => {
            let head = [LIFE.to_owned(), name.to_owned()];
            (limit, [&head, arguments].concat())
        }
        _ => (program, arguments.to_vec()),
    }
}

/// The commands that show it, the best one first.
#[cfg(all(unix, not(target_vendor = "apple")))]
fn commands(desktop: &str, title: &str, message: &str, icon: Option<&str>) -> Vec<Vec<String>> {
    use super::window::{as_html, escape_backslashes};
    let title = safe_text::one_line(title).into_owned();
    let mut notify_send = vec!["notify-send".into(), format!("--app-name={title}")];
    notify_send.extend(icon.map(|icon| format!("--icon={icon}")));
    // The summary is plain text, as it is.
    notify_send.extend(["--".into(), message.into()]);
    let text = escape_backslashes(message);
    let zenity = vec![
        "zenity".into(),
        "--notification".into(),
        format!("--text={text}"),
    ];
    let mut kdialog: Vec<String> = vec!["kdialog".into(), "--title".into(), title];
    kdialog.extend(
        icon.into_iter()
            .flat_map(|icon| ["--icon".into(), icon.into()]),
    );
    let text = escape_backslashes(&as_html(message));
    kdialog.extend(["--passivepopup".into(), text, "10".into()]);
    if desktop.contains("KDE") {
        vec![notify_send, kdialog, zenity]
    } else {
        vec![notify_send, zenity, kdialog]
    }
}

/// The command that shows it, with what is said as arguments of a script.
#[cfg(target_vendor = "apple")]
fn commands(_: &str, title: &str, message: &str, _: Option<&str>) -> Vec<Vec<String>> {
    const SCRIPT: &str = "on run argv\n\
        display notification (item 2 of argv) with title (item 1 of argv)\n\
        end run";
    let title = safe_text::one_line(title);
    let command = ["/usr/bin/osascript", "-e", SCRIPT, &title, message];
    vec![command.map(str::to_owned).into()]
}

/// There is none that needs no window of one's own.
#[cfg(windows)]
fn commands(_: &str, _: &str, _: &str, _: Option<&str>) -> Vec<Vec<String>> {
    Vec::new()
}

#[cfg(all(test, unix, not(target_vendor = "apple")))]
mod tests {
    use super::*;

    #[test]
    fn each_program_is_told_so_that_it_shows_the_words_as_they_are() {
        let (title, message) = ("R&D \\n", "R&D \\n <b> is now version 1.1 at 100 %");
        let all = commands("KDE", title, message, Some("/i.png"));
        let words: Vec<Vec<&str>> = all
            .iter()
            .map(|command| command.iter().map(String::as_str).collect())
            .collect();
        assert_eq!(
            words,
            [
                vec![
                    "notify-send",
                    "--app-name=R&D \\n",
                    "--icon=/i.png",
                    "--",
                    message
                ],
                vec![
                    "kdialog",
                    "--title",
                    title,
                    "--icon",
                    "/i.png",
                    "--passivepopup",
                    "<qt>R&amp;D \\\\n &lt;b&gt; is now version 1.1 at 100 %</qt>",
                    "10"
                ],
                vec![
                    "zenity",
                    "--notification",
                    "--text=R&D \\\\n <b> is now version 1.1 at 100 %"
                ],
            ]
        );
        let names: Vec<String> = commands("GNOME", title, message, None)
            .into_iter()
            .map(|command| command[0].clone())
            .collect();
        assert_eq!(names, ["notify-send", "zenity", "kdialog"]);
    }

    #[test]
    fn a_program_that_hangs_is_ended_where_that_can_be() {
        let arguments = ["--".to_owned(), "words".to_owned()];
        let program = || PathBuf::from("/bin/notify-send");
        let (first, rest) = limited(Some("/bin/timeout".into()), program(), &arguments);
        assert_eq!(first, Path::new("/bin/timeout"));
        assert_eq!(rest, ["20", "/bin/notify-send", "--", "words"]);
        let alone = limited(None, program(), &arguments);
        assert_eq!(alone, (program(), arguments.to_vec()));
    }

    #[test]
    fn a_notice_names_the_versions_and_breaks_no_line() {
        let (new, old) = (Version::new([1, 1]), Version::new([1, 0]));
        let texts = Messages::of("en");
        let text = Notice::Updated(&new).message("A\nB", &texts);
        assert_eq!(text, "A\\nB is now version 1.1");
        let back = Notice::RolledBack {
            version: &new,
            previous: &old,
        };
        let text = back.message("App", &texts);
        assert_eq!(text, "App 1.1 did not work here, so version 1.0 is back");
    }
}
