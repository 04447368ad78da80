//! Knows a folder that `notsotuf ship` wrote, with a stub in it.

use crate::settings::Settings;
use crate::{fs, stub_version};
use std::path::Path;

/// Returns the settings of the stub `program`, if that is one of the
/// application `name`. A stub of another application is a program like any
/// other.
pub fn settings_of(program: &Path, name: &str) -> Option<Settings> {
    // Cheap where there is nothing: no such file.
    let settings = Settings::load(program.parent()?).ok()?;
    let same = settings.name == name && stub_version::is_stub(program).unwrap_or(false);
    same.then_some(settings)
}

/// Returns whether what the settings name as the program in the bundle `folder`
/// is a stub of this application.
pub fn is_in(folder: &Path, settings: &Settings) -> bool {
    let program = fs::join(folder, &settings.executable);
    settings_of(&program, &settings.name).is_some()
}
