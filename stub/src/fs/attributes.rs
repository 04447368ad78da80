//! Owners, permission bits and times of files and folders, and what a file
//! system can keep of them.

use crate::fs::{self, Result};
use std::fs::Metadata;
use std::io;
use std::path::Path;

/// Gives the folder or file `to` the permission bits, extended attributes
/// and, where this user may, the owner and group of `from`. What the system
/// does not allow is left as it is.
///
/// # Errors
/// If one of the two cannot be inspected.
pub fn copy_attributes(from: &Path, to: &Path) -> Result<()> {
    let (Some(wanted), Some(found)) = (fs::inspect(from)?, fs::inspect(to)?) else {
        return Ok(());
    };
    copy_owner(&wanted, &found, to);
    if !wanted.is_symlink() {
        copy_extended(from, to);
        copy_mode(&wanted, to);
    }
    Ok(())
}

/// Gives `to` the times of last access and change that `wanted` has.
pub fn copy_times(wanted: &Metadata, to: &Path) {
    #[cfg(unix)]
    {
        use rustix::fs::{AtFlags, CWD, Timespec, Timestamps, utimensat};
        use std::os::unix::fs::MetadataExt;
        let times = Timestamps {
            last_access: Timespec {
                tv_sec: wanted.atime(),
                tv_nsec: wanted.atime_nsec() as _,
            },
            last_modification: Timespec {
                tv_sec: wanted.mtime(),
                tv_nsec: wanted.mtime_nsec() as _,
            },
        };
        if let Err(e) = utimensat(CWD, to, &times, AtFlags::SYMLINK_NOFOLLOW) {
            log::debug!("times of {to:?}: {e}");
        }
    }
    #[cfg(windows)]
    let _: (&Metadata, &Path) = (wanted, to);
}

/// Gives `to`, of which `found` is known, the owner and group of `wanted`;
/// only the group where this user may not give files away.
pub fn copy_owner(wanted: &Metadata, found: &Metadata, to: &Path) {
    #[cfg(unix)]
    {
        use std::os::unix::fs::{MetadataExt, lchown};
        let owner = (wanted.uid() != found.uid()).then(|| wanted.uid());
        let group = (wanted.gid() != found.gid()).then(|| wanted.gid());
        if owner.is_none() && group.is_none() {
            return;
        }
        if let Err(e) = lchown(to, owner, group).or_else(|_| lchown(to, None, group)) {
            log::debug!("owner of {to:?}: {e}");
        }
    }
    #[cfg(windows)]
    let _: (&Metadata, &Metadata, &Path) = (wanted, found, to);
}

fn copy_mode(wanted: &Metadata, to: &Path) {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        // Sticky and set-group-id bits of a shared folder, too.
        let mode = wanted.permissions().mode() & 0o7777;
        if let Err(e) = std::fs::set_permissions(to, std::fs::Permissions::from_mode(mode)) {
            log::debug!("permissions of {to:?}: {e}");
        }
    }
    #[cfg(windows)]
    let _: (&Metadata, &Path) = (wanted, to);
}

/// Access control lists are extended attributes on Linux.
fn copy_extended(from: &Path, to: &Path) {
    #[cfg(any(target_os = "linux", target_vendor = "apple"))]
    {
        use rustix::fs::{XattrFlags, lgetxattr, llistxattr, lsetxattr};
        let mut names = vec![0; 1 << 14];
        let Ok(size) = llistxattr(from, &mut names[..]) else {
            return;
        };
        for name in names[..size].split(|&byte| byte == 0) {
            let of_the_system = name.starts_with(b"security.") || name.starts_with(b"trusted.");
            if name.is_empty() || of_the_system {
                continue;
            }
            let mut value = vec![0; 1 << 16];
            let copied = lgetxattr(from, name, &mut value[..])
                .and_then(|size| lsetxattr(to, name, &value[..size], XattrFlags::empty()));
            if let Err(e) = copied {
                log::debug!("an attribute of {to:?}: {e}");
            }
        }
    }
    #[cfg(not(any(target_os = "linux", target_vendor = "apple")))]
    let _: (&Path, &Path) = (from, to);
}

/// Returns whether this user is root, and `folder` belongs to somebody else.
pub fn is_of_another_than_root(folder: &Path) -> bool {
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt;
        rustix::process::geteuid().is_root()
            && std::fs::metadata(folder).is_ok_and(|found| found.uid() != 0)
    }
    #[cfg(windows)]
    {
        let _: &Path = folder;
        false
    }
}

/// Returns whether this user may give files to others.
pub fn may_give_away() -> bool {
    #[cfg(unix)]
    return rustix::process::geteuid().is_root();
    #[cfg(windows)]
    false
}

/// Returns whether two files have the same owner and group.
pub fn same_owner(one: &Metadata, other: &Metadata) -> bool {
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt;
        (one.uid(), one.gid()) == (other.uid(), other.gid())
    }
    #[cfg(windows)]
    {
        let _: (&Metadata, &Metadata) = (one, other);
        true
    }
}

/// Returns whether files in `folder` keep the permission bits they are given,
/// unlike on exFAT. It is tried; where that cannot be done, they are taken to.
pub fn keeps_modes(folder: &Path) -> bool {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let Ok(file) = fs::temporary_in(folder) else {
            return true;
        };
        [0o600, 0o740].into_iter().all(|mode| {
            let given = file
                .as_file()
                .set_permissions(std::fs::Permissions::from_mode(mode));
            let found = file.as_file().metadata();
            given.is_ok() && found.is_ok_and(|found| found.permissions().mode() & 0o777 == mode)
        })
    }
    #[cfg(windows)]
    {
        let _: &Path = folder;
        false
    }
}

/// Returns whether a file in `folder` can have two names there; it is tried.
pub fn has_hard_links(folder: &Path) -> bool {
    let Ok(file) = fs::temporary_in(folder) else {
        return false;
    };
    let mut name = file.path().as_os_str().to_owned();
    name.push("-link");
    let linked = std::fs::hard_link(file.path(), &name).is_ok();
    linked && fs::remove_file_if_exists(Path::new(&name)).is_ok()
}

/// Returns how many bytes this user may still write to the file system of
/// `folder`; `None` if the system does not say.
pub fn room(folder: &Path) -> Option<u64> {
    #[cfg(unix)]
    {
        let found = rustix::fs::statvfs(folder).ok()?;
        // Some file systems have nothing to say.
        (found.f_blocks > 0).then(|| found.f_bavail.saturating_mul(found.f_frsize))
    }
    #[cfg(windows)]
    {
        let _: &Path = folder;
        None
    }
}

/// Does `work`, which needs to read and change `folders`. Where permissions
/// of these forbid that to their owner, they are lifted meanwhile.
///
/// # Errors
/// Those of `work`.
pub fn with_access<T>(folders: &[&Path], mut work: impl FnMut() -> Result<T>) -> Result<T> {
    let result = work();
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let refused = |e: &fs::FsError| e.source.kind() == io::ErrorKind::PermissionDenied;
        if !result.as_ref().err().is_some_and(refused) {
            return result;
        }
        let mut lifted = Vec::new();
        for folder in folders {
            let Some(found) = fs::inspect(folder)?.filter(Metadata::is_dir) else {
                continue;
            };
            let before = found.permissions();
            let more = std::fs::Permissions::from_mode(before.mode() | 0o700);
            if before != more && std::fs::set_permissions(folder, more).is_ok() {
                lifted.push((*folder, before));
            }
        }
        if lifted.is_empty() {
            return result;
        }
        let again = work();
        for (folder, before) in lifted.into_iter().rev() {
            // It may be elsewhere now, and is given them there.
            std::fs::set_permissions(folder, before).unwrap_or_else(|e| log::debug!("{e}"));
        }
        again
    }
    #[cfg(windows)]
    {
        let _: (&[&Path], io::ErrorKind) = (folders, io::ErrorKind::Other);
        result
    }
}
