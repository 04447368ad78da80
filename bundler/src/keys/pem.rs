//! PEM files of ed25519 keys: RFC 5958 (PKCS#8), RFC 8410 (ed25519 in it).

use super::PublicKey;
use pkcs8::der::asn1::{BitStringRef, OctetStringRef};
use pkcs8::der::{Decode, DecodePem, Encode, EncodePem};
use pkcs8::spki::{AlgorithmIdentifierRef, SubjectPublicKeyInfoOwned, SubjectPublicKeyInfoRef};
use pkcs8::{
    EncryptedPrivateKeyInfoRef, LineEnding, ObjectIdentifier, PrivateKeyInfoRef, SecretDocument,
};

const ED25519: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.101.112");
const ENCRYPTED: &str = "ENCRYPTED PRIVATE KEY";
const PLAIN: &str = "PRIVATE KEY";

/// Why a private key cannot be read.
pub enum ReadError {
    /// It does not decrypt.
    Passphrase,
    /// It is of another form.
    Form(String),
}

fn algorithm() -> AlgorithmIdentifierRef<'static> {
    AlgorithmIdentifierRef {
        oid: ED25519,
        parameters: None,
    }
}

/// The private key with this seed, encrypted if there is a passphrase.
///
/// Version 1 of the structure, without the public key, since older OpenSSLs
/// do not read version 2.
pub fn write_private(seed: &[u8; 32], passphrase: Option<&str>) -> Result<String, String> {
    let words = |e: &dyn std::fmt::Display| e.to_string();
    let inner = OctetStringRef::new(seed).and_then(|seed| seed.to_der());
    let inner = inner.map_err(|e| words(&e))?;
    let outer = OctetStringRef::new(&inner).map_err(|e| words(&e))?;
    let info = PrivateKeyInfoRef::new(algorithm(), outer);
    let (document, label) = match passphrase {
        Some(passphrase) => (info.encrypt(passphrase).map_err(|e| words(&e))?, ENCRYPTED),
        None => {
            let document = SecretDocument::try_from(&info).map_err(|e| words(&e))?;
            (document, PLAIN)
        }
    };
    let text = document.to_pem(label, LineEnding::LF);
    text.map(|text| text.to_string()).map_err(|e| words(&e))
}

/// Whether a passphrase is needed to read this.
pub fn is_encrypted(text: &str) -> bool {
    text.contains(&format!("-----BEGIN {ENCRYPTED}-----"))
}

/// The seed of a private key.
pub fn read_private(text: &str, passphrase: Option<&str>) -> Result<[u8; 32], ReadError> {
    let form = |e: &dyn std::fmt::Display| ReadError::Form(e.to_string());
    let (label, mut document) = SecretDocument::from_pem(text).map_err(|e| form(&e))?;
    if label == ENCRYPTED {
        let info = EncryptedPrivateKeyInfoRef::try_from(document.as_bytes());
        let info = info.map_err(|e| form(&e))?;
        let decrypted = info.decrypt(passphrase.unwrap_or_default());
        document = decrypted.map_err(|_| ReadError::Passphrase)?;
    } else if label != PLAIN {
        return Err(form(&format!("it holds a {label}")));
    }
    let info = PrivateKeyInfoRef::try_from(document.as_bytes()).map_err(|e| form(&e))?;
    if info.algorithm.oid != ED25519 {
        return Err(form(&"it is a key of another type"));
    }
    let seed = <&OctetStringRef>::from_der(info.private_key.as_bytes()).map_err(|e| form(&e))?;
    let seed = seed.as_bytes().try_into();
    seed.map_err(|_| form(&"it does not have 32 bytes"))
}

/// The public key as a PEM file.
pub fn write_public(key: &PublicKey) -> String {
    let info = SubjectPublicKeyInfoRef {
        algorithm: algorithm(),
        subject_public_key: BitStringRef::from_bytes(&key.0).expect("32 bytes are short"),
    };
    info.to_pem(LineEnding::LF).expect("encodes")
}

/// Reads what [`write_public`] writes.
pub fn read_public(text: &str) -> Result<PublicKey, String> {
    let info = SubjectPublicKeyInfoOwned::from_pem(text).map_err(|e| e.to_string())?;
    if info.algorithm.oid != ED25519 {
        return Err("it is a key of another type".into());
    }
    let bytes = info.subject_public_key.as_bytes();
    bytes
        .and_then(|bytes| bytes.try_into().ok())
        .map(PublicKey)
        .ok_or_else(|| "it does not have 32 bytes".into())
}
