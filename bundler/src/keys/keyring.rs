//! Gathers all keys at hand: the keystore, further folders, external signers.
//!
//! The halves of a key may be in different folders, and be called as they
//! like: a plain private key says itself which public key is its own, one
//! that is encrypted is taken for that of its name, and tried for others once
//! it is opened.

use super::error::KeyError;
use super::external_signer::External;
use super::files::{self, Held, NewKey};
use super::passphrase::Passphrases;
use super::pem::ReadError;
use super::permissions;
use super::public_key::PublicKey;
use super::signer::{KeyBackend, Signer};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Says where the private half of a key is.
#[derive(Debug, Clone)]
pub(crate) enum Private {
    /// The private half is not at hand.
    Absent,
    /// The private half is in this file.
    Plain(PathBuf),
    /// In this file, which needs a passphrase.
    Encrypted(PathBuf),
    /// The private half is behind this program.
    External(External),
}

/// Holds what is known of a key without its passphrase.
#[derive(Debug, Clone)]
pub(crate) struct KeyInfo {
    /// Its name: that of its file.
    pub name: String,
    /// Public half.
    pub public: PublicKey,
    /// Private half.
    pub private: Private,
    /// What its files are called otherwise.
    also: Vec<String>,
    /// A private key of its name that is that of another public key.
    wrong: Option<PathBuf>,
}

impl KeyInfo {
    fn new(name: String, public: PublicKey, private: Private) -> Self {
        KeyInfo {
            name,
            public,
            private,
            also: Vec::new(),
            wrong: None,
        }
    }

    fn is_called(&self, name: &str) -> bool {
        self.name == name || self.also.iter().any(|also| also == name)
    }

    /// Returns whether the private half is at hand.
    pub(crate) fn can_sign(&self) -> bool {
        !matches!(self.private, Private::Absent)
    }
}

/// The secret half of a key that was opened.
#[derive(Clone)]
struct Seed([u8; 32]);

impl std::fmt::Debug for Seed {
    fn fmt(&self, out: &mut std::fmt::Formatter) -> std::fmt::Result {
        out.write_str("(secret)")
    }
}

/// Holds the keys at hand.
#[derive(Debug, Clone)]
pub(crate) struct Keyring {
    folders: Vec<PathBuf>,
    keys: Vec<KeyInfo>,
    /// Encrypted private keys that no public key of their name is there for.
    unpaired: Vec<PathBuf>,
    /// Those that were opened, so that none is asked for twice.
    opened: RefCell<BTreeMap<PathBuf, Seed>>,
}

impl Keyring {
    /// Looks through `folders` (missing ones are empty, as a medium may not
    /// be plugged in), for keys and for the public keys of `externals`.
    ///
    /// # Errors
    /// A file that looks like a key and is none.
    pub(crate) fn open(folders: Vec<PathBuf>, externals: Vec<External>) -> Result<Self, KeyError> {
        let mut ring = Keyring {
            folders,
            keys: Vec::new(),
            unpaired: Vec::new(),
            opened: RefCell::default(),
        };
        for external in externals {
            let path = &external.key;
            let public =
                files::public(path)?.ok_or_else(|| KeyError::NoSignerKey { path: path.clone() })?;
            let name = files::stem(path).unwrap_or_default();
            ring.keys
                .push(KeyInfo::new(name, public, Private::External(external)));
        }
        let mut private = Vec::new();
        for folder in ring.folders.clone() {
            let found = files::look_through(&folder)?;
            for (name, public) in found.public {
                match ring.place(&public) {
                    Some(known) => ring.call(known, name),
                    None => ring.keys.push(KeyInfo::new(name, public, Private::Absent)),
                }
            }
            private.extend(found.private);
        }
        for (path, name, held) in private {
            ring.pair(path, name, held);
        }
        ring.keys.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(ring)
    }

    /// Takes in a key that was just made and will be at `path`.
    pub(crate) fn insert(&mut self, key: &NewKey, path: PathBuf) {
        let seed = Seed(key.seed);
        self.opened.borrow_mut().insert(path.clone(), seed);
        let private = Private::Plain(path);
        self.keys
            .push(KeyInfo::new(key.name.clone(), key.public.clone(), private));
    }

    fn place(&self, public: &PublicKey) -> Option<usize> {
        let wanted = public.material();
        self.keys
            .iter()
            .position(|key| key.public.material() == wanted)
    }

    fn call(&mut self, key: usize, name: String) {
        let key = &mut self.keys[key];
        if !key.is_called(&name) {
            key.also.push(name);
        }
    }

    /// Finds the public half of a private key.
    fn pair(&mut self, path: PathBuf, name: String, held: Held) {
        let same_name = self.keys.iter().position(|key| key.is_called(&name));
        match held {
            Held::Plain(public) => {
                let own = self.place(&public);
                if let Some(other) = same_name.filter(|other| Some(*other) != own) {
                    self.keys[other].wrong = Some(path.clone());
                }
                match own {
                    Some(own) => {
                        self.call(own, name);
                        if !self.keys[own].can_sign() {
                            self.keys[own].private = Private::Plain(path);
                        }
                    }
                    None => self
                        .keys
                        .push(KeyInfo::new(name, public, Private::Plain(path))),
                }
            }
            Held::Encrypted => match same_name {
                Some(own) if !self.keys[own].can_sign() => {
                    self.keys[own].private = Private::Encrypted(path);
                }
                _ => self.unpaired.push(path),
            },
            // What is wrong with it is said when it is to sign.
            Held::Broken => {
                if let Some(own) = same_name
                    && !self.keys[own].can_sign()
                {
                    self.keys[own].private = Private::Plain(path);
                }
            }
        }
    }

    /// Returns all keys, by name.
    pub(crate) fn keys(&self) -> &[KeyInfo] {
        &self.keys
    }

    /// Returns the encrypted private keys without a public key of their name.
    pub(crate) fn unpaired(&self) -> &[PathBuf] {
        &self.unpaired
    }

    /// Returns the files of all private keys.
    pub(crate) fn private_files(&self) -> Vec<&Path> {
        let paired = self.keys.iter().filter_map(|key| match &key.private {
            Private::Plain(path) | Private::Encrypted(path) => Some(path),
            Private::Absent | Private::External(_) => None,
        });
        paired.chain(&self.unpaired).map(PathBuf::as_path).collect()
    }

    /// Returns the key of that name.
    ///
    /// # Errors
    /// [`KeyError::Missing`].
    pub(crate) fn named(&self, name: &str) -> Result<&KeyInfo, KeyError> {
        let found = self.keys.iter().find(|key| key.name == name);
        let found = found.or_else(|| self.keys.iter().find(|key| key.is_called(name)));
        found.ok_or_else(|| KeyError::Missing {
            name: name.into(),
            folders: self.places(),
        })
    }

    /// Returns the places in which keys were looked for.
    pub(crate) fn places(&self) -> String {
        let folders = self.folders.iter().map(|f| f.display().to_string());
        folders.collect::<Vec<_>>().join(", ")
    }

    /// Returns the key that is the same as this one.
    pub(crate) fn find(&self, public: &PublicKey) -> Option<&KeyInfo> {
        self.place(public).map(|at| &self.keys[at])
    }

    /// Opens the private half of a key that metadata names; `None` if it is
    /// not at hand.
    ///
    /// # Errors
    /// [`KeyError`].
    pub(crate) fn signer(
        &self,
        public: &PublicKey,
        passphrases: &Passphrases,
    ) -> Result<Option<Signer>, KeyError> {
        let found = self.find(public);
        let mut wrong = found.and_then(|key| key.wrong.clone());
        match found.map(|key| (&key.private, &key.name)) {
            Some((Private::External(external), _)) => {
                return Ok(Some(Signer {
                    public: public.clone(),
                    backend: KeyBackend::External(external.clone()),
                }));
            }
            Some((Private::Plain(path) | Private::Encrypted(path), name)) => {
                permissions::check(path)?;
                let signer = self.read(path, name, passphrases)?;
                if signer.public.material() == public.material() {
                    return Ok(Some(signer));
                }
                wrong = Some(path.clone());
            }
            Some((Private::Absent, _)) | None => {}
        }
        for path in &self.unpaired {
            if let Some(signer) = self.try_to_read(path, passphrases)?
                && signer.public.material() == public.material()
            {
                permissions::check(path)?;
                return Ok(Some(signer));
            }
        }
        match wrong {
            Some(path) => Err(KeyError::Pair {
                path,
                name: found.map(|key| key.name.clone()).unwrap_or_default(),
            }),
            None => Ok(None),
        }
    }

    fn read(&self, path: &Path, name: &str, passphrases: &Passphrases) -> Result<Signer, KeyError> {
        if let Some(seed) = self.opened.borrow().get(path) {
            return Ok(Signer::from_seed(&seed.0));
        }
        let text = files::read(path)?.unwrap_or_default();
        let seed = if files::is_encrypted(&text) {
            let open = |passphrase: &str| files::seed(&text, Some(passphrase));
            passphrases.open(name, path, open)?
        } else {
            files::seed(&text, None).map_err(|e| KeyError::Form {
                path: path.into(),
                reason: match e {
                    ReadError::Form(reason) => reason,
                    ReadError::Passphrase => "it is encrypted".into(),
                },
            })?
        };
        self.opened.borrow_mut().insert(path.into(), Seed(seed));
        Ok(Signer::from_seed(&seed))
    }

    /// A key that may be of no use here, so that it does not matter if it
    /// cannot be opened.
    fn try_to_read(
        &self,
        path: &Path,
        passphrases: &Passphrases,
    ) -> Result<Option<Signer>, KeyError> {
        let name = files::stem(path).unwrap_or_default();
        match self.read(path, &name, passphrases) {
            Ok(signer) => Ok(Some(signer)),
            Err(
                KeyError::Passphrase { .. } | KeyError::NoPassphrase { .. } | KeyError::Form { .. },
            ) => Ok(None),
            Err(e) => Err(e),
        }
    }
}
