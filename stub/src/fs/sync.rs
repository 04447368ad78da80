//! Makes the system write files and folders to the disk.

use crate::fs::error::{Named, Result};
use std::fs::{File, OpenOptions};
#[cfg(unix)]
use std::os::unix::fs::MetadataExt;
use std::path::Path;

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

/// Waits until the content of a file of a staged bundle is on disk. One that has
/// another name is a file of the installed bundle, and has long been there.
/// That one must not be opened for writing, neither: on Windows the system
/// refuses that while the application has loaded it, and refuses to load it
/// meanwhile.
pub fn sync_unless_linked(path: &Path) -> Result<()> {
    if link_count(path)? > 1 {
        return Ok(());
    }
    sync_file(path)
}

/// Returns how many names a file has.
pub(super) fn link_count(path: &Path) -> Result<u64> {
    #[cfg(unix)]
    let count = std::fs::symlink_metadata(path).map(|found| found.nlink());
    #[cfg(windows)]
    let count = crate::fs::windows::link_count(path).map(u64::from);
    count.named("inspect", path)
}

/// Says from which size on a file is worth a call of [`begin_sync`].
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
