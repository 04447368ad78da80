//! Tells the version of this stub, and of others by the marker in their
//! programs.

use crate::fs;
use crate::fs::FsError;
use pep440_rs::Version;
use std::path::Path;
use std::str::FromStr;

/// Stands before the version in the program, which says how long both are.
pub const VERSION_MARKER: &str = "notsotuf stub version ";

const VERSION_MARKER_SIZE: usize = 64;

#[used]
static VERSION: [u8; VERSION_MARKER_SIZE] = mark(concat!(
    "notsotuf stub version ",
    env!("CARGO_PKG_VERSION"),
    "\n"
));

pub(super) const fn mark(text: &str) -> [u8; VERSION_MARKER_SIZE] {
    let mut bytes = [0; VERSION_MARKER_SIZE];
    let mut at = 0;
    while at < text.len() {
        bytes[at] = text.as_bytes()[at];
        at += 1;
    }
    bytes
}

/// Returns the version of this program.
pub fn version() -> Version {
    // Not what the compiler knows, but what the file says.
    let mark = std::hint::black_box(&VERSION);
    parse_mark(mark).unwrap_or_else(|| Version::new([0]))
}

fn parse_mark(mark: &[u8]) -> Option<Version> {
    let text = mark.strip_prefix(VERSION_MARKER.as_bytes())?;
    let end = text.iter().position(|&c| c == b'\n')?;
    Version::from_str(std::str::from_utf8(&text[..end]).ok()?).ok()
}

/// Reads the version marker in the bytes of a stub; `None` if they hold none.
pub fn version_of(program: &[u8]) -> Option<Version> {
    let first = VERSION_MARKER.as_bytes()[0];
    let places = program
        .iter()
        .enumerate()
        .filter(|(_, byte)| **byte == first);
    places
        .map(|(at, _)| &program[at..program.len().min(at + VERSION_MARKER_SIZE)])
        .find_map(parse_mark)
}

/// Returns whether the file `program` is a stub, going by its marker.
///
/// # Errors
/// If it cannot be read.
pub fn is_stub(program: &Path) -> Result<bool, FsError> {
    let mut file = fs::open(program)?;
    // What may be the beginning of a mark, from the piece before.
    let mut rest = Vec::new();
    let mut found = false;
    fs::read_through(&mut file, program, &mut |piece| {
        rest.extend_from_slice(piece);
        found |= version_of(&rest).is_some();
        rest.drain(..rest.len().saturating_sub(VERSION_MARKER_SIZE));
    })?;
    Ok(found)
}

/// Returns the name under which the stubs of an application are in its
/// repository.
pub fn target_name(app: &str) -> String {
    format!("{app}-stub")
}
