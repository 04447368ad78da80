//! Makes patches in tufup's format: a BSDIFF40 difference of the two
//! uncompressed archives (<https://www.daemonology.net/bsdiff/>). They are only
//! for clients of tufup: making one is slow, and takes several times the
//! archive in memory.

use crate::patch::per_file::Budget;
use crate::progress::Progress;
use flate2::read::MultiGzDecoder;
use notsotuf_stub::catalog::custom::Tar;
use notsotuf_stub::fs::{self, FsError};
use notsotuf_stub::hex::sha256_hex;
use qbsdiff::{Bsdiff, Bspatch};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;

/// Says why such a patch cannot be made.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BsdiffError {
    /// A file system call failed.
    #[error(transparent)]
    Fs(#[from] FsError),
    /// An archive cannot be read.
    #[error("{path:?} cannot be read: {source}")]
    Read {
        /// The archive.
        path: PathBuf,
        /// What is wrong.
        source: io::Error,
    },
    /// The difference cannot be made.
    #[error("cannot make the patch: {0}")]
    Diff(#[source] io::Error),
    /// What comes out is not the new archive.
    #[error("the patch was made but does not apply (please report this)")]
    Check,
    /// Making the patch takes longer than allowed.
    #[error("it takes longer than the time allowed")]
    Budget,
}

/// Writes the new file `patch`, and checks it. Returns what comes out of it.
///
/// # Errors
/// [`BsdiffError`]; [`BsdiffError::Budget`] if it takes longer.
pub(crate) fn patch(
    old: &Path,
    new: &Path,
    patch: &Path,
    budget: Budget,
    progress: Progress,
) -> Result<Tar, BsdiffError> {
    let (old, new) = (Arc::new(tar(old)?), Arc::new(tar(new)?));
    // It tells nothing of how far it is.
    let bar = progress.waiting("making the patch (elapsed time only)");
    let out = compare(&old, &new, budget)?;
    let mut again = Vec::with_capacity(new.len());
    Bspatch::new(&out)
        .and_then(|patch| patch.apply(&old, io::Cursor::new(&mut again)))
        .map_err(BsdiffError::Diff)?;
    bar.finish_and_clear();
    if again != *new {
        return Err(BsdiffError::Check);
    }
    let written = |e| FsError::new("write", patch, e);
    let mut file = fs::create_new(patch)?;
    io::Write::write_all(&mut file, &out).map_err(written)?;
    file.sync_all().map_err(written)?;
    Ok(Tar {
        sha256: sha256_hex(&new),
        size: new.len() as u64,
    })
}

/// The comparison cannot be interrupted: if it takes too long it is left to
/// itself, and ends with this program.
fn compare(old: &Arc<Vec<u8>>, new: &Arc<Vec<u8>>, budget: Budget) -> Result<Vec<u8>, BsdiffError> {
    if budget.is_spent() {
        return Err(BsdiffError::Budget);
    }
    let (old, new) = (Arc::clone(old), Arc::clone(new));
    let (done, made) = channel();
    std::thread::spawn(move || {
        let mut out = Vec::new();
        let result = Bsdiff::new(&old, &new).compare(io::Cursor::new(&mut out));
        // Nobody may be waiting any more.
        let _gone = done.send(result.map(|_| out));
    });
    match made.recv_timeout(budget.left().unwrap_or(Duration::MAX)) {
        Ok(result) => result.map_err(BsdiffError::Diff),
        Err(RecvTimeoutError::Timeout) => Err(BsdiffError::Budget),
        Err(RecvTimeoutError::Disconnected) => {
            Err(BsdiffError::Diff(io::Error::other("it was stopped")))
        }
    }
}

fn tar(archive: &Path) -> Result<Vec<u8>, BsdiffError> {
    let mut bytes = Vec::new();
    MultiGzDecoder::new(fs::open(archive)?)
        .read_to_end(&mut bytes)
        .map_err(|source| BsdiffError::Read {
            path: archive.into(),
            source,
        })?;
    Ok(bytes)
}
