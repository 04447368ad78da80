//! Creates files and folders, and replaces them as a whole.

use crate::fs::error::{Named, Result};
use crate::fs::list::list;
use crate::fs::modes::{make_removable, set_mode};
use crate::fs::read::{inspect, open, read_through};
use crate::fs::remove::remove_file_if_exists;
use crate::fs::retry::retry_while_locked;
use crate::fs::sync::sync_dir;
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::Path;
use std::sync::{PoisonError, RwLock, RwLockWriteGuard};
use std::{fs, io};

/// Creates a file that must not exist.
pub fn create_new(path: &Path) -> Result<File> {
    OpenOptions::new()
        .write(true)
        .create_new(true)
        .open(path)
        .named("create", path)
}

/// Opens a file to add to it, or makes it. Passes what it has to `tell` and
/// returns how much that was. A link is replaced, not followed.
pub fn open_to_append(path: &Path, tell: &mut dyn FnMut(&[u8])) -> Result<(File, u64)> {
    match inspect(path)? {
        Some(found) if found.is_file() => {}
        Some(_) => return Ok((create_empty(path)?, 0)),
        None => return Ok((create_new(path)?, 0)),
    }
    let mut file = crate::fs::plain_file::open_to_append(path)?;
    let size = read_through(&mut file, path, tell)?;
    Ok((file, size))
}

/// Makes an empty file in the place of whatever file is there.
pub fn create_empty(path: &Path) -> Result<File> {
    remove_file_if_exists(path)?;
    create_new(path)
}

/// Makes a folder and those above it.
pub fn create_dir_all(path: &Path) -> Result<()> {
    fs::create_dir_all(path).named("create the folder", path)
}

/// Makes a folder that only this user can look into (on Windows: one like
/// the folder it is in); `false` if something is there already.
pub fn create_private_dir(path: &Path) -> Result<bool> {
    #[cfg_attr(windows, expect(unused_mut))]
    let mut how = fs::DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut how, 0o700);
    match how.create(path) {
        Ok(()) => Ok(true),
        Err(e) if e.kind() == io::ErrorKind::AlreadyExists => Ok(false),
        result => result.named("create the folder", path).map(|()| true),
    }
}

/// What the names of half written files start with.
const TEMPORARY: &str = ".tmp-";

/// Makes an empty file in `folder` that is gone when this is dropped.
pub fn temporary_in(folder: &Path) -> Result<tempfile::NamedTempFile> {
    let mut how = tempfile::Builder::new();
    let file = how.prefix(TEMPORARY).tempfile_in(folder);
    file.named("create a file in", folder)
}

/// Removes what interrupted calls of [`write_atomically`] left in `folder`.
pub fn sweep(folder: &Path) -> Result<()> {
    for path in list(folder)? {
        let name = path.file_name().and_then(|name| name.to_str());
        if name.is_some_and(|name| name.starts_with(TEMPORARY)) {
            remove_file_if_exists(&path)?;
        }
    }
    Ok(())
}

/// Held by those who write, and for good by one who is about to end the process.
static WRITES: RwLock<()> = RwLock::new(());

/// Waits until no file is half written, and keeps others from beginning for as
/// long as the answer is held: for a process that was asked to end.
pub fn no_more_writes() -> RwLockWriteGuard<'static, ()> {
    WRITES.write().unwrap_or_else(PoisonError::into_inner)
}

/// Replaces `path` by a file with `bytes` that everyone may read: after a
/// crash at any instant it is the old file or the new one, whole.
pub fn write_atomically(path: &Path, bytes: &[u8]) -> Result<()> {
    write_atomically_with(path, &mut |file| file.write_all(bytes))
}

/// Replaces a file atomically by what `write` writes.
pub fn write_atomically_with(
    path: &Path,
    write: &mut dyn FnMut(&mut dyn Write) -> io::Result<()>,
) -> Result<()> {
    let _writing = WRITES.read().unwrap_or_else(PoisonError::into_inner);
    let folder = path.parent().unwrap_or_else(|| Path::new("."));
    let mut file = temporary_in(folder)?;
    let mut buffered = io::BufWriter::new(&mut file);
    write(&mut buffered)
        .and_then(|()| buffered.flush())
        .named("write", path)?;
    drop(buffered);
    set_mode(file.as_file(), path, 0o644)?;
    file.as_file().sync_all().named("sync", path)?;
    let mut file = Some(file);
    retry_while_locked("replace", path, || {
        match file.take().expect("given back").persist(path) {
            Ok(_) => Ok(()),
            Err(failed) => {
                file = Some(failed.file);
                make_removable(path);
                Err(failed.error)
            }
        }
    })
    .named("replace", path)?;
    sync_dir(folder)
}

/// Renames within one file system, and waits until that is on disk.
pub fn rename_durably(from: &Path, to: &Path) -> Result<()> {
    retry_while_locked("rename", from, || fs::rename(from, to)).named("rename", from)?;
    sync_dir(to.parent().unwrap_or_else(|| Path::new(".")))
}

/// Renames within one file system; to be synced with the rest of a tree.
pub fn rename_unsynced(from: &Path, to: &Path) -> Result<()> {
    retry_while_locked("rename", from, || fs::rename(from, to)).named("rename", from)
}

/// Copies a file's content and gives the copy these permission bits.
pub fn copy_with_mode(from: &Path, to: &Path, mode: u32) -> Result<()> {
    fs::copy(from, to).named("copy", from)?;
    let copy = open(to)?;
    set_mode(&copy, to, mode)
}

/// Returns whether this user can make files in a folder. It is tried, since
/// permissions are not all that counts.
pub fn is_writable(folder: &Path) -> bool {
    temporary_in(folder).is_ok()
}
