use super::*;
use crate::bundle::path_rules::RECORD;
use crate::bundle::{Entry, EntryKind};
use std::fs::{create_dir_all, read_to_string, write};
use std::path::PathBuf;

fn manifest(entries: &[(&str, EntryKind)]) -> Manifest {
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
fn file() -> EntryKind {
    EntryKind::File {
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
        ("lib", EntryKind::Dir),
        ("lib/old.so", file()),
        ("lib/both", file()),
        ("plugins", EntryKind::Dir),
        ("plugins/shipped", file()),
    ]);
    let new = manifest(&[("lib", EntryKind::Dir), ("lib/both", file())]);
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
    assert_eq!(
        carry_over_user_files(&app, Some(&old), &staged, &new).unwrap(),
        4
    );
    assert_eq!(
        carry_over_user_files(&app, Some(&old), &staged, &new).unwrap(),
        0
    );
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
    assert_eq!(carry_over_user_files(&app, None, &staged, &new).unwrap(), 2);
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
        carry_over_user_files(&app, Some(&old), &staged, &new).unwrap();
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
    carry_over_user_files(&app, Some(&old), &staged, &new).unwrap();
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
    carry_over_user_files(&app, Some(&old), &staged, &new).unwrap();
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
    let link = EntryKind::Link {
        target: "elsewhere".into(),
    };
    let new = manifest(&[("d", link)]);
    assert_eq!(carry_over_user_files(&app, None, &staged, &new).unwrap(), 0);
    assert_eq!(std::fs::read_dir(&victim).unwrap().count(), 0);
    assert_eq!(text(&app, "d/own").as_deref(), Some("own"));
}
