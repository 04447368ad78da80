//! Finds the stub that lies beside this program.

use crate::ship::MAX_STUB;
use notsotuf_stub::fs;
use notsotuf_stub::stub_version;
use pep440_rs::Version;
use std::path::PathBuf;

/// Returns where the stub is, unless the command line says otherwise.
pub(super) fn beside_this_program() -> PathBuf {
    let name = format!("notsotuf-stub{}", std::env::consts::EXE_SUFFIX);
    let program = std::env::current_exe().ok();
    let folder = program.as_ref().and_then(|program| program.parent());
    folder.map_or_else(|| PathBuf::from(&name), |folder| folder.join(&name))
}

/// Returns the version of the stub beside this program.
pub(super) fn at_hand() -> Option<Version> {
    let program = fs::read_optional(&beside_this_program(), MAX_STUB)
        .ok()
        .flatten()?;
    stub_version::version_of(&program)
}
