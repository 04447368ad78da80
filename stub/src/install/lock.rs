//! Locks between stubs. They belong to an open file, so the system drops
//! them with the process, however it ends.

use crate::fs::FsError;
use crate::fs::plain_file;
use std::fs::{File, TryLockError};
use std::path::Path;
use std::time::{Duration, Instant, SystemTime};

/// Holds a lock until this is dropped (or the process becomes another
/// program: the file is not inherited).
#[derive(Debug)]
pub struct Lock {
    file: File,
}

impl Lock {
    /// Takes the lock alone, trying for `max_wait`; `None` if others have it.
    ///
    /// # Errors
    /// If the lock file cannot be made or locked.
    pub fn exclusive(path: &Path, max_wait: Duration) -> Result<Option<Self>, FsError> {
        Self::acquire(path, max_wait, File::try_lock)
    }

    /// Takes the lock together with others who take it this way.
    ///
    /// # Errors
    /// As [`Lock::exclusive`].
    pub fn shared(path: &Path, max_wait: Duration) -> Result<Option<Self>, FsError> {
        Self::acquire(path, max_wait, File::try_lock_shared)
    }

    /// Makes the time of its file the present one.
    pub fn touch(&self) {
        if let Err(e) = self.file.set_modified(SystemTime::now()) {
            log::debug!("{e}");
        }
    }

    /// Hands it on to the programs that this process starts or becomes: it is
    /// held until the last of them has ended.
    #[cfg(unix)]
    pub fn hand_on(&self) {
        if let Err(e) = rustix::io::fcntl_setfd(&self.file, rustix::io::FdFlags::empty()) {
            log::debug!("{e}");
        }
    }

    fn acquire(
        path: &Path,
        max_wait: Duration,
        try_lock: impl Fn(&File) -> Result<(), TryLockError>,
    ) -> Result<Option<Self>, FsError> {
        let file = plain_file::open_or_create(path)?;
        let start = Instant::now();
        loop {
            match try_lock(&file) {
                Ok(()) => return Ok(Some(Lock { file })),
                Err(TryLockError::WouldBlock) if start.elapsed() < max_wait => {
                    std::thread::sleep(Duration::from_millis(5));
                }
                Err(TryLockError::WouldBlock) => return Ok(None),
                Err(TryLockError::Error(e)) => return Err(FsError::new("lock", path, e)),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_alone_or_many_together() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lock");
        let none = Duration::ZERO;
        let alone = Lock::exclusive(&path, none).unwrap().unwrap();
        assert!(Lock::exclusive(&path, none).unwrap().is_none());
        assert!(Lock::shared(&path, none).unwrap().is_none());
        drop(alone);
        let one = Lock::shared(&path, none).unwrap();
        let two = Lock::shared(&path, none).unwrap();
        assert!(one.is_some() && two.is_some());
        assert!(Lock::exclusive(&path, none).unwrap().is_none());
        drop((one, two));
        assert!(Lock::exclusive(&path, none).unwrap().is_some());
        let nowhere = folder.path().join("no/such/folder");
        assert!(Lock::exclusive(&nowhere, none).is_err());
    }
}
