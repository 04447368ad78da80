//! TUF metadata: reading what is published, editing, signing, and checking
//! it as a client would. Documents stay JSON values, so fields that this
//! program does not know survive.

pub mod limits;
mod next_versions;
mod published;
mod root_change;
mod trust;

pub use next_versions::{
    Update, has_targets_draft, next_root, sign_targets, targets_draft, update,
};
pub use published::{Published, same_signed, walk};
pub use root_change::{Change, change_root, first_root, root_draft, sign_root_draft};
pub use trust::{MEMORY, Memory, PIN, State, Trust};

use crate::keys::{KeyError, Keyring, Passphrases, PublicKey, Signer};
use crate::project::Project;
use notsotuf_stub::fs::{self, FsError};
use notsotuf_stub::tuf::canonical_json;
use notsotuf_stub::tuf::key::decode_hex;
use notsotuf_stub::tuf::metadata::{Metadata, Root, Snapshot, Targets, Timestamp, format_time};
use notsotuf_stub::tuf::{self, Refresh, Step, TufError, UnixTime};
use serde_json::{Map, Value, json};
use std::path::{Path, PathBuf};

/// The version of the specification that is written; python-tuf 4 to 7 and
/// tufup read it.
const SPEC_VERSION: &str = "1.0.31";
const DAY: i64 = 86_400;

/// What can be wrong with metadata.
#[derive(Debug, thiserror::Error)]
pub enum MetadataError {
    /// The file system.
    #[error(transparent)]
    Fs(#[from] FsError),
    /// A key.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// It would be, or is, refused by a client.
    #[error("{0}")]
    Tuf(#[from] TufError),
    /// A file that should be there.
    #[error("there is no {0:?}; is the repository complete?")]
    Missing(PathBuf),
    /// Not the JSON it should be.
    #[error("{path:?} is malformed: {reason}")]
    Form {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// Not enough signatures yet.
    #[error(
        "{role} has {have} of the {need} signatures it needs{by}; it is kept in {path:?}. Run \
         `notsotuf sign {role}` where more of its keys are, then `notsotuf publish`",
        by = if *.old { " by the keys of the root before" } else { "" }
    )]
    HalfSigned {
        /// The role.
        role: String,
        /// Valid signatures by distinct keys.
        have: usize,
        /// The threshold.
        need: u64,
        /// Whether it is the threshold of the root before that is not met.
        old: bool,
        /// Where the document is.
        path: PathBuf,
    },
    /// A role that is signed by whoever publishes, and keys that are not at
    /// hand.
    #[error(
        "{role} has {have} of the {need} signatures it needs: of its keys ({keys}) too few private \
         halves are in {places}. Run this again with --key-dir DIR for the folder or medium where \
         they are; where a program signs, it is to be under [[signers]] in the project settings"
    )]
    KeysMissing {
        /// The role.
        role: String,
        /// Valid signatures by distinct keys.
        have: usize,
        /// The threshold.
        need: u64,
        /// Names or ids of its keys.
        keys: String,
        /// Where they were looked for.
        places: String,
    },
    /// A change of keys that cannot be.
    #[error("{0}")]
    Keys(String),
    /// What is in the repository folder is not what the project's keys
    /// signed.
    #[error(
        "what is in {folder:?} is not what the keys of this project signed: {reason}. Nothing is \
         signed on top of it. `notsotuf fetch` brings a good copy from where you publish"
    )]
    Untrusted {
        /// The folder of the metadata.
        folder: PathBuf,
        /// What does not verify.
        reason: String,
    },
    /// Signed, but an earlier state than one that was published.
    #[error(
        "what is in {folder:?} is an old state: {role} has version {found}, and version {known} was \
         published before. `notsotuf fetch` brings the newest from where you publish"
    )]
    Old {
        /// The folder of the metadata.
        folder: PathBuf,
        /// The role.
        role: &'static str,
        /// Its version there.
        found: u64,
        /// The version that is remembered.
        known: u64,
    },
    /// Signed, of a version that was published with another content.
    #[error(
        "what is in {folder:?} is not what was published: {role} version {version} is there with \
         another content. `notsotuf fetch` brings what is published"
    )]
    Other {
        /// The folder of the metadata.
        folder: PathBuf,
        /// The role.
        role: &'static str,
        /// Its version.
        version: u64,
    },
    /// A project without a pinned root, whose repository none of its keys
    /// signed.
    #[error(
        "there is no {pin:?}, and the root in {folder:?} is signed by no key that this project has the \
         public half of. If you know that root, copy it to {pin:?}"
    )]
    Unpinned {
        /// The file of the pinned root.
        pin: PathBuf,
        /// The folder of the metadata.
        folder: PathBuf,
    },
    /// A version that has no successor.
    #[error(
        "{role} has version {version}, which no version can follow that all clients can read; only a \
         new root with other keys for that role, and metadata that starts again, helps"
    )]
    Version {
        /// The role.
        role: String,
        /// Its version.
        version: u64,
    },
}

impl MetadataError {
    /// Whether something does not verify.
    pub fn is_refusal(&self) -> bool {
        matches!(
            self,
            MetadataError::Tuf(_)
                | MetadataError::Untrusted { .. }
                | MetadataError::Old { .. }
                | MetadataError::Other { .. }
                | MetadataError::Unpinned { .. }
        )
    }
}

/// The version after `version`. Clients in Python and in JavaScript read
/// integers of other sizes, so the bound is far below that of this program.
///
/// # Errors
/// [`MetadataError::Version`].
pub fn next_version(role: &str, version: u64) -> Result<u64, MetadataError> {
    const MAX: u64 = 1 << 53;
    match version {
        0..MAX => Ok(version + 1),
        _ => Err(MetadataError::Version {
            role: role.into(),
            version,
        }),
    }
}

/// A metadata file: `{"signatures": [...], "signed": {...}}`.
#[derive(Debug, Clone, PartialEq)]
pub struct Document(Value);

impl Document {
    fn new(role: &str, version: u64, expires: UnixTime, fields: Map<String, Value>) -> Self {
        let mut signed = fields;
        signed.insert("_type".into(), role.into());
        signed.insert("spec_version".into(), SPEC_VERSION.into());
        signed.insert("version".into(), version.into());
        signed.insert("expires".into(), format_time(expires).into());
        Document(json!({ "signatures": [], "signed": signed }))
    }

    /// Parses a file; that it is signed is checked elsewhere.
    ///
    /// # Errors
    /// [`MetadataError::Form`], naming `path`.
    pub fn parse(path: &Path, bytes: &[u8]) -> Result<Self, MetadataError> {
        let form = |reason: String| MetadataError::Form {
            path: path.into(),
            reason,
        };
        let value = canonical_json::parse(bytes).map_err(|e| form(e.to_string()))?;
        if !value["signed"].is_object() || !value["signatures"].is_array() {
            return Err(form("it is no TUF metadata".into()));
        }
        Ok(Document(value))
    }

    /// The signed part.
    pub fn signed(&self) -> &Value {
        &self.0["signed"]
    }

    /// Its version; 0 if it has none.
    pub fn version(&self) -> u64 {
        self.signed()["version"].as_u64().unwrap_or(0)
    }

    /// When it expires; long ago if it does not say.
    pub fn expires(&self) -> UnixTime {
        let text = self.signed()["expires"].as_str().unwrap_or_default();
        tuf::metadata::parse_time(text).unwrap_or(UnixTime::MIN)
    }

    /// How many keys must sign `role`, if this is a root.
    pub fn threshold(&self, role: &str) -> u64 {
        self.signed()["roles"][role]["threshold"]
            .as_u64()
            .unwrap_or(1)
    }

    /// Changes the signed part, which takes the signatures off.
    pub fn edit(&mut self) -> &mut Map<String, Value> {
        self.0["signatures"] = json!([]);
        self.0["signed"]
            .as_object_mut()
            .expect("checked when parsed")
    }

    /// Adds signatures, each under the id its key has in the metadata that
    /// names it; other signatures stay.
    ///
    /// # Errors
    /// If an external signer fails.
    pub fn sign(&mut self, signers: &[(String, Signer)]) -> Result<(), MetadataError> {
        let payload =
            canonical_json::canonical(self.signed()).map_err(|source| TufError::Json {
                role: self.signed()["_type"].to_string(),
                source,
            })?;
        for (id, signer) in signers {
            let signature = json!({ "keyid": id, "sig": signer.sign(&payload)? });
            let signatures = self.0["signatures"].as_array_mut().expect("checked");
            signatures.retain(|other| other["keyid"] != *id);
            signatures.push(signature);
        }
        Ok(())
    }

    /// How many distinct keys that `root` gives `role` have signed this, and
    /// how many must.
    ///
    /// # Errors
    /// If this or the root is malformed.
    pub fn signatures(&self, role: &str, root: &Document) -> Result<(usize, u64), MetadataError> {
        let root = Metadata::<Root>::parse("root", &root.to_bytes())?.signed;
        let keys = &root.roles[role];
        let bytes = self.to_bytes();
        let have = match role {
            "root" => Metadata::<Root>::parse(role, &bytes)?.count_valid(&root.keys, keys),
            "timestamp" => {
                Metadata::<Timestamp>::parse(role, &bytes)?.count_valid(&root.keys, keys)
            }
            "snapshot" => Metadata::<Snapshot>::parse(role, &bytes)?.count_valid(&root.keys, keys),
            _ => Metadata::<Targets>::parse(role, &bytes)?.count_valid(&root.keys, keys),
        };
        Ok((have, keys.threshold))
    }

    /// Whether enough keys that `root` gives `role` have signed this.
    ///
    /// # Errors
    /// If this or the root is malformed.
    pub fn is_signed(&self, role: &str, root: &Document) -> Result<bool, MetadataError> {
        let (have, need) = self.signatures(role, root)?;
        Ok(have as u64 >= need)
    }

    /// Whether this has a valid signature by `key`, under the id `id`.
    pub fn has_signature(&self, id: &str, key: &PublicKey) -> bool {
        let Ok(payload) = canonical_json::canonical(self.signed()) else {
            return false;
        };
        let signatures = self.0["signatures"].as_array().into_iter().flatten();
        signatures
            .filter(|signature| signature["keyid"] == id)
            .filter_map(|signature| decode_hex(signature["sig"].as_str()?))
            .any(|signature| key.verifies(&payload, &signature))
    }

    /// The file.
    pub fn to_bytes(&self) -> Vec<u8> {
        serde_json::to_vec(&self.0).expect("a JSON value")
    }
}

/// The time `days` from `now`.
fn in_days(now: UnixTime, days: u32) -> UnixTime {
    now + i64::from(days) * DAY
}

/// Opens the keys that `root` gives `role` and that are at hand, with the ids
/// they go by there.
///
/// # Errors
/// What is wrong with a key.
pub fn signers(
    role: &str,
    root: &Document,
    keyring: &Keyring,
    passphrases: &Passphrases,
) -> Result<Vec<(String, Signer)>, MetadataError> {
    let mut signers = Vec::new();
    for (id, key) in role_keys(role, root) {
        let Some(key) = key else { continue };
        if let Some(signer) = keyring.signer(&key, passphrases)? {
            signers.push((id, signer));
        }
    }
    Ok(signers)
}

/// The keys that `root` gives `role`, by id; `None` for those of a kind that
/// this program does not know.
pub fn role_keys(role: &str, root: &Document) -> Vec<(String, Option<PublicKey>)> {
    let ids = root.signed()["roles"][role]["keyids"].as_array();
    let ids = ids.into_iter().flatten().filter_map(Value::as_str);
    ids.map(|id| {
        (
            id.to_owned(),
            PublicKey::from_json(&root.signed()["keys"][id]),
        )
    })
    .collect()
}

/// What the keys that `root` gives `role` are called here; else their ids.
pub fn key_names(role: &str, root: &Document, keyring: &Keyring) -> Vec<String> {
    let keys = role_keys(role, root).into_iter();
    keys.map(|(id, key)| {
        let known = key.as_ref().and_then(|key| keyring.find(key));
        known.map_or_else(|| id.chars().take(16).collect(), |info| info.name.clone())
    })
    .collect()
}

/// The name of a metadata file (TUF specification section 6.1).
pub fn file_name(role: &str, version: u64, consistent: bool) -> String {
    match (role, consistent) {
        ("timestamp", _) | (_, false) => format!("{role}.json"),
        _ => format!("{version}.{role}.json"),
    }
}

/// Checks that a client that trusts only the first root would accept the
/// repository once `files` are written.
///
/// # Errors
/// [`MetadataError::Tuf`]: what that client would say.
pub fn check_as_client(
    metadata: &Path,
    files: &[(String, Vec<u8>)],
    now: UnixTime,
) -> Result<(), MetadataError> {
    let read = |file: &str| -> Result<Option<Vec<u8>>, FsError> {
        match files.iter().find(|(name, _)| name == file) {
            Some((_, bytes)) => Ok(Some(bytes.clone())),
            None => fs::read_optional(&metadata.join(file), limits::READ),
        }
    };
    let first = metadata.join("1.root.json");
    let root = read("1.root.json")?.ok_or(MetadataError::Missing(first))?;
    let mut client = Refresh::new(&root, now, published::BOUNDS)?;
    loop {
        match client.next_step() {
            Step::Done => return Ok(()),
            Step::Load { .. } => client.answer(None)?,
            Step::Fetch { file, .. } => client.answer(read(&file)?)?,
            Step::Store { .. } | Step::Remove { .. } => {}
        }
    }
}

/// Deletes half-signed metadata that `update` published. What colleagues
/// signed of a role that it does not change waits for its other signatures.
///
/// # Errors
/// The file system's.
pub fn drop_drafts(project: &Project, update: &Update) -> Result<(), FsError> {
    let drafts = [
        ("root", root_change::draft_path(project)),
        ("targets", next_versions::draft_path(project)),
    ];
    for (_, path) in drafts
        .iter()
        .filter(|(role, _)| update.versions.contains_key(role))
    {
        fs::remove_file(path)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_that_nothing_can_follow_is_an_error() {
        assert_eq!(next_version("timestamp", 7).ok(), Some(8));
        assert_eq!(next_version("timestamp", (1 << 53) - 1).ok(), Some(1 << 53));
        for version in [1 << 53, i64::MAX as u64, u64::MAX] {
            let error = next_version("timestamp", version).unwrap_err();
            assert!(matches!(error, MetadataError::Version { .. }), "{error}");
        }
    }
}
