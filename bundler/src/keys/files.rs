//! Finds the files of keys in a folder, and writes new ones.

use super::error::KeyError;
use super::pem::{self, ReadError};
use super::public_key::PublicKey;
use super::securesystemslib;
use super::signer::Signer;
use notsotuf_stub::fs::{self, FsError};
use ring::rand::{SecureRandom, SystemRandom};
use std::io::Write;
use std::path::{Path, PathBuf};

/// A key file larger than this is none.
const MAX_KEY: u64 = 64 << 10;

/// Says what a file with a private key tells without its passphrase.
pub(super) enum Held {
    /// It is not encrypted; this is its public half.
    Plain(PublicKey),
    /// It is encrypted.
    Encrypted,
    /// The file is called as private keys are, and is none that this program
    /// reads.
    Broken,
}

/// Lists what is in a folder of keys.
#[derive(Default)]
pub(super) struct Found {
    /// Public keys, with their names.
    pub public: Vec<(String, PublicKey)>,
    /// Files with private keys, with their names.
    pub private: Vec<(PathBuf, String, Held)>,
}

/// Looks for keys in a folder: public ones in `NAME.pub`, private ones in any
/// file. Whatever else is on a medium is left alone.
///
/// # Errors
/// A public key of an unknown form.
pub(super) fn look_through(folder: &Path) -> Result<Found, KeyError> {
    let mut found = Found::default();
    for path in fs::list(folder)? {
        let Some(name) = stem(&path) else { continue };
        let extension = path.extension();
        if extension.is_some_and(|extension| extension == "pub") {
            if let Some(public) = public(&path)? {
                found.public.push((name, public));
            }
        } else if let Some(held) = private(&path) {
            found.private.push((path, name, held));
        }
    }
    Ok(found)
}

/// Returns whether a file holds a private key in a form that this program reads,
/// whatever it is called.
pub(crate) fn is_private_key(path: &Path) -> bool {
    matches!(private(path), Some(Held::Plain(_) | Held::Encrypted))
}

/// What kind of private key a file is; `None` if it is none.
fn private(path: &Path) -> Option<Held> {
    let file = std::fs::metadata(path).ok()?;
    if !file.is_file() || file.len() > MAX_KEY {
        return None;
    }
    let called = path.extension().is_none_or(|extension| extension == "pem");
    let broken = || called.then_some(Held::Broken);
    let Ok(Some(text)) = read(path) else {
        return broken();
    };
    if is_encrypted(&text) {
        return Some(Held::Encrypted);
    }
    match seed(&text, None) {
        Ok(seed) => Some(Held::Plain(Signer::from_seed(&seed).public)),
        Err(_) => broken(),
    }
}

/// Returns a file's name without its extension.
pub(super) fn stem(path: &Path) -> Option<String> {
    Some(path.file_stem()?.to_str()?.to_owned())
}

/// Returns whether a private key needs a passphrase.
pub(super) fn is_encrypted(text: &str) -> bool {
    pem::is_encrypted(text) || securesystemslib::is_encrypted(text)
}

/// Returns whether a file holds a private key that needs a passphrase.
pub(super) fn is_encrypted_file(path: &Path) -> bool {
    matches!(read(path), Ok(Some(text)) if is_encrypted(&text))
}

/// Returns the seed of a private key.
///
/// # Errors
/// [`ReadError`].
pub(super) fn seed(text: &str, passphrase: Option<&str>) -> Result<[u8; 32], ReadError> {
    if securesystemslib::is_private(text) {
        securesystemslib::read_private(text, passphrase)
    } else {
        pem::read_private(text, passphrase)
    }
}

/// Reads the file of a public key; `None` if there is none.
///
/// # Errors
/// [`KeyError::Form`].
pub(super) fn public(path: &Path) -> Result<Option<PublicKey>, KeyError> {
    let Some(text) = read(path)? else {
        return Ok(None);
    };
    let key = if text.trim_start().starts_with('{') {
        securesystemslib::read_public(&text)
    } else {
        pem::read_public(&text)
    };
    key.map(Some).map_err(|reason| KeyError::Form {
        path: path.into(),
        reason,
    })
}

/// Reads a key file; `None` if there is none.
///
/// # Errors
/// [`KeyError`].
pub(super) fn read(path: &Path) -> Result<Option<String>, KeyError> {
    let Some(bytes) = fs::read_optional(path, MAX_KEY)? else {
        return Ok(None);
    };
    let text = String::from_utf8(bytes).map_err(|_| KeyError::Form {
        path: path.into(),
        reason: "it is not text".into(),
    })?;
    Ok(Some(text))
}

/// Holds a new key that was not written yet.
pub(crate) struct NewKey {
    /// Its name.
    pub name: String,
    /// Its public half.
    pub public: PublicKey,
    /// The file of the private half.
    pub private_text: String,
    /// The file of the public half.
    pub public_text: String,
    pub(super) seed: [u8; 32],
}

impl NewKey {
    /// Makes an ed25519 key. Without a passphrase its file protects itself
    /// only by its permissions.
    ///
    /// # Errors
    /// [`KeyError::Name`], or what the system's random numbers say.
    pub(crate) fn generate(name: &str, passphrase: Option<&str>) -> Result<Self, KeyError> {
        if !notsotuf_stub::catalog::is_name(name) {
            return Err(KeyError::Name { name: name.into() });
        }
        let mut seed = [0; 32];
        SystemRandom::new()
            .fill(&mut seed)
            .map_err(|_| KeyError::Random)?;
        let signer = Signer::from_seed(&seed);
        let form = |reason| KeyError::Form {
            path: name.into(),
            reason,
        };
        Ok(NewKey {
            name: name.into(),
            private_text: pem::write_private(&seed, passphrase).map_err(form)?,
            public_text: pem::write_public(&signer).map_err(form)?,
            public: signer.public,
            seed,
        })
    }

    /// Returns the names of the key's files in a folder: the private one, the
    /// public one.
    pub(crate) fn paths(name: &str, folder: &Path) -> [PathBuf; 2] {
        ["pem", "pub"].map(|extension| folder.join(format!("{name}.{extension}")))
    }
}

/// Says where the halves of a new key go.
#[derive(Debug, Clone, Copy)]
pub(crate) struct KeyFolders<'a> {
    /// The folder of the key: both halves.
    pub key: &'a Path,
    /// The keystore of the project: the public half, so that roles can be given
    /// to the key without the medium that it is on.
    pub keystore: &'a Path,
}

/// Makes a new ed25519 key.
///
/// # Errors
/// [`KeyError::Exists`] if there is one of that name.
pub(crate) fn create(
    name: &str,
    passphrase: Option<&str>,
    folders: KeyFolders,
) -> Result<PublicKey, KeyError> {
    let key = NewKey::generate(name, passphrase)?;
    let [private, beside] = NewKey::paths(name, folders.key);
    let [_, public] = NewKey::paths(name, folders.keystore);
    for path in [&private, &beside, &public] {
        if path.exists() {
            return Err(KeyError::Exists { path: path.clone() });
        }
    }
    fs::create_dir_all(folders.key)?;
    fs::create_dir_all(folders.keystore)?;
    let _whole = crate::interrupt::hold();
    let written = write_private_file(&private, key.private_text.as_bytes()).and_then(|()| {
        fs::write_atomically(&beside, key.public_text.as_bytes())?;
        fs::write_atomically(&public, key.public_text.as_bytes())
    });
    if let Err(e) = written {
        // Nobody has used it.
        for path in [&private, &beside, &public] {
            fs::remove_file_if_exists(path)?;
        }
        return Err(e.into());
    }
    Ok(key.public)
}

/// Creates a file that only its owner may read, from the first moment on,
/// whole or not at all.
///
/// # Errors
/// The file system's, also if there is one of that name.
pub(crate) fn write_private_file(path: &Path, bytes: &[u8]) -> Result<(), FsError> {
    let folder = path.parent().unwrap_or_else(|| Path::new("."));
    let failed = |what| move |e| FsError::new(what, path, e);
    // Such files have mode 600.
    let mut file = tempfile::Builder::new()
        .prefix(".tmp-")
        .tempfile_in(folder)
        .map_err(|e| FsError::new("create a file in", folder, e))?;
    file.write_all(bytes)
        .and_then(|()| file.as_file().sync_all())
        .map_err(failed("write"))?;
    file.persist_noclobber(path)
        .map_err(|e| failed("create")(e.error))?;
    fs::sync_dir(folder)
}

/// Returns the public half of a private key in a known form that needs no
/// passphrase.
pub(crate) fn plain_public(text: &str) -> Option<PublicKey> {
    let seed = if text.trim_start().starts_with('{') {
        securesystemslib::read_private(text, None)
    } else {
        pem::read_private(text, None)
    };
    seed.ok().map(|seed| Signer::from_seed(&seed).public)
}
