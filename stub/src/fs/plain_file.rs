//! Opens files that only this program writes, and only if they are what they
//! should be, plain files. Never through a link, which might lead to somebody
//! else's file, and never a pipe or a device, on which the program might wait
//! for ever.

#[cfg(windows)]
use crate::fs::retry::retry_open;
use crate::fs::{FsError, Result, read_limited};
use std::fs::{File, Metadata, OpenOptions};
use std::io;
use std::path::Path;

/// Opens for reading; `None` if there is nothing.
///
/// # Errors
/// What is there is not a plain file, or cannot be opened.
pub fn open(path: &Path) -> Result<Option<File>> {
    match open_with(path, OpenOptions::new().read(true)) {
        Ok(file) => Ok(Some(file)),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(e) => Err(FsError::new("open", path, e)),
    }
}

/// Reads a file of at most `limit` bytes; `None` if there is none.
///
/// # Errors
/// As [`open`]; or it is longer.
pub fn read(path: &Path, limit: u64) -> Result<Option<Vec<u8>>> {
    let file = open(path)?;
    file.map(|file| read_limited(file, path, limit)).transpose()
}

/// Opens the file for reading and writing, or makes it; what it contains stays.
///
/// # Errors
/// As [`open`].
pub fn open_or_create(path: &Path) -> Result<File> {
    let mut how = OpenOptions::new();
    how.create(true).truncate(false).read(true).write(true);
    open_with(path, &mut how).map_err(|e| FsError::new("open", path, e))
}

/// Opens the file for reading it and adding to it.
///
/// # Errors
/// As [`open`]; or there is nothing.
pub fn open_to_append(path: &Path) -> Result<File> {
    open_with(path, OpenOptions::new().read(true).append(true))
        .map_err(|e| FsError::new("open", path, e))
}

#[cfg(unix)]
fn open_with(path: &Path, how: &mut OpenOptions) -> io::Result<File> {
    use std::os::unix::fs::OpenOptionsExt;
    // A plain file does not know the latter.
    how.custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK);
    let file = how.open(path).map_err(|e| match e.raw_os_error() {
        Some(libc::ELOOP) => not_plain(),
        _ => e,
    })?;
    check(&file.metadata()?)?;
    Ok(file)
}

#[cfg(windows)]
fn open_with(path: &Path, how: &mut OpenOptions) -> io::Result<File> {
    use std::os::windows::fs::OpenOptionsExt;
    const FILE_FLAG_OPEN_REPARSE_POINT: u32 = 0x0020_0000;
    how.custom_flags(FILE_FLAG_OPEN_REPARSE_POINT);
    let file = retry_open(path, || how.open(path))?;
    check(&file.metadata()?)?;
    Ok(file)
}

fn check(found: &Metadata) -> io::Result<()> {
    // On Windows a link that was opened itself is not a file.
    if found.is_file() {
        Ok(())
    } else {
        Err(not_plain())
    }
}

fn not_plain() -> io::Error {
    io::Error::other("it is a link, or something else that is not a plain file")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn plain_files_are_opened() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        assert_eq!(read(&path, 10).unwrap(), None);
        assert!(open_to_append(&path).is_err());
        open_or_create(&path).unwrap();
        fs::write(&path, "content").unwrap();
        open_or_create(&path).unwrap();
        assert_eq!(read(&path, 7).unwrap().unwrap(), b"content");
        assert!(read(&path, 6).is_err());
        open_to_append(&path).unwrap();
    }

    #[cfg(unix)]
    #[test]
    fn links_pipes_and_folders_are_not_opened() {
        use std::os::unix::fs::symlink;
        let folder = tempfile::tempdir().unwrap();
        let victim = folder.path().join("victim");
        fs::write(&victim, "mine").unwrap();
        let (link, dangling) = (folder.path().join("link"), folder.path().join("dangling"));
        symlink(&victim, &link).unwrap();
        symlink(folder.path().join("none"), &dangling).unwrap();
        let pipe = folder.path().join("pipe");
        let made = std::process::Command::new("mkfifo").arg(&pipe).status();
        assert!(made.unwrap().success());
        let dir = folder.path().join("dir");
        fs::create_dir(&dir).unwrap();
        for path in [&link, &dangling, &pipe, &dir] {
            assert!(open(path).is_err(), "{path:?}");
            assert!(read(path, 10).is_err(), "{path:?}");
            assert!(open_or_create(path).is_err(), "{path:?}");
            assert!(open_to_append(path).is_err(), "{path:?}");
        }
        assert!(!folder.path().join("none").exists());
        assert_eq!(fs::read_to_string(&victim).unwrap(), "mine");
    }
}
