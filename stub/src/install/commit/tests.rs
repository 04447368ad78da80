use super::*;
use crate::bundle::{Entry, EntryKind, Manifest};
use crate::install::recover;
use crate::install::swap::copy_to_previous;
use pep440_rs::Version;
use ring::digest;
use std::fs::{create_dir_all, read_to_string, rename, write};
use std::path::{Path, PathBuf};
use std::str::FromStr;

const RECHECK: CommitOptions = CommitOptions {
    purge: false,
    recheck: true,
    probation: true,
    returning: false,
    preserve: None,
};
const PURGE: CommitOptions = CommitOptions {
    purge: true,
    recheck: false,
    ..RECHECK
};

fn bundle(folder: &Path, version: &str) -> Record {
    create_dir_all(folder).unwrap();
    write(folder.join("file"), version).unwrap();
    let hash = digest::digest(&digest::SHA256, version.as_bytes());
    let kind = EntryKind::File {
        size: version.len() as u64,
        sha256: hash.as_ref().try_into().unwrap(),
    };
    let mut manifest = Manifest::default();
    manifest
        .entries
        .insert("file".into(), Entry { kind, mode: 0o644 });
    let record = Record {
        release: Release {
            name: "app".into(),
            version: Version::from_str(version).unwrap(),
        },
        manifest,
    };
    write(Record::path(folder), record.to_text()).unwrap();
    record
}

fn version(folder: &Path) -> Option<String> {
    let release = Record::load_release(folder).unwrap()?;
    let content = read_to_string(folder.join("file")).unwrap();
    assert_eq!(content, release.version.to_string());
    Some(content)
}

struct Case {
    _folder: tempfile::TempDir,
    layout: Layout,
    lock: Lock,
}

fn case() -> Case {
    let folder = tempfile::tempdir().unwrap();
    let layout = Layout::new(folder.path());
    create_dir_all(layout.staging()).unwrap();
    bundle(&layout.app(), "1.0");
    write(layout.app().join("own"), "mine").unwrap();
    let lock = Lock::exclusive(&layout.update_lock(), Duration::ZERO);
    Case {
        lock: lock.unwrap().unwrap(),
        layout,
        _folder: folder,
    }
}

fn journal(layout: &Layout, update: &Path) -> Journal {
    let journal = Journal {
        to: record_hash(update).unwrap().unwrap(),
        copied: false,
    };
    journal.store(layout).unwrap();
    journal
}

#[test]
fn the_update_takes_its_place_and_the_old_one_is_kept() {
    let Case { layout, lock, .. } = &case();
    assert_eq!(
        commit(layout, lock, RECHECK).unwrap(),
        CommitOutcome::Nothing
    );
    for (new, old) in [("1.1", "1.0"), ("1.2", "1.1")] {
        let record = bundle(&layout.staged(), new);
        let done = commit(layout, lock, RECHECK).unwrap();
        assert_eq!(done, CommitOutcome::Done(record.release));
        assert_eq!(version(&layout.app()).as_deref(), Some(new));
        assert_eq!(version(&layout.previous()).as_deref(), Some(old));
        assert_eq!(read_to_string(layout.app().join("own")).unwrap(), "mine");
        assert!(!layout.journal().exists() && !layout.staged().exists());
    }
    bundle(&layout.staged(), "1.3");
    commit(layout, lock, PURGE).unwrap();
    assert!(!layout.app().join("own").exists(), "purged");
}

/// An install of 1.1 with a damaged file, for which 1.1 is staged once more.
fn repair() -> Case {
    let case = case();
    let Case { layout, lock, .. } = &case;
    bundle(&layout.staged(), "1.1");
    commit(layout, lock, RECHECK).unwrap();
    write(layout.app().join("file"), "damaged").unwrap();
    create_dir_all(layout.staging()).unwrap();
    bundle(&layout.staged(), "1.1");
    case
}

#[test]
fn a_repair_keeps_no_damaged_bundle_to_go_back_to() {
    let Case {
        layout,
        lock,
        _folder,
    } = &repair();
    commit(layout, lock, RECHECK).unwrap();
    let file = |folder: PathBuf| read_to_string(folder.join("file")).unwrap();
    assert_eq!(file(layout.app()), "1.1");
    assert_eq!(read_to_string(layout.app().join("own")).unwrap(), "mine");
    assert_eq!(version(&layout.previous()).as_deref(), Some("1.0"));
    assert!(!layout.staged().exists());
    // Where there is no exchange, the version before is lost, and nothing takes its place.
    let repair = repair();
    let layout = &repair.layout;
    journal(layout, &layout.staged());
    std::fs::remove_dir_all(layout.previous()).unwrap();
    rename(layout.app(), layout.previous()).unwrap();
    recover(layout, &repair.lock).unwrap();
    assert_eq!(file(layout.app()), "1.1");
    assert!(!layout.previous().exists());
}

#[test]
fn a_damaged_or_unfinished_update_is_not_installed() {
    let Case { layout, lock, .. } = &case();
    bundle(&layout.staged(), "1.1");
    write(layout.staged().join("file"), "1.x").unwrap();
    let damaged = commit(layout, lock, RECHECK);
    assert!(matches!(damaged, Err(CommitError::Damaged { .. })));
    fs::remove_file_if_exists(&Record::path(&layout.staged())).unwrap();
    assert_eq!(
        commit(layout, lock, RECHECK).unwrap(),
        CommitOutcome::Nothing
    );
    assert_eq!(version(&layout.app()).as_deref(), Some("1.0"));
}

#[test]
fn waits_for_stubs_that_are_launching() {
    let Case { layout, lock, .. } = &case();
    bundle(&layout.staged(), "1.1");
    let launching = Lock::shared(&layout.launch_lock(), Duration::ZERO);
    let deferred = commit(layout, lock, RECHECK).unwrap();
    assert_eq!(deferred, CommitOutcome::Deferred(Vec::new()));
    assert_eq!(version(&layout.app()).as_deref(), Some("1.0"));
    drop(launching);
    assert!(matches!(
        commit(layout, lock, RECHECK).unwrap(),
        CommitOutcome::Done(_)
    ));
}

#[test]
fn rolls_back_with_the_applications_files() {
    let Case { layout, lock, .. } = &case();
    let none = roll_back(layout, lock, &|_| false).unwrap();
    assert_eq!(none, CommitOutcome::Nothing);
    bundle(&layout.staged(), "1.1");
    commit(layout, lock, RECHECK).unwrap();
    assert_eq!(Probation::load(layout).unwrap().unwrap().starts, 0);
    write(layout.app().join("own"), "newer").unwrap();
    write(layout.app().join("made by 1.1"), "").unwrap();
    let back = roll_back(layout, lock, &|_| false).unwrap();
    assert!(matches!(back, CommitOutcome::Done(_)));
    assert_eq!(version(&layout.app()).as_deref(), Some("1.0"));
    assert_eq!(version(&layout.previous()).as_deref(), Some("1.1"));
    assert_eq!(read_to_string(layout.app().join("own")).unwrap(), "newer");
    assert!(layout.app().join("made by 1.1").exists());
    assert_eq!(Probation::load(layout).unwrap(), None);
    std::fs::remove_file(layout.previous().join("file")).unwrap();
    let damaged = roll_back(layout, lock, &|_| false);
    assert!(matches!(damaged, Err(CommitError::Damaged { .. })));
    assert_eq!(version(&layout.app()).as_deref(), Some("1.0"));
}

#[test]
fn recovers_from_every_point_of_the_two_renames_and_of_the_exchange() {
    type Break = fn(&Layout);
    let points: [(&str, Break, &str, Option<&str>); 5] = [
        ("journal written", |_| {}, "1.0", None),
        (
            "app renamed",
            |l| rename(l.app(), l.previous()).unwrap(),
            "1.1",
            Some("1.0"),
        ),
        (
            "both renamed",
            |l| {
                rename(l.app(), l.previous()).unwrap();
                rename(l.staged(), l.app()).unwrap();
            },
            "1.1",
            Some("1.0"),
        ),
        (
            "exchanged",
            |l| {
                let aside = l.root().join("aside");
                rename(l.app(), &aside).unwrap();
                rename(l.staged(), l.app()).unwrap();
                rename(&aside, l.staged()).unwrap();
            },
            "1.1",
            Some("1.0"),
        ),
        (
            "app renamed, update lost",
            |l| {
                rename(l.app(), l.previous()).unwrap();
                std::fs::remove_dir_all(l.staging()).unwrap();
            },
            "1.0",
            None,
        ),
    ];
    for (point, break_off, expected, previous) in points {
        let Case {
            layout,
            lock,
            _folder,
        } = &case();
        bundle(&layout.staged(), "1.1");
        journal(layout, &layout.staged());
        break_off(layout);
        assert!(version(&layout.launchable()).is_some(), "{point}");
        recover(layout, lock).unwrap();
        assert_eq!(version(&layout.app()).as_deref(), Some(expected), "{point}");
        assert_eq!(version(&layout.previous()).as_deref(), previous, "{point}");
        assert!(!layout.journal().exists(), "{point}");
        recover(layout, lock).unwrap();
    }
}

#[test]
fn the_journal_is_as_the_formats_say() {
    let Case { layout, .. } = &case();
    for (copied, text) in [
        (false, "notsotuf-journal 1\nto ab12\n"),
        (true, "notsotuf-journal 1\nto ab12\ncopied\n"),
    ] {
        let to = "ab12".into();
        Journal { to, copied }.store(layout).unwrap();
        assert_eq!(read_to_string(layout.journal()).unwrap(), text);
        let found = Journal::load(layout).unwrap().unwrap();
        assert_eq!((found.to.as_str(), found.copied), ("ab12", copied));
    }
    for text in ["", "notsotuf-journal 2\nto ab12\n", "ab12"] {
        write(layout.journal(), text).unwrap();
        let found = Journal::load(layout).unwrap().unwrap();
        assert_eq!((found.to.as_str(), found.copied), ("", false), "{text}");
    }
}

/// As [`swap_by_copy`] does up to its last steps.
fn copied(layout: &Layout) {
    copy_to_previous(layout).unwrap();
    let mut journal = journal(layout, &layout.staged());
    journal.copied = true;
    journal.store(layout).unwrap();
}

#[test]
fn where_folders_cannot_be_renamed_a_copy_is_made_first() {
    let Case {
        layout,
        lock,
        _folder,
    } = &case();
    let update = bundle(&layout.staged(), "1.1");
    let mut journal = journal(layout, &layout.staged());
    let old = Record::load(&layout.app(), Rules::host()).unwrap();
    let old = old.map(|record| record.manifest);
    let moved = user_files::carry_over_user_files(
        &layout.app(),
        old.as_ref(),
        &layout.staged(),
        &update.manifest,
    );
    moved.unwrap();
    assert!(matches!(
        swap_by_copy(layout, false, &mut journal),
        Err(CommitError::OtherFileSystem { .. })
    ));
    swap_by_copy(layout, true, &mut journal).unwrap();
    recover(layout, lock).unwrap();
    assert_eq!(version(&layout.app()).as_deref(), Some("1.1"));
    assert_eq!(version(&layout.previous()).as_deref(), Some("1.0"));
    let own = read_to_string(layout.app().join("own")).unwrap();
    assert_eq!(own, "mine");
    assert!(!layout.journal().exists());
    assert_eq!(fs::list(layout.root()).unwrap().len(), 2);
}

#[test]
fn recovers_from_every_point_of_a_swap_by_copy() {
    type Break = fn(&Layout);
    let points: [(&str, Break, &str, Option<&str>); 6] = [
        (
            "half a copy",
            |l| {
                create_dir_all(l.previous()).unwrap();
                journal(l, &l.staged());
            },
            "1.0",
            None,
        ),
        (
            "copied, and not said so",
            |l| {
                copy_to_previous(l).unwrap();
                journal(l, &l.staged());
            },
            "1.0",
            None,
        ),
        ("copied", copied, "1.0", None),
        (
            "the record is gone",
            |l| {
                copied(l);
                std::fs::remove_file(Record::path(&l.app())).unwrap();
            },
            "1.1",
            Some("1.0"),
        ),
        (
            "all of it is gone",
            |l| {
                copied(l);
                std::fs::remove_dir_all(l.app()).unwrap();
            },
            "1.1",
            Some("1.0"),
        ),
        (
            "all of it and the update are gone",
            |l| {
                copied(l);
                std::fs::remove_dir_all(l.app()).unwrap();
                std::fs::remove_dir_all(l.staging()).unwrap();
            },
            "1.0",
            None,
        ),
    ];
    for (point, break_off, expected, previous) in points {
        let Case {
            layout,
            lock,
            _folder,
        } = &case();
        bundle(&layout.staged(), "1.1");
        // Moved along already, and not to be lost on the way back.
        std::fs::rename(layout.app().join("own"), layout.staged().join("own")).unwrap();
        break_off(layout);
        assert!(version(&layout.launchable()).is_some(), "{point}");
        recover(layout, lock).unwrap();
        assert_eq!(version(&layout.app()).as_deref(), Some(expected), "{point}");
        let left = Record::load_release(&layout.previous()).unwrap();
        let left = left.map(|release| release.version.to_string());
        assert_eq!(left.as_deref(), previous, "{point}");
        if layout.staging().exists() || expected == "1.1" {
            let own = read_to_string(layout.app().join("own")).unwrap();
            assert_eq!(own, "mine", "{point}");
        }
        assert!(!layout.journal().exists(), "{point}");
        recover(layout, lock).unwrap();
    }
}

#[test]
fn what_was_moved_returns_before_anything_staged_is_removed() {
    let Case {
        layout,
        lock,
        _folder,
    } = &case();
    bundle(&layout.staged(), "1.1");
    std::fs::rename(layout.app().join("own"), layout.staged().join("own")).unwrap();
    let to = journal(layout, &layout.staged()).to;
    finish(layout, &to).unwrap();
    assert_eq!(version(&layout.app()).as_deref(), Some("1.0"));
    let own = read_to_string(layout.app().join("own")).unwrap();
    assert_eq!(own, "mine");
    assert!(!layout.staged().join("own").exists());
    // And nothing of it is thrown away while that was not done.
    journal(layout, &layout.staged());
    assert!(crate::install::discard(layout).is_err());
    recover(layout, lock).unwrap();
    crate::install::discard(layout).unwrap();
}

// A repair exchanges two bundles with the same record.
#[test]
fn own_files_are_not_lost_where_both_bundles_are_the_same_release() {
    for exchanged in [false, true] {
        let Case {
            layout,
            lock,
            _folder,
        } = &case();
        bundle(&layout.staged(), "1.0");
        write(layout.app().join("other"), "mine, too").unwrap();
        journal(layout, &layout.staged());
        rename(layout.app().join("own"), layout.staged().join("own")).unwrap();
        if exchanged {
            rename(layout.app().join("other"), layout.staged().join("other")).unwrap();
            let aside = layout.root().join("aside");
            rename(layout.app(), &aside).unwrap();
            rename(layout.staged(), layout.app()).unwrap();
            rename(&aside, layout.staged()).unwrap();
        }
        recover(layout, lock).unwrap();
        assert_eq!(version(&layout.app()).as_deref(), Some("1.0"));
        for own in ["own", "other"] {
            assert!(layout.app().join(own).exists(), "{own}, {exchanged}");
            assert!(!layout.previous().join(own).exists(), "{own}, {exchanged}");
        }
        assert!(!layout.journal().exists());
    }
}

#[cfg(unix)]
#[test]
fn modes_are_looked_at_and_restored() {
    use std::os::unix::fs::PermissionsExt;
    let Case {
        layout, _folder, ..
    } = &case();
    let app = layout.app();
    let record = Record::load(&app, Rules::host()).unwrap().unwrap();
    let none = |_: &str| false;
    let set = |mode| {
        let mode = std::fs::Permissions::from_mode(mode);
        std::fs::set_permissions(app.join("file"), mode).unwrap();
    };
    for wrong in [0o600, 0o666, 0o4644] {
        set(wrong);
        assert_eq!(
            verify_installed_files(&app, &record, &none).unwrap(),
            ["file"]
        );
        assert!(
            verify_installed_files(&app, &record, &|_| true)
                .unwrap()
                .is_empty()
        );
        assert!(restore_modes(&app, &record, &|_| true).unwrap().is_empty());
        assert_eq!(restore_modes(&app, &record, &none).unwrap(), ["file"]);
        assert!(
            verify_installed_files(&app, &record, &none)
                .unwrap()
                .is_empty()
        );
    }
}
