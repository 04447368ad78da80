//! All keys at hand: the keystore, further folders, external signers.

use super::external::External;
use super::passphrase::Passphrases;
use super::{How, KeyError, PublicKey, Signer, legacy, pem};
use notsotuf_stub::fs::{self, FsError};
use ring::rand::{SecureRandom, SystemRandom};
use std::io::Write;
use std::path::{Path, PathBuf};

/// A key file larger than this is none.
const MAX_KEY: u64 = 64 << 10;

/// Where the private half of a key is.
#[derive(Debug, Clone)]
pub enum Private {
    /// Not at hand.
    No,
    /// In this file.
    Plain(PathBuf),
    /// In this file, which needs a passphrase.
    Encrypted(PathBuf),
    /// Behind this program.
    External(External),
}

/// What is known of a key without its passphrase.
#[derive(Debug, Clone)]
pub struct Info {
    /// Its name: that of its file.
    pub name: String,
    /// Public half.
    pub public: PublicKey,
    /// Private half.
    pub private: Private,
}

/// The keys at hand.
#[derive(Debug, Clone)]
pub struct Keyring {
    folders: Vec<PathBuf>,
    keys: Vec<Info>,
}

impl Keyring {
    /// Looks through `folders` (missing ones are empty, as a medium may not
    /// be plugged in), for keys and for the public keys of `externals`.
    ///
    /// # Errors
    /// A file that looks like a key and is none.
    pub fn open(folders: Vec<PathBuf>, externals: Vec<External>) -> Result<Self, KeyError> {
        let mut keys: Vec<Info> = Vec::new();
        for external in externals {
            let path = &external.key;
            let text = read(path)?.ok_or_else(|| KeyError::Form {
                path: path.clone(),
                reason: "it is missing".into(),
            })?;
            keys.push(Info {
                name: stem(path).unwrap_or_default(),
                public: read_public(path, &text)?,
                private: Private::External(external),
            });
        }
        for folder in &folders {
            for path in fs::list(folder)? {
                if path.extension().is_none_or(|extension| extension != "pub") {
                    continue;
                }
                let (Some(name), Some(text)) = (stem(&path), read(&path)?) else {
                    continue;
                };
                let public = read_public(&path, &text)?;
                let private = private(folder, &name)?;
                let same = |key: &&mut Info| key.public.material() == public.material();
                match keys.iter_mut().find(same) {
                    // The same public key on several media.
                    Some(known) if matches!(known.private, Private::No) => known.private = private,
                    Some(_) => {}
                    None => keys.push(Info {
                        name,
                        public,
                        private,
                    }),
                }
            }
        }
        keys.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(Keyring { folders, keys })
    }

    /// All of them, by name.
    pub fn keys(&self) -> &[Info] {
        &self.keys
    }

    /// The key of that name.
    ///
    /// # Errors
    /// [`KeyError::Missing`].
    pub fn named(&self, name: &str) -> Result<&Info, KeyError> {
        let found = self.keys.iter().find(|key| key.name == name);
        found.ok_or_else(|| {
            let folders: Vec<_> = self
                .folders
                .iter()
                .map(|f| f.display().to_string())
                .collect();
            KeyError::Missing {
                name: name.into(),
                folders: folders.join(", "),
            }
        })
    }

    /// The key that is this one.
    pub fn find(&self, public: &PublicKey) -> Option<&Info> {
        let wanted = public.material();
        self.keys.iter().find(|key| key.public.material() == wanted)
    }

    /// Opens the private half; `None` if it is not at hand.
    ///
    /// # Errors
    /// [`KeyError`].
    pub fn signer(
        &self,
        key: &Info,
        passphrases: &Passphrases,
    ) -> Result<Option<Signer>, KeyError> {
        let (path, passphrase) = match &key.private {
            Private::No => return Ok(None),
            Private::External(external) => {
                return Ok(Some(Signer {
                    public: key.public.clone(),
                    how: How::Elsewhere(external.clone()),
                }));
            }
            Private::Plain(path) => (path, None),
            Private::Encrypted(path) => (path, Some(passphrases.get(&key.name)?)),
        };
        let text = read(path)?.unwrap_or_default();
        let seed = if legacy::is_private(&text) {
            legacy::read_private(&text, passphrase.as_deref())
        } else {
            pem::read_private(&text, passphrase.as_deref())
        };
        let seed = seed.map_err(|e| match e {
            pem::ReadError::Passphrase => KeyError::Passphrase { path: path.clone() },
            pem::ReadError::Form(reason) => KeyError::Form {
                path: path.clone(),
                reason,
            },
        })?;
        let signer = Signer::from_seed(&seed);
        if signer.public.material() != key.public.material() {
            return Err(KeyError::Pair { path: path.clone() });
        }
        Ok(Some(signer))
    }
}

fn stem(path: &Path) -> Option<String> {
    Some(path.file_stem()?.to_str()?.to_owned())
}

fn private(folder: &Path, name: &str) -> Result<Private, KeyError> {
    for path in [folder.join(format!("{name}.pem")), folder.join(name)] {
        if !path.is_file() {
            continue;
        }
        if let Some(text) = read(&path)? {
            let encrypted = pem::is_encrypted(&text) || legacy::is_encrypted(&text);
            return Ok(if encrypted {
                Private::Encrypted(path)
            } else {
                Private::Plain(path)
            });
        }
    }
    Ok(Private::No)
}

fn read_public(path: &Path, text: &str) -> Result<PublicKey, KeyError> {
    let key = if text.trim_start().starts_with('{') {
        legacy::read_public(text)
    } else {
        pem::read_public(text)
    };
    key.map_err(|reason| KeyError::Form {
        path: path.into(),
        reason,
    })
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

/// Makes a new ed25519 key in `folder`, and its public half in `keystore` too.
/// Without a passphrase the file protects itself only by its permissions.
///
/// # Errors
/// [`KeyError::Exists`] if there is one of that name.
pub fn create(
    folder: &Path,
    keystore: &Path,
    name: &str,
    passphrase: Option<&str>,
) -> Result<PublicKey, KeyError> {
    if !notsotuf_stub::select::is_name(name) {
        return Err(KeyError::Name { name: name.into() });
    }
    let private = folder.join(format!("{name}.pem"));
    let public = [folder, keystore].map(|folder| folder.join(format!("{name}.pub")));
    for path in public.iter().chain([&private]) {
        if path.exists() {
            return Err(KeyError::Exists { path: path.clone() });
        }
    }
    fs::create_dir_all(folder)?;
    fs::create_dir_all(keystore)?;
    let mut seed = [0; 32];
    SystemRandom::new()
        .fill(&mut seed)
        .map_err(|_| KeyError::Random)?;
    let signer = Signer::from_seed(&seed);
    let form = |reason| KeyError::Form {
        path: private.clone(),
        reason,
    };
    let text = pem::write_private(&seed, passphrase).map_err(form)?;
    let public_text = pem::write_public(&signer).map_err(form)?;
    write_private_file(&private, text.as_bytes())?;
    for path in &public {
        fs::write_atomically(path, public_text.as_bytes())?;
    }
    Ok(signer.public)
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
