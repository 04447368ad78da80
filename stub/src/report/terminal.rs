//! One line with a bar.

use super::View;
use std::io::{self, IsTerminal, Write};
use std::time::{Duration, Instant};

/// Nothing is shown before this much time has passed.
const GRACE: Duration = Duration::from_millis(400);
const REFRESH: Duration = Duration::from_millis(100);
const WIDTH: usize = 24;

/// Standard error, if that is a terminal.
pub struct Terminal {
    start: Instant,
    shown: Option<Instant>,
}

impl Terminal {
    /// `None` if there is no terminal.
    pub fn new() -> Option<Self> {
        io::stderr().is_terminal().then(|| Terminal {
            start: Instant::now(),
            shown: None,
        })
    }

    /// Shows it, if it is time for that.
    pub fn show(&mut self, view: &View) {
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
            let bar = bar(view.part);
            self.write(&format!("\r{}  {bar} {}\x1b[K", view.title, view.detail));
        }
    }

    /// Clears the line, if one was shown.
    pub fn clear(&mut self) {
        if self.shown.take().is_some() {
            self.write("\r\x1b[K");
        }
    }

    fn write(&self, text: &str) {
        let mut out = io::stderr().lock();
        if let Err(e) = out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
            log::debug!("the terminal is gone: {e}");
        }
    }
}

fn bar(part: f64) -> String {
    let full = (part * WIDTH as f64) as usize;
    format!(
        "[{}{}] {:3.0} %",
        "#".repeat(full),
        ".".repeat(WIDTH.saturating_sub(full)),
        part * 100.0
    )
}

#[cfg(test)]
mod tests {
    use super::bar;

    #[test]
    fn bars() {
        assert_eq!(bar(0.0), "[........................]   0 %");
        assert_eq!(bar(0.5), "[############............]  50 %");
        assert_eq!(bar(1.0), "[########################] 100 %");
    }
}
