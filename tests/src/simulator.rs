//! A TUF repository in memory that signs with real keys and does whatever a
//! test tells it, and a client of it over the stub's own code.

use notsotuf_stub::hex::{encode_hex, sha256_hex};
use notsotuf_stub::tuf::metadata::{format_time, parse_time};
use notsotuf_stub::tuf::{
    Limits, Refresh, RefreshIo, TargetFile, TufError, UnixTime, canonical_json,
};
use ring::rand::SystemRandom;
use ring::signature::{
    ECDSA_P256_SHA256_ASN1_SIGNING, ECDSA_P384_SHA384_ASN1_SIGNING, EcdsaKeyPair, Ed25519KeyPair,
    KeyPair,
};
use serde_json::{Value, json};
use spki::der::EncodePem;
use spki::der::asn1::BitStringRef;
use spki::der::pem::LineEnding;
use spki::{AlgorithmIdentifier, ObjectIdentifier, SubjectPublicKeyInfo};
use std::collections::BTreeMap;
use std::sync::Arc;

/// The time of the tests.
pub const NOW: UnixTime = 1_800_000_000;
/// A day, in seconds.
pub const DAY: UnixTime = 86_400;
/// The top-level roles.
pub const TOP: [&str; 4] = ["root", "timestamp", "snapshot", "targets"];

enum Pair {
    Ed25519(Ed25519KeyPair),
    Ecdsa(EcdsaKeyPair),
}

/// A key pair.
#[derive(Clone)]
pub struct SimKey {
    /// Its id; by default the one securesystemslib computes.
    pub id: String,
    /// As metadata lists it.
    pub public: Value,
    pair: Arc<Pair>,
}

impl SimKey {
    /// A new ed25519 key.
    pub fn ed25519() -> Self {
        let document = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).expect("random");
        let pair = Ed25519KeyPair::from_pkcs8(document.as_ref()).expect("just made");
        let public = encode_hex(pair.public_key().as_ref());
        Self::new("ed25519", "ed25519", public, Pair::Ed25519(pair))
    }

    /// A new ecdsa key on P-256 or P-384.
    pub fn ecdsa(bits: u32) -> Self {
        let (algorithm, scheme, curve) = match bits {
            256 => (
                &ECDSA_P256_SHA256_ASN1_SIGNING,
                "ecdsa-sha2-nistp256",
                "1.2.840.10045.3.1.7",
            ),
            _ => (
                &ECDSA_P384_SHA384_ASN1_SIGNING,
                "ecdsa-sha2-nistp384",
                "1.3.132.0.34",
            ),
        };
        let random = SystemRandom::new();
        let document = EcdsaKeyPair::generate_pkcs8(algorithm, &random).expect("random");
        let pair = EcdsaKeyPair::from_pkcs8(algorithm, document.as_ref(), &random);
        let pair = pair.expect("just made");
        let pem = spki_pem(curve, pair.public_key().as_ref());
        Self::new("ecdsa", scheme, pem, Pair::Ecdsa(pair))
    }

    fn new(keytype: &str, scheme: &str, public: String, pair: Pair) -> Self {
        let public = json!({
            "keytype": keytype, "scheme": scheme, "keyval": { "public": public },
        });
        let form = canonical_json::canonical(&public).expect("no numbers");
        SimKey {
            id: sha256_hex(&form),
            public,
            pair: Arc::new(pair),
        }
    }

    /// The same key under another id.
    pub fn with_id(&self, id: &str) -> Self {
        SimKey {
            id: id.into(),
            ..self.clone()
        }
    }

    fn sign(&self, payload: &[u8]) -> String {
        match &*self.pair {
            Pair::Ed25519(pair) => encode_hex(pair.sign(payload).as_ref()),
            Pair::Ecdsa(pair) => {
                let signature = pair.sign(&SystemRandom::new(), payload).expect("random");
                encode_hex(signature.as_ref())
            }
        }
    }
}

/// A PEM SubjectPublicKeyInfo (RFC 5480) of a point on a named curve.
fn spki_pem(curve: &str, point: &[u8]) -> String {
    let curve = ObjectIdentifier::new_unwrap(curve);
    let info = SubjectPublicKeyInfo {
        algorithm: AlgorithmIdentifier {
            oid: ObjectIdentifier::new_unwrap("1.2.840.10045.2.1"),
            parameters: Some(curve),
        },
        subject_public_key: BitStringRef::from_bytes(point).expect("short"),
    };
    info.to_pem(LineEnding::LF).expect("encodes")
}

/// Puts a signed part and signatures by `keys` together.
pub fn sign(signed: &Value, keys: &[SimKey]) -> Vec<u8> {
    let payload = canonical_json::canonical(signed).expect("no floats");
    let signatures: Vec<_> = keys
        .iter()
        .map(|key| json!({ "keyid": key.id, "sig": key.sign(&payload) }))
        .collect();
    serde_json::to_vec(&json!({ "signatures": signatures, "signed": signed })).expect("JSON")
}

/// The repository. Everything is public: a test plays the attacker.
pub struct Simulator {
    /// The signed part of each role's newest metadata.
    pub signed: BTreeMap<String, Value>,
    /// The keys that sign for each role.
    pub keys: BTreeMap<String, Vec<SimKey>>,
    /// Published root files, version 1 first.
    pub roots: Vec<Vec<u8>>,
    /// Whether snapshot and timestamp list lengths and hashes.
    pub list_hashes: bool,
    /// Files that are served instead of what would be.
    pub instead: BTreeMap<String, Vec<u8>>,
    /// Names of the files that were asked for.
    pub asked: Vec<String>,
}

impl Default for Simulator {
    fn default() -> Self {
        Self::new()
    }
}

impl Simulator {
    /// Version 1 of everything, one ed25519 key a role, consistent snapshots.
    pub fn new() -> Self {
        let mut simulator = Simulator {
            signed: BTreeMap::new(),
            keys: BTreeMap::new(),
            roots: Vec::new(),
            list_hashes: false,
            instead: BTreeMap::new(),
            asked: Vec::new(),
        };
        let root = json!({ "consistent_snapshot": true, "keys": {}, "roles": {} });
        simulator
            .signed
            .insert("root".into(), with_header("root", root));
        let meta = |file: &str| json!({ "meta": { file: { "version": 1 } } });
        for (role, fields) in [
            ("timestamp", meta("snapshot.json")),
            ("snapshot", meta("targets.json")),
            ("targets", json!({ "targets": {} })),
        ] {
            simulator
                .signed
                .insert(role.into(), with_header(role, fields));
        }
        for role in TOP {
            simulator.set_keys(role, vec![SimKey::ed25519()], 1);
        }
        simulator.publish_root();
        simulator
    }

    /// Gives a top-level role these keys and this threshold in the root that
    /// is published next.
    pub fn set_keys(&mut self, role: &str, keys: Vec<SimKey>, threshold: u64) {
        let root = self.signed.get_mut("root").expect("there");
        let ids: Vec<_> = keys.iter().map(|key| key.id.clone()).collect();
        root["roles"][role] = json!({ "keyids": ids, "threshold": threshold });
        for key in &keys {
            root["keys"][&key.id] = key.public.clone();
        }
        self.keys.insert(role.into(), keys);
    }

    /// The signed part of a role, to be changed.
    pub fn role(&mut self, role: &str) -> &mut Value {
        self.signed.get_mut(role).expect("a role that exists")
    }

    /// The version of a role.
    pub fn version(&self, role: &str) -> u64 {
        self.signed[role]["version"].as_u64().expect("a number")
    }

    /// Signs the root as it is and publishes it.
    pub fn publish_root(&mut self) {
        let keys = self.keys["root"].clone();
        self.publish_root_signed_by(&keys);
    }

    /// Signs the root with these keys and publishes it.
    pub fn publish_root_signed_by(&mut self, keys: &[SimKey]) {
        self.roots.push(sign(&self.signed["root"], keys));
    }

    /// The next version of the root, signed by its keys.
    pub fn next_root(&mut self) {
        self.bump("root");
        self.publish_root();
    }

    /// The next version of the root, with other keys of its own, signed by
    /// the old ones and by these.
    pub fn rotate_root(&mut self, keys: Vec<SimKey>, threshold: u64) {
        let old = self.keys["root"].clone();
        self.set_keys("root", keys.clone(), threshold);
        self.bump("root");
        self.publish_root_signed_by(&[old, keys].concat());
    }

    /// The next version of the root, with one other key for a role.
    pub fn rotate(&mut self, role: &str) {
        self.set_keys(role, vec![SimKey::ed25519()], 1);
        self.next_root();
    }

    /// Increases a role's version.
    pub fn bump(&mut self, role: &str) {
        let version = self.version(role) + 1;
        self.role(role)["version"] = version.into();
    }

    /// A new release: new versions of targets (or the delegated role named),
    /// snapshot and timestamp.
    pub fn release(&mut self, role: &str) {
        self.bump(role);
        self.list(role);
        self.release_snapshot();
    }

    /// Lists the current version of a targets role in the snapshot.
    pub fn list(&mut self, role: &str) {
        let entry = self.entry(role);
        self.role("snapshot")["meta"][format!("{role}.json")] = entry;
    }

    /// A new snapshot and a timestamp for it.
    pub fn release_snapshot(&mut self) {
        self.bump("snapshot");
        self.release_timestamp();
    }

    /// A new timestamp for the current snapshot.
    pub fn release_timestamp(&mut self) {
        let entry = self.entry("snapshot");
        self.role("timestamp")["meta"]["snapshot.json"] = entry;
        self.bump("timestamp");
    }

    fn entry(&self, role: &str) -> Value {
        let mut entry = json!({ "version": self.version(role) });
        if self.list_hashes {
            let bytes = self.file(role);
            entry["length"] = bytes.len().into();
            entry["hashes"] = json!({ "sha256": sha256_hex(&bytes) });
        }
        entry
    }

    /// The current file of a role.
    pub fn file(&self, role: &str) -> Vec<u8> {
        sign(&self.signed[role], &self.keys[role])
    }

    /// Lists a target in a role, without releasing it.
    pub fn add_target(&mut self, role: &str, path: &str, content: &[u8]) {
        self.role(role)["targets"][path] = json!({
            "length": content.len(), "hashes": { "sha256": sha256_hex(content) },
        });
    }

    /// Delegates from one role to a new one with a key of its own; `fields`
    /// are those of the delegation besides name and keys.
    pub fn delegate(&mut self, from: &str, to: &str, fields: &Value) {
        let key = SimKey::ed25519();
        let mut delegation = json!({
            "name": to, "keyids": [key.id], "threshold": 1, "terminating": false,
        });
        for (name, value) in fields.as_object().expect("an object") {
            delegation[name] = value.clone();
        }
        let delegations = &mut self.role(from)["delegations"];
        if delegations.is_null() {
            *delegations = json!({ "keys": {}, "roles": [] });
        }
        delegations["keys"][&key.id] = key.public.clone();
        delegations["roles"]
            .as_array_mut()
            .expect("an array")
            .push(delegation);
        if let Some(keys) = self.keys.get_mut(to) {
            keys.push(key);
        } else {
            self.keys.insert(to.into(), vec![key]);
            let fields = json!({ "targets": {} });
            self.signed
                .insert(to.into(), with_header("targets", fields));
        }
        self.list(to);
    }

    /// The answer to a request for a metadata file.
    pub fn serve(&mut self, file: &str) -> Option<Vec<u8>> {
        self.asked.push(file.into());
        if let Some(bytes) = self.instead.get(file) {
            return Some(bytes.clone());
        }
        let stem = file.strip_suffix(".json")?;
        if stem == "timestamp" {
            return Some(self.file("timestamp"));
        }
        if !self.signed["root"]["consistent_snapshot"].as_bool()? && !stem.ends_with(".root") {
            return self.signed.contains_key(stem).then(|| self.file(stem));
        }
        let (version, role) = stem.split_once('.')?;
        let version: usize = version.parse().ok()?;
        if role == "root" {
            return self.roots.get(version.checked_sub(1)?).cloned();
        }
        // Only the newest version is kept, whatever number is asked for: the
        // client is to notice.
        self.signed.contains_key(role).then(|| self.file(role))
    }
}

fn with_header(role: &str, mut fields: Value) -> Value {
    fields["_type"] = role.into();
    fields["spec_version"] = "1.0.34".into();
    fields["version"] = 1.into();
    fields["expires"] = format_time(NOW + 30 * DAY).into();
    fields
}

/// When a file expires.
pub fn expires(file: &[u8]) -> UnixTime {
    let value: Value = serde_json::from_slice(file).expect("JSON");
    parse_time(value["signed"]["expires"].as_str().expect("text")).expect("a time")
}

/// A client with its trusted metadata in memory.
#[derive(Clone)]
pub struct Client {
    /// Trusted metadata by role.
    pub stored: BTreeMap<String, Vec<u8>>,
    /// Its limits.
    pub bounds: Limits,
    /// Its clock.
    pub now: UnixTime,
}

impl Client {
    /// A client that trusts the first root of a repository.
    pub fn new(simulator: &Simulator) -> Self {
        Client {
            stored: BTreeMap::from([("root".into(), simulator.roots[0].clone())]),
            bounds: Limits::default(),
            now: NOW,
        }
    }

    /// The version of a role that it trusts; 0 if none.
    pub fn version(&self, role: &str) -> u64 {
        let Some(bytes) = self.stored.get(role) else {
            return 0;
        };
        let value: Value = serde_json::from_slice(bytes).expect("JSON");
        value["signed"]["version"].as_u64().expect("a number")
    }

    /// Refreshes from the repository.
    pub fn refresh(&mut self, simulator: &mut Simulator) -> Result<Refresh, TufError> {
        let root = self.stored["root"].clone();
        let mut refresh = Refresh::new(&root, self.now, self.bounds.clone())?;
        self.proceed(&mut refresh, simulator)?;
        Ok(refresh)
    }

    /// Refreshes and looks for a target.
    pub fn find(
        &mut self,
        simulator: &mut Simulator,
        path: &str,
    ) -> Result<Option<TargetFile>, TufError> {
        let mut refresh = self.refresh(simulator)?;
        self.find_in(&mut refresh, simulator, path)
    }

    /// Looks for one more target after a refresh.
    pub fn find_in(
        &mut self,
        refresh: &mut Refresh,
        simulator: &mut Simulator,
        path: &str,
    ) -> Result<Option<TargetFile>, TufError> {
        refresh.search(path)?;
        self.proceed(refresh, simulator)?;
        Ok(refresh.found().cloned())
    }

    fn proceed(
        &mut self,
        refresh: &mut Refresh,
        simulator: &mut Simulator,
    ) -> Result<(), TufError> {
        refresh.run(&mut StoreAndSimulator {
            stored: &mut self.stored,
            simulator,
        })
    }
}

struct StoreAndSimulator<'a> {
    stored: &'a mut BTreeMap<String, Vec<u8>>,
    simulator: &'a mut Simulator,
}

impl RefreshIo for StoreAndSimulator<'_> {
    type Error = TufError;

    fn load(&mut self, role: &str) -> Option<Vec<u8>> {
        self.stored.get(role).cloned()
    }

    fn fetch(&mut self, _: &str, file: &str, max_length: u64) -> Result<Option<Vec<u8>>, TufError> {
        let answer = self.simulator.serve(file);
        if let Some(bytes) = &answer {
            // The HTTP edge would have refused it.
            let size = bytes.len() as u64;
            assert!(
                size <= max_length,
                "{file} has {size} bytes, at most {max_length} go"
            );
        }
        Ok(answer)
    }

    fn store(&mut self, role: &str, bytes: &[u8]) -> Result<(), TufError> {
        self.stored.insert(role.to_owned(), bytes.to_vec());
        Ok(())
    }

    fn remove(&mut self, role: &str) -> Result<(), TufError> {
        self.stored.remove(role);
        Ok(())
    }
}
