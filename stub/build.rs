//! Tells the linker what is particular to this program.

use std::env;

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    let is = |name: &str, value: &str| env::var(name).is_ok_and(|found| found == value);
    // The index of unwind tables of a program that never unwinds: 38 kB. A panic then has no
    // backtrace, which a stripped program's is not worth. The release profile aborts on
    // panic; cargo does not tell that here.
    if is("PROFILE", "release") && is("CARGO_CFG_TARGET_OS", "linux") {
        println!("cargo:rustc-link-arg-bins=-Wl,--no-eh-frame-hdr");
    }
    // See src/load_config.rs.
    if is("CARGO_CFG_TARGET_ENV", "msvc") {
        println!("cargo:rustc-link-arg-bins=/DEPENDENTLOADFLAG:0x800");
    }
}
