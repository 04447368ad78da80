//! What the client believes of what it finds on its own disk, and what gets
//! into its log: a new package over an old install, trees that nobody signed
//! in the staging area, links in the state dir, names that are not text.

#![cfg(unix)]

use notsotuf_tests::{
    Server, World, copy_tree, program, run, set_mode, text, write_version_script,
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

fn release(world: &World, version: &str) {
    let bundle = bundle(&world.path(""), version, version);
    world.add(version, &bundle, &["--skip-patch"]);
    world.bundler(&["publish"]);
}

/// An install of 1.0, of a project with these arguments of `init`.
fn installed(init: &[&str]) -> World {
    let world = World::with(init);
    release(&world, "1.0");
    world.ship("1.0");
    world
}

/// With 1.1 staged, as it would be while an instance runs.
fn staged() -> World {
    let world = installed(&[]);
    release(&world, "1.1");
    updater(&world, &["stage"]);
    assert!(world.path("install/.notsotuf/staging/tree").exists());
    world
}

fn updater(world: &World, arguments: &[&str]) -> Output {
    run(world.stub().arg("--updater").args(arguments))
}

fn stored_root(world: &World) -> Value {
    let bytes = fs::read(world.path("install/.notsotuf/metadata/root.json")).unwrap();
    serde_json::from_slice::<Value>(&bytes).unwrap()["signed"].take()
}

fn root_version(world: &World) -> u64 {
    stored_root(world)["version"].as_u64().unwrap()
}

/// Other keys for all roles that are online, in new versions of the root.
fn rotate_online_keys(world: &World) {
    for role in ["targets", "snapshot", "timestamp"] {
        let new = format!("{role}-2");
        world.bundler(&["keys", "create", &new, "--plain"]);
        world.bundler(&["keys", "replace", role, &new]);
        world.bundler(&["publish"]);
    }
}

/// Puts another root beside the stub, as a new package does.
fn reinstall(world: &World, root: &Path) {
    fs::copy(root, world.path("install/root.json")).unwrap();
}

fn published_root(world: &World, version: u64) -> PathBuf {
    let name = format!("metadata/{version}.root.json");
    world.repository().join(name)
}

/// A copy of the project as it is, with its keys, that offers 6.6.
fn thief(world: &World) -> Server {
    let project = world.path("thief");
    copy_tree(&world.path("project"), &project);
    let evil = bundle(&world.path(""), "6.6", "evil");
    for arguments in [&["add", "6.6", text(&evil)][..], &["publish"]] {
        let done = run(&mut notsotuf_tests::bundler_in(&project, arguments));
        assert!(done.status.success(), "{done:?}");
    }
    Server::start(&project.join("repository"))
}

/// As an install that the version before made: it remembered no roots.
fn forget_chain(world: &World) {
    fs::remove_file(world.path("install/.notsotuf/metadata/root.chain")).unwrap();
}

#[test]
fn a_newer_root_in_a_new_package_is_taken() {
    for remembered in [true, false] {
        let world = installed(&[]);
        assert_eq!(world.start_version(), "1.0");
        let thief = thief(&world);
        rotate_online_keys(&world);
        let newest = 4;
        if !remembered {
            forget_chain(&world);
        }
        copy_tree(&world.path("install"), &world.path("before"));
        reinstall(&world, &published_root(&world, newest));
        world.point_to(&thief.url);
        for _ in 0..2 {
            assert_eq!(world.start_version(), "1.0", "{}", world.log());
            assert_eq!(root_version(&world), newest);
        }
        let stored = world.path("install/.notsotuf/metadata/timestamp.json");
        assert!(!stored.exists(), "it was signed by a key that is gone");
        // Real updates go on.
        world.point_to(&world.url());
        release(&world, "1.1");
        assert_eq!(world.start_version(), "1.1", "{}", world.log());
        // An older package of the same project changes nothing.
        reinstall(&world, &published_root(&world, 1));
        world.point_to(&thief.url);
        assert_eq!(world.start_version(), "1.1", "{}", world.log());
        assert_eq!(root_version(&world), newest);
        // Control: who knows only the old keys believes the thief.
        fs::remove_dir_all(world.path("install")).unwrap();
        copy_tree(&world.path("before"), &world.path("install"));
        world.point_to(&thief.url);
        assert_eq!(world.start_version(), "evil", "{}", world.log());
    }
}

#[test]
fn what_stolen_keys_staged_goes_with_them() {
    let world = installed(&[]);
    let thief = thief(&world);
    world.point_to(&thief.url);
    updater(&world, &["stage"]);
    assert!(world.path("install/.notsotuf/staging/tree").exists());
    rotate_online_keys(&world);
    let newest = world.repository().join("metadata/root.json");
    reinstall(&world, &newest);
    for mode in ["off", "before-launch"] {
        world.set("mode", &format!("{mode:?}"));
        assert_eq!(world.start_version(), "1.0", "{}", world.log());
    }
}

#[test]
fn an_older_root_in_an_old_package_changes_nothing() {
    for remembered in [true, false] {
        let world = installed(&[]);
        let thief = thief(&world);
        rotate_online_keys(&world);
        assert_eq!(world.start_version(), "1.0");
        let newest = root_version(&world);
        assert!(newest > 1);
        let before = stored_root(&world);
        for version in [1, newest] {
            if !remembered {
                forget_chain(&world);
            }
            reinstall(&world, &published_root(&world, version));
            world.point_to(&thief.url);
            assert_eq!(world.start_version(), "1.0", "{}", world.log());
            assert_eq!(stored_root(&world), before);
            let timestamp = world.path("install/.notsotuf/metadata/timestamp.json");
            assert!(timestamp.exists());
        }
    }
}

#[test]
fn a_project_that_was_started_anew_is_followed() {
    for (old, new) in [(1, 1), (4, 1), (1, 4)] {
        for remembered in [true, false] {
            let world = staged();
            if old > 1 {
                rotate_online_keys(&world);
            }
            updater(&world, &["check"]);
            assert_eq!(root_version(&world), old, "{}", world.log());
            fs::write(world.path("install/.notsotuf/quarantine"), "1.1\n").unwrap();
            if !remembered {
                forget_chain(&world);
            }
            let anew = World::new();
            release(&anew, "1.0");
            if new > 1 {
                rotate_online_keys(&anew);
            }
            anew.ship("1.0");
            let shipped = anew.path("install");
            let what = run(Command::new("cp")
                .arg("-a")
                .arg(shipped.join("."))
                .arg(world.path("install")));
            assert!(what.status.success(), "{what:?}");
            let names = |world: &World| world.path("install/.notsotuf/staging").exists();
            // Offline, nothing of the old one is installed.
            world.point_to("http://127.0.0.1:9");
            assert_eq!(world.start_version(), "1.0", "{}", world.log());
            assert!(world.log().contains("starting over"), "{}", world.log());
            assert!(!names(&world), "{old} {new} {remembered}");
            assert!(!world.path("install/.notsotuf/quarantine").exists());
            assert_eq!(root_version(&world), new);
            // Its 1.1 is another one than that which failed.
            world.point_to(&anew.url());
            release(&anew, "1.1");
            assert_eq!(world.start_version(), "1.1", "{}", world.log());
            // And so it stays, as the new chain goes on.
            anew.bundler(&["keys", "create", "more", "--plain"]);
            let old_key = if new > 1 { "targets-2" } else { "targets" };
            anew.bundler(&["keys", "replace", old_key, "more"]);
            release(&anew, "1.2");
            assert_eq!(world.start_version(), "1.2", "{}", world.log());
            assert_eq!(world.log().matches("starting over").count(), 1);
        }
    }
}

#[test]
fn a_shipped_root_that_is_damaged_is_not_taken() {
    let world = installed(&[]);
    assert_eq!(world.start_version(), "1.0");
    let before = stored_root(&world);
    let mut damaged: Value =
        serde_json::from_slice(&fs::read(published_root(&world, 1)).unwrap()).unwrap();
    damaged["signed"]["version"] = 7.into();
    let path = world.path("install/root.json");
    release(&world, "1.1");
    for text in [damaged.to_string(), String::new(), "{}".into()] {
        fs::write(&path, text).unwrap();
        assert!(["1.0", "1.1"].contains(&world.start_version().as_str()));
        assert_eq!(stored_root(&world), before);
    }
    assert!(world.log().contains("the shipped root cannot be used"));
    assert_eq!(world.start_version(), "1.1", "{}", world.log());
}

/// A tree with a record of another project, where a staged update lies.
fn plant(world: &World, version: &str, says: &str) {
    let other = World::new();
    let bundle = bundle(&other.path(""), version, says);
    other.add(version, &bundle, &[]);
    other.bundler(&["publish"]);
    other.ship(version);
    put_staged(world, &other.path("install/app"));
}

fn put_staged(world: &World, tree: &Path) {
    let staging = world.path("install/.notsotuf/staging");
    if staging.exists() {
        fs::remove_dir_all(&staging).unwrap();
    }
    fs::create_dir_all(&staging).unwrap();
    copy_tree(tree, &staging.join("tree"));
}

/// Runs the application in all ways by which what is staged gets installed.
fn in_all_ways(world: &World, check: &dyn Fn(&str)) {
    let install = world.path("install");
    copy_tree(&install, &world.path("template"));
    for way in ["before-launch", "background", "off", "update", "stage"] {
        fs::remove_dir_all(&install).unwrap();
        copy_tree(&world.path("template"), &install);
        let mode = if way.len() > 6 { way } else { "off" };
        world.set("mode", &format!("{mode:?}"));
        if ["update", "stage"].contains(&way) {
            updater(world, &[way]);
        }
        check(way);
        // What goes on behind the application would write to the next copy.
        world.settle();
    }
}

#[test]
fn what_nobody_signed_is_not_installed() {
    for version in ["0.5", "1.0", "1.1", "9.9"] {
        let world = staged();
        plant(&world, version, "planted");
        in_all_ways(&world, &|way| {
            for _ in 0..2 {
                let started = world.start_version();
                assert_ne!(started, "planted", "{version} {way}: {}", world.log());
            }
            let log = world.log();
            assert!(
                log.contains("what is staged is not installed") || way == "stage",
                "{version} {way}: {log}"
            );
        });
    }
}

#[test]
fn what_the_updater_staged_is_installed() {
    let world = staged();
    in_all_ways(&world, &|way| {
        world.start_version();
        assert_eq!(world.start_version(), "1.1", "{way}: {}", world.log());
    });
    // Without a network, and long after the metadata expired.
    world.point_to("http://127.0.0.1:9");
    assert_eq!(world.start_version(), "1.1", "{}", world.log());
}

#[test]
fn without_trusted_metadata_it_is_staged_again() {
    let world = staged();
    fs::remove_dir_all(world.path("install/.notsotuf/metadata")).unwrap();
    copy_tree(&world.path("install"), &world.path("off"));
    assert_eq!(world.start_version(), "1.1", "{}", world.log());
    assert!(world.log().contains("no trusted metadata"));
    fs::remove_dir_all(world.path("install")).unwrap();
    copy_tree(&world.path("off"), &world.path("install"));
    world.set("mode", "\"off\"");
    assert_eq!(world.start_version(), "1.0", "{}", world.log());
}

#[test]
fn what_was_signed_once_and_is_older_is_not_installed_unless_the_newer_was_withdrawn() {
    let world = staged();
    copy_tree(&world.path("install/app"), &world.path("old"));
    assert_eq!(world.start_version(), "1.1", "{}", world.log());
    put_staged(&world, &world.path("old"));
    in_all_ways(&world, &|way| {
        assert_eq!(world.start_version(), "1.1", "{way}: {}", world.log());
    });
    // The way back by withdrawal goes through the same place.
    world.bundler(&["yank", "1.1"]);
    world.bundler(&["publish"]);
    updater(&world, &["stage"]);
    world.set("mode", "\"off\"");
    assert_eq!(world.start_version(), "1.0", "{}", world.log());
}

/// As in repositories of tufup: no tree hash is signed.
#[test]
fn an_update_without_a_signed_tree_is_bound_to_its_target() {
    let world = installed(&[]);
    let bundle = bundle(&world.path(""), "1.1", "1.1");
    world.add("1.1", &bundle, &["--skip-patch"]);
    let pending = world.path("project/.notsotuf-pending/targets.json");
    let mut list: Value = serde_json::from_slice(&fs::read(&pending).unwrap()).unwrap();
    let internal = list["app-1.1.tar.gz"]["custom"]["tufup"].as_object_mut();
    assert!(internal.unwrap().remove("tree").is_some());
    fs::write(&pending, list.to_string()).unwrap();
    world.bundler(&["publish"]);
    updater(&world, &["stage"]);
    let origin = world.path("install/.notsotuf/staging/origin");
    let noted = fs::read_to_string(&origin).unwrap();
    assert!(noted.contains("app-1.1.tar.gz"), "{noted}");
    in_all_ways(&world, &|way| {
        world.start_version();
        assert_eq!(world.start_version(), "1.1", "{way}: {}", world.log());
        assert!(!origin.exists(), "{way}");
    });
    // Another tree beside that note, and the tree without the note.
    for planted in [true, false] {
        fs::remove_dir_all(world.path("install")).unwrap();
        copy_tree(&world.path("template"), &world.path("install"));
        world.set("mode", "\"off\"");
        if planted {
            plant(&world, "1.1", "planted");
            fs::write(&origin, &noted).unwrap();
        } else {
            fs::remove_file(&origin).unwrap();
        }
        assert_eq!(world.start_version(), "1.0", "{}", world.log());
    }
}

#[test]
fn files_that_are_not_listed_do_not_come_along_with_what_is_staged() {
    for purge in ["true", "false"] {
        let world = staged();
        world.set("mode", "\"off\"");
        world.set("purge", purge);
        fs::write(
            world.path("install/.notsotuf/staging/tree/planted.pth"),
            "import evil",
        )
        .unwrap();
        assert_eq!(world.start_version(), "1.1", "{}", world.log());
        assert!(!world.path("install/app/planted.pth").exists(), "{purge}");
    }
}

/// Which is no way back: nothing is known of what came along.
#[test]
fn nor_with_an_older_release_that_is_staged() {
    let world = installed(&[]);
    release(&world, "1.1");
    assert_eq!(world.start_version(), "1.1", "{}", world.log());
    world.bundler(&["yank", "1.1"]);
    world.bundler(&["publish"]);
    updater(&world, &["stage"]);
    world.set("mode", "\"off\"");
    let planted = "install/.notsotuf/staging/tree/planted.pth";
    fs::write(world.path(planted), "import evil").unwrap();
    assert_eq!(world.start_version(), "1.0", "{}", world.log());
    assert!(!world.path("install/app/planted.pth").exists());
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
        let world = staged();
        let state = world.path("install/.notsotuf");
        fs::create_dir(state.join("previous")).unwrap();
        fs::write(state.join("previous/file"), "").unwrap();
        symlink("/etc/passwd", state.join("strange")).unwrap();
        set_mode(&state, mode);
        world.set("mode", "\"off\"");
        let started = world.start_version();
        assert_eq!(started, if emptied { "1.0" } else { "1.1" }, "{mode:o}");
        assert_eq!(fs::metadata(&state).unwrap().mode() & 0o7777, 0o700);
        assert!(!state.join("strange").is_symlink(), "{mode:o}");
        if emptied {
            let log = world.log();
            assert!(log.contains("could be written by others"), "{log}");
            assert!(!state.join("staging").exists());
            assert!(!state.join("metadata").exists());
            assert!(!state.join("previous").exists());
        }
        world.set("mode", "\"before-launch\"");
        assert_eq!(world.start_version(), "1.1", "{mode:o}: {}", world.log());
    }
}

#[test]
fn a_bundle_that_is_nowhere_else_is_not_thrown_away() {
    let world = installed(&[]);
    world.set("mode", "\"off\"");
    assert_eq!(world.start_version(), "1.0");
    let state = world.path("install/.notsotuf");
    fs::rename(world.path("install/app"), state.join("previous")).unwrap();
    fs::write(state.join("journal"), "notsotuf-journal 1\nto none\n").unwrap();
    set_mode(&state, 0o777);
    assert_eq!(world.start_version(), "1.0", "{}", world.log());
    assert!(world.path("install/app").exists());
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

fn start_with_a_limit(world: &World, arguments: &[&str]) -> Output {
    let mut command = Command::new("timeout");
    command.arg("60").arg(world.path("install/program"));
    run(command.args(arguments))
}

#[test]
fn nothing_in_the_state_dir_is_opened_through_a_link() {
    let world = staged();
    world.start_version();
    release(&world, "1.2");
    updater(&world, &["stage"]);
    copy_tree(&world.path("install"), &world.path("linked"));
    let (victim, folder) = (world.path("victim"), world.path("victims"));
    fs::create_dir(&folder).unwrap();
    let files = FILES.iter().map(|name| (name, &victim));
    for (name, to) in files.chain(FOLDERS.iter().map(|name| (name, &folder))) {
        for mode in ["before-launch", "off"] {
            fs::remove_dir_all(world.path("install")).unwrap();
            copy_tree(&world.path("linked"), &world.path("install"));
            world.set("mode", &format!("{mode:?}"));
            let place = world.path("install/.notsotuf").join(name);
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
                let done = start_with_a_limit(&world, arguments);
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
    let world = staged();
    copy_tree(&world.path("install"), &world.path("template"));
    for name in FILES {
        for pipe in [true, false] {
            fs::remove_dir_all(world.path("install")).unwrap();
            copy_tree(&world.path("template"), &world.path("install"));
            let place = world.path("install/.notsotuf").join(name);
            fs::create_dir_all(place.parent().unwrap()).unwrap();
            if place.exists() {
                fs::remove_file(&place).unwrap();
            }
            match pipe {
                true => assert!(run(Command::new("mkfifo").arg(&place)).status.success()),
                false => fs::create_dir(&place).unwrap(),
            }
            for _ in 0..2 {
                let done = start_with_a_limit(&world, &[]);
                assert_eq!(done.status.code(), Some(0), "{name} {pipe}: {done:?}");
            }
        }
    }
}

#[test]
fn the_fallback_log_is_not_written_through_a_link() {
    let world = installed(&[]);
    // Not a state dir, so the log is in the user's own folder.
    fs::write(world.path("install/.notsotuf"), "").unwrap();
    let home = world.path("home");
    let folder = match cfg!(target_os = "macos") {
        true => home.join("Library/Logs/notsotuf/app"),
        false => home.join(".local/state/notsotuf/app"),
    };
    let start = || {
        let done = run(world.stub().env("HOME", &home).env_remove("XDG_STATE_HOME"));
        assert!(done.status.success(), "{done:?}");
    };
    fs::create_dir(&home).unwrap();
    start();
    let log = folder.join("log");
    let said = fs::read_to_string(&log).unwrap();
    assert!(said.contains("is not a folder"), "{said}");
    let victim = world.path("victim");
    for hard in [false, true] {
        fs::remove_file(&log).unwrap();
        fs::write(&victim, "mine").unwrap();
        match hard {
            true => fs::hard_link(&victim, &log).unwrap(),
            false => symlink(&victim, &log).unwrap(),
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
    let world = installed(&[]);
    release(&world, "1.1");
    let metadata = world.repository().join("metadata");
    copy_tree(&metadata, &world.path("metadata"));
    copy_tree(&world.path("install"), &world.path("template"));
    for (role, hostile) in hostile_metadata() {
        fs::remove_dir_all(&metadata).unwrap();
        copy_tree(&world.path("metadata"), &metadata);
        fs::remove_dir_all(world.path("install")).unwrap();
        copy_tree(&world.path("template"), &world.path("install"));
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
        let mut outputs = vec![run(&mut world.stub())];
        for arguments in [&["check"][..], &["check", "--json"], &["update"]] {
            outputs.push(updater(&world, arguments));
        }
        let log = fs::read(world.path("install/.notsotuf/log")).unwrap();
        assert_clean("log", &log);
        assert!(world.log().contains("[ERROR]"), "{role}: {}", world.log());
        let root = world.path("metadata/1.root.json");
        for json in [false, true] {
            let mut verify = Command::new(program("notsotuf"));
            if json {
                verify.arg("--json");
            }
            verify.args(["verify", "--url", &world.url(), "--root", text(&root)]);
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
    let world = World::new();
    let folder = bundle(&world.path(""), "1.0", "1.0");
    fs::write(folder.join(HOSTILE.replace('/', "")), "").unwrap();
    let mut add = Command::new(program("notsotuf"));
    add.arg("-C").arg(world.path("project"));
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
