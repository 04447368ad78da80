//! Finds the settings files of administrators: one in the install dir, and one
//! for the whole machine, which wins.

use crate::install::Layout;
use crate::settings::table::{self, Table};
use crate::settings::{self, Mode};
use serde_json::Value;
use std::path::{Path, PathBuf};

#[cfg(unix)]
#[path = "unix.rs"]
mod machine;
#[cfg(windows)]
#[path = "windows.rs"]
mod machine;

/// The file in the install dir that no update and no reinstall touches.
const LOCAL_FILE: &str = "notsotuf.local.toml";

/// Returns the files there are for this application, the one that wins last. One
/// that cannot be read or is no TOML may have switched updates off, and counts
/// as if it did; one for the machine that other people may have written does
/// not count.
pub(super) fn files(
    layout: &Layout,
    name: &str,
    warnings: &mut Vec<String>,
) -> Vec<(PathBuf, Table)> {
    let local = layout.root().join(LOCAL_FILE);
    let machine = machine::folder().map(|folder| folder.join(format!("{name}.toml")));
    let machine = machine.filter(|path| counts(path, warnings));
    let mut found = Vec::new();
    for path in std::iter::once(local).chain(machine) {
        let read = match settings::read_text(&path) {
            Ok(None) => continue,
            Ok(Some(text)) => table::parse(&text),
            Err(e) => Err(e.to_string()),
        };
        let table = read.unwrap_or_else(|e| {
            warnings.push(format!(
                "{path:?}: {e}; there are no updates until that is corrected"
            ));
            off()
        });
        found.push((path, table));
    }
    found
}

fn off() -> Table {
    let mode = serde_json::to_value(Mode::Off).unwrap_or(Value::Null);
    [("mode".to_owned(), mode)].into_iter().collect()
}

/// Whether only administrators could have written the file, which is there.
fn counts(path: &Path, warnings: &mut Vec<String>) -> bool {
    match machine::is_of_administrators(path) {
        Ok(Some(true)) => true,
        Ok(None) => false,
        Ok(Some(false)) => {
            warnings.push(format!(
                "{path:?} is ignored: others than administrators could have written it"
            ));
            false
        }
        Err(e) => {
            warnings.push(format!("{path:?} is ignored: {e}"));
            false
        }
    }
}

#[cfg(test)]
mod tests;
