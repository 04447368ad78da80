//! What the client believes of what it finds on its own disk, and what gets
//! into its log: a new package over an old install, trees that nobody signed
//! in the staging area, links in the state dir, names that are not text.

#![cfg(unix)]

use notsotuf_tests::{
    Sandbox, Server, copy_tree, program, run, set_mode, text, write_version_script,
};
use serde_json::{Value, json};
use std::fs;
use std::os::unix::fs::{MetadataExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// A release that is one script.
fn bundle(folder: &Path, version: &str, says: &str) -> PathBuf {
    let bundle = folder.join(format!("bundle-{version}-{says}"));
    write_version_script(&bundle.join("program"), says);
    bundle
}

fn release(sandbox: &Sandbox, version: &str) {
    let bundle = bundle(&sandbox.path(""), version, version);
    sandbox.add(version, &bundle, &["--skip-patch"]);
    sandbox.bundler(&["publish"]);
}

/// An install of 1.0, of a project with these arguments of `init`.
fn installed(init: &[&str]) -> Sandbox {
    let sandbox = Sandbox::with(init);
    release(&sandbox, "1.0");
    sandbox.ship("1.0");
    sandbox
}

/// With 1.1 staged, as it would be while an instance runs.
fn staged() -> Sandbox {
    let sandbox = installed(&[]);
    release(&sandbox, "1.1");
    updater(&sandbox, &["stage"]);
    assert!(sandbox.path("install/.notsotuf/staging/tree").exists());
    sandbox
}

fn updater(sandbox: &Sandbox, arguments: &[&str]) -> Output {
    run(sandbox.stub().arg("--updater").args(arguments))
}

fn stored_root(sandbox: &Sandbox) -> Value {
    let bytes = fs::read(sandbox.path("install/.notsotuf/metadata/root.json")).unwrap();
    serde_json::from_slice::<Value>(&bytes).unwrap()["signed"].take()
}

fn root_version(sandbox: &Sandbox) -> u64 {
    stored_root(sandbox)["version"].as_u64().unwrap()
}

/// Other keys for all roles that are online, in new versions of the root.
fn rotate_online_keys(sandbox: &Sandbox) {
    for role in ["targets", "snapshot", "timestamp"] {
        let new = format!("{role}-2");
        sandbox.bundler(&["keys", "create", &new, "--plain"]);
        sandbox.bundler(&["keys", "replace", role, &new]);
        sandbox.bundler(&["publish"]);
    }
}

/// Puts another root beside the stub, as a new package does.
fn reinstall(sandbox: &Sandbox, root: &Path) {
    fs::copy(root, sandbox.path("install/root.json")).unwrap();
}

fn published_root(sandbox: &Sandbox, version: u64) -> PathBuf {
    let name = format!("metadata/{version}.root.json");
    sandbox.repository().join(name)
}

/// A copy of the project as it is, with its keys, that offers 6.6.
fn thief(sandbox: &Sandbox) -> Server {
    let project = sandbox.path("thief");
    copy_tree(&sandbox.path("project"), &project);
    let evil = bundle(&sandbox.path(""), "6.6", "evil");
    for arguments in [&["add", "6.6", text(&evil)][..], &["publish"]] {
        let done = run(&mut notsotuf_tests::bundler_in(&project, arguments));
        assert!(done.status.success(), "{done:?}");
    }
    Server::start(&project.join("repository"))
}

/// As an install that the version before made: it remembered no roots.
fn forget_chain(sandbox: &Sandbox) {
    fs::remove_file(sandbox.path("install/.notsotuf/metadata/root.chain")).unwrap();
}

#[test]
fn a_newer_root_in_a_new_package_is_taken() {
    for remembered in [true, false] {
        let sandbox = installed(&[]);
        assert_eq!(sandbox.start_version(), "1.0");
        let thief = thief(&sandbox);
        rotate_online_keys(&sandbox);
        let newest = 4;
        if !remembered {
            forget_chain(&sandbox);
        }
        copy_tree(&sandbox.path("install"), &sandbox.path("before"));
        reinstall(&sandbox, &published_root(&sandbox, newest));
        sandbox.point_to(&thief.url);
        for _ in 0..2 {
            assert_eq!(sandbox.start_version(), "1.0", "{}", sandbox.log());
            assert_eq!(root_version(&sandbox), newest);
        }
        let stored = sandbox.path("install/.notsotuf/metadata/timestamp.json");
        assert!(!stored.exists(), "it was signed by a key that is gone");
        // Real updates go on.
        sandbox.point_to(&sandbox.url());
        release(&sandbox, "1.1");
        assert_eq!(sandbox.start_version(), "1.1", "{}", sandbox.log());
        // An older package of the same project changes nothing.
        reinstall(&sandbox, &published_root(&sandbox, 1));
        sandbox.point_to(&thief.url);
        assert_eq!(sandbox.start_version(), "1.1", "{}", sandbox.log());
        assert_eq!(root_version(&sandbox), newest);
        // Control: who knows only the old keys believes the thief.
        fs::remove_dir_all(sandbox.path("install")).unwrap();
        copy_tree(&sandbox.path("before"), &sandbox.path("install"));
        sandbox.point_to(&thief.url);
        assert_eq!(sandbox.start_version(), "evil", "{}", sandbox.log());
    }
}

#[test]
fn what_stolen_keys_staged_goes_with_them() {
    let sandbox = installed(&[]);
    let thief = thief(&sandbox);
    sandbox.point_to(&thief.url);
    updater(&sandbox, &["stage"]);
    assert!(sandbox.path("install/.notsotuf/staging/tree").exists());
    rotate_online_keys(&sandbox);
    let newest = sandbox.repository().join("metadata/root.json");
    reinstall(&sandbox, &newest);
    for mode in ["off", "before-launch"] {
        sandbox.set("mode", &format!("{mode:?}"));
        assert_eq!(sandbox.start_version(), "1.0", "{}", sandbox.log());
    }
}

#[test]
fn an_older_root_in_an_old_package_changes_nothing() {
    for remembered in [true, false] {
        let sandbox = installed(&[]);
        let thief = thief(&sandbox);
        rotate_online_keys(&sandbox);
        assert_eq!(sandbox.start_version(), "1.0");
        let newest = root_version(&sandbox);
        assert!(newest > 1);
        let before = stored_root(&sandbox);
        for version in [1, newest] {
            if !remembered {
                forget_chain(&sandbox);
            }
            reinstall(&sandbox, &published_root(&sandbox, version));
            sandbox.point_to(&thief.url);
            assert_eq!(sandbox.start_version(), "1.0", "{}", sandbox.log());
            assert_eq!(stored_root(&sandbox), before);
            let timestamp = sandbox.path("install/.notsotuf/metadata/timestamp.json");
            assert!(timestamp.exists());
        }
    }
}

#[test]
fn a_project_that_was_started_anew_is_followed() {
    for (old, new) in [(1, 1), (4, 1), (1, 4)] {
        for remembered in [true, false] {
            let sandbox = staged();
            if old > 1 {
                rotate_online_keys(&sandbox);
            }
            updater(&sandbox, &["check"]);
            assert_eq!(root_version(&sandbox), old, "{}", sandbox.log());
            fs::write(sandbox.path("install/.notsotuf/quarantine"), "1.1\n").unwrap();
            if !remembered {
                forget_chain(&sandbox);
            }
            let anew = Sandbox::new();
            release(&anew, "1.0");
            if new > 1 {
                rotate_online_keys(&anew);
            }
            anew.ship("1.0");
            let shipped = anew.path("install");
            let what = run(Command::new("cp")
                .arg("-a")
                .arg(shipped.join("."))
                .arg(sandbox.path("install")));
            assert!(what.status.success(), "{what:?}");
            let names = |sandbox: &Sandbox| sandbox.path("install/.notsotuf/staging").exists();
            // Offline, nothing of the old one is installed.
            sandbox.point_to("http://127.0.0.1:9");
            assert_eq!(sandbox.start_version(), "1.0", "{}", sandbox.log());
            assert!(sandbox.log().contains("starting over"), "{}", sandbox.log());
            assert!(!names(&sandbox), "{old} {new} {remembered}");
            assert!(!sandbox.path("install/.notsotuf/quarantine").exists());
            assert_eq!(root_version(&sandbox), new);
            // Its 1.1 is another one than that which failed.
            sandbox.point_to(&anew.url());
            release(&anew, "1.1");
            assert_eq!(sandbox.start_version(), "1.1", "{}", sandbox.log());
            // And so it stays, as the new chain goes on.
            anew.bundler(&["keys", "create", "more", "--plain"]);
            let old_key = if new > 1 { "targets-2" } else { "targets" };
            anew.bundler(&["keys", "replace", old_key, "more"]);
            release(&anew, "1.2");
            assert_eq!(sandbox.start_version(), "1.2", "{}", sandbox.log());
            assert_eq!(sandbox.log().matches("starting over").count(), 1);
        }
    }
}

#[test]
fn a_shipped_root_that_is_damaged_is_not_taken() {
    let sandbox = installed(&[]);
    assert_eq!(sandbox.start_version(), "1.0");
    let before = stored_root(&sandbox);
    let mut damaged: Value =
        serde_json::from_slice(&fs::read(published_root(&sandbox, 1)).unwrap()).unwrap();
    damaged["signed"]["version"] = 7.into();
    let path = sandbox.path("install/root.json");
    release(&sandbox, "1.1");
    for text in [damaged.to_string(), String::new(), "{}".into()] {
        fs::write(&path, text).unwrap();
        assert!(["1.0", "1.1"].contains(&sandbox.start_version().as_str()));
        assert_eq!(stored_root(&sandbox), before);
    }
    assert!(sandbox.log().contains("the shipped root cannot be used"));
    assert_eq!(sandbox.start_version(), "1.1", "{}", sandbox.log());
}

/// A tree with a record of another project, where a staged update lies.
fn plant(sandbox: &Sandbox, version: &str, says: &str) {
    let other = Sandbox::new();
    let bundle = bundle(&other.path(""), version, says);
    other.add(version, &bundle, &[]);
    other.bundler(&["publish"]);
    other.ship(version);
    put_staged(sandbox, &other.path("install/app"));
}

fn put_staged(sandbox: &Sandbox, tree: &Path) {
    let staging = sandbox.path("install/.notsotuf/staging");
    if staging.exists() {
        fs::remove_dir_all(&staging).unwrap();
    }
    fs::create_dir_all(&staging).unwrap();
    copy_tree(tree, &staging.join("tree"));
}

/// Runs the application in all ways by which what is staged gets installed.
fn in_all_ways(sandbox: &Sandbox, check: &dyn Fn(&str)) {
    let install = sandbox.path("install");
    copy_tree(&install, &sandbox.path("template"));
    for way in ["before-launch", "background", "off", "update", "stage"] {
        fs::remove_dir_all(&install).unwrap();
        copy_tree(&sandbox.path("template"), &install);
        let mode = if way.len() > 6 { way } else { "off" };
        sandbox.set("mode", &format!("{mode:?}"));
        if ["update", "stage"].contains(&way) {
            updater(sandbox, &[way]);
        }
        check(way);
        // What goes on behind the application would write to the next copy.
        sandbox.settle();
    }
}

#[test]
fn what_nobody_signed_is_not_installed() {
    for version in ["0.5", "1.0", "1.1", "9.9"] {
        let sandbox = staged();
        plant(&sandbox, version, "planted");
        in_all_ways(&sandbox, &|way| {
            for _ in 0..2 {
                let started = sandbox.start_version();
                assert_ne!(started, "planted", "{version} {way}: {}", sandbox.log());
            }
            let log = sandbox.log();
            assert!(
                log.contains("the staged update is not installed") || way == "stage",
                "{version} {way}: {log}"
            );
        });
    }
}

#[test]
fn what_the_updater_staged_is_installed() {
    let sandbox = staged();
    in_all_ways(&sandbox, &|way| {
        sandbox.start_version();
        assert_eq!(sandbox.start_version(), "1.1", "{way}: {}", sandbox.log());
    });
    // Without a network, and long after the metadata expired.
    sandbox.point_to("http://127.0.0.1:9");
    assert_eq!(sandbox.start_version(), "1.1", "{}", sandbox.log());
}

#[test]
fn without_trusted_metadata_it_is_staged_again() {
    let sandbox = staged();
    fs::remove_dir_all(sandbox.path("install/.notsotuf/metadata")).unwrap();
    copy_tree(&sandbox.path("install"), &sandbox.path("off"));
    assert_eq!(sandbox.start_version(), "1.1", "{}", sandbox.log());
    assert!(sandbox.log().contains("no trusted metadata"));
    fs::remove_dir_all(sandbox.path("install")).unwrap();
    copy_tree(&sandbox.path("off"), &sandbox.path("install"));
    sandbox.set("mode", "\"off\"");
    assert_eq!(sandbox.start_version(), "1.0", "{}", sandbox.log());
}

#[test]
fn what_was_signed_once_and_is_older_is_not_installed_unless_the_newer_was_withdrawn() {
    let sandbox = staged();
    copy_tree(&sandbox.path("install/app"), &sandbox.path("old"));
    assert_eq!(sandbox.start_version(), "1.1", "{}", sandbox.log());
    put_staged(&sandbox, &sandbox.path("old"));
    in_all_ways(&sandbox, &|way| {
        assert_eq!(sandbox.start_version(), "1.1", "{way}: {}", sandbox.log());
    });
    // The way back by withdrawal goes through the same place.
    sandbox.bundler(&["yank", "1.1"]);
    sandbox.bundler(&["publish"]);
    updater(&sandbox, &["stage"]);
    sandbox.set("mode", "\"off\"");
    assert_eq!(sandbox.start_version(), "1.0", "{}", sandbox.log());
}

/// As in repositories of tufup: no tree hash is signed.
#[test]
fn an_update_without_a_signed_tree_is_bound_to_its_target() {
    let sandbox = installed(&[]);
    let bundle = bundle(&sandbox.path(""), "1.1", "1.1");
    sandbox.add("1.1", &bundle, &["--skip-patch"]);
    let pending = sandbox.path("project/.notsotuf-pending/targets.json");
    let mut list: Value = serde_json::from_slice(&fs::read(&pending).unwrap()).unwrap();
    let internal = list["app-1.1.tar.gz"]["custom"]["tufup"].as_object_mut();
    assert!(internal.unwrap().remove("tree").is_some());
    fs::write(&pending, list.to_string()).unwrap();
    sandbox.bundler(&["publish"]);
    updater(&sandbox, &["stage"]);
    let origin = sandbox.path("install/.notsotuf/staging/origin");
    let noted = fs::read_to_string(&origin).unwrap();
    assert!(noted.contains("app-1.1.tar.gz"), "{noted}");
    in_all_ways(&sandbox, &|way| {
        sandbox.start_version();
        assert_eq!(sandbox.start_version(), "1.1", "{way}: {}", sandbox.log());
        assert!(!origin.exists(), "{way}");
    });
    // Another tree beside that note, and the tree without the note.
    for planted in [true, false] {
        fs::remove_dir_all(sandbox.path("install")).unwrap();
        copy_tree(&sandbox.path("template"), &sandbox.path("install"));
        sandbox.set("mode", "\"off\"");
        if planted {
            plant(&sandbox, "1.1", "planted");
            fs::write(&origin, &noted).unwrap();
        } else {
            fs::remove_file(&origin).unwrap();
        }
        assert_eq!(sandbox.start_version(), "1.0", "{}", sandbox.log());
    }
}

#[test]
fn files_that_are_not_listed_do_not_come_along_with_what_is_staged() {
    for purge in ["true", "false"] {
        let sandbox = staged();
        sandbox.set("mode", "\"off\"");
        sandbox.set("purge", purge);
        fs::write(
            sandbox.path("install/.notsotuf/staging/tree/planted.pth"),
            "import evil",
        )
        .unwrap();
        assert_eq!(sandbox.start_version(), "1.1", "{}", sandbox.log());
        assert!(!sandbox.path("install/app/planted.pth").exists(), "{purge}");
    }
}

/// Which is no way back: nothing is known of what came along.
#[test]
fn nor_with_an_older_release_that_is_staged() {
    let sandbox = installed(&[]);
    release(&sandbox, "1.1");
    assert_eq!(sandbox.start_version(), "1.1", "{}", sandbox.log());
    sandbox.bundler(&["yank", "1.1"]);
    sandbox.bundler(&["publish"]);
    updater(&sandbox, &["stage"]);
    sandbox.set("mode", "\"off\"");
    let planted = "install/.notsotuf/staging/tree/planted.pth";
    fs::write(sandbox.path(planted), "import evil").unwrap();
    assert_eq!(sandbox.start_version(), "1.0", "{}", sandbox.log());
    assert!(!sandbox.path("install/app/planted.pth").exists());
}

#[test]
fn a_state_dir_that_others_could_write_to_is_emptied() {
    for (mode, emptied) in [
        (0o777, true),
        (0o770, true),
        (0o702, true),
        // As a run leaves it that was killed in between.
        (0o1700, true),
        (0o755, false),
        (0o700, false),
    ] {
        let sandbox = staged();
        let state = sandbox.path("install/.notsotuf");
        fs::create_dir(state.join("previous")).unwrap();
        fs::write(state.join("previous/file"), "").unwrap();
        symlink("/etc/passwd", state.join("strange")).unwrap();
        set_mode(&state, mode);
        sandbox.set("mode", "\"off\"");
        let started = sandbox.start_version();
        assert_eq!(started, if emptied { "1.0" } else { "1.1" }, "{mode:o}");
        assert_eq!(fs::metadata(&state).unwrap().mode() & 0o7777, 0o700);
        assert!(!state.join("strange").is_symlink(), "{mode:o}");
        if emptied {
            let log = sandbox.log();
            assert!(log.contains("could be written by others"), "{log}");
            assert!(!state.join("staging").exists());
            assert!(!state.join("metadata").exists());
            assert!(!state.join("previous").exists());
        }
        sandbox.set("mode", "\"before-launch\"");
        assert_eq!(
            sandbox.start_version(),
            "1.1",
            "{mode:o}: {}",
            sandbox.log()
        );
    }
}

#[test]
fn a_bundle_that_is_nowhere_else_is_not_thrown_away() {
    let sandbox = installed(&[]);
    sandbox.set("mode", "\"off\"");
    assert_eq!(sandbox.start_version(), "1.0");
    let state = sandbox.path("install/.notsotuf");
    fs::rename(sandbox.path("install/app"), state.join("previous")).unwrap();
    fs::write(state.join("journal"), "notsotuf-journal 1\nto none\n").unwrap();
    set_mode(&state, 0o777);
    assert_eq!(sandbox.start_version(), "1.0", "{}", sandbox.log());
    assert!(sandbox.path("install/app").exists());
}

/// What is in a state dir, by what it is to be.
const FILES: [&str; 17] = [
    "log",
    "log.1",
    "lock",
    "launch.lock",
    "id",
    "journal",
    "probation",
    "quarantine",
    "notes",
    "failed-stub",
    "ready",
    "metadata/root.json",
    "metadata/timestamp.json",
    "metadata/targets.json",
    "metadata/timestamp.etag",
    "metadata/root.chain",
    "staging/tree/.notsotuf-release",
];
const FOLDERS: [&str; 5] = [
    "metadata",
    "downloads",
    "staging",
    "staging/tree",
    "previous",
];

fn start_with_a_limit(sandbox: &Sandbox, arguments: &[&str]) -> Output {
    let mut command = Command::new("timeout");
    command.arg("60").arg(sandbox.path("install/program"));
    run(command.args(arguments))
}

#[test]
fn nothing_in_the_state_dir_is_opened_through_a_link() {
    let sandbox = staged();
    sandbox.start_version();
    release(&sandbox, "1.2");
    updater(&sandbox, &["stage"]);
    copy_tree(&sandbox.path("install"), &sandbox.path("linked"));
    let (victim, folder) = (sandbox.path("victim"), sandbox.path("victims"));
    fs::create_dir(&folder).unwrap();
    let files = FILES.iter().map(|name| (name, &victim));
    for (name, to) in files.chain(FOLDERS.iter().map(|name| (name, &folder))) {
        for mode in ["before-launch", "off"] {
            fs::remove_dir_all(sandbox.path("install")).unwrap();
            copy_tree(&sandbox.path("linked"), &sandbox.path("install"));
            sandbox.set("mode", &format!("{mode:?}"));
            let place = sandbox.path("install/.notsotuf").join(name);
            fs::create_dir_all(place.parent().unwrap()).unwrap();
            match fs::symlink_metadata(&place) {
                Ok(found) if found.is_dir() => fs::remove_dir_all(&place).unwrap(),
                Ok(_) => fs::remove_file(&place).unwrap(),
                Err(_) => {}
            }
            fs::write(&victim, "mine").unwrap();
            fs::write(folder.join("file"), "mine").unwrap();
            symlink(to, &place).unwrap();
            for arguments in [
                &[][..],
                &["--updater", "check"],
                &["--updater", "status"],
                &[],
            ] {
                let done = start_with_a_limit(&sandbox, arguments);
                assert_eq!(
                    done.status.code(),
                    Some(0),
                    "{name} {arguments:?}: {done:?}"
                );
                assert_eq!(fs::read_to_string(&victim).unwrap(), "mine", "{name}");
                assert_eq!(fs::metadata(&victim).unwrap().nlink(), 1, "{name}");
                let left: Vec<_> = fs::read_dir(&folder).unwrap().collect();
                assert_eq!(left.len(), 1, "{name}: {left:?}");
                assert_eq!(fs::read_to_string(folder.join("file")).unwrap(), "mine");
            }
        }
    }
}

#[test]
fn pipes_and_folders_in_the_place_of_files_do_not_stop_the_start() {
    let sandbox = staged();
    copy_tree(&sandbox.path("install"), &sandbox.path("template"));
    for name in FILES {
        for pipe in [true, false] {
            fs::remove_dir_all(sandbox.path("install")).unwrap();
            copy_tree(&sandbox.path("template"), &sandbox.path("install"));
            let place = sandbox.path("install/.notsotuf").join(name);
            fs::create_dir_all(place.parent().unwrap()).unwrap();
            if place.exists() {
                fs::remove_file(&place).unwrap();
            }
            if pipe {
                assert!(run(Command::new("mkfifo").arg(&place)).status.success())
            } else {
                fs::create_dir(&place).unwrap()
            }
            for _ in 0..2 {
                let done = start_with_a_limit(&sandbox, &[]);
                assert_eq!(done.status.code(), Some(0), "{name} {pipe}: {done:?}");
            }
        }
    }
}

#[test]
fn the_fallback_log_is_not_written_through_a_link() {
    let sandbox = installed(&[]);
    // Not a state dir, so the log is in the user's own folder.
    fs::write(sandbox.path("install/.notsotuf"), "").unwrap();
    let home = sandbox.path("home");
    let folder = if cfg!(target_os = "macos") {
        home.join("Library/Logs/notsotuf/app")
    } else {
        home.join(".local/state/notsotuf/app")
    };
    let start = || {
        let done = run(sandbox
            .stub()
            .env("HOME", &home)
            .env_remove("XDG_STATE_HOME"));
        assert!(done.status.success(), "{done:?}");
    };
    fs::create_dir(&home).unwrap();
    start();
    let log = folder.join("log");
    let said = fs::read_to_string(&log).unwrap();
    assert!(said.contains("is not a folder"), "{said}");
    let victim = sandbox.path("victim");
    for hard in [false, true] {
        fs::remove_file(&log).unwrap();
        fs::write(&victim, "mine").unwrap();
        if hard {
            fs::hard_link(&victim, &log).unwrap()
        } else {
            symlink(&victim, &log).unwrap()
        }
        start();
        assert_eq!(fs::read_to_string(&victim).unwrap(), "mine");
    }
    fs::remove_file(&log).unwrap();
    assert!(run(Command::new("mkfifo").arg(&log)).status.success());
    start();
}

const HOSTILE: &str = "x\n2026-11-25T20:00:00Z [INFO] updated to version 9.9\n\u{1b}]0;pwned\u{7}\u{1b}[2J\r\u{9b}2J\u{7f}\u{2028}\n::warning::y";

fn assert_clean(what: &str, bytes: &[u8]) {
    let shown = String::from_utf8_lossy(bytes);
    let bad = shown
        .chars()
        .find(|&c| c != '\n' && notsotuf_stub::safe_text::is_unsafe(c));
    assert_eq!(bad, None, "{what}: {shown:?}");
    for line in shown.lines() {
        assert!(!line.starts_with("2026-11-25T20:00:00Z"), "{what}: {shown}");
        assert!(!line.trim_start().starts_with("::"), "{what}: {shown}");
    }
}

/// Each has the name in another place that a message quotes.
fn hostile_metadata() -> Vec<(&'static str, Value)> {
    let header = |kind: &str, fields: Value| {
        let mut signed = json!({
            "_type": kind, "spec_version": "1.0.31", "version": 9,
            "expires": "2040-01-01T00:00:00Z",
        });
        for (name, value) in fields.as_object().unwrap() {
            signed[name] = value.clone();
        }
        json!({ "signatures": [], "signed": signed })
    };
    let root = json!({ "keys": {}, "roles": {} });
    vec![
        ("timestamp", header(HOSTILE, json!({}))),
        (
            "timestamp",
            header("timestamp", json!({ "expires": HOSTILE })),
        ),
        (
            "timestamp",
            header("timestamp", json!({ "spec_version": HOSTILE })),
        ),
        ("timestamp", header("timestamp", json!({ "meta": HOSTILE }))),
        ("timestamp", json!({ HOSTILE: 1.5 })),
        (
            "snapshot",
            header("snapshot", json!({ "meta": { HOSTILE: { "version": 0 } } })),
        ),
        (
            "targets",
            header(
                "targets",
                json!({ "targets": { HOSTILE: { "length": 1, "hashes": {} } } }),
            ),
        ),
        (
            "targets",
            header(
                "targets",
                json!({ "targets": {}, "delegations": { "keys": {}, "roles": [
            { "name": HOSTILE, "keyids": [], "threshold": 0, "terminating": false } ] } }),
            ),
        ),
        ("2.root", header("root", root)),
        ("2.root", header(HOSTILE, json!({}))),
    ]
}

#[test]
fn metadata_that_nobody_signed_cannot_speak() {
    let sandbox = installed(&[]);
    release(&sandbox, "1.1");
    let metadata = sandbox.repository().join("metadata");
    copy_tree(&metadata, &sandbox.path("metadata"));
    copy_tree(&sandbox.path("install"), &sandbox.path("template"));
    for (role, hostile) in hostile_metadata() {
        fs::remove_dir_all(&metadata).unwrap();
        copy_tree(&sandbox.path("metadata"), &metadata);
        fs::remove_dir_all(sandbox.path("install")).unwrap();
        copy_tree(&sandbox.path("template"), &sandbox.path("install"));
        for entry in fs::read_dir(&metadata).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            if name.ends_with(&format!("{role}.json")) {
                fs::write(&path, hostile.to_string()).unwrap();
            }
        }
        if role == "2.root" {
            fs::write(metadata.join("2.root.json"), hostile.to_string()).unwrap();
        }
        let mut outputs = vec![run(&mut sandbox.stub())];
        for arguments in [&["check"][..], &["check", "--json"], &["update"]] {
            outputs.push(updater(&sandbox, arguments));
        }
        let log = fs::read(sandbox.path("install/.notsotuf/log")).unwrap();
        assert_clean("log", &log);
        assert!(
            sandbox.log().contains("[ERROR]"),
            "{role}: {}",
            sandbox.log()
        );
        let root = sandbox.path("metadata/1.root.json");
        for json in [false, true] {
            let mut verify = Command::new(program("notsotuf"));
            if json {
                verify.arg("--json");
            }
            verify.args(["verify", "--url", &sandbox.url(), "--root", text(&root)]);
            outputs.push(run(&mut verify));
        }
        for output in outputs {
            assert_clean(role, &output.stdout);
            assert_clean(role, &output.stderr);
        }
    }
}

#[test]
fn names_of_files_and_requests_cannot_speak_either() {
    let sandbox = Sandbox::new();
    let folder = bundle(&sandbox.path(""), "1.0", "1.0");
    fs::write(folder.join(HOSTILE.replace('/', "")), "").unwrap();
    let mut add = Command::new(program("notsotuf"));
    add.arg("-C").arg(sandbox.path("project"));
    let done = run(add.args(["add", "1.0", text(&folder)]));
    assert!(!done.status.success());
    assert_clean("add", &done.stderr);
    // An argument that clap refuses.
    let done = run(Command::new(program("notsotuf")).args(["add", HOSTILE, "x"]));
    assert_eq!(done.status.code(), Some(2));
    assert_clean("clap", &done.stderr);
    let stub = installed(&[]);
    let done = updater(&stub, &[HOSTILE]);
    assert_clean("usage", &done.stderr);
}
