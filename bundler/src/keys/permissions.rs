//! Checks who may read a file with a secret, as ssh does with private keys.

use super::error::{KeyError, PermissionFix};
use notsotuf_stub::fs;
use std::path::Path;

/// Refuses a key file, or a file with a passphrase, of this user that others
/// may read or write too. Those of other users are for them to look after.
///
/// # Errors
/// [`KeyError::TooOpen`], or the file system's.
pub(crate) fn check(path: &Path) -> Result<(), KeyError> {
    let Some(mode) = too_open(path)? else {
        return Ok(());
    };
    // What `chmod` cannot change, such as on a stick that Windows reads too,
    // is for whoever mounts it. An encrypted key protects itself there.
    let fix = if keeps_no_permissions(path) {
        if super::files::is_encrypted_file(path) {
            return Ok(());
        }
        PermissionFix::NoPermissions
    } else {
        PermissionFix::Chmod
    };
    Err(KeyError::TooOpen {
        path: path.into(),
        mode,
        fix,
    })
}

/// Closes a file of this user to others; whether it was open.
///
/// # Errors
/// The file system's.
pub(crate) fn close(path: &Path) -> Result<bool, fs::FsError> {
    if too_open(path)?.is_none() {
        return Ok(false);
    }
    let file = fs::open(path)?;
    fs::set_mode(&file, path, 0o600)?;
    Ok(true)
}

/// Returns the permissions of a file of this user that others may use; `None`
/// for one that is closed, of another user, no file (a pipe from another
/// program, say), or not there.
#[cfg(unix)]
pub(super) fn too_open(path: &Path) -> Result<Option<u32>, fs::FsError> {
    use std::os::unix::fs::MetadataExt;
    let found = match std::fs::metadata(path) {
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        found => found.map_err(|e| fs::FsError::new("inspect", path, e))?,
    };
    let mode = found.mode() & 0o7777;
    let mine = found.uid() == rustix::process::geteuid().as_raw();
    Ok((found.is_file() && mine && mode & 0o077 != 0).then_some(mode))
}
#[cfg(not(unix))]
pub(super) fn too_open(_: &Path) -> Result<Option<u32>, fs::FsError> {
    // Windows has lists of who may do what, which folders of users close.
    Ok(None)
}

/// Whether the file system takes all files for ones of the same permissions.
#[cfg(target_os = "linux")]
fn keeps_no_permissions(path: &Path) -> bool {
    // statfs(2): FAT, exFAT, NTFS in the kernel, WSL's view of Windows, SMB.
    const WITHOUT: [u64; 6] = [
        0x4d44,
        0x2011_bab0,
        0x7366_746e,
        0x0102_1997,
        0xff53_4d42,
        0xfe53_4d42,
    ];
    let kind = rustix::fs::statfs(path).map(|found| found.f_type as u64 & 0xffff_ffff);
    kind.is_ok_and(|kind| WITHOUT.contains(&kind))
}
#[cfg(not(target_os = "linux"))]
fn keeps_no_permissions(_: &Path) -> bool {
    false
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn what_others_may_read_is_refused_with_the_mend() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("root key.pem");
        std::fs::write(&path, "x").unwrap();
        let set = |mode| {
            let mode = std::fs::Permissions::from_mode(mode);
            std::fs::set_permissions(&path, mode).unwrap();
        };
        for mode in [0o644, 0o640, 0o604, 0o660, 0o601, 0o777] {
            set(mode);
            let said = check(&path).unwrap_err().to_string();
            assert!(
                said.contains(&format!("Permissions {mode:04o} for")),
                "{said}"
            );
            assert!(
                said.contains("chmod 600 '") && said.contains("root key.pem'`"),
                "{said}"
            );
        }
        for mode in [0o600, 0o400, 0o700] {
            set(mode);
            check(&path).unwrap();
        }
        // A pipe, as `<(pass show notsotuf)` makes one, is no file.
        check(Path::new("/dev/null")).unwrap();
        check(&folder.path().join("none")).unwrap();
    }
}
