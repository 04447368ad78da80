//! A new version must prove itself; one that fails makes room for the version
//! before. Also: going back by hand, repairing, and staging in the background.

#![cfg(unix)]

use notsotuf_stub::stub_version::VERSION_MARKER;
use notsotuf_tests::{Sandbox, bundle, json, run, write_script};
use serde_json::{Value, json};
use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// What a broken version 1.1 does instead of working.
fn sandbox_with(script: &str) -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.release("1.0", &[]);
    sandbox.ship("1.0");
    release_broken(&sandbox, "1.1", script);
    sandbox
}

/// The real bundle, whose program is a script.
fn release_broken(sandbox: &Sandbox, version: &str, script: &str) {
    let folder = sandbox.path(&format!("broken-{version}"));
    let done = run(Command::new("cp").arg("-a").arg(bundle("1.1")).arg(&folder));
    assert!(done.status.success(), "{done:?}");
    write_script(&folder.join("program"), script);
    sandbox.add(version, &folder, &[]);
    sandbox.bundler(&["publish"]);
}

fn status(sandbox: &Sandbox) -> Value {
    json(sandbox.stub().args(["--updater", "status", "--json"]))
}

fn installed(sandbox: &Sandbox) -> String {
    status(sandbox)["installed"]["version"]
        .as_str()
        .unwrap()
        .to_owned()
}

#[test]
fn a_version_that_fails_is_replaced_by_the_one_before_in_the_same_run() {
    for (script, why) in [
        ("exit 1", "exit code 1"),
        ("kill -SEGV $$", "signal 11"),
        ("exec /no/such/program", "exit code 127"),
    ] {
        let sandbox = sandbox_with(script);
        fs::write(sandbox.path("install/app/own"), "mine").unwrap();
        let output = run(sandbox.stub().args(["a", "b c"]));
        let said: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(said["version"], "1.0", "{script}");
        assert_eq!(said["args"], json!(["a", "b c"]));
        let told = String::from_utf8_lossy(&output.stderr);
        assert!(
            told.contains(&format!("version 1.1 did not work ({why})")),
            "{told}"
        );
        let status = status(&sandbox);
        assert_eq!(status["failed"], json!(["1.1"]));
        assert_eq!(status["previous"], Value::Null, "it failed");
        let own = fs::read_to_string(sandbox.path("install/app/own")).unwrap();
        assert_eq!(own, "mine");
        // It is not installed again, until there is a newer one.
        assert_eq!(sandbox.start_version(), "1.0");
        assert!(
            sandbox.log().contains("version 1.1 is skipped"),
            "{}",
            sandbox.log()
        );
        sandbox.release("1.2", &[]);
        assert_eq!(sandbox.start_version(), "1.2", "{}", sandbox.log());
    }
}

#[test]
fn a_program_that_cannot_even_be_started() {
    let sandbox = Sandbox::new();
    sandbox.release("1.0", &[]);
    sandbox.ship("1.0");
    let folder = sandbox.path("broken");
    let done = run(Command::new("cp").arg("-a").arg(bundle("1.1")).arg(&folder));
    assert!(done.status.success(), "{done:?}");
    fs::write(folder.join("program"), "for another kind of computer").unwrap();
    sandbox.add("1.1", &folder, &[]);
    sandbox.bundler(&["publish"]);
    assert_eq!(sandbox.start_version(), "1.0", "{}", sandbox.log());
    assert_eq!(status(&sandbox)["failed"], json!(["1.1"]));
}

#[test]
fn a_version_that_damages_shared_files_before_it_fails() {
    // Both versions have this file, so on disk it is one file.
    let script = "for f in app/_internal/lib*.so*; do echo broken >> $f; break; done; exit 1";
    let sandbox = sandbox_with(script);
    let mut command = sandbox.stub();
    command.current_dir(sandbox.path("install"));
    // Whether 1.0 works with that is another matter.
    run(&mut command);
    assert_eq!(installed(&sandbox), "1.0", "{}", sandbox.log());
    assert!(sandbox.log().contains("was changed since it was installed"));
    let repaired = json(sandbox.stub().args(["--updater", "repair", "--json"]));
    assert_eq!(repaired["damaged"].as_array().unwrap().len(), 1);
    assert_eq!(sandbox.start_version(), "1.0", "{}", sandbox.log());
}

#[test]
fn many_instances_fail_at_once() {
    let sandbox = sandbox_with("sleep 0.2; exit 1");
    let all: Vec<_> = (0..8)
        .map(|_| sandbox.stub().stdout(Stdio::piped()).spawn().unwrap())
        .collect();
    for child in all {
        // Some may have seen others run, and so could not go back themselves.
        child.wait_with_output().unwrap();
    }
    for _ in 0..2 {
        assert_eq!(sandbox.start_version(), "1.0", "{}", sandbox.log());
        assert_eq!(status(&sandbox)["failed"], json!(["1.1"]));
    }
}

#[test]
fn what_the_version_before_does_too_is_not_the_new_ones_fault() {
    let sandbox = Sandbox::new();
    sandbox.release("1.0", &[]);
    sandbox.ship("1.0");
    sandbox.release("1.1", &[]);
    let output = run(sandbox.stub().env("E2E_EXIT", "1"));
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(installed(&sandbox), "1.1");
    assert_eq!(status(&sandbox)["failed"], json!([]));
    assert_eq!(sandbox.start_version(), "1.1");
}

#[test]
fn a_version_that_says_it_is_ready_may_end_as_it_likes() {
    let sandbox = sandbox_with("touch \"$NOTSOTUF_READY_FILE\"; exit 3");
    let output = run(&mut sandbox.stub());
    assert_eq!(output.status.code(), Some(3));
    assert_eq!(installed(&sandbox), "1.1");
    assert_eq!(status(&sandbox)["probation"], false);
    assert!(!sandbox.path("install/.notsotuf/ready").exists());
}

#[test]
fn a_version_that_lives_is_sound_while_it_still_runs() {
    let sandbox = sandbox_with("exec sleep 60");
    sandbox.set("probation", "0.5");
    let mut running = sandbox.stub().stdout(Stdio::null()).spawn().unwrap();
    let start = Instant::now();
    while !sandbox.log().contains("version 1.1 works") {
        assert!(
            start.elapsed() < Duration::from_secs(60),
            "{}",
            sandbox.log()
        );
        std::thread::sleep(Duration::from_millis(20));
    }
    assert!(!sandbox.path("install/.notsotuf/probation").exists());
    let pid = running.id().to_string();
    assert!(run(Command::new("kill").arg(&pid)).status.success());
    // The signal went on to the application, and its end came back.
    assert_eq!(running.wait().unwrap().signal(), Some(15));
    assert_eq!(installed(&sandbox), "1.1");
}

/// Starts 1.1, which hangs, and ends it with a signal.
fn started_and_ended(sandbox: &Sandbox, signal: &str) {
    let mut running = sandbox.stub().stdout(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    let out = running.stdout.take().unwrap();
    std::io::BufRead::read_line(&mut std::io::BufReader::new(out), &mut line).unwrap();
    assert_eq!(line, "hung\n", "{}", sandbox.log());
    let pid = running.id().to_string();
    let done = run(Command::new("kill").args([signal, &pid]));
    assert!(done.status.success());
    running.wait().unwrap();
    assert_eq!(installed(sandbox), "1.1");
    assert_eq!(status(sandbox)["probation"], true);
}

/// A logout, a service that is restarted: nothing against the version.
#[test]
fn a_version_that_is_asked_to_end_has_as_many_tries_as_that_takes() {
    let sandbox = sandbox_with("echo hung; exec sleep 60");
    sandbox.set("probation", "3600.0");
    for signal in ["-TERM", "-HUP", "-TERM", "-INT", "-TERM"] {
        started_and_ended(&sandbox, signal);
    }
    assert_eq!(status(&sandbox)["failed"], json!([]));
}

/// One that hangs, and that its users end: what mends it must come.
#[test]
fn a_version_that_is_always_asked_to_end_is_not_the_last() {
    let sandbox = sandbox_with("echo hung; exec sleep 60");
    sandbox.set("probation", "3600.0");
    started_and_ended(&sandbox, "-TERM");
    sandbox.release("1.2", &[]);
    // For a while nothing takes the place of the version to which it may go back.
    for signal in ["-INT", "-TERM"] {
        started_and_ended(&sandbox, signal);
    }
    assert_eq!(status(&sandbox)["previous"]["version"], "1.0");
    assert_eq!(sandbox.start_version(), "1.2", "{}", sandbox.log());
    assert_eq!(status(&sandbox)["failed"], json!([]));
}

/// The user may have no more processes at this moment.
#[cfg(target_os = "linux")]
#[test]
fn a_version_for_which_there_is_no_process_or_thread_does_not_fail() {
    use std::os::unix::process::CommandExt;
    const NOT_IN_USE: u32 = 64_321;
    if !notsotuf_tests::is_root() {
        eprintln!("skipped: root is not limited, and who is not root has processes already");
        return;
    }
    let sandbox = sandbox_with("echo 1.1");
    let open = run(Command::new("chmod").arg("755").arg(sandbox.path("")));
    assert!(open.status.success());
    let as_user = |program: &str, limit: Option<&str>| {
        let stub = sandbox.path("install/program");
        let mut command = Command::new(program);
        command.args(limit).arg(stub).stdin(Stdio::null());
        command
            .uid(NOT_IN_USE)
            .gid(NOT_IN_USE)
            .env("HOME", "/nonexistent");
        command
    };
    let owned = || {
        let user = format!("{NOT_IN_USE}:{NOT_IN_USE}");
        let install = sandbox.path("install");
        let done = run(Command::new("chown").args(["-R", &user]).arg(install));
        assert!(done.status.success());
    };
    owned();
    let updated = run(as_user("env", None).args(["--updater", "update"]));
    assert!(updated.status.success(), "{updated:?}");
    for limit in [
        "--nproc=1",
        "--nproc=2",
        "--nproc=2",
        "--nproc=2",
        "--nproc=2",
    ] {
        let output = run(&mut as_user("prlimit", Some(limit)));
        assert_eq!(output.stdout, b"1.1\n", "{limit}: {output:?}");
    }
    let status = json(as_user("env", None).args(["--updater", "status", "--json"]));
    assert_eq!(status["failed"], json!([]), "{}", sandbox.log());
    assert_eq!(status["installed"]["version"], "1.1");
}

#[test]
fn a_version_that_hangs_and_is_killed_has_three_tries() {
    let sandbox = sandbox_with("echo hung; exec sleep 60");
    sandbox.set("probation", "3600.0");
    for _ in 0..3 {
        started_and_ended(&sandbox, "-KILL");
    }
    assert_eq!(sandbox.start_version(), "1.0", "{}", sandbox.log());
    assert_eq!(status(&sandbox)["failed"], json!(["1.1"]));
}

#[test]
fn without_probation_the_user_is_on_his_own() {
    let sandbox = sandbox_with("exit 1");
    sandbox.set("probation", "0.0");
    assert_eq!(run(&mut sandbox.stub()).status.code(), Some(1));
    assert_eq!(installed(&sandbox), "1.1");
    // But can go back.
    let back = json(sandbox.stub().args(["--updater", "rollback", "--json"]));
    assert_eq!(back, json!({"result": "updated", "version": "1.0"}));
    assert_eq!(sandbox.start_version(), "1.0");
    let none = json(sandbox.stub().args(["--updater", "check", "--json"]));
    assert_eq!(none["update"], Value::Null);
    let again = json(
        sandbox
            .stub()
            .args(["--updater", "update", "--retry", "--json"]),
    );
    assert_eq!(again["version"], "1.1");
}

#[test]
fn there_may_be_nothing_to_go_back_to() {
    let sandbox = Sandbox::new();
    sandbox.release("1.0", &[]);
    sandbox.ship("1.0");
    let output = run(sandbox.stub().args(["--updater", "rollback"]));
    assert_eq!(output.status.code(), Some(5));
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(told.contains("no earlier version"), "{told}");
    assert_eq!(sandbox.start_version(), "1.0");
}

#[test]
fn damaged_and_missing_files_are_restored() {
    let sandbox = Sandbox::new();
    sandbox.release("1.0", &[]);
    sandbox.ship("1.0");
    let repair = |args: &[&str]| {
        let mut command = sandbox.stub();
        json(command.args(["--updater", "repair", "--json"]).args(args))
    };
    assert_eq!(repair(&[])["result"], "up-to-date");
    let app = sandbox.path("install/app");
    let library = app.join("_internal/base_library.zip");
    fs::write(&library, "damaged").unwrap();
    fs::remove_file(app.join("program")).unwrap();
    fs::write(app.join("own"), "mine").unwrap();
    let done = repair(&[]);
    assert_eq!(
        done["damaged"],
        json!(["_internal/base_library.zip", "program"])
    );
    assert_eq!(done["result"], "updated");
    assert_eq!(
        fs::read(&library).unwrap(),
        fs::read(bundle("1.0").join("_internal/base_library.zip")).unwrap()
    );
    assert_eq!(fs::read_to_string(app.join("own")).unwrap(), "mine");
    assert_eq!(sandbox.start_version(), "1.0");
    assert_eq!(repair(&[])["result"], "up-to-date");
}

#[test]
fn users_changes_to_shipped_files_are_kept_where_the_settings_say_so() {
    let sandbox = Sandbox::new();
    let release = |version: &str, shipped: &str| {
        let folder = sandbox.path(&format!("bundle-{version}"));
        let done = run(Command::new("cp")
            .arg("-a")
            .arg(bundle(version))
            .arg(&folder));
        assert!(done.status.success(), "{done:?}");
        fs::create_dir_all(folder.join("config")).unwrap();
        for name in ["edited.ini", "same.ini", "other.txt"] {
            fs::write(folder.join("config").join(name), shipped).unwrap();
        }
        sandbox.add(version, &folder, &[]);
        sandbox.bundler(&["publish"]);
    };
    release("1.0", "shipped");
    sandbox.ship("1.0");
    sandbox.set("preserve", "[\"config/*.ini\"]");
    let config = sandbox.path("install/app/config");
    let text = |name: &str| fs::read_to_string(config.join(name)).unwrap();
    fs::write(config.join("edited.ini"), "mine").unwrap();
    // Not touched by this release: a patch does.
    release("1.1", "shipped");
    assert_eq!(sandbox.start_version(), "1.1");
    assert!(sandbox.log().contains("by 1 patch"), "{}", sandbox.log());
    assert_eq!(text("edited.ini"), "mine");
    // Touched by this one.
    release("1.2", "newly shipped");
    fs::write(config.join("other.txt"), "mine").unwrap();
    assert_eq!(sandbox.start_version(), "1.2");
    assert_eq!(text("edited.ini"), "mine");
    assert_eq!(text("same.ini"), "newly shipped");
    assert_eq!(text("other.txt"), "newly shipped");
    // And it is no damage.
    let repair = json(sandbox.stub().args(["--updater", "repair", "--json"]));
    assert_eq!(repair["result"], "up-to-date");
}

#[test]
fn in_the_background_the_application_starts_at_once_and_the_update_comes_next_time() {
    let sandbox = Sandbox::new();
    sandbox.release("1.0", &[]);
    sandbox.ship("1.0");
    sandbox.set("mode", "\"background\"");
    sandbox.release("1.1", &[]);
    let mut running = sandbox
        .stub()
        .arg("--sleep")
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let start = Instant::now();
    while !sandbox
        .log()
        .contains("will be installed at the next start")
    {
        assert!(
            start.elapsed() < Duration::from_secs(60),
            "{}",
            sandbox.log()
        );
        std::thread::sleep(Duration::from_millis(20));
    }
    assert_eq!(installed(&sandbox), "1.0");
    let pid = running.id().to_string();
    assert!(run(Command::new("kill").arg(&pid)).status.success());
    running.wait().unwrap();
    sandbox.server.as_ref().unwrap().requests();
    assert_eq!(sandbox.start_version(), "1.1");
    sandbox.set("mode", "\"off\"");
    sandbox.release("1.2", &[]);
    sandbox.server.as_ref().unwrap().requests();
    assert_eq!(sandbox.start_version(), "1.1");
    assert_eq!(sandbox.server.as_ref().unwrap().requests(), [""; 0]);
}

fn own_version(sandbox: &Sandbox) -> String {
    let said = json(sandbox.stub().args(["--updater", "version", "--json"]));
    said["updater"].as_str().unwrap().to_owned()
}

#[test]
fn the_stub_replaces_itself() {
    let sandbox = Sandbox::new();
    sandbox.release("1.0", &[]);
    sandbox.ship("1.0");
    let before = own_version(&sandbox);
    let newer = sandbox.stub_of_version("9.1");
    let added = sandbox.bundler(&["add-stub", newer.to_str().unwrap()]);
    assert_eq!(added["version"], "9.1");
    assert_eq!(added["archive"]["path"], "app-stub-9.1.tar.gz");
    // A release that the old stub cannot install; the new one can.
    sandbox.add("1.1", &bundle("1.1"), &["--min-stub", "9"]);
    sandbox.bundler(&["publish"]);
    assert_eq!(sandbox.start_version(), "1.0");
    let log = sandbox.log();
    assert!(
        log.contains(&format!(
            "version 1.1 needs version 9 of the updater, and this is version {before}"
        )),
        "{log}"
    );
    assert!(log.contains("updated the updater to version 9.1"), "{log}");
    assert_eq!(own_version(&sandbox), "9.1");
    let old = sandbox.path("install/.notsotuf/old-stub");
    assert!(old.exists(), "kept until the new one has launched");
    assert_eq!(sandbox.start_version(), "1.1", "{}", sandbox.log());
    assert!(!old.exists());
    assert_eq!(sandbox.start_version(), "1.1");
    let verified = sandbox.bundler(&["verify"]);
    assert_eq!(verified["problems"], json!([]), "{verified}");
}

#[test]
fn a_stub_that_does_not_run_here_is_not_taken() {
    let sandbox = Sandbox::new();
    sandbox.release("1.0", &[]);
    sandbox.ship("1.0");
    let before = own_version(&sandbox);
    // As one for another platform would be.
    let foreign = sandbox.path("foreign");
    fs::write(&foreign, format!("\x7fELF {VERSION_MARKER}9.2\n")).unwrap();
    sandbox.bundler(&["add-stub", foreign.to_str().unwrap()]);
    sandbox.bundler(&["publish"]);
    assert_eq!(sandbox.start_version(), "1.0");
    let log = sandbox.log();
    assert!(log.contains("does not run on this computer"), "{log}");
    assert_eq!(own_version(&sandbox), before);
    // It is not fetched over and over.
    sandbox.server.as_ref().unwrap().requests();
    assert_eq!(sandbox.start_version(), "1.0");
    let requests = sandbox.server.as_ref().unwrap().requests();
    assert!(!requests.iter().any(|r| r.contains("stub")), "{requests:?}");
    sandbox.release("1.1", &[]);
    assert_eq!(sandbox.start_version(), "1.1");
}
