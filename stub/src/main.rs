//! Starts the stub, which end users start in place of the application.

use notsotuf_stub::launch::Allocator;
use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: Allocator = Allocator;

fn main() -> ExitCode {
    notsotuf_stub::startup::main()
}
