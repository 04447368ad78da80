//! Checks a root against the one before it.

use crate::tuf::error::TufError;
use crate::tuf::metadata::{Metadata, Root, Signed};
use std::collections::BTreeSet;

/// Says what a new root did to trust in files obtained under the old one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RootChange {
    /// Timestamp and snapshot keep the keys they had.
    KeysKept,
    /// A timestamp or snapshot key was taken away: section 5.3.11 has the
    /// trusted timestamp and snapshot deleted.
    KeysRotated,
}

/// Decides what a later root does to trust in files obtained under an earlier
/// one.
pub(super) fn root_change(old: &Root, new: &Root) -> RootChange {
    let mut roles = ["timestamp", "snapshot"].iter();
    if roles.any(|role| keys_taken_away(old, new, role)) {
        RootChange::KeysRotated
    } else {
        RootChange::KeysKept
    }
}

pub(super) fn verify_by_root<T: Signed>(
    metadata: &Metadata<T>,
    role: &str,
    root: &Root,
) -> Result<(), TufError> {
    metadata.verify(role, &root.keys, &root.roles[role])
}

/// Parses what the keys that `root` gives `role` must have signed.
pub(super) fn parse_by_root<T: Signed>(
    role: &str,
    bytes: &[u8],
    root: &Root,
) -> Result<Metadata<T>, TufError> {
    Metadata::parse_signed(role, bytes, &root.keys, &root.roles[role])
}

/// Whether `role` has lost a key from `old` to `new`, by what the key is.
fn keys_taken_away(old: &Root, new: &Root, role: &str) -> bool {
    let keys = |root: &Root| -> BTreeSet<_> {
        root.roles[role]
            .keyids
            .iter()
            .filter_map(|id| root.keys.get(id))
            .map(super::key::Key::material)
            .collect()
    };
    !keys(old).is_subset(&keys(new))
}
