//! Unpacks archives as clients do.

use crate::progress::Progress;
use notsotuf_stub::bundle::unpack::{ArchiveError, UnpackOptions, unpack};
use notsotuf_stub::bundle::{Manifest, Tree};
use notsotuf_stub::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

/// Holds a bundle that was unpacked from its archive, as a client does.
pub(crate) struct Unpacked {
    /// Where.
    pub folder: PathBuf,
    /// What.
    pub manifest: Manifest,
}

impl Unpacked {
    /// Unpacks an archive into a folder, which is made for it.
    ///
    /// # Errors
    /// Why clients would refuse it.
    pub(crate) fn open(
        archive: &Path,
        folder: &Path,
        progress: Progress,
    ) -> Result<Self, ArchiveError> {
        fs::create_dir_all(folder)?;
        let file = fs::open(archive)?;
        let size = file.metadata().map_or(0, |m| m.len());
        let bar = progress.bar("reading back", size);
        let unpacked = Self::read(bar.wrap_read(file), folder)?;
        bar.finish_and_clear();
        Ok(unpacked)
    }

    /// Unpacks what is read into an existing, empty folder.
    ///
    /// # Errors
    /// Why clients would refuse it.
    pub(crate) fn read(gz: impl Read + Send, folder: &Path) -> Result<Self, ArchiveError> {
        Ok(Unpacked {
            folder: folder.into(),
            manifest: unpack(gz, folder, UnpackOptions::default())?,
        })
    }

    /// Lends the tree.
    pub(crate) fn tree(&self) -> Tree<'_> {
        Tree {
            folder: &self.folder,
            manifest: &self.manifest,
        }
    }
}
