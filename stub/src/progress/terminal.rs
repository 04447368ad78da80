//! Shows one line with a bar. No escape sequences, which the console of Windows
//! knows only where a program asks for that.

use super::ProgressView;
use std::io::{self, IsTerminal, Write};
use std::time::{Duration, Instant};

/// Nothing is shown before this much time has passed.
const GRACE: Duration = Duration::from_millis(400);
const REFRESH: Duration = Duration::from_millis(100);
/// A line that is broken would not be written over. Terminals are seldom
/// narrower.
const COLUMNS: usize = 79;

/// Draws on standard error, if that is a terminal.
pub(super) struct Terminal {
    start: Instant,
    shown: Option<Instant>,
    /// Columns of the line that is shown.
    columns: usize,
}

impl Terminal {
    /// Opens the terminal; `None` if there is none.
    pub(super) fn new() -> Option<Self> {
        io::stderr().is_terminal().then(|| Terminal {
            start: Instant::now(),
            shown: None,
            columns: 0,
        })
    }

    /// Shows the line, if it is time for that.
    pub(super) fn show(&mut self, view: &ProgressView) {
        let due = match self.shown {
            None => self.start.elapsed() > GRACE,
            Some(last) => last.elapsed() > REFRESH,
        };
        if due {
            if self.shown.is_none()
                && let Some(notes) = &view.notes
            {
                self.write(&format!("{notes}\n"));
            }
            self.shown = Some(Instant::now());
            let line = line(view);
            let before = std::mem::replace(&mut self.columns, columns(&line));
            let rest = " ".repeat(before.saturating_sub(self.columns));
            self.write(&format!("\r{line}{rest}"));
        }
    }

    /// Clears the line, if one was shown.
    pub(super) fn clear(&mut self) {
        if self.shown.take().is_some() {
            self.write(&format!("\r{}\r", " ".repeat(self.columns)));
        }
    }

    fn write(&self, text: &str) {
        let mut out = io::stderr().lock();
        if let Err(e) = out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
            log::debug!("the terminal is gone: {e}");
        }
    }
}

/// How many columns it takes at the most: letters of East Asia take two.
fn columns(text: &str) -> usize {
    text.chars().map(|c| 1 + usize::from(c >= '\u{1100}')).sum()
}

/// Returns the line, with as long a bar as there is room for.
fn line(view: &ProgressView) -> String {
    let with = |width| format!("{}  {} {}", view.title, bar(view.part, width), view.detail);
    let fits = |line: &String| columns(line) <= COLUMNS;
    let line = [24, 16, 8].into_iter().map(with).find(fits);
    line.unwrap_or_else(|| {
        let short = format!("{:.0} % {} {}", view.part * 100.0, view.detail, view.title);
        let mut room = COLUMNS;
        let fits = |c: &char| {
            let left = room.checked_sub(columns(c.encode_utf8(&mut [0; 4])));
            room = left.unwrap_or(0);
            left.is_some()
        };
        short.chars().take_while(fits).collect()
    })
}

fn bar(part: f64, width: usize) -> String {
    let full = (part * width as f64) as usize;
    format!(
        "[{}{}] {:3.0} %",
        "#".repeat(full),
        ".".repeat(width.saturating_sub(full)),
        part * 100.0
    )
}

#[cfg(test)]
mod tests {
    use super::{COLUMNS, bar, columns, line};
    use crate::progress::ProgressView;

    #[test]
    fn a_bar_is_filled_in_proportion() {
        assert_eq!(bar(0.0, 24), "[........................]   0 %");
        assert_eq!(bar(0.5, 8), "[####....]  50 %");
        assert_eq!(bar(1.0, 8), "[########] 100 %");
    }

    #[test]
    fn a_line_is_never_longer_than_a_terminal() {
        let mut view = ProgressView {
            title: String::new(),
            detail: "1.0 MB of 2.0 MB, 0:10 left".into(),
            notes: None,
            part: 0.5,
        };
        for title in ["App", "An application with a long name", "更新"] {
            for times in 0..9 {
                view.title = title.repeat(times);
                let line = line(&view);
                assert!(columns(&line) <= COLUMNS, "{line}");
                assert!(
                    line.contains(&view.detail) && line.contains("50 %"),
                    "{line}"
                );
            }
        }
        assert_eq!((columns("größer"), columns("更新")), (6, 4));
    }
}
