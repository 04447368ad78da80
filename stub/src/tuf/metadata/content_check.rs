//! Compares content with the length and hashes that metadata lists for it.

use crate::hex::decode_hex;
use crate::tuf::error::TufError;
use crate::tuf::metadata::hashes::Hashes;
use ring::digest;

/// Checks hashes on the way, with every listed algorithm that is known.
#[derive(Clone)]
pub struct Hasher {
    contexts: Vec<(&'static str, digest::Context, Vec<u8>)>,
}

impl Hasher {
    pub(super) fn new(name: &str, hashes: &Hashes) -> Result<Self, TufError> {
        let mut contexts = Vec::new();
        for (algorithm, digest) in [("sha256", &digest::SHA256), ("sha512", &digest::SHA512)] {
            if let Some(expected) = hashes.get(algorithm) {
                // A hash that is no hexadecimal matches nothing.
                let expected = decode_hex(expected).unwrap_or_default();
                contexts.push((algorithm, digest::Context::new(digest), expected));
            }
        }
        if contexts.is_empty() {
            return Err(TufError::NoKnownHash { name: name.into() });
        }
        Ok(Hasher { contexts })
    }

    /// Takes in the next bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        for (_, context, _) in &mut self.contexts {
            context.update(bytes);
        }
    }

    /// Compares all hashes.
    ///
    /// # Errors
    /// [`TufError::Hash`] naming `name`.
    pub fn finish(self, name: &str) -> Result<(), TufError> {
        for (algorithm, context, expected) in self.contexts {
            if context.finish().as_ref() != expected {
                return Err(TufError::Hash {
                    name: name.into(),
                    algorithm: algorithm.into(),
                });
            }
        }
        Ok(())
    }
}

/// Compares a length with the listed one.
///
/// # Errors
/// [`TufError::Length`] naming `name`.
pub fn verify_length(name: &str, expected: u64, found: u64) -> Result<(), TufError> {
    if expected == found {
        return Ok(());
    }
    Err(TufError::Length {
        name: name.into(),
        found,
        expected,
    })
}
