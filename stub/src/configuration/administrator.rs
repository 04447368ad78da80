//! Finds the settings files of administrators: one in the install dir, and one
//! for the whole machine, which wins.

use crate::fs::plain_file;
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
    let local = read(&local, &is_local_trusted, &read_plain, warnings);
    found.extend(local);
    if let Some(path) = of_machine {
        let text = |path: &Path| settings::read_text(path).map_err(|e| e.to_string());
        found.extend(read(&path, &machine::is_of_administrators, &text, warnings));
    }
    found
}

fn read(
    path: &Path,
    is_trusted: &dyn Fn(&Path) -> io::Result<Option<bool>>,
    read: &dyn Fn(&Path) -> Result<Option<String>, String>,
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
        Ok(Some(true)) => match read(path) {
            Ok(None) => return None,
            Ok(Some(text)) => table::parse(&text),
            Err(e) => Err(e),
        },
        Err(e) => Err(e.to_string()),
    };
    Some((path.into(), table))
}

/// Reads a file beside the stub: not a pipe, on which a start would wait.
fn read_plain(path: &Path) -> Result<Option<String>, String> {
    let bytes = plain_file::read(path, settings::MAX_SIZE).map_err(|e| e.to_string())?;
    let text = bytes.map(String::from_utf8).transpose();
    text.map_err(|_| "it is not UTF-8".into())
}

#[cfg(test)]
mod tests;
