//! Reads root metadata, which says which keys sign for which role.

use crate::tuf::key::Key;
use crate::tuf::metadata::{Common, Signed, TOP_LEVEL};
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};

/// Limits the keys of one role: each may cost the verification of a signature
/// over the whole file.
pub const MAX_KEYS: usize = 64;

/// Says whose signatures a role needs.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct RoleKeys {
    /// Ids of the role's keys.
    pub keyids: Vec<String>,
    /// How many distinct keys must sign.
    pub threshold: u64,
}

impl RoleKeys {
    pub(super) fn check(&self, role: &str) -> Result<(), String> {
        if self.threshold < 1 {
            return Err(format!("the threshold of {role} is not positive"));
        }
        if self.keyids.len() > MAX_KEYS {
            return Err(format!("{role} has more than {MAX_KEYS} keys"));
        }
        if self.keyids.iter().collect::<BTreeSet<_>>().len() != self.keyids.len() {
            return Err(format!("{role} lists a key id twice"));
        }
        Ok(())
    }
}

/// Holds root metadata (section 4.3).
#[derive(Debug, Clone)]
pub struct Root {
    /// Common fields.
    pub common: Common,
    /// Whether file names carry versions and hashes; section 6.2.
    pub consistent_snapshot: bool,
    /// All keys, by id.
    pub keys: BTreeMap<String, Key>,
    /// The four top-level roles.
    pub roles: BTreeMap<String, RoleKeys>,
}

impl Signed for Root {
    const TYPE: &'static str = "root";
    fn read(signed: &[u8]) -> serde_json::Result<Self> {
        #[derive(Deserialize)]
        struct Own {
            #[serde(default)]
            consistent_snapshot: bool,
            keys: BTreeMap<String, Key>,
            roles: BTreeMap<String, RoleKeys>,
        }
        let own: Own = serde_json::from_slice(signed)?;
        Ok(Root {
            common: serde_json::from_slice(signed)?,
            consistent_snapshot: own.consistent_snapshot,
            keys: own.keys,
            roles: own.roles,
        })
    }
    fn common(&self) -> &Common {
        &self.common
    }
    fn check(&self) -> Result<(), String> {
        for name in TOP_LEVEL {
            self.roles
                .get(name)
                .ok_or_else(|| format!("it has no role {name}"))?
                .check(name)?;
        }
        Ok(())
    }
}
