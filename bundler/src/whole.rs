//! Patches in tufup's format: a BSDIFF40 difference of the two uncompressed
//! archives (<https://www.daemonology.net/bsdiff/>). Only for clients that
//! still are tufup's: slow, and it takes several times the archive in memory.

use crate::progress::Progress;
use flate2::read::MultiGzDecoder;
use notsotuf_stub::fs::{self, FsError};
use qbsdiff::{Bsdiff, Bspatch};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

/// Why such a patch cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum WholeError {
    /// The file system.
    #[error(transparent)]
    Fs(#[from] FsError),
    /// An archive that cannot be read.
    #[error("{path:?} cannot be read: {source}")]
    Read {
        /// The archive.
        path: PathBuf,
        /// What is wrong.
        source: io::Error,
    },
    /// The difference.
    #[error("cannot make the patch: {0}")]
    Diff(#[source] io::Error),
    /// What comes out is not the new archive.
    #[error("the patch was made but does not apply (please report this)")]
    Check,
}

/// Writes the new file `patch`, and checks it.
///
/// # Errors
/// [`WholeError`].
pub fn patch(old: &Path, new: &Path, patch: &Path, progress: Progress) -> Result<(), WholeError> {
    let (old, new) = (tar(old)?, tar(new)?);
    // It tells nothing of how far it is.
    let bar = progress.bar("making the patch", new.len() as u64);
    let mut out = Vec::new();
    Bsdiff::new(&old, &new)
        .compare(io::Cursor::new(&mut out))
        .map_err(WholeError::Diff)?;
    let mut again = Vec::with_capacity(new.len());
    Bspatch::new(&out)
        .and_then(|patch| patch.apply(&old, io::Cursor::new(&mut again)))
        .map_err(WholeError::Diff)?;
    bar.finish_and_clear();
    if again != new {
        return Err(WholeError::Check);
    }
    let written = |e| FsError::new("write", patch, e);
    let mut file = fs::create_new(patch)?;
    io::Write::write_all(&mut file, &out).map_err(written)?;
    file.sync_all().map_err(written)?;
    Ok(())
}

fn tar(archive: &Path) -> Result<Vec<u8>, WholeError> {
    let mut bytes = Vec::new();
    MultiGzDecoder::new(fs::open(archive)?)
        .read_to_end(&mut bytes)
        .map_err(|source| WholeError::Read {
            path: archive.into(),
            source,
        })?;
    Ok(bytes)
}
