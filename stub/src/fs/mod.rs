//! File system calls whose errors name the call and the path.

pub mod attributes;
pub mod plain_file;

use std::fs::{self, File, FileType, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::{PoisonError, RwLock, RwLockWriteGuard};
use std::time::Duration;

/// A failed file system call.
#[derive(Debug, thiserror::Error)]
#[error("cannot {what} {path:?}: {source}")]
pub struct FsError {
    /// The call, as a verb.
    pub what: &'static str,
    /// The path.
    pub path: PathBuf,
    /// What the system said.
    pub source: io::Error,
}

impl FsError {
    /// Names a failed call.
    pub fn new(what: &'static str, path: &Path, source: io::Error) -> Self {
        FsError {
            what,
            path: path.into(),
            source,
        }
    }
}

/// The result of these functions.
pub type Result<T> = std::result::Result<T, FsError>;

trait Named<T> {
    fn named(self, what: &'static str, path: &Path) -> Result<T>;
}

impl<T> Named<T> for io::Result<T> {
    fn named(self, what: &'static str, path: &Path) -> Result<T> {
        self.map_err(|e| FsError::new(what, path, e))
    }
}

/// Windows: a file that an antivirus or an indexer has open can often be
/// renamed or removed a moment later. Tries for about a second there.
fn patiently<T>(mut call: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    let mut wait = Duration::from_millis(10);
    loop {
        match call() {
            Err(e)
                if cfg!(windows)
                    && e.kind() == io::ErrorKind::PermissionDenied
                    && wait < Duration::from_secs(1) =>
            {
                std::thread::sleep(wait);
                wait *= 2;
            }
            result => return result,
        }
    }
}

/// `folder` and a `/`-separated relative path.
pub fn join(folder: &Path, path: &str) -> PathBuf {
    let mut out = folder.to_path_buf();
    out.extend(path.split('/'));
    out
}

/// Opens for reading.
pub fn open(path: &Path) -> Result<File> {
    File::open(path).named("open", path)
}

/// Fills `buffer` from the bytes of a file at `offset`.
pub fn read_exact_at(file: &File, path: &Path, offset: u64, buffer: &mut [u8]) -> Result<()> {
    #[cfg(unix)]
    let result = std::os::unix::fs::FileExt::read_exact_at(file, buffer, offset);
    #[cfg(windows)]
    let result = (|| -> io::Result<()> {
        let mut done = 0;
        while done < buffer.len() {
            let at = offset + done as u64;
            match std::os::windows::fs::FileExt::seek_read(file, &mut buffer[done..], at)? {
                0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                n => done += n,
            }
        }
        Ok(())
    })();
    result.named("read", path)
}

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

/// Passes all that a file has from here on to `tell`, and returns how much
/// that was.
pub fn read_through(file: &mut File, path: &Path, tell: &mut dyn FnMut(&[u8])) -> Result<u64> {
    let mut buffer = vec![0; 1 << 17];
    let mut size = 0;
    loop {
        match file.read(&mut buffer) {
            Ok(0) => return Ok(size),
            Ok(n) => {
                tell(&buffer[..n]);
                size += n as u64;
            }
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(FsError::new("read", path, e)),
        }
    }
}

/// Makes an empty file in the place of whatever file is there.
pub fn create_empty(path: &Path) -> Result<File> {
    remove_file(path)?;
    create_new(path)
}

/// The bytes of a file; 0 if there is none.
pub fn size(path: &Path) -> Result<u64> {
    Ok(inspect(path)?.map_or(0, |found| found.len()))
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

/// Whether this user can make files in a folder: tried, since permissions are
/// not all that counts.
pub fn is_writable(folder: &Path) -> bool {
    temporary_in(folder).is_ok()
}

/// Reads a file of at most `limit` bytes; `None` if there is none.
pub fn read_optional(path: &Path, limit: u64) -> Result<Option<Vec<u8>>> {
    let file = match File::open(path) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
        file => file.named("open", path)?,
    };
    read_limited(file, path, limit).map(Some)
}

/// Reads a file of at most `limit` bytes that is open.
pub(crate) fn read_limited(file: File, path: &Path, limit: u64) -> Result<Vec<u8>> {
    let expected = file.metadata().map_or(0, |found| found.len());
    // One more, so that its end shows without another buffer.
    let mut bytes = Vec::with_capacity(expected.min(limit) as usize + 1);
    file.take(limit.saturating_add(1))
        .read_to_end(&mut bytes)
        .named("read", path)?;
    if bytes.len() as u64 > limit {
        let error = io::Error::other(format!("it has more than {limit} bytes"));
        return Err(FsError::new("read", path, error));
    }
    Ok(bytes)
}

/// What [`FsError::what`] says of symbolic links.
const MAKE_LINK: &str = "create the link";

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
            remove_file(&path)?;
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

/// The same with what `write` writes.
pub fn write_atomically_with(
    path: &Path,
    write: &mut dyn FnMut(&mut dyn Write) -> io::Result<()>,
) -> Result<()> {
    let _writing = WRITES.read().unwrap_or_else(PoisonError::into_inner);
    let folder = path.parent().unwrap_or(Path::new("."));
    let mut file = temporary_in(folder)?;
    let mut buffered = io::BufWriter::new(&mut file);
    write(&mut buffered)
        .and_then(|()| buffered.flush())
        .named("write", path)?;
    drop(buffered);
    set_mode(file.as_file(), path, 0o644)?;
    file.as_file().sync_all().named("sync", path)?;
    let mut file = Some(file);
    patiently(|| match file.take().expect("given back").persist(path) {
        Ok(_) => Ok(()),
        Err(failed) => {
            file = Some(failed.file);
            Err(failed.error)
        }
    })
    .named("replace", path)?;
    sync_dir(folder)
}

/// Renames within one file system, and waits until that is on disk.
pub fn rename(from: &Path, to: &Path) -> Result<()> {
    patiently(|| fs::rename(from, to)).named("rename", from)?;
    sync_dir(to.parent().unwrap_or(Path::new(".")))
}

/// Renames within one file system; to be synced with the rest of a tree.
pub fn rename_unsynced(from: &Path, to: &Path) -> Result<()> {
    patiently(|| fs::rename(from, to)).named("rename", from)
}

/// Copies a file's content and gives the copy these permission bits.
pub fn copy_with_mode(from: &Path, to: &Path, mode: u32) -> Result<()> {
    fs::copy(from, to).named("copy", from)?;
    let copy = open(to)?;
    set_mode(&copy, to, mode)
}

/// Removes a file if it is there.
pub fn remove_file(path: &Path) -> Result<()> {
    match patiently(|| fs::remove_file(path)) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(()),
        result => result.named("remove", path),
    }
}

/// Removes whatever is there, if there is anything; never follows links.
pub fn remove_any(path: &Path) -> Result<()> {
    match inspect(path)? {
        Some(found) if found.is_dir() => remove_tree(path),
        Some(found) if found.is_symlink() => remove_link(path),
        _ => remove_file(path),
    }
}

/// Removes a link, which on Windows may be one of the folder kind.
fn remove_link(path: &Path) -> Result<()> {
    match patiently(|| fs::remove_file(path).or_else(|_| fs::remove_dir(path))) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(()),
        result => result.named("remove", path),
    }
}

/// Removes a folder and all in it, if it is there; never follows links.
pub fn remove_tree(path: &Path) -> Result<()> {
    match patiently(|| fs::remove_dir_all(path)) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(()),
        // A folder of a bundle may be without write permission.
        Err(e) if e.kind() == io::ErrorKind::PermissionDenied && cfg!(unix) => {
            make_writable(path)?;
            fs::remove_dir_all(path).named("remove", path)
        }
        result => result.named("remove", path),
    }
}

fn make_writable(path: &Path) -> Result<()> {
    let kind = fs::symlink_metadata(path).named("inspect", path)?;
    if kind.is_dir() {
        set_path_mode(path, 0o700)?;
        for entry in fs::read_dir(path).named("list", path)? {
            make_writable(&entry.named("list", path)?.path())?;
        }
    }
    Ok(())
}

/// The entries of a folder, sorted by name; none if there is no such folder.
pub fn list(path: &Path) -> Result<Vec<PathBuf>> {
    let mut paths: Vec<_> = entries(path)?.iter().map(fs::DirEntry::path).collect();
    paths.sort();
    Ok(paths)
}

/// The entries of a folder with their kinds, which most systems tell in the
/// listing, links not followed; in no order. None if there is no such folder.
pub fn list_with_types(path: &Path) -> Result<Vec<(PathBuf, FileType)>> {
    let with_type = |entry: fs::DirEntry| {
        let path = entry.path();
        match entry.file_type() {
            Ok(found) => Some(Ok((path, found))),
            // Somebody else has removed it.
            Err(e) if e.kind() == io::ErrorKind::NotFound => None,
            Err(e) => Some(Err(e).named("inspect", &path)),
        }
    };
    entries(path)?.into_iter().filter_map(with_type).collect()
}

fn entries(path: &Path) -> Result<Vec<fs::DirEntry>> {
    let entries = match fs::read_dir(path) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.named("list", path)?,
    };
    let entries: io::Result<Vec<_>> = entries.collect();
    entries.named("list", path)
}

/// Gives `to` the content and permissions of `from`: as a hard link where
/// the file system has them, else as a copy.
pub fn link_or_copy(from: &Path, to: &Path) -> Result<()> {
    if fs::hard_link(from, to).is_ok() {
        return Ok(());
    }
    fs::copy(from, to).named("copy", from)?;
    attributes::copy_attributes(from, to)?;
    if let Some(found) = inspect(from)? {
        attributes::copy_times(&found, to);
    }
    sync_file(to)
}

/// Gives `to` the content of `from`, as [`link_or_copy`] does, and these
/// permission bits: those which `from` has, unless somebody changed them. Then
/// it gets them back, too, if it is the same file.
pub fn link_with_mode(from: &Path, to: &Path, mode: u32) -> Result<()> {
    link_or_copy(from, to)?;
    match inspect(to)? {
        Some(found) if !has_permissions(&found, mode) => {
            // Of another user's file only a copy can be changed.
            if set_path_mode(to, mode).is_ok() {
                return Ok(());
            }
            remove_file(to)?;
            copy_with_mode(from, to, mode)
        }
        _ => Ok(()),
    }
}

/// Whether a call failed since this file system has nothing of the kind: no
/// symbolic links, no such names, no files of that size.
pub fn is_beyond_file_system(error: &FsError) -> bool {
    use io::ErrorKind;
    #[cfg(unix)]
    let no_links = is_unknown(&error.source);
    // ERROR_PRIVILEGE_NOT_HELD, ERROR_INVALID_FUNCTION.
    #[cfg(windows)]
    let no_links = [Some(1314), Some(1)].contains(&error.source.raw_os_error());
    let kind = error.source.kind();
    (error.what == MAKE_LINK && no_links)
        || matches!(kind, ErrorKind::InvalidFilename | ErrorKind::FileTooLarge)
}

/// Whether a call failed since two paths are not of one file system, or of
/// two layers of one.
pub fn is_across_file_systems(error: &FsError) -> bool {
    error.source.kind() == io::ErrorKind::CrossesDevices
}

/// Waits until the content of a file is on disk.
pub fn sync_file(path: &Path) -> Result<()> {
    // Windows flushes only what is open for writing; elsewhere a file may be
    // without write permission, and need not have it.
    let mut how = OpenOptions::new();
    how.read(true).write(cfg!(windows));
    how.open(path)
        .and_then(|file| file.sync_all())
        .named("sync", path)
}

/// Files of this size and more are worth a call of [`begin_sync`].
pub const WORTH_BEGINNING: u64 = 1 << 18;

/// Asks the system to begin now with writing to disk what a later sync waits
/// for. Only a hint, and only known to Linux.
pub fn begin_sync(file: &File) {
    #[cfg(target_os = "linux")]
    {
        // Pages that are not written yet stay; their writing begins.
        let advice = rustix::fs::Advice::DontNeed;
        if let Err(e) = rustix::fs::fadvise(file, 0, None, advice) {
            log::debug!("fadvise: {e}");
        }
    }
    #[cfg(not(target_os = "linux"))]
    let _: &File = file;
}

/// What is at `path` itself, links not followed; `None` if nothing is.
pub fn inspect(path: &Path) -> Result<Option<fs::Metadata>> {
    match fs::symlink_metadata(path) {
        Ok(found) => Ok(Some(found)),
        Err(e)
            if matches!(
                e.kind(),
                io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
            ) =>
        {
            Ok(None)
        }
        Err(e) => Err(FsError::new("inspect", path, e)),
    }
}

/// Removes an empty folder.
pub fn remove_dir(path: &Path) -> Result<()> {
    patiently(|| fs::remove_dir(path)).named("remove", path)
}

/// Sets all permissions of a file or folder.
pub fn set_permissions(path: &Path, permissions: fs::Permissions) -> Result<()> {
    fs::set_permissions(path, permissions).named("set the permissions of", path)
}

/// Makes a symbolic link at `to` that leads where the one at `from` does.
pub fn copy_link(from: &Path, to: &Path) -> Result<()> {
    #[cfg(unix)]
    return std::os::unix::fs::symlink(read_link(from)?, to).named(MAKE_LINK, to);
    #[cfg(windows)]
    symlink(&read_link(from)?.to_string_lossy(), to)
}

/// Where a symbolic link leads.
pub fn read_link(path: &Path) -> Result<PathBuf> {
    fs::read_link(path).named("read the link", path)
}

/// Sets the permission bits, where the file system has such; does nothing on
/// Windows.
pub fn set_mode(file: &File, path: &Path, mode: u32) -> Result<()> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        unless_unknown(file.set_permissions(fs::Permissions::from_mode(mode)))
            .named("set the permissions of", path)?;
    }
    #[cfg(windows)]
    let _: (&File, &Path, u32) = (file, path, mode);
    Ok(())
}

/// Whether this is how a file system says that it knows nothing of the kind.
#[cfg(unix)]
fn is_unknown(error: &io::Error) -> bool {
    use rustix::io::Errno;
    let unknown = [Errno::PERM, Errno::NOSYS, Errno::OPNOTSUPP];
    Errno::from_io_error(error).is_some_and(|e| unknown.contains(&e))
}

/// Nothing is wrong where a file system has no permission bits. It says so by
/// the same error as for a file of another user, which is not at hand here.
#[cfg(unix)]
fn unless_unknown(result: io::Result<()>) -> io::Result<()> {
    match result {
        Err(e) if is_unknown(&e) => {
            log::debug!("permissions cannot be set here: {e}");
            Ok(())
        }
        result => result,
    }
}

/// Sets the permission bits of a folder of a bundle, where the file system
/// has such; does nothing on Windows.
pub fn give_dir_mode(path: &Path, mode: u32) -> Result<()> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        unless_unknown(fs::set_permissions(path, fs::Permissions::from_mode(mode)))
            .named("set the permissions of", path)?;
    }
    #[cfg(windows)]
    let _: (&Path, u32) = (path, mode);
    Ok(())
}

/// Whether a file or folder has these permission bits; Windows has none. A
/// folder may pass on its group besides.
pub fn has_permissions(found: &fs::Metadata, mode: u32) -> bool {
    #[cfg(unix)]
    {
        let bits = std::os::unix::fs::PermissionsExt::mode(&found.permissions());
        let counted = if found.is_dir() { 0o777 } else { 0o7777 };
        bits & counted == mode
    }
    #[cfg(windows)]
    {
        let _: (&fs::Metadata, u32) = (found, mode);
        true
    }
}

/// Sets the permission bits of a file or folder by its name; does nothing on
/// Windows.
///
/// # Errors
/// If the system does not allow that, also since it has no such bits.
pub fn set_path_mode(path: &Path, mode: u32) -> Result<()> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        fs::set_permissions(path, fs::Permissions::from_mode(mode))
            .named("set the permissions of", path)?;
    }
    #[cfg(windows)]
    let _: (&Path, u32) = (path, mode);
    Ok(())
}

/// Makes a symbolic link at `path`.
pub fn symlink(target: &str, path: &Path) -> Result<()> {
    #[cfg(unix)]
    let result = std::os::unix::fs::symlink(target, path);
    #[cfg(windows)]
    let result = {
        // Needs a privilege or developer mode; PyInstaller makes no links on
        // Windows.
        let resolved = join(path.parent().unwrap_or(Path::new(".")), target);
        if resolved.is_dir() {
            std::os::windows::fs::symlink_dir(target.replace('/', "\\"), path)
        } else {
            std::os::windows::fs::symlink_file(target.replace('/', "\\"), path)
        }
    };
    result.named(MAKE_LINK, path)
}

/// Waits until the entries of a folder are on disk. Windows has no such call.
pub fn sync_dir(path: &Path) -> Result<()> {
    if cfg!(unix) {
        let path = if path.as_os_str().is_empty() {
            Path::new(".")
        } else {
            path
        };
        File::open(path)
            .and_then(|folder| folder.sync_all())
            .named("sync", path)?;
    }
    Ok(())
}
