//! Tells which program to start where the settings cannot be used.

use crate::bundle::{EntryKind, Rules};
use crate::install::{Layout, Record};
use crate::settings::table;
use crate::{fs, settings};

/// Returns the program to start, relative to the bundle, where the settings file
/// cannot be used: the one that its line `executable` names, if that can be
/// read; else the one that has the stub's name, as by custom; else the only one
/// of that name in a folder of the bundle.
pub fn likely_executable(layout: &Layout, own_name: &str) -> String {
    let is_there = |path: &String| fs::join(&layout.launchable(), path).is_file();
    named(layout)
        .filter(is_there)
        .or_else(|| Some(own_name.to_owned()).filter(is_there))
        .or_else(|| in_a_folder(layout, own_name))
        .unwrap_or_else(|| own_name.to_owned())
}

fn named(layout: &Layout) -> Option<String> {
    let text = settings::read_text(&layout.root().join(settings::FILE)).ok()??;
    let line = text.lines().find(|line| {
        let rest = line.trim_start().strip_prefix("executable");
        rest.is_some_and(|rest| rest.trim_start().starts_with('='))
    })?;
    let table = table::parse(line).ok()?;
    let path = table.get("executable")?.as_str()?;
    // As the settings check it.
    Rules::portable().check_path(path).ok()?;
    Some(path.to_owned())
}

fn in_a_folder(layout: &Layout, name: &str) -> Option<String> {
    let record = Record::load(&layout.launchable(), Rules::host()).ok()??;
    let end = format!("/{name}");
    let mut found = record.manifest.entries.iter().filter(|(path, entry)| {
        path.ends_with(&end) && matches!(entry.kind, EntryKind::File { .. })
    });
    let (only, _) = found.next()?;
    found.next().is_none().then(|| only.clone())
}
