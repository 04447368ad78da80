//! What a user chooses, on the command line or in the application: a channel,
//! and a version to stay with.

#![cfg(unix)]

use notsotuf_tests::{Sandbox, json, run, set_mode, write_script};
use serde_json::{Value, json};
use std::fs;

/// Releases an application that says its version.
fn release(sandbox: &Sandbox, version: &str, more: &[&str]) {
    let folder = sandbox.path(&format!("bundle-{version}"));
    let say = format!("echo '{{\"version\": \"{version}\"}}'");
    write_script(&folder.join("program"), &say);
    sandbox.add(version, &folder, more);
    sandbox.bundler(&["publish"]);
}

/// An install of 1.0, which looks for updates only when it is asked to.
fn install(mode: &str) -> Sandbox {
    let sandbox = Sandbox::new();
    release(&sandbox, "1.0", &[]);
    sandbox.ship_with(&["--executable", "program"]);
    sandbox.set("mode", &format!("{mode:?}"));
    sandbox
}

fn ask(sandbox: &Sandbox, words: &[&str]) -> Value {
    json(sandbox.stub().arg("--updater").args(words).arg("--json"))
}

#[test]
fn a_channel_is_chosen_survives_updates_and_is_given_up() {
    let sandbox = install("before-launch");
    release(&sandbox, "1.1b1", &[]);
    release(&sandbox, "1.1rc1", &[]);
    release(&sandbox, "1.2a1", &[]);
    assert_eq!(sandbox.start_version(), "1.0");
    let all = json!(["final", "rc", "b", "a"]);
    let none = json!({ "channel": "final", "chosen": null, "default": "final", "fixed_by": null, "channels": all });
    assert_eq!(ask(&sandbox, &["channel"]), none);
    let chosen = json!({ "channel": "b", "chosen": "b", "default": "final", "fixed_by": null, "channels": all });
    assert_eq!(ask(&sandbox, &["channel", "b"]), chosen);
    assert_eq!(ask(&sandbox, &["check"])["update"], "1.1rc1");
    assert_eq!(sandbox.start_version(), "1.1rc1");
    // The update has not changed it.
    assert_eq!(ask(&sandbox, &["channel"]), chosen);
    assert_eq!(ask(&sandbox, &["status"])["channel"], "b");
    release(&sandbox, "1.2b1", &[]);
    assert_eq!(sandbox.start_version(), "1.2b1");
    release(&sandbox, "1.2b2", &[]);
    assert_eq!(ask(&sandbox, &["channel", "default"]), none);
    assert_eq!(ask(&sandbox, &["status"])["channel"], "final");
    assert_eq!(sandbox.start_version(), "1.2b1");
    assert!(!sandbox.path("install/.notsotuf/channel").exists());
    // What the settings say is what it comes back to.
    sandbox.set("channel", "\"a\"");
    ask(&sandbox, &["channel", "final"]);
    assert_eq!(sandbox.start_version(), "1.2b1");
    assert_eq!(ask(&sandbox, &["channel", "default"])["channel"], "a");
    assert_eq!(sandbox.start_version(), "1.2b2");
}

#[test]
fn a_damaged_choice_is_ignored_with_a_word_in_the_log() {
    let sandbox = install("before-launch");
    release(&sandbox, "1.1", &[]);
    ask(&sandbox, &["hold", "1.0"]);
    assert_eq!(sandbox.start_version(), "1.0");
    for (file, damage) in [("channel", "beta\n"), ("hold", "\0\0\0")] {
        let path = sandbox.path("install/.notsotuf").join(file);
        fs::write(&path, damage).unwrap();
    }
    assert_eq!(sandbox.start_version(), "1.1");
    let log = sandbox.log();
    for what in ["channel\" is ignored", "hold\" is ignored"] {
        assert!(log.contains(what), "{what}: {log}");
    }
    assert_eq!(ask(&sandbox, &["status"])["hold"], Value::Null);
    assert_eq!(ask(&sandbox, &["channel", "rc"])["chosen"], "rc");
}

#[test]
fn choices_that_others_could_have_made_do_not_count() {
    let sandbox = install("off");
    let (install, state) = (sandbox.path("install"), sandbox.path("install/.notsotuf"));
    let chosen = |install_mode, state_mode| {
        set_mode(&install, 0o755);
        ask(&sandbox, &["hold", "1.0"]);
        ask(&sandbox, &["channel", "b"]);
        set_mode(&install, install_mode);
        set_mode(&state, state_mode);
        let status = ask(&sandbox, &["status"]);
        (status["hold"].clone(), status["channel"].clone())
    };
    let made = (json!("1.0"), json!("b"));
    assert_eq!(chosen(0o755, 0o700), made);
    assert_eq!(chosen(0o755, 0o755), made);
    for (install_mode, state_mode) in [
        (0o755, 0o777),
        (0o755, 0o770),
        (0o755, 0o702),
        (0o777, 0o777),
    ] {
        let ignored = (Value::Null, json!("final"));
        let found = chosen(install_mode, state_mode);
        assert_eq!(found, ignored, "{install_mode:o} {state_mode:o}");
    }
    assert_eq!(chosen(0o777, 0o700), made);
}

#[test]
fn who_stays_with_a_version_gets_nothing_newer_not_even_what_is_required() {
    let sandbox = install("before-launch");
    release(&sandbox, "1.1", &[]);
    let held = json!({ "hold": "1.1", "installed": { "name": "app", "version": "1.0" } });
    assert_eq!(ask(&sandbox, &["hold", "1.1"]), held);
    release(&sandbox, "1.2", &["--required"]);
    release(&sandbox, "1.3", &[]);
    // Up to there it goes.
    assert_eq!(sandbox.start_version(), "1.1");
    assert_eq!(sandbox.start_version(), "1.1");
    let found = ask(&sandbox, &["check"]);
    assert_eq!(found["update"], Value::Null);
    let why = |skipped: &Value| (skipped["version"].clone(), skipped["why"].clone());
    let skipped: Vec<_> = found["skipped"]
        .as_array()
        .unwrap()
        .iter()
        .map(why)
        .collect();
    assert_eq!(
        skipped,
        [(json!("1.2"), json!("held")), (json!("1.3"), json!("held"))]
    );
    assert_eq!(ask(&sandbox, &["update"])["result"], "up-to-date");
    assert_eq!(ask(&sandbox, &["status"])["hold"], "1.1");
    // Nor by --retry, which is about what failed.
    let retried = ask(&sandbox, &["update", "--retry"]);
    assert_eq!(retried["result"], "up-to-date");
    assert_eq!(ask(&sandbox, &["hold", "off"])["hold"], Value::Null);
    assert_eq!(sandbox.start_version(), "1.2");
    assert_eq!(sandbox.start_version(), "1.3");
}

#[test]
fn a_withdrawn_version_that_is_held_goes_back() {
    let sandbox = install("before-launch");
    release(&sandbox, "1.1", &[]);
    assert_eq!(sandbox.start_version(), "1.1");
    ask(&sandbox, &["hold", "1.1"]);
    release(&sandbox, "1.2", &[]);
    assert_eq!(sandbox.start_version(), "1.1");
    sandbox.bundler(&["yank", "1.1"]);
    sandbox.bundler(&["publish"]);
    assert_eq!(sandbox.start_version(), "1.0");
    // Still nothing newer than 1.1.
    assert_eq!(sandbox.start_version(), "1.0");
    ask(&sandbox, &["hold", "off"]);
    assert_eq!(sandbox.start_version(), "1.2");
}

#[test]
fn what_is_staged_against_the_users_choice_is_not_installed() {
    let sandbox = install("off");
    release(&sandbox, "1.1", &[]);
    assert_eq!(ask(&sandbox, &["stage"])["version"], "1.1");
    assert_eq!(ask(&sandbox, &["status"])["staged"]["version"], "1.1");
    ask(&sandbox, &["hold", "1.0"]);
    assert_eq!(ask(&sandbox, &["status"])["staged"], Value::Null);
    assert_eq!(sandbox.start_version(), "1.0");
    ask(&sandbox, &["hold", "off"]);
    release(&sandbox, "1.2b1", &[]);
    ask(&sandbox, &["channel", "b"]);
    assert_eq!(ask(&sandbox, &["stage"])["version"], "1.2b1");
    // As if it was staged by a process that began before.
    let staged = sandbox.path("install/.notsotuf/staging");
    let kept = sandbox.path("kept");
    fs::rename(&staged, &kept).unwrap();
    ask(&sandbox, &["channel", "default"]);
    fs::rename(&kept, &staged).unwrap();
    assert_eq!(ask(&sandbox, &["status"])["staged"], Value::Null);
    assert_eq!(sandbox.start_version(), "1.0");
    assert!(sandbox.log().contains("is not wanted any more"));
    // What is wanted is installed.
    assert_eq!(ask(&sandbox, &["stage"])["version"], "1.1");
    assert_eq!(sandbox.start_version(), "1.1");
}

#[test]
fn going_back_and_repairing_are_not_held_up() {
    let sandbox = install("off");
    for version in ["1.1", "1.2"] {
        release(&sandbox, version, &[]);
        ask(&sandbox, &["update"]);
        assert_eq!(sandbox.start_version(), version);
    }
    // Both what is installed and what was before are newer than that.
    ask(&sandbox, &["hold", "1.0"]);
    assert_eq!(ask(&sandbox, &["rollback"])["version"], "1.1");
    assert_eq!(sandbox.start_version(), "1.1");
    fs::write(sandbox.path("install/app/program"), "broken").unwrap();
    assert_eq!(ask(&sandbox, &["repair"])["damaged"], json!(["program"]));
    assert_eq!(sandbox.start_version(), "1.1");
    assert_eq!(ask(&sandbox, &["status"])["hold"], "1.0");
    assert_eq!(ask(&sandbox, &["update"])["result"], "up-to-date");
    // The user went back from 1.2, which is no matter of the hold.
    ask(&sandbox, &["hold", "off"]);
    release(&sandbox, "1.3", &[]);
    assert_eq!(ask(&sandbox, &["update"])["version"], "1.3");
}

#[test]
fn wrong_words_are_told_and_change_nothing() {
    let sandbox = install("off");
    ask(&sandbox, &["channel", "rc"]);
    for words in [
        &["channel", "beta"][..],
        &["channel", "b", "a"],
        &["hold", "latest"],
        &["hold", "1.0", "1.1"],
        &["status", "b"],
    ] {
        let output = run(sandbox.stub().arg("--updater").args(words));
        assert_eq!(output.status.code(), Some(2), "{words:?}: {output:?}");
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(said.contains("--updater help"), "{said}");
    }
    assert_eq!(ask(&sandbox, &["channel"])["chosen"], "rc");
    assert_eq!(ask(&sandbox, &["hold"])["hold"], Value::Null);
}
