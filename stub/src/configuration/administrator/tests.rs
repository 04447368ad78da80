use super::*;

fn install() -> (tempfile::TempDir, Layout) {
    let folder = tempfile::tempdir().unwrap();
    let layout = Layout::new(folder.path());
    (folder, layout)
}

/// No machine has settings for this application.
const NAME: &str = "notsotuf-unit-test-of-no-application";

#[test]
fn a_file_in_the_install_dir_is_read_and_a_broken_one_means_off() {
    let (_folder, layout) = install();
    let mut warnings = Vec::new();
    assert_eq!(files(&layout, NAME, &mut warnings), []);
    let path = layout.root().join(LOCAL_FILE);
    std::fs::write(&path, "\u{feff}quiet = true\n").unwrap();
    let found = files(&layout, NAME, &mut warnings);
    assert_eq!(found[0].0, path);
    assert_eq!(found[0].1["quiet"], true);
    assert!(warnings.is_empty());
    for broken in [&b"mode = "[..], b"mode = 'off'\nmode = 'off'", b"\xff"] {
        std::fs::write(&path, broken).unwrap();
        let found = files(&layout, NAME, &mut warnings);
        assert_eq!(found, [(path.clone(), off())]);
        assert!(warnings.pop().unwrap().contains("until that is corrected"));
    }
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
