//! The form of the metadata files: TUF specification section 4.

use super::error::TufError;
use super::key::{Key, decode_hex, sha256_hex};
use crate::tuf::envelope::{self, Envelope};
use ring::digest;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;
use serde_json::value::RawValue;
use std::collections::{BTreeMap, BTreeSet};

/// The four roles that root metadata delegates to.
pub const TOP_LEVEL: [&str; 4] = ["root", "timestamp", "snapshot", "targets"];

/// The most keys of one role: each may cost the verification of a signature
/// over the whole file.
pub const MAX_KEYS: usize = 64;
/// The most signatures of one file, of which only those count that are by keys
/// of the role.
pub const MAX_SIGNATURES: usize = 1024;
/// The most values and names in what an application put beside a target.
pub const MAX_CUSTOM: usize = 10_000;

/// Seconds since 1970-01-01T00:00:00Z; the only form of time in this module,
/// always handed in.
pub type UnixTime = i64;

/// One signature of a metadata file.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Signature {
    /// The id under which the delegating metadata lists the key.
    pub keyid: String,
    /// Hexadecimal signature.
    pub sig: String,
}

/// A parsed metadata file. Parsed is not verified.
#[derive(Debug, Clone)]
pub struct Metadata<T> {
    /// The signed part, as this client understands it.
    pub signed: T,
    /// The canonical bytes of the signed part as received, unknown fields kept.
    pub payload: Vec<u8>,
    /// The signatures, one per key id.
    pub signatures: Vec<Signature>,
}

/// The signed part of a role: what all roles have in common.
pub trait Signed: Sized {
    /// The value of `_type`.
    const TYPE: &'static str;
    /// Reads the fields, straight from the text: `serde(flatten)` would keep
    /// a copy of all of it in between.
    ///
    /// # Errors
    /// If it is not of the form of this role.
    fn read(signed: &[u8]) -> serde_json::Result<Self>;
    /// Fields all roles have.
    fn common(&self) -> &Common;
    /// Constraints that the field types do not express.
    fn check(&self) -> Result<(), String>;
}

/// The fields that every role has.
#[derive(Debug, Clone, Deserialize)]
pub struct Common {
    #[serde(rename = "_type")]
    kind: String,
    spec_version: String,
    /// Positive, grows with each change.
    pub version: u64,
    /// As written, `YYYY-MM-DDTHH:MM:SSZ`.
    pub expires: String,
}

impl Common {
    /// The expiry time.
    pub fn expires_at(&self) -> Option<UnixTime> {
        parse_time(&self.expires)
    }

    fn check(&self, kind: &str) -> Result<(), String> {
        if self.kind != kind {
            return Err(format!("its type is {:?}, expected {kind:?}", self.kind));
        }
        // Section 4.3: a client of this major version reads all its minors.
        let mut parts = self.spec_version.split('.');
        if parts.next() != Some("1") || !(1..=2).contains(&parts.count()) {
            return Err(format!(
                "specification version {:?} is not supported",
                self.spec_version
            ));
        }
        if self.version < 1 {
            return Err("its version is not positive".into());
        }
        self.expires_at()
            .map(|_| ())
            .ok_or_else(|| format!("{:?} is not an expiry date", self.expires))
    }
}

/// Reads `YYYY-MM-DDTHH:MM:SSZ` (section 4.2), nothing looser.
pub fn parse_time(text: &str) -> Option<UnixTime> {
    if text.len() != 20 || !text.ends_with('Z') || text.as_bytes()[10] != b'T' {
        return None;
    }
    time::OffsetDateTime::parse(text, &time::format_description::well_known::Rfc3339)
        .ok()
        .map(time::OffsetDateTime::unix_timestamp)
}

/// Writes a time the way [`parse_time`] reads it; out-of-range times come out
/// as a number of seconds.
pub fn format_time(seconds: UnixTime) -> String {
    time::OffsetDateTime::from_unix_timestamp(seconds)
        .ok()
        .and_then(|t| {
            t.format(&time::format_description::well_known::Rfc3339)
                .ok()
        })
        .unwrap_or_else(|| format!("{seconds} s"))
}

/// Whose signatures a role needs.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct RoleKeys {
    /// Ids of the role's keys.
    pub keyids: Vec<String>,
    /// How many distinct keys must sign.
    pub threshold: u64,
}

impl RoleKeys {
    fn check(&self, role: &str) -> Result<(), String> {
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

/// Root metadata, section 4.3.
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

/// Hexadecimal hashes by algorithm. There is one set for each file that is
/// listed, so it is kept small.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Hashes(Box<[(Box<str>, Box<str>)]>);

impl Hashes {
    /// The hash of this algorithm.
    pub fn get(&self, algorithm: &str) -> Option<&str> {
        let found = self.0.iter().find(|(name, _)| **name == *algorithm);
        found.map(|(_, hash)| &**hash)
    }

    /// The hashes, sorted by algorithm.
    pub fn values(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|(_, hash)| &**hash)
    }

    /// The hashes with their algorithms, sorted by these.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, hash)| (&**name, &**hash))
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl FromIterator<(String, String)> for Hashes {
    fn from_iter<I: IntoIterator<Item = (String, String)>>(hashes: I) -> Self {
        let sorted: BTreeMap<_, _> = hashes.into_iter().collect();
        Hashes(
            sorted
                .into_iter()
                .map(|(a, h)| (a.into(), h.into()))
                .collect(),
        )
    }
}

impl<'de> Deserialize<'de> for Hashes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        BTreeMap::<String, String>::deserialize(deserializer).map(Self::from_iter)
    }
}

impl Serialize for Hashes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(name, hash)| (name, hash)))
    }
}

/// What an application put beside a target: kept as text, as values would take
/// many times as much.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Custom(Option<Box<str>>);

impl Custom {
    /// The value; `null` if there is none.
    pub fn value(&self) -> Value {
        let text = self.0.as_deref().unwrap_or("null");
        serde_json::from_str(text).unwrap_or_default()
    }
}

impl<'de> Deserialize<'de> for Custom {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text: Box<str> = Box::<RawValue>::deserialize(deserializer)?.into();
        if text.len() > MAX_CUSTOM {
            let values = envelope::count(text.as_bytes()).map_err(D::Error::custom)?;
            if values > MAX_CUSTOM {
                let limit = format!("there are more than {MAX_CUSTOM} values in a `custom`");
                return Err(D::Error::custom(limit));
            }
        }
        Ok(Custom((&*text != "null").then_some(text)))
    }
}

/// What one metadata file says of another.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct MetaFile {
    /// Version of the other file.
    pub version: u64,
    /// Its length in bytes, if listed.
    pub length: Option<u64>,
    /// Its hashes, if listed.
    pub hashes: Option<Hashes>,
}

impl MetaFile {
    fn check(&self, name: &str) -> Result<(), String> {
        if self.version < 1 {
            return Err(format!("the version of {name} is not positive"));
        }
        if self.hashes.as_ref().is_some_and(Hashes::is_empty) {
            return Err(format!("the hashes of {name} are empty"));
        }
        Ok(())
    }

    /// Checks `bytes` against the length and hashes listed, where listed.
    ///
    /// # Errors
    /// [`TufError::Length`], [`TufError::Hash`] or [`TufError::NoKnownHash`].
    pub fn verify(&self, name: &str, bytes: &[u8]) -> Result<(), TufError> {
        if let Some(length) = self.length {
            verify_length(name, length, bytes.len() as u64)?;
        }
        match &self.hashes {
            Some(hashes) => {
                let mut hasher = Hasher::new(name, hashes)?;
                hasher.update(bytes);
                hasher.finish(name)
            }
            None => Ok(()),
        }
    }
}

/// What timestamp and snapshot metadata have besides the common fields.
#[derive(Deserialize)]
struct Listing {
    meta: BTreeMap<String, MetaFile>,
}

/// Timestamp metadata, section 4.6.
#[derive(Debug, Clone)]
pub struct Timestamp {
    /// Common fields.
    pub common: Common,
    meta: BTreeMap<String, MetaFile>,
}

impl Timestamp {
    /// What it says of the snapshot.
    pub fn snapshot(&self) -> &MetaFile {
        &self.meta["snapshot.json"]
    }
}

impl Signed for Timestamp {
    const TYPE: &'static str = "timestamp";
    fn read(signed: &[u8]) -> serde_json::Result<Self> {
        let listing: Listing = serde_json::from_slice(signed)?;
        Ok(Timestamp {
            common: serde_json::from_slice(signed)?,
            meta: listing.meta,
        })
    }
    fn common(&self) -> &Common {
        &self.common
    }
    fn check(&self) -> Result<(), String> {
        self.meta
            .get("snapshot.json")
            .ok_or("it does not list snapshot.json")?
            .check("snapshot.json")
    }
}

/// Snapshot metadata, section 4.4.
#[derive(Debug, Clone)]
pub struct Snapshot {
    /// Common fields.
    pub common: Common,
    /// All targets metadata files, by file name.
    pub meta: BTreeMap<String, MetaFile>,
}

impl Signed for Snapshot {
    const TYPE: &'static str = "snapshot";
    fn read(signed: &[u8]) -> serde_json::Result<Self> {
        let listing: Listing = serde_json::from_slice(signed)?;
        Ok(Snapshot {
            common: serde_json::from_slice(signed)?,
            meta: listing.meta,
        })
    }
    fn common(&self) -> &Common {
        &self.common
    }
    fn check(&self) -> Result<(), String> {
        self.meta
            .iter()
            .try_for_each(|(name, file)| file.check(name))
    }
}

/// A target as targets metadata lists it, section 4.5.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct TargetFile {
    /// Length in bytes.
    pub length: u64,
    /// Hexadecimal hashes by algorithm.
    pub hashes: Hashes,
    /// Whatever the application put there.
    #[serde(default)]
    pub custom: Custom,
}

impl TargetFile {
    /// A running check of a download against this entry.
    ///
    /// # Errors
    /// [`TufError::NoKnownHash`] if no listed hash is of a known algorithm.
    pub fn hasher(&self, path: &str) -> Result<Hasher, TufError> {
        Hasher::new(path, &self.hashes)
    }

    /// The name under which the file is stored: section 5.7.2, where a
    /// consistent snapshot puts a hash before the last segment.
    pub fn stored_name(&self, path: &str, consistent_snapshot: bool) -> String {
        let hash = self
            .hashes
            .get("sha256")
            .or_else(|| self.hashes.values().next())
            .filter(|_| consistent_snapshot);
        match (hash, path.rsplit_once('/')) {
            (None, _) => path.to_owned(),
            (Some(hash), Some((folder, name))) => format!("{folder}/{hash}.{name}"),
            (Some(hash), None) => format!("{hash}.{path}"),
        }
    }
}

/// Targets metadata, section 4.5, of the top-level role or a delegated one.
#[derive(Debug, Clone)]
pub struct Targets {
    /// Common fields.
    pub common: Common,
    /// Target files by path.
    pub targets: BTreeMap<String, TargetFile>,
    /// Roles this one trusts for some paths.
    pub delegations: Option<Delegations>,
}

impl Signed for Targets {
    const TYPE: &'static str = "targets";
    fn read(signed: &[u8]) -> serde_json::Result<Self> {
        #[derive(Deserialize)]
        struct Own {
            targets: BTreeMap<String, TargetFile>,
            delegations: Option<Delegations>,
        }
        let own: Own = serde_json::from_slice(signed)?;
        Ok(Targets {
            common: serde_json::from_slice(signed)?,
            targets: own.targets,
            delegations: own.delegations,
        })
    }
    fn common(&self) -> &Common {
        &self.common
    }
    fn check(&self) -> Result<(), String> {
        for (path, file) in &self.targets {
            if file.hashes.is_empty() {
                return Err(format!("target {path:?} has no hashes"));
            }
        }
        self.delegations.as_ref().map_or(Ok(()), Delegations::check)
    }
}

/// The `delegations` object of targets metadata.
#[derive(Debug, Clone, Deserialize)]
pub struct Delegations {
    /// Keys by id.
    pub keys: BTreeMap<String, Key>,
    /// Delegated roles, most trusted first.
    pub roles: Option<Vec<DelegatedRole>>,
    /// Hash bins in short form.
    pub succinct_roles: Option<SuccinctRoles>,
}

/// One delegation.
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
    name: String,
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

/// Hash bin delegation, TAP 15.
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
    fn check(&self) -> Result<(), String> {
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

    /// The keys of a delegated role.
    pub fn role_keys(&self, name: &str) -> Option<&RoleKeys> {
        match (&self.roles, &self.succinct_roles) {
            (Some(roles), _) => roles.iter().find(|r| r.name == name).map(|r| &r.keys),
            (None, Some(bins)) => bins.is_bin(name).then_some(&bins.keys),
            (None, None) => None,
        }
    }

    /// The roles that may speak for `path`, in order, and whether the search
    /// ends with the last of them.
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
            .any(|pattern| super::path_pattern::path_matches(pattern, path))
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

/// A running hash check with every listed algorithm that is known.
#[derive(Clone)]
pub struct Hasher {
    contexts: Vec<(&'static str, digest::Context, Vec<u8>)>,
}

impl Hasher {
    fn new(name: &str, hashes: &Hashes) -> Result<Self, TufError> {
        let mut contexts = Vec::new();
        for (algorithm, digest) in [("sha256", &digest::SHA256), ("sha512", &digest::SHA512)] {
            if let Some(expected) = hashes.get(algorithm) {
                // A hash that is no hexadecimal matches nothing.
                let expected = decode_hex(expected).unwrap_or_default();
                contexts.push((algorithm, digest::Context::new(digest), expected));
            }
        }
        if contexts.is_empty() {
            return Err(TufError::NoKnownHash { name: name.into() });
        }
        Ok(Hasher { contexts })
    }

    /// Takes in the next bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        for (_, context, _) in &mut self.contexts {
            context.update(bytes);
        }
    }

    /// Compares all hashes.
    ///
    /// # Errors
    /// [`TufError::Hash`] naming `name`.
    pub fn finish(self, name: &str) -> Result<(), TufError> {
        for (algorithm, context, expected) in self.contexts {
            if context.finish().as_ref() != expected {
                return Err(TufError::Hash {
                    name: name.into(),
                    algorithm: algorithm.into(),
                });
            }
        }
        Ok(())
    }
}

/// Compares a length with the listed one.
///
/// # Errors
/// [`TufError::Length`] naming `name`.
pub fn verify_length(name: &str, expected: u64, found: u64) -> Result<(), TufError> {
    if expected == found {
        return Ok(());
    }
    Err(TufError::Length {
        name: name.into(),
        found,
        expected,
    })
}

/// A metadata file whose JSON is sound, and of whose signed part nothing is
/// understood yet: what can be had of a file without believing it.
#[derive(Debug)]
pub struct Sealed<'a> {
    role: &'a str,
    signed: &'a [u8],
    payload: Vec<u8>,
    signatures: Vec<Signature>,
}

impl<'a> Sealed<'a> {
    /// Takes apart a metadata file of role `role` (which, for delegated roles,
    /// is not the same as its type).
    ///
    /// # Errors
    /// [`TufError::Json`] or [`TufError::Form`].
    pub fn read(role: &'a str, bytes: &'a [u8]) -> Result<Self, TufError> {
        let form = |reason: String| TufError::Form {
            role: role.into(),
            reason,
        };
        let envelope = Envelope::read(bytes).map_err(|source| TufError::Json {
            role: role.into(),
            source,
        })?;
        let signatures: Vec<Signature> =
            serde_json::from_slice(envelope.signatures).map_err(|e| form(e.to_string()))?;
        if signatures.len() > MAX_SIGNATURES {
            return Err(form(format!(
                "it has more than {MAX_SIGNATURES} signatures"
            )));
        }
        let ids: BTreeSet<_> = signatures.iter().map(|s| &s.keyid).collect();
        if ids.len() != signatures.len() {
            return Err(form("it has two signatures by one key id".into()));
        }
        Ok(Sealed {
            role,
            signed: envelope.signed,
            payload: envelope.payload,
            signatures,
        })
    }

    /// Checks that a threshold of the role's keys signed this.
    ///
    /// # Errors
    /// [`TufError::Unsigned`].
    pub fn verify(
        &self,
        keys: &BTreeMap<String, Key>,
        role_keys: &RoleKeys,
    ) -> Result<(), TufError> {
        let valid = count_valid(&self.payload, &self.signatures, keys, role_keys);
        enough(self.role, valid, role_keys)
    }

    /// Reads the signed part.
    ///
    /// # Errors
    /// [`TufError::Form`].
    pub fn open<T: Signed>(self) -> Result<Metadata<T>, TufError> {
        let form = |reason: String| TufError::Form {
            role: self.role.into(),
            reason,
        };
        let signed = T::read(self.signed).map_err(|e| form(e.to_string()))?;
        signed.common().check(T::TYPE).map_err(form)?;
        signed.check().map_err(form)?;
        Ok(Metadata {
            signed,
            payload: self.payload,
            signatures: self.signatures,
        })
    }
}

/// How many distinct keys of `role_keys` have a valid signature. Keys are told
/// apart by what they are, not by their ids.
fn count_valid(
    payload: &[u8],
    signatures: &[Signature],
    keys: &BTreeMap<String, Key>,
    role_keys: &RoleKeys,
) -> usize {
    role_keys
        .keyids
        .iter()
        .take(MAX_KEYS)
        .filter_map(|id| {
            let key = keys.get(id)?;
            let signature = signatures.iter().find(|s| &s.keyid == id)?;
            let bytes = decode_hex(&signature.sig)?;
            key.verifies(payload, &bytes).then(|| key.material())
        })
        .collect::<BTreeSet<_>>()
        .len()
}

fn enough(role: &str, valid: usize, role_keys: &RoleKeys) -> Result<(), TufError> {
    if (valid as u64) < role_keys.threshold {
        return Err(TufError::Unsigned {
            role: role.into(),
            valid,
            threshold: role_keys.threshold,
        });
    }
    Ok(())
}

impl<T: Signed> Metadata<T> {
    /// Parses a metadata file of role `role`, whoever signed it.
    ///
    /// # Errors
    /// [`TufError::Json`] or [`TufError::Form`].
    pub fn parse(role: &str, bytes: &[u8]) -> Result<Self, TufError> {
        Sealed::read(role, bytes)?.open()
    }

    /// Parses a metadata file that a threshold of these keys must have signed.
    /// What they did not sign is not looked into.
    ///
    /// # Errors
    /// [`TufError::Json`], [`TufError::Unsigned`] or [`TufError::Form`].
    pub fn parse_signed(
        role: &str,
        bytes: &[u8],
        keys: &BTreeMap<String, Key>,
        role_keys: &RoleKeys,
    ) -> Result<Self, TufError> {
        let sealed = Sealed::read(role, bytes)?;
        sealed.verify(keys, role_keys)?;
        sealed.open()
    }

    /// How many distinct keys of `role_keys` have a valid signature here.
    /// Keys are told apart by what they are, not by their ids.
    pub fn count_valid(&self, keys: &BTreeMap<String, Key>, role_keys: &RoleKeys) -> usize {
        count_valid(&self.payload, &self.signatures, keys, role_keys)
    }

    /// Checks that a threshold of the role's keys signed this.
    ///
    /// # Errors
    /// [`TufError::Unsigned`].
    pub fn verify(
        &self,
        role: &str,
        keys: &BTreeMap<String, Key>,
        role_keys: &RoleKeys,
    ) -> Result<(), TufError> {
        enough(role, self.count_valid(keys, role_keys), role_keys)
    }

    /// Checks the expiry date; metadata expires *at* its date.
    ///
    /// # Errors
    /// [`TufError::Expired`].
    pub fn check_expiry(&self, role: &str, now: UnixTime) -> Result<(), TufError> {
        let common = self.signed.common();
        if common.expires_at().is_some_and(|at| now < at) {
            return Ok(());
        }
        Err(TufError::Expired {
            role: role.into(),
            expires: common.expires.clone(),
            now: format_time(now),
        })
    }
}
