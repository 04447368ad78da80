//! Unpacks archives as clients do.

use super::ReleaseError;
use crate::progress::Progress;
use notsotuf_stub::bundle::unpack::{ArchiveError, unpack};
use notsotuf_stub::bundle::{Manifest, Rules, Tree};
use notsotuf_stub::fs;
use std::path::{Path, PathBuf};

/// A bundle that was unpacked from its archive, as a client does.
pub struct Unpacked {
    /// Where.
    pub folder: PathBuf,
    /// What.
    pub manifest: Manifest,
}

impl Unpacked {
    /// Lends the tree.
    pub fn tree(&self) -> Tree<'_> {
        Tree {
            folder: &self.folder,
            manifest: &self.manifest,
        }
    }
}

/// Unpacks an archive as clients do.
///
/// # Errors
/// Why they would refuse it.
pub fn open(archive: &Path, folder: &Path, progress: Progress) -> Result<Unpacked, ArchiveError> {
    fs::create_dir_all(folder)?;
    let file = fs::open(archive)?;
    let size = file.metadata().map_or(0, |m| m.len());
    let bar = progress.bar("reading back", size);
    let manifest = unpack(
        bar.wrap_read(file),
        folder,
        None,
        Rules::host(),
        &mut |_| true,
    )?;
    bar.finish_and_clear();
    Ok(Unpacked {
        folder: folder.into(),
        manifest,
    })
}

/// Unpacks the archive of an earlier release.
///
/// # Errors
/// [`ReleaseError::OldArchive`].
pub fn open_old(
    archive: &Path,
    folder: &Path,
    progress: Progress,
) -> Result<Unpacked, ReleaseError> {
    open(archive, folder, progress).map_err(|source| ReleaseError::OldArchive {
        path: archive.into(),
        source,
    })
}
