//! Compares the root that an install was shipped with to the root that is
//! stored: a new package may have been put over an old install.
//!
//! The shipped root comes with the program itself, so it is trusted like that.
//! It is taken where it is newer, and where it is of another chain than the
//! stored one (a project that was started anew); an older root of the same
//! chain has been replaced, and changes nothing. Which roots are of one chain
//! is remembered ([`RootChain`]). Where it is not, by an install that was made
//! before that, it is told by the root keys: the root keys of a chain vouch
//! for each other, those of a project that was started anew are new.

use super::error::TufError;
use super::key::Key;
use super::metadata::{Metadata, Root};
use crate::hex::sha256_hex;
use crate::tuf::root_change::{RootChange, root_change, verify_by_root};
use std::collections::BTreeMap;

const HEADER: &str = "notsotuf-roots 1";
const STARTING_OVER: &str = "starting over";

/// Holds a root that is well-formed and signed by its own keys.
#[derive(Debug, Clone)]
pub struct SelfSignedRoot(pub(super) Metadata<Root>);

impl SelfSignedRoot {
    /// Parses a root, and checks its signatures.
    ///
    /// # Errors
    /// If the root is malformed or not signed by its own keys.
    pub fn parse(bytes: &[u8]) -> Result<Self, TufError> {
        let root = Metadata::<Root>::parse("root", bytes)?;
        verify_by_root(&root, "root", &root.signed)?;
        Ok(SelfSignedRoot(root))
    }

    /// Returns the version of the root.
    pub fn version(&self) -> u64 {
        self.0.signed.common.version
    }

    /// Returns the SHA-256 of the root's signed part, in hexadecimal: more
    /// signatures do not make it another root.
    pub fn hash(&self) -> String {
        sha256_hex(&self.0.payload)
    }

    fn is_signed_by(&self, other: &Self) -> bool {
        verify_by_root(&self.0, "root", &other.0.signed).is_ok()
    }

    fn root_keys(&self) -> Vec<&Key> {
        let root = &self.0.signed;
        let ids = root.roles["root"].keyids.iter();
        ids.filter_map(|id| root.keys.get(id)).collect()
    }

    fn shares_a_root_key_with(&self, other: &Self) -> bool {
        let theirs = other.root_keys();
        self.root_keys().into_iter().any(|key| {
            let mut theirs = theirs.iter();
            theirs.any(|other| other.material() == key.material())
        })
    }
}

/// Remembers the roots that are known to be of the stored chain, by version. On
/// disk:
///
/// ```text
/// notsotuf-roots 1
/// <version> <SHA-256 of the signed part>
/// …
/// ```
///
/// and `starting over` as a last line from before the stored root is replaced
/// by one of another chain until that is done.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RootChain {
    roots: BTreeMap<u64, String>,
    /// The stored root may still be the one of the chain before.
    pub starting_over: bool,
}

impl RootChain {
    /// Creates a chain that begins with this root.
    pub fn begin(root: &SelfSignedRoot) -> Self {
        let mut chain = RootChain::default();
        chain.add(root);
        chain
    }

    /// Reads the chain; what is not of a known form says nothing.
    pub fn parse(text: &str) -> Self {
        let mut chain = RootChain::default();
        let Some(rest) = text.strip_prefix(HEADER) else {
            return chain;
        };
        for line in rest.lines() {
            if line == STARTING_OVER {
                chain.starting_over = true;
            } else if let Some((version, hash)) = line.split_once(' ')
                && let Ok(version) = version.parse()
            {
                chain.roots.insert(version, hash.into());
            }
        }
        chain
    }

    /// Returns the chain as the text that is stored.
    pub fn to_text(&self) -> String {
        let mut text = format!("{HEADER}\n");
        for (version, hash) in &self.roots {
            text.push_str(&format!("{version} {hash}\n"));
        }
        if self.starting_over {
            text.push_str(STARTING_OVER);
            text.push('\n');
        }
        text
    }

    /// Adds a root; `false` if it was known.
    pub fn add(&mut self, root: &SelfSignedRoot) -> bool {
        let hash = root.hash();
        self.roots.insert(root.version(), hash.clone()) != Some(hash)
    }

    /// Whether a root is of this chain; `None` if none of that version is
    /// known.
    fn knows(&self, root: &SelfSignedRoot) -> Option<bool> {
        let known = self.roots.get(&root.version())?;
        Some(*known == root.hash())
    }
}

/// Says how the shipped root relates to the stored one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shipped {
    /// The same, or one before it: the stored one stays.
    Known,
    /// A later one of the same chain, to be taken. `KeysRotated` if the stored
    /// root trusts a timestamp or snapshot key that this one does not, whatever
    /// came between: section 5.3.11 has the trusted timestamp and snapshot
    /// deleted.
    Newer(RootChange),
    /// The shipped root is of another chain: all starts over from it.
    OtherChain,
}

/// Compares the shipped root with the stored one.
pub fn compare(stored: &SelfSignedRoot, shipped: &SelfSignedRoot, chain: &RootChain) -> Shipped {
    let (old, new) = (stored.version(), shipped.version());
    if chain.starting_over && chain.knows(stored) != Some(true) {
        return Shipped::OtherChain;
    }
    if old == new {
        return if stored.hash() == shipped.hash() {
            Shipped::Known
        } else {
            Shipped::OtherChain
        };
    }
    let one_chain = chain
        .knows(shipped)
        .unwrap_or_else(|| are_related(stored, shipped));
    match one_chain {
        false => Shipped::OtherChain,
        true if new < old => Shipped::Known,
        true => Shipped::Newer(root_change(&stored.0.signed, &shipped.0.signed)),
    }
}

/// Whether two roots look like roots of one chain. Where one follows the other,
/// that is certain: the later one is signed by the keys of the earlier one.
/// Over more versions, all root keys may have been replaced, one after the
/// other; then they look like strangers, and the shipped one is believed.
fn are_related(one: &SelfSignedRoot, other: &SelfSignedRoot) -> bool {
    let (earlier, later) = if one.version() < other.version() {
        (one, other)
    } else {
        (other, one)
    };
    if later.is_signed_by(earlier) {
        return true;
    }
    let adjacent = later.version() == earlier.version().saturating_add(1);
    !adjacent && later.shares_a_root_key_with(earlier)
}
