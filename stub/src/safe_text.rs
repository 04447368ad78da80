//! Makes text safe for logs and terminals. Names and messages from metadata,
//! servers and file names may hold anything; here is the one place where that
//! ends. What is shown has no control character but the line breaks that this
//! program itself puts in.

use log::{Log, Metadata, Record};
use std::borrow::Cow;
use std::fmt;
use std::io::{self, Write};

/// Returns whether a character does something other than stand there: controls
/// (which begin a terminal's commands), breaks of lines and paragraphs, and
/// marks that turn the direction of what follows.
pub fn is_unsafe(c: char) -> bool {
    c.is_control()
        || matches!(
            c,
            '\u{61c}'
                | '\u{200e}'
                | '\u{200f}'
                | '\u{2028}'..='\u{202e}'
                | '\u{2066}'..='\u{2069}'
        )
}

/// Returns the text as one line: unsafe characters are written as Rust would.
pub fn one_line(text: &str) -> Cow<'_, str> {
    if !text.contains(is_unsafe) {
        return text.into();
    }
    let mut safe = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        if is_unsafe(c) {
            safe.extend(c.escape_default())
        } else {
            safe.push(c)
        }
    }
    safe.into()
}

/// Lines that are shown; each one is one line, whatever is in it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Lines(String);

impl Lines {
    /// Creates a text without lines.
    pub fn new() -> Self {
        Lines::default()
    }

    /// Adds a line.
    pub fn line(&mut self, text: impl AsRef<str>) {
        let text = one_line(text.as_ref());
        // A line that begins so is a command for GitHub's runners.
        let (indent, rest) = text.split_at(text.len() - text.trim_start().len());
        self.0.push_str(indent);
        match rest.strip_prefix("::") {
            Some(rest) => {
                self.0.push_str("\\u{3a}:");
                self.0.push_str(rest);
            }
            None => self.0.push_str(rest),
        }
        self.0.push('\n');
    }

    /// Adds a text that has line breaks which are meant, as notes have, and
    /// maybe tabs.
    pub fn paragraph(&mut self, text: &str) {
        for line in text.lines() {
            self.line(line.replace('\t', "    "));
        }
    }

    /// Returns all lines, each ended.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<&str> for Lines {
    fn from(text: &str) -> Self {
        let mut lines = Lines::new();
        lines.line(text);
        lines
    }
}

impl From<String> for Lines {
    fn from(text: String) -> Self {
        text.as_str().into()
    }
}

impl fmt::Display for Lines {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Returns a JSON value in one line. JSON has escapes for all of them, and they
/// are in its strings only.
pub fn json(value: &serde_json::Value) -> String {
    let text = value.to_string();
    if !text.contains(is_unsafe) {
        return text;
    }
    let mut safe = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        if is_unsafe(c) {
            // None of them is beyond the first 65,536.
            safe.push_str(&format!("\\u{:04x}", u32::from(c)))
        } else {
            safe.push(c)
        }
    }
    safe
}

/// Writes a line to standard error. That it is gone is not worth an error.
pub fn complain(text: impl AsRef<str>) {
    complain_in(&Lines::from(text.as_ref()));
}

/// Writes lines to standard error.
pub fn complain_in(lines: &Lines) {
    drop(io::stderr().lock().write_all(lines.as_str().as_bytes()));
}

/// Writes lines to standard output; for programs whose work is done by then.
pub fn print(lines: &Lines) {
    let mut out = io::stdout().lock();
    drop(
        out.write_all(lines.as_str().as_bytes())
            .and_then(|()| out.flush()),
    );
}

/// Hands each record on as one line.
pub struct SafeLogger<L>(pub L);

impl<L: Log> Log for SafeLogger<L> {
    fn enabled(&self, metadata: &Metadata) -> bool {
        self.0.enabled(metadata)
    }

    fn log(&self, record: &Record) {
        if !self.enabled(record.metadata()) {
            return;
        }
        let text = record.args().to_string();
        let text = one_line(&text);
        self.0.log(
            &Record::builder()
                .metadata(record.metadata().clone())
                .args(format_args!("{text}"))
                .build(),
        );
    }

    fn flush(&self) {
        self.0.flush();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};
    use std::sync::Mutex;

    /// Each kind once.
    const HOSTILE: &str = "a\n::warning::b\r\t\0\x1b]0;c\x07\x1b[2J\x7f\u{85}\u{9b}2J\u{2028}\u{2029}\u{202e}\u{2066}\u{200f}";

    #[test]
    fn one_line_is_one_line_of_characters_that_do_nothing() {
        let safe = one_line(HOSTILE);
        assert!(!safe.contains(is_unsafe), "{safe:?}");
        assert!(
            safe.starts_with(r"a\n::warning::b\r\t\u{0}\u{1b}]0;c"),
            "{safe}"
        );
        for fine in ["", "größer – 更新 🎉", r"C:\new", "\u{200d}"] {
            assert!(matches!(one_line(fine), Cow::Borrowed(same) if same == fine));
        }
    }

    #[test]
    fn a_line_is_no_command_of_ci() {
        for (text, shown) in [
            ("::warning::x", "\\u{3a}:warning::x\n"),
            ("  ::error file=a::x", "  \\u{3a}:error file=a::x\n"),
            ("error: ::warning::x", "error: ::warning::x\n"),
            (": : ", ": : \n"),
        ] {
            assert_eq!(Lines::from(text).as_str(), shown);
        }
    }

    #[test]
    fn lines_are_those_that_were_added() {
        let mut lines = Lines::new();
        lines.line(HOSTILE);
        lines.paragraph("one\r\n\ttwo\x1b\n\nthree");
        let shown: Vec<_> = lines.as_str().lines().map(str::to_owned).collect();
        assert_eq!(shown.len(), 5);
        assert_eq!(shown[1..], ["one", r"    two\u{1b}", "", "three"]);
        assert!(!lines.as_str().replace('\n', "").contains(is_unsafe));
    }

    #[test]
    fn json_says_the_same_without_the_characters() {
        let value = json!({ HOSTILE: [HOSTILE, 1, null] });
        let text = json(&value);
        assert!(!text.contains(is_unsafe), "{text:?}");
        assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), value);
    }

    struct Kept(Mutex<Vec<String>>);
    impl Log for &Kept {
        fn enabled(&self, metadata: &Metadata) -> bool {
            metadata.level() <= log::Level::Info
        }
        fn log(&self, record: &Record) {
            self.0.lock().unwrap().push(record.args().to_string());
        }
        fn flush(&self) {}
    }

    #[test]
    fn a_record_is_one_line() {
        let kept = Kept(Mutex::default());
        let logger = SafeLogger(&kept);
        for level in [log::Level::Warn, log::Level::Debug] {
            logger.log(
                &Record::builder()
                    .level(level)
                    .args(format_args!("found {HOSTILE}"))
                    .build(),
            );
        }
        let lines = kept.0.into_inner().unwrap();
        assert_eq!(lines, [format!("found {}", one_line(HOSTILE))]);
    }
}
