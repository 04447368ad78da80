//! Hashes files and compares them with the manifest.

use crate::bundle::entry::{Entry, EntryKind};
use crate::bundle::patch::error::PatchError;
use crate::bundle::patch::tree_overlay::FileSource;
use crate::fs;
use crate::fs::FsError;
use ring::digest;
use std::io;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

/// Checks whether installed files are as recorded; on all cores, until `stop`
/// is set.
pub(super) fn verify<'a>(
    files: impl Iterator<Item = (&'a str, FileSource, &'a Entry)> + Send,
    stop: &AtomicBool,
) -> Result<(), PatchError> {
    let files = Mutex::new(files);
    let next = || files.lock().ok()?.next();
    let work = || {
        while let Some((path, place, entry)) = next() {
            let EntryKind::File { size, sha256 } = &entry.kind else {
                continue;
            };
            if stop.load(Ordering::Relaxed) {
                break;
            }
            if !verify_file(&place.path, *size, sha256)? {
                stop.store(true, Ordering::Relaxed);
                return Err(PatchError::Changed { path: path.into() });
            }
        }
        Ok(())
    };
    std::thread::scope(|scope| {
        // One that cannot be started is done without.
        let other = |_| std::thread::Builder::new().spawn_scoped(scope, work).ok();
        let others: Vec<_> = (1..threads()).filter_map(other).collect();
        let mine = work();
        others
            .into_iter()
            .map(|thread| thread.join().expect("no thread panics"))
            .fold(mine, Result::and)
    })
}

/// Returns how many threads work at a time.
fn threads() -> usize {
    std::thread::available_parallelism().map_or(1, |n| n.get().min(MAX_THREADS))
}

/// Hashing is limited by memory bandwidth from about here on.
const MAX_THREADS: usize = 4;

/// Checks whether the file has this size and hash; a missing one has not.
///
/// # Errors
/// If it is there and cannot be read.
pub fn verify_file(path: &Path, size: u64, sha256: &[u8; 32]) -> Result<bool, FsError> {
    match std::fs::symlink_metadata(path) {
        Ok(found) if found.is_file() && found.len() == size => {}
        Ok(_) => return Ok(false),
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(false),
        Err(e) => return Err(FsError::new("inspect", path, e)),
    }
    Ok(hash_file(path)?.1 == *sha256)
}

/// Returns the size and SHA-256 of a file.
///
/// # Errors
/// If it cannot be read.
pub fn hash_file(path: &Path) -> Result<(u64, [u8; 32]), FsError> {
    let mut file = fs::open(path)?;
    let mut hash = digest::Context::new(&digest::SHA256);
    let size = fs::read_through(&mut file, path, &mut |bytes| hash.update(bytes))?;
    let sha256 = hash.finish().as_ref().try_into().expect("32 bytes");
    Ok((size, sha256))
}
