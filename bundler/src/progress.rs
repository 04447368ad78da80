//! Shows progress bars on standard error, where that is a terminal.

use indicatif::{ProgressBar, ProgressState, ProgressStyle};
use notsotuf_stub::format_bytes::bytes;
use std::fmt::Write;

/// Says how progress is shown: with bars, or not at all.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Progress {
    /// Whether bars are wanted; indicatif itself draws none without a terminal.
    pub show: bool,
}

impl Progress {
    /// Shows a bar over `bytes` bytes.
    pub(crate) fn bar(&self, what: &'static str, bytes: u64) -> ProgressBar {
        if !self.show {
            return ProgressBar::hidden();
        }
        let style = "{msg:20} [{bar:30}] {done} of {all} {eta}";
        let style = ProgressStyle::with_template(style).expect("a valid template");
        // In the units of all other output.
        let style = style
            .with_key("done", |state: &ProgressState, out: &mut dyn Write| {
                write(out, state.pos());
            })
            .with_key("all", |state: &ProgressState, out: &mut dyn Write| {
                write(out, state.len().unwrap_or_default());
            });
        ProgressBar::new(bytes)
            .with_style(style.progress_chars("#>."))
            .with_message(what)
    }

    /// Shows the time that goes by with something of which the end is not
    /// known.
    pub(crate) fn waiting(&self, what: &'static str) -> ProgressBar {
        if !self.show {
            return ProgressBar::hidden();
        }
        let style = ProgressStyle::with_template("{msg} {elapsed}").expect("a valid template");
        let bar = ProgressBar::new_spinner().with_style(style);
        let bar = bar.with_message(what);
        bar.enable_steady_tick(std::time::Duration::from_secs(1));
        bar
    }
}

fn write(out: &mut dyn Write, n: u64) {
    // It writes to a string, which does not fail.
    out.write_str(&bytes(n)).unwrap_or_default();
}
