//! Reads delegations of targets metadata to other roles.

use crate::hex::sha256_hex;
use crate::tuf::key::Key;
use crate::tuf::metadata::TOP_LEVEL;
use crate::tuf::metadata::root::RoleKeys;
use ring::digest;
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};

/// Describes the `delegations` object of targets metadata.
#[derive(Debug, Clone, Deserialize)]
pub struct Delegations {
    /// Keys by id.
    pub keys: BTreeMap<String, Key>,
    /// Delegated roles, most trusted first.
    pub roles: Option<Vec<DelegatedRole>>,
    /// Hash bins in short form.
    pub succinct_roles: Option<SuccinctRoles>,
}

/// Describes one delegation.
#[derive(Debug, Clone, Deserialize)]
#[serde(from = "DelegatedRoleFields")]
pub struct DelegatedRole {
    /// Role name.
    pub name: String,
    /// Whose signatures it needs.
    pub keys: RoleKeys,
    /// Whether the search for a path it covers ends with it.
    pub terminating: bool,
    /// Patterns of the paths it covers.
    pub paths: Option<Vec<String>>,
    /// Or prefixes of the hexadecimal SHA-256 of those paths.
    pub path_hash_prefixes: Option<Vec<String>>,
}

#[derive(Deserialize)]
struct DelegatedRoleFields {
    pub(super) name: String,
    keyids: Vec<String>,
    threshold: u64,
    terminating: bool,
    paths: Option<Vec<String>>,
    path_hash_prefixes: Option<Vec<String>>,
}

impl From<DelegatedRoleFields> for DelegatedRole {
    fn from(fields: DelegatedRoleFields) -> Self {
        DelegatedRole {
            name: fields.name,
            keys: RoleKeys {
                keyids: fields.keyids,
                threshold: fields.threshold,
            },
            terminating: fields.terminating,
            paths: fields.paths,
            path_hash_prefixes: fields.path_hash_prefixes,
        }
    }
}

/// Describes hash bin delegation (TAP 15).
#[derive(Debug, Clone, Deserialize)]
#[serde(from = "SuccinctRolesFields")]
pub struct SuccinctRoles {
    /// Whose signatures each bin needs.
    pub keys: RoleKeys,
    /// 1 to 32: there are 2^bit_length bins.
    pub bit_length: u32,
    /// Bins are named `<prefix>-<hexadecimal number>`.
    pub name_prefix: String,
}

#[derive(Deserialize)]
struct SuccinctRolesFields {
    keyids: Vec<String>,
    threshold: u64,
    bit_length: u32,
    name_prefix: String,
}

impl From<SuccinctRolesFields> for SuccinctRoles {
    fn from(fields: SuccinctRolesFields) -> Self {
        SuccinctRoles {
            keys: RoleKeys {
                keyids: fields.keyids,
                threshold: fields.threshold,
            },
            bit_length: fields.bit_length,
            name_prefix: fields.name_prefix,
        }
    }
}

impl Delegations {
    pub(super) fn check(&self) -> Result<(), String> {
        match (&self.roles, &self.succinct_roles) {
            (Some(roles), None) => {
                let mut names = BTreeSet::new();
                for role in roles {
                    role.keys.check(&role.name)?;
                    if role.name.is_empty() || TOP_LEVEL.contains(&role.name.as_str()) {
                        return Err(format!("it delegates to a role named {:?}", role.name));
                    }
                    if !names.insert(&role.name) {
                        return Err(format!("it delegates to {:?} twice", role.name));
                    }
                    if role.paths.is_some() == role.path_hash_prefixes.is_some() {
                        return Err(format!(
                            "delegation {:?} needs either paths or path_hash_prefixes",
                            role.name
                        ));
                    }
                }
                Ok(())
            }
            (None, Some(bins)) => {
                bins.keys.check(&bins.name_prefix)?;
                if !(1..=32).contains(&bins.bit_length) {
                    return Err(format!("bit_length {} is not 1 to 32", bins.bit_length));
                }
                Ok(())
            }
            _ => Err("delegations need either roles or succinct_roles".into()),
        }
    }

    /// Returns the keys of a delegated role.
    pub fn role_keys(&self, name: &str) -> Option<&RoleKeys> {
        match (&self.roles, &self.succinct_roles) {
            (Some(roles), _) => roles.iter().find(|r| r.name == name).map(|r| &r.keys),
            (None, Some(bins)) => bins.is_bin(name).then_some(&bins.keys),
            (None, None) => None,
        }
    }

    /// Returns the roles that may speak for `path`, in order, and whether the
    /// search ends with the last of them.
    pub fn roles_for(&self, path: &str) -> (Vec<String>, bool) {
        if let Some(bins) = &self.succinct_roles {
            return (vec![bins.bin_for(path)], true);
        }
        let mut names = Vec::new();
        for role in self.roles.iter().flatten() {
            if role.covers(path) {
                names.push(role.name.clone());
                if role.terminating {
                    return (names, true);
                }
            }
        }
        (names, false)
    }
}

impl DelegatedRole {
    fn covers(&self, path: &str) -> bool {
        if let Some(prefixes) = &self.path_hash_prefixes {
            let hash = sha256_hex(path.as_bytes());
            return prefixes.iter().any(|prefix| hash.starts_with(prefix));
        }
        self.paths
            .iter()
            .flatten()
            .any(|pattern| crate::tuf::path_pattern::path_matches(pattern, path))
    }
}

impl SuccinctRoles {
    fn suffix_length(&self) -> usize {
        self.bit_length.div_ceil(4) as usize
    }

    fn bin_for(&self, path: &str) -> String {
        let hash = digest::digest(&digest::SHA256, path.as_bytes());
        let first = u32::from_be_bytes(hash.as_ref()[..4].try_into().expect("four bytes"));
        let bin = u64::from(first) >> (32 - self.bit_length);
        format!(
            "{}-{bin:0width$x}",
            self.name_prefix,
            width = self.suffix_length()
        )
    }

    fn is_bin(&self, name: &str) -> bool {
        name.strip_prefix(&self.name_prefix)
            .and_then(|rest| rest.strip_prefix('-'))
            .filter(|hex| hex.len() == self.suffix_length())
            .filter(|hex| {
                hex.bytes()
                    .all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
            })
            .and_then(|hex| u64::from_str_radix(hex, 16).ok())
            .is_some_and(|bin| bin < 1 << self.bit_length)
    }
}
