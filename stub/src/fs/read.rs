//! Reads files.

use crate::fs::error::{FsError, Named, Result};
use crate::fs::retry::retry_open;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::{fs, io};

/// Opens for reading.
pub fn open(path: &Path) -> Result<File> {
    retry_open(path, || File::open(path)).named("open", path)
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

/// Returns the size of a file in bytes; 0 if there is none.
pub fn size(path: &Path) -> Result<u64> {
    Ok(inspect(path)?.map_or(0, |found| found.len()))
}

/// Reads a file of at most `limit` bytes; `None` if there is none.
pub fn read_optional(path: &Path, limit: u64) -> Result<Option<Vec<u8>>> {
    let file = match retry_open(path, || File::open(path)) {
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

/// Returns what is at `path` itself, links not followed; `None` if nothing is.
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

/// Returns where a symbolic link leads.
pub fn read_link(path: &Path) -> Result<PathBuf> {
    fs::read_link(path).named("read the link", path)
}
