use super::*;

#[test]
fn translocation_shows_in_the_path() {
    let random = "/private/var/folders/x/T/AppTranslocation/0A-1B/d/My.app/Contents/MacOS/My";
    assert!(translocated(Path::new(random)));
    assert!(!translocated(Path::new(
        "/Applications/My.app/Contents/MacOS/My"
    )));
}

#[cfg(unix)]
#[test]
fn nobody_else_can_write_to_it_and_links_are_refused() {
    use std::os::unix::fs::{PermissionsExt, symlink};
    let folder = tempfile::tempdir().unwrap();
    let layout = Layout::new(folder.path());
    let mode = || {
        let found = std::fs::metadata(layout.state()).unwrap();
        found.permissions().mode() & 0o777
    };
    open_state_dir(&layout).unwrap();
    assert_eq!(mode(), 0o700);
    // Also as a first start under a strange umask leaves it.
    for changed in [0o777, 0o755, 0o500, 0] {
        fs::set_path_mode(&layout.state(), changed).unwrap();
        open_state_dir(&layout).unwrap();
        assert_eq!(mode(), 0o700, "{changed:o}");
    }
    fs::remove_tree_if_exists(&layout.state()).unwrap();
    std::fs::create_dir(folder.path().join("victim")).unwrap();
    symlink(folder.path().join("victim"), layout.state()).unwrap();
    let refused = open_state_dir(&layout);
    assert!(matches!(refused, Err(StateError::NotAFolder(_))));
    std::fs::remove_file(layout.state()).unwrap();
    std::fs::write(layout.state(), "").unwrap();
    let refused = open_state_dir(&layout);
    assert!(matches!(refused, Err(StateError::NotAFolder(_))));
}

#[test]
fn folders_in_the_place_of_files_are_removed_whichever_file_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let layout = Layout::new(folder.path());
    open_state_dir(&layout).unwrap();
    let files = [
        "lock",
        "launch.lock",
        "behind.lock",
        "claim.lock",
        "log",
        "log.1",
        "journal",
        "probation",
        "quarantine",
        "blocked",
        "notes",
        "id",
        "ready",
        "failed-stub",
        "staging/origin",
    ];
    for file in files {
        std::fs::create_dir_all(layout.state().join(file).join("sub")).unwrap();
    }
    std::fs::create_dir_all(layout.old_stub()).unwrap();
    std::fs::create_dir_all(layout.staged().join("sub")).unwrap();
    open_state_dir(&layout).unwrap();
    for file in files {
        assert!(!layout.state().join(file).exists(), "{file}");
    }
    assert!(!layout.old_stub().exists());
    assert!(layout.staged().join("sub").exists(), "it is to be a folder");
}

#[cfg(unix)]
#[test]
fn locks_that_others_may_hold_survive_that_the_folder_was_open() {
    let folder = tempfile::tempdir().unwrap();
    let layout = Layout::new(folder.path());
    open_state_dir(&layout).unwrap();
    let locks = ["lock", "launch.lock", "behind.lock", "claim.lock"];
    for name in locks.iter().chain(&["journal"]) {
        std::fs::write(layout.state().join(name), "").unwrap();
    }
    fs::set_path_mode(&layout.state(), 0o777).unwrap();
    std::fs::create_dir(layout.app()).unwrap();
    open_state_dir(&layout).unwrap();
    for lock in locks {
        assert!(layout.state().join(lock).exists(), "{lock}");
    }
    assert!(!layout.journal().exists(), "anybody may have written that");
}

#[test]
fn another_chain_of_roots_forgets_what_was_blocked() {
    use crate::policy::blocked::BlockedWhy;
    let folder = tempfile::tempdir().unwrap();
    let layout = Layout::new(folder.path());
    open_state_dir(&layout).unwrap();
    let lock = Lock::exclusive(&layout.update_lock(), std::time::Duration::ZERO);
    let lock = lock.unwrap().unwrap();
    for why in [BlockedWhy::Failed, BlockedWhy::NotInstalled] {
        let version = "1.1".parse().unwrap();
        BlockedVersions::add(&layout, &version, why, 0, |_| {}).unwrap();
        assert!(layout.blocked().exists());
        forget(&layout, &lock).unwrap();
        assert!(!layout.blocked().exists(), "{why:?}");
        let left = BlockedVersions::load(&layout);
        assert!(left.versions(why).is_empty(), "{why:?}");
    }
}
