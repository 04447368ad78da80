//! What this program says: text to people, one JSON object to programs.
//!
//! Names in a bundle, in metadata or in the answers of a server are not this
//! program's words: control characters in what is said are shown as escapes.
//! Whoever listens may stop (`| head -1`), which is no failure.

use crate::error::Error;
use anstream::{AutoStream, ColorChoice};
use anstyle::{AnsiColor, Style};
use serde_json::{Map, Value};
use std::cell::{Cell, RefCell};
use std::io::{self, Write};

/// Where the result of a command goes.
#[derive(Debug, Default)]
pub struct Output {
    json: bool,
    object: RefCell<Map<String, Value>>,
    done: Cell<bool>,
    failed: RefCell<Option<io::Error>>,
}

impl Output {
    /// As text, or as one JSON object at the end.
    pub fn new(json: bool) -> Self {
        Output {
            json,
            ..Self::default()
        }
    }

    /// Whether the result is JSON.
    pub fn is_json(&self) -> bool {
        self.json
    }

    /// Says what was done: the text at once, the members of the JSON object
    /// when the command ends.
    pub fn say(&self, text: &str, json: &Value) {
        if !self.json {
            if !text.is_empty() {
                self.print(text.trim_end());
            }
        } else if let Value::Object(members) = json {
            self.object.borrow_mut().extend(members.clone());
        }
    }

    /// Takes what was said in JSON so far, to be a member of something larger.
    pub fn take(&self) -> Value {
        Value::Object(std::mem::take(&mut *self.object.borrow_mut()))
    }

    /// Says a thing of which this is all, before the command ends: where a
    /// server listens, say.
    pub fn say_now(&self, text: &str, json: &Value) {
        self.say(text, json);
        if self.json {
            self.end(None);
        }
    }

    /// Says text as it is, for another program to read: a script, say.
    pub fn raw(&self, text: &str, json: &Value) {
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
    pub fn finish(&self, error: Option<&Error>) -> io::Result<()> {
        let error = error.map(Error::told);
        if self.json && !self.done.get() {
            self.end(error.as_deref());
        }
        self.keep(io::stdout().flush());
        if let Some(error) = error {
            complain(&format!("error: {error}"));
        }
        self.failed.borrow_mut().take().map_or(Ok(()), Err)
    }

    fn end(&self, error: Option<&str>) {
        let Value::Object(mut object) = self.take() else {
            return;
        };
        object.extend(error.map(|error| ("error".to_owned(), error.into())));
        self.done.set(true);
        let text = escape_json(&Value::Object(object).to_string());
        let mut out = io::stdout().lock();
        self.keep(writeln!(out, "{text}").and_then(|()| out.flush()));
    }

    fn print(&self, text: &str) {
        let mut out = AutoStream::auto(io::stdout().lock());
        self.keep(writeln!(out, "{}", paint(&escape(text))).and_then(|()| out.flush()));
    }

    fn keep(&self, result: io::Result<()>) {
        if let Err(e) = result
            && e.kind() != io::ErrorKind::BrokenPipe
        {
            self.failed.borrow_mut().get_or_insert(e);
        }
    }
}

/// Says a line on standard error: a warning, an error.
pub fn complain(text: &str) {
    let mut out = AutoStream::auto(io::stderr().lock());
    // There is no other place to say that it cannot be said.
    drop(writeln!(out, "{}", paint(&escape(text))));
}

/// The object for a command line that is not understood, and for `--help`.
pub fn say_json(key: &str, text: &str) {
    let object = serde_json::json!({ key: text });
    let mut out = io::stdout().lock();
    drop(writeln!(out, "{}", escape_json(&object.to_string())).and_then(|()| out.flush()));
}

/// Whether help may be in colours, as `clap` asks it.
pub fn colour() -> clap::ColorChoice {
    match AutoStream::choice(&io::stdout()) {
        ColorChoice::Never => clap::ColorChoice::Never,
        _ => clap::ColorChoice::Auto,
    }
}

/// Whether a character may change what a terminal shows of others: controls,
/// and those that turn the direction of text around.
fn is_control(c: char) -> bool {
    (c.is_control() && !matches!(c, '\n' | '\t'))
        || matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// The text with control characters, but line breaks and tabs, as escapes.
pub fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match is_control(c) {
            true => out.extend(c.escape_default()),
            false => out.push(c),
        }
    }
    out
}

/// The same in JSON text, where those below U+0020 are escaped already.
fn escape_json(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match is_control(c) {
            true => out.push_str(&format!("\\u{:04x}", u32::from(c))),
            false => out.push(c),
        }
    }
    out
}

/// How lines begin that are to be seen, and in which colour.
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
    fn control_characters_are_shown_as_escapes() {
        assert_eq!(escape("a\u{1b}[31mb\tc\n"), "a\\u{1b}[31mb\tc\n");
        assert_eq!(
            escape("\u{9b}1A\u{202e}\r\u{7f}"),
            "\\u{9b}1A\\u{202e}\\r\\u{7f}"
        );
        assert_eq!(escape("größe 日本"), "größe 日本");
        let text = escape_json(&Value::from("\u{9b}\u{202e}\u{1}ä").to_string());
        assert_eq!(text, "\"\\u009b\\u202e\\u0001ä\"");
        let back: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(back, "\u{9b}\u{202e}\u{1}ä");
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
