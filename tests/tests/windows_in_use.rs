//! Updates of real PyInstaller bundles for Windows whose files are in use, are read-only, or
//! whose application restarts itself, under wine: scripts/test-windows.
//!
//! Whether two programs may have one file open is a matter of both: what the one wants to do
//! must be shared by the other. So a file that is held open as Python opens it shows whether
//! anything here would make Python's open fail.

#![cfg(target_os = "linux")]

use notsotuf_tests::windows_install::{WindowsInstall, same_tree};
use notsotuf_tests::wine::{compile, compile_c, on_drive, started, windows_bundle, wine};
use notsotuf_tests::{copy_tree, json, set_mode};
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// As the C library opens a file to read it: others may read and write.
const AS_PYTHON: &str = "3";
/// As the system opens a library to load it: others may read and remove.
const AS_LIBRARY: &str = "5";
/// Others may read.
const TO_READ: &str = "1";
/// Others may do nothing.
const ALONE: &str = "0";

/// Files held open by another program, until this is dropped.
struct Held(Child);

impl Held {
    fn open(install: &WindowsInstall, share: &str, seconds: u32, files: &[PathBuf]) -> Self {
        let holder = install.sandbox.path("holder.exe");
        if !holder.exists() {
            compile("0", &[], &holder);
        }
        let mut command = wine(&holder);
        command.args(["--hold", share, &seconds.to_string()]);
        Held(started(
            command.args(files.iter().map(|file| on_drive(file))),
        ))
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        drop((self.0.kill(), self.0.wait()));
    }
}

fn files_in(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap();
    let files = entries.flat_map(|entry| {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files_in(&path)
        } else {
            vec![path]
        }
    });
    files.collect()
}

/// Starts the application, which runs on for some seconds.
fn running(command: &mut Command, seconds: &str) -> Child {
    command.args(["--sleep", seconds]).stderr(Stdio::null());
    let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    let out = child.stdout.take().unwrap();
    BufReader::new(out).read_line(&mut line).unwrap();
    assert!(line.contains("version"), "{line}");
    child
}

fn stage(install: &WindowsInstall) -> serde_json::Value {
    json(install.stub().args(["--updater", "stage", "--json"]))
}

/// A release that is like that of `source`, but for one file.
fn release_like(install: &WindowsInstall, source: &str, version: &str, add: &[&str]) {
    let folder = install.sandbox.path(&format!("bundle-{version}"));
    copy_tree(&windows_bundle(source, "console"), &folder);
    fs::write(folder.join("_internal/version.txt"), version).unwrap();
    install.sandbox.add(version, &folder, add);
    install.sandbox.bundler(&["publish"]);
}

fn nothing_was_wrong(install: &WindowsInstall) {
    let log = install.log();
    for wrong in ["[ERROR]", "[WARN]", "cannot ", "another program"] {
        assert!(!log.contains(wrong), "{wrong}: {log}");
    }
}

#[test]
#[ignore = "scripts/test-windows"]
fn an_update_is_staged_and_replaced_while_the_application_runs() {
    let install = WindowsInstall::new("console");
    assert_eq!(install.version(), "1.0");
    let mut application = running(&mut install.stub(), "40");
    for (version, add) in [("1.1", &[][..]), ("1.1.1", &[]), ("1.2", &["--skip-patch"])] {
        match version {
            "1.1.1" => release_like(&install, "1.1", version, add),
            _ => install.release(version, add),
        }
        let staged = stage(&install);
        let said = (&staged["result"], &staged["version"]);
        assert_eq!(
            said,
            (&"staged".into(), &version.into()),
            "{}",
            install.log()
        );
    }
    let trash = install.folder.join(".notsotuf/trash");
    assert!(trash.join("1").exists(), "what was staged before is kept");
    assert_eq!(install.version(), "1.0");
    assert!(trash.join("1").exists(), "the application still runs");
    application.wait().unwrap();
    assert_eq!(install.version(), "1.2", "{}", install.log());
    same_tree(
        &windows_bundle("1.2", "console"),
        &install.folder.join("app"),
    );
    assert!(!trash.exists(), "{}", install.log());
    nothing_was_wrong(&install);
}

#[test]
#[ignore = "scripts/test-windows"]
fn nothing_that_opens_files_of_the_application_notices_an_update() {
    let install = WindowsInstall::new("console");
    assert_eq!(install.version(), "1.0");
    let files = files_in(&install.folder.join("app"));
    let libraries = |file: &&PathBuf| {
        file.extension()
            .is_some_and(|it| it == "dll" || it == "pyd")
    };
    let libraries: Vec<PathBuf> = files.iter().filter(libraries).cloned().collect();
    assert!(files.len() > 10 && libraries.len() > 5, "{files:?}");
    let as_python = Held::open(&install, AS_PYTHON, 60, &files);
    let as_libraries = Held::open(&install, AS_LIBRARY, 60, &libraries);
    for (version, add) in [
        ("1.1", &[][..]),
        ("1.1.1", &[]),
        ("1.1.2", &["--skip-patch"]),
    ] {
        match version {
            "1.1" => install.release(version, add),
            _ => release_like(&install, "1.1", version, add),
        }
        let staged = stage(&install);
        assert_eq!(staged["version"], version, "{}", install.log());
    }
    nothing_was_wrong(&install);
    drop((as_python, as_libraries));
    assert_eq!(install.version(), "1.1", "{}", install.log());
    let text = fs::read_to_string(install.folder.join("app/_internal/version.txt"));
    assert_eq!(text.unwrap(), "1.1.2");
}

/// A program that does something to every file of `app/` again and again (tests/windows/opener.c).
struct Again {
    child: Child,
    stop: PathBuf,
}

impl Again {
    fn start(install: &WindowsInstall, what: &str) -> Self {
        let program = install.sandbox.path("opener.exe");
        if !program.exists() {
            compile_c("opener.c", &[], &program);
        }
        let stop = install.sandbox.path(&format!("stop-{what}"));
        let scratch = install.folder.join(format!("scratch-{what}"));
        let mut command = wine(&program);
        command.arg(what);
        for path in [&install.folder.join("app"), &stop, &scratch] {
            command.arg(on_drive(path));
        }
        command.stdout(Stdio::piped());
        Again {
            child: command.spawn().unwrap(),
            stop,
        }
    }

    /// The numbers that it says at its end.
    fn end(self) -> Vec<u32> {
        fs::write(&self.stop, "").unwrap();
        let output = self.child.wait_with_output().unwrap();
        fs::remove_file(&self.stop).unwrap();
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        let last = said.lines().last().unwrap();
        last.split_whitespace()
            .filter_map(|word| word.parse().ok())
            .collect()
    }
}

/// An application that is just starting opens its files in the ordinary way, and nothing that
/// is done in the background may make that fail. First what does: names of these files that
/// come and go.
#[test]
#[ignore = "scripts/test-windows"]
fn no_open_of_a_file_of_the_application_fails_while_updates_are_staged() {
    let install = WindowsInstall::new("console");
    assert_eq!(install.version(), "1.0");
    let opener = Again::start(&install, "open");
    let remover = Again::start(&install, "remove");
    std::thread::sleep(Duration::from_secs(5));
    let (removed, opened) = (remover.end(), opener.end());
    assert!(removed[0] > 0, "{removed:?}");
    assert!(
        opened[0] > 0 && opened[1] > 0,
        "it notices nothing: {opened:?}"
    );

    let mut application = running(&mut install.stub(), "60");
    let opener = Again::start(&install, "open");
    for (version, source, add) in [
        ("1.1", "1.1", &[][..]),
        ("1.2", "1.2", &["--skip-patch"]),
        ("1.3", "1.1", &[]),
        ("1.4", "1.2", &["--skip-patch"]),
    ] {
        release_like(&install, source, version, add);
        assert_eq!(stage(&install)["version"], version, "{}", install.log());
        // A start while it runs cleans up, too.
        assert_eq!(install.version(), "1.0");
    }
    let opened = opener.end();
    assert!(opened[0] > 100, "{opened:?}");
    assert_eq!(opened[1], 0, "of {}", opened[0]);
    let trash = install.folder.join(".notsotuf/trash");
    assert!(trash.join("2").exists(), "{}", install.log());
    application.kill().unwrap();
    application.wait().unwrap();
    nothing_was_wrong(&install);
}

/// Where a system minds that mark when a name is removed, as wine and Windows before 10 do.
#[test]
#[ignore = "scripts/test-windows"]
fn files_of_the_application_stay_read_only_when_another_name_is_removed() {
    let install = WindowsInstall::new("console");
    assert_eq!(install.version(), "1.0");
    let mut application = running(&mut install.stub(), "30");
    for (version, source) in [("1.1", "1.1"), ("1.1.1", "1.1")] {
        release_like(&install, source, version, &[]);
        assert_eq!(stage(&install)["version"], version, "{}", install.log());
    }
    let trash = install.folder.join(".notsotuf/trash");
    let library = "_internal/python313.dll";
    let same_file = |one: &Path, other: &Path| {
        let number =
            |path: &Path| std::os::unix::fs::MetadataExt::ino(&fs::metadata(path).unwrap());
        number(one) == number(other)
    };
    let installed = install.folder.join("app").join(library);
    assert!(same_file(&trash.join("0/tree").join(library), &installed));
    set_mode(&installed, 0o444);
    application.kill().unwrap();
    application.wait().unwrap();
    assert_eq!(install.version(), "1.1", "{}", install.log());
    // On probation the version before is kept, with one more name of it.
    assert_eq!(install.version(), "1.1", "{}", install.log());
    assert!(!trash.exists(), "{}", install.log());
    assert!(fs::metadata(&installed).unwrap().permissions().readonly());
    nothing_was_wrong(&install);
}

#[test]
#[ignore = "scripts/test-windows"]
fn read_only_files_stop_no_update_and_stay_read_only() {
    let install = WindowsInstall::new("console");
    assert_eq!(install.version(), "1.0");
    let app = install.folder.join("app");
    fs::write(app.join("mine.txt"), "of the user").unwrap();
    set_mode(&app.join("mine.txt"), 0o444);
    let releases = ["1.1", "1.2", "1.3", "1.4"];
    for (version, source) in releases.into_iter().zip(["1.1", "1.0", "1.2", "1.1"]) {
        // Every file: of the release, and those that it shares with the one before.
        for file in files_in(&app) {
            set_mode(&file, 0o444);
        }
        release_like(&install, source, version, &[]);
        let (code, said) = install.start(|_| {});
        assert_eq!(code, Some(0), "{}", install.log());
        assert_eq!(
            said["told"]["NOTSOTUF_VERSION"],
            version,
            "{}",
            install.log()
        );
    }
    let mine = fs::metadata(app.join("mine.txt")).unwrap();
    assert!(mine.permissions().readonly());
    assert!(!install.folder.join(".notsotuf/trash").exists());
    nothing_was_wrong(&install);
}

#[test]
#[ignore = "scripts/test-windows"]
fn files_that_another_program_holds_for_seconds_are_waited_for() {
    let install = WindowsInstall::new("console");
    assert_eq!(install.version(), "1.0");
    let timestamp = install.folder.join(".notsotuf/metadata/timestamp.json");
    for (version, share, done) in [
        ("1.1", ALONE, "could open"),
        ("1.2", TO_READ, "could replace"),
    ] {
        install.release(version, &[]);
        let held = Held::open(&install, share, 2, std::slice::from_ref(&timestamp));
        let mut command = install.stub();
        let updated = json(command.args(["--updater", "update", "--json"]));
        assert_eq!(updated["version"], version, "{}", install.log());
        drop(held);
        let log = install.log();
        let waited = |line: &str| {
            ["another program had", "timestamp.json", done]
                .iter()
                .all(|part| line.contains(part))
        };
        assert!(log.lines().any(waited), "{log}");
    }
    // Who does not let go of it keeps the update away, but not the application.
    assert_eq!(install.version(), "1.2", "on probation");
    release_like(&install, "1.1", "1.3", &[]);
    let held = Held::open(&install, ALONE, 60, std::slice::from_ref(&timestamp));
    // The update goes on as long as the application runs.
    let (code, said) = install.start(|command| {
        command.args(["--sleep", "8"]);
    });
    assert_eq!((code, &said["version"]), (Some(0), &"1.2".into()));
    let log = install.log();
    assert!(
        log.contains("which another program seems to have open"),
        "{log}"
    );
    drop(held);
    let (code, said) = install.start(|_| {});
    assert_eq!(code, Some(0), "{}", install.log());
    assert_eq!(said["told"]["NOTSOTUF_VERSION"], "1.3", "{}", install.log());
}

#[test]
#[ignore = "scripts/test-windows"]
fn an_application_that_restarts_itself_comes_back_as_the_new_version() {
    for kind in ["console", "onefile.exe"] {
        let install = WindowsInstall::new(kind);
        assert_eq!(install.version(), "1.0");
        install.release("1.1", &[]);
        let report = install.sandbox.path("restarted");
        let mut command = install.stub();
        command.env("PROGRAM_REPORT", on_drive(&report));
        command.args(["--sleep", "8", "--restart"]);
        // The first look finds nothing: it is to be staged while the application runs.
        let settings = install.folder.join("notsotuf.toml");
        let online = fs::read_to_string(&settings).unwrap();
        fs::write(
            &settings,
            format!("mode = \"off\"\n{}", without_mode(&online)),
        )
        .unwrap();
        let application = started_quietly(command);
        wait_for_lines(&report, 1);
        assert_eq!(stage(&install)["result"], "staged", "{}", install.log());
        let lines = wait_for_lines(&report, 2);
        drop(application);
        let said: serde_json::Value = serde_json::from_str(&lines[1]).unwrap();
        assert_eq!(said["version"], "1.1", "{kind}: {}", install.log());
        assert_eq!(said["args"], serde_json::json!(["--again"]));
    }
}

fn without_mode(settings: &str) -> String {
    let lines = settings.lines().filter(|line| !line.starts_with("mode"));
    lines.map(|line| format!("{line}\n")).collect()
}

/// A process whose end is waited for when this is dropped.
struct Quiet(Child);

fn started_quietly(mut command: Command) -> Quiet {
    Quiet(
        command
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap(),
    )
}

impl Drop for Quiet {
    fn drop(&mut self) {
        drop(self.0.wait());
    }
}

/// The lines of a file, once it has so many.
fn wait_for_lines(file: &Path, count: usize) -> Vec<String> {
    for _ in 0..600 {
        let found = fs::read_to_string(file).unwrap_or_default();
        if found.lines().count() >= count && found.ends_with('\n') {
            return found.lines().map(str::to_owned).collect();
        }
        std::thread::sleep(std::time::Duration::from_millis(100));
    }
    panic!("{file:?} never had {count} lines");
}

#[test]
#[ignore = "scripts/test-windows"]
fn an_update_comes_wherever_the_stub_is_started() {
    let install = WindowsInstall::new("console");
    assert_eq!(install.version(), "1.0");
    install.release("1.1", &[]);
    let inside = install.folder.join("app/_internal");
    let (code, said) = install.start(|command| {
        command.current_dir(&inside);
    });
    assert_eq!(
        (code, &said["version"]),
        (Some(0), &"1.1".into()),
        "{}",
        install.log()
    );
    assert_eq!(said["cwd"], on_drive(&inside));
}

/// A drive letter for a folder, until this is dropped.
struct Drive(PathBuf);

impl Drive {
    fn new(letter: &str, folder: &Path) -> Self {
        let prefix = PathBuf::from(std::env::var("WINEPREFIX").unwrap());
        let drive = prefix.join("dosdevices").join(letter);
        std::os::unix::fs::symlink(folder, &drive).unwrap();
        Drive(drive)
    }
}

impl Drop for Drive {
    fn drop(&mut self) {
        drop(fs::remove_file(&self.0));
    }
}

/// As `subst` and shares with a letter do it.
#[test]
#[ignore = "scripts/test-windows"]
fn instances_by_another_drive_letter_are_seen() {
    let install = WindowsInstall::new("console");
    let _drive = Drive::new("n:", &install.folder);
    let start = |path: &str| wine(Path::new(&format!(r"N:\{path}")));
    let program = install.program();
    let mut application = running(&mut start(&format!(r"app\{program}")), "15");
    install.release("1.1", &[]);
    let update = |mut stub: Command| json(stub.args(["--updater", "update", "--json"]));
    let seen = [update(install.stub()), update(start(&program))];
    application.wait().unwrap();
    let after = update(start(&program));
    let results = [&seen[0]["result"], &seen[1]["result"], &after["result"]];
    assert_eq!(
        results,
        ["staged", "staged", "updated"],
        "{}",
        install.log()
    );
}
