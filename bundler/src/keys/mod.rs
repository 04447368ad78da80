//! Keys: ed25519, in PEM files that OpenSSL and others read too.
//!
//! A key NAME is two files in the keystore: `NAME.pem`, the private key as
//! PKCS#8 (RFC 5958), encrypted with a passphrase (PBES2: scrypt and
//! AES-256-CBC) unless that was declined; and `NAME.pub`, the public key as
//! SubjectPublicKeyInfo (RFC 8410).

mod passphrase;
mod pem;

pub use passphrase::Passphrases;

use notsotuf_stub::fs::{self, FsError};
use notsotuf_stub::tuf::json;
use notsotuf_stub::tuf::key::encode_hex;
use ring::digest;
use ring::rand::{SecureRandom, SystemRandom};
use ring::signature::{Ed25519KeyPair, KeyPair};
use serde_json::{Value, json};
use std::io::Write;
use std::path::{Path, PathBuf};

/// A key file larger than this is none.
const MAX_KEY: u64 = 64 << 10;

/// Why a key cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The file system.
    #[error(transparent)]
    Fs(#[from] FsError),
    /// There is no such key.
    #[error("there is no key {name:?} in {folder:?}; `notsotuf keys create {name}` makes one")]
    Missing {
        /// Name of the key.
        name: String,
        /// The keystore.
        folder: PathBuf,
    },
    /// A key of that name is there already.
    #[error("{path:?} exists already; a key is never overwritten")]
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
    #[error("{path:?} is not an ed25519 key in PEM form: {reason}")]
    Form {
        /// Its file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// The passphrase is wrong (or the file is damaged).
    #[error("{path:?} cannot be decrypted; the passphrase is wrong")]
    Passphrase {
        /// The key's file.
        path: PathBuf,
    },
    /// A passphrase is needed and there is none.
    #[error(
        "the key {name:?} needs a passphrase: set NOTSOTUF_PASSPHRASE (or \
         NOTSOTUF_PASSPHRASE_{upper}), name a file with --passphrase-file, or run this at a \
         terminal", upper = name.to_uppercase().replace('-', "_")
    )]
    NoPassphrase {
        /// Name of the key.
        name: String,
    },
    /// The system gave no random bytes.
    #[error("the system provides no random numbers")]
    Random,
}

/// A public ed25519 key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicKey(pub [u8; 32]);

impl PublicKey {
    /// As TUF metadata lists it.
    pub fn to_json(&self) -> Value {
        json!({
            "keytype": "ed25519",
            "scheme": "ed25519",
            "keyval": { "public": encode_hex(&self.0) },
        })
    }

    /// Its id: SHA-256 over the canonical form, as securesystemslib computes
    /// it (TUF specification section 4.2).
    pub fn id(&self) -> String {
        let form = json::canonical(&self.to_json()).expect("it has no numbers");
        encode_hex(digest::digest(&digest::SHA256, &form).as_ref())
    }
}

/// A private key, ready to sign.
pub struct Signer {
    public: PublicKey,
    pair: Ed25519KeyPair,
}

impl Signer {
    fn from_seed(seed: &[u8; 32]) -> Self {
        let pair = Ed25519KeyPair::from_seed_unchecked(seed).expect("a seed has 32 bytes");
        let public = pair.public_key().as_ref().try_into().expect("32 bytes");
        Signer {
            public: PublicKey(public),
            pair,
        }
    }

    /// Its public half.
    pub fn public(&self) -> &PublicKey {
        &self.public
    }

    /// The signature, in hexadecimal.
    pub fn sign(&self, payload: &[u8]) -> String {
        encode_hex(self.pair.sign(payload).as_ref())
    }
}

/// What is known of a key without its passphrase.
#[derive(Debug)]
pub struct Info {
    /// Name in the keystore.
    pub name: String,
    /// Public half.
    pub public: PublicKey,
    /// `None`: the private half is not here.
    pub encrypted: Option<bool>,
}

/// A folder of keys.
#[derive(Debug, Clone)]
pub struct Keystore {
    folder: PathBuf,
}

impl Keystore {
    /// The keystore in `folder`, which need not exist yet.
    pub fn new(folder: PathBuf) -> Self {
        Keystore { folder }
    }

    fn private_path(&self, name: &str) -> PathBuf {
        self.folder.join(format!("{name}.pem"))
    }

    fn public_path(&self, name: &str) -> PathBuf {
        self.folder.join(format!("{name}.pub"))
    }

    /// Makes a new key. Without a passphrase the file protects itself only
    /// by its permissions.
    ///
    /// # Errors
    /// [`KeyError::Exists`] if there is one of that name.
    pub fn create(&self, name: &str, passphrase: Option<&str>) -> Result<PublicKey, KeyError> {
        check_name(name)?;
        let (private, public) = (self.private_path(name), self.public_path(name));
        for path in [&private, &public] {
            if path.exists() {
                return Err(KeyError::Exists { path: path.clone() });
            }
        }
        fs::create_dir_all(&self.folder)?;
        let mut seed = [0; 32];
        SystemRandom::new()
            .fill(&mut seed)
            .map_err(|_| KeyError::Random)?;
        let signer = Signer::from_seed(&seed);
        let text = pem::write_private(&seed, passphrase).map_err(|reason| KeyError::Form {
            path: private.clone(),
            reason,
        })?;
        write_private_file(&private, text.as_bytes())?;
        fs::write_atomically(&public, pem::write_public(&signer.public).as_bytes())?;
        Ok(signer.public)
    }

    /// The public half of a key.
    ///
    /// # Errors
    /// [`KeyError::Missing`] or [`KeyError::Form`].
    pub fn public(&self, name: &str) -> Result<PublicKey, KeyError> {
        check_name(name)?;
        let path = self.public_path(name);
        let text = read(&path)?.ok_or_else(|| KeyError::Missing {
            name: name.into(),
            folder: self.folder.clone(),
        })?;
        pem::read_public(&text).map_err(|reason| KeyError::Form { path, reason })
    }

    /// Opens the private half, with a passphrase if it needs one.
    ///
    /// # Errors
    /// [`KeyError`].
    pub fn open(&self, name: &str, passphrases: &Passphrases) -> Result<Signer, KeyError> {
        check_name(name)?;
        let path = self.private_path(name);
        let text = read(&path)?.ok_or_else(|| KeyError::Missing {
            name: name.into(),
            folder: self.folder.clone(),
        })?;
        let passphrase = if pem::is_encrypted(&text) {
            Some(passphrases.get(name)?)
        } else {
            None
        };
        match pem::read_private(&text, passphrase.as_deref()) {
            Ok(seed) => Ok(Signer::from_seed(&seed)),
            Err(pem::ReadError::Passphrase) => Err(KeyError::Passphrase { path }),
            Err(pem::ReadError::Form(reason)) => Err(KeyError::Form { path, reason }),
        }
    }

    /// All keys in the folder, by name.
    ///
    /// # Errors
    /// [`KeyError::Form`] for a `.pub` file that is no key.
    pub fn list(&self) -> Result<Vec<Info>, KeyError> {
        let mut keys = Vec::new();
        for path in fs::list(&self.folder)? {
            if path.extension().is_none_or(|extension| extension != "pub") {
                continue;
            }
            let Some(name) = path.file_stem().and_then(|stem| stem.to_str()) else {
                continue;
            };
            keys.push(Info {
                name: name.into(),
                public: self.public(name)?,
                encrypted: read(&self.private_path(name))?.map(|text| pem::is_encrypted(&text)),
            });
        }
        Ok(keys)
    }
}

fn read(path: &Path) -> Result<Option<String>, KeyError> {
    let Some(bytes) = fs::read_optional(path, MAX_KEY)? else {
        return Ok(None);
    };
    let text = String::from_utf8(bytes).map_err(|_| KeyError::Form {
        path: path.into(),
        reason: "it is not text".into(),
    })?;
    Ok(Some(text))
}

/// Creates a file that only its owner may read, from the first moment on.
fn write_private_file(path: &Path, bytes: &[u8]) -> Result<(), FsError> {
    let mut how = std::fs::OpenOptions::new();
    how.write(true).create_new(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        how.mode(0o600);
    }
    let mut file = how
        .open(path)
        .map_err(|e| FsError::new("create", path, e))?;
    file.write_all(bytes)
        .and_then(|()| file.sync_all())
        .map_err(|e| FsError::new("write", path, e))
}

fn check_name(name: &str) -> Result<(), KeyError> {
    if notsotuf_stub::select::is_name(name) {
        return Ok(());
    }
    Err(KeyError::Name { name: name.into() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use notsotuf_stub::tuf::key::decode_hex;

    #[test]
    fn keys_are_made_opened_and_never_overwritten() {
        let folder = tempfile::tempdir().unwrap();
        let store = Keystore::new(folder.path().join("keys"));
        let secret = Passphrases::fixed("correct horse");
        let plain = store.create("plain", None).unwrap();
        let locked = store.create("locked", Some("correct horse")).unwrap();
        assert_ne!(plain, locked);
        assert!(matches!(
            store.create("plain", None),
            Err(KeyError::Exists { .. })
        ));
        assert!(matches!(
            store.create("../x", None),
            Err(KeyError::Name { .. })
        ));
        for (name, public) in [("plain", &plain), ("locked", &locked)] {
            let signer = store.open(name, &secret).unwrap();
            assert_eq!(signer.public(), public);
            assert_eq!(&store.public(name).unwrap(), public);
            let signature = decode_hex(&signer.sign(b"payload")).unwrap();
            let key: notsotuf_stub::tuf::key::Key =
                serde_json::from_value(public.to_json()).unwrap();
            assert!(key.verifies(b"payload", &signature));
            assert!(!key.verifies(b"another", &signature));
        }
        let wrong = store.open("locked", &Passphrases::fixed("wrong"));
        assert!(matches!(wrong, Err(KeyError::Passphrase { .. })));
        let missing = store.open("none", &secret);
        assert!(matches!(missing, Err(KeyError::Missing { .. })));
        let listed: Vec<_> = store.list().unwrap();
        let listed: Vec<_> = listed
            .iter()
            .map(|k| (k.name.as_str(), k.encrypted))
            .collect();
        assert_eq!(listed, [("locked", Some(true)), ("plain", Some(false))]);
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let file = std::fs::metadata(store.private_path("plain")).unwrap();
            assert_eq!(file.permissions().mode() & 0o777, 0o600);
        }
    }
}
