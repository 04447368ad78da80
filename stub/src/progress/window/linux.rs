//! Shows a window on Linux and the like by `zenity` or `kdialog`, whichever the
//! desktop has.

use super::super::{Messages, ProgressView, messages::MessageId};
use super::programs::Program;
use super::{Look, Programs};
use crate::launch;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::process::{ChildStderr, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

/// Describes a window of another program.
pub(crate) enum Window {
    Zenity(Zenity),
    KDialog(KDialog),
}

impl Window {
    /// Returns whether there is a desktop.
    pub(crate) fn may_open() -> bool {
        let set = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
        set("DISPLAY") || set("WAYLAND_DISPLAY")
    }

    /// Opens a window; `None` if there is neither program.
    pub(crate) fn open(view: &ProgressView, texts: &Messages, programs: &Programs) -> Option<Self> {
        let desktop = std::env::var("XDG_CURRENT_DESKTOP").unwrap_or_default();
        let zenity = || Zenity::open(view, texts, programs).map(Window::Zenity);
        let kdialog = || KDialog::open(view, texts, programs).map(Window::KDialog);
        let opened = if desktop.contains("KDE") {
            kdialog().or_else(|_| zenity())
        } else {
            zenity().or_else(|_| kdialog())
        };
        opened
            .inspect_err(|e| log::debug!("no window for the progress: {e}"))
            .ok()
    }

    /// Brings the window up to date.
    pub(crate) fn show(&mut self, view: &ProgressView) -> io::Result<()> {
        match self {
            Window::Zenity(window) => window.show(view),
            Window::KDialog(window) => window.show(view),
        }
    }

    /// Returns what became of the window.
    pub(crate) fn look(&self) -> Look {
        match self {
            Window::Zenity(window) => window.look(),
            Window::KDialog(window) => window.look(),
        }
    }
}

/// What is below the title.
fn below(view: &ProgressView) -> String {
    match &view.notes {
        Some(notes) => format!("{}\n{notes}", view.detail),
        None => view.detail.clone(),
    }
}

/// The bar, in parts of a hundred; at 100 zenity takes it for done.
fn percent(view: &ProgressView) -> u32 {
    (view.part * 100.0).clamp(0.0, 99.0) as u32
}

/// More than a program that is asked for a word has to say.
const MOST: u64 = 4096;

/// Starts a program whose output is piped.
fn with_output(
    programs: &Programs,
    command: &mut Command,
    error: &mut Option<ChildStderr>,
) -> io::Result<(Program, ChildStdout)> {
    let mut output = None;
    let program = programs.start(command, |child| {
        output = child.stdout.take();
        *error = child.stderr.take();
    })?;
    Ok((program, output.ok_or_else(no_pipe)?))
}

/// zenity's exit code for its button, for Escape, and for a closed window.
const CANCELLED: i32 = 42;

/// Draws by zenity: <https://help.gnome.org/users/zenity/stable/progress.html>.
pub(crate) struct Zenity {
    program: Program,
    input: ChildStdin,
    last: String,
}

impl Zenity {
    fn open(view: &ProgressView, texts: &Messages, programs: &Programs) -> io::Result<Self> {
        let mut command = Command::new("zenity");
        launch::clean(&mut command);
        command
            .args(["--progress", "--auto-close", "--width=420"])
            .arg(format!("--title={}", view.title))
            .arg(format!("--text={}", Self::text(view)))
            // It refuses text that its locale cannot have, and the user's may
            // not be installed.
            .env("LC_ALL", "C.UTF-8")
            // Else it ends with 1, as it does if it cannot show a window.
            .env("ZENITY_CANCEL", CANCELLED.to_string())
            .env("ZENITY_ESC", CANCELLED.to_string())
            .arg(format!("--percentage={}", percent(view)))
            .arg(format!(
                "--cancel-label={}",
                texts.with(MessageId::StartNow, &[])
            ))
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        let mut input = None;
        let program = programs.start(&mut command, |child| input = child.stdin.take())?;
        Ok(Zenity {
            program,
            input: input.ok_or_else(no_pipe)?,
            last: String::new(),
        })
    }

    /// A line of its input is one text, which is markup for zenity 4 and none
    /// for zenity 3: there are no signs in it that mean something.
    fn text(view: &ProgressView) -> String {
        let text = format!("{}\n{}", view.title, below(view));
        let text = text.replace('&', "+").replace('<', "‹").replace('>', "›");
        text.replace('\\', "/").replace('\n', "\\n")
    }

    fn show(&mut self, view: &ProgressView) -> io::Result<()> {
        let lines = format!("# {}\n{}\n", Self::text(view), percent(view));
        if lines != self.last {
            self.input.write_all(lines.as_bytes())?;
            self.last = lines;
        }
        Ok(())
    }

    fn look(&self) -> Look {
        match self.program.ended() {
            None => Look::Open,
            Some(status) if status.code() == Some(CANCELLED) => Look::Cancelled,
            Some(_) => Look::Gone,
        }
    }
}

impl Drop for Zenity {
    fn drop(&mut self) {
        self.program.end();
    }
}

fn no_pipe() -> io::Error {
    io::Error::other("there is no pipe")
}

/// Draws by kdialog, which prints where on the session bus its window is and
/// goes to the background.
pub(crate) struct KDialog {
    programs: Programs,
    hint: String,
    service: String,
    path: String,
    last: Option<(Instant, ProgressView)>,
}

/// Each change takes two programs that run.
const KDIALOG_REFRESH: Duration = Duration::from_millis(500);

const KDIALOG: &str = "org.kde.kdialog.ProgressDialog";

impl KDialog {
    fn open(view: &ProgressView, texts: &Messages, programs: &Programs) -> io::Result<Self> {
        let hint = texts.with(MessageId::CancelStarts, &[]);
        let mut command = Command::new("kdialog");
        launch::clean(&mut command);
        command
            .args(["--title", &view.title])
            .args(["--progressbar", &Self::text(view, &hint), "100"])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null());
        let (program, output) = with_output(programs, &mut command, &mut None)?;
        // The window keeps the pipe open, so it is not read to its end.
        let mut line = String::new();
        BufReader::new(output.take(MOST)).read_line(&mut line)?;
        let status = program.wait()?;
        let place = line.trim().split_once(' ');
        let (service, path) = place
            .filter(|_| status.success())
            .ok_or_else(|| io::Error::other("kdialog does not say where its window is"))?;
        let window = KDialog {
            programs: programs.clone(),
            hint,
            service: service.into(),
            path: path.into(),
            last: None,
        };
        window.call(&format!("{KDIALOG}.showCancelButton"), &["boolean:true"])?;
        Ok(window)
    }

    fn text(view: &ProgressView, hint: &str) -> String {
        format!("{}\n{}\n{hint}", view.title, below(view))
    }

    /// One call on the bus; what it answers.
    fn call(&self, method: &str, arguments: &[&str]) -> io::Result<String> {
        let mut command = Command::new("dbus-send");
        launch::clean(&mut command);
        command
            .args(["--session", "--print-reply=literal", "--reply-timeout=1000"])
            .arg(format!("--dest={}", self.service))
            .args([&self.path, method])
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut error = None;
        let (program, output) = with_output(&self.programs, &mut command, &mut error)?;
        let (mut answer, mut said) = (Vec::new(), Vec::new());
        output.take(MOST).read_to_end(&mut answer)?;
        if let Some(error) = error {
            error.take(MOST).read_to_end(&mut said)?;
        }
        if program.wait()?.success() {
            Ok(String::from_utf8_lossy(&answer).into_owned())
        } else {
            Err(io::Error::other(
                String::from_utf8_lossy(&said).into_owned(),
            ))
        }
    }

    fn show(&mut self, view: &ProgressView) -> io::Result<()> {
        let shown = self.last.as_ref();
        if shown.is_some_and(|(when, last)| last == view || when.elapsed() < KDIALOG_REFRESH) {
            return Ok(());
        }
        let value = format!("variant:int32:{}", percent(view));
        let name = format!("string:{KDIALOG}");
        let set = "org.freedesktop.DBus.Properties.Set";
        self.call(set, &[&name, "string:value", &value])?;
        let text = format!("string:{}", Self::text(view, &self.hint));
        self.call(&format!("{KDIALOG}.setLabelText"), &[&text])?;
        self.last = Some((Instant::now(), view.clone()));
        Ok(())
    }

    fn look(&self) -> Look {
        match self.call(&format!("{KDIALOG}.wasCancelled"), &[]) {
            Ok(answer) if answer.contains("true") => Look::Cancelled,
            Ok(_) => Look::Open,
            // It was closed.
            Err(e) if e.to_string().contains("ServiceUnknown") => Look::Cancelled,
            Err(_) => Look::Gone,
        }
    }
}

impl Drop for KDialog {
    fn drop(&mut self) {
        if let Err(e) = self.call(&format!("{KDIALOG}.close"), &[]) {
            log::debug!("{e}");
        }
    }
}
