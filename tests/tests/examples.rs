//! The examples, built by PyInstaller from their specs, as their users use them:
//! by keys, in front of an X server. `scripts/screenshots` runs this, too.

#![cfg(target_os = "linux")]

use notsotuf_tests::desktop::Desktop;
use notsotuf_tests::{Sandbox, json, root};
use serde_json::Value;
use std::process::{Child, Stdio};

struct Example {
    /// Its folder, and what its spec makes.
    name: &'static str,
    program: &'static str,
    title: &'static str,
    /// Keys that lead from the first channel to the one with betas and choose it.
    to_betas: &'static [&'static str],
}

fn bundle(example: &Example, version: &str) -> std::path::PathBuf {
    let bundle = root()
        .join(".work/examples")
        .join(example.name)
        .join(version);
    assert!(bundle.exists(), "scripts/make-examples makes {bundle:?}");
    bundle
}

fn release(sandbox: &Sandbox, example: &Example, version: &str) {
    // A patch would be too small for anything to be seen.
    sandbox.add(version, &bundle(example, version), &["--skip-patch"]);
    sandbox.bundler(&["publish"]);
}

fn start(sandbox: &Sandbox, example: &Example, desktop: &Desktop) -> Child {
    let mut command = std::process::Command::new(sandbox.path("install").join(example.program));
    command
        .stdin(Stdio::null())
        .envs(desktop.environment())
        .env("LANG", "en_US.UTF-8")
        .spawn()
        .unwrap()
}

fn ask(sandbox: &Sandbox, example: &Example, command: &str) -> Value {
    let stub = sandbox.path("install").join(example.program);
    json(std::process::Command::new(stub).args(["--updater", command, "--json"]))
}

/// 1.0 runs and there is a beta, of which its user is told nothing. In the
/// settings he chooses betas, watches the download, says yes to the restart,
/// and has the beta in front of him.
fn updates_itself(example: &Example) {
    let Example { title, program, .. } = example;
    let desktop = Desktop::start();
    let sandbox = Sandbox::new();
    release(&sandbox, example, "1.0");
    sandbox.ship_with(&["--executable", program]);
    sandbox.set("mode", "\"off\"");
    release(&sandbox, example, "1.1b1");
    sandbox.add_settings("max_rate = 8000000");

    let mut child = start(&sandbox, example, &desktop);
    let window = desktop.wait_for(&format!("{title} 1.0: up to date"), &mut child);
    desktop.press(&window, "ctrl+comma");
    let settings = desktop.wait_for("Settings", &mut child);
    desktop.picture("Settings", &format!("example-{}-settings", example.name));
    for key in example.to_betas {
        desktop.press(&settings, key);
    }
    desktop.press(&settings, "Escape");
    desktop.wait_for(&format!("{title} 1.0: downloading 1.1b1"), &mut child);
    desktop.picture(title, &format!("example-{}", example.name));
    let question = desktop.wait_for("Update", &mut child);
    assert_eq!(ask(&sandbox, example, "channel")["chosen"], "b");
    assert_eq!(
        ask(&sandbox, example, "status")["staged"]["version"],
        "1.1b1"
    );
    desktop.picture("Update", &format!("example-{}-ready", example.name));
    desktop.press(&question, "Return");
    desktop.wait_for(&format!("{title} 1.1b1: up to date"), &mut child);
    let status = ask(&sandbox, example, "status");
    assert_eq!(status["installed"]["version"], "1.1b1", "{}", sandbox.log());
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn the_tkinter_example_updates_itself_through_its_window() {
    updates_itself(&Example {
        name: "tkinter",
        program: "notepad",
        title: "Notepad",
        to_betas: &["Tab", "Tab", "space"],
    });
}

#[test]
fn the_qt_example_updates_itself_through_its_window() {
    updates_itself(&Example {
        name: "qt",
        program: "viewer",
        title: "Picture Viewer",
        to_betas: &["Down", "Down"],
    });
}
