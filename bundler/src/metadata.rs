//! TUF metadata: reading what is published, editing, signing, and checking
//! it as a client would. Documents stay JSON values, so fields that this
//! program does not know survive.

use crate::keys::{KeyError, Keystore, Passphrases, PublicKey, Signer};
use crate::project::{ROLES, RoleSettings, Roles};
use notsotuf_stub::fs::{self, FsError};
use notsotuf_stub::tuf::schema::{Metadata, Root, format_time};
use notsotuf_stub::tuf::{self, Bounds, Refresh, Step, TufError, UnixTime, json};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
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
    /// Keys in the settings that the root does not list.
    #[error(
        "{have} of the keys that the settings name for {role} are keys of that role in the root \
         metadata, {need} must sign"
    )]
    Keys {
        /// The role.
        role: String,
        /// How many match.
        have: usize,
        /// The threshold.
        need: usize,
    },
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

    /// Signs with all of `signers`, replacing what signatures there are.
    pub fn sign(&mut self, signers: &[Signer]) {
        let payload = json::canonical(self.signed()).expect("parsed without floats");
        let mut ids = Vec::new();
        let mut signatures = Vec::new();
        for signer in signers {
            let id = signer.public().id();
            if !ids.contains(&id) {
                signatures.push(json!({ "keyid": id, "sig": signer.sign(&payload) }));
                ids.push(id);
            }
        }
        self.0["signatures"] = signatures.into();
    }

    /// The file.
    pub fn to_bytes(&self) -> Vec<u8> {
        serde_json::to_vec(&self.0).expect("a JSON value")
    }
}

/// `expires_days` from `now`.
fn expiry(now: UnixTime, role: &RoleSettings) -> UnixTime {
    now + i64::from(role.expires_days) * DAY
}

/// Opens the keys of a role that `root` lists for it. Fewer than the
/// threshold are an error; more sign all the same.
///
/// # Errors
/// [`MetadataError::Keys`], or what is wrong with a key.
pub fn signers(
    role: &str,
    settings: &RoleSettings,
    root: &Document,
    keystore: &Keystore,
    passphrases: &Passphrases,
) -> Result<Vec<Signer>, MetadataError> {
    let entry = &root.signed()["roles"][role];
    let listed = |key: &PublicKey| {
        let ids = entry["keyids"].as_array();
        ids.is_some_and(|ids| ids.iter().any(|id| *id == key.id()))
    };
    let need = entry["threshold"].as_u64().unwrap_or(1) as usize;
    let mut usable = Vec::new();
    for name in &settings.keys {
        if listed(&keystore.public(name)?) {
            usable.push(name);
        }
    }
    if usable.len() < need {
        return Err(MetadataError::Keys {
            role: role.into(),
            have: usable.len(),
            need,
        });
    }
    let open = |name: &&String| keystore.open(name, passphrases);
    Ok(usable.iter().map(open).collect::<Result<_, _>>()?)
}

/// The first root of a repository.
///
/// # Errors
/// If a key cannot be used.
pub fn first_root(
    roles: &Roles,
    keystore: &Keystore,
    passphrases: &Passphrases,
    now: UnixTime,
) -> Result<Document, MetadataError> {
    let mut keys = Map::new();
    let mut entries = Map::new();
    for role in ROLES {
        let settings = roles.get(role);
        let mut ids = Vec::new();
        for name in &settings.keys {
            let key = keystore.public(name)?;
            ids.push(key.id());
            keys.insert(key.id(), key.to_json());
        }
        let entry = json!({ "keyids": ids, "threshold": settings.threshold });
        entries.insert(role.into(), entry);
    }
    let mut fields = Map::new();
    // Versioned file names: a client that asks while a release is being
    // published sees the old one or the new one, never half of each.
    fields.insert("consistent_snapshot".into(), true.into());
    fields.insert("keys".into(), keys.into());
    fields.insert("roles".into(), entries.into());
    let mut root = Document::new("root", 1, expiry(now, &roles.root), fields);
    let signers = signers("root", &roles.root, &root, keystore, passphrases)?;
    root.sign(&signers);
    Ok(root)
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

/// New metadata, signed and not written yet.
#[derive(Debug, Clone)]
pub struct Update {
    /// Files in the order in which they must be written.
    pub files: Vec<(String, Vec<u8>)>,
    /// Versions of targets, snapshot and timestamp.
    pub versions: BTreeMap<&'static str, u64>,
}

/// Makes the metadata for the targets `entries`: always a new snapshot and
/// timestamp, new targets if the entries changed or half of their time is
/// over.
///
/// # Errors
/// If a key cannot be used.
pub fn update(
    published: &Published,
    entries: &Map<String, Value>,
    roles: &Roles,
    keystore: &Keystore,
    passphrases: &Passphrases,
    now: UnixTime,
) -> Result<Update, MetadataError> {
    let consistent = published.consistent_snapshot();
    let mut update = Update {
        files: Vec::new(),
        versions: BTreeMap::new(),
    };
    let mut sign = |role: &'static str, mut document: Document| -> Result<_, MetadataError> {
        let settings = roles.get(role);
        let signers = signers(role, settings, &published.root, keystore, passphrases)?;
        document.sign(&signers);
        let version = document.version();
        update.versions.insert(role, version);
        let name = file_name(role, version, consistent);
        update.files.push((name, document.to_bytes()));
        Ok(document)
    };
    let targets = match &published.targets {
        Some(targets) if !needs_renewal(published, entries, &roles.targets, now) => targets.clone(),
        old => {
            let mut fields = Map::new();
            fields.insert("targets".into(), entries.clone().into());
            let expires = expiry(now, &roles.targets);
            sign("targets", next(old.as_ref(), "targets", expires, fields))?
        }
    };
    // The lengths and hashes that snapshot and timestamp may list are left
    // out: versions suffice once everything is signed, and what tufup writes
    // has none either.
    let meta = |role: &str, version: u64| {
        let mut fields = Map::new();
        let file = format!("{role}.json");
        fields.insert("meta".into(), json!({ file: { "version": version } }));
        fields
    };
    let mut fields = meta("targets", targets.version());
    if let Some(Value::Object(old)) = published.snapshot.as_ref().map(|s| &s.signed()["meta"]) {
        // Delegated roles that are listed there stay listed.
        for (file, entry) in old.iter().filter(|(file, _)| *file != "targets.json") {
            fields["meta"][file] = entry.clone();
        }
    }
    let expires = expiry(now, &roles.snapshot);
    let snapshot = next(published.snapshot.as_ref(), "snapshot", expires, fields);
    let snapshot = sign("snapshot", snapshot)?;
    let expires = expiry(now, &roles.timestamp);
    let fields = meta("snapshot", snapshot.version());
    let timestamp = next(published.timestamp.as_ref(), "timestamp", expires, fields);
    sign("timestamp", timestamp)?;
    Ok(update)
}

/// The successor of `old`: fields that are not given stay as they are.
fn next(
    old: Option<&Document>,
    role: &str,
    expires: UnixTime,
    fields: Map<String, Value>,
) -> Document {
    let Some(old) = old else {
        return Document::new(role, 1, expires, fields);
    };
    let mut document = old.clone();
    let version = old.version() + 1;
    let signed = document.edit();
    signed.extend(fields);
    signed.insert("version".into(), version.into());
    signed.insert("expires".into(), format_time(expires).into());
    document
}

fn needs_renewal(
    published: &Published,
    entries: &Map<String, Value>,
    settings: &RoleSettings,
    now: UnixTime,
) -> bool {
    let half = i64::from(settings.expires_days) * DAY / 2;
    let expires = published.targets.as_ref().map(Document::expires);
    published.target_entries() != *entries || expires.is_none_or(|at| at - now < half)
}

/// Checks that a client that trusts only the first root would accept the
/// repository once `update` is written.
///
/// # Errors
/// [`MetadataError::Tuf`]: what that client would say.
pub fn check_as_client(
    metadata: &Path,
    update: &Update,
    now: UnixTime,
) -> Result<(), MetadataError> {
    let read = |file: &str| -> Result<Option<Vec<u8>>, FsError> {
        match update.files.iter().find(|(name, _)| name == file) {
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

/// Checks that a root document verifies by its own keys.
///
/// # Errors
/// [`MetadataError::Tuf`].
pub fn check_root(root: &Document) -> Result<(), MetadataError> {
    let parsed = Metadata::<Root>::parse("root", &root.to_bytes())?;
    parsed.verify("root", &parsed.signed.keys, &parsed.signed.roles["root"])?;
    Ok(())
}
