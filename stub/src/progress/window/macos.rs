//! Shows a window on macOS by a script in JavaScript for Automation, which
//! every Mac can run. Its input is `PART<tab>TITLE<tab>DETAIL<tab>BUTTON` a
//! line; it ends when the button is pressed or its input ends.

use super::super::{ProgressView, messages::MessageId};
use super::programs::Program;
use super::{Look, Programs, Style};
use crate::launch;
use std::io::{self, Write};
use std::process::{ChildStdin, Command, Stdio};

const SCRIPT: &str = include_str!("macos.js");

/// The script's exit code for its button.
const CANCELLED: i32 = 42;

/// Describes a window of another program.
pub(crate) struct Window {
    program: Program,
    input: ChildStdin,
    button: String,
    last: String,
}

impl Window {
    /// Returns whether there is a desktop, as far as can be told beforehand.
    pub(crate) fn may_open() -> bool {
        true
    }

    /// Opens a window.
    pub(crate) fn open(view: &ProgressView, style: Style, programs: &Programs) -> Option<Self> {
        let mut command = Command::new("/usr/bin/osascript");
        launch::clean(&mut command);
        command
            .args(["-l", "JavaScript", "-e", SCRIPT])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        let mut input = None;
        let program = programs
            .start(&mut command, |child| input = child.stdin.take())
            .inspect_err(|e| log::debug!("no window for the progress: {e}"))
            .ok()?;
        let mut window = Window {
            program,
            input: input?,
            button: style.texts.with(MessageId::StartNow, &[]),
            last: String::new(),
        };
        window
            .show(view)
            .inspect_err(|e| log::debug!("no window for the progress: {e}"))
            .ok()?;
        Some(window)
    }

    /// Brings the window up to date.
    pub(crate) fn show(&mut self, view: &ProgressView) -> io::Result<()> {
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

    /// Returns what became of the window.
    pub(crate) fn look(&self) -> Look {
        match self.program.ended() {
            None => Look::Open,
            Some(status) if status.code() == Some(CANCELLED) => Look::Cancelled,
            Some(_) => Look::Gone,
        }
    }
}

impl Drop for Window {
    fn drop(&mut self) {
        self.program.end();
    }
}
