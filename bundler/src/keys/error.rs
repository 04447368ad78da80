//! Says why a key cannot be used, and what to do about it.

use crate::child::PASSPHRASE;
use notsotuf_stub::fs::FsError;
use std::path::{Path, PathBuf};

/// Says why a key cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum KeyError {
    /// A file system call failed.
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
    /// A new key would be published.
    #[error(
        "{folder:?} is in the folder that is published, and the private key would be published \
         with it: name another folder with --key-dir"
    )]
    Published {
        /// The folder that it would be in.
        folder: PathBuf,
    },
    /// The name cannot be a file name.
    #[error("invalid key name {name:?}: use only letters, digits, `_` and `-`")]
    Name {
        /// The name.
        name: String,
    },
    /// The key is not one that this program can read.
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
        "{path:?} is not the private key of {name}: it belongs to another public key; look for \
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
        "Permissions {mode:04o} for {path:?} are too open: others on this computer can use it, \
         so notsotuf does not; {}", fix.words(path)
    )]
    TooOpen {
        /// The file.
        path: PathBuf,
        /// Its permissions.
        mode: u32,
        /// What closes it.
        fix: PermissionFix,
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
         key alone; without it, NOTSOTUF_PASSPHRASE or --passphrase-file is used, or else you \
         are asked at a terminal"
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
        variable(name)
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

/// Says how a file can be closed to others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PermissionFix {
    /// Change its permissions.
    Chmod,
    /// Its file system has no permissions.
    NoPermissions,
}

impl PermissionFix {
    /// Says in words what to do.
    pub(crate) fn words(self, path: &Path) -> String {
        match self {
            PermissionFix::Chmod => {
                format!(
                    "`chmod 600 {}` makes it readable by you alone",
                    shell_word(path)
                )
            }
            PermissionFix::NoPermissions => "its file system keeps no permissions: mount it with \
                 umask=077, copy the file to a disk that does, or encrypt the key"
                .into(),
        }
    }
}

/// Returns a path as a shell takes it for one word.
pub(super) fn shell_word(path: &Path) -> String {
    let text = path.display().to_string();
    let plain = |c: char| c.is_alphanumeric() || "/._-+:@%,=".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        text
    } else {
        format!("'{}'", text.replace('\'', "'\\''"))
    }
}

/// Returns the name of the variable with the passphrase of one key.
pub(super) fn variable(name: &str) -> String {
    format!("{PASSPHRASE}_{}", name.to_uppercase().replace('-', "_"))
}
