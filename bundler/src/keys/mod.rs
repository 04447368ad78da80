//! Keys: files that OpenSSL reads, key files of securesystemslib, and keys
//! that never leave a device.
//!
//! A key NAME is two files in a key folder: `NAME.pub`, the public key as a
//! PEM SubjectPublicKeyInfo (ed25519, ecdsa on P-256 or P-384, RSA), and, for
//! ed25519, `NAME.pem`, the private key as PKCS#8 (RFC 5958), encrypted with
//! a passphrase (PBES2: scrypt and AES-256-CBC) unless that was declined. The
//! two may be in different folders.
//! tufup's pairs `NAME` and `NAME.pub` (securesystemslib's JSON) are read
//! too. Any other private key is used through an external signer.

mod external_signer;
mod files;
mod keyring;
mod passphrase;
mod pem;
mod permissions;
mod securesystemslib;

pub use external_signer::External;
pub use files::{NewKey, create, write_private_file};
pub use keyring::{Info, Keyring, Private};
pub use passphrase::Passphrases;
pub use permissions::{Mend, check as check_permissions, close as close_to_others};

use notsotuf_stub::fs::FsError;
use notsotuf_stub::tuf::canonical_json;
use notsotuf_stub::tuf::key::{Key, KeyMaterial, encode_hex, sha256_hex};
use ring::signature::{Ed25519KeyPair, KeyPair};
use serde_json::{Value, json};
use std::path::PathBuf;

/// Why a key cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The file system.
    #[error(transparent)]
    Fs(#[from] FsError),
    /// There is no such key.
    #[error(
        "there is no key {name:?} in {folders}; --key-dir names another folder, `notsotuf keys \
         list` lists those at hand, and `notsotuf keys create {name}` makes one"
    )]
    Missing {
        /// Name of the key.
        name: String,
        /// Where it was looked for.
        folders: String,
    },
    /// A key of that name is there already.
    #[error(
        "{path:?} exists already; a key is never overwritten: use another name, or move that \
         file away"
    )]
    Exists {
        /// Its file.
        path: PathBuf,
    },
    /// The name cannot be a file name.
    #[error("{name:?} is no name for a key: letters, digits, `_` and `-` are")]
    Name {
        /// The name.
        name: String,
    },
    /// Not a key this program can read.
    #[error(
        "{path:?} is not a key in a known form: {reason}; copy it back from your backup, or put \
         another key in its place (`notsotuf keys replace --help`)"
    )]
    Form {
        /// Its file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// The private and the public file do not belong together.
    #[error(
        "{path:?} is not the private key of {name}: it is that of another public key; look for \
         the right one on your media (--key-dir), or in your backup"
    )]
    Pair {
        /// The private file.
        path: PathBuf,
        /// Name of the public key.
        name: String,
    },
    /// The public key of an external signer is not there.
    #[error(
        "there is no {path:?}, the public key of a signer ([[signers]] in the project settings, or \
         --signer): put it there, as a PEM file"
    )]
    NoSignerKey {
        /// Where it should be.
        path: PathBuf,
    },
    /// Others can read a secret.
    #[error(
        "Permissions {mode:04o} for {path:?} are too open: others on this computer can use it, so \
         it is not used here; {}", mend.words(path)
    )]
    TooOpen {
        /// The file.
        path: PathBuf,
        /// Its permissions.
        mode: u32,
        /// What closes it.
        mend: Mend,
    },
    /// The file of the passphrase cannot be used.
    #[error("the passphrase file {path:?} {reason}")]
    PassphraseFile {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// The passphrase is wrong (or the file is damaged).
    #[error(
        "{path:?} cannot be decrypted; the passphrase is wrong ({from}). {variable} is for this \
         key alone; without that, NOTSOTUF_PASSPHRASE and --passphrase-file, a terminal is asked"
    )]
    Passphrase {
        /// The key's file.
        path: PathBuf,
        /// Where the passphrase is from.
        from: String,
        /// The variable for this key.
        variable: String,
    },
    /// A passphrase is needed and there is none.
    #[error(
        "the key {name:?} needs a passphrase: set NOTSOTUF_PASSPHRASE (or {}), name a file with \
         --passphrase-file, or run this at a terminal",
        passphrase::variable(name)
    )]
    NoPassphrase {
        /// Name of the key.
        name: String,
    },
    /// An external signer failed.
    #[error("the signer of the key {name:?}, {program:?}, failed: {reason}")]
    External {
        /// Name of the key.
        name: String,
        /// The program.
        program: String,
        /// What happened.
        reason: String,
    },
    /// The system gave no random bytes.
    #[error("the system provides no random numbers")]
    Random,
}

/// A public key, as TUF metadata lists it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicKey(Key);

impl PublicKey {
    /// An ed25519 key.
    pub fn ed25519(public: &[u8; 32]) -> Self {
        Self::new("ed25519", "ed25519", encode_hex(public))
    }

    fn new(keytype: &str, scheme: &str, public: String) -> Self {
        let value = json!({
            "keytype": keytype, "scheme": scheme, "keyval": { "public": public },
        });
        PublicKey(serde_json::from_value(value).expect("of that form"))
    }

    /// Reads an entry of the `keys` of root metadata.
    pub fn from_json(key: &Value) -> Option<Self> {
        serde_json::from_value(key.clone()).ok().map(PublicKey)
    }

    /// As TUF metadata lists it.
    pub fn to_json(&self) -> Value {
        json!({
            "keytype": self.0.keytype,
            "scheme": self.0.scheme,
            "keyval": { "public": self.0.keyval.public },
        })
    }

    /// Its id: SHA-256 over the canonical form, as securesystemslib computes
    /// it (TUF specification section 4.2). In metadata that another program
    /// made it may go by another one.
    pub fn id(&self) -> String {
        let form = canonical_json::canonical(&self.to_json()).expect("it has no numbers");
        sha256_hex(&form)
    }

    /// What makes it this key, whatever id it goes by.
    pub fn material(&self) -> KeyMaterial {
        self.0.material()
    }

    /// `ed25519`, `ecdsa-sha2-nistp256`, …
    pub fn scheme(&self) -> &str {
        &self.0.scheme
    }

    /// Whether a signature is by this key.
    pub fn verifies(&self, payload: &[u8], signature: &[u8]) -> bool {
        self.0.verifies(payload, signature)
    }
}

/// The public half of a private key in a known form that needs no passphrase.
pub fn plain_public(text: &str) -> Option<PublicKey> {
    let seed = match text.trim_start().starts_with('{') {
        true => securesystemslib::read_private(text, None),
        false => pem::read_private(text, None),
    };
    seed.ok().map(|seed| Signer::from_seed(&seed).public)
}

/// A private key, ready to sign.
pub struct Signer {
    public: PublicKey,
    how: How,
}

enum How {
    Here(Ed25519KeyPair),
    Elsewhere(External),
}

impl Signer {
    fn from_seed(seed: &[u8; 32]) -> Self {
        let pair = Ed25519KeyPair::from_seed_unchecked(seed).expect("a seed has 32 bytes");
        let public = pair.public_key().as_ref().try_into().expect("32 bytes");
        Signer {
            public: PublicKey::ed25519(&public),
            how: How::Here(pair),
        }
    }

    /// The signature, in hexadecimal. One that an external signer makes is
    /// checked.
    ///
    /// # Errors
    /// [`KeyError::External`].
    pub fn sign(&self, payload: &[u8]) -> Result<String, KeyError> {
        let signature = match &self.how {
            How::Here(pair) => pair.sign(payload).as_ref().to_vec(),
            How::Elsewhere(external) => external.sign(&self.public, payload)?,
        };
        Ok(encode_hex(&signature))
    }
}

#[cfg(test)]
mod tests;
