//! Installs of real PyInstaller bundles for Windows, started under wine.

use crate::wine::{built, windows_bundle, wine};
use crate::{Sandbox, run, text};
use serde_json::Value;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// An install of version 1.0 of one kind of bundle.
pub struct WindowsInstall {
    /// The project and its server.
    pub sandbox: Sandbox,
    kind: &'static str,
    /// The install dir.
    pub folder: PathBuf,
}

impl WindowsInstall {
    /// Releases 1.0 of this kind of bundle and installs that.
    pub fn new(kind: &'static str) -> Self {
        let sandbox = Sandbox::new();
        let folder = sandbox.path("Programs/My App");
        let install = WindowsInstall {
            sandbox,
            kind,
            folder,
        };
        install.release("1.0", &[]);
        let stub = built("notsotuf-stub.exe");
        let arguments = ["ship", "--stub", text(&stub), "--output"];
        let output = [text(&install.folder)];
        install.sandbox.bundler(&[&arguments[..], &output].concat());
        install
    }

    /// Releases another version, with these options of `add`.
    pub fn release(&self, version: &str, add: &[&str]) {
        self.sandbox
            .add(version, &windows_bundle(version, self.kind), add);
        self.sandbox.bundler(&["publish"]);
    }

    /// Names the program, and with it the stub.
    pub fn program(&self) -> String {
        format!("{}.exe", self.kind.trim_end_matches(".exe"))
    }

    /// Prepares to start the stub.
    pub fn stub(&self) -> Command {
        wine(&self.folder.join(self.program()))
    }

    /// Starts the application with `some data` on its standard input; its exit code, and
    /// what it says of itself.
    pub fn start(&self, adjust: impl FnOnce(&mut Command)) -> (Option<i32>, Value) {
        let report = self.sandbox.path("report");
        fs::write(&report, "").unwrap();
        let mut command = self.stub();
        // A windowed program may leave wine's desktop behind, which would hold a pipe.
        let out = match self.kind {
            "windowed" => Stdio::null,
            _ => Stdio::piped,
        };
        command
            .env("PROGRAM_REPORT", format!("Z:{}", text(&report)))
            .stdin(Stdio::piped())
            .stdout(out())
            .stderr(out());
        adjust(&mut command);
        let mut child = command.spawn().unwrap();
        let mut input = child.stdin.take().unwrap();
        input.write_all(b"some data").unwrap();
        drop(input);
        let output = child.wait_with_output().unwrap();
        let report = fs::read_to_string(&report).unwrap();
        let last = report.lines().last();
        let last = last.unwrap_or_else(|| panic!("{output:?}\n{}", self.log()));
        if self.kind != "windowed" {
            let said = String::from_utf8_lossy(&output.stdout);
            assert!(said.contains(last), "{output:?}");
        }
        (output.status.code(), serde_json::from_str(last).unwrap())
    }

    /// Starts the application, which must end well; its version.
    pub fn version(&self) -> String {
        let (code, said) = self.start(|_| {});
        assert_eq!(code, Some(0), "{said}\n{}", self.log());
        said["version"].as_str().unwrap().to_owned()
    }

    /// Returns the stub's log.
    pub fn log(&self) -> String {
        fs::read_to_string(self.folder.join(".notsotuf/log")).unwrap_or_default()
    }
}

/// Compares two trees, but for the record that the stub keeps in one of them.
pub fn same_tree(one: &Path, other: &Path) {
    let mut diff = Command::new("diff");
    diff.args(["-r", "--exclude=.notsotuf-release"]);
    let done = run(diff.args([one, other]));
    assert!(done.status.success(), "{done:?}");
}
