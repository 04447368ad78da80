//! Signs what the bundler would not: a repository of a project with plain
//! keys, in the hands of somebody who has them.

use crate::Sandbox;
use notsotuf_stub::hex::{encode_hex, sha256_hex};
use ring::signature::Ed25519KeyPair;
use serde_json::{Value, json};
use std::fs;
use std::path::PathBuf;

/// The repository of a sandbox.
pub struct Forge {
    repository: PathBuf,
    keys: PathBuf,
    root: Value,
    /// The signed part of the targets metadata.
    pub targets: Value,
    snapshot: Value,
    timestamp: Value,
}

/// Makes another file of the one of a role that would be published.
pub type Change<'a> = &'a dyn Fn(&Forge, &str, Vec<u8>) -> Vec<u8>;

impl Forge {
    /// Takes over what is published.
    pub fn new(sandbox: &Sandbox) -> Self {
        let repository = sandbox.repository();
        let read = |name: String| -> Value {
            let bytes = fs::read(repository.join("metadata").join(name)).expect("published");
            let mut file: Value = serde_json::from_slice(&bytes).expect("JSON");
            file["signed"].take()
        };
        let timestamp = read("timestamp.json".into());
        let snapshot = &timestamp["meta"]["snapshot.json"]["version"];
        let snapshot = read(format!("{snapshot}.snapshot.json"));
        let targets = &snapshot["meta"]["targets.json"]["version"];
        let targets = read(format!("{targets}.targets.json"));
        Forge {
            root: read("1.root.json".into()),
            keys: sandbox.path("project/keystore"),
            repository,
            targets,
            snapshot,
            timestamp,
        }
    }

    /// Lists a target, with the entry it had or that of an archive.
    pub fn add(&mut self, name: &str, content: &[u8]) {
        let hash = sha256_hex(content);
        let path = format!("targets/{hash}.{name}");
        fs::write(self.repository.join(path), content).expect("written");
        let entry = &mut self.targets["targets"][name];
        if entry.is_null() {
            *entry = json!({ "custom": { "user": {}, "tufup": { "required": false } } });
        }
        entry["length"] = content.len().into();
        entry["hashes"] = json!({ "sha256": hash });
    }

    /// The signed part of a role.
    pub fn signed(&self, role: &str) -> &Value {
        match role {
            "targets" => &self.targets,
            "snapshot" => &self.snapshot,
            _ => &self.timestamp,
        }
    }

    /// A metadata file with this signed part, as it is written there, and the
    /// signature of a role over its canonical form.
    pub fn sign(&self, role: &str, signed: &[u8]) -> Vec<u8> {
        let payload = notsotuf_stub::tuf::envelope::canonical(signed).expect("JSON");
        let pem = fs::read(self.keys.join(format!("{role}.pem"))).expect("a plain key");
        let (_, der) = spki::der::pem::decode_vec(&pem).expect("PEM");
        let key = Ed25519KeyPair::from_pkcs8_maybe_unchecked(&der).expect("ed25519");
        let signature = encode_hex(key.sign(&payload).as_ref());
        let id = &self.root["roles"][role]["keyids"][0];
        let head =
            format!("{{\"signatures\":[{{\"keyid\":{id},\"sig\":\"{signature}\"}}],\"signed\":");
        [head.as_bytes(), signed, b"}"].concat()
    }

    /// Publishes new versions of all. `change` may exchange a file before it is
    /// written, and before the next one lists its version alone.
    pub fn publish(mut self, change: Change) {
        for signed in [&mut self.targets, &mut self.snapshot, &mut self.timestamp] {
            let version = signed["version"].as_u64().expect("a version");
            signed["version"] = (version + 1).into();
        }
        let entry = json!({ "version": self.targets["version"] });
        self.snapshot["meta"]["targets.json"] = entry;
        let entry = json!({ "version": self.snapshot["version"] });
        self.timestamp["meta"]["snapshot.json"] = entry;
        for (role, signed) in [
            ("targets", &self.targets),
            ("snapshot", &self.snapshot),
            ("timestamp", &self.timestamp),
        ] {
            let file = self.sign(role, signed.to_string().as_bytes());
            let name = match role {
                "timestamp" => "timestamp.json".into(),
                _ => format!("{}.{role}.json", signed["version"]),
            };
            let place = self.repository.join("metadata").join(name);
            fs::write(place, change(&self, role, file)).expect("written");
        }
    }
}
