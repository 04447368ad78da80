//! Removes an install, for the programs that installers leave behind: all that releases and this
//! program made, and nothing that the user did.

use crate::bundle::patch::verify_file;
use crate::bundle::{EntryKind, Manifest, Rules};
use crate::fs::attributes::with_access;
use crate::fs::{self, FsError};
use crate::install::record::RecordError;
use crate::install::{
    CommitError, Layout, Lock, Probation, Record, recover, running_instances, swap, trash,
};
use std::path::Path;
use std::time::Duration;

/// How long another process may take to finish what it does with the install.
const PATIENCE: Duration = Duration::from_secs(5);

/// Says what is removed besides the files of the installed release.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Extent {
    /// All that is of other releases, but not what is remembered of the repository: another
    /// installer puts a release in the place of this one.
    Release,
    /// The whole state dir.
    Everything,
}

/// Says what became of it.
#[derive(Debug, PartialEq, Eq)]
pub enum Uninstalled {
    /// Done; `true` if files that the user made are left.
    Done(bool),
    /// Nothing was removed: these processes of the application are running, or (none named)
    /// another stub is just starting it or updates.
    Busy(Vec<u32>),
}

/// Removes what releases brought; the state dir is there and secured. Shipped files that
/// `preserved` names stay if the user has changed them.
///
/// # Errors
/// [`CommitError`]; it may be called again.
pub fn uninstall(
    layout: &Layout,
    extent: Extent,
    preserved: &dyn Fn(&str) -> bool,
) -> Result<Uninstalled, CommitError> {
    let Some(update_lock) = Lock::exclusive(&layout.update_lock(), PATIENCE)? else {
        return Ok(Uninstalled::Busy(Vec::new()));
    };
    // The user's files may be under way.
    recover(layout, &update_lock)?;
    let Some(launch_lock) = Lock::exclusive(&layout.launch_lock(), PATIENCE)? else {
        return Ok(Uninstalled::Busy(Vec::new()));
    };
    let app = layout.app();
    let instances = running_instances::instances(&app).map_err(CommitError::Processes)?;
    if !instances.is_empty() {
        return Ok(Uninstalled::Busy(instances));
    }
    let is_folder = fs::inspect(&app)?.is_some_and(|found| fs::is_real_folder(&found));
    let record = match Record::load(&app, Rules::host()) {
        // A link leads to what is no release's.
        _ if !is_folder => None,
        Err(RecordError::Fs(e)) => return Err(e.into()),
        // Nothing is known of what is there, so all of it may be the user's.
        Err(_) => None,
        Ok(record) => record,
    };
    if let Some(record) = record {
        remove_release(&app, &record.manifest, preserved)?;
        fs::remove_file_if_exists(&Record::path(&app))?;
    }
    remove_if_empty(&app)?;
    match extent {
        Extent::Release => {
            super::discard(layout)?;
            swap::remove_bundle(layout, &layout.previous())?;
            Probation::end(layout)?;
            for path in [layout.ready(), layout.notes(), layout.failed_stub()] {
                fs::remove_file_if_exists(&path)?;
            }
            if cfg!(windows) {
                trash::empty(layout, &launch_lock);
            }
        }
        Extent::Everything => {
            // On Windows a lock that is held cannot be removed.
            drop((update_lock, launch_lock));
            fs::remove_tree_if_exists(&layout.state())?;
        }
    }
    Ok(Uninstalled::Done(fs::inspect(&app)?.is_some()))
}

/// Removes the files of a release, and the folders that are empty then.
fn remove_release(
    app: &Path,
    manifest: &Manifest,
    preserved: &dyn Fn(&str) -> bool,
) -> Result<(), FsError> {
    // What is in a folder comes after it.
    for (path, entry) in manifest.entries.iter().rev() {
        let full = fs::join(app, path);
        if !is_below_real_folders(app, path)? {
            continue;
        }
        let Some(found) = fs::inspect(&full)? else {
            continue;
        };
        let folder = full.parent().unwrap_or(app);
        match &entry.kind {
            EntryKind::Dir if found.is_dir() => remove_if_empty(&full)?,
            // The user has put something else in its place.
            EntryKind::Dir => {}
            _ if found.is_dir() => {}
            EntryKind::File { size, sha256 }
                if preserved(path) && found.is_file() && !verify_file(&full, *size, sha256)? => {}
            EntryKind::File { .. } | EntryKind::Link { .. } => {
                with_access(&[folder], || fs::remove_any(&full))?;
            }
        }
    }
    Ok(())
}

/// Whether no folder on the way from `app` to `path` is a link, which the user
/// may have put there, and which leads to what is no release's.
fn is_below_real_folders(app: &Path, path: &str) -> Result<bool, FsError> {
    let above = path
        .match_indices('/')
        .map(|(at, _)| fs::join(app, &path[..at]));
    for folder in std::iter::once(app.to_path_buf()).chain(above) {
        if !fs::inspect(&folder)?.is_some_and(|found| fs::is_real_folder(&found)) {
            return Ok(false);
        }
    }
    Ok(true)
}

fn remove_if_empty(folder: &Path) -> Result<(), FsError> {
    let is_dir = fs::inspect(folder)?.is_some_and(|found| fs::is_real_folder(&found));
    if !is_dir || !with_access(&[folder], || fs::list(folder))?.is_empty() {
        return Ok(());
    }
    let above = folder.parent().unwrap_or(folder);
    with_access(&[above], || fs::remove_dir(folder))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bundle::Entry;
    use crate::install::Release;
    use ring::digest::{SHA256, digest};

    struct Install {
        _folder: tempfile::TempDir,
        layout: Layout,
    }

    impl Install {
        /// A release with these files, with nothing else in `app/`.
        fn of(files: &[&str]) -> Self {
            let folder = tempfile::tempdir().unwrap();
            let layout = Layout::new(folder.path());
            let mut manifest = Manifest::default();
            for path in files {
                let full = layout.app().join(path);
                std::fs::create_dir_all(full.parent().unwrap()).unwrap();
                std::fs::write(&full, path).unwrap();
                let sha256 = digest(&SHA256, path.as_bytes())
                    .as_ref()
                    .try_into()
                    .unwrap();
                let size = path.len() as u64;
                let kind = EntryKind::File { size, sha256 };
                let mode = 0o644;
                manifest
                    .entries
                    .insert((*path).into(), Entry { kind, mode });
                for above in Path::new(path).ancestors().skip(1) {
                    let above = above.to_str().unwrap().to_owned();
                    if !above.is_empty() {
                        let kind = EntryKind::Dir;
                        manifest.entries.insert(above, Entry { kind, mode: 0o755 });
                    }
                }
            }
            let (name, version) = ("app".into(), "1.0".parse().unwrap());
            let release = Release { name, version };
            let record = Record { release, manifest };
            std::fs::write(Record::path(&layout.app()), record.to_text()).unwrap();
            std::fs::create_dir_all(layout.metadata()).unwrap();
            std::fs::create_dir_all(layout.previous().join("inner")).unwrap();
            Install {
                _folder: folder,
                layout,
            }
        }

        fn write(&self, path: &str, text: &str) {
            let path = self.layout.app().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }

        fn uninstall(&self, extent: Extent) -> Uninstalled {
            crate::install::secure_state(&self.layout).unwrap();
            let ini = |path: &str| path.ends_with(".ini");
            uninstall(&self.layout, extent, &ini).unwrap()
        }
    }

    #[test]
    fn nothing_is_left_of_what_the_user_did_not_touch() {
        let install = Install::of(&["program", "lib/one", "lib/deep/two", "set.ini"]);
        // A shipped file that was changed is no file of the user's.
        install.write("lib/one", "changed");
        std::fs::remove_file(install.layout.app().join("lib/deep/two")).unwrap();
        assert_eq!(
            install.uninstall(Extent::Everything),
            Uninstalled::Done(false)
        );
        let left: Vec<_> = std::fs::read_dir(install.layout.root()).unwrap().collect();
        assert!(left.is_empty(), "{left:?}");
        assert_eq!(
            install.uninstall(Extent::Everything),
            Uninstalled::Done(false)
        );
    }

    #[test]
    fn what_the_user_made_stays() {
        let install = Install::of(&["program", "lib/one", "lib/two", "set.ini"]);
        install.write("lib/mine/file", "mine");
        install.write("set.ini", "mine");
        assert_eq!(
            install.uninstall(Extent::Everything),
            Uninstalled::Done(true)
        );
        let app = install.layout.app();
        assert!(app.join("lib/mine/file").exists() && app.join("set.ini").exists());
        assert!(!app.join("program").exists() && !app.join("lib/one").exists());
        assert!(!Record::path(&app).exists() && !install.layout.state().exists());
        // Without a record nothing is known of what is there.
        assert_eq!(
            install.uninstall(Extent::Everything),
            Uninstalled::Done(true)
        );
        assert!(app.join("set.ini").exists());
    }

    #[test]
    fn a_damaged_record_is_no_reason_to_stay() {
        for text in ["", "notsotuf-release 9\n", "\0\0\0"] {
            let install = Install::of(&["program", "lib/one"]);
            std::fs::write(Record::path(&install.layout.app()), text).unwrap();
            let done = install.uninstall(Extent::Everything);
            assert_eq!(done, Uninstalled::Done(true), "{text:?}");
            assert!(install.layout.app().join("lib/one").exists());
            assert!(!install.layout.state().exists());
        }
    }

    #[cfg(unix)]
    #[test]
    fn what_a_link_leads_to_stays() {
        let install = Install::of(&["program", "lib/one", "lib/deep/two"]);
        let elsewhere = tempfile::tempdir().unwrap();
        let lib = install.layout.app().join("lib");
        for name in ["one", "deep/two", "mine"] {
            let path = elsewhere.path().join("lib").join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, "elsewhere").unwrap();
        }
        std::fs::remove_dir_all(&lib).unwrap();
        std::os::unix::fs::symlink(elsewhere.path().join("lib"), &lib).unwrap();
        let done = install.uninstall(Extent::Everything);
        assert_eq!(done, Uninstalled::Done(true));
        for name in ["one", "deep/two", "mine"] {
            assert!(elsewhere.path().join("lib").join(name).exists(), "{name}");
        }
        assert!(lib.is_symlink() && !install.layout.app().join("program").exists());
    }

    #[test]
    fn for_another_installer_the_repository_is_remembered() {
        let install = Install::of(&["program"]);
        assert_eq!(install.uninstall(Extent::Release), Uninstalled::Done(false));
        assert!(install.layout.metadata().exists() && !install.layout.previous().exists());
        assert!(!install.layout.app().exists());
    }

    #[test]
    fn a_stub_that_starts_the_application_keeps_it() {
        let install = Install::of(&["program"]);
        let starting = Lock::shared(&install.layout.launch_lock(), Duration::ZERO).unwrap();
        let busy = install.uninstall(Extent::Everything);
        assert_eq!(busy, Uninstalled::Busy(Vec::new()));
        assert!(install.layout.app().join("program").exists());
        drop(starting);
        assert_eq!(
            install.uninstall(Extent::Everything),
            Uninstalled::Done(false)
        );
    }
}
