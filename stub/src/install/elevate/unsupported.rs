//! Does nothing on systems where administrators install applications with a
//! package manager.

use super::elevated::Elevated;
use std::io;
use std::path::Path;

/// Does nothing: an error.
pub fn run_elevated(_program: &Path, _parameters: &str) -> io::Result<Elevated> {
    Err(io::ErrorKind::Unsupported.into())
}
