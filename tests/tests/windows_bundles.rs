//! Updates of real PyInstaller bundles for Windows, with and without a console, as a folder
//! and as one file, under wine: scripts/test-windows.

#![cfg(target_os = "linux")]

use notsotuf_tests::wine::{built, windows_bundle, wine};
use notsotuf_tests::{Sandbox, run, text};
use serde_json::Value;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The SHA-256 of `some data`.
const SOME_DATA: &str = "1307990e6ba5ca145eb35e99182a9bec46531bc54ddf656a602c780fa0240dee";

/// An install of version 1.0 of one kind of bundle.
struct Install {
    sandbox: Sandbox,
    kind: &'static str,
    folder: PathBuf,
}

impl Install {
    fn new(kind: &'static str) -> Self {
        let sandbox = Sandbox::new();
        let folder = sandbox.path("Programs/My App");
        let install = Install {
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

    fn release(&self, version: &str, add: &[&str]) {
        self.sandbox
            .add(version, &windows_bundle(version, self.kind), add);
        self.sandbox.bundler(&["publish"]);
    }

    fn program(&self) -> String {
        format!("{}.exe", self.kind.trim_end_matches(".exe"))
    }

    /// Starts the application with `some data` on its standard input; its exit code, and
    /// what it says of itself.
    fn start(&self, adjust: impl FnOnce(&mut Command)) -> (Option<i32>, Value) {
        let report = self.sandbox.path("report");
        fs::write(&report, "").unwrap();
        let mut command = wine(&self.folder.join(self.program()));
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
    fn version(&self) -> String {
        let (code, said) = self.start(|_| {});
        assert_eq!(code, Some(0), "{said}\n{}", self.log());
        said["version"].as_str().unwrap().to_owned()
    }

    fn log(&self) -> String {
        fs::read_to_string(self.folder.join(".notsotuf/log")).unwrap_or_default()
    }
}

/// Compares two trees, but for the record that the stub keeps in one of them.
fn same_tree(one: &Path, other: &Path) {
    let mut diff = Command::new("diff");
    diff.args(["-r", "--exclude=.notsotuf-release"]);
    let done = run(diff.args([one, other]));
    assert!(done.status.success(), "{done:?}");
}

fn updates(kind: &'static str) {
    let install = Install::new(kind);
    assert_eq!(install.version(), "1.0");
    install.release("1.1", &[]);
    assert_eq!(install.version(), "1.1", "{}", install.log());
    assert!(install.log().contains("by 1 patch"), "{}", install.log());
    install.release("1.2", &["--skip-patch"]);
    let (code, said) = install.start(|command| {
        command
            .args(["--read", "a b", "größe"])
            .current_dir(install.sandbox.path(""))
            .env("PROGRAM_EXIT", "0");
    });
    let log = install.log();
    assert_eq!(code, Some(0), "{said}\n{log}");
    assert_eq!(said["version"], "1.2", "{log}");
    assert!(log.contains("1.2 by the full archive"), "{log}");
    assert_eq!(said["args"], serde_json::json!(["--read", "a b", "größe"]));
    assert_eq!(said["stdin"], SOME_DATA);
    let folder = format!(
        "Z:{}",
        text(&install.sandbox.path("")).trim_end_matches('/')
    );
    assert_eq!(said["cwd"], folder.replace('/', "\\"));
    assert_eq!(said["told"]["NOTSOTUF_VERSION"], "1.2");
    let bundle = windows_bundle("1.2", kind);
    if bundle.is_dir() {
        same_tree(&bundle, &install.folder.join("app"))
    } else {
        let installed = fs::read(install.folder.join("app").join(install.program()));
        assert!(installed.unwrap() == fs::read(bundle).unwrap());
    }
    // On probation no longer, so the exit code is the application's own affair.
    let (code, said) = install.start(|command| {
        command.env("PROGRAM_EXIT", "42");
    });
    assert_eq!((code, &said["version"]), (Some(42), &"1.2".into()));
}

#[test]
#[ignore = "scripts/test-windows"]
fn a_console_application_updates_by_patch_and_archive() {
    updates("console");
}

#[test]
#[ignore = "scripts/test-windows"]
fn a_windowed_application_updates_by_patch_and_archive() {
    updates("windowed");
}

#[test]
#[ignore = "scripts/test-windows"]
fn an_application_of_one_file_updates_by_patch_and_archive() {
    updates("onefile.exe");
}

#[test]
#[ignore = "scripts/test-windows"]
fn a_real_application_that_fails_makes_room_for_the_version_before() {
    for kind in ["console", "onefile.exe"] {
        let install = Install::new(kind);
        install.release("1.1", &[]);
        let (code, said) = install.start(|command| {
            command.env("PROGRAM_FAILS", "1.1");
        });
        // It was given data, which cannot be read a second time.
        assert_eq!(code, Some(1), "{said}\n{}", install.log());
        assert_eq!(said["version"], "1.1", "{}", install.log());
        assert_eq!(install.version(), "1.0", "{}", install.log());
        install.release("1.2", &[]);
        assert_eq!(install.version(), "1.2", "{}", install.log());
    }
}
