//! What an update leaves on disk: modes, owners, the application's own files;
//! and which versions are tried, and when.

#![cfg(unix)]

use notsotuf_stub::bundle::Rules;
use notsotuf_stub::install::Record;
use notsotuf_stub::install::verify_installed_files;
use notsotuf_tests::{Sandbox, is_root, json, run, set_mode, text};
use serde_json::{Value, json};
use std::fs;
use std::os::unix::fs::{MetadataExt, symlink};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Output};

const NOBODY: u32 = 65534;

fn mode(path: &Path) -> u32 {
    fs::symlink_metadata(path).unwrap().mode() & 0o7777
}

/// A small bundle, whose program does what `script` says after it has said
/// which version it is.
fn release(sandbox: &Sandbox, version: &str, script: &str, more: &[&str]) {
    let folder = sandbox.path(&format!("bundle-{version}"));
    let inner = folder.join("lib");
    fs::create_dir_all(inner.join("private")).unwrap();
    let files = [
        (
            "program",
            format!("#!/bin/sh\necho {version}\n{script}\n"),
            0o755,
        ),
        ("lib/tool", "#!/bin/sh\n".repeat(1000), 0o755),
        ("lib/data", "unchanged".repeat(10_000), 0o640),
        ("lib/private/key", version.into(), 0o600),
    ];
    for (path, content, bits) in files {
        fs::write(folder.join(path), content).unwrap();
        set_mode(&folder.join(path), bits);
    }
    symlink("tool", inner.join("link")).unwrap();
    set_mode(&inner.join("private"), 0o700);
    set_mode(&inner, 0o755);
    set_mode(&folder, 0o755);
    sandbox.add(version, &folder, more);
    sandbox.bundler(&["publish"]);
}

/// 1.0 is installed, and 1.1 there.
fn sandbox() -> Sandbox {
    let sandbox = Sandbox::new();
    release(&sandbox, "1.0", "", &[]);
    sandbox.ship("1.0");
    release(&sandbox, "1.1", "", &[]);
    sandbox
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

/// What a start says: all versions that ran.
fn start(sandbox: &Sandbox) -> String {
    said(&run(&mut sandbox.stub()))
}

fn command(sandbox: &Sandbox, arguments: &[&str]) -> Value {
    json(
        sandbox
            .stub()
            .arg("--updater")
            .args(arguments)
            .arg("--json"),
    )
}

fn assert_as_released(sandbox: &Sandbox, what: &str) {
    let app = sandbox.path("install/app");
    let record = Record::load(&app, Rules::host()).unwrap().unwrap();
    let damaged = verify_installed_files(&app, &record, &|_| false).unwrap();
    assert!(damaged.is_empty(), "{what}: {damaged:?}\n{}", sandbox.log());
}

/// After an update under a strict umask nobody else could start the program.
/// <https://github.com/kovidgoyal/calibre/pull/849>,
/// <https://github.com/nextdns/nextdns/pull/596>
#[test]
fn a_release_has_its_modes_whatever_the_umask() {
    for umask in ["077", "000", "027"] {
        for app_mode in [0o755, 0o700, 0o2775] {
            for more in [&[][..], &["--skip-patch"]] {
                let sandbox = Sandbox::new();
                release(&sandbox, "1.0", "", &[]);
                sandbox.ship("1.0");
                release(&sandbox, "1.1", "", more);
                let app = sandbox.path("install/app");
                set_mode(&app, app_mode);
                let mut shell = Command::new("sh");
                let line = format!("umask {umask}; exec \"$0\"");
                let done = run(shell
                    .args(["-c", &line])
                    .arg(sandbox.path("install/program")));
                let what = format!("umask {umask}, app {app_mode:o}, {more:?}");
                assert_eq!(said(&done), "1.1", "{what}: {done:?}");
                assert_eq!(mode(&app), app_mode, "{what}");
                assert_as_released(&sandbox, &what);
            }
        }
    }
}

/// Files and folders of the application lose their modes.
/// <https://github.com/synhershko/NAppUpdate/issues/43>,
/// <https://github.com/HaveAGitGat/Tdarr/issues/1265>
#[test]
fn what_the_application_made_keeps_mode_owner_and_times() {
    let sandbox = sandbox();
    let app = sandbox.path("install/app");
    let folders = [
        ("profile", 0o700),
        ("profile/deep", 0o750),
        ("shared", 0o1777),
        ("lib/cache", 0o2770),
        ("closed", 0o500),
    ];
    for (path, bits) in folders {
        fs::create_dir(app.join(path)).unwrap();
        fs::write(app.join(path).join("file"), path).unwrap();
        set_mode(&app.join(path).join("file"), 0o604);
        set_mode(&app.join(path), bits);
    }
    fs::write(app.join("lib/own"), "mine").unwrap();
    symlink("nowhere", app.join("profile/link")).unwrap();
    if is_root() {
        for path in ["shared", "profile/deep/file", "profile/link", "lib/own"] {
            std::os::unix::fs::lchown(app.join(path), Some(NOBODY), Some(NOBODY)).unwrap();
        }
    }
    let all = |path: &str| {
        let found = fs::symlink_metadata(app.join(path)).unwrap();
        (
            found.mode(),
            found.uid(),
            found.gid(),
            found.mtime_nsec(),
            found.ino(),
        )
    };
    let paths = [
        "profile/deep/file",
        "profile/link",
        "lib/own",
        "shared/file",
    ];
    let paths: Vec<&str> = folders.iter().map(|(path, _)| *path).chain(paths).collect();
    let before: Vec<_> = paths.iter().map(|path| all(path)).collect();
    let of_it_all = || -> Vec<_> { paths.iter().map(|path| all(path)).collect() };
    assert_eq!(start(&sandbox), "1.1");
    assert_eq!(of_it_all(), before);
    assert_as_released(&sandbox, "updated");
    // And on the way back, with what 1.1 made.
    fs::write(app.join("made by 1.1"), "").unwrap();
    command(&sandbox, &["rollback"]);
    assert_eq!(start(&sandbox), "1.0");
    assert_eq!(of_it_all(), before);
    assert!(app.join("made by 1.1").exists());
    // It is nowhere twice.
    let previous = sandbox.path("install/.notsotuf/previous");
    assert!(previous.join("program").exists());
    assert!(!previous.join("profile").exists());
}

#[test]
fn a_folder_of_the_release_stays_with_its_owner() {
    if !is_root() {
        eprintln!("skipped: to change owners takes root");
        return;
    }
    let sandbox = sandbox();
    let app = sandbox.path("install/app");
    for path in ["lib", "lib/private", "lib/private/key"] {
        std::os::unix::fs::chown(app.join(path), Some(NOBODY), Some(NOBODY)).unwrap();
    }
    assert_eq!(start(&sandbox), "1.1");
    let owner = |path: &str| fs::symlink_metadata(app.join(path)).unwrap().uid();
    assert_eq!(owner("lib/private"), NOBODY);
    assert_eq!(owner("lib/private/key"), NOBODY);
    assert_eq!(owner("lib/data"), 0);
    assert_eq!(owner("program"), 0);
}

/// The program has lost its x bit.
/// <https://github.com/Kruithne/wow.export/issues/442>,
/// <https://github.com/AntaresSimulatorTeam/AntaREST/issues/1397>
#[test]
fn repair_restores_permissions_without_a_download() {
    let sandbox = sandbox();
    assert_eq!(start(&sandbox), "1.1");
    let app = sandbox.path("install/app");
    for (path, bits) in [
        ("program", 0o644),
        ("lib/private", 0o777),
        ("lib/data", 0o666),
    ] {
        set_mode(&app.join(path), bits);
    }
    assert_eq!(run(&mut sandbox.stub()).status.code(), Some(127));
    sandbox.server.as_ref().unwrap().requests();
    let done = command(&sandbox, &["repair"]);
    assert_eq!(
        done["damaged"],
        json!(["lib/data", "lib/private", "program"])
    );
    assert_eq!(done["result"], "updated");
    assert_eq!(sandbox.server.as_ref().unwrap().requests(), [""; 0]);
    assert_eq!(start(&sandbox), "1.1");
    assert_as_released(&sandbox, "repaired");
    assert_eq!(command(&sandbox, &["repair"])["result"], "up-to-date");
}

#[test]
fn lost_permissions_come_back_with_a_patch_too() {
    let sandbox = sandbox();
    let app = sandbox.path("install/app");
    for (path, bits) in [("lib/tool", 0o644), ("lib/data", 0o666), ("lib", 0o775)] {
        set_mode(&app.join(path), bits);
    }
    assert_eq!(start(&sandbox), "1.1");
    assert!(sandbox.log().contains("by 1 patch"), "{}", sandbox.log());
    assert_as_released(&sandbox, "patched");
}

// A required release that ended with an error while its own server was down.
#[test]
fn a_required_release_that_failed_once_is_tried_again_for_a_newer_one() {
    let sandbox = Sandbox::new();
    release(&sandbox, "1.0", "", &[]);
    sandbox.ship("1.0");
    let down = sandbox.path("down");
    fs::write(&down, "").unwrap();
    let script = format!("test ! -e '{}'", down.display());
    release(&sandbox, "1.1", &script, &["--required"]);
    assert_eq!(start(&sandbox), "1.1\n1.0");
    // Once is enough, without anything new.
    for _ in 0..3 {
        assert_eq!(start(&sandbox), "1.0");
    }
    let check = command(&sandbox, &["check"]);
    assert_eq!(check["update"], Value::Null);
    assert_eq!(check["skipped"][0]["version"], "1.1");
    assert_eq!(check["skipped"][0]["why"], "failed");
    let told = said(&run(sandbox.stub().args(["--updater", "update"])));
    assert!(told.contains("version 1.1 is skipped"), "{told}");
    assert!(told.contains("--updater update --retry"), "{told}");
    // A newer one lifts the block, once for each.
    release(&sandbox, "1.2", "", &[]);
    assert_eq!(start(&sandbox), "1.1\n1.0");
    assert_eq!(start(&sandbox), "1.0");
    release(&sandbox, "1.3", "", &[]);
    fs::remove_file(down).unwrap();
    assert_eq!(start(&sandbox), "1.1");
    assert_eq!(start(&sandbox), "1.3", "{}", sandbox.log());
    assert_eq!(command(&sandbox, &["status"])["failed"], json!([]));
    assert!(!sandbox.path("install/.notsotuf/blocked").exists());
    assert_eq!(command(&sandbox, &["status"])["not_installed"], json!([]));
}

#[cfg(target_os = "linux")]
#[test]
fn a_version_that_failed_is_tried_again_after_a_day() {
    let sandbox = Sandbox::with(&["--timestamp-days", "30"]);
    release(&sandbox, "1.0", "", &[]);
    sandbox.ship("1.0");
    release(&sandbox, "1.1", "exit 1", &[]);
    let at = |date: &str| {
        let mut command = Command::new("faketime");
        said(&run(command.arg(date).arg(sandbox.path("install/program"))))
    };
    assert_eq!(at("+0 hours"), "1.1\n1.0");
    assert_eq!(at("+23 hours"), "1.0");
    assert_eq!(at("+25 hours"), "1.1\n1.0");
    assert_eq!(at("+50 hours"), "1.0", "longer, the second time");
}

// It went back to the very version that had failed, and without a probation.
#[test]
fn nothing_goes_back_to_a_version_that_failed() {
    let sandbox = Sandbox::new();
    release(&sandbox, "1.0", "", &[]);
    sandbox.ship("1.0");
    // It proves itself, in the run that goes back to it, too: the stub takes
    // the file away then.
    let script = "f=${NOTSOTUF_READY_FILE:-}; test -n \"$f\" || exit 0
: > \"$f\"; while test -e \"$f\"; do sleep 0.05; done";
    release(&sandbox, "1.1", script, &[]);
    assert_eq!(start(&sandbox), "1.1");
    release(&sandbox, "1.2", "exit 1", &[]);
    assert_eq!(start(&sandbox), "1.2\n1.1");
    let status = command(&sandbox, &["status"]);
    assert_eq!(status["failed"], json!(["1.2"]));
    assert_eq!(status["previous"], Value::Null);
    let refused = run(sandbox.stub().args(["--updater", "rollback"]));
    assert_eq!(refused.status.code(), Some(5));
    let told = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(
        told.contains("1.2, which was here before, failed"),
        "{told}"
    );
    assert_eq!(start(&sandbox), "1.1");
    assert_eq!(command(&sandbox, &["status"])["failed"], json!(["1.2"]));
}

#[test]
fn going_back_by_hand_is_no_failure() {
    let sandbox = sandbox();
    assert_eq!(start(&sandbox), "1.1");
    let back = command(&sandbox, &["rollback"]);
    assert_eq!(back, json!({"result": "updated", "version": "1.0"}));
    let status = command(&sandbox, &["status"]);
    assert_eq!(status["failed"], json!([]));
    assert_eq!(status["rolled_back"], json!(["1.1"]));
    assert_eq!(status["previous"]["version"], "1.1");
    // It stays there until a newer one comes.
    assert_eq!(start(&sandbox), "1.0");
    let check = command(&sandbox, &["check"]);
    assert_eq!(check["skipped"][0]["why"], "rolled-back");
    release(&sandbox, "1.2", "", &[]);
    assert_eq!(start(&sandbox), "1.2");
}

// One that names another program than the settings: no start can install it.
#[test]
fn a_broken_release_is_fetched_once_and_a_later_one_comes() {
    let sandbox = Sandbox::new();
    release(&sandbox, "1.0", "", &[]);
    sandbox.ship("1.0");
    let folder = sandbox.path("broken");
    fs::create_dir(&folder).unwrap();
    fs::write(folder.join("other"), "no program").unwrap();
    sandbox.add("1.1", &folder, &["--skip-patch", "--force"]);
    sandbox.bundler(&["publish"]);
    let fetched = |version: &str| {
        let requests = sandbox.server.as_ref().unwrap().requests();
        let archive = format!("app-{version}.tar.gz");
        requests.iter().filter(|r| r.ends_with(&archive)).count()
    };
    let mut times = 0;
    for _ in 0..4 {
        assert_eq!(start(&sandbox), "1.0");
        times += fetched("1.1");
    }
    assert_eq!(times, 1, "{}", sandbox.log());
    let check = command(&sandbox, &["check"]);
    assert_eq!(check["skipped"][0]["why"], "not-installed");
    let status = command(&sandbox, &["status"]);
    assert_eq!(status["not_installed"], json!(["1.1"]));
    assert_eq!(status["failed"], json!([]));
    assert!(!sandbox.path("install/.notsotuf/downloads").exists());
    release(&sandbox, "1.2", "", &["--skip-patch"]);
    assert_eq!(start(&sandbox), "1.2", "{}", sandbox.log());
    assert!(!sandbox.path("install/.notsotuf/blocked").exists());
}

#[test]
fn an_update_that_cannot_be_put_in_place_keeps_no_later_one_away() {
    let sandbox = sandbox();
    command(&sandbox, &["stage"]);
    // A folder on which something is mounted cannot be renamed.
    let app = sandbox.path("install/app");
    let mount = |arguments: &[&str]| run(Command::new("mount").args(arguments).arg(&app));
    if !mount(&["--bind", text(&app)]).status.success() {
        eprintln!("skipped: mounting takes root");
        return;
    }
    let unmount = || run(Command::new("umount").arg("-l").arg(&app)).status;
    sandbox.server.as_ref().unwrap().requests();
    assert_eq!(start(&sandbox), "1.0");
    let requests = sandbox.server.as_ref().unwrap().requests();
    let again = requests
        .iter()
        .any(|r| r.contains("targets/") && r.contains("app-1"));
    assert!(!again, "it is there: {requests:?}");
    assert!(sandbox.log().contains("version 1.1 cannot be installed"));
    let status = command(&sandbox, &["status"]);
    assert_eq!(status["not_installed"], json!([]), "it is tried again");
    release(&sandbox, "1.2", "", &[]);
    assert_eq!(start(&sandbox), "1.0");
    let staged = command(&sandbox, &["status"])["staged"]["version"].clone();
    assert_eq!(staged, "1.2", "{}", sandbox.log());
    // In vain so often that it is given up for now.
    for _ in 0..3 {
        assert_eq!(start(&sandbox), "1.0");
    }
    assert_eq!(command(&sandbox, &["status"])["staged"], Value::Null);
    assert!(unmount().success());
    assert_eq!(start(&sandbox), "1.0");
    let retried = command(&sandbox, &["update", "--retry"]);
    assert_eq!(retried["version"], "1.2", "{}", sandbox.log());
}

/// Somebody has moved the large part elsewhere, and left a link.
#[test]
fn a_bundle_behind_a_link_is_started_and_not_exchanged() {
    let sandbox = Sandbox::new();
    release(&sandbox, "1.0", "", &[]);
    sandbox.ship("1.0");
    release(&sandbox, "1.1", "exit 3", &[]);
    let (app, elsewhere) = (sandbox.path("install/app"), sandbox.path("elsewhere"));
    fs::rename(&app, &elsewhere).unwrap();
    symlink(&elsewhere, &app).unwrap();
    for _ in 0..3 {
        assert_eq!(start(&sandbox), "1.0");
    }
    assert!(sandbox.log().contains("is a link"), "{}", sandbox.log());
    assert_eq!(command(&sandbox, &["status"])["not_installed"], json!([]));
    // As the message says.
    fs::remove_file(&app).unwrap();
    fs::rename(&elsewhere, &app).unwrap();
    assert_eq!(start(&sandbox), "1.1\n1.0");
}

/// `sudo myapp` once, and what the application made then was in the way of all updates.
#[test]
fn a_folder_that_root_made_is_copied() {
    if !is_root() {
        eprintln!("skipped: to change owners takes root");
        return;
    }
    let sandbox = sandbox();
    let (install, app) = (sandbox.path("install"), sandbox.path("install/app"));
    set_mode(sandbox.path("").as_path(), 0o755);
    let owner = ["-R", "65534:65534"];
    let done = run(Command::new("chown").args(owner).arg(&install));
    assert!(done.status.success());
    for (folder, mode) in [("cache/inner", 0o755), ("closed", 0o700)] {
        fs::create_dir_all(app.join(folder)).unwrap();
        fs::write(app.join(folder).join("file"), "root's").unwrap();
        set_mode(&app.join(folder), mode);
    }
    let as_owner = |arguments: &[&str]| {
        let mut command = sandbox.stub();
        command.uid(NOBODY).gid(NOBODY).args(arguments);
        said(&run(&mut command))
    };
    assert_eq!(as_owner(&[]), "1.1", "{}", sandbox.log());
    let copied = app.join("cache/inner/file");
    assert_eq!(fs::read_to_string(&copied).unwrap(), "root's");
    assert_eq!(fs::metadata(&copied).unwrap().uid(), NOBODY);
    // What cannot be read stays where it was.
    assert!(!app.join("closed").exists());
    assert!(install.join(".notsotuf/previous/closed/file").exists());
    // Back, and on again, over what cannot be removed either.
    assert!(as_owner(&["--updater", "rollback"]).contains("1.0"));
    assert_eq!(as_owner(&[]), "1.0", "{}", sandbox.log());
    for version in ["1.2", "1.3"] {
        release(&sandbox, version, "", &[]);
        assert_eq!(as_owner(&[]), version, "{}", sandbox.log());
    }
}

// `sudo myapp` once, and its owner got no updates any more.
#[test]
fn root_takes_no_install_away_from_its_owner() {
    if !is_root() {
        eprintln!("skipped: to change owners takes root");
        return;
    }
    let sandbox = sandbox();
    let install = sandbox.path("install");
    set_mode(sandbox.path("").as_path(), 0o755);
    let done = run(Command::new("chown")
        .args(["-R", "65534:65534"])
        .arg(&install));
    assert!(done.status.success());
    let home = sandbox.path("home");
    let as_root = |arguments: &[&str]| run(sandbox.stub().args(arguments).env("HOME", &home));
    let foreign = || {
        let found = run(Command::new("find")
            .arg(&install)
            .args(["!", "-user", "65534"]));
        said(&found)
    };
    assert_eq!(said(&as_root(&[])), "1.0");
    assert!(!install.join(".notsotuf").exists());
    let refused = as_root(&["--updater", "update"]);
    assert_eq!(refused.status.code(), Some(5));
    let told = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(told.contains("belongs to another user than root"), "{told}");
    let as_owner = || said(&run(sandbox.stub().uid(NOBODY).gid(NOBODY)));
    assert_eq!(as_owner(), "1.1", "{}", sandbox.log());
    assert_eq!(said(&as_root(&[])), "1.1");
    assert_eq!(foreign(), "");
    // As a stub of old left it.
    let state = install.join(".notsotuf");
    std::os::unix::fs::chown(&state, Some(0), Some(0)).unwrap();
    release(&sandbox, "1.2", "", &[]);
    assert_eq!(as_owner(), "1.2", "{}", sandbox.log());
    assert!(install.join(".notsotuf-of-root-1").exists());
}
