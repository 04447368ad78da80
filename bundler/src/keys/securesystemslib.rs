//! Reads key files of securesystemslib up to 0.31, as tufup and the original
//! notsotuf have them: JSON, or, encrypted, five hexadecimal fields joined by
//! `@@@@`: salt, PBKDF2 iterations, HMAC-SHA256 of the ciphertext, counter
//! block, and the JSON in AES-256-CTR.

use super::pem::ReadError;
use super::public_key::PublicKey;
use aes::Aes256;
use ctr::Ctr128BE;
use ctr::cipher::{KeyIvInit, StreamCipher};
use notsotuf_stub::hex::decode_hex;
use ring::{hmac, pbkdf2};
use serde_json::Value;
use std::num::NonZeroU32;

const DELIMITER: &str = "@@@@";
/// The library's own number is 100,000; more than this is a denial of service.
const MAX_ITERATIONS: u32 = 50_000_000;

/// Returns whether this is a private key of that form.
pub(super) fn is_private(text: &str) -> bool {
    text.trim_start().starts_with('{') || is_encrypted(text)
}

/// Returns whether the key needs a passphrase.
pub(super) fn is_encrypted(text: &str) -> bool {
    text.matches(DELIMITER).count() == 4
}

/// Reads a public key. The id it goes by in metadata may be another one than
/// [`PublicKey::id`].
pub(super) fn read_public(text: &str) -> Result<PublicKey, String> {
    let value: Value = serde_json::from_str(text).map_err(|e| e.to_string())?;
    if value["keytype"] != "ed25519" {
        return Err(format!("it is a key of type {}", value["keytype"]));
    }
    let public = value["keyval"]["public"].as_str().and_then(decode_hex);
    let public = public.and_then(|bytes| <[u8; 32]>::try_from(bytes).ok());
    public
        .map(|bytes| PublicKey::ed25519(&bytes))
        .ok_or_else(|| "its public value is not 32 bytes in hexadecimal".into())
}

/// Reads the seed of a private key.
pub(super) fn read_private(text: &str, passphrase: Option<&str>) -> Result<[u8; 32], ReadError> {
    let form = |reason: &str| ReadError::Form(reason.into());
    let decrypted;
    let json = if is_encrypted(text) {
        decrypted = decrypt(text, passphrase.unwrap_or_default())?;
        &decrypted[..]
    } else {
        text.as_bytes()
    };
    let value: Value = serde_json::from_slice(json).map_err(|e| ReadError::Form(e.to_string()))?;
    if value["keytype"] != "ed25519" {
        return Err(form("it is a key of another type"));
    }
    let seed = value["keyval"]["private"].as_str().and_then(decode_hex);
    seed.and_then(|bytes| bytes.try_into().ok())
        .ok_or_else(|| form("its private value is not 32 bytes in hexadecimal"))
}

fn decrypt(text: &str, passphrase: &str) -> Result<Vec<u8>, ReadError> {
    let form = || ReadError::Form("its encrypted form is malformed".into());
    let fields: Vec<&str> = text.trim().split(DELIMITER).collect();
    let [salt, iterations, tag, counter, ciphertext] = fields[..] else {
        return Err(form());
    };
    let [salt, tag, counter, mut data] =
        [salt, tag, counter, ciphertext].map(|field| decode_hex(field).unwrap_or_default());
    let iterations = iterations.parse().ok().filter(|n| *n <= MAX_ITERATIONS);
    let iterations = iterations.and_then(NonZeroU32::new).ok_or_else(form)?;
    let mut key = [0; 32];
    pbkdf2::derive(
        pbkdf2::PBKDF2_HMAC_SHA256,
        iterations,
        &salt,
        passphrase.as_bytes(),
        &mut key,
    );
    let check = hmac::Key::new(hmac::HMAC_SHA256, &key);
    hmac::verify(&check, &data, &tag).map_err(|_| ReadError::Passphrase)?;
    let mut cipher = Ctr128BE::<Aes256>::new_from_slices(&key, &counter).map_err(|_| form())?;
    cipher.apply_keystream(&mut data);
    Ok(data)
}
