//! Support code of the tests. What the end-to-end tests need, real bundles, a
//! real project, a real server and the real programs, is only there with the
//! feature `e2e`.

#[cfg(feature = "e2e")]
pub mod daemons;
#[cfg(feature = "e2e")]
pub mod desktop;
#[cfg(feature = "e2e")]
pub mod faulty_server;
#[cfg(feature = "e2e")]
mod files;
#[cfg(feature = "e2e")]
pub mod forge;
#[cfg(feature = "e2e")]
pub mod github;
#[cfg(feature = "e2e")]
mod programs;
#[cfg(feature = "e2e")]
pub mod release;
#[cfg(feature = "e2e")]
mod sandbox;
#[cfg(feature = "e2e")]
mod server;
#[cfg(feature = "e2e")]
pub mod signer;
pub mod simulator;
#[cfg(all(feature = "e2e", target_os = "linux", target_arch = "x86_64"))]
pub mod syscall_trace;
#[cfg(feature = "e2e")]
pub mod windows_install;
#[cfg(feature = "e2e")]
pub mod wine;

#[cfg(feature = "e2e")]
pub use self::{files::*, programs::*, sandbox::Sandbox, server::Server};

use std::path::{Path, PathBuf};

/// The root of the work tree.
pub fn root() -> PathBuf {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR"));
    tests.parent().expect("tests/ is in it").to_path_buf()
}
