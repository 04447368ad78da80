//! Support code of the tests: real bundles, a real project, a real server, the
//! real programs, and a repository in memory.

pub mod daemons;
pub mod desktop;
pub mod faulty_server;
mod files;
pub mod forge;
mod programs;
pub mod release;
mod sandbox;
mod server;
pub mod simulator;
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
pub mod syscall_trace;
pub mod wine;

pub use self::{files::*, programs::*, sandbox::Sandbox, server::Server};

use std::path::{Path, PathBuf};

/// The root of the work tree.
pub fn root() -> PathBuf {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR"));
    tests.parent().expect("tests/ is in it").to_path_buf()
}
