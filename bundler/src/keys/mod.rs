//! Handles keys: files that OpenSSL reads, key files of securesystemslib, and
//! keys that never leave a device.
//!
//! A key NAME is two files in a key folder: `NAME.pub`, the public key as a
//! PEM SubjectPublicKeyInfo (ed25519, ecdsa on P-256 or P-384, RSA), and, for
//! ed25519, `NAME.pem`, the private key as PKCS#8 (RFC 5958), encrypted with
//! a passphrase (PBES2: scrypt and AES-256-CBC) unless that was declined. The
//! two may be in different folders.
//! tufup's pairs `NAME` and `NAME.pub` (securesystemslib's JSON) are read
//! too. Any other private key is used through an external signer.

mod error;
mod external_signer;
mod files;
mod keyring;
mod passphrase;
mod pem;
mod permissions;
mod public_key;
mod securesystemslib;
mod signer;

pub(crate) use error::KeyError;
pub(crate) use external_signer::External;
pub(crate) use files::{
    KeyFolders, NewKey, create, is_private_key, plain_public, write_private_file,
};
pub(crate) use keyring::{KeyInfo, Keyring, Private};
pub(crate) use passphrase::Passphrases;
pub(crate) use permissions::{check as check_permissions, close as close_to_others};
pub(crate) use public_key::PublicKey;
pub(crate) use signer::Signer;

#[cfg(test)]
mod tests;
