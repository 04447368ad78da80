//! The programs of the build, and others, as tests run them.

use crate::root;
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// A bundle that `scripts/make-bundles` built.
pub fn bundle(version: &str) -> PathBuf {
    let path = root().join(".work/bundles").join(version).join("program");
    assert!(
        path.exists(),
        "{path:?} is missing: run scripts/make-bundles (scripts/test does)"
    );
    path
}

/// One of the programs, from the build that this test is of.
pub fn program(name: &str) -> PathBuf {
    // target/<profile>/deps/<this test>
    let test = std::env::current_exe().expect("a test has a path");
    let folder = test.parent().and_then(Path::parent).expect("in deps");
    let path = folder.join(name);
    assert!(
        path.exists(),
        "{path:?} is missing: cargo build --workspace makes it"
    );
    path
}

/// The bundler, in the project `folder`, with JSON for an answer.
pub fn bundler_in(folder: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(program("notsotuf"));
    command.arg("--json").arg("-C").arg(folder).args(args);
    command
}

/// Runs tests/python/interop.py in `folder`.
pub fn python_in(folder: &Path, args: &[&str]) -> Value {
    let mut command = Command::new(root().join(".venv/bin/python"));
    command
        .arg(root().join("tests/python/interop.py"))
        .args(args);
    json(command.current_dir(folder))
}

/// Runs tests/python/interop.py, wherever.
pub fn python(args: &[&str]) -> Value {
    python_in(&root(), args)
}

/// Runs a command to its end, with nothing on standard input.
pub fn run(command: &mut Command) -> Output {
    command
        .stdin(Stdio::null())
        .output()
        .unwrap_or_else(|e| panic!("{command:?}: {e}"))
}

/// Runs a command to its end; its standard output must be JSON.
pub fn json(command: &mut Command) -> Value {
    let output = run(command);
    assert!(output.status.success(), "{command:?}: {output:?}");
    serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|e| panic!("{command:?}: {e}: {output:?}"))
}
