//! What is done with releases that are out: rolling out step by step,
//! withdrawing, notes.

use notsotuf_tests::forge::Forge;
use notsotuf_tests::{Sandbox, bundle, json, run};
use serde_json::{Value, json};
use std::fs;
use std::process::Command;

fn check(sandbox: &Sandbox) -> Value {
    json(sandbox.stub().args(["--updater", "check", "--json"]))
}

#[test]
fn a_release_is_rolled_out_step_by_step() {
    let sandbox = Sandbox::new();
    sandbox.release("1.0", &[]);
    sandbox.ship("1.0");
    sandbox.release("1.1", &["--rollout", "0%"]);
    assert_eq!(sandbox.start_version(), "1.0");
    let percent = |percent: &str| {
        let set = sandbox.bundler(&["rollout", "1.1", percent]);
        assert_eq!(set["app"], "app");
        sandbox.bundler(&["publish"]);
    };
    // By the id of this install it is in or out, and stays in.
    let id = sandbox.path("install/.notsotuf/id");
    let stored = fs::read_to_string(&id).unwrap();
    let mut seen = Vec::new();
    for step in ["1%", "25", "50%", "75%", "99%"] {
        percent(step);
        seen.push(check(&sandbox)["update"] == "1.1");
    }
    assert!(seen.is_sorted(), "{seen:?}");
    assert_eq!(fs::read_to_string(&id).unwrap(), stored);
    percent("100%");
    assert_eq!(sandbox.start_version(), "1.1");
    let output = run(&mut sandbox.command(&["rollout", "1.1", "101%"]));
    assert_eq!(output.status.code(), Some(2));
    let output = run(&mut sandbox.command(&["rollout", "7.0", "1%"]));
    assert_eq!(output.status.code(), Some(1));
}

#[test]
fn a_required_release_is_for_all_whatever_the_percentage() {
    let sandbox = Sandbox::new();
    sandbox.release("1.0", &[]);
    sandbox.ship("1.0");
    sandbox.release("1.1", &["--required", "--rollout", "0"]);
    assert_eq!(sandbox.start_version(), "1.1");
}

#[test]
fn clients_leave_a_withdrawn_release() {
    let sandbox = Sandbox::new();
    sandbox.release("1.0", &[]);
    sandbox.release("1.1", &[]);
    sandbox.ship("1.1");
    fs::write(sandbox.path("install/app/own"), "mine").unwrap();
    assert_eq!(sandbox.start_version(), "1.1");
    sandbox.release("1.2", &[]);
    sandbox.bundler(&["yank", "1.2"]);
    sandbox.bundler(&["yank", "1.1"]);
    sandbox.bundler(&["publish"]);
    // 1.1 and what leads to and from it are gone.
    let targets: Vec<_> = fs::read_dir(sandbox.repository().join("targets"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    assert_eq!(targets.len(), 1, "{targets:?}");
    assert!(targets[0].ends_with("app-1.0.tar.gz"), "{targets:?}");
    assert_eq!(sandbox.start_version(), "1.0", "{}", sandbox.log());
    assert!(sandbox.log().contains("was withdrawn"), "{}", sandbox.log());
    let own = fs::read_to_string(sandbox.path("install/app/own"));
    assert_eq!(own.unwrap(), "mine");
    // Nor is there a way back to it.
    let back = run(sandbox.stub().args(["--updater", "rollback"]));
    assert_eq!(back.status.code(), Some(5));
    let told = String::from_utf8(back.stderr).unwrap();
    assert!(
        told.contains("1.1, which was here before, was withdrawn"),
        "{told}"
    );
    assert_eq!(sandbox.start_version(), "1.0");
    // The next one is for all again.
    sandbox.release("1.3", &[]);
    assert_eq!(sandbox.start_version(), "1.3", "{}", sandbox.log());
    let back = json(sandbox.stub().args(["--updater", "rollback", "--json"]));
    assert_eq!(back["version"], "1.0");
    let only = run(&mut sandbox.command(&["yank", "9.9"]));
    assert_eq!(only.status.code(), Some(1));
    assert_eq!(
        sandbox.bundler(&["verify"])["problems"],
        json!([]),
        "what is left is sound"
    );
}

#[test]
fn what_is_listed_and_withdrawn_is_not_published() {
    let sandbox = Sandbox::new();
    sandbox.release("1.0", &[]);
    sandbox.release("1.1", &[]);
    let mut forge = Forge::new(&sandbox);
    let said = &mut forge.targets["targets"]["app-1.0.tar.gz"]["custom"]["tufup"];
    said["withdrawn"] = json!(["1.1"]);
    forge.publish(&|_, _, bytes| bytes);
    let checked = run(&mut sandbox.command(&["verify", "--metadata-only"]));
    let said = String::from_utf8_lossy(&checked.stdout).into_owned();
    assert_eq!(checked.status.code(), Some(3), "{said}");
    assert!(said.contains("is withdrawn, but listed"), "{said}");
    let refused = run(&mut sandbox.command(&["publish"]));
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert_eq!(refused.status.code(), Some(1), "{said}");
    assert!(said.contains("`notsotuf yank 1.1 --app app`"), "{said}");
    // Clients must be able to go on meanwhile; and the advice works.
    sandbox.bundler(&["renew"]);
    sandbox.bundler(&["yank", "1.1", "--app", "app"]);
    sandbox.bundler(&["publish"]);
    assert_eq!(sandbox.bundler(&["verify"])["problems"], json!([]));
}

#[test]
fn the_only_release_cannot_be_withdrawn() {
    let sandbox = Sandbox::new();
    sandbox.release("1.0", &[]);
    let output = run(&mut sandbox.command(&["yank", "1.0"]));
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8_lossy(&output.stderr).into_owned()
        + &String::from_utf8_lossy(&output.stdout);
    assert!(said.contains("only release"), "{said}");
}

fn refused(sandbox: &Sandbox, args: &[&str], words: &str) {
    let output = run(&mut sandbox.command(args));
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{args:?}: {said}");
    assert!(said.contains(words), "{args:?}: {said}");
}

#[test]
fn who_has_what_is_withdrawn_must_have_a_way_out() {
    let sandbox = Sandbox::new();
    sandbox.release("1.0", &[]);
    sandbox.ship("1.0");
    // Which those who want final ones never get.
    sandbox.add("1.1b1", &bundle("1.2"), &[]);
    sandbox.bundler(&["publish"]);
    let none = "no release that is left is as final";
    refused(&sandbox, &["yank", "1.0"], none);
    sandbox.release("1.1", &["--rollout", "0%"]);
    let advice = "`notsotuf rollout 1.1 100% --app app`";
    refused(&sandbox, &["yank", "1.0"], advice);
    // The beta may go: all who have it see 1.0. And what nobody has, too.
    sandbox.add("1.2", &bundle("1.3"), &["--rollout", "0%"]);
    sandbox.bundler(&["yank", "1.2"]);
    sandbox.bundler(&["yank", "1.1b1"]);
    sandbox.bundler(&["rollout", "1.1", "100%", "--app", "app"]);
    sandbox.bundler(&["yank", "1.0"]);
    // Nor is it taken away later without a word.
    let held = sandbox.bundler(&["rollout", "1.1", "0%", "--app", "app"]);
    let warned = held["warnings"].to_string();
    assert!(warned.contains("1.0 was withdrawn"), "{warned}");
    let again = sandbox.bundler(&["rollout", "1.1", "100%", "--app", "app"]);
    assert_eq!(again["warnings"], json!([]));
    sandbox.bundler(&["publish"]);
    assert_eq!(sandbox.start_version(), "1.1", "{}", sandbox.log());
}

#[test]
fn the_last_release_that_tells_what_was_withdrawn_is_not_removed() {
    let sandbox = Sandbox::new();
    sandbox.release("1.0", &[]);
    sandbox.ship("1.0");
    sandbox.add("2.0", &bundle("1.2"), &[]);
    sandbox.bundler(&["publish"]);
    assert_eq!(sandbox.start_version(), "1.2");
    sandbox.bundler(&["yank", "2.0"]);
    sandbox.bundler(&["publish"]);
    let advice = "`notsotuf prune --keep 1 --app app`";
    refused(&sandbox, &["remove-latest"], advice);
    // As it says.
    sandbox.release("1.1", &[]);
    sandbox.bundler(&["prune", "--keep", "1", "--app", "app"]);
    sandbox.bundler(&["publish"]);
    assert_eq!(sandbox.start_version(), "1.1", "{}", sandbox.log());
}

#[test]
fn releases_that_few_get_do_not_count_when_others_are_dropped() {
    let sandbox = Sandbox::new();
    sandbox.release("1.0", &[]);
    sandbox.ship("1.0");
    sandbox.release("1.1", &[]);
    sandbox.release("1.2", &["--rollout", "0%"]);
    let done = sandbox.bundler(&["prune", "--keep", "1"]);
    assert_eq!(done["removed"], json!(["1.0"]));
    sandbox.bundler(&["publish"]);
    assert_eq!(sandbox.start_version(), "1.1", "{}", sandbox.log());
}

#[test]
fn notes_are_shown_from_what_is_installed_on() {
    let sandbox = Sandbox::new();
    for (version, notes) in [("1.0", "First."), ("1.1", "Faster."), ("1.2", "*Nicer*.")] {
        let path = sandbox.path("notes.md");
        fs::write(&path, notes).unwrap();
        sandbox.release(version, &["--notes", path.to_str().unwrap()]);
    }
    sandbox.ship("1.0");
    let notes = check(&sandbox)["notes"].clone();
    assert_eq!(
        notes,
        json!([
            { "version": "1.2", "text": "*Nicer*." },
            { "version": "1.1", "text": "Faster." },
        ])
    );
    // And are there afterwards, for the application to show.
    assert_eq!(sandbox.start_version(), "1.2");
    let status = json(sandbox.stub().args(["--updater", "status", "--json"]));
    assert_eq!(status["notes"], notes);
    let words = run(sandbox.stub().args(["--updater", "status"]));
    let words = String::from_utf8(words.stdout).unwrap();
    assert!(words.contains("\n1.1\nFaster.\n"), "{words}");
    // Not those of a version that is not there (any more).
    sandbox.release("1.3", &[]);
    json(sandbox.stub().args(["--updater", "rollback", "--json"]));
    let status = json(sandbox.stub().args(["--updater", "status", "--json"]));
    assert_eq!(status["notes"], json!([]));
    // All since the one that is left.
    assert_eq!(sandbox.start_version(), "1.3");
    let status = json(sandbox.stub().args(["--updater", "status", "--json"]));
    assert_eq!(status["notes"], notes);
}

#[test]
fn applications_in_one_repository_do_not_disturb_each_other() {
    let sandbox = Sandbox::with(&["--app", "other"]);
    let add = |app: &str, version: &str, bundle_version: &str, more: &[&str]| {
        sandbox.add(
            version,
            &bundle(bundle_version),
            &[&["--app", app], more].concat(),
        );
        sandbox.bundler(&["publish"]);
    };
    add("app", "1.0", "1.0", &[]);
    add("other", "7.0", "1.1", &[]);
    sandbox.ship_with(&["--app", "app"]);
    let other = sandbox.path("other");
    let output = other.to_str().unwrap();
    sandbox.bundler(&["ship", "--app", "other", "--output", output]);
    let start_other = || notsotuf_tests::json(&mut Command::new(other.join("program")));
    assert_eq!(sandbox.start_version(), "1.0");
    assert_eq!(start_other()["version"], "1.1");

    add("other", "8.0", "1.2", &["--required"]);
    assert_eq!(sandbox.start_version(), "1.0");
    assert_eq!(start_other()["version"], "1.2");
    add("app", "1.1", "1.3", &["--rollout", "0%"]);
    sandbox.bundler(&["yank", "8.0", "--app", "other"]);
    sandbox.bundler(&["publish"]);
    assert_eq!(sandbox.start_version(), "1.0");
    assert_eq!(start_other()["version"], "1.1");
    sandbox.bundler(&["rollout", "1.1", "100%", "--app", "app"]);
    sandbox.bundler(&["prune", "--keep", "1", "--app", "app"]);
    sandbox.bundler(&["publish"]);
    assert_eq!(sandbox.start_version(), "1.3");
    assert_eq!(
        sandbox.bundler(&["verify"])["problems"],
        serde_json::json!([])
    );
    // Which one is meant must be said.
    let unclear = notsotuf_tests::run(&mut sandbox.command(&["yank", "7.0"]));
    assert_eq!(unclear.status.code(), Some(1));
    let said = String::from_utf8_lossy(&unclear.stderr).into_owned();
    assert!(said.contains("name one with --app"), "{said}");
}
