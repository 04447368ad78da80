//! Trying an update before anybody gets it.

#![cfg(unix)]

use notsotuf_tests::release::{Desk, hello};
use notsotuf_tests::{bundle, write_script};
use serde_json::{Value, json};
use std::fs;
use std::process::Stdio;
use std::time::{Duration, Instant};

/// Runs it with a folder of its own for what is temporary; returns the exit code,
/// and what it says.
fn rehearse(desk: &Desk, arguments: &[&str]) -> (Option<i32>, String) {
    let temporary = desk.path("temporary");
    fs::create_dir_all(&temporary).unwrap();
    let mut command = desk.command(&[&["rehearse"], arguments].concat());
    // A proxy that knows nothing of this machine, as in many a CI.
    let proxy = "http://127.0.0.1:9";
    let done = command
        .env("TMPDIR", &temporary)
        .env("http_proxy", proxy)
        .output()
        .unwrap();
    let left: Vec<_> = fs::read_dir(&temporary).unwrap().collect();
    assert!(left.is_empty(), "{left:?}");
    let said = [done.stdout, done.stderr].concat();
    (
        done.status.code(),
        String::from_utf8_lossy(&said).into_owned(),
    )
}

#[test]
fn a_real_update_is_tried_without_a_project() {
    let desk = Desk::new();
    let (old, new) = (bundle("1.0"), bundle("1.1"));
    let (old, new) = (old.to_str().unwrap(), new.to_str().unwrap());
    let arguments = [new, "--from", old, "--json", "--", "an argument"];
    let (code, said) = rehearse(&desk, &arguments);
    assert_eq!(code, Some(0), "{said}");
    let said: Value = serde_json::from_str(&said).unwrap();
    assert!(said["patch"].as_u64().unwrap() < said["archive"].as_u64().unwrap() / 10);
    let start = |version: &str| json!({ "version": version, "exit_code": 0 });
    let starts = ["old", "new", "new", "old"].map(start);
    assert_eq!(said["starts"], Value::from(starts.to_vec()));
}

#[test]
fn the_newest_release_is_updated_with_the_settings_of_the_project() {
    let desk = Desk::with_project();
    let settings = desk.path("p/notsotuf-project.toml");
    let text = fs::read_to_string(&settings).unwrap();
    let own = "settings = { probation = 0.5, preserve = ['data'], mirrors = ['http://127.0.0.1:9'], ca_file = 'ca.pem', mode = 'off' }";
    let text = text.replace(
        "# settings = { probation",
        &format!("{own}\n# settings = {{ probation"),
    );
    fs::write(&settings, text).unwrap();
    // One that does not end by itself, and says which settings it has.
    let script = "grep -q 'probation = 0.5' \"$(dirname \"$NOTSOTUF_STUB\")/notsotuf.toml\" || exit 9\nexec sleep 60";
    write_script(&desk.path("b/hello"), script);
    let (code, said) = rehearse(&desk, &["-C", "p", "b", "--for", "2s"]);
    assert_eq!(code, Some(0), "{said}");
    assert_eq!(
        said.matches("new version: still running").count(),
        2,
        "{said}"
    );
    assert!(said.contains("the update works: archive of"), "{said}");
    // Nothing of the project has changed.
    let list = desk.json(&["-C", "p", "list", "--json"]);
    assert!(!list.to_string().contains("1.1"), "{list}");
}

#[test]
fn an_interrupted_one_leaves_nothing_not_even_a_stubborn_application() {
    let desk = Desk::new();
    let seen = desk.path("seen");
    let script = format!(
        "trap '' TERM\necho $$ \"$GITHUB_TOKEN\" \"$AWS_SECRET_ACCESS_KEY\" > {0:?}.new\n\
         mv {0:?}.new {0:?}\nwhile :; do sleep 0.1; done",
        seen.to_str().unwrap()
    );
    write_script(&desk.path("b/hello"), &script);
    let temporary = desk.path("temporary");
    fs::create_dir_all(&temporary).unwrap();
    let mut command = desk.command(&["rehearse", "b", "--from", "b", "--for", "60s"]);
    command
        .env("TMPDIR", &temporary)
        .env("GITHUB_TOKEN", "secret")
        .env("AWS_SECRET_ACCESS_KEY", "secret");
    let mut running = command.stdout(Stdio::null()).spawn().unwrap();
    let begun = Instant::now();
    while !seen.exists() {
        assert!(begun.elapsed() < Duration::from_secs(60));
        assert!(running.try_wait().unwrap().is_none());
        std::thread::sleep(Duration::from_millis(20));
    }
    let told = fs::read_to_string(&seen).unwrap();
    let application: u32 = told.trim().parse().expect("a number, and no secret");
    let id = rustix::process::Pid::from_child(&running);
    rustix::process::kill_process(id, rustix::process::Signal::TERM).unwrap();
    assert_eq!(running.wait().unwrap().code(), Some(128 + 15));
    let left: Vec<_> = fs::read_dir(&temporary).unwrap().collect();
    assert!(left.is_empty(), "{left:?}");
    let gone = || {
        let state = fs::read_to_string(format!("/proc/{application}/stat"));
        state.map_or(true, |state| state.contains(") Z "))
    };
    while !gone() {
        assert!(begun.elapsed() < Duration::from_secs(60), "it still runs");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn what_would_not_work_is_told_with_the_reason() {
    let desk = Desk::with_project();
    write_script(
        &desk.path("b/hello"),
        "echo 'cannot find the frobnicator' >&2\nexit 3",
    );
    let (code, said) = rehearse(&desk, &["-C", "p", "b"]);
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("version 1.0 is installed, not 1.1"), "{said}");
    assert!(said.contains("cannot find the frobnicator"), "{said}");
    assert!(
        said.contains("log of the stub:") && said.contains("exit code 3"),
        "{said}"
    );
    // One that had no time to fail.
    write_script(&desk.path("d/hello"), "sleep 1.5\nexit 3");
    let (code, said) = rehearse(&desk, &["d", "--from", "d", "--for", "1s"]);
    assert!(code == Some(1) && said.contains("--for"), "{said}");
    // Already without an update.
    hello(&desk.path("c"), "1.1");
    let (code, said) = rehearse(&desk, &["c", "--from", "b"]);
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("the old version ends with"), "{said}");
    assert!(said.contains("cannot find the frobnicator"), "{said}");
    // Once it has updated, and so at its second start only.
    let once = "f=\"$NOTSOTUF_STUB.seen\"; test -e \"$f\" && exit 4; echo > \"$f\"";
    write_script(&desk.path("e/hello"), once);
    let (code, said) = rehearse(&desk, &["e", "--from", "c"]);
    assert_eq!(code, Some(1), "{said}");
    assert!(
        said.contains("the new version ends with exit status: 4"),
        "{said}"
    );
    // A project that cannot be read is not passed over.
    let settings = desk.path("p/notsotuf-project.toml");
    let text = fs::read_to_string(&settings).unwrap();
    fs::write(&settings, format!("nonsense\n{text}")).unwrap();
    let (code, said) = rehearse(&desk, &["-C", "p", "c", "--from", "c"]);
    assert!(
        code == Some(1) && said.contains("notsotuf-project.toml"),
        "{said}"
    );
    fs::write(&settings, text).unwrap();
    // What `add` refuses, and what is not there.
    fs::create_dir(desk.path("empty")).unwrap();
    let (code, said) = rehearse(&desk, &["empty", "--from", "c"]);
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("notsotuf add failed"), "{said}");
    let (code, said) = rehearse(&desk, &["c"]);
    assert!(code == Some(1) && said.contains("notsotuf init"), "{said}");
}

#[test]
fn what_add_takes_only_when_forced_is_tried_when_forced() {
    let desk = Desk::new();
    for (name, version) in [("b", "1.0"), ("c", "1.1")] {
        hello(&desk.path(name), version);
        // As in a folder of sources.
        fs::write(desk.path(name).join("hello.spec"), version).unwrap();
    }
    let arguments = ["c", "--from", "b", "--for", "2s"];
    let (code, said) = rehearse(&desk, &arguments);
    assert_eq!(code, Some(1), "{said}");
    assert!(
        said.contains("hello.spec") && said.contains("--force"),
        "{said}"
    );
    let (code, said) = rehearse(&desk, &[&arguments[..], &["--force"]].concat());
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("the update works"), "{said}");
}
