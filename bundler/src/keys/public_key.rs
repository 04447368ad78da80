//! Represents public keys, as TUF metadata lists them.

use notsotuf_stub::hex::{encode_hex, sha256_hex};
use notsotuf_stub::tuf::canonical_json;
use notsotuf_stub::tuf::key::{Key, KeyMaterial};
use serde_json::{Value, json};

/// Holds a public key, as TUF metadata lists it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PublicKey(Key);

impl PublicKey {
    /// Creates an ed25519 key.
    pub(crate) fn ed25519(public: &[u8; 32]) -> Self {
        Self::new("ed25519", "ed25519", encode_hex(public))
    }

    pub(crate) fn new(keytype: &str, scheme: &str, public: String) -> Self {
        let value = json!({
            "keytype": keytype, "scheme": scheme, "keyval": { "public": public },
        });
        PublicKey(serde_json::from_value(value).expect("of that form"))
    }

    /// Reads an entry of the `keys` of root metadata.
    pub(crate) fn from_json(key: &Value) -> Option<Self> {
        serde_json::from_value(key.clone()).ok().map(PublicKey)
    }

    /// Returns the key as TUF metadata lists it.
    pub(crate) fn to_json(&self) -> Value {
        json!({
            "keytype": self.0.keytype,
            "scheme": self.0.scheme,
            "keyval": { "public": self.0.keyval.public },
        })
    }

    /// Returns the key's id: SHA-256 over the canonical form, as
    /// securesystemslib computes it (TUF specification, section 4.2). In
    /// metadata that another program made, the key may have another id.
    pub(crate) fn id(&self) -> String {
        let form = canonical_json::canonical(&self.to_json()).expect("it has no numbers");
        sha256_hex(&form)
    }

    /// Returns what makes it this key, whatever its id is.
    pub(crate) fn material(&self) -> KeyMaterial {
        self.0.material()
    }

    /// Returns the scheme: `ed25519`, `ecdsa-sha2-nistp256`, …
    pub(crate) fn scheme(&self) -> &str {
        &self.0.scheme
    }

    /// Returns whether a signature is by this key.
    pub(crate) fn verifies(&self, payload: &[u8], signature: &[u8]) -> bool {
        self.0.verifies(payload, signature)
    }
}
