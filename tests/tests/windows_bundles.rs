//! Updates of real PyInstaller bundles for Windows, with and without a console, as a folder
//! and as one file, under wine: scripts/test-windows.

#![cfg(target_os = "linux")]

use notsotuf_tests::text;
use notsotuf_tests::windows_install::{WindowsInstall, same_tree};
use notsotuf_tests::wine::windows_bundle;
use std::fs;

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
