//! The stub and the bundler for Windows, under wine: scripts/test-windows.

#![cfg(target_os = "linux")]

use notsotuf_tests::desktop::Desktop;
use notsotuf_tests::wine::{built, compile, started, wine};
use notsotuf_tests::{Sandbox, copy_tree, is_root, json, program, run, set_mode, set_stub_version};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

/// A bundle: the program, a large file, one with a path that is longer than
/// 260 characters, one whose name is not ASCII.
fn bundle(sandbox: &Sandbox, version: &str, more: &[&str]) -> PathBuf {
    let folder = sandbox.path(&format!("bundle-{version}"));
    let deep = ["long name of a folder"; 12].join("/");
    fs::create_dir_all(folder.join("_internal").join(&deep)).unwrap();
    compile(version, more, &folder.join("myapp.exe"));
    // Nothing that could be compressed.
    let mut state = 1u32;
    let random = || {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        state as u8
    };
    let data: Vec<u8> = std::iter::repeat_with(random).take(300_000).collect();
    fs::write(folder.join("_internal/data.bin"), data).unwrap();
    fs::write(folder.join("_internal").join(deep).join("file"), version).unwrap();
    fs::write(folder.join("_internal/größe ✓.txt"), version).unwrap();
    folder
}

/// An install of 1.0, in a folder whose name has spaces and other letters.
struct Install {
    sandbox: Sandbox,
    folder: PathBuf,
}

impl Install {
    fn new() -> Self {
        let sandbox = Sandbox::new();
        let folder = sandbox.path("Prögramme (x86)/My App");
        let first = bundle(&sandbox, "1.0", &[]);
        sandbox.add("1.0", &first, &[]);
        sandbox.bundler(&["publish"]);
        sandbox.bundler(&[
            "ship",
            "--stub",
            built("notsotuf-stub.exe").to_str().unwrap(),
            "--output",
            folder.to_str().unwrap(),
        ]);
        Install { sandbox, folder }
    }

    fn release(&self, version: &str, more: &[&str], add: &[&str]) {
        let next = bundle(&self.sandbox, version, more);
        self.sandbox.add(version, &next, add);
        self.sandbox.bundler(&["publish"]);
    }

    fn stub(&self) -> Command {
        wine(&self.folder.join("myapp.exe"))
    }

    fn said(&self, output: &Output) -> String {
        let said = String::from_utf8_lossy(&output.stdout).replace('\r', "");
        assert!(said.starts_with("version "), "{output:?}\n{}", self.log());
        said
    }

    fn start(&self) -> String {
        let output = run(&mut self.stub());
        assert_eq!(output.status.code(), Some(0), "{output:?}\n{}", self.log());
        let said = self.said(&output);
        said.lines().next().unwrap()["version ".len()..].to_owned()
    }

    fn log(&self) -> String {
        fs::read_to_string(self.folder.join(".notsotuf/log")).unwrap_or_default()
    }

    fn updater(&self, arguments: &[&str]) -> serde_json::Value {
        let mut command = self.stub();
        json(command.arg("--updater").args(arguments).arg("--json"))
    }
}

/// Ends a program; the stub's application ends with the stub.
fn end(mut child: Child) {
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
#[ignore = "scripts/test-windows"]
fn updates_by_patch_archive_and_chain_leave_nothing_behind() {
    let install = Install::new();
    assert_eq!(install.start(), "1.0");
    install.release("1.1", &[], &[]);
    assert_eq!(install.start(), "1.1", "{}", install.log());
    assert!(install.log().contains("by 1 patch"), "{}", install.log());
    install.release("1.2", &[], &["--skip-patch"]);
    assert_eq!(install.start(), "1.2", "{}", install.log());
    let log = install.log();
    assert!(log.contains("1.2 by the full archive"), "{log}");
    let text = fs::read_to_string(install.folder.join("app/_internal/größe ✓.txt"));
    assert_eq!(text.unwrap(), "1.2");
    let mut left: Vec<_> = fs::read_dir(install.folder.join(".notsotuf"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    left.sort();
    assert!(!left.contains(&"staging".into()), "{left:?}");
    assert!(!left.contains(&"journal".into()), "{left:?}");
}

#[test]
#[ignore = "scripts/test-windows"]
fn command_line_folder_and_exit_code_pass_through() {
    let install = Install::new();
    // wine builds the command line from these words by the usual rules, so
    // the stub gets quotes and backslashes in it.
    let words = ["a", "b c", "", "quote\"d", "back\\slash\\", "größe"];
    let mut direct = wine(&install.folder.join("app/myapp.exe"));
    let direct = run(direct.args(words).current_dir(install.sandbox.path("")));
    let mut command = install.stub();
    let output = run(command
        .args(words)
        .current_dir(install.sandbox.path(""))
        .env("E2E_EXIT", "42"));
    assert_eq!(output.status.code(), Some(42));
    let tail = |text: &str| {
        let line = text.lines().nth(1).unwrap().to_owned();
        line.split_once("myapp.exe\"").unwrap().1.to_owned()
    };
    let (through, direct) = (install.said(&output), install.said(&direct));
    assert!(tail(&direct).contains("\"b c\""), "{direct}");
    assert_eq!(tail(&through), tail(&direct));
    assert_eq!(through.lines().nth(2), direct.lines().nth(2));
}

#[test]
#[ignore = "scripts/test-windows"]
fn a_version_that_crashes_makes_room_for_the_one_before() {
    let install = Install::new();
    install.release("1.1", &["-DCRASHES"], &[]);
    assert_eq!(install.start(), "1.0", "{}", install.log());
    let log = install.log();
    assert!(log.contains("version 1.1 failed"), "{log}");
    assert_eq!(install.updater(&["status"])["failed"][0], "1.1");
    install.release("1.2", &[], &[]);
    assert_eq!(install.start(), "1.2", "{}", install.log());
    assert_eq!(install.updater(&["rollback"])["version"], "1.0");
    assert_eq!(install.start(), "1.0");
}

#[test]
#[ignore = "scripts/test-windows"]
fn a_running_instance_keeps_its_files() {
    let install = Install::new();
    assert_eq!(install.start(), "1.0");
    let mut command = install.stub();
    command.arg("--sleep");
    let running = started(&mut command);
    install.release("1.1", &[], &[]);
    assert_eq!(install.start(), "1.0", "{}", install.log());
    let log = install.log();
    assert!(log.contains("will be installed at the next start"), "{log}");
    end(running);
    assert_eq!(install.start(), "1.1", "{}", install.log());
}

#[test]
#[ignore = "scripts/test-windows"]
fn a_file_that_another_program_has_locked() {
    let install = Install::new();
    assert_eq!(install.start(), "1.0");
    let other = install.sandbox.path("other.exe");
    compile("0", &[], &other);
    let mut command = wine(&other);
    command
        .args(["--hold", "0", "60"])
        .arg(install.folder.join("app/_internal/data.bin"));
    let locking = started(&mut command);
    install.release("1.1", &[], &[]);
    let version = install.start();
    assert!(["1.0", "1.1"].contains(&version.as_str()));
    end(locking);
    assert_eq!(install.start(), "1.1", "{}", install.log());
}

/// As in Program Files, without the rights of an administrator; here it takes
/// root to make it so.
#[test]
#[ignore = "scripts/test-windows"]
fn a_folder_that_cannot_be_written() {
    let install = Install::new();
    let settings = install.folder.join("notsotuf.toml");
    let text = fs::read_to_string(&settings).unwrap();
    let elevating = text.replace("elevate = false", "elevate = true");
    assert_ne!(text, elevating);
    install.release("1.1", &[], &[]);
    let log = |name: &str| {
        let prefix = PathBuf::from(std::env::var("WINEPREFIX").unwrap());
        let users = prefix.join("drive_c/users");
        let user = std::env::var("USER").unwrap_or_else(|_| "root".into());
        let local = users.join(user).join("AppData/Local/notsotuf");
        fs::read_to_string(local.join(name).join("log")).unwrap_or_default()
    };
    for (text, reason) in [
        (&text, "whoever installed the application updates it"),
        (&elevating, "(local): the update as administrator failed"),
    ] {
        fs::write(&settings, text).unwrap();
        let mount = |arguments: &[&str]| {
            let mut command = Command::new("mount");
            run(command.args(arguments).arg(&install.folder)).status
        };
        let place = install.folder.to_str().unwrap();
        if !mount(&["--bind", place]).success() {
            eprintln!("skipped: mounting a folder read-only takes root");
            return;
        }
        let mounted = mount(&["-o", "remount,ro,bind"]);
        let output = run(&mut install.stub());
        let unmounted = run(Command::new("umount").arg("-l").arg(&install.folder));
        assert!(mounted.success() && unmounted.status.success());
        assert!(install.said(&output).starts_with("version 1.0"));
        assert!(log("app").contains(reason), "{}", log("app"));
    }
    fs::write(&settings, &text).unwrap();
    assert_eq!(install.start(), "1.1", "{}", install.log());
}

#[test]
#[ignore = "scripts/test-windows"]
fn the_stub_replaces_itself() {
    let install = Install::new();
    let mut stub = fs::read(built("notsotuf-stub.exe")).unwrap();
    set_stub_version(&mut stub, "9.1");
    let newer = install.sandbox.path("newer.exe");
    fs::write(&newer, stub).unwrap();
    install
        .sandbox
        .bundler(&["add-stub", newer.to_str().unwrap()]);
    install.sandbox.bundler(&["publish"]);
    assert_eq!(install.start(), "1.0", "{}", install.log());
    let version = install.updater(&["version"]);
    assert_eq!(version["updater"], "9.1", "{}", install.log());
    assert_eq!(install.start(), "1.0");
    let files: Vec<_> = fs::read_dir(&install.folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.ends_with(".exe"))
        .collect();
    assert_eq!(files, ["myapp.exe"], "{}", install.log());
}

#[test]
#[ignore = "scripts/test-windows"]
fn a_damaged_file_is_repaired_and_without_a_network_the_application_starts() {
    let mut install = Install::new();
    let data = install.folder.join("app/_internal/data.bin");
    let sound = fs::read(&data).unwrap();
    fs::write(&data, "damaged").unwrap();
    let repaired = install.updater(&["repair"]);
    assert_eq!(repaired["damaged"][0], "_internal/data.bin");
    assert_eq!(fs::read(&data).unwrap(), sound);
    install.sandbox.server = None;
    assert_eq!(install.start(), "1.0");
    assert!(install.log().contains("no update (unavailable)"));
}

#[test]
#[ignore = "scripts/test-windows"]
fn the_bundler_makes_the_same_archive_there() {
    let sandbox = Sandbox::new();
    let folder = bundle(&sandbox, "1.0", &[]);
    let here = sandbox.add("1.0", &folder, &[]);
    let project = sandbox.path("there");
    let there = |arguments: &[&str]| {
        let mut command = wine(&built("notsotuf.exe"));
        command.arg("--json").arg("-C").arg(&project);
        json(command.args(arguments))
    };
    there(&[
        "init",
        "--app",
        "app",
        "--plain",
        "--url",
        "http://localhost",
    ]);
    let added = there(&["add", "1.0", folder.to_str().unwrap()]);
    assert_eq!(added["archive"]["path"], here["archive"]["path"]);
    there(&["publish"]);
    let verified = there(&["verify"]);
    assert_eq!(verified["problems"], serde_json::json!([]), "{verified}");
    // What was signed there is good here.
    let mut native = Command::new(program("notsotuf"));
    let native = json(native.arg("--json").arg("-C").arg(&project).arg("verify"));
    assert_eq!(native["problems"], serde_json::json!([]));
}

/// In a prefix of its own: the others are used without a display.
#[test]
#[ignore = "scripts/test-windows"]
fn a_window_shows_an_update_that_takes_longer() {
    let desktop = Desktop::start();
    let install = Install::new();
    let prefix = install.sandbox.path("prefix");
    let made = std::env::var("WINEPREFIX").expect("scripts/test-windows sets it");
    copy_tree(Path::new(&made), &prefix);
    let settings = install.folder.join("notsotuf.toml");
    let text = fs::read_to_string(&settings).unwrap();
    let more = "max_rate = 40000\ntitle = 'Photo Desk'\n";
    fs::write(&settings, format!("{more}{text}")).unwrap();
    let notes = install.sandbox.path("notes.md");
    fs::write(&notes, "# 1.1\n\n- Opens *large* pictures twice as fast\n").unwrap();
    let notes = notes.to_str().unwrap();
    install.release("1.1", &[], &["--skip-patch", "--notes", notes]);
    let start = || {
        let mut command = install.stub();
        command
            .env("WINEPREFIX", &prefix)
            .envs(desktop.environment())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command.spawn().unwrap()
    };
    let title = "Updating Photo Desk to 1.1";
    let mut child = start();
    let window = desktop.wait_for(title, &mut child);
    desktop.picture(title, "windows");
    desktop.press(&window, "Escape");
    let output = child.wait_with_output().unwrap();
    assert!(install.said(&output).starts_with("version 1.0"));
    let log = install.log();
    assert!(log.contains("cancelled by the user"), "{log}");

    let mut child = start();
    desktop.wait_for(title, &mut child);
    let output = child.wait_with_output().unwrap();
    assert!(install.said(&output).starts_with("version 1.1"));
    desktop.wait_until_gone(title);
}

/// The taskbar knows a window by the shortcut, or by an id.
#[test]
#[ignore = "scripts/test-windows"]
fn the_window_state_and_the_shortcut_are_handed_on() {
    let install = Install::new();
    assert_eq!(install.start(), "1.0");
    let explorer = install.sandbox.path("explorer.exe");
    compile("0", &[], &explorer);
    let start = || {
        let mut command = wine(&explorer);
        command.args(["--shortcut", r"C:\My App.lnk"]);
        let output = run(command.arg(install.folder.join("myapp.exe")));
        assert_eq!(output.status.code(), Some(0), "{output:?}");
        let said = install.said(&output);
        said.lines().skip(3).map(str::to_owned).collect::<Vec<_>>()
    };
    let direct = {
        let mut command = wine(&explorer);
        command.args(["--shortcut", r"C:\My App.lnk"]);
        let output = run(command.arg(install.folder.join("app/myapp.exe")));
        let said = install.said(&output);
        said.lines().skip(3).map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(direct, ["shown 1 as 7 by a link", r"title C:\My App.lnk"]);
    assert_eq!(start(), direct);
    let settings = install.folder.join("notsotuf.toml");
    let text = fs::read_to_string(&settings).unwrap();
    fs::write(&settings, format!("app_user_model_id = 'My.App'\n{text}")).unwrap();
    assert_eq!(start(), ["shown 1 as 7 with an id", "title My.App"]);
}

/// As below `C:\\`, where everybody may write to what is made there. wine shows the permission
/// bits as an access control list, and keeps what such a list says as bits.
#[test]
#[ignore = "scripts/test-windows"]
fn a_state_dir_that_others_may_write_to_is_emptied_and_closed() {
    let install = Install::new();
    let state = install.folder.join(".notsotuf");
    let settings = install.folder.join("notsotuf.toml");
    let online = fs::read_to_string(&settings).unwrap();
    let offline = online.replace("mode = \"before-launch\"", "mode = \"off\"");
    assert_ne!(online, offline);
    fs::write(&settings, &offline).unwrap();
    assert_eq!(install.start(), "1.0");
    let discarded = || install.log().matches("so its content is discarded").count();
    for (version, before, times) in [("1.1", 0o755, 0), ("1.2", 0o777, 1), ("1.3", 0o757, 2)] {
        install.release(version, &[], &[]);
        assert_eq!(
            install.updater(&["stage"])["version"],
            version,
            "{}",
            install.log()
        );
        fs::write(state.join("notes"), "by somebody").unwrap();
        set_mode(&state, before);
        assert_eq!(install.start(), "1.1", "{}", install.log());
        assert_eq!(discarded(), times, "{}", install.log());
        assert_eq!(state.join("notes").exists(), before == 0o755);
        assert!(state.join("log").exists(), "it is this user's alone");
        let after = fs::metadata(&state).unwrap().permissions().mode();
        assert_eq!(after & 0o002, 0, "{after:o}");
        // That was once and for all.
        assert_eq!(install.start(), "1.1", "{}", install.log());
        assert_eq!(discarded(), times, "{}", install.log());
    }
    // Nothing is lost by that.
    fs::write(&settings, &online).unwrap();
    assert_eq!(install.start(), "1.3", "{}", install.log());
}

/// Who may make folders in the install dir, but not replace the application, must not have
/// anything installed.
#[test]
#[ignore = "scripts/test-windows"]
fn a_state_dir_of_another_user_is_not_used() {
    if !is_root() {
        eprintln!("skipped: giving a folder to another takes root");
        return;
    }
    let install = Install::new();
    let state = install.folder.join(".notsotuf");
    fs::create_dir(&state).unwrap();
    let give = |folder: &Path, user| std::os::unix::fs::chown(folder, user, user).unwrap();
    give(&state, Some(65534));
    install.release("1.1", &[], &[]);
    assert_eq!(install.start(), "1.0");
    assert!(fs::read_dir(&state).unwrap().next().is_none());
    let refused = run(install.stub().args(["--updater", "update"]));
    assert_eq!(refused.status.code(), Some(5), "{refused:?}");
    let said = String::from_utf8_lossy(&refused.stderr);
    assert!(said.contains("belongs to another user"), "{said}");
    // Nobody else's once the whole install is theirs, nor when it is this user's.
    give(&state, Some(0));
    assert_eq!(install.start(), "1.1", "{}", install.log());
}
