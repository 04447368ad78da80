//! TUF metadata: reading what is published, editing, signing, and checking
//! it as a client would. Documents stay JSON values, so fields that this
//! program does not know survive.

mod draft;
mod rootedit;

pub use draft::{Update, has_targets_draft, sign_targets, update};
pub use rootedit::{Change, change_root, first_root, root_draft, sign_root_draft};

use crate::keys::{KeyError, Keyring, Passphrases, PublicKey, Signer};
use crate::project::Project;
use notsotuf_stub::fs::{self, FsError};
use notsotuf_stub::tuf::schema::{Metadata, Root, Snapshot, Targets, Timestamp, format_time};
use notsotuf_stub::tuf::{self, Bounds, Refresh, Step, TufError, UnixTime, json};
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
        let value = json::parse(bytes).map_err(|e| form(e.to_string()))?;
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
        tuf::schema::parse_time(text).unwrap_or(UnixTime::MIN)
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
        let payload = json::canonical(self.signed()).map_err(|source| TufError::Json {
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

/// The published metadata of all top-level roles; those but the root may not
/// be published yet.
#[derive(Debug, Clone)]
pub struct Published {
    /// The newest root.
    pub root: Document,
    /// Targets.
    pub targets: Option<Document>,
    /// Snapshot.
    pub snapshot: Option<Document>,
    /// Timestamp.
    pub timestamp: Option<Document>,
}

impl Published {
    /// Reads the folder `metadata`, following what each file says of the next.
    ///
    /// # Errors
    /// [`MetadataError`], naming the file.
    pub fn load(metadata: &Path) -> Result<Self, MetadataError> {
        let mut published = Published {
            root: load_root(metadata)?,
            targets: None,
            snapshot: None,
            timestamp: None,
        };
        let path = metadata.join("timestamp.json");
        let Some(bytes) = fs::read_optional(&path, Bounds::default().timestamp)? else {
            return Ok(published);
        };
        let timestamp = Document::parse(&path, &bytes)?;
        let consistent = published.consistent_snapshot();
        let snapshot = load_listed(metadata, "snapshot", &timestamp, consistent)?;
        published.targets = Some(load_listed(metadata, "targets", &snapshot, consistent)?);
        published.snapshot = Some(snapshot);
        published.timestamp = Some(timestamp);
        Ok(published)
    }

    /// The published metadata of a role.
    pub fn document(&self, role: &str) -> Option<&Document> {
        match role {
            "root" => Some(&self.root),
            "targets" => self.targets.as_ref(),
            "snapshot" => self.snapshot.as_ref(),
            _ => self.timestamp.as_ref(),
        }
    }

    /// Whether file names carry versions and hashes.
    pub fn consistent_snapshot(&self) -> bool {
        self.root.signed()["consistent_snapshot"] == true
    }

    /// The published targets by path, as JSON.
    pub fn target_entries(&self) -> Map<String, Value> {
        let targets = self.targets.as_ref().map(|t| &t.signed()["targets"]);
        targets
            .and_then(Value::as_object)
            .cloned()
            .unwrap_or_default()
    }
}

fn load_root(metadata: &Path) -> Result<Document, MetadataError> {
    let mut newest = None;
    for version in 1u64.. {
        let path = metadata.join(format!("{version}.root.json"));
        match fs::read_optional(&path, Bounds::default().root)? {
            Some(bytes) => newest = Some(Document::parse(&path, &bytes)?),
            None if newest.is_some() => break,
            None => return Err(MetadataError::Missing(path)),
        }
    }
    Ok(newest.expect("the loop ends with one"))
}

fn load_listed(
    metadata: &Path,
    role: &str,
    by: &Document,
    consistent: bool,
) -> Result<Document, MetadataError> {
    let listed = &by.signed()["meta"][format!("{role}.json")]["version"];
    let version = listed.as_u64().unwrap_or(0);
    let path = metadata.join(file_name(role, version, consistent));
    let bytes = fs::read_optional(&path, Bounds::default().targets)?
        .ok_or_else(|| MetadataError::Missing(path.clone()))?;
    Document::parse(&path, &bytes)
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
            None => fs::read_optional(&metadata.join(file), Bounds::default().targets),
        }
    };
    let first = metadata.join("1.root.json");
    let root = read("1.root.json")?.ok_or(MetadataError::Missing(first))?;
    let mut client = Refresh::new(&root, now, Bounds::default())?;
    loop {
        match client.next_step() {
            Step::Done => return Ok(()),
            Step::Load { .. } => client.answer(None)?,
            Step::Fetch { file, .. } => client.answer(read(&file)?)?,
            Step::Store { .. } | Step::Remove { .. } => {}
        }
    }
}

/// Deletes half-signed metadata that is published now.
///
/// # Errors
/// The file system's.
pub fn drop_drafts(project: &Project) -> Result<(), FsError> {
    fs::remove_file(&rootedit::draft_path(project))?;
    fs::remove_file(&draft::draft_path(project))
}
