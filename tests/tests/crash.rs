//! The stub is killed at every call by which it changes files, with and
//! without the loss of what was not synced; and so is `publish`. The next
//! start must launch a complete version, a later one complete the update.

#![cfg(all(target_os = "linux", target_arch = "x86_64"))]

use flate2::Compression;
use flate2::write::DeflateEncoder;
use nix::errno::Errno;
use notsotuf_stub::bundle::Rules;
use notsotuf_stub::install::verify_installed_files;
use notsotuf_stub::install::{Layout, Record};
use notsotuf_tests::syscall_trace::{self, Act, Kind, Plan};
use notsotuf_tests::{Sandbox, bundler_in, json, noise, python_in, run, write_script};
use std::fs;
use std::io::Write;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A zip file with one module in it, compressed.
fn library(module: &[u8]) -> Vec<u8> {
    let mut deflate = DeflateEncoder::new(Vec::new(), Compression::default());
    deflate.write_all(module).unwrap();
    let stored = deflate.finish().unwrap();
    let name = b"module";
    let number = |value: usize| (value as u32).to_le_bytes();
    let mut common = vec![20, 0, 0, 0, 8, 0];
    common.extend([0; 8]);
    common.extend(number(stored.len()));
    common.extend(number(module.len()));
    common.extend([name.len() as u8, 0, 0, 0]);
    let mut file = [b"PK\x03\x04", &common[..], name, &stored].concat();
    let entry = [b"PK\x01\x02\x14\0", &common[..], &[0; 14], name].concat();
    let at = file.len();
    file.extend(&entry);
    file.extend(b"PK\x05\x06\0\0\0\0\x01\0\x01\0");
    file.extend([number(entry.len()), number(at), [0; 4]].concat());
    file.truncate(file.len() - 2);
    file
}

/// Few files, so that every call can be tried: one that is patched, one with a
/// compressed member that is patched, one that stays, one that goes, one that
/// comes, a folder, a link, a program.
fn make_bundle(folder: &Path, version: &str) {
    let inner = folder.join("_internal");
    fs::create_dir_all(inner.join("empty")).unwrap();
    write_script(&folder.join("program"), &format!("echo {version}"));
    let mut bytes = noise(300_000);
    fs::write(inner.join("stays"), &bytes[..50_000]).unwrap();
    bytes[1000..1003].copy_from_slice(version.as_bytes());
    fs::write(inner.join("patched"), &bytes).unwrap();
    let module = format!("The module of {version}. ").repeat(500);
    fs::write(inner.join("library.zip"), library(module.as_bytes())).unwrap();
    fs::write(inner.join(format!("only in {version}")), version).unwrap();
    symlink("stays", inner.join("link")).unwrap();
}

struct Case {
    sandbox: Sandbox,
    /// An install of 1.0 that nothing was done to.
    fresh: PathBuf,
}

impl Case {
    fn new(add: &[&str]) -> Self {
        let sandbox = Sandbox::new();
        for (version, more) in [("1.0", &[][..]), ("1.1", add)] {
            let bundle = sandbox.path(&format!("bundle-{version}"));
            make_bundle(&bundle, version);
            sandbox.add(version, &bundle, more);
            sandbox.bundler(&["publish"]);
        }
        sandbox.ship("1.0");
        let fresh = sandbox.path("install");
        fs::write(fresh.join("app/own"), "mine").unwrap();
        Case { sandbox, fresh }
    }

    fn copy(&self, name: &str) -> PathBuf {
        let to = self.sandbox.path(name);
        copy(&self.fresh, &to);
        to
    }
}

fn copy(from: &Path, to: &Path) {
    if to.exists() {
        fs::remove_dir_all(to).unwrap();
    }
    let done = run(Command::new("cp").arg("-a").arg(from).arg(to));
    assert!(done.status.success(), "{done:?}");
}

fn stub(install: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(install.join("program"));
    command.args(arguments);
    command
}

/// Starts the application, which must be one of `versions`, whole.
fn start(install: &Path, versions: &[&str], what: &str) -> String {
    let log = || fs::read_to_string(install.join(".notsotuf/log")).unwrap_or_default();
    let output = run(&mut stub(install, &[]));
    let version = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    assert!(
        versions.contains(&version.as_str()),
        "{what}: started {version:?}: {output:?}\n{}",
        log()
    );
    let app = Layout::new(install).app();
    let record = Record::load(&app, Rules::host()).unwrap();
    let record = record.unwrap_or_else(|| panic!("{what}: no record"));
    assert_eq!(record.release.version.to_string(), version, "{what}");
    let damaged = verify_installed_files(&app, &record, &|_| false).unwrap();
    assert!(damaged.is_empty(), "{what}: {damaged:?}\n{}", log());
    let own = fs::read_to_string(app.join("own"));
    assert_eq!(own.ok().as_deref(), Some("mine"), "{what}");
    version
}

/// Without a network, then with one: at last `to` runs and nothing is left
/// over.
fn recovers(install: &Path, versions: &[&str], to: &str, what: &str) {
    let settings = install.join("notsotuf.toml");
    let online = fs::read_to_string(&settings).unwrap();
    let offline = online.replace("http://127.0.0.1:", "http://127.0.0.1:9/");
    fs::write(&settings, offline).unwrap();
    start(install, versions, what);
    fs::write(&settings, online).unwrap();
    // A rolled back version was on its way, say: then it takes one more.
    if start(install, versions, what) != to {
        start(install, &[to], what);
    }
    let mut left: Vec<_> = fs::read_dir(install.join(".notsotuf"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    let metadata = fs::read_dir(install.join(".notsotuf/metadata")).unwrap();
    let metadata = metadata.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    left.extend(metadata.filter(|name| name.starts_with('.')));
    left.sort();
    // The last start may have brought a stub that has not launched yet.
    let usual = [
        "old-stub",
        "behind.lock",
        "claim.lock",
        "id",
        "launch.lock",
        "lock",
        "log",
        "metadata",
        "previous",
        "quarantine",
        "release-settings",
    ];
    left.retain(|name| !usual.contains(&name.as_str()));
    assert!(left.is_empty(), "{what}: {left:?}");
}

/// Runs the stub with `arguments` in copies of the install, killed at one
/// call after the other, with and without the loss of what was not synced, and
/// has `check` look at each; how many they were.
fn killed_at_every_call(
    case: &Case,
    arguments: &[&str],
    exchange: bool,
    check: impl Fn(&Path, &str),
) -> usize {
    let mut points = 0;
    for lose in [false, true] {
        for at in 0.. {
            let install = case.copy("tried");
            let plan = Plan {
                act: Act::Kill,
                at,
                exchange,
            };
            let done = syscall_trace::run(stub(&install, arguments), &install, plan);
            let Some(call) = &done.at else {
                assert_eq!(done.code, Some(0));
                break;
            };
            let lost = if lose {
                done.lose_unsynced(&install)
            } else {
                0
            };
            check(
                &install,
                &format!("killed at call {at}, {call}; {lost} files lost"),
            );
            points += 1;
        }
    }
    println!("{points} points tried");
    points
}

/// At last `to` runs, wherever it is killed.
fn at_every_call(case: &Case, arguments: &[&str], exchange: bool, versions: &[&str], to: &str) {
    let points = killed_at_every_call(case, arguments, exchange, |install, what| {
        recovers(install, versions, to, what);
    });
    assert!(points > 100, "only {points} points");
}

#[test]
fn killed_while_updating_by_patch() {
    let case = Case::new(&[]);
    let explained = case.sandbox.bundler(&["explain", "1.1"]).to_string();
    assert!(explained.contains("zlib"), "{explained}");
    at_every_call(
        &case,
        &["--updater", "update"],
        true,
        &["1.0", "1.1"],
        "1.1",
    );
}

#[test]
fn killed_while_updating_by_archive() {
    let case = Case::new(&["--skip-patch"]);
    at_every_call(
        &case,
        &["--updater", "update"],
        true,
        &["1.0", "1.1"],
        "1.1",
    );
}

#[test]
fn killed_while_updating_where_folders_cannot_be_exchanged() {
    let case = Case::new(&[]);
    at_every_call(
        &case,
        &["--updater", "update"],
        false,
        &["1.0", "1.1"],
        "1.1",
    );
}

#[test]
fn a_rollback_that_is_killed_at_any_call_leaves_a_whole_version() {
    let case = Case::new(&[]);
    let updated = run(&mut stub(&case.fresh, &["--updater", "update"]));
    assert!(updated.status.success(), "{updated:?}");
    for exchange in [true, false] {
        let install = case.copy("tried");
        let plan = Plan {
            act: Act::Count,
            at: 0,
            exchange,
        };
        let all = syscall_trace::run(stub(&install, &["--updater", "rollback"]), &install, plan);
        assert_eq!(all.code, Some(0));
        for at in 0..all.calls {
            for lose in [false, true] {
                let install = case.copy("tried");
                let plan = Plan {
                    act: Act::Kill,
                    ..plan
                };
                let command = stub(&install, &["--updater", "rollback"]);
                let done = syscall_trace::run(command, &install, Plan { at, ..plan });
                let Some(call) = &done.at else { break };
                if lose {
                    done.lose_unsynced(&install);
                }
                let what = format!("killed at call {at}, {call}");
                // Whether it counts as asked for depends on how far it came.
                start(&install, &["1.0", "1.1"], &what);
                let version = start(&install, &["1.0", "1.1"], &what);
                start(&install, &[&version], &what);
            }
        }
    }
}

/// Both bundles are the same release then, and the own files are in one of
/// them.
#[test]
fn a_repair_that_is_killed_at_any_call_leaves_a_whole_version() {
    let case = Case::new(&[]);
    let damaged = case.fresh.join("app/_internal/stays");
    fs::write(damaged, "damaged").unwrap();
    let mut points = 0;
    for exchange in [true, false] {
        for at in 0.. {
            let install = case.copy("tried");
            let plan = Plan {
                act: Act::Kill,
                at,
                exchange,
            };
            let command = stub(&install, &["--updater", "repair"]);
            let done = syscall_trace::run(command, &install, plan);
            let Some(call) = &done.at else {
                assert_eq!(done.code, Some(0));
                break;
            };
            // Where it was not repaired, the update brings whole files.
            start(
                &install,
                &["1.0", "1.1"],
                &format!("killed at call {at}, {call}"),
            );
            points += 1;
        }
    }
    assert!(points > 50, "only {points} points");
}

#[test]
fn killed_while_the_stub_replaces_itself() {
    let sandbox = Sandbox::new();
    make_bundle(&sandbox.path("bundle"), "1.0");
    sandbox.add("1.0", &sandbox.path("bundle"), &[]);
    let newer = sandbox.stub_of_version("9.1");
    sandbox.bundler(&["add-stub", newer.to_str().unwrap()]);
    sandbox.bundler(&["publish"]);
    sandbox.ship("1.0");
    let fresh = sandbox.path("install");
    fs::write(fresh.join("app/own"), "mine").unwrap();
    let case = Case { sandbox, fresh };
    let points = killed_at_every_call(&case, &["--updater", "update"], true, |install, what| {
        recovers(install, &["1.0"], "1.0", what);
        start(install, &["1.0"], what);
        assert!(!install.join(".notsotuf/old-stub").exists(), "{what}");
        let said = run(&mut stub(install, &["--updater", "version"]));
        let said = String::from_utf8_lossy(&said.stdout).into_owned();
        assert!(said.starts_with("notsotuf 9.1\n"), "{what}: {said}");
        let mut files: Vec<_> = fs::read_dir(install)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        files.sort();
        let expected = [".notsotuf", "app", "notsotuf.toml", "program", "root.json"];
        assert_eq!(files, expected, "{what}");
    });
    assert!(points > 50, "only {points} points");
}

#[test]
fn an_update_that_is_killed_at_any_time_is_completed() {
    let case = Case::new(&[]);
    let mut killed = 0;
    for round in 0..60u64 {
        let install = case.copy("tried");
        let mut child = stub(&install, &["--updater", "update"]).spawn().unwrap();
        std::thread::sleep(std::time::Duration::from_micros(round * 700));
        killed += usize::from(child.try_wait().unwrap().is_none());
        child.kill().unwrap();
        child.wait().unwrap();
        recovers(&install, &["1.0", "1.1"], "1.1", &format!("round {round}"));
    }
    assert!(killed > 5, "only {killed} were still running");
}

/// From one call on, all calls fail that need room.
#[test]
fn the_disk_is_full_from_any_call_on() {
    for add in [&[][..], &["--skip-patch"]] {
        let case = Case::new(add);
        for errno in [Errno::ENOSPC, Errno::EACCES] {
            for at in 0.. {
                let install = case.copy("tried");
                let plan = Plan {
                    act: Act::Fail(Kind::Room, errno),
                    at,
                    exchange: true,
                };
                let done = syscall_trace::run(stub(&install, &[]), &install, plan);
                let Some(call) = &done.at else { break };
                // It was started all the same.
                let what = format!("{errno} from call {at} on, {call}");
                assert_eq!(done.code, Some(0), "{what}");
                recovers(&install, &["1.0", "1.1"], "1.1", &what);
            }
        }
    }
}

#[test]
fn publish_is_killed_and_clients_see_a_whole_repository() {
    let sandbox = Sandbox::new();
    for version in ["1.0", "1.1"] {
        make_bundle(&sandbox.path(&format!("bundle-{version}")), version);
    }
    sandbox.add("1.0", &sandbox.path("bundle-1.0"), &[]);
    sandbox.bundler(&["publish"]);
    sandbox.ship("1.0");
    fs::write(sandbox.path("install/app/own"), "mine").unwrap();
    sandbox.add("1.1", &sandbox.path("bundle-1.1"), &[]);
    let (project, before) = (sandbox.path("project"), sandbox.path("before"));
    copy(&project, &before);
    let mut points = 0;
    for at in 0.. {
        // The server has the folder by its path.
        for part in fs::read_dir(&before).unwrap() {
            let part = part.unwrap();
            let to = project.join(part.file_name());
            if part.file_type().unwrap().is_dir() {
                copy(&part.path(), &to);
            } else {
                fs::copy(part.path(), &to).unwrap();
            }
        }
        let plan = Plan {
            act: Act::Kill,
            at,
            exchange: true,
        };
        let done = syscall_trace::run(sandbox.command(&["publish"]), &project, plan);
        let Some(call) = &done.at else { break };
        let what = format!("publish killed at call {at}, {call}");
        let install = sandbox.path("client");
        copy(&sandbox.path("install"), &install);
        let client = run(&mut stub(&install, &["--updater", "update"]));
        assert!(client.status.success(), "{what}: {client:?}");
        start(&install, &["1.0", "1.1"], &what);
        sandbox.bundler(&["publish"]);
        start(&install, &["1.1"], &what);
        points += 1;
    }
    assert!(points > 20, "only {points} points");
    println!("{points} points tried");
}

/// Kills `publish` at every call in a project, after which it is called again;
/// commands that change nothing say so meanwhile.
fn publish_is_called_again(project: &Path) -> usize {
    let before = project.with_extension("before");
    copy(project, &before);
    let mut points = 0;
    for at in 0.. {
        copy(&before, project);
        let plan = Plan {
            act: Act::Kill,
            at,
            exchange: true,
        };
        let done = syscall_trace::run(bundler_in(project, &["publish"]), project, plan);
        let Some(call) = &done.at else { break };
        let what = format!("publish killed at call {at}, {call}");
        let status = run(&mut bundler_in(project, &["status"]));
        let said = String::from_utf8_lossy(&status.stderr).into_owned();
        let advised = said.contains("run `notsotuf publish`, which completes it");
        assert!(status.status.success() || advised, "{what}: {said}");
        json(&mut bundler_in(project, &["publish"]));
        let checked = json(&mut bundler_in(project, &["verify", "--metadata-only"]));
        assert_eq!(checked["problems"], serde_json::json!([]), "{what}");
        let pending = &json(&mut bundler_in(project, &["status"]))["pending"];
        let none = serde_json::json!({ "added": [], "removed": [], "root": null });
        assert_eq!(*pending, none, "{what}");
        points += 1;
    }
    points
}

/// The old key is lost, so what it signed does not fit the new root.
#[test]
fn publish_of_a_new_root_is_killed_and_called_again() {
    let sandbox = Sandbox::new();
    make_bundle(&sandbox.path("bundle"), "1.0");
    sandbox.add("1.0", &sandbox.path("bundle"), &[]);
    sandbox.bundler(&["publish"]);
    sandbox.bundler(&["keys", "create", "online", "--plain"]);
    sandbox.bundler(&["keys", "replace", "timestamp", "online"]);
    fs::remove_file(sandbox.path("project/keystore/timestamp.pem")).unwrap();
    let project = sandbox.path("other");
    copy(&sandbox.path("project"), &project);
    let points = publish_is_called_again(&project);
    assert!(points > 15, "only {points} points");
    assert!(project.join("repository/metadata/2.root.json").exists());
}

/// Its file names have no versions, so new files take the place of old ones.
#[test]
fn publish_in_a_tufup_repository_is_killed_and_called_again() {
    let sandbox = Sandbox::new();
    let project = sandbox.path("tufup");
    fs::create_dir(&project).unwrap();
    for version in ["1.0", "1.1"] {
        let bundle = sandbox.path(version);
        make_bundle(&bundle, version);
        let bundle = bundle.to_str().unwrap();
        if version == "1.0" {
            python_in(&project, &["release", "app", version, bundle]);
            let url = ["--url", "http://127.0.0.1:9"];
            let import = [&["import", "tufup"], &url[..]].concat();
            json(&mut bundler_in(&project, &import));
        } else {
            json(&mut bundler_in(&project, &["add", version, bundle]));
        }
    }
    let points = publish_is_called_again(&project);
    assert!(points > 15, "only {points} points");
}
