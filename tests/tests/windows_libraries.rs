//! Libraries that somebody planted where Windows may look for them, under wine:
//! scripts/test-windows.

#![cfg(target_os = "linux")]

use notsotuf_tests::run;
use notsotuf_tests::windows_install::WindowsInstall;
use notsotuf_tests::wine::{built, compile, compile_c, on_drive, wine};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// What wine loads before a program runs, also from beside that: it knows neither Windows'
/// list of libraries that are always the system's, nor that structure.
const NEEDED: [&str; 9] = [
    "bcryptprimitives.dll",
    "kernel32.dll",
    "kernelbase.dll",
    "msvcrt.dll",
    "ntdll.dll",
    "shcore.dll",
    "ucrtbase.dll",
    "ucrtwine.dll",
    "userenv.dll",
];

/// Fills a folder with a library that tells who loads it, under every name that a library of
/// the system has, and one that it has not.
fn plant(library: &Path, folder: &Path) {
    let prefix = PathBuf::from(std::env::var("WINEPREFIX").unwrap());
    fs::copy(library, folder.join("unknown.dll")).unwrap();
    for entry in fs::read_dir(prefix.join("drive_c/windows/system32")).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        if name.ends_with(".dll") && !NEEDED.contains(&name.as_str()) {
            fs::copy(library, folder.join(name)).unwrap();
        }
    }
}

/// The structure in the header of a program by which Windows looks for the libraries that it is
/// linked with; wine 8 has no notion of it.
fn dependent_load_flags(program: &Path) -> u16 {
    let program = fs::read(program).unwrap();
    let number = |at: usize, size: usize| {
        let bytes = program[at..at + size].iter().rev();
        bytes.fold(0_usize, |number, &byte| number << 8 | usize::from(byte))
    };
    let header = number(0x3c, 4);
    let optional = header + 24;
    let (address, size) = (number(optional + 192, 4), number(optional + 196, 4));
    let sections = optional + number(header + 20, 2);
    let section = (0..number(header + 6, 2)).map(|index| sections + 40 * index);
    let start = section
        .filter(|at| (0..number(at + 8, 4)).contains(&address.wrapping_sub(number(at + 12, 4))))
        .map(|at| number(at + 20, 4) + address - number(at + 12, 4))
        .next()
        .expect("a section has it");
    assert_eq!(number(start, 4), size);
    number(start + 78, 2) as u16
}

#[test]
#[ignore = "scripts/test-windows"]
fn libraries_are_taken_from_the_system_only() {
    const LOAD_LIBRARY_SEARCH_SYSTEM32: u16 = 0x800;
    let install = WindowsInstall::new("console");
    let stub = install.folder.join(install.program());
    for program in [&built("notsotuf-stub.exe"), &stub] {
        assert_eq!(dependent_load_flags(program), LOAD_LIBRARY_SEARCH_SYSTEM32);
    }
    assert_eq!(install.version(), "1.0");
    install.release("1.1", &[]);
    let library = install.sandbox.path("planted.dll");
    compile_c("planted.c", &["-shared"], &library);
    let elsewhere = install.sandbox.path("elsewhere");
    let downloads = install.folder.join(".notsotuf/downloads");
    for folder in [&install.folder, &elsewhere, &downloads] {
        fs::create_dir_all(folder).unwrap();
        plant(&library, folder);
    }
    let report = install.sandbox.path("planted");
    let reported = || fs::read_to_string(&report).unwrap_or_default();
    // One that looks everywhere falls for it.
    let other = install.folder.join("other.exe");
    compile("0", &[], &other);
    let start = |mut command: Command| {
        let command = command.current_dir(&elsewhere);
        run(command.env("PLANTED_REPORT", on_drive(&report)))
    };
    let mut command = wine(&other);
    command.args(["--load", "unknown.dll"]);
    start(command);
    assert!(reported().contains("unknown.dll"), "{}", reported());
    fs::remove_file(&report).unwrap();
    // The stub with a whole update, by command and at a start; the application is started
    // from `app/`, and inherits nothing of this.
    let mut command = install.stub();
    command.args(["--updater", "check"]);
    for output in [start(command), start(install.stub())] {
        assert!(output.status.success(), "{output:?}");
        let loaded = reported();
        let by_stub = |line: &&str| line.ends_with(&format!(r"My App\{}", install.program()));
        assert_eq!(loaded.lines().find(by_stub), None, "{loaded}");
    }
    assert_eq!(install.version(), "1.1", "{}", install.log());
}
