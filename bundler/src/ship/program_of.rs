//! Tells which program of a bundle is the one to start.

use super::error::ShipError;
use crate::pack::pe::ends_with_exe;
use notsotuf_stub::bundle::{EntryKind, Manifest};

/// The program to start: the one that was named, else the only executable
/// file at the top of the bundle.
pub(super) fn program_of(manifest: &Manifest, named: Option<&str>) -> Result<String, ShipError> {
    if let Some(named) = named {
        let found = manifest.entries.get(named).map(|entry| &entry.kind);
        return match found {
            Some(EntryKind::File { .. } | EntryKind::Link { .. }) => Ok(named.into()),
            _ => Err(ShipError::NoProgram(named.into())),
        };
    }
    // Below that there may be programs for Windows in any bundle, as setuptools has them.
    let at_top = |path: &str| !path.contains('/');
    let mut names = manifest.entries.keys();
    let windows = names.any(|path| at_top(path) && ends_with_exe(path));
    let mut programs: Vec<String> = manifest
        .entries
        .iter()
        .filter(|(path, entry)| {
            let file = matches!(entry.kind, EntryKind::File { .. });
            let runs = if windows {
                ends_with_exe(path)
            } else {
                entry.mode & 0o100 != 0 && !path.contains(".so")
            };
            file && runs && at_top(path)
        })
        .map(|(path, _)| path.clone())
        .collect();
    match programs.pop() {
        Some(only) if programs.is_empty() => Ok(only),
        last => {
            programs.extend(last);
            Err(ShipError::WhichProgram(programs))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use notsotuf_stub::bundle::Entry;

    #[test]
    fn the_program_is_the_only_executable_at_the_top() {
        let file = |mode| Entry {
            kind: EntryKind::File {
                size: 1,
                sha256: [0; 32],
            },
            mode,
        };
        let mut manifest = Manifest::default();
        for (path, mode) in [
            ("readme", 0o644),
            ("tool", 0o755),
            ("_internal/libx", 0o755),
            ("_internal/setuptools/cli.exe", 0o644),
        ] {
            manifest.entries.insert(path.into(), file(mode));
        }
        assert_eq!(program_of(&manifest, None).unwrap(), "tool");
        manifest.entries.insert("another".into(), file(0o755));
        assert!(
            matches!(program_of(&manifest, None), Err(ShipError::WhichProgram(all)) if all.len() == 2)
        );
        let named = |name| program_of(&manifest, Some(name));
        assert_eq!(named("another").unwrap(), "another");
        assert!(matches!(named("none"), Err(ShipError::NoProgram(_))));
        for name in ["App.exe", "APP.EXE", "App.Exe"] {
            manifest.entries.insert(name.into(), file(0o644));
            assert_eq!(program_of(&manifest, None).unwrap(), name);
            manifest.entries.remove(name);
        }
    }
}
