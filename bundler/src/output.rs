//! Writes what this program says: text to people, one JSON object to programs.
//!
//! Names in a bundle, in metadata or in the answers of a server are not this
//! program's words: control characters in what is said are shown as escapes.
//! Whoever listens may stop (`| head -1`), which is no failure.

use anstream::{AutoStream, ColorChoice};
use anstyle::{AnsiColor, Style};
use notsotuf_stub::safe_text::{self, Lines};
use serde_json::{Map, Value};
use std::cell::{Cell, RefCell};
use std::io::{self, Write};

/// Says where the result of a command goes.
#[derive(Debug, Default)]
pub(crate) struct Output {
    json: bool,
    object: RefCell<Map<String, Value>>,
    done: Cell<bool>,
    failed: RefCell<Option<io::Error>>,
}

impl Output {
    /// Creates an output as text, or as one JSON object at the end.
    pub(crate) fn new(json: bool) -> Self {
        Output {
            json,
            ..Self::default()
        }
    }

    /// Returns whether the output is JSON.
    pub(crate) fn is_json(&self) -> bool {
        self.json
    }

    /// Says what was done: the text at once, the members of the JSON object
    /// when the command ends.
    pub(crate) fn say(&self, text: impl Said, json: &Value) {
        if !self.json {
            self.print(&text.lines());
        } else if let Value::Object(members) = json {
            self.object.borrow_mut().extend(members.clone());
        }
    }

    /// Takes what was said in JSON so far, to be a member of something larger.
    pub(crate) fn take(&self) -> Value {
        Value::Object(std::mem::take(&mut *self.object.borrow_mut()))
    }

    /// Says a thing of which this is all, before the command ends: where a
    /// server listens, say.
    pub(crate) fn say_now(&self, text: impl Said, json: &Value) {
        self.say(text, json);
        if self.json {
            self.end(None);
        }
    }

    /// Says text as it is, for another program to read: a script, say.
    pub(crate) fn raw(&self, text: &str, json: &Value) {
        if self.json {
            self.say("", json);
        } else {
            self.keep(io::stdout().lock().write_all(text.as_bytes()));
        }
    }

    /// Ends what is said. In JSON that is when it is said: one object, with
    /// `error` in it if the command failed.
    ///
    /// # Errors
    /// If it cannot be written; that nobody listens any more is no error.
    pub(crate) fn finish(&self, error: Option<String>) -> io::Result<()> {
        if self.json && !self.done.get() {
            self.end(error.as_deref());
        }
        self.keep(io::stdout().flush());
        if let Some(error) = error {
            complain_in(&error_lines(&error));
        }
        self.failed.borrow_mut().take().map_or(Ok(()), Err)
    }

    fn end(&self, error: Option<&str>) {
        let Value::Object(mut object) = self.take() else {
            return;
        };
        object.extend(error.map(|error| ("error".to_owned(), error.into())));
        self.done.set(true);
        let text = safe_text::json(&Value::Object(object));
        let mut out = io::stdout().lock();
        self.keep(writeln!(out, "{text}").and_then(|()| out.flush()));
    }

    fn print(&self, text: &Lines) {
        let mut out = AutoStream::auto(io::stdout().lock());
        self.keep(write!(out, "{}", paint(text.as_str())).and_then(|()| out.flush()));
    }

    fn keep(&self, result: io::Result<()>) {
        if let Err(e) = result
            && e.kind() != io::ErrorKind::BrokenPipe
        {
            self.failed.borrow_mut().get_or_insert(e);
        }
    }
}

/// Holds what can be said: lines, each of which stays one; or this program's
/// own text, whose line breaks are meant.
pub(crate) trait Said {
    /// Its lines.
    fn lines(self) -> Lines;
}

impl Said for Lines {
    fn lines(self) -> Lines {
        self
    }
}

impl Said for &str {
    fn lines(self) -> Lines {
        let mut lines = Lines::new();
        lines.paragraph(self);
        lines
    }
}

impl Said for String {
    fn lines(self) -> Lines {
        Said::lines(self.as_str())
    }
}

impl Said for &String {
    fn lines(self) -> Lines {
        Said::lines(self.as_str())
    }
}

/// The lines of an error: what another program wrote may have several, and stands below.
fn error_lines(error: &str) -> Lines {
    let mut lines = Lines::new();
    for (number, line) in error.trim_end().lines().enumerate() {
        let line = line.replace('\t', "    ");
        lines.line(match number {
            0 => format!("error: {line}"),
            _ => format!("  {line}"),
        });
    }
    lines
}

/// Says a line on standard error: a warning, an error.
pub(crate) fn complain(text: impl AsRef<str>) {
    complain_in(&Lines::from(text.as_ref()));
}

/// Says lines on standard error.
pub(crate) fn complain_in(lines: &Lines) {
    let mut out = AutoStream::auto(io::stderr().lock());
    // There is no other place to say that it cannot be said.
    drop(write!(out, "{}", paint(lines.as_str())));
}

/// Prints the object for a command line that is not understood, and for
/// `--help`.
pub(crate) fn say_json(key: &str, text: &str) {
    let object = serde_json::json!({ key: text });
    let mut out = io::stdout().lock();
    drop(writeln!(out, "{}", safe_text::json(&object)).and_then(|()| out.flush()));
}

/// Returns whether help may be in colours, in the form that `clap` wants.
pub(crate) fn colour() -> clap::ColorChoice {
    match AutoStream::choice(&io::stdout()) {
        ColorChoice::Never => clap::ColorChoice::Never,
        _ => clap::ColorChoice::Auto,
    }
}

/// Beginnings of lines that should be seen, and in which colour.
const LEADS: [(&str, AnsiColor); 7] = [
    ("error:", AnsiColor::Red),
    ("problem:", AnsiColor::Red),
    ("problem ", AnsiColor::Red),
    ("warning:", AnsiColor::Yellow),
    ("warning ", AnsiColor::Yellow),
    ("pending ", AnsiColor::Yellow),
    ("ok ", AnsiColor::Green),
];

/// The first words of lines in colours; the stream takes those off where
/// there is no terminal, or where `NO_COLOR` is set.
fn paint(text: &str) -> String {
    let lines = text.split('\n').map(|line| {
        let lead = LEADS.iter().find(|(lead, _)| line.starts_with(lead));
        lead.map_or_else(
            || line.to_owned(),
            |(lead, colour)| {
                let style = Style::new().bold().fg_color(Some((*colour).into()));
                format!("{style}{lead}{style:#}{}", &line[lead.len()..])
            },
        )
    });
    lines.collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_keeps_its_lines_and_lines_stay_one() {
        let text = "a\u{1b}[31mb\n::warning::c";
        assert_eq!(
            Said::lines(text).as_str(),
            "a\\u{1b}[31mb\n\\u{3a}:warning::c\n"
        );
        let line = Lines::from("a\nb");
        assert_eq!(Said::lines(line).as_str(), "a\\nb\n");
        assert_eq!(Said::lines(String::new()).as_str(), "");
    }

    #[test]
    fn what_an_error_quotes_stands_below_it() {
        let lines = error_lines("it failed:\nerror: none\n\t::x\u{1b}[2J\n\n");
        let expected = "error: it failed:\n  error: none\n      \\u{3a}:x\\u{1b}[2J\n";
        assert_eq!(lines.as_str(), expected);
    }

    #[test]
    fn only_the_lead_is_painted() {
        let painted = paint("ok       all\nokay\nproblem  x");
        let lines: Vec<_> = painted.split('\n').collect();
        assert!(lines[0].starts_with('\u{1b}') && lines[0].ends_with("      all"));
        assert_eq!(lines[1], "okay");
        assert!(lines[2].starts_with('\u{1b}'));
    }
}
