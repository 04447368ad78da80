//! Reads and writes the trusted metadata in the state dir.

use crate::fs::{FsError, plain_file};
use crate::hex::sha256_hex;
use crate::repository::Repository;
use crate::repository::error::RepositoryError;
use crate::tuf::Limits;
use crate::tuf::metadata::Targets;
use crate::tuf::root_chain::SelfSignedRoot;
use crate::{fs, tuf};
use std::path::PathBuf;

impl Repository {
    pub(super) fn stored_root(&self) -> Option<(Vec<u8>, SelfSignedRoot)> {
        let bytes = self.load("root")?;
        match SelfSignedRoot::parse(&bytes) {
            Ok(root) => Some((bytes, root)),
            Err(e) => {
                log::warn!("the stored root cannot be used ({e}), taking the shipped one");
                None
            }
        }
    }

    /// Returns targets metadata that an earlier refresh accepted and the root
    /// that is trusted now still does, expired or not; `None` if there is none.
    ///
    /// # Errors
    /// As [`Repository::settle_root`]; or it is not signed.
    pub fn stored_targets(&self) -> Result<Option<Targets>, RepositoryError> {
        let root = self.trusted_root()?;
        let Some(targets) = self.load("targets") else {
            return Ok(None);
        };
        Ok(Some(tuf::verify_stored_targets(&root, &targets)?))
    }

    pub(super) fn store(&self, role: &str, bytes: &[u8]) -> Result<(), RepositoryError> {
        if role == "root" {
            // Known before it is there: one that is not there does no harm.
            let mut chain = self.chain();
            if chain.add(&SelfSignedRoot::parse(bytes)?) {
                self.keep_chain(&chain)?;
            }
        }
        Ok(fs::write_atomically(&self.path(role), bytes)?)
    }

    /// Removes the metadata that came by the stored root, but for that.
    pub(super) fn forget_metadata(&self) -> Result<(), FsError> {
        let kept = [self.path("root"), self.chain_path()];
        for path in fs::list(&self.metadata)? {
            if !kept.contains(&path) && fs::inspect(&path)?.is_some_and(|found| !found.is_dir()) {
                fs::remove_file_if_exists(&path)?;
            }
        }
        Ok(())
    }

    pub(super) fn path(&self, role: &str) -> PathBuf {
        let role = tuf::percent_encode(role);
        self.metadata.join(format!("{role}.json"))
    }

    /// Reads a stored file. One that cannot be read is as good as none: a fresh
    /// one takes its place, or cannot, which is an error then.
    pub(super) fn load(&self, role: &str) -> Option<Vec<u8>> {
        plain_file::read(&self.path(role), Limits::default().targets).unwrap_or_else(|e| {
            log::warn!("{e}");
            None
        })
    }

    fn etag_path(&self) -> PathBuf {
        self.metadata.join("timestamp.etag")
    }

    /// Returns the entity tag that the server gave for exactly these bytes.
    pub(super) fn etag(&self, timestamp: &[u8]) -> Option<String> {
        let stored = plain_file::read(&self.etag_path(), 1024).ok()??;
        let text = String::from_utf8(stored).ok()?;
        let (hash, etag) = text.trim_end().split_once(' ')?;
        (hash == sha256_hex(timestamp) && !etag.is_empty()).then(|| etag.to_owned())
    }

    pub(super) fn keep_etag(&self, timestamp: &[u8], etag: Option<&str>) {
        let text = format!("{} {}\n", sha256_hex(timestamp), etag.unwrap_or_default());
        // Only saves a few bytes next time.
        if let Err(e) = fs::write_atomically(&self.etag_path(), text.as_bytes()) {
            log::debug!("{e}");
        }
    }
}
