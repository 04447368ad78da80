//! Tries again while other programs hold a file.

use std::io;
use std::time::Duration;

/// Tries again for about a second on Windows, where a file that an antivirus or
/// an indexer has open can often be renamed or removed a moment later.
pub(super) fn retry_while_locked<T>(mut call: impl FnMut() -> io::Result<T>) -> io::Result<T> {
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
