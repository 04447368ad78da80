//! Programs for Windows, under wine: scripts/test-windows sets all of this up.

use crate::{root, run};
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

const WINE: &str = "/usr/lib/wine/wine64";

/// Prepares to run a program for Windows, with nothing on standard input and no display.
pub fn wine(program: &Path) -> Command {
    let mut command = Command::new(WINE);
    command.arg(program).stdin(Stdio::null());
    command.env_remove("DISPLAY");
    command
}

/// Names one of our programs in the build for Windows.
///
/// # Panics
/// If scripts/test-windows did not say where that is.
pub fn built(name: &str) -> PathBuf {
    let folder = std::env::var("NOTSOTUF_WINDOWS").expect("scripts/test-windows sets it");
    Path::new(&folder).join(name)
}

/// Names a bundle that `scripts/make-windows-bundles` built: `console`, `windowed` or
/// `computing` (1.0 and 1.1 only), a folder, or `onefile.exe` or `computing-onefile.exe`.
///
/// # Panics
/// If it is not there.
pub fn windows_bundle(version: &str, kind: &str) -> PathBuf {
    let bundles = root().join(".work/windows/bundles");
    let path = bundles.join(version).join(kind);
    assert!(
        path.exists(),
        "{path:?} is missing: run scripts/make-windows-bundles (scripts/test-windows does)"
    );
    path
}

/// Prepares to run CPython for Windows with packages that `scripts/make-windows-bundles` has put
/// into this folder of `.work/windows`.
pub fn python(packages: &str) -> Command {
    let windows = root().join(".work/windows");
    let mut command = wine(&windows.join("python").join("python.exe"));
    command.env("PYTHONPATH", on_drive(&windows.join(packages)));
    command
}

/// Returns the path by which programs for Windows know this file.
pub fn on_drive(path: &Path) -> String {
    format!("Z:{}", crate::text(path).replace('/', "\\"))
}

/// Compiles the application that stands in for a real one, tests/windows/app.c.
///
/// # Panics
/// If the compiler is missing, or refuses it.
pub fn compile(version: &str, more: &[&str], to: &Path) {
    let version = format!("-DVERSION=\"{version}\"");
    compile_c("app.c", &[&[version.as_str()], more].concat(), to);
}

/// Compiles one of the programs in tests/windows.
///
/// # Panics
/// If the compiler is missing, or refuses it.
pub fn compile_c(source: &str, more: &[&str], to: &Path) {
    let mut compiler = Command::new("x86_64-w64-mingw32-gcc");
    compiler.args(["-municode", "-O1", "-s", "-o"]).arg(to);
    compiler
        .args(more)
        .arg(root().join("tests/windows").join(source));
    let done = run(&mut compiler);
    assert!(done.status.success(), "{done:?}");
}

/// Starts a program that says when it is ready, and stays.
///
/// # Panics
/// If it says something else.
pub fn started(command: &mut Command) -> Child {
    let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    let out = child.stdout.take().unwrap();
    BufReader::new(out).read_line(&mut line).unwrap();
    assert_eq!(line.trim_end(), "ready");
    child
}
