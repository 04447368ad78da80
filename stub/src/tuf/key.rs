//! Reads public keys and verifies signatures.
//!
//! Key types and schemes: TUF specification section 4.2.1 and the schemes
//! python-tuf's securesystemslib accepts. A key of an unknown type is carried
//! along and simply never verifies anything, as section 4.2.1 asks.

use crate::hex::decode_hex;
use ring::signature::{self, UnparsedPublicKey, VerificationAlgorithm};
use serde::Deserialize;
use spki::der::DecodePem;
use spki::{ObjectIdentifier, SubjectPublicKeyInfoOwned};

/// Holds a public key as metadata lists it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Key {
    /// `ed25519`, `ecdsa`, `rsa`, … or anything else, which then never verifies.
    pub keytype: String,
    /// The signature scheme, such as `rsassa-pss-sha256`.
    pub scheme: String,
    /// The public value.
    pub keyval: KeyVal,
}

/// Describes the `keyval` object of a [`Key`].
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct KeyVal {
    /// Hexadecimal for ed25519, a PEM `SubjectPublicKeyInfo` otherwise.
    pub public: String,
}

/// Holds what makes two listed keys the same key, whatever their ids are.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct KeyMaterial(Vec<u8>);

const OID_RSA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");

const OID_EC: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");

impl Key {
    /// Returns the decoded public value, by which thresholds count distinct
    /// keys. A key of unknown form stands for itself.
    pub fn material(&self) -> KeyMaterial {
        KeyMaterial(
            self.decode()
                .map(|(_, bytes)| bytes)
                .unwrap_or_else(|| format!("{}\n{}", self.keytype, self.keyval.public).into()),
        )
    }

    /// Returns whether `signature` over `message` is by this key. Unknown key
    /// types, unknown schemes and undecodable keys answer `false`.
    pub fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        self.decode().is_some_and(|(algorithm, public)| {
            UnparsedPublicKey::new(algorithm, public)
                .verify(message, signature)
                .is_ok()
        })
    }

    fn decode(&self) -> Option<(&'static dyn VerificationAlgorithm, Vec<u8>)> {
        match (self.keytype.as_str(), self.scheme.as_str()) {
            ("ed25519", "ed25519") => Some((
                &signature::ED25519,
                decode_hex(&self.keyval.public).filter(|key| key.len() == 32)?,
            )),
            ("ecdsa" | "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp256") => {
                Some((&signature::ECDSA_P256_SHA256_ASN1, self.ec_point(65)?))
            }
            ("ecdsa" | "ecdsa-sha2-nistp384", "ecdsa-sha2-nistp384") => {
                Some((&signature::ECDSA_P384_SHA384_ASN1, self.ec_point(97)?))
            }
            ("rsa", "rsassa-pss-sha256") => Some((
                &signature::RSA_PSS_2048_8192_SHA256,
                spki_bits(&self.keyval.public, OID_RSA)?,
            )),
            ("rsa", "rsa-pkcs1v15-sha256") => Some((
                &signature::RSA_PKCS1_2048_8192_SHA256,
                spki_bits(&self.keyval.public, OID_RSA)?,
            )),
            _ => None,
        }
    }

    /// An uncompressed curve point of `length` bytes, from PEM or, as early
    /// Sigstore metadata has it, from hexadecimal.
    fn ec_point(&self, length: usize) -> Option<Vec<u8>> {
        decode_hex(&self.keyval.public)
            .or_else(|| spki_bits(&self.keyval.public, OID_EC))
            .filter(|point| point.len() == length && point[0] == 4)
    }
}

fn spki_bits(pem: &str, algorithm: ObjectIdentifier) -> Option<Vec<u8>> {
    let spki = SubjectPublicKeyInfoOwned::from_pem(pem.trim()).ok()?;
    (spki.algorithm.oid == algorithm).then(|| spki.subject_public_key.as_bytes().map(Into::into))?
}
