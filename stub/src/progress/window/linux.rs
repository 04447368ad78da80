//! Shows a window on Linux and the like by `zenity` or `kdialog`, whichever the
//! desktop has.

use super::super::{ProgressView, messages::MessageId};
use super::programs::Program;
use super::{Look, Programs, Style};
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
    pub(crate) fn open(view: &ProgressView, style: Style, programs: &Programs) -> Option<Self> {
        let desktop = std::env::var("XDG_CURRENT_DESKTOP").unwrap_or_default();
        let zenity = || Zenity::open(view, style, programs).map(Window::Zenity);
        let kdialog = || KDialog::open(view, style, programs).map(Window::KDialog);
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

/// The text as markup that shows it as it is.
fn escape_markup(text: &str) -> String {
    let text = text.replace('&', "&amp;").replace('<', "&lt;");
    text.replace('>', "&gt;")
}

/// The text as HTML. Without being told, Qt takes a text for HTML if its first
/// line looks like that.
pub(crate) fn as_html(text: &str) -> String {
    format!("<qt>{}</qt>", escape_markup(text).replace('\n', "<br>"))
}

/// The text for programs that take `\n` for a line break.
pub(crate) fn escape_backslashes(text: &str) -> String {
    text.replace('\\', "\\\\")
}

/// Whether a program says that it has this version or a later one.
fn is_since_4_0_3(version: &str) -> bool {
    let numbers = version.trim().split('.').map(|number| number.parse().ok());
    let numbers: Option<Vec<u32>> = numbers.collect();
    numbers.is_some_and(|numbers| numbers >= vec![4, 0, 3])
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
    /// Whether lines of its input are markup.
    markup: bool,
}

impl Zenity {
    fn open(view: &ProgressView, style: Style, programs: &Programs) -> io::Result<Self> {
        let mut command = Command::new("zenity");
        launch::clean(&mut command);
        command.args(style.icon.map(|icon| format!("--window-icon={icon}")));
        command
            .args(["--progress", "--auto-close", "--width=420"])
            .arg(format!("--title={}", view.title))
            // Markup for all of them, other than the lines of the input.
            .arg(format!("--text={}", Self::text(view, true)))
            // It refuses text that its locale cannot have, and the user's may
            // not be installed.
            .env("LC_ALL", "C.UTF-8")
            // Else it ends with 1, as it does if it cannot show a window.
            .env("ZENITY_CANCEL", CANCELLED.to_string())
            .env("ZENITY_ESC", CANCELLED.to_string())
            .arg(format!("--percentage={}", percent(view)))
            .arg(format!(
                "--cancel-label={}",
                style.texts.with(MessageId::StartNow, &[])
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
            // While the window opens.
            markup: Self::takes_markup(programs).unwrap_or(false),
        })
    }

    /// Whether lines of the input are markup, as they are since 4.0.3.
    fn takes_markup(programs: &Programs) -> io::Result<bool> {
        let mut command = Command::new("zenity");
        launch::clean(&mut command);
        command
            .arg("--version")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null());
        let (program, output) = with_output(programs, &mut command, &mut None)?;
        let mut answer = String::new();
        output.take(MOST).read_to_string(&mut answer)?;
        program.wait()?;
        Ok(is_since_4_0_3(&answer))
    }

    /// One line, in which breaks and other signs that mean something are
    /// escaped.
    fn text(view: &ProgressView, markup: bool) -> String {
        let text = format!("{}\n{}", view.title, below(view));
        let text = if markup { escape_markup(&text) } else { text };
        escape_backslashes(&text).replace('\n', "\\n")
    }

    fn show(&mut self, view: &ProgressView) -> io::Result<()> {
        let lines = format!("# {}\n{}\n", Self::text(view, self.markup), percent(view));
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
    fn open(view: &ProgressView, style: Style, programs: &Programs) -> io::Result<Self> {
        let hint = style.texts.with(MessageId::CancelStarts, &[]);
        let mut command = Command::new("kdialog");
        launch::clean(&mut command);
        if let Some(icon) = style.icon {
            command.args(["--icon", icon]);
        }
        // Other than what comes by the bus, it may have escapes.
        let text = escape_backslashes(&Self::text(view, &hint));
        command
            .args(["--title", &view.title])
            .args(["--progressbar", &text, "100"])
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
        as_html(&format!("{}\n{}\n{hint}", view.title, below(view)))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signs_that_mean_something_are_shown_as_they_are() {
        let view = ProgressView {
            title: "Updating R&D <b>Desk</b> to 1.1".into(),
            detail: "10 % of C:\\new".into(),
            notes: Some("&amp; %s".into()),
            part: 0.0,
        };
        let escaped = "Updating R&amp;D &lt;b&gt;Desk&lt;/b&gt; to 1.1";
        assert_eq!(
            Zenity::text(&view, true),
            format!("{escaped}\\n10 % of C:\\\\new\\n&amp;amp; %s")
        );
        assert_eq!(
            Zenity::text(&view, false),
            "Updating R&D <b>Desk</b> to 1.1\\n10 % of C:\\\\new\\n&amp; %s"
        );
        assert_eq!(
            KDialog::text(&view, "Cancel opens it."),
            format!("<qt>{escaped}<br>10 % of C:\\new<br>&amp;amp; %s<br>Cancel opens it.</qt>")
        );
    }

    #[test]
    fn zenity_takes_markup_in_its_input_since_4_0_3() {
        for (version, takes) in [
            ("3.44.0\n", false),
            ("3.99.91", false),
            ("4.0.2", false),
            ("4.0.3", true),
            ("4.0.10\n", true),
            ("4.2.2", true),
            ("10.0", true),
            ("", false),
            ("nonsense", false),
        ] {
            assert_eq!(is_since_4_0_3(version), takes, "{version}");
        }
    }
}
