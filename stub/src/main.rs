//! Starts the stub, which end users start in place of the application.

#[cfg(all(windows, target_env = "gnu"))]
mod load_config;

use notsotuf_stub::launch::Allocator;
use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: Allocator = Allocator;

fn main() -> ExitCode {
    #[cfg(all(windows, target_env = "gnu"))]
    load_config::keep();
    notsotuf_stub::startup::main()
}
