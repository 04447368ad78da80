use super::*;

fn install() -> (tempfile::TempDir, Layout) {
    let folder = tempfile::tempdir().unwrap();
    let layout = Layout::new(folder.path());
    (folder, layout)
}

/// No machine has settings for this application.
const NAME: &str = "notsotuf-unit-test-of-no-application";

#[test]
fn a_file_in_the_install_dir_is_read_and_a_broken_one_is_none() {
    let (_folder, layout) = install();
    let mut warnings = Vec::new();
    assert_eq!(files(&layout, NAME, &mut warnings), []);
    let path = layout.root().join(LOCAL_FILE);
    std::fs::write(&path, "\u{feff}quiet = true\n").unwrap();
    let found = files(&layout, NAME, &mut warnings);
    assert_eq!(found[0].0, path);
    assert_eq!(found[0].1.as_ref().unwrap()["quiet"], true);
    for broken in [&b"mode = "[..], b"mode = 'off'\nmode = 'off'", b"\xff"] {
        std::fs::write(&path, broken).unwrap();
        let found = files(&layout, NAME, &mut warnings);
        assert!(found[0].1.is_err(), "{found:?}");
    }
    assert!(warnings.is_empty());
}

#[cfg(unix)]
#[test]
fn a_file_for_the_machine_must_be_its_owners_alone() {
    use std::fs::{Permissions, set_permissions};
    use std::os::unix::fs::{PermissionsExt, symlink};
    let (folder, _layout) = install();
    let user = rustix::process::geteuid().as_raw();
    let of = |path: &Path| machine::is_of(path, user).unwrap();
    let path = folder.path().join("app.toml");
    assert_eq!(of(&path), None);
    assert_eq!(of(&path.join("below")), None);
    // That nothing is there is not what a link says that leads nowhere.
    let nowhere = folder.path().join("nowhere.toml");
    symlink(folder.path().join("gone"), &nowhere).unwrap();
    assert!(machine::is_of(&nowhere, user).is_err());
    std::fs::write(&path, "").unwrap();
    set_permissions(&path, Permissions::from_mode(0o644)).unwrap();
    assert_eq!(of(&path), Some(true));
    assert_eq!(machine::is_of(&path, user + 1).unwrap(), Some(false));
    let elsewhere = tempfile::tempdir().unwrap();
    let link = elsewhere.path().join("app.toml");
    symlink(&path, &link).unwrap();
    assert_eq!(of(&link), Some(true));
    for (file, folder_mode) in [(0o664, 0o755), (0o646, 0o755), (0o644, 0o777)] {
        set_permissions(&path, Permissions::from_mode(file)).unwrap();
        set_permissions(folder.path(), Permissions::from_mode(folder_mode)).unwrap();
        assert_eq!(of(&path), Some(false), "{file:o} {folder_mode:o}");
        assert_eq!(of(&link), Some(false), "{file:o} {folder_mode:o}");
    }
}

#[cfg(unix)]
#[test]
fn a_file_in_the_install_dir_that_others_could_have_made_does_not_count() {
    use std::fs::{Permissions, set_permissions};
    use std::os::unix::fs::PermissionsExt;
    let (folder, layout) = install();
    let path = folder.path().join(LOCAL_FILE);
    std::fs::write(&path, "quiet = true").unwrap();
    // Where others can replace the application, they may have made this, too.
    for (file, folder_mode, counts) in [
        (0o644, 0o755, true),
        (0o664, 0o755, false),
        (0o646, 0o755, false),
        (0o664, 0o775, true),
        (0o666, 0o777, true),
        (0o644, 0o1777, true),
    ] {
        set_permissions(&path, Permissions::from_mode(file)).unwrap();
        set_permissions(folder.path(), Permissions::from_mode(folder_mode)).unwrap();
        let mut warnings = Vec::new();
        let found = files(&layout, NAME, &mut warnings);
        assert_eq!(found.len(), usize::from(counts), "{file:o} {folder_mode:o}");
        assert_eq!(warnings.is_empty(), counts);
    }
    if rustix::process::geteuid().is_root() {
        let stranger = rustix::fs::Uid::from_raw(65_533);
        rustix::fs::chown(&path, Some(stranger), None).unwrap();
        assert!(
            files(&layout, NAME, &mut Vec::new()).is_empty(),
            "in a sticky folder"
        );
    }
}

#[cfg(unix)]
#[test]
fn a_pipe_in_the_install_dir_holds_nothing_up() {
    let (folder, layout) = install();
    let path = folder.path().join(LOCAL_FILE);
    let made = std::process::Command::new("mkfifo").arg(&path).status();
    assert!(made.unwrap().success());
    let found = files(&layout, NAME, &mut Vec::new());
    assert!(found[0].1.is_err(), "{found:?}");
}
