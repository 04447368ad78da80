//! Turns events into what is shown of them: words, a part of the whole, and the
//! time that is left.

use super::Event;
use super::messages::{MessageId, Messages};
use crate::format_bytes::bytes;
use crate::safe_text;
use std::time::Duration;

/// How much of an update the download is taken for; the rest is unpacking.
const DOWNLOAD: f64 = 0.8;
/// The time that is left is not told before so much was measured.
const MEASURED: Duration = Duration::from_secs(2);
/// The most of the notes that is shown.
const NOTES: usize = 120;

/// Describes what to show.
#[derive(Debug, Clone, PartialEq)]
pub struct ProgressView {
    /// What happens.
    pub title: String,
    /// How far it is.
    pub detail: String,
    /// The first line of the notes.
    pub notes: Option<String>,
    /// 0 to 1.
    pub part: f64,
}

impl ProgressView {
    /// Returns the same with harmless characters only: for terminals, and for
    /// windows that take a line for a command.
    pub fn safe(self) -> Self {
        let one_line = |text: String| safe_text::one_line(&text).into_owned();
        ProgressView {
            title: one_line(self.title),
            detail: one_line(self.detail),
            notes: self.notes.map(one_line),
            part: self.part,
        }
    }
}

/// Follows an update as it proceeds.
#[derive(Debug)]
pub struct ProgressModel {
    texts: Messages,
    title: String,
    notes: Option<String>,
    size: u64,
    /// When the first bytes of the download came, and how many were there.
    first: Option<(Duration, u64)>,
}

impl ProgressModel {
    /// Creates a model in the user's language.
    pub fn new(texts: Messages) -> Self {
        ProgressModel {
            texts,
            title: String::new(),
            notes: None,
            size: 0,
            first: None,
        }
    }

    /// Returns the texts that the model uses.
    pub fn texts(&self) -> &Messages {
        &self.texts
    }

    /// Takes in what happened `now` after the start.
    pub fn event(&mut self, event: &Event, now: Duration) -> Option<ProgressView> {
        let (detail, part) = match event {
            Event::Found {
                name,
                version,
                size,
                notes,
            } => {
                let values = [("name", name.as_str()), ("version", version)];
                self.title = self.texts.with(MessageId::Updating, &values);
                self.notes = notes.as_deref().and_then(first_line);
                self.size = *size;
                self.first = None;
                return None;
            }
            Event::Downloaded(done) => {
                let part = ratio(*done, self.size);
                (self.downloaded(*done, now), part * DOWNLOAD)
            }
            Event::Assembled { done, total } => {
                let part = ratio(*done, *total);
                let detail = self.texts.with(MessageId::Unpacking, &[]);
                (detail, DOWNLOAD + part * (1.0 - DOWNLOAD))
            }
            Event::Checking => return None,
            Event::Elevating | Event::Committing => {
                (self.texts.with(MessageId::Installing, &[]), 1.0)
            }
        };
        Some(ProgressView {
            title: self.title.clone(),
            detail,
            notes: self.notes.clone(),
            part,
        })
    }

    fn downloaded(&mut self, done: u64, now: Duration) -> String {
        let (done_text, size) = (bytes(done), bytes(self.size));
        let values = [("done", done_text.as_str()), ("size", &size)];
        let text = self.texts.with(MessageId::Downloaded, &values);
        match self.left(done, now) {
            Some(left) => {
                let left = minutes(left);
                let left = self.texts.with(MessageId::Left, &[("time", &left)]);
                format!("{text}, {left}")
            }
            None => text,
        }
    }

    /// The time that the rest of the download takes, going on as before.
    fn left(&mut self, done: u64, now: Duration) -> Option<Duration> {
        let (since, before) = *self.first.get_or_insert((now, done));
        let (time, came) = (now.checked_sub(since)?, done.checked_sub(before)?);
        let rest = self.size.checked_sub(done)?;
        if time < MEASURED || came == 0 {
            return None;
        }
        let left = time.as_secs_f64() * rest as f64 / came as f64;
        Duration::try_from_secs_f64(left).ok()
    }
}

fn ratio(done: u64, total: u64) -> f64 {
    match total {
        0 => 1.0,
        _ => (done as f64 / total as f64).min(1.0),
    }
}

/// Formats a time as `1:05`.
fn minutes(time: Duration) -> String {
    let seconds = time.as_secs() + 1;
    format!("{}:{:02}", seconds / 60, seconds % 60)
}

/// The first line of text in Markdown, without its marks. Notes come from
/// signed metadata; control characters would still not be for a terminal.
fn first_line(markdown: &str) -> Option<String> {
    let mut lines = markdown.lines().map(str::trim);
    let line = lines.find(|line| !line.is_empty() && !line.starts_with('#'))?;
    let line = line.trim_start_matches(['-', '*', '+', '>']).trim();
    let clean = line
        .chars()
        .filter(|c| !c.is_control() && !"*`_".contains(*c));
    let text: String = clean.take(NOTES).collect();
    (!text.is_empty()).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(notes: &str) -> Event {
        Event::Found {
            name: "App".into(),
            version: "1.1".into(),
            size: 10_000_000,
            notes: Some(notes.into()),
        }
    }

    #[test]
    fn the_view_follows_an_update_from_download_to_installing() {
        let s = Duration::from_secs;
        let mut model = ProgressModel::new(Messages::of("en"));
        let notes = "# 1.1\n\n* **Faster** start\x1b[2J\n* more\n";
        assert_eq!(model.event(&found(notes), s(0)), None);
        let mut at = |event, seconds| model.event(&event, s(seconds)).unwrap();
        let view = at(Event::Downloaded(2_000_000), 1);
        assert_eq!(view.title, "Updating App to 1.1");
        assert_eq!(view.detail, "2.0 MB of 10.0 MB");
        assert_eq!(view.notes.as_deref(), Some("Faster start[2J"));
        assert_eq!(view.part, 0.2 * DOWNLOAD);
        // 2 MB in 4 s, 6 MB left.
        let view = at(Event::Downloaded(4_000_000), 5);
        assert_eq!(view.detail, "4.0 MB of 10.0 MB, 0:13 left");
        let view = at(Event::Assembled { done: 5, total: 10 }, 6);
        assert_eq!((view.detail.as_str(), view.part), ("unpacking", 0.9));
        let view = at(Event::Committing, 7);
        assert_eq!((view.detail.as_str(), view.part), ("installing", 1.0));
    }

    #[test]
    fn what_makes_no_sense_is_no_trouble() {
        let mut model = ProgressModel::new(Messages::of("en"));
        let event = |size| Event::Found {
            name: String::new(),
            version: String::new(),
            size,
            notes: None,
        };
        model.event(&event(0), Duration::ZERO);
        for (done, seconds) in [(5, 9), (3, 1), (0, 99), (u64::MAX, u64::MAX)] {
            let view = model.event(&Event::Downloaded(done), Duration::from_secs(seconds));
            assert!((0.0..=1.0).contains(&view.unwrap().part));
        }
    }

    #[test]
    fn the_first_line_of_notes() {
        assert_eq!(first_line("\n\n"), None);
        assert_eq!(first_line("# only a heading"), None);
        assert_eq!(first_line("- one\n- two").as_deref(), Some("one"));
        assert_eq!(first_line(&"é".repeat(500)).unwrap().chars().count(), NOTES);
    }
}
