//! Finds the settings files of administrators: one in the install dir, and one
//! for the whole machine, which wins.

use crate::fs::{self, plain_file};
use crate::install::Layout;
use crate::settings;
use crate::settings::table::{self, Table};
use std::io;
use std::path::{Path, PathBuf};

#[cfg(unix)]
#[path = "unix.rs"]
mod machine;
#[cfg(windows)]
#[path = "windows.rs"]
mod machine;

/// The file in the install dir that no update and no reinstall touches.
const LOCAL_FILE: &str = "notsotuf.local.toml";

/// A file, and what is in it or wrong with it.
type SettingsOf = (PathBuf, Result<Table, String>);

/// Returns the files there are for this application, the one that wins last. One
/// that somebody else may have written does not count; one that cannot be used
/// may have switched updates off.
pub(super) fn files(layout: &Layout, name: &str, warnings: &mut Vec<String>) -> Vec<SettingsOf> {
    let local = layout.root().join(LOCAL_FILE);
    let of_machine = machine::folder().map(|folder| folder.join(format!("{name}.toml")));
    let mut found = Vec::new();
    let is_local_trusted = |path: &Path| machine::is_as_trusted_as(path, layout.root());
    // Not a pipe, on which a start would wait.
    found.extend(read(&local, &is_local_trusted, plain_file::read, warnings));
    if let Some(path) = of_machine {
        // Where only administrators write, a link is theirs.
        let is_trusted = machine::is_of_administrators;
        found.extend(read(&path, &is_trusted, fs::read_optional, warnings));
    }
    found
}

fn read(
    path: &Path,
    is_trusted: &dyn Fn(&Path) -> io::Result<Option<bool>>,
    read: fn(&Path, u64) -> fs::Result<Option<Vec<u8>>>,
    warnings: &mut Vec<String>,
) -> Option<SettingsOf> {
    let table = match is_trusted(path) {
        Ok(None) => return None,
        Ok(Some(false)) => {
            warnings.push(format!(
                "{path:?} is ignored: others than administrators could have written it"
            ));
            return None;
        }
        Ok(Some(true)) => match settings::read_text_with(path, read) {
            Ok(None) => return None,
            Ok(Some(text)) => table::parse(&text),
            Err(e) => Err(e.to_string()),
        },
        Err(e) => Err(e.to_string()),
    };
    Some((path.into(), table))
}

#[cfg(test)]
mod tests;
