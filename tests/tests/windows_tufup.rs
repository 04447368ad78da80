//! An install for Windows that tufup's own client, in the real CPython for Windows, brings over
//! to the stub, under wine: scripts/test-windows.
//!
//! wine 8's robocopy does nothing, so that one program is replaced; the script for cmd that
//! tufup's client writes and starts is its own.

#![cfg(target_os = "linux")]

use notsotuf_tests::wine::{built, compile_c, on_drive, python, windows_bundle, wine};
use notsotuf_tests::{Sandbox, Server, bundler_in, copy_tree, json, root, run, text};
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

/// A project that was tufup's, with 1.0 of the application.
struct Field {
    sandbox: Sandbox,
    server: Server,
}

impl Field {
    fn new() -> Self {
        let sandbox = Sandbox::new();
        let theirs = sandbox.path("theirs");
        fs::create_dir_all(theirs.join("repository")).unwrap();
        let server = Server::start(&theirs.join("repository"));
        let field = Field { sandbox, server };
        let mut tufup = Command::new(root().join(".venv/bin/python"));
        tufup.arg(root().join("tests/python/interop.py"));
        let bundle = windows_bundle("1.0", "console");
        tufup.args(["release", "app", "1.0", text(&bundle)]);
        json(tufup.current_dir(&theirs));
        field.bundler(&["import", "tufup", "--url", &field.server.url]);
        let settings = theirs.join("notsotuf-project.toml");
        let before = fs::read_to_string(&settings).unwrap();
        let after = before.replace("apps = [\"app\"]", "apps = [\"app\", \"app2\"]");
        assert_ne!(before, after);
        fs::write(&settings, after).unwrap();
        field
    }

    fn bundler(&self, arguments: &[&str]) -> Value {
        json(&mut bundler_in(&self.sandbox.path("theirs"), arguments))
    }

    /// Releases a version of the application under its new name.
    fn release(&self, version: &str) {
        let bundle = windows_bundle(version, "console");
        self.bundler(&["add", version, text(&bundle), "--app", "app2"]);
        self.bundler(&["publish"]);
    }

    /// An install of 1.0 as tufup's users have it.
    fn install(&self) -> PathBuf {
        let folder = self.sandbox.path("users");
        fs::create_dir_all(&folder).unwrap();
        copy_tree(&windows_bundle("1.0", "console"), &folder.join("install"));
        let metadata = folder.join("metadata");
        fs::create_dir_all(&metadata).unwrap();
        let first = self.sandbox.path("theirs/repository/metadata/1.root.json");
        fs::copy(first, metadata.join("root.json")).unwrap();
        folder
    }
}

/// A start of the application with tufup's client.
fn update_by_tufup(field: &Field, folder: &Path, version: &str) -> String {
    let tools = field.sandbox.path("tools");
    fs::create_dir_all(&tools).unwrap();
    compile_c("robocopy.c", &[], &tools.join("robocopy.exe"));
    let mut client = python("tufup");
    client.arg(on_drive(&root().join("tests/windows/tufup_client.py")));
    client.args([&field.server.url, &on_drive(folder), version]);
    client.env("WINEPATH", on_drive(&tools));
    let output = run(&mut client);
    assert!(output.status.success(), "{output:?}");
    let said = String::from_utf8_lossy(&output.stdout).replace('\r', "");
    assert!(!said.contains("still here"), "{output:?}");
    said
}

fn start(folder: &Path) -> Value {
    let output = run(wine(&folder.join("install/console.exe")).stdin(std::process::Stdio::null()));
    assert!(output.status.success(), "{output:?}");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    serde_json::from_str(said.trim()).unwrap()
}

#[test]
#[ignore = "scripts/test-windows"]
fn a_client_of_tufup_crosses_over_to_the_stub() {
    let field = Field::new();
    field.release("1.1");
    // As docs/how-to/migration.md says.
    let shipped = field.sandbox.path("shipped");
    let stub = built("notsotuf-stub.exe");
    let ship = ["ship", "--app", "app2", "--stub", text(&stub)];
    field.bundler(&[&ship[..], &["--output", text(&shipped)]].concat());
    let bridge = ["add", "1.1", text(&shipped), "--app", "app", "--skip-patch"];
    field.bundler(&bridge);
    field.bundler(&["publish"]);

    let folder = field.install();
    assert_eq!(start(&folder)["version"], "1.0");
    assert_eq!(update_by_tufup(&field, &folder, "1.0").trim(), "found 1.1");
    // The script goes on behind the client.
    let log = || fs::read_to_string(folder.join("install/install.log")).unwrap_or_default();
    let begun = Instant::now();
    while !log().contains("Done.") {
        assert!(begun.elapsed() < Duration::from_secs(60), "{}", log());
        std::thread::sleep(Duration::from_millis(100));
    }
    let installed = fs::read(folder.join("install/console.exe")).unwrap();
    assert!(
        installed == fs::read(shipped.join("console.exe")).unwrap(),
        "{}",
        log()
    );

    // From here on tufup is not needed.
    let said = start(&folder);
    assert_eq!(said["version"], "1.1", "{said}");
    assert!(said["told"]["NOTSOTUF_STUB"].is_string(), "{said}");
    field.release("1.2");
    assert_eq!(start(&folder)["version"], "1.2");
    let log = fs::read_to_string(folder.join("install/.notsotuf/log")).unwrap();
    assert!(log.contains("updated to version 1.2"), "{log}");
}
