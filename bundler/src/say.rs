//! Says on standard error what the modules log.

use crate::output::complain;

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
            complain(format!("{level}: {}", record.args()));
        }
    }

    fn flush(&self) {}
}

/// Lets the modules say warnings, and more with each `-v`; with `quiet` only
/// errors.
pub(crate) fn start_logging(verbose: u8, quiet: bool) {
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
