//! Files and folders as tests need them.

use crate::run;
use notsotuf_stub::stub_version::VERSION_MARKER;
use std::path::Path;
use std::process::Command;

/// A path as an argument.
pub fn text(path: &Path) -> &str {
    path.to_str().expect("Unicode")
}

/// Copies a folder with all that is in it.
pub fn copy_tree(from: &Path, to: &Path) {
    let done = run(Command::new("cp").arg("-a").args([from, to]));
    assert!(done.status.success(), "{done:?}");
}

/// Sets the permissions of a file; there are none to be set on Windows.
pub fn set_mode(path: &Path, mode: u32) {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = std::fs::Permissions::from_mode(mode);
        std::fs::set_permissions(path, mode).expect("it is ours");
    }
    #[cfg(not(unix))]
    let _ = (path, mode);
}

/// Whether this test may do what only root may.
#[cfg(unix)]
pub fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// Writes a program that is a shell script, and the folder for it.
pub fn write_script(path: &Path, script: &str) {
    std::fs::create_dir_all(path.parent().expect("in a folder")).expect("a folder");
    std::fs::write(path, format!("#!/bin/sh\n{script}\n")).expect("written");
    set_mode(path, 0o755);
}

/// Writes a program that tells its version as that of the real bundles does.
pub fn write_version_script(path: &Path, version: &str) {
    write_script(path, &format!("echo '{{\"version\": \"{version}\"}}'"));
}

/// Bytes that do not compress, always the same.
pub fn noise(length: usize) -> Vec<u8> {
    let mut state = 1u32;
    let next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8
    };
    std::iter::repeat_with(next).take(length).collect()
}

/// Writes the least that is a program for Windows.
pub fn write_windows_program(path: &Path) {
    let mut pe = vec![0; 0x200];
    pe[..2].copy_from_slice(b"MZ");
    pe[0x3c] = 0x80;
    pe[0x80..0x84].copy_from_slice(b"PE\0\0");
    std::fs::write(path, pe).expect("written");
}

/// Makes a stub take itself for another version.
pub fn set_stub_version(stub: &mut [u8], version: &str) {
    let mark = VERSION_MARKER.as_bytes();
    let at = stub.windows(mark.len()).position(|w| w == mark);
    let at = at.expect("it has its version") + mark.len();
    let text = format!("{version}\n");
    stub[at..at + text.len()].copy_from_slice(text.as_bytes());
}

/// The same, which the bundler takes for a stub.
pub fn write_windows_stub(path: &Path) {
    write_windows_program(path);
    let mut bytes = std::fs::read(path).expect("it was written");
    bytes.extend(format!("{VERSION_MARKER}0.1.0\n").bytes());
    std::fs::write(path, bytes).expect("written");
}
