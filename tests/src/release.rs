//! Small projects and bundles for tests of the bundler, and the bundler on a
//! terminal.

use crate::{program, run, write_script};
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// Writes a bundle whose program `hello` says `text`.
pub fn hello(folder: &Path, text: &str) {
    write_script(&folder.join("hello"), &format!("echo 'hi {text}'"));
    fs::write(folder.join("data"), "the same in all\n").expect("a file");
}

/// A folder to work in, in which the bundler is called as a person does it:
/// without any of its variables in the environment.
pub struct Desk {
    folder: tempfile::TempDir,
}

impl Default for Desk {
    fn default() -> Self {
        Self::new()
    }
}

impl Desk {
    /// An empty one.
    pub fn new() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        Desk { folder }
    }

    /// One with a project `p` for the application `hello` with plain keys, a
    /// release 1.0 that is published, and the bundle `b` of a release 1.1.
    pub fn with_project() -> Self {
        let desk = Desk::new();
        let url = "http://127.0.0.1:9";
        desk.must(&["-C", "p", "init", "--app", "hello", "--plain", "--url", url]);
        hello(&desk.path("b"), "1.0");
        desk.must(&["-C", "p", "add", "1.0", "b"]);
        desk.must(&["-C", "p", "publish"]);
        hello(&desk.path("b"), "1.1");
        desk
    }

    /// A path in it.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The bundler, called in this folder.
    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(program("notsotuf"));
        command.args(args).current_dir(self.path(""));
        for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("NOTSOTUF_")) {
            command.env_remove(name);
        }
        command.env("HOME", self.path("")).stdin(Stdio::null());
        command
    }

    /// Runs the bundler.
    pub fn run(&self, args: &[&str]) -> Output {
        run(&mut self.command(args))
    }

    /// Runs the bundler, which must succeed; what it said on standard output.
    pub fn must(&self, args: &[&str]) -> String {
        let output = self.run(args);
        assert!(output.status.success(), "{args:?}: {output:?}");
        String::from_utf8(output.stdout).expect("UTF-8")
    }

    /// The same with `--json`.
    pub fn json(&self, args: &[&str]) -> Value {
        let said = self.must(&[&["--json"], args].concat());
        serde_json::from_str(&said).unwrap_or_else(|e| panic!("{args:?}: {e}: {said}"))
    }

    /// Runs the bundler, which must fail with that code; what it said on
    /// standard error.
    pub fn fails(&self, code: i32, args: &[&str]) -> String {
        let output = self.run(args);
        assert_eq!(output.status.code(), Some(code), "{args:?}: {output:?}");
        String::from_utf8(output.stderr).expect("UTF-8")
    }

    /// Runs the bundler on a terminal, and types `typed` at its prompts, one
    /// after the other: `^C` for Ctrl-C. What it showed, and its exit code.
    pub fn type_at(&self, args: &[&str], typed: &[&str]) -> (String, i32) {
        let script = r#"
import os, pty, select, signal, sys, termios, time
typed = sys.argv[1].split("\x1f") if sys.argv[1] else []
pid, terminal = pty.fork()
if pid == 0:
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    os.execvp(sys.argv[2], sys.argv[2:])
shown, since, end = b"", b"", time.monotonic() + 120
while time.monotonic() < end:
    if not select.select([terminal], [], [], 0.2)[0]:
        continue
    try:
        said = os.read(terminal, 4096)
    except OSError:
        break
    if not said:
        break
    shown += said
    since += said
    if since.rstrip().endswith(b":") and typed:
        since = b""
        # Its echo goes once the prompt is there.
        time.sleep(0.05)
        text = typed.pop(0)
        os.write(terminal, b"\x03" if text == "^C" else text.encode() + b"\n")
status = os.waitpid(pid, 0)[1]
sys.stdout.buffer.write(shown)
sys.exit(os.waitstatus_to_exitcode(status) % 256)
"#;
        let mut command = Command::new("python3");
        command
            .args(["-c", script, &typed.join("\u{1f}")])
            .arg(program("notsotuf"))
            .args(args)
            .current_dir(self.path(""))
            .env("HOME", self.path(""))
            .env("TERM", "xterm")
            .env_remove("NO_COLOR");
        for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("NOTSOTUF_")) {
            command.env_remove(name);
        }
        let output = run(&mut command);
        let shown = String::from_utf8_lossy(&output.stdout).into_owned();
        (shown, output.status.code().expect("an exit code"))
    }
}

/// The commands of the bundler that a text names in backticks, as words
/// without `notsotuf`.
pub fn named_commands(text: &str) -> Vec<Vec<String>> {
    let quoted = text.split('`').skip(1).step_by(2);
    quoted
        .filter_map(|code| code.strip_prefix("notsotuf "))
        .map(|code| code.split_whitespace().map(str::to_owned).collect())
        .collect()
}
