//! Makes entries of targets metadata, as JSON, and compares files with them.

use notsotuf_stub::bundle::patch::hash_file;
use notsotuf_stub::catalog::custom;
use notsotuf_stub::fs::{self, FsError};
use notsotuf_stub::hex::encode_hex;
use notsotuf_stub::tuf::TargetFile;
use serde_json::{Map, Value, json};
use std::path::Path;

/// Returns the name under which the target of an entry of targets metadata is
/// published, where clients look for it.
pub(crate) fn stored_name(path: &str, entry: &Value, consistent: bool) -> String {
    match serde_json::from_value::<TargetFile>(entry.clone()) {
        Ok(target) => target.stored_name(path, consistent),
        // Clients do not get as far as looking.
        Err(_) => path.into(),
    }
}

/// Makes a targets metadata entry for a file.
///
/// # Errors
/// The file system's.
pub(super) fn entry(
    file: &Path,
    user: Value,
    internal: impl Into<Map<String, Value>>,
) -> Result<(Value, u64), FsError> {
    let (size, hash) = hash_file(file)?;
    let before = json!({ "user": user, "tufup": null });
    let entry = json!({
        "length": size,
        "hashes": { "sha256": encode_hex(&hash) },
        "custom": custom::whole(&before, internal),
    });
    Ok((entry, size))
}

/// Returns whether `file` has the length and the hash that `entry` of targets
/// metadata lists. A file of another length is not read.
///
/// # Errors
/// The file system's.
pub(crate) fn is_listed_as(file: &Path, entry: &Value) -> Result<bool, FsError> {
    Ok(entry["length"] == fs::size(file)?
        && entry["hashes"]["sha256"] == encode_hex(&hash_file(file)?.1))
}
