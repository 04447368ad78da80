//! The stub: started by the end user in place of the application.

use notsotuf_stub::launch::Allocator;
use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: Allocator = Allocator;

fn main() -> ExitCode {
    notsotuf_stub::startup::main()
}
