//! Makes the canonical form of JSON straight from its text: what it takes in
//! memory is a small multiple of the bytes, whatever they are. So metadata can
//! be read this way before anybody knows who wrote it.
//!
//! As strict as [`super::canonical_json::parse`], which makes a tree of values.

mod reader;

pub use reader::{MAX_VALUES, count};

use super::canonical_json::JsonError;
use crate::tuf::envelope::reader::Reader;

/// Holds a metadata file, taken apart but not understood.
#[derive(Debug)]
pub struct Envelope<'a> {
    /// `signed` in canonical form: what signatures are made over.
    pub payload: Vec<u8>,
    /// `signed` as it came.
    pub signed: &'a [u8],
    /// `signatures` as they came.
    pub signatures: &'a [u8],
}

impl<'a> Envelope<'a> {
    /// Takes a metadata file apart.
    ///
    /// # Errors
    /// Whatever is wrong with the JSON, anywhere in the file.
    pub fn read(bytes: &'a [u8]) -> Result<Self, JsonError> {
        let (mut reader, fields) = Reader::all(bytes)?;
        let missing = |name| JsonError::Field { name };
        let signed = fields.signed.ok_or_else(|| missing("signed"))?;
        let signatures = fields.signatures.ok_or_else(|| missing("signatures"))?;
        reader.out.truncate(signed.canonical.end);
        reader.out.drain(..signed.canonical.start);
        reader.out.shrink_to_fit();
        Ok(Envelope {
            payload: reader.out,
            signed: &bytes[signed.raw],
            signatures: &bytes[signatures.raw],
        })
    }
}

/// Returns the canonical form of the one JSON document in `bytes`.
///
/// # Errors
/// Refuses what [`super::canonical_json::parse`] does, and more than [`MAX_VALUES`].
pub fn canonical(bytes: &[u8]) -> Result<Vec<u8>, JsonError> {
    Ok(Reader::all(bytes)?.0.out)
}

#[cfg(test)]
mod tests;
