//! What the user sees of an update: nothing while it is quick; when it takes
//! longer, a line with a bar on a terminal, or else a small window.

mod tale;
mod terminal;
mod texts;
mod window;

pub use tale::{Tale, View};
pub use texts::Texts;

use crate::settings::Settings;
use std::time::{Duration, Instant};
use terminal::Terminal;
use window::Window;

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
        /// What its makers say is new, in Markdown.
        notes: Option<String>,
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

/// No window for what takes only so long; it would be a flash.
const WINDOW_GRACE: Duration = Duration::from_secs(1);
/// Nor for what is nearly done by then.
const NEARLY_DONE: f64 = 0.9;
/// How often a window is looked at.
const TICK: Duration = Duration::from_millis(200);

/// Shows events to the user: on standard error if that is a terminal, else in
/// a window.
pub struct Screen {
    tale: Tale,
    start: Instant,
    last: Option<View>,
    place: Place,
}

enum Place {
    Terminal(Terminal),
    /// A window, once it is worth one.
    Later,
    Window(Window),
    Nowhere,
}

impl Screen {
    /// As the settings wish. `window`: whether a window is welcome here.
    pub fn new(settings: &Settings, window: bool) -> Self {
        let place = match Terminal::new() {
            _ if settings.quiet => Place::Nowhere,
            Some(terminal) => Place::Terminal(terminal),
            None if window && settings.window => Place::Later,
            None => Place::Nowhere,
        };
        Screen {
            tale: Tale::new(Texts::new(settings)),
            start: Instant::now(),
            last: None,
            place,
        }
    }

    /// Takes in what happened.
    pub fn event(&mut self, event: &Event) {
        if matches!(self.place, Place::Nowhere) {
            return;
        }
        let Some(view) = self.tale.event(event, self.start.elapsed()) else {
            return;
        };
        let view = view.safe();
        if let Place::Terminal(terminal) = &mut self.place {
            terminal.show(&view);
        }
        self.last = Some(view);
    }

    /// How long nothing needs to be done here; `None`: for ever.
    pub fn tick(&self) -> Option<Duration> {
        matches!(self.place, Place::Later | Place::Window(_)).then_some(TICK)
    }

    /// Brings a window up to date; true once the user wants the application
    /// to start now.
    pub fn cancelled(&mut self) -> bool {
        let Some(view) = &self.last else {
            return false;
        };
        if matches!(self.place, Place::Later)
            && self.start.elapsed() > WINDOW_GRACE
            && view.part < NEARLY_DONE
        {
            self.place =
                Window::open(view, self.tale.texts()).map_or_else(|| Place::Nowhere, Place::Window);
        }
        match &mut self.place {
            Place::Window(window) => {
                let cancelled = window.cancelled();
                if !cancelled {
                    window.show(view);
                }
                cancelled
            }
            _ => false,
        }
    }

    /// Takes away what was shown.
    pub fn clear(&mut self) {
        if let Place::Terminal(terminal) = &mut self.place {
            terminal.clear();
        }
        self.place = Place::Nowhere;
    }
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
    use super::bytes;

    #[test]
    fn bytes_have_units() {
        assert_eq!(bytes(999), "999 B");
        assert_eq!(bytes(5_691), "5.7 kB");
        assert_eq!(bytes(2_147_578), "2.1 MB");
    }
}
