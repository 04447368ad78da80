//! Signs with private keys that are open, here or through a program.

use super::error::KeyError;
use super::external_signer::External;
use super::public_key::PublicKey;
use notsotuf_stub::hex::encode_hex;
use ring::signature::{Ed25519KeyPair, KeyPair};

/// Holds a private key that is ready to sign.
pub(crate) struct Signer {
    pub public: PublicKey,
    pub backend: KeyBackend,
}

pub(crate) enum KeyBackend {
    InMemory(Ed25519KeyPair),
    External(External),
}

impl Signer {
    pub(crate) fn from_seed(seed: &[u8; 32]) -> Self {
        let pair = Ed25519KeyPair::from_seed_unchecked(seed).expect("a seed has 32 bytes");
        let public = pair.public_key().as_ref().try_into().expect("32 bytes");
        Signer {
            public: PublicKey::ed25519(&public),
            backend: KeyBackend::InMemory(pair),
        }
    }

    /// Signs a payload, and returns the signature in hexadecimal. One that an
    /// external signer makes is checked.
    ///
    /// # Errors
    /// [`KeyError::External`].
    pub(crate) fn sign(&self, payload: &[u8]) -> Result<String, KeyError> {
        let signature = match &self.backend {
            KeyBackend::InMemory(pair) => pair.sign(payload).as_ref().to_vec(),
            KeyBackend::External(external) => external.sign(&self.public, payload)?,
        };
        Ok(encode_hex(&signature))
    }
}
