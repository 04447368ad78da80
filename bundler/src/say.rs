//! Words on standard output and standard error, in one place. A reader that
//! has gone, as in `notsotuf status | head -1`, is no trouble.

use notsotuf_stub::safe_text::{Lines, complain};
use std::io::{self, ErrorKind, Write};
use std::sync::Mutex;

/// Why standard output did not take something.
static FAILED: Mutex<Option<io::Error>> = Mutex::new(None);

/// Writes lines to standard output.
pub fn out(text: &Lines) {
    raw(text.as_str().as_bytes());
}

/// Writes something of this program's own making to standard output as it is.
pub fn raw(bytes: &[u8]) {
    let mut out = io::stdout().lock();
    let written = out.write_all(bytes).and_then(|()| out.flush());
    if let Err(e) = written
        && e.kind() != ErrorKind::BrokenPipe
        && let Ok(mut failed) = FAILED.lock()
    {
        *failed = Some(e);
    }
}

/// Why something that was to be on standard output is not there, but for a
/// reader that has gone.
pub fn failure() -> Option<io::Error> {
    FAILED.lock().ok()?.take()
}

/// Writes a line to standard error, if that takes it.
pub fn err(text: &str) {
    complain(text);
}

/// Says on standard error what the modules log.
struct Logger;

impl log::Log for Logger {
    fn enabled(&self, metadata: &log::Metadata) -> bool {
        // The libraries have nothing to say that helps.
        metadata.target().starts_with("notsotuf")
    }

    fn log(&self, record: &log::Record) {
        if self.enabled(record.metadata()) {
            let level = record.level().as_str().to_ascii_lowercase();
            err(&format!("{level}: {}", record.args()));
        }
    }

    fn flush(&self) {}
}

/// Lets the modules say warnings, and more with each `-v`; with `quiet` only
/// errors.
pub fn start_logging(verbose: u8, quiet: bool) {
    let level = match verbose {
        0 if quiet => log::LevelFilter::Error,
        0 => log::LevelFilter::Warn,
        1 => log::LevelFilter::Info,
        2 => log::LevelFilter::Debug,
        _ => log::LevelFilter::Trace,
    };
    if log::set_logger(&Logger).is_ok() {
        log::set_max_level(level);
    }
}
