//! The window of an update that takes longer, on a real X server.
//! `scripts/screenshots` runs this, too: it sets NOTSOTUF_SCREENSHOTS to the
//! folder for pictures.

#![cfg(target_os = "linux")]

use notsotuf_tests::desktop::Desktop;
use notsotuf_tests::{Sandbox, run, write_script};
use std::collections::BTreeSet;
use std::fs;
use std::process::{Child, Command, Output, Stdio};

/// An install that has the full archive to fetch, slowly, with notes.
fn slow_update() -> Sandbox {
    with_notes("Photo Desk", "Opens *large* pictures twice as fast")
}

fn with_notes(title: &str, first: &str) -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.release("1.0", &[]);
    sandbox.ship_with(&["--version", "1.0", "--title", title]);
    let notes = sandbox.path("notes.md");
    fs::write(&notes, format!("# 1.1\n\n- {first}\n")).unwrap();
    sandbox.release("1.1", &["--notes", notes.to_str().unwrap()]);
    fs::remove_file(sandbox.path("install/app/.notsotuf-release")).unwrap();
    sandbox.add_settings("max_rate = 3000000");
    sandbox
}

/// The stub, as a click in a menu starts it.
fn start(sandbox: &Sandbox, desktop: &Desktop, more: &[(&str, &str)]) -> Child {
    let mut command = sandbox.stub();
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    command.envs(desktop.environment());
    command.env("LANG", "en_US.UTF-8");
    command.envs(more.iter().copied());
    command.spawn().unwrap()
}

fn version(child: Child) -> String {
    let output = child.wait_with_output().unwrap();
    let said: serde_json::Value =
        serde_json::from_slice(&output.stdout).unwrap_or_else(|e| panic!("{e}: {output:?}"));
    said["version"].as_str().unwrap().to_owned()
}

const TITLE: &str = "Updating Photo Desk to 1.1";

fn goes_on_without(sandbox: &Sandbox, desktop: &Desktop, kind: &[(&str, &str)], picture: &str) {
    // The user looks, and waits.
    let mut child = start(sandbox, desktop, kind);
    desktop.wait_for(TITLE, &mut child);
    desktop.picture(TITLE, picture);
    assert_eq!(version(child), "1.1");
    desktop.wait_until_gone(TITLE);
    let log = sandbox.log();
    assert!(log.contains("updated to version 1.1"), "{log}");
}

fn can_be_cancelled(sandbox: &Sandbox, desktop: &Desktop, kind: &[(&str, &str)]) {
    let mut child = start(sandbox, desktop, kind);
    let window = desktop.wait_for(TITLE, &mut child);
    desktop.press(&window, "Escape");
    assert_eq!(version(child), "1.0");
    let log = sandbox.log();
    assert!(
        log.contains("the update was cancelled by the user"),
        "{log}"
    );
    assert!(!log.contains("updated to version"), "{log}");
    desktop.wait_until_gone(TITLE);
    // What was downloaded is not lost, and where nobody looks there is no window.
    let partial: u64 = fs::read_dir(sandbox.path("install/.notsotuf/downloads"))
        .unwrap()
        .map(|file| file.unwrap().metadata().unwrap().len())
        .sum();
    assert!(partial > 0);
    assert_eq!(sandbox.start_version(), "1.1");
}

#[test]
fn zenity_shows_an_update() {
    let desktop = Desktop::start();
    let german = [("LANG", "de_DE.UTF-8")];
    can_be_cancelled(&slow_update(), &desktop, &[]);
    goes_on_without(&slow_update(), &desktop, &[], "zenity");
    let sandbox = with_notes("Photo Desk", "Öffnet große Bilder doppelt so schnell");
    let mut child = start(&sandbox, &desktop, &german);
    let title = "Photo Desk wird auf 1.1 aktualisiert";
    desktop.wait_for(title, &mut child);
    desktop.picture(title, "zenity-de");
    assert_eq!(version(child), "1.1");
    shows_signs(&desktop, &[]);
}

/// Signs that would mean something to the programs that show windows.
fn shows_signs(desktop: &Desktop, kind: &[(&str, &str)]) {
    let sandbox = with_notes("R&D <b>50 %", "<i>1 & 2</i> \\n &lt; %s größer");
    let mut child = start(&sandbox, desktop, kind);
    desktop.wait_for("Updating R&D <b>50 % to 1.1", &mut child);
    desktop.inspect("Updating R&D", &format!("signs-{}", kind.len()));
    assert_eq!(version(child), "1.1");
}

#[test]
fn kdialog_shows_an_update() {
    let desktop = Desktop::start();
    let kde = [("XDG_CURRENT_DESKTOP", "KDE")];
    can_be_cancelled(&slow_update(), &desktop, &kde);
    goes_on_without(&slow_update(), &desktop, &kde, "kdialog");
    shows_signs(&desktop, &kde);
}

/// The notifications of a desktop, each on a line: what `notify-send` was told.
fn told(sandbox: &Sandbox) -> String {
    fs::read_to_string(sandbox.path("told")).unwrap_or_default()
}

/// The stub of an install with a new version, without a terminal, on a desktop
/// whose notifications are written down.
fn on_a_desktop(sandbox: &Sandbox) -> Command {
    let bin = sandbox.path("bin");
    let note = format!("echo \"$@\" >> {:?}", sandbox.path("told"));
    write_script(&bin.join("notify-send"), &note);
    let path = std::env::var("PATH").unwrap();
    let mut command = sandbox.stub();
    command
        .env("PATH", format!("{}:{path}", bin.display()))
        .env("DISPLAY", ":4711")
        .env("LANG", "en_US.UTF-8")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

fn wait_until_told(sandbox: &Sandbox, words: &str) {
    let start = std::time::Instant::now();
    while !told(sandbox).contains(words) {
        let waited = start.elapsed().as_secs();
        assert!(waited < 60, "{:?}: {}", told(sandbox), sandbox.log());
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
}

/// An install of 1.0 of a script, and a 1.1 of another.
fn with_script(second: &str) -> Sandbox {
    let sandbox = Sandbox::new();
    for (version, script) in [("1.0", "echo 1.0"), ("1.1", second)] {
        let folder = sandbox.path(version);
        write_script(&folder.join("program"), script);
        fs::write(folder.join("icon.png"), "a picture").unwrap();
        sandbox.add(version, &folder, &[]);
        sandbox.bundler(&["publish"]);
        if version == "1.0" {
            sandbox.ship_with(&["--executable", "program", "--title", "Photo Desk"]);
        }
    }
    sandbox
}

#[test]
fn there_is_a_word_after_an_update_and_after_going_back() {
    let sandbox = with_script("echo 1.1");
    sandbox.add_settings("icon = \"icon.png\"");
    let output = run(&mut on_a_desktop(&sandbox));
    assert_eq!(String::from_utf8(output.stdout).unwrap(), "1.1\n");
    wait_until_told(&sandbox, "Photo Desk is now version 1.1\n");
    let icon = sandbox.path("install/app/icon.png").canonicalize().unwrap();
    let all = format!(
        "--app-name=Photo Desk --icon={} -- Photo Desk is now version 1.1\n",
        icon.display()
    );
    assert_eq!(told(&sandbox), all);
    // Where nothing was installed there is none.
    run(&mut on_a_desktop(&sandbox));
    run(&mut on_a_desktop(&sandbox));
    assert_eq!(told(&sandbox), all);

    let sandbox = with_script("[ -n \"$NOTSOTUF_PREVIOUS\" ] && exit 7; echo");
    let output = run(&mut on_a_desktop(&sandbox));
    assert_eq!(String::from_utf8(output.stdout).unwrap(), "1.0\n");
    let back = "Photo Desk 1.1 did not work here, so version 1.0 is back\n";
    wait_until_told(&sandbox, back);
}

/// The processes that this one started, or has inherited.
fn children() -> BTreeSet<i32> {
    let tasks = fs::read_dir("/proc/self/task").unwrap();
    let lists = tasks.map(|task| fs::read_to_string(task.unwrap().path().join("children")));
    let lists: String = lists.map(|list| list.unwrap() + " ").collect();
    lists
        .split_whitespace()
        .map(|id| id.parse().unwrap())
        .collect()
}

/// Runs a command, and waits for the end of whatever it leaves behind.
fn run_with_all_it_starts(command: &mut Command) -> Output {
    use rustix::process::{Pid, WaitOptions, getpid, set_child_subreaper, waitpid};
    set_child_subreaper(Some(getpid())).unwrap();
    let before = children();
    let output = run(command);
    while let Some(&id) = children().difference(&before).next() {
        waitpid(Pid::from_raw(id), WaitOptions::empty()).unwrap();
    }
    output
}

#[test]
fn there_is_no_word_where_none_is_wanted() {
    for (setting, display, expected) in [
        ("quiet = true", ":4711", ""),
        ("notify = false", ":4711", ""),
        ("", "", ""),
        ("", ":4711", "1.1\n"),
    ] {
        let sandbox = with_script("echo 1.1");
        sandbox.add_settings(&setting.replace("quiet = true", ""));
        if setting.starts_with("quiet") {
            sandbox.set("quiet", "true");
        }
        let mut command = on_a_desktop(&sandbox);
        command.env("DISPLAY", display).env("WAYLAND_DISPLAY", "");
        let output = run_with_all_it_starts(&mut command);
        assert_eq!(String::from_utf8(output.stdout).unwrap(), "1.1\n");
        let told = told(&sandbox);
        assert!(
            told.ends_with(expected) && told.is_empty() == expected.is_empty(),
            "{setting}: {told}"
        );
    }
}

#[test]
fn there_is_no_window_where_none_is_wanted() {
    let desktop = Desktop::start();
    for setting in ["quiet", "window"] {
        let sandbox = slow_update();
        if setting == "quiet" {
            sandbox.set("quiet", "true");
        } else {
            sandbox.set("window", "false");
        }
        let mut child = start(&sandbox, &desktop, &[]);
        while child.try_wait().unwrap().is_none() {
            assert_eq!(desktop.find(TITLE), None, "{setting}");
        }
        assert_eq!(version(child), "1.1");
    }
    // Nor where there is nothing to make one with.
    let sandbox = slow_update();
    let child = start(&sandbox, &desktop, &[("PATH", "/nowhere")]);
    assert_eq!(version(child), "1.1");
    // A window that cannot be shown is not one that was closed.
    let sandbox = slow_update();
    let child = start(&sandbox, &desktop, &[("DISPLAY", ":4711")]);
    assert_eq!(version(child), "1.1");
}

/// `script` gives it a terminal.
#[test]
fn a_terminal_shows_an_update() {
    let sandbox = slow_update();
    let stub = sandbox.path("install/program");
    let mut command = Command::new("script");
    command
        .args([
            "--quiet",
            "--return",
            "--command",
            stub.to_str().unwrap(),
            "/dev/null",
        ])
        .env("LANG", "en_US.UTF-8");
    let output = run(&mut command);
    assert!(output.status.success(), "{output:?}");
    let said = String::from_utf8(output.stdout).unwrap();
    let mut lines: Vec<_> = said.split('\r').map(str::trim_end).collect();
    assert_eq!(lines[0].trim(), "Opens large pictures twice as fast");
    lines.retain(|line| line.starts_with(TITLE));
    assert!(lines.len() > 5, "{said:?}");
    let first = lines[0];
    assert!(first.contains(" MB of ") && first.contains(" %"), "{first}");
    assert!(lines.iter().any(|line| line.ends_with(" left")), "{said:?}");
    // And it is gone in the end: the application has the line for itself.
    let (_, after) = said.rsplit_once(TITLE).unwrap();
    let after: Vec<_> = after.split('\r').collect();
    assert!(
        after[1].chars().all(|c| c == ' ') && after[1].len() > 60,
        "{after:?}"
    );
    assert!(after[2].starts_with("{\"version\": \"1.1\""), "{after:?}");
}

/// The programs that show windows, replaced by others. There is no display.
fn with_programs(programs: &[(&str, &str)], desktop: &str) -> (Sandbox, String) {
    let sandbox = slow_update();
    // A word that hangs is ended later, by a program of its own.
    sandbox.add_settings("notify = false");
    let bin = sandbox.path("bin");
    for (name, script) in programs {
        write_script(&bin.join(name), script);
    }
    let path = std::env::var("PATH").unwrap();
    let mut command = sandbox.stub();
    command
        .env("PATH", format!("{}:{path}", bin.display()))
        .env("DISPLAY", ":4711")
        .env("XDG_CURRENT_DESKTOP", desktop)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let said = version(command.spawn().unwrap());
    (sandbox, said)
}

#[test]
fn a_window_that_hangs_or_dies_changes_nothing() {
    // Its argument is this test's own: others may sleep on the same machine.
    let sleep = format!("sleep {}", 1_000_000 + std::process::id());
    let hangs = format!("exec {sleep}");
    let hangs = hangs.as_str();
    let window = "echo 'org.kde.kdialog-1 /ProgressDialog'";
    for (programs, desktop) in [
        (&[("zenity", hangs)][..], ""),
        (&[("zenity", "exit 1")], ""),
        (&[("zenity", "kill -9 $$")], ""),
        (&[("kdialog", hangs)], "KDE"),
        (&[("kdialog", window), ("dbus-send", hangs)], "KDE"),
        (&[("kdialog", window), ("dbus-send", "exit 1")], "KDE"),
        (&[("kdialog", "exit 0"), ("zenity", "exit 0")], "KDE"),
    ] {
        let (sandbox, said) = with_programs(programs, desktop);
        assert_eq!(said, "1.1", "{programs:?}: {}", sandbox.log());
        // Nothing of it is left behind.
        let left = run(Command::new("pgrep").args(["-f", &format!("^{sleep}$")]));
        assert_eq!(left.status.code(), Some(1), "{programs:?}: {left:?}");
    }
}

/// Ctrl-S, or a terminal whose other end nobody reads.
#[test]
fn a_terminal_that_is_stopped_changes_nothing() {
    let sandbox = slow_update();
    let script = "import os, pty, subprocess, sys\n\
        there, here = pty.openpty()\n\
        os.set_blocking(here, False)\n\
        try:\n    while True: os.write(here, b'x' * 100)\n\
        except BlockingIOError: os.set_blocking(here, True)\n\
        sys.exit(subprocess.run(sys.argv[1:], stdin=subprocess.DEVNULL, stderr=here).returncode)";
    let mut command = Command::new(notsotuf_tests::root().join(".venv/bin/python"));
    command
        .args(["-c", script])
        .arg(sandbox.path("install/program"));
    let said = notsotuf_tests::json(&mut command);
    assert_eq!(said["version"], "1.1", "{}", sandbox.log());
}
