//! Reads and writes PEM files: RFC 5958 (PKCS#8), RFC 8410 (ed25519 in it).

use super::public_key::PublicKey;
use super::signer::Signer;
use notsotuf_stub::hex::decode_hex;
use pkcs8::der::asn1::{BitStringRef, OctetStringRef};
use pkcs8::der::{Decode, DecodePem, Encode, EncodePem};
use pkcs8::pkcs5::{pbes2, scrypt};
use pkcs8::spki::{AlgorithmIdentifierRef, SubjectPublicKeyInfoOwned, SubjectPublicKeyInfoRef};
use pkcs8::{
    EncryptedPrivateKeyInfoRef, LineEnding, ObjectIdentifier, PrivateKeyInfoRef, SecretDocument,
};
use ring::rand::{SecureRandom, SystemRandom};

const ED25519: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.101.112");
const EC: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");
const P256: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.3.1.7");
const P384: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.132.0.34");
const RSA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");
/// What OWASP's "Password Storage Cheat Sheet" asks for: N = 2^17, r = 8, p = 1.
const SCRYPT_LOG_N: u8 = 17;
const SCRYPT_R: u32 = 8;
const SCRYPT_P: u32 = 1;
const ENCRYPTED: &str = "ENCRYPTED PRIVATE KEY";
const PLAIN: &str = "PRIVATE KEY";

/// Says why a private key cannot be read.
pub(crate) enum ReadError {
    /// The key does not decrypt.
    Passphrase,
    /// The key is of another form.
    Form(String),
}

fn algorithm() -> AlgorithmIdentifierRef<'static> {
    AlgorithmIdentifierRef {
        oid: ED25519,
        parameters: None,
    }
}

/// Writes the private key with this seed, encrypted if there is a passphrase.
///
/// Version 1 of the structure, without the public key, since older OpenSSLs
/// do not read version 2.
pub(super) fn write_private(seed: &[u8; 32], passphrase: Option<&str>) -> Result<String, String> {
    let words = |e: &dyn std::fmt::Display| e.to_string();
    let inner = OctetStringRef::new(seed).and_then(|seed| seed.to_der());
    let inner = inner.map_err(|e| words(&e))?;
    let outer = OctetStringRef::new(&inner).map_err(|e| words(&e))?;
    let info = PrivateKeyInfoRef::new(algorithm(), outer);
    let (document, label) = match passphrase {
        Some(passphrase) => (encrypt(&info, passphrase)?, ENCRYPTED),
        None => {
            let document = SecretDocument::try_from(&info).map_err(|e| words(&e))?;
            (document, PLAIN)
        }
    };
    let text = document.to_pem(label, LineEnding::LF);
    text.map(|text| text.to_string()).map_err(|e| words(&e))
}

/// Encrypts with scrypt and AES-256-CBC.
fn encrypt(info: &PrivateKeyInfoRef, passphrase: &str) -> Result<SecretDocument, String> {
    let mut salt = [0; 16];
    let mut iv = [0; 16];
    let random = SystemRandom::new();
    for bytes in [&mut salt, &mut iv] {
        random
            .fill(bytes)
            .map_err(|_| "the system provides no random numbers")?;
    }
    let cost = scrypt::Params::new(SCRYPT_LOG_N, SCRYPT_R, SCRYPT_P).map_err(|e| e.to_string())?;
    let how = pbes2::Parameters::generate_scrypt_aes256cbc(cost, &salt, iv);
    let how = how.map_err(|e| e.to_string())?;
    info.encrypt_with_params(how, passphrase)
        .map_err(|e| e.to_string())
}

/// Returns whether a passphrase is needed to read this private key.
pub(super) fn is_encrypted(text: &str) -> bool {
    text.contains(&format!("-----BEGIN {ENCRYPTED}-----"))
}

/// Reads the seed of a private key.
pub(super) fn read_private(text: &str, passphrase: Option<&str>) -> Result<[u8; 32], ReadError> {
    let form = |e: &dyn std::fmt::Display| ReadError::Form(e.to_string());
    if !text.contains("-----BEGIN ") {
        let what = if text.trim().is_empty() {
            "it is empty"
        } else {
            "it does not begin with -----BEGIN PRIVATE KEY-----"
        };
        return Err(form(&what));
    }
    let (label, mut document) =
        SecretDocument::from_pem(text.trim()).map_err(|e| form(&format!("it is damaged ({e})")))?;
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
        return Err(form(
            &"it is not an ed25519 key; other keys sign through a program ([[signers]])",
        ));
    }
    let seed = <&OctetStringRef>::from_der(info.private_key.as_bytes()).map_err(|e| form(&e))?;
    let seed = seed.as_bytes().try_into();
    seed.map_err(|_| form(&"it does not have 32 bytes"))
}

/// Writes the public key of an ed25519 signer as a PEM file.
pub(super) fn write_public(signer: &Signer) -> Result<String, String> {
    let public = signer.public.to_json();
    let public = public["keyval"]["public"].as_str().and_then(decode_hex);
    let public = public.ok_or("it is not an ed25519 key")?;
    let info = SubjectPublicKeyInfoRef {
        algorithm: algorithm(),
        subject_public_key: BitStringRef::from_bytes(&public).map_err(|e| e.to_string())?,
    };
    info.to_pem(LineEnding::LF).map_err(|e| e.to_string())
}

/// Reads a public key: ed25519 (RFC 8410), ecdsa on P-256 or P-384 (RFC
/// 5480), or RSA, which is taken to sign with PSS.
pub(super) fn read_public(text: &str) -> Result<PublicKey, String> {
    let info = SubjectPublicKeyInfoOwned::from_pem(text.trim()).map_err(|e| e.to_string())?;
    let pem = || text.trim().to_owned() + "\n";
    let curve = || {
        let parameters = info.algorithm.parameters.as_ref()?;
        parameters.decode_as::<ObjectIdentifier>().ok()
    };
    match info.algorithm.oid {
        ED25519 => {
            let bytes = info.subject_public_key.as_bytes();
            bytes
                .and_then(|bytes| bytes.try_into().ok())
                .map(PublicKey::ed25519)
                .ok_or_else(|| "it does not have 32 bytes".into())
        }
        EC if curve() == Some(P256) => Ok(PublicKey::new("ecdsa", "ecdsa-sha2-nistp256", pem())),
        EC if curve() == Some(P384) => Ok(PublicKey::new("ecdsa", "ecdsa-sha2-nistp384", pem())),
        RSA => Ok(PublicKey::new("rsa", "rsassa-pss-sha256", pem())),
        _ => Err("it is neither ed25519, ecdsa on P-256 or P-384, nor RSA".into()),
    }
}
