//! Settles which root is trusted: the stored one or the shipped one.

use crate::fs;
use crate::fs::{FsError, plain_file};
use crate::repository::Repository;
use crate::repository::error::RepositoryError;
use crate::tuf::root_chain::{RootChain, SelfSignedRoot, Shipped};
use crate::tuf::{Limits, RootChange, root_chain};
use std::path::PathBuf;
use std::sync::atomic::Ordering;

/// The roots of the stored chain, in the folder of the metadata; see
/// [`RootChain`].
const CHAIN: &str = "root.chain";

/// The most that is read of the chain: some 100 bytes for each root, of which a
/// refresh follows 256.
const MAX_CHAIN: u64 = 1 << 20;

impl Repository {
    /// Returns the stored root, after it was settled once which one that is.
    pub(super) fn trusted_root(&self) -> Result<SelfSignedRoot, RepositoryError> {
        let settled = self.settled.load(Ordering::Relaxed);
        match settled.then(|| self.stored_root()).flatten() {
            Some((_, root)) => Ok(root),
            None => self.settle_root(&mut || Ok(())),
        }
    }

    /// Decides which root to start from, and returns it: the stored one, unless
    /// the shipped one is newer or of another chain, which then is stored. In
    /// the latter case all that came by the stored one goes, and `forget` is
    /// called first, for what is not in the metadata folder.
    ///
    /// # Errors
    /// If there is no root to start from; the file system's.
    pub fn settle_root(
        &self,
        forget: &mut dyn FnMut() -> Result<(), FsError>,
    ) -> Result<SelfSignedRoot, RepositoryError> {
        let root = self.settle(forget)?;
        self.settled.store(true, Ordering::Relaxed);
        Ok(root)
    }

    fn settle(
        &self,
        forget: &mut dyn FnMut() -> Result<(), FsError>,
    ) -> Result<SelfSignedRoot, RepositoryError> {
        let stored = self.stored_root();
        let (bytes, shipped) = match (self.shipped_root(stored.as_ref()), &stored) {
            (Ok(shipped), _) => shipped,
            (Err(RepositoryError::NoRoot { .. }), Some((_, root))) => return Ok(root.clone()),
            (Err(e), Some((_, root))) => {
                log::warn!("the shipped root cannot be used ({e}), keeping the stored one");
                return Ok(root.clone());
            }
            (Err(e), None) => return Err(e),
        };
        let mut chain = self.chain();
        let Some((_, stored)) = stored else {
            self.keep_chain(&RootChain::begin(&shipped))?;
            fs::write_atomically(&self.path("root"), &bytes)?;
            return Ok(shipped);
        };
        let (old, new) = (stored.version(), shipped.version());
        match root_chain::compare(&stored, &shipped, &chain) {
            Shipped::Known => {
                let unfinished = std::mem::take(&mut chain.starting_over);
                if chain.add(&stored) | chain.add(&shipped) | unfinished {
                    self.keep_chain(&chain)?;
                }
                return Ok(stored);
            }
            Shipped::Newer(change) => {
                log::info!("taking the shipped root, version {new}; version {old} was stored");
                if change == RootChange::KeysRotated {
                    // First, as when the repository rotates them.
                    for role in ["timestamp", "snapshot"] {
                        fs::remove_file_if_exists(&self.path(role))?;
                    }
                }
                chain.add(&stored);
            }
            Shipped::OtherChain => {
                log::warn!(
                    "the shipped root, version {new}, does not belong to the stored one, version {old}; starting over from it"
                );
                forget()?;
                chain = RootChain::begin(&shipped);
                chain.starting_over = true;
                self.keep_chain(&chain)?;
                self.forget_metadata()?;
            }
        }
        chain.add(&shipped);
        self.keep_chain(&chain)?;
        fs::write_atomically(&self.path("root"), &bytes)?;
        if chain.starting_over {
            chain.starting_over = false;
            self.keep_chain(&chain)?;
        }
        Ok(shipped)
    }

    /// Returns the shipped root; as a rule it is the `stored` one, byte for
    /// byte, and need not be verified again.
    fn shipped_root(
        &self,
        stored: Option<&(Vec<u8>, SelfSignedRoot)>,
    ) -> Result<(Vec<u8>, SelfSignedRoot), RepositoryError> {
        let path = &self.shipped_root;
        let bytes = fs::read_optional(path, Limits::default().root)?
            .ok_or_else(|| RepositoryError::NoRoot { path: path.clone() })?;
        let root = match stored {
            Some((kept, root)) if *kept == bytes => root.clone(),
            _ => SelfSignedRoot::parse(&bytes)?,
        };
        Ok((bytes, root))
    }

    pub(super) fn chain_path(&self) -> PathBuf {
        self.metadata.join(CHAIN)
    }

    pub(super) fn chain(&self) -> RootChain {
        let stored = plain_file::read(&self.chain_path(), MAX_CHAIN).unwrap_or_else(|e| {
            log::warn!("{e}");
            None
        });
        RootChain::parse(&String::from_utf8_lossy(&stored.unwrap_or_default()))
    }

    pub(super) fn keep_chain(&self, chain: &RootChain) -> Result<(), FsError> {
        fs::write_atomically(&self.chain_path(), chain.to_text().as_bytes())
    }
}
