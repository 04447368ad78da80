//! macOS: a window by a script in JavaScript for Automation, which every Mac
//! can run. Its input is `PART<tab>TITLE<tab>DETAIL<tab>BUTTON` a line; it ends
//! when the button is pressed or its input ends.

use super::super::{Texts, View, texts::Text};
use crate::launch;
use std::io::{self, Write};
use std::process::{Child, ChildStdin, Command, Stdio};

const SCRIPT: &str = include_str!("macos.js");

/// The script's exit code for its button.
const CANCELLED: i32 = 42;

/// A window of another program.
pub struct Window {
    child: Child,
    input: ChildStdin,
    button: String,
    last: String,
}

impl Window {
    /// Opens it.
    pub fn open(view: &View, texts: &Texts) -> Option<Self> {
        let mut command = Command::new("/usr/bin/osascript");
        launch::clean(&mut command);
        command
            .args(["-l", "JavaScript", "-e", SCRIPT])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        let mut child = command
            .spawn()
            .inspect_err(|e| log::debug!("no window for the progress: {e}"))
            .ok()?;
        let input = child.stdin.take().expect("it is piped");
        let mut window = Window {
            child,
            input,
            button: texts.with(Text::StartNow, &[]),
            last: String::new(),
        };
        window.show(view);
        Some(window)
    }

    /// Brings it up to date.
    pub fn show(&mut self, view: &View) {
        if let Err(e) = self.write(view) {
            log::debug!("the window is gone: {e}");
        }
    }

    fn write(&mut self, view: &View) -> io::Result<()> {
        let notes = view.notes.as_deref().unwrap_or_default();
        let fields = [view.title.as_str(), &view.detail, notes, &self.button];
        let fields = fields.map(|field| field.replace(['\t', '\n'], " "));
        let line = format!("{:.3}\t{}\n", view.part, fields.join("\t"));
        if line != self.last {
            self.input.write_all(line.as_bytes())?;
            self.last = line;
        }
        Ok(())
    }

    /// Whether the button was pressed, or the window closed.
    pub fn cancelled(&mut self) -> bool {
        let ended = self.child.try_wait();
        matches!(ended, Ok(Some(status)) if status.code() == Some(CANCELLED))
    }
}

impl Drop for Window {
    fn drop(&mut self) {
        if let Err(e) = self.child.kill().and_then(|()| self.child.wait()) {
            log::debug!("the window does not end: {e}");
        }
    }
}
