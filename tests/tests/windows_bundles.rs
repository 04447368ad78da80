//! Updates of real PyInstaller bundles for Windows, with and without a console, as a folder
//! and as one file, under wine: scripts/test-windows.

#![cfg(target_os = "linux")]

use notsotuf_tests::signer::Signer;
use notsotuf_tests::windows_install::{WindowsInstall, same_tree};
use notsotuf_tests::wine::{built, windows_bundle};
use notsotuf_tests::{copy_tree, run, set_stub_version, text};
use std::fs;
use std::path::Path;

/// The SHA-256 of `some data`.
const SOME_DATA: &str = "1307990e6ba5ca145eb35e99182a9bec46531bc54ddf656a602c780fa0240dee";

fn updates(kind: &'static str) {
    let install = WindowsInstall::new(kind);
    assert_eq!(install.version(), "1.0");
    install.release("1.1", &[]);
    assert_eq!(install.version(), "1.1", "{}", install.log());
    assert!(install.log().contains("by 1 patch"), "{}", install.log());
    install.release("1.2", &["--skip-patch"]);
    let (code, said) = install.start(|command| {
        command
            .args(["--read", "a b", "größe"])
            .current_dir(install.sandbox.path(""))
            .env("PROGRAM_EXIT", "0");
    });
    let log = install.log();
    assert_eq!(code, Some(0), "{said}\n{log}");
    assert_eq!(said["version"], "1.2", "{log}");
    assert!(log.contains("1.2 by the full archive"), "{log}");
    assert_eq!(said["args"], serde_json::json!(["--read", "a b", "größe"]));
    assert_eq!(said["stdin"], SOME_DATA);
    let folder = format!(
        "Z:{}",
        text(&install.sandbox.path("")).trim_end_matches('/')
    );
    assert_eq!(said["cwd"], folder.replace('/', "\\"));
    assert_eq!(said["told"]["NOTSOTUF_VERSION"], "1.2");
    let bundle = windows_bundle("1.2", kind);
    if bundle.is_dir() {
        same_tree(&bundle, &install.folder.join("app"))
    } else {
        let installed = fs::read(install.folder.join("app").join(install.program()));
        assert!(installed.unwrap() == fs::read(bundle).unwrap());
    }
    // On probation no longer, so the exit code is the application's own affair.
    let (code, said) = install.start(|command| {
        command.env("PROGRAM_EXIT", "42");
    });
    assert_eq!((code, &said["version"]), (Some(42), &"1.2".into()));
}

#[test]
#[ignore = "scripts/test-windows"]
fn a_console_application_updates_by_patch_and_archive() {
    updates("console");
}

#[test]
#[ignore = "scripts/test-windows"]
fn a_windowed_application_updates_by_patch_and_archive() {
    updates("windowed");
}

#[test]
#[ignore = "scripts/test-windows"]
fn an_application_of_one_file_updates_by_patch_and_archive() {
    updates("onefile.exe");
}

/// What tests/windows/computing.py says of itself and of what it found.
fn computed(install: &WindowsInstall) -> (String, String) {
    let output = run(&mut install.stub());
    assert_eq!(
        output.status.code(),
        Some(0),
        "{output:?}\n{}",
        install.log()
    );
    let said = String::from_utf8_lossy(&output.stdout);
    let said: serde_json::Value = serde_json::from_str(said.trim()).unwrap();
    assert_eq!(said["solved"], serde_json::json!([0.8, 1.4]), "{said}");
    assert_eq!(said["root"], "2j", "{said}");
    assert_eq!(said["transformed"], serde_json::json!([1.0, 1.0, 1.0, 1.0]));
    let text = |field: &str| said[field].as_str().unwrap().to_owned();
    (text("version"), text("numpy"))
}

/// With megabytes of machine code, in another version with each release.
#[test]
#[ignore = "scripts/test-windows"]
fn an_application_with_numpy_updates_by_patch_and_computes() {
    for kind in ["computing", "computing-onefile.exe"] {
        let install = WindowsInstall::new(kind);
        let release = |version: &str, numpy: &str| (version.to_owned(), numpy.to_owned());
        assert_eq!(computed(&install), release("1.0", "2.3.4"), "{kind}");
        install.release("1.1", &[]);
        assert_eq!(computed(&install), release("1.1", "2.3.5"), "{kind}");
        let log = install.log();
        assert!(log.contains("by 1 patch"), "{log}");
        let bundle = windows_bundle("1.1", kind);
        let app = install.folder.join("app");
        if bundle.is_dir() {
            same_tree(&bundle, &app);
        } else {
            let installed = fs::read(app.join(install.program()));
            assert!(installed.unwrap() == fs::read(bundle).unwrap());
        }
    }
}

#[test]
#[ignore = "scripts/test-windows"]
fn a_real_application_that_fails_makes_room_for_the_version_before() {
    for kind in ["console", "onefile.exe"] {
        let install = WindowsInstall::new(kind);
        install.release("1.1", &[]);
        let (code, said) = install.start(|command| {
            command.env("PROGRAM_FAILS", "1.1");
        });
        // It was given data, which cannot be read a second time.
        assert_eq!(code, Some(1), "{said}\n{}", install.log());
        assert_eq!(said["version"], "1.1", "{}", install.log());
        assert_eq!(install.version(), "1.0", "{}", install.log());
        install.release("1.2", &[]);
        assert_eq!(install.version(), "1.2", "{}", install.log());
    }
}

/// An update of more than a second would show a window, if there were a display.
#[test]
#[ignore = "scripts/test-windows"]
fn without_a_display_an_update_that_takes_longer_comes_all_the_same() {
    for kind in ["console", "windowed"] {
        let install = WindowsInstall::new(kind);
        assert_eq!(install.version(), "1.0");
        let settings = install.folder.join("notsotuf.toml");
        let text = fs::read_to_string(&settings).unwrap();
        fs::write(&settings, format!("max_rate = 2000000\n{text}")).unwrap();
        install.release("1.1", &["--skip-patch"]);
        assert_eq!(install.version(), "1.1", "{kind}: {}", install.log());
    }
}

/// What is between two marks in a program, with these.
fn part<'a>(program: &'a [u8], from: &[u8], to: &[u8]) -> &'a [u8] {
    let find = |at: usize, mark: &[u8]| {
        let found = program[at..].windows(mark.len()).position(|w| w == mark);
        at + found.unwrap_or_else(|| panic!("there is no {mark:?}"))
    };
    let start = find(0, from);
    &program[start..find(start, to) + to.len()]
}

/// Compares two programs for Windows: subsystem, manifest and the largest icon.
fn looks_like(stub: &Path, program: &Path) {
    let (stub, program) = (fs::read(stub).unwrap(), fs::read(program).unwrap());
    let subsystem = |file: &[u8]| {
        let header = u32::from_le_bytes(file[0x3c..0x40].try_into().unwrap()) as usize;
        file[header + 92]
    };
    assert_eq!(subsystem(&stub), subsystem(&program));
    for (from, to) in [
        (&b"<assembly"[..], &b"</assembly>"[..]),
        (b"\x89PNG", b"IEND"),
    ] {
        assert!(part(&stub, from, to) == part(&program, from, to));
    }
}

#[test]
#[ignore = "scripts/test-windows"]
fn the_stub_looks_like_the_application_also_after_its_own_update() {
    for kind in ["windowed", "console"] {
        let install = WindowsInstall::new(kind);
        let stub = install.folder.join(install.program());
        let program = install.folder.join("app").join(install.program());
        looks_like(&stub, &program);
        assert_eq!(install.version(), "1.0");
        let mut bytes = fs::read(built("notsotuf-stub.exe")).unwrap();
        set_stub_version(&mut bytes, "9.1");
        let newer = install.sandbox.path("notsotuf-stub.exe");
        fs::write(&newer, &bytes).unwrap();
        install.sandbox.bundler(&["add-stub", text(&newer)]);
        assert!(fs::read(&newer).unwrap() == bytes, "it is not touched");
        install.sandbox.bundler(&["publish"]);
        assert_eq!(install.version(), "1.0", "{}", install.log());
        let log = install.log();
        assert!(log.contains("updated the updater to version 9.1"), "{log}");
        looks_like(&stub, &program);
        assert_eq!(install.version(), "1.0", "{}", install.log());
    }
}

#[test]
#[ignore = "scripts/test-windows"]
fn the_command_of_the_settings_signs_programs_and_stubs() {
    let mut install = WindowsInstall::new("console");
    let signer = Signer::new(&install.sandbox.path(""));
    let settings = install.sandbox.path("project/notsotuf-project.toml");
    let before = fs::read_to_string(&settings).unwrap();
    fs::write(&settings, signer.settings(&before)).unwrap();
    // `ship`.
    install.folder = install.sandbox.path("signed");
    let output = text(&install.folder).to_owned();
    let stub = built("notsotuf-stub.exe");
    let ship = ["ship", "--output", &output, "--stub", text(&stub)];
    let shipped = install
        .sandbox
        .bundler(&[&ship[..], &["--installer"]].concat());
    let stub = install.folder.join(install.program());
    assert!(signer.verifies(&stub));
    let setup = shipped["installers"][0].as_str().unwrap();
    assert!(signer.verifies(Path::new(setup)), "{setup}");
    assert!(!signer.verifies(&install.folder.join("app/console.exe")));
    // `add-stub`, of one that looks like no application, and `add`.
    let newer = install.sandbox.path("newer.exe");
    let mut bytes = fs::read(built("notsotuf-stub.exe")).unwrap();
    set_stub_version(&mut bytes, "9.1");
    fs::write(&newer, &bytes).unwrap();
    install.sandbox.bundler(&["add-stub", text(&newer)]);
    assert_eq!(fs::read(&newer).unwrap(), bytes, "a copy was signed");
    let next = install.sandbox.path("bundle-1.1");
    copy_tree(&windows_bundle("1.1", "console"), &next);
    let added = install.sandbox.add("1.1", &next, &[]);
    assert_eq!(
        added["signed"],
        serde_json::json!([text(&next.join("console.exe"))])
    );
    install.sandbox.bundler(&["publish"]);
    assert_eq!(install.version(), "1.1", "{}", install.log());
    assert_eq!(install.version(), "1.1", "{}", install.log());
    let log = install.log();
    assert!(log.contains("updated the updater to version 9.1"), "{log}");
    assert!(signer.verifies(&stub) && signer.verifies(&install.folder.join("app/console.exe")));
}

#[test]
#[ignore = "scripts/test-windows"]
fn signatures_survive_updates_and_are_never_broken() {
    let install = WindowsInstall::new("console");
    let signer = Signer::new(&install.sandbox.path(""));
    let stub = install.folder.join(install.program());
    assert!(!signer.verifies(&stub), "it is not signed yet");
    // As it was shipped, of a newer version.
    let newer = install.sandbox.path("newer.exe");
    let mut bytes = fs::read(&stub).unwrap();
    set_stub_version(&mut bytes, "9.1");
    fs::write(&newer, bytes).unwrap();
    signer.sign(&newer);
    install.sandbox.bundler(&["add-stub", text(&newer)]);
    // A signed program in the release, that comes by patch.
    let next = install.sandbox.path("bundle-1.1");
    copy_tree(&windows_bundle("1.1", "console"), &next);
    signer.sign(&next.join("console.exe"));
    install.sandbox.add("1.1", &next, &[]);
    install.sandbox.bundler(&["publish"]);
    assert_eq!(install.version(), "1.1", "{}", install.log());
    assert_eq!(install.version(), "1.1", "{}", install.log());
    let log = install.log();
    assert!(log.contains("by 1 patch"), "{log}");
    assert!(log.contains("updated the updater to version 9.1"), "{log}");
    assert!(signer.verifies(&stub) && signer.verifies(&install.folder.join("app/console.exe")));
    // One that does not look like the application could only be signed in vain.
    let plain = install.sandbox.path("plain.exe");
    fs::copy(built("notsotuf-stub.exe"), &plain).unwrap();
    signer.sign(&plain);
    let refused = run(&mut install.sandbox.command(&["add-stub", text(&plain)]));
    let said = String::from_utf8_lossy(&refused.stdout).into_owned()
        + &String::from_utf8_lossy(&refused.stderr);
    assert!(
        !refused.status.success() && said.contains("is signed"),
        "{said}"
    );
    assert!(signer.verifies(&plain));
}
