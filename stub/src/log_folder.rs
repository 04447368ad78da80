//! Opens the folder of a log, and the log in it. The fallback is below the
//! user's home, and a program that runs as root with the home of another user
//! must not be led elsewhere by that user: no link is followed that another
//! user could have made.

use std::fs::File;
use std::io;
use std::path::Path;

#[cfg(unix)]
pub(crate) use unix::{open_log, own_folder};
#[cfg(windows)]
pub(crate) use windows::{open_log, own_folder};

/// What the log is called that became too large.
const OLD: &str = "1";

fn not_a_log() -> io::Error {
    io::Error::other("a link, or something else that is not this user's log, is in its place")
}

#[cfg(unix)]
mod unix {
    use super::{File, OLD, Path, io, not_a_log};
    use rustix::fs::{AtFlags, CWD, FileType, Mode, OFlags, Stat};
    use rustix::io::Errno;
    use std::ffi::OsStr;
    use std::os::fd::OwnedFd;
    use std::path::Component;

    /// Opens the log at `path` to add to it; if it has more than `limit` bytes,
    /// it is put aside first. Makes the folder.
    pub(crate) fn open_log(path: &Path, limit: u64) -> io::Result<File> {
        let (Some(folder), Some(name)) = (path.parent(), path.file_name()) else {
            return Err(not_a_log());
        };
        let (folder, found) = open_folder(folder)?;
        if let Ok(log) = rustix::fs::statat(&folder, name, AtFlags::SYMLINK_NOFOLLOW)
            && is_file(&log)
            && u64::try_from(log.st_size).is_ok_and(|size| size > limit)
        {
            // Two stubs may do this at once; then the second renames a young
            // log, which loses nothing but old lines.
            let old = Path::new(name).with_extension(OLD);
            rustix::fs::renameat(&folder, name, &folder, &old)?;
        }
        let flags = OFlags::WRONLY
            | OFlags::APPEND
            | OFlags::CREATE
            | OFlags::NOFOLLOW
            | OFlags::NONBLOCK
            | OFlags::CLOEXEC;
        let log = rustix::fs::openat(&folder, name, flags, Mode::from(0o666));
        let log = log.map_err(|e| match e {
            Errno::LOOP => not_a_log(),
            e => e.into(),
        })?;
        let opened = rustix::fs::fstat(&log)?;
        // One of two names of a file: the other may be another user's.
        let alone = opened.st_nlink == 1;
        let theirs = ours(&opened) || opened.st_uid == found.st_uid;
        if is_file(&opened) && alone && theirs {
            Ok(log.into())
        } else {
            Err(not_a_log())
        }
    }

    /// Makes the folder; an error if it is another user's, or a link that
    /// another user could have made leads to it.
    pub(crate) fn own_folder(path: &Path) -> io::Result<()> {
        match open_folder(path)? {
            (_, found) if ours(&found) => Ok(()),
            _ => Err(io::Error::other("it belongs to another user")),
        }
    }

    /// Goes down to a folder, making those that are missing.
    fn open_folder(path: &Path) -> io::Result<(OwnedFd, Stat)> {
        let flags = OFlags::DIRECTORY | OFlags::CLOEXEC | SEARCH;
        let mut folder = rustix::fs::openat(CWD, "/", flags, Mode::empty())?;
        let mut found = rustix::fs::fstat(&folder)?;
        let mut parts = path.components();
        if parts.next() != Some(Component::RootDir) {
            return Err(io::Error::other("it is not an absolute path"));
        }
        for part in parts {
            let Component::Normal(name) = part else {
                return Err(io::Error::other("it has `..` in its path"));
            };
            folder = step(&folder, &found, name, flags)?;
            found = rustix::fs::fstat(&folder)?;
        }
        Ok((folder, found))
    }

    fn step(folder: &OwnedFd, found: &Stat, name: &OsStr, flags: OFlags) -> io::Result<OwnedFd> {
        let open = |more| rustix::fs::openat(folder, name, flags | more, Mode::empty());
        let trusted = ours(found) || found.st_uid == 0;
        let next = match open(OFlags::NOFOLLOW) {
            // Nothing of this user's is put into other users' folders.
            Err(Errno::NOENT) if trusted => {
                match rustix::fs::mkdirat(folder, name, Mode::from(0o700)) {
                    Ok(()) | Err(Errno::EXIST) => {}
                    Err(e) => return Err(e.into()),
                }
                open(OFlags::NOFOLLOW)
            }
            // A link, in a folder where only this user or root could make it.
            Err(Errno::LOOP | Errno::NOTDIR) if trusted && !is_writable_for_others(found) => {
                open(OFlags::empty())
            }
            other => other,
        };
        Ok(next?)
    }

    /// Folders that may be gone through need not be readable.
    #[cfg(any(target_os = "linux", target_os = "android"))]
    const SEARCH: OFlags = OFlags::PATH;
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    const SEARCH: OFlags = OFlags::RDONLY;

    fn ours(found: &Stat) -> bool {
        found.st_uid == rustix::process::geteuid().as_raw()
    }

    fn is_writable_for_others(found: &Stat) -> bool {
        Mode::from_raw_mode(found.st_mode).intersects(Mode::WGRP | Mode::WOTH)
    }

    fn is_file(found: &Stat) -> bool {
        FileType::from_raw_mode(found.st_mode) == FileType::RegularFile
    }
}

#[cfg(windows)]
mod windows {
    use super::{File, OLD, Path, io, not_a_log};
    use crate::fs;
    use crate::fs::plain_file;

    /// Opens the log at `path` to add to it; if it has more than `limit` bytes,
    /// it is put aside first. Makes the folder.
    pub(crate) fn open_log(path: &Path, limit: u64) -> io::Result<File> {
        let folder = path.parent().ok_or_else(not_a_log)?;
        own_folder(folder)?;
        let found = fs::inspect(path).map_err(|e| e.source)?;
        if found.is_some_and(|log| log.is_file() && log.len() > limit) {
            fs::rename_unsynced(path, &path.with_extension(OLD)).map_err(|e| e.source)?;
        }
        drop(plain_file::open_or_create(path).map_err(|e| e.source)?);
        plain_file::open_to_append(path).map_err(|e| e.source)
    }

    /// Makes the folder, which is in the user's own profile.
    pub(crate) fn own_folder(path: &Path) -> io::Result<()> {
        fs::create_dir_all(path).map_err(|e| e.source)
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use std::fs;
    use std::io::Write;
    use std::os::unix::fs::{PermissionsExt, symlink};

    fn case() -> (tempfile::TempDir, std::path::PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let home = folder.path().canonicalize().unwrap();
        (folder, home)
    }

    #[test]
    fn the_users_own_links_to_folders_are_followed() {
        let (_folder, home) = case();
        fs::create_dir(home.join("elsewhere")).unwrap();
        symlink("elsewhere", home.join("state")).unwrap();
        let log = home.join("state/app/log");
        open_log(&log, 10).unwrap().write_all(b"line").unwrap();
        assert_eq!(fs::read(home.join("elsewhere/app/log")).unwrap(), b"line");
        own_folder(&home.join("state/app")).unwrap();
        // Where others could have made it, it is not.
        fs::set_permissions(&home, fs::Permissions::from_mode(0o777)).unwrap();
        assert!(open_log(&log, 10).is_err());
        assert!(own_folder(&home.join("state/app")).is_err());
        assert!(open_log(Path::new("state/app/log"), 10).is_err());
    }

    #[test]
    fn what_is_not_a_log_stays_as_it_is() {
        let (_folder, home) = case();
        let victim = home.join("victim");
        fs::write(&victim, "more than the limit").unwrap();
        let log = home.join("log");
        symlink(&victim, &log).unwrap();
        assert!(open_log(&log, 4).is_err());
        fs::remove_file(&log).unwrap();
        symlink(home.join("none"), &log).unwrap();
        assert!(open_log(&log, 4).is_err());
        assert!(!home.join("none").exists());
        fs::remove_file(&log).unwrap();
        fs::hard_link(&victim, &log).unwrap();
        assert!(open_log(&log, 1000).is_err());
        fs::remove_file(&log).unwrap();
        let made = std::process::Command::new("mkfifo").arg(&log).status();
        assert!(made.unwrap().success());
        assert!(open_log(&log, 4).is_err());
        assert_eq!(fs::read(&victim).unwrap(), b"more than the limit");
    }
}
