//! What the user sees of an update: nothing while it is quick, a line with a
//! bar on a terminal when it takes longer.

use std::io::{self, IsTerminal, Write};
use std::time::{Duration, Instant};

/// Nothing is shown before this much time has passed.
const GRACE: Duration = Duration::from_millis(400);
const REFRESH: Duration = Duration::from_millis(100);
const WIDTH: usize = 24;

/// What goes on, as the updater tells it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// An update was found and is being staged.
    Found {
        /// Application.
        name: String,
        /// The new version.
        version: String,
        /// Bytes to download.
        size: u64,
    },
    /// This many bytes are downloaded by now.
    Downloaded(u64),
    /// It is downloaded; now this many bytes of about `total` are in place.
    Assembled {
        /// Bytes written so far.
        done: u64,
        /// Bytes in the end.
        total: u64,
    },
    /// It is being put in place.
    Committing,
}

/// Shows events on standard error, if that is a terminal.
pub struct Terminal {
    start: Instant,
    shown: Option<Instant>,
    title: String,
    size: u64,
}

impl Terminal {
    /// `None` if there is no terminal or nothing is to be shown.
    pub fn new(quiet: bool) -> Option<Self> {
        (!quiet && io::stderr().is_terminal()).then(|| Terminal {
            start: Instant::now(),
            shown: None,
            title: String::new(),
            size: 0,
        })
    }

    /// Takes in what happened.
    pub fn event(&mut self, event: &Event) {
        let text = match event {
            Event::Found {
                name,
                version,
                size,
            } => {
                self.title = format!("Updating {name} to {version}");
                self.size = *size;
                return;
            }
            Event::Downloaded(done) => format!(
                "{} {} of {}",
                bar(*done, self.size),
                bytes(*done),
                bytes(self.size)
            ),
            Event::Assembled { done, total } => format!("{} unpacking", bar(*done, *total)),
            Event::Committing => "installing".into(),
        };
        let due = match self.shown {
            None => self.start.elapsed() > GRACE,
            Some(last) => last.elapsed() > REFRESH,
        };
        if due {
            self.shown = Some(Instant::now());
            self.write(&format!("\r{}  {text}\x1b[K", self.title));
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

fn bar(done: u64, total: u64) -> String {
    let part = if total == 0 {
        1.0
    } else {
        (done as f64 / total as f64).min(1.0)
    };
    let full = (part * WIDTH as f64) as usize;
    format!(
        "[{}{}] {:3.0} %",
        "#".repeat(full),
        ".".repeat(WIDTH - full),
        part * 100.0
    )
}

/// A number of bytes for people, in decimal units.
pub fn bytes(n: u64) -> String {
    match n {
        0..1_000 => format!("{n} B"),
        1_000..1_000_000 => format!("{:.1} kB", n as f64 / 1e3),
        1_000_000..1_000_000_000 => format!("{:.1} MB", n as f64 / 1e6),
        _ => format!("{:.2} GB", n as f64 / 1e9),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_and_bytes() {
        assert_eq!(bar(0, 10), "[........................]   0 %");
        assert_eq!(bar(5, 10), "[############............]  50 %");
        assert_eq!(bar(20, 10), "[########################] 100 %");
        assert_eq!(bar(0, 0), "[########################] 100 %");
        assert_eq!(bytes(999), "999 B");
        assert_eq!(bytes(5_691), "5.7 kB");
        assert_eq!(bytes(2_147_578), "2.1 MB");
    }
}
