//! Holds the metadata that is trusted, and checks what lets new metadata in:
//! TUF specification section 5, step by step.
//!
//! Bytes in, verified or refused; no files, no network, no clock. Metadata must
//! come in the order root, timestamp, snapshot, targets: whoever calls out of
//! order has an error in the program, and it panics.

use super::error::TufError;
use super::metadata::{
    Delegations, Metadata, RoleKeys, Root, Snapshot, Targets, Timestamp, UnixTime,
};
use super::root_chain::SelfSignedRoot;
use crate::tuf::root_change::{RootChange, parse_by_root, root_change, verify_by_root};
use std::collections::BTreeMap;

/// Holds all metadata trusted so far in one refresh.
#[derive(Debug, Clone)]
pub struct TrustedMetadataSet {
    now: UnixTime,
    root: Metadata<Root>,
    root_final: bool,
    timestamp: Option<Metadata<Timestamp>>,
    snapshot: Option<Metadata<Snapshot>>,
    /// By role; that one delegator vouches for it says nothing of others.
    targets: BTreeMap<String, Metadata<Targets>>,
}

/// Says where a snapshot comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SnapshotOrigin {
    /// From local storage. It was verified against an earlier timestamp, so it
    /// need not match the current one's hash (it is still needed for the
    /// rollback checks).
    Stored,
    /// From the repository.
    Fetched,
}

impl TrustedMetadataSet {
    /// Starts from a trusted root (5.2) at time `now` (5.1: the one time that
    /// all expiry checks of this refresh use).
    ///
    /// # Errors
    /// If the root is malformed or not signed by its own keys.
    pub fn new(root: &[u8], now: UnixTime) -> Result<Self, TufError> {
        Ok(Self::starting_from(SelfSignedRoot::parse(root)?, now))
    }

    /// Starts from a root that was read already.
    pub fn starting_from(root: SelfSignedRoot, now: UnixTime) -> Self {
        TrustedMetadataSet {
            now,
            root: root.0,
            root_final: false,
            timestamp: None,
            snapshot: None,
            targets: BTreeMap::new(),
        }
    }

    /// Returns the trusted root.
    pub fn root(&self) -> &Root {
        &self.root.signed
    }
    /// Returns the trusted timestamp.
    pub fn timestamp(&self) -> Option<&Timestamp> {
        self.timestamp.as_ref().map(|m| &m.signed)
    }
    /// Returns the trusted snapshot.
    pub fn snapshot(&self) -> Option<&Snapshot> {
        self.snapshot.as_ref().map(|m| &m.signed)
    }
    /// Returns the targets metadata of `role`, trusted by the delegator it was
    /// taken for; see [`TrustedMetadataSet::targets_by`].
    pub fn targets(&self, role: &str) -> Option<&Targets> {
        self.targets.get(role).map(|m| &m.signed)
    }

    /// Returns the targets metadata of `role` as far as `delegator` trusts it:
    /// the signatures are checked by the keys that this delegator gives the
    /// role, whoever else it was taken for before.
    ///
    /// # Errors
    /// Signatures; that the delegator does not know the role.
    pub fn targets_by(&self, role: &str, delegator: &str) -> Result<Option<&Targets>, TufError> {
        let Some(metadata) = self.targets.get(role) else {
            return Ok(None);
        };
        let (keys, role_keys) = self.delegated_keys(role, delegator)?;
        metadata.verify(role, keys, role_keys)?;
        Ok(Some(&metadata.signed))
    }

    /// Checks whether the snapshot lists the targets metadata of `role`.
    ///
    /// # Errors
    /// [`TufError::NotListed`] if not: then it must not be asked for.
    pub fn check_listed(&self, role: &str) -> Result<(), TufError> {
        let file = format!("{role}.json");
        if self.snapshot().is_some_and(|s| s.meta.contains_key(&file)) {
            Ok(())
        } else {
            Err(TufError::NotListed {
                role: role.into(),
                by: "snapshot".into(),
            })
        }
    }

    /// Takes the next root version (5.3.4 to 5.3.8).
    ///
    /// # Errors
    /// If it is not signed by a threshold of the old and of the new keys, or
    /// is not exactly the next version. Expiry does not matter here (5.3.7).
    pub fn update_root(&mut self, bytes: &[u8]) -> Result<RootChange, TufError> {
        assert!(!self.root_final, "roots come before all other metadata");
        // 5.3.4: signed by a threshold of the old keys and of the new ones.
        let new: Metadata<Root> = parse_by_root("root", bytes, &self.root.signed)?;
        verify_by_root(&new, "root", &new.signed)?;
        // 5.3.5: exactly the next version, so that none is skipped.
        let expected = self.root.signed.common.version.saturating_add(1);
        check_version("root", new.signed.common.version, expected)?;
        let change = root_change(&self.root.signed, &new.signed);
        self.root = new;
        if change == RootChange::KeysRotated {
            self.timestamp = None;
            self.snapshot = None;
        }
        Ok(change)
    }

    /// Ends the walk over root versions: the last one must not be expired
    /// (5.3.10).
    ///
    /// # Errors
    /// [`TufError::Expired`].
    pub fn finish_root(&mut self) -> Result<(), TufError> {
        self.root.check_expiry("root", self.now)?;
        self.root_final = true;
        Ok(())
    }

    /// Takes a timestamp, from local storage or the repository (5.4).
    ///
    /// An expired timestamp is an error but stays in the set, so that the
    /// rollback checks still know it.
    ///
    /// # Errors
    /// Signature, rollback and expiry; [`TufError::SameVersion`] if the
    /// trusted one has this very version, which is then kept.
    pub fn update_timestamp(&mut self, bytes: &[u8]) -> Result<(), TufError> {
        assert!(self.root_final, "timestamp comes after root");
        // 5.4.2: signatures.
        let new: Metadata<Timestamp> = parse_by_root("timestamp", bytes, &self.root.signed)?;
        if let Some(old) = &self.timestamp {
            // 5.4.3.1: no older timestamp.
            let (found, trusted) = (new.signed.common.version, old.signed.common.version);
            check_rollback("timestamp", found, trusted)?;
            if found == trusted {
                old.check_expiry("timestamp", self.now)?;
                return Err(TufError::SameVersion {
                    role: "timestamp".into(),
                    version: found,
                });
            }
            // 5.4.3.2: no older snapshot in it.
            check_rollback(
                "snapshot.json",
                new.signed.snapshot().version,
                old.signed.snapshot().version,
            )?;
        }
        self.timestamp = Some(new);
        self.check_timestamp()
    }

    /// 5.4.4: not expired.
    fn check_timestamp(&self) -> Result<(), TufError> {
        self.timestamp
            .as_ref()
            .expect("timestamp comes before what it lists")
            .check_expiry("timestamp", self.now)
    }

    /// Takes a snapshot (5.5).
    ///
    /// # Errors
    /// Length, hash, signature, version, rollback and expiry. One that is
    /// merely outdated or expired is an error but stays in the set.
    pub(super) fn update_snapshot(
        &mut self,
        bytes: &[u8],
        origin: SnapshotOrigin,
    ) -> Result<(), TufError> {
        self.check_timestamp()?;
        let listed = self.timestamp().expect("checked").snapshot().clone();
        // 5.5.2: hashes, where the timestamp lists them.
        if origin == SnapshotOrigin::Fetched {
            listed.verify("snapshot", bytes)?;
        }
        // 5.5.3: signatures.
        let new: Metadata<Snapshot> = parse_by_root("snapshot", bytes, &self.root.signed)?;
        // 5.5.4: the version the timestamp lists. A local one may be older;
        // it is then good for rollback checks only.
        let found = new.signed.common.version;
        if origin == SnapshotOrigin::Fetched {
            check_version("snapshot", found, listed.version)?;
        }
        // 5.5.5: nothing in it rolled back or gone.
        if let Some(old) = &self.snapshot {
            for (file, trusted) in &old.signed.meta {
                let offered = new
                    .signed
                    .meta
                    .get(file)
                    .ok_or_else(|| TufError::Disappeared { file: file.clone() })?;
                check_rollback(file, offered.version, trusted.version)?;
            }
        }
        self.snapshot = Some(new);
        self.check_snapshot()
    }

    /// 5.5.4 and 5.5.6: the listed version, not expired.
    fn check_snapshot(&self) -> Result<(), TufError> {
        let snapshot = self
            .snapshot
            .as_ref()
            .expect("snapshot comes before what it lists");
        snapshot.check_expiry("snapshot", self.now)?;
        let listed = self.timestamp().expect("checked before").snapshot().version;
        check_version("snapshot", snapshot.signed.common.version, listed)
    }

    /// Takes targets metadata of `role`, which `delegator` (`root` for the
    /// top-level role) trusts (5.6).
    ///
    /// # Errors
    /// Length, hash, signature, version and expiry.
    pub fn update_targets(
        &mut self,
        bytes: &[u8],
        role: &str,
        delegator: &str,
    ) -> Result<(), TufError> {
        self.check_snapshot()?;
        let file = format!("{role}.json");
        let listed = self
            .snapshot()
            .expect("checked")
            .meta
            .get(&file)
            .ok_or_else(|| TufError::NotListed {
                role: role.into(),
                by: "snapshot".into(),
            })?;
        // 5.6.2: hashes, where the snapshot lists them.
        listed.verify(role, bytes)?;
        // 5.6.3: signatures, by the keys the delegator gives this role now.
        let (keys, role_keys) = self.delegated_keys(role, delegator)?;
        let new = Metadata::<Targets>::parse_signed(role, bytes, keys, role_keys)?;
        // 5.6.4: the version the snapshot lists.
        check_version(role, new.signed.common.version, listed.version)?;
        // 5.6.5: not expired.
        new.check_expiry(role, self.now)?;
        self.targets.insert(role.into(), new);
        Ok(())
    }

    fn delegated_keys(
        &self,
        role: &str,
        delegator: &str,
    ) -> Result<(&BTreeMap<String, super::key::Key>, &RoleKeys), TufError> {
        let unlisted = || TufError::NotListed {
            role: role.into(),
            by: delegator.into(),
        };
        if delegator == "root" {
            let keys = self.root().roles.get(role).ok_or_else(unlisted)?;
            return Ok((&self.root().keys, keys));
        }
        let delegations: &Delegations = self
            .targets(delegator)
            .and_then(|targets| targets.delegations.as_ref())
            .ok_or_else(unlisted)?;
        let keys = delegations.role_keys(role).ok_or_else(unlisted)?;
        Ok((&delegations.keys, keys))
    }
}

/// Verifies targets metadata that an earlier refresh accepted and that is
/// wanted again now: it must be signed by the keys that `root` gives the role.
/// Its expiry does not matter.
///
/// # Errors
/// If it is malformed or not signed.
pub fn verify_stored_targets(root: &SelfSignedRoot, targets: &[u8]) -> Result<Targets, TufError> {
    Ok(parse_by_root::<Targets>("targets", targets, &root.0.signed)?.signed)
}

fn check_version(role: &str, found: u64, expected: u64) -> Result<(), TufError> {
    if found == expected {
        return Ok(());
    }
    Err(TufError::WrongVersion {
        role: role.into(),
        found,
        expected,
    })
}

fn check_rollback(role: &str, found: u64, trusted: u64) -> Result<(), TufError> {
    if found >= trusted {
        return Ok(());
    }
    Err(TufError::Rollback {
        role: role.into(),
        found,
        trusted,
    })
}
