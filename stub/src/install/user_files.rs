//! Files of the application's own making in `app/`: they go along when an
//! update takes its place.
//!
//! They are moved, not copied: so they keep mode, owner, times and whatever
//! else a file system knows of them, take no room twice where there are no
//! hard links, and whole folders cost one rename. While they are under way, a
//! journal says so, and [`move_back`] brings them home if the commit is not
//! gone on with: before the exchange of the two bundles that is the way back,
//! and after it all of them are in the new one already.

use crate::bundle::patch::verify_file;
use crate::bundle::path_rules::RECORD;
use crate::bundle::{Kind, Manifest};
use crate::fs::attributes::{self, with_access};
use crate::fs::{self, FsError};
use std::collections::BTreeSet;
use std::fs::Metadata;
use std::path::{Path, PathBuf};

/// Moves from `app` to `staged` what neither the manifest of what is
/// installed nor that of the update lists, and returns how many files,
/// links and folders that were. With nothing known of what is installed,
/// that is all the update does not bring.
///
/// # Errors
/// A file system call that failed; [`move_back`] undoes what was done.
pub fn move_over(
    app: &Path,
    installed: Option<&Manifest>,
    staged: &Path,
    update: &Manifest,
) -> Result<usize, FsError> {
    let mut way = Way {
        from: app,
        to: staged,
        changed: BTreeSet::new(),
    };
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
        if !way.is_free(&path, update)? {
            // A name that differs in case only, where that does not count.
            log::warn!(
                "{:?} is left behind, the new version has a file of that name",
                app.join(&path)
            );
            continue;
        }
        way.bring(&path)?;
        count += 1;
    }
    way.sync()?;
    Ok(count)
}

/// Takes back what [`move_over`] did, as far as it came.
///
/// # Errors
/// A file system call that failed; it may be called again.
pub fn move_back(staged: &Path, app: &Path, update: &Manifest) -> Result<(), FsError> {
    let mut way = Way {
        from: staged,
        to: app,
        changed: BTreeSet::new(),
    };
    for path in unlisted(staged, &|path| lists(update, path))? {
        way.return_home(&path)?;
    }
    way.sync()
}

/// Removes what is in `staged` and not of the update: an interrupted commit
/// of an earlier version left it, and it may be outdated.
///
/// # Errors
/// A file system call that failed.
pub fn drop_unlisted(staged: &Path, update: &Manifest) -> Result<(), FsError> {
    for path in unlisted(staged, &|path| lists(update, path))? {
        fs::remove_any(&staged.join(path))?;
    }
    Ok(())
}

/// Gives the bundle in `staged` the owners that the one in `app` has, file by
/// file, and its folder all that `app` has: who updates does not take it away
/// from anybody, and shuts nobody out or in.
///
/// # Errors
/// If something is there and cannot be inspected.
pub fn adopt_owners(
    app: &Path,
    installed: Option<&Manifest>,
    staged: &Path,
    update: &Manifest,
) -> Result<(), FsError> {
    let (Some(wanted), Some(found)) = (fs::inspect(app)?, fs::inspect(staged)?) else {
        return Ok(());
    };
    let alike = attributes::same_owner(&wanted, &found);
    attributes::copy_attributes(app, staged)?;
    if alike && !attributes::may_give_away() {
        return Ok(());
    }
    let inspect = |path: &Path| match path.parent() {
        Some(parent) => with_access(&[parent], || fs::inspect(path)),
        None => fs::inspect(path),
    };
    // Sorted by path, so the folder that something is in comes first.
    let mut folders = vec![(String::new(), wanted)];
    for (path, entry) in &update.entries {
        let place = fs::join(staged, path);
        let Some(found) = inspect(&place)? else {
            continue;
        };
        let inside = |folder: &str| {
            let rest = path.strip_prefix(folder);
            folder.is_empty() || rest.is_some_and(|rest| rest.starts_with('/'))
        };
        while folders.len() > 1 && !folders.last().is_some_and(|(folder, _)| inside(folder)) {
            folders.pop();
        }
        // What somebody made in the place of a new file does not count.
        let wanted = match installed.is_none_or(|old| lists(old, path)) {
            true => inspect(&fs::join(app, path))?,
            false => None,
        };
        let wanted = wanted.or_else(|| folders.last().map(|(_, folder)| folder.clone()));
        let Some(wanted) = wanted else { continue };
        attributes::copy_owner(&wanted, &found, &place);
        if entry.kind == Kind::Dir {
            folders.push((path.clone(), wanted));
        }
    }
    Ok(())
}

/// Makes a copy of the bundle in `from`, with all that is in it but its
/// record, at `to`, where nothing is.
///
/// # Errors
/// A file system call that failed; half a copy is left.
pub fn copy_bundle(from: &Path, to: &Path) -> Result<(), FsError> {
    fs::create_dir_all(to)?;
    let mut folders = vec![PathBuf::new()];
    let mut all = Vec::new();
    while let Some(relative) = folders.pop() {
        let folder = from.join(&relative);
        for entry in with_access(&[&folder], || fs::list(&folder))? {
            let path = relative.join(entry.file_name().unwrap_or_default());
            let Some(found) = fs::inspect(&entry)? else {
                continue;
            };
            if path.as_os_str() == RECORD {
                continue;
            }
            let place = to.join(&path);
            if found.is_dir() {
                fs::create_dir_all(&place)?;
                folders.push(path.clone());
            } else if found.is_symlink() {
                fs::copy_link(&entry, &place)?;
                attributes::copy_attributes(&entry, &place)?;
            } else if found.is_file() {
                fs::link_or_copy(&entry, &place)?;
            }
        }
        all.push((folder, to.join(&relative)));
    }
    // Last, as a folder without write permission takes no more files.
    for (folder, place) in all.iter().rev() {
        attributes::copy_attributes(folder, place)?;
        fs::sync_dir(place)?;
    }
    Ok(())
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
            let folder = to.parent().unwrap_or(staged);
            with_access(&[folder], || fs::remove_file(&to))?;
            with_access(&[folder], || fs::link_or_copy(&from, &to))?;
            log::info!("{path} keeps the changes made to it");
        }
    }
    Ok(())
}

fn lists(manifest: &Manifest, path: &str) -> bool {
    manifest.entries.contains_key(path)
}

/// Everything below `folder` that is not `known`, and never the record; of
/// a folder that is not, only the folder. Does not follow links.
fn unlisted(folder: &Path, known: &dyn Fn(&str) -> bool) -> Result<Vec<PathBuf>, FsError> {
    let mut found = Vec::new();
    let mut folders = vec![PathBuf::new()];
    while let Some(relative) = folders.pop() {
        let place = folder.join(&relative);
        let is_dir = |path: &Path| {
            let found = with_access(&[&place], || fs::inspect(path))?;
            Ok::<_, FsError>(found.is_some_and(|found| found.is_dir()))
        };
        for entry in with_access(&[&place], || fs::list(&place))? {
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
                found.push(path);
            } else if is_dir(&entry)? {
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

/// From one bundle to another.
struct Way<'a> {
    from: &'a Path,
    to: &'a Path,
    /// Folders that got or lost an entry.
    changed: BTreeSet<PathBuf>,
}

impl Way<'_> {
    /// Whether `path` can be taken there. What is outdated makes room.
    fn is_free(&self, path: &Path, update: &Manifest) -> Result<bool, FsError> {
        let place = self.to.join(path);
        if fs::inspect(&place)?.is_none() {
            return Ok(true);
        }
        let folder = place.parent().unwrap_or(self.to);
        let of_update = path.to_str().is_some_and(|path| lists(update, path));
        if of_update || !fs::list(folder)?.contains(&place) {
            return Ok(false);
        }
        fs::remove_any(&place)?;
        Ok(true)
    }

    /// Moves `path`, which is in none of the two manifests.
    fn bring(&mut self, path: &Path) -> Result<(), FsError> {
        let (from, to) = (self.from.join(path), self.to.join(path));
        let Some(kind) = fs::inspect(&from)? else {
            return Ok(());
        };
        self.make_parent(path)?;
        match self.rename(&from, &to, &kind) {
            // A folder of an overlay's lower layer cannot be renamed; what is
            // in it can.
            Err(e) if fs::is_across_file_systems(&e) && kind.is_dir() => {
                self.bring_what_is_in(path, &kind)
            }
            result => result,
        }
    }

    fn rename(&mut self, from: &Path, to: &Path, kind: &Metadata) -> Result<(), FsError> {
        let parents = [from.parent(), to.parent()];
        let mut folders: Vec<&Path> = parents.into_iter().flatten().collect();
        folders.push(from);
        with_access(&folders, || fs::rename_unsynced(from, to))?;
        if cfg!(unix) && kind.is_dir() {
            let moved = fs::inspect(to)?;
            if moved.is_some_and(|moved| moved.permissions() != kind.permissions()) {
                fs::set_permissions(to, kind.permissions())?;
            }
        }
        self.changed
            .extend(parents.into_iter().flatten().map(Path::to_path_buf));
        Ok(())
    }

    fn bring_what_is_in(&mut self, folder: &Path, kind: &Metadata) -> Result<(), FsError> {
        let (from, to) = (self.from.join(folder), self.to.join(folder));
        fs::create_dir_all(&to)?;
        for entry in with_access(&[&from], || fs::list(&from))? {
            if let Some(name) = entry.file_name() {
                self.bring(&folder.join(name))?;
            }
        }
        attributes::copy_attributes(&from, &to)?;
        attributes::copy_times(kind, &to);
        with_access(&[&from], || fs::remove_dir(&from))
    }

    /// Makes the folder for `path`, and those above it, like those it is in.
    fn make_parent(&self, path: &Path) -> Result<(), FsError> {
        let mut missing = Vec::new();
        for folder in path.ancestors().skip(1) {
            if fs::inspect(&self.to.join(folder))?.is_some() {
                break;
            }
            missing.push(folder);
        }
        for folder in missing.into_iter().rev() {
            let place = self.to.join(folder);
            let parent = place.parent().unwrap_or(self.to);
            with_access(&[parent], || fs::create_dir_all(&place))?;
            attributes::copy_attributes(&self.from.join(folder), &place)?;
        }
        Ok(())
    }

    /// Brings `path` back, unless it never left. A folder may be in both
    /// places, when only some of what is in it was moved.
    fn return_home(&mut self, path: &Path) -> Result<(), FsError> {
        let (from, to) = (self.from.join(path), self.to.join(path));
        let Some(kind) = fs::inspect(&from)? else {
            return Ok(());
        };
        match fs::inspect(&to)? {
            None => self.bring(path),
            Some(found) if found.is_dir() && kind.is_dir() => {
                for entry in with_access(&[&from], || fs::list(&from))? {
                    if let Some(name) = entry.file_name() {
                        self.return_home(&path.join(name))?;
                    }
                }
                if fs::list(&from)?.is_empty() {
                    fs::remove_dir(&from)?;
                }
                Ok(())
            }
            Some(_) => Ok(()),
        }
    }

    /// Waits until all that is on disk.
    fn sync(&self) -> Result<(), FsError> {
        for folder in &self.changed {
            // One that had only own files may be gone by now.
            if fs::inspect(folder)?.is_some() {
                with_access(&[folder], || fs::sync_dir(folder))?;
            }
        }
        Ok(())
    }
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

    struct Case {
        _folder: tempfile::TempDir,
        app: PathBuf,
        staged: PathBuf,
        old: Manifest,
        new: Manifest,
    }

    /// Own files here and there in an installed bundle, and an update.
    fn case() -> Case {
        let folder = tempfile::tempdir().unwrap();
        let (app, staged) = (folder.path().join("app"), folder.path().join("new"));
        for path in [
            "lib/old.so",
            "lib/own.cfg",
            "data/deep/own",
            "lib/both",
            "plugins/shipped",
            "plugins/own/x",
            RECORD,
        ] {
            let path = app.join(path);
            create_dir_all(path.parent().unwrap()).unwrap();
            write(&path, "app").unwrap();
        }
        create_dir_all(app.join("empty")).unwrap();
        create_dir_all(staged.join("lib")).unwrap();
        write(staged.join("lib/both"), "new").unwrap();
        let old = manifest(&[
            ("lib", Kind::Dir),
            ("lib/old.so", file()),
            ("lib/both", file()),
            ("plugins", Kind::Dir),
            ("plugins/shipped", file()),
        ]);
        let new = manifest(&[("lib", Kind::Dir), ("lib/both", file())]);
        Case {
            _folder: folder,
            app,
            staged,
            old,
            new,
        }
    }

    fn text(folder: &Path, path: &str) -> Option<String> {
        read_to_string(folder.join(path)).ok()
    }

    /// Every path with what matters of it.
    fn snapshot(folder: &Path) -> Vec<String> {
        let mut found = Vec::new();
        let mut folders = vec![folder.to_path_buf()];
        while let Some(folder) = folders.pop() {
            for path in fs::list(&folder).unwrap() {
                let kind = fs::inspect(&path).unwrap().unwrap();
                let text = read_to_string(&path).ok();
                found.push(format!("{path:?} {:?} {text:?}", kind.permissions()));
                if kind.is_dir() {
                    folders.push(path);
                }
            }
        }
        found.sort();
        found
    }

    #[test]
    fn own_files_go_along_and_old_ones_do_not() {
        let Case {
            app,
            staged,
            old,
            new,
            _folder,
        } = case();
        assert_eq!(move_over(&app, Some(&old), &staged, &new).unwrap(), 4);
        assert_eq!(move_over(&app, Some(&old), &staged, &new).unwrap(), 0);
        for (path, expected) in [
            ("lib/own.cfg", Some("app")),
            ("data/deep/own", Some("app")),
            ("plugins/own/x", Some("app")),
            ("lib/both", Some("new")),
            ("lib/old.so", None),
            ("plugins/shipped", None),
            (RECORD, None),
        ] {
            assert_eq!(text(&staged, path).as_deref(), expected, "{path}");
        }
        assert!(staged.join("empty").is_dir());
        assert!(!app.join("data").exists(), "moved, not copied");
        // Nothing is known of what is installed: better too much than lost.
        assert_eq!(move_over(&app, None, &staged, &new).unwrap(), 2);
        assert_eq!(text(&staged, "lib/old.so").as_deref(), Some("app"));
    }

    #[test]
    fn what_is_under_way_comes_home_from_wherever_it_is() {
        let Case {
            app,
            staged,
            old,
            new,
            _folder,
        } = case();
        let before = snapshot(&app);
        move_back(&staged, &app, &new).unwrap();
        assert_eq!(snapshot(&app), before, "nothing was moved");
        for half_way in ["lib/own.cfg", "data", "data/deep/own", "plugins/own"] {
            move_over(&app, Some(&old), &staged, &new).unwrap();
            let back = app.join(half_way);
            create_dir_all(back.parent().unwrap()).unwrap();
            std::fs::rename(staged.join(half_way), back).unwrap();
            move_back(&staged, &app, &new).unwrap();
            assert_eq!(snapshot(&app), before, "{half_way}");
            assert_eq!(snapshot(&staged).len(), 2, "{half_way}");
        }
    }

    #[test]
    fn what_is_outdated_makes_room_and_what_is_not_of_the_update_can_be_dropped() {
        let Case {
            app,
            staged,
            old,
            new,
            _folder,
        } = case();
        write(staged.join("lib/own.cfg"), "outdated").unwrap();
        write(staged.join("lib/left behind"), "").unwrap();
        move_over(&app, Some(&old), &staged, &new).unwrap();
        assert_eq!(text(&staged, "lib/own.cfg").as_deref(), Some("app"));
        assert_eq!(text(&staged, "lib/left behind").as_deref(), Some(""));
        drop_unlisted(&staged, &new).unwrap();
        assert_eq!(snapshot(&staged).len(), 2);
    }

    #[cfg(unix)]
    #[test]
    fn folders_keep_their_modes_and_times_and_closed_ones_go_along() {
        use std::os::unix::fs::MetadataExt;
        let Case {
            app,
            staged,
            old,
            new,
            _folder,
        } = case();
        let modes = [("data", 0o1777), ("empty", 0o500), ("plugins/own", 0o700)];
        for (path, mode) in modes {
            fs::set_path_mode(&app.join(path), mode).unwrap();
        }
        // Closed for their owner, too, who is the one that updates.
        fs::set_path_mode(&app.join("lib"), 0o555).unwrap();
        fs::set_path_mode(&app.join("plugins"), 0o2750).unwrap();
        let before = std::fs::metadata(app.join("data")).unwrap();
        move_over(&app, Some(&old), &staged, &new).unwrap();
        for (path, mode) in modes.into_iter().chain([("plugins", 0o2750)]) {
            let found = std::fs::metadata(staged.join(path)).unwrap();
            assert_eq!(found.mode() & 0o7777, mode, "{path}");
        }
        let after = std::fs::metadata(staged.join("data")).unwrap();
        assert_eq!(after.modified().unwrap(), before.modified().unwrap());
        let lib = std::fs::metadata(app.join("lib")).unwrap();
        assert_eq!(lib.mode() & 0o777, 0o555);
    }

    // As on a layer of an overlay whose folders cannot be renamed.
    #[cfg(unix)]
    #[test]
    fn a_folder_that_cannot_be_renamed_is_made_anew_like_it() {
        use std::os::unix::fs::MetadataExt;
        let Case {
            app,
            staged,
            _folder,
            ..
        } = case();
        fs::set_path_mode(&app.join("data"), 0o1770).unwrap();
        let before = std::fs::metadata(app.join("data")).unwrap();
        let mut way = Way {
            from: &app,
            to: &staged,
            changed: BTreeSet::new(),
        };
        way.bring_what_is_in(Path::new("data"), &before).unwrap();
        let after = std::fs::metadata(staged.join("data")).unwrap();
        assert_eq!(after.mode() & 0o7777, 0o1770);
        assert_eq!(after.modified().unwrap(), before.modified().unwrap());
        assert_eq!(text(&staged, "data/deep/own").as_deref(), Some("app"));
        assert!(!app.join("data").exists());
    }

    #[test]
    fn a_copy_has_all_but_the_record() {
        let Case { app, _folder, .. } = case();
        let copy = app.with_file_name("copy");
        copy_bundle(&app, &copy).unwrap();
        std::fs::remove_file(app.join(RECORD)).unwrap();
        let relative = |folder: &Path| {
            let lines = snapshot(folder);
            let folder = format!("{folder:?}");
            let folder = folder.trim_matches('"').to_owned();
            lines
                .iter()
                .map(|line| line.replace(&folder, ""))
                .collect::<Vec<_>>()
        };
        assert_eq!(relative(&copy), relative(&app));
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
        assert_eq!(move_over(&app, None, &staged, &new).unwrap(), 0);
        assert_eq!(std::fs::read_dir(&victim).unwrap().count(), 0);
        assert_eq!(text(&app, "d/own").as_deref(), Some("own"));
    }
}
