//! Words for the person at the terminal. Standard error may be gone, full, or
//! stopped: nothing of that may keep the application from starting.

use crate::safe_text::Lines;
use std::io::{self, Write};
use std::sync::mpsc;
use std::time::Duration;

/// How long a terminal has to take a few lines.
const PATIENCE: Duration = Duration::from_millis(500);

/// Writes a line to standard error, if that takes it.
pub fn line(text: &str) {
    let text = Lines::from(text);
    let (sender, written) = mpsc::channel::<()>();
    let write = move || {
        let result = io::stderr().write_all(text.as_str().as_bytes());
        if let Err(e) = result {
            log::debug!("cannot write to standard error: {e}");
        }
        drop(sender);
    };
    // On a thread of its own, since a stopped terminal holds a writer for ever.
    match std::thread::Builder::new().name("say".into()).spawn(write) {
        Ok(_) if written.recv_timeout(PATIENCE) == Err(mpsc::RecvTimeoutError::Timeout) => {
            log::debug!("standard error is stopped");
        }
        Ok(_) => {}
        Err(e) => log::debug!("cannot start a thread: {e}"),
    }
}
