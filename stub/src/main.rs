//! The stub: started by the end user in place of the application.

use std::process::ExitCode;

fn main() -> ExitCode {
    notsotuf_stub::launcher::main()
}
