//! Files of the application's own making in `app/`: they go along when an
//! update takes its place.

use crate::bundle::patch::verify_file;
use crate::bundle::rules::RECORD;
use crate::bundle::{Kind, Manifest};
use crate::fs::{self, FsError};
use std::path::{Path, PathBuf};

/// Carries over from `app` what neither the manifest of what is installed
/// nor that of the update lists, and returns how many files that were. With
/// nothing known of what is installed, that is all the update does not bring.
///
/// # Errors
/// A file system call that failed; `staged` then is still a complete update
/// without (some of) those files.
pub fn carry_over(
    app: &Path,
    installed: Option<&Manifest>,
    staged: &Path,
    update: &Manifest,
) -> Result<usize, FsError> {
    drop_unlisted(staged, update)?;
    let own = unlisted(app, &|path| {
        lists(update, path) || installed.is_some_and(|old| lists(old, path))
    })?;
    let mut count = 0;
    for path in own {
        if !has_room(update, &path) {
            log::warn!(
                "the new version has something else in the place of {:?}, which is left in the previous version's folder",
                app.join(&path)
            );
            continue;
        }
        count += usize::from(bring(&app.join(&path), &staged.join(&path))?);
    }
    Ok(count)
}

/// Puts the user's version of shipped files that `wanted` names in the place
/// of the update's, where both versions have the file and the user changed
/// it.
///
/// # Errors
/// A file system call that failed; the update then is to be staged again.
pub fn keep_edits(
    app: &Path,
    installed: &Manifest,
    staged: &Path,
    update: &Manifest,
    wanted: &dyn Fn(&str) -> bool,
) -> Result<(), FsError> {
    for (path, entry) in installed.entries.iter().filter(|(path, _)| wanted(path)) {
        let Kind::File { size, sha256 } = &entry.kind else {
            continue;
        };
        let (from, to) = (fs::join(app, path), fs::join(staged, path));
        let both = matches!(
            update.entries.get(path).map(|entry| &entry.kind),
            Some(Kind::File { .. })
        );
        let edited = fs::inspect(&from)?.is_some_and(|found| found.is_file())
            && !verify_file(&from, *size, sha256)?;
        if both && edited {
            fs::remove_file(&to)?;
            fs::link_or_copy(&from, &to)?;
            log::info!("{path} keeps the changes made to it");
        }
    }
    Ok(())
}

/// Removes what the update's manifest does not list: an earlier, interrupted
/// call brought it, and it may be outdated; or it was put there by others.
///
/// # Errors
/// A file system call that failed.
pub fn drop_unlisted(staged: &Path, update: &Manifest) -> Result<(), FsError> {
    for path in unlisted(staged, &|path| lists(update, path))?.iter().rev() {
        let place = staged.join(path);
        match fs::inspect(&place)? {
            Some(found) if found.is_dir() => fs::remove_tree(&place)?,
            Some(_) => fs::remove_file(&place)?,
            None => {}
        }
    }
    Ok(())
}

fn lists(manifest: &Manifest, path: &str) -> bool {
    manifest.entries.contains_key(path)
}

/// Everything below `folder` that is not `known`, folders before what is in
/// them, and never the record. Does not follow links.
fn unlisted(folder: &Path, known: &dyn Fn(&str) -> bool) -> Result<Vec<PathBuf>, FsError> {
    let mut found = Vec::new();
    let mut folders = vec![PathBuf::new()];
    while let Some(relative) = folders.pop() {
        for entry in fs::list(&folder.join(&relative))? {
            let Some(name) = entry.file_name() else {
                continue;
            };
            let path = relative.join(name);
            // A path that is not Unicode is in no manifest.
            let text = path.to_str().map(|p| p.replace('\\', "/"));
            if text.as_deref() == Some(RECORD) {
                continue;
            }
            if !text.is_some_and(|text| known(&text)) {
                found.push(path.clone());
            }
            if fs::inspect(&entry)?.is_some_and(|e| e.is_dir()) {
                folders.push(path);
            }
        }
    }
    Ok(found)
}

/// Whether all folders on the way to `path` are folders in the update, or
/// not in it: nothing is to be written through a link.
fn has_room(update: &Manifest, path: &Path) -> bool {
    path.ancestors().skip(1).all(|folder| {
        folder.to_str().is_none_or(|folder| {
            update
                .entries
                .get(&folder.replace('\\', "/"))
                .is_none_or(|entry| entry.kind == Kind::Dir)
        })
    })
}

/// Returns whether it brought a file or a link.
fn bring(from: &Path, to: &Path) -> Result<bool, FsError> {
    let Some(kind) = fs::inspect(from)? else {
        return Ok(false);
    };
    if fs::inspect(to)?.is_some() {
        // A name that differs in case only, where that does not count.
        log::warn!("{from:?} is left behind, the new version has a file of that name");
        return Ok(false);
    }
    if kind.is_dir() {
        fs::create_dir_all(to)?;
        return Ok(false);
    }
    if let Some(parent) = to.parent() {
        fs::create_dir_all(parent)?;
    }
    if kind.is_symlink() {
        let target = fs::read_link(from)?;
        fs::symlink(&target.to_string_lossy(), to)?;
        return Ok(true);
    }
    if !kind.is_file() {
        log::warn!("{from:?} is left behind, it is no ordinary file");
        return Ok(false);
    }
    fs::link_or_copy(from, to)?;
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bundle::Entry;
    use std::fs::{create_dir_all, read_to_string, write};

    fn manifest(entries: &[(&str, Kind)]) -> Manifest {
        let entries = entries.iter().map(|(path, kind)| {
            let entry = Entry {
                kind: kind.clone(),
                mode: 0o755,
            };
            ((*path).to_owned(), entry)
        });
        Manifest {
            entries: entries.collect(),
        }
    }
    fn file() -> Kind {
        Kind::File {
            size: 0,
            sha256: [0; 32],
        }
    }

    #[test]
    fn own_files_go_along_and_old_ones_do_not() {
        let folder = tempfile::tempdir().unwrap();
        let (app, staged) = (folder.path().join("app"), folder.path().join("new"));
        for path in [
            "lib/old.so",
            "lib/own.cfg",
            "data/deep/own",
            "lib/both",
            RECORD,
        ] {
            let path = app.join(path);
            create_dir_all(path.parent().unwrap()).unwrap();
            write(&path, "app").unwrap();
        }
        create_dir_all(app.join("empty")).unwrap();
        create_dir_all(staged.join("lib")).unwrap();
        write(staged.join("lib/both"), "new").unwrap();
        write(staged.join("lib/stale"), "from an interrupted call").unwrap();
        let old = manifest(&[
            ("lib", Kind::Dir),
            ("lib/old.so", file()),
            ("lib/both", file()),
        ]);
        let new = manifest(&[("lib", Kind::Dir), ("lib/both", file())]);
        assert_eq!(carry_over(&app, Some(&old), &staged, &new).unwrap(), 2);
        assert_eq!(carry_over(&app, Some(&old), &staged, &new).unwrap(), 2);
        let text = |path: &str| read_to_string(staged.join(path)).ok();
        assert_eq!(text("lib/own.cfg").as_deref(), Some("app"));
        assert_eq!(text("data/deep/own").as_deref(), Some("app"));
        assert_eq!(text("lib/both").as_deref(), Some("new"));
        assert_eq!(text("lib/old.so"), None);
        assert_eq!(text("lib/stale"), None);
        assert_eq!(text(RECORD), None);
        assert!(staged.join("empty").is_dir());
        // Nothing is known of what is installed: better too much than lost.
        assert_eq!(carry_over(&app, None, &staged, &new).unwrap(), 3);
        assert_eq!(text("lib/old.so").as_deref(), Some("app"));
    }

    #[cfg(unix)]
    #[test]
    fn nothing_is_written_through_a_link_of_the_update() {
        let folder = tempfile::tempdir().unwrap();
        let (app, staged) = (folder.path().join("app"), folder.path().join("new"));
        let victim = folder.path().join("victim");
        for folder in [&app.join("d"), &staged, &victim] {
            create_dir_all(folder).unwrap();
        }
        write(app.join("d/own"), "own").unwrap();
        std::os::unix::fs::symlink(&victim, staged.join("d")).unwrap();
        let link = Kind::Link {
            target: "elsewhere".into(),
        };
        let new = manifest(&[("d", link)]);
        assert_eq!(carry_over(&app, None, &staged, &new).unwrap(), 0);
        assert_eq!(std::fs::read_dir(&victim).unwrap().count(), 0);
    }
}
