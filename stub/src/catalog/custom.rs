//! Defines what `custom.tufup` of a target holds: read by the stub, written by
//! the bundler, in these types and nowhere else. Pure.
//!
//! Reading is as tolerant as Python is: a field of an unexpected form counts
//! as absent, and a flag is whatever Python takes for true. Writing keeps what
//! was there and is not known here, so that an older bundler does not take
//! away what a newer one has put there.

use crate::bundle::TreeHash;
use pep440_rs::Version;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use std::str::FromStr;

/// Says that not all clients get a release yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rollout {
    /// 0 to 100.
    pub percent: u64,
    /// Makes other clients the first ones for each release.
    pub salt: String,
}

/// Holds what is said of an archive.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(from = "Map<String, Value>", into = "Map<String, Value>")]
pub struct ArchiveCustom {
    /// Whether no update may skip it.
    pub required: bool,
    /// The tree hash of what is in it; tufup gives none.
    pub tree: Option<TreeHash>,
    /// The oldest stub that can install it.
    pub stub: Option<Version>,
    /// The part of the clients that are to have it, if not all.
    pub rollout: Option<Rollout>,
    /// What is new in it, in Markdown.
    pub notes: Option<String>,
    /// The settings of the stub that it brings, in JSON.
    pub settings: Option<String>,
    /// Versions that were published once and must not be used any more.
    pub withdrawn: Vec<Version>,
    /// Versions that were published once and are not offered any more; their
    /// numbers are used up.
    pub retired: Vec<Version>,
    /// How many bytes its files take once they are unpacked.
    pub size: Option<u64>,
    /// When it was added, in seconds since 1970.
    pub added: Option<i64>,
    /// Everything else.
    pub other: Map<String, Value>,
}

/// Holds what is said of a patch.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(from = "Map<String, Value>", into = "Map<String, Value>")]
pub struct PatchCustom {
    /// Name of its format; tufup gives none.
    pub format: Option<String>,
    /// The version it applies to; tufup does not say.
    pub from: Option<Version>,
    /// The tree hash it applies to.
    pub from_tree: Option<TreeHash>,
    /// The tree hash it results in.
    pub tree: Option<TreeHash>,
    /// The tar that it results in, which clients of tufup check.
    pub tar: Option<Tar>,
    /// Everything else.
    pub other: Map<String, Value>,
}

/// Describes an uncompressed archive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tar {
    /// SHA-256 in hexadecimal.
    pub sha256: String,
    /// Bytes.
    pub size: u64,
}

impl ArchiveCustom {
    /// Reads the `custom` of a target that is an archive.
    pub fn of(custom: &Value) -> Self {
        internal(custom).into()
    }
}

impl PatchCustom {
    /// Reads the `custom` of a target that is a patch.
    pub fn of(custom: &Value) -> Self {
        internal(custom).into()
    }
}

fn internal(custom: &Value) -> Map<String, Value> {
    custom["tufup"].as_object().cloned().unwrap_or_default()
}

/// Returns the whole `custom` of a target, with `internal` in the place of what
/// `before` has there. It has exactly the two keys that clients of tufup look
/// for: they take a `custom` with any others for one of the form before, where
/// all was the user's, and so does this.
pub fn whole(before: &Value, internal: impl Into<Map<String, Value>>) -> Value {
    let user = match before.as_object() {
        Some(map) if map.keys().all(|key| key == "user" || key == "tufup") => {
            before["user"].clone()
        }
        Some(_) => before.clone(),
        None => Value::Null,
    };
    let user = match user {
        Value::Null => json!({}),
        user => user,
    };
    json!({ "user": user, "tufup": internal.into() })
}

/// Takes a field out if `read` understands it.
fn take<T>(
    map: &mut Map<String, Value>,
    key: &str,
    read: impl FnOnce(&Value) -> Option<T>,
) -> Option<T> {
    let value = read(map.get(key)?)?;
    map.remove(key);
    Some(value)
}

fn text(value: &Value) -> Option<String> {
    value.as_str().map(str::to_owned)
}

fn tree(value: &Value) -> Option<TreeHash> {
    TreeHash::parse(value.as_str()?)
}

fn version(value: &Value) -> Option<Version> {
    Version::from_str(value.as_str()?).ok()
}

fn rollout(value: &Value) -> Option<Rollout> {
    Some(Rollout {
        percent: value["percent"].as_u64()?.min(100),
        salt: text(&value["salt"])?,
    })
}

/// Returns those items of a list that are versions.
fn versions(value: &Value) -> Option<Vec<Version>> {
    Some(value.as_array()?.iter().filter_map(version).collect())
}

/// Reads a flag as Python does.
fn truthy(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::Bool(flag) => *flag,
        Value::Number(n) => n.as_f64() != Some(0.0),
        Value::String(s) => !s.is_empty(),
        Value::Array(list) => !list.is_empty(),
        Value::Object(map) => !map.is_empty(),
    }
}

impl From<Map<String, Value>> for ArchiveCustom {
    fn from(mut map: Map<String, Value>) -> Self {
        let map = &mut map;
        ArchiveCustom {
            required: take(map, "required", |value| Some(truthy(value))).unwrap_or(false),
            tree: take(map, "tree", tree),
            stub: take(map, "stub", version),
            rollout: take(map, "rollout", rollout),
            notes: take(map, "notes", text),
            settings: take(map, "settings", text),
            withdrawn: take(map, "withdrawn", versions).unwrap_or_default(),
            retired: take(map, "retired", versions).unwrap_or_default(),
            size: take(map, "size", Value::as_u64),
            added: take(map, "added", Value::as_i64),
            other: std::mem::take(map),
        }
    }
}

impl From<ArchiveCustom> for Map<String, Value> {
    fn from(custom: ArchiveCustom) -> Self {
        let mut map = custom.other;
        let list = |versions: Vec<Version>| -> Option<Value> {
            let texts: Vec<String> = versions.iter().map(ToString::to_string).collect();
            (!texts.is_empty()).then(|| texts.into())
        };
        let rollout = custom
            .rollout
            .map(|r| json!({ "percent": r.percent, "salt": r.salt }));
        let fields = [
            ("required", Some(custom.required.into())),
            ("tree", custom.tree.map(|tree| tree.to_string().into())),
            ("stub", custom.stub.map(|stub| stub.to_string().into())),
            ("rollout", rollout),
            ("notes", custom.notes.map(Value::from)),
            ("settings", custom.settings.map(Value::from)),
            ("withdrawn", list(custom.withdrawn)),
            ("retired", list(custom.retired)),
            ("size", custom.size.map(Value::from)),
            ("added", custom.added.map(Value::from)),
        ];
        put(&mut map, fields);
        map
    }
}

impl From<Map<String, Value>> for PatchCustom {
    fn from(mut map: Map<String, Value>) -> Self {
        let map = &mut map;
        let known = map.get("tar_hash_algorithm").and_then(Value::as_str) == Some("sha256");
        let (hash, size) = (map.get("tar_hash"), map.get("tar_size"));
        let tar = match (hash.and_then(text), size.and_then(Value::as_u64)) {
            (Some(sha256), Some(size)) if known => Some(Tar { sha256, size }),
            _ => None,
        };
        if tar.is_some() {
            for key in ["tar_hash", "tar_size", "tar_hash_algorithm"] {
                map.remove(key);
            }
        }
        PatchCustom {
            format: take(map, "format", text),
            from: take(map, "from", version),
            from_tree: take(map, "from_tree", tree),
            tree: take(map, "tree", tree),
            tar,
            other: std::mem::take(map),
        }
    }
}

impl From<PatchCustom> for Map<String, Value> {
    fn from(custom: PatchCustom) -> Self {
        let mut map = custom.other;
        if let Some(tar) = custom.tar {
            map.insert("tar_hash".into(), tar.sha256.into());
            map.insert("tar_size".into(), tar.size.into());
            map.insert("tar_hash_algorithm".into(), "sha256".into());
        }
        let fields = [
            ("format", custom.format.map(Value::from)),
            ("from", custom.from.map(|from| from.to_string().into())),
            (
                "from_tree",
                custom.from_tree.map(|tree| tree.to_string().into()),
            ),
            ("tree", custom.tree.map(|tree| tree.to_string().into())),
        ];
        put(&mut map, fields);
        map
    }
}

fn put<const N: usize>(map: &mut Map<String, Value>, fields: [(&str, Option<Value>); N]) {
    for (key, value) in fields {
        if let Some(value) = value {
            map.insert(key.into(), value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_are_read_as_python_does() {
        let required =
            |value: Value| ArchiveCustom::of(&json!({ "tufup": { "required": value } })).required;
        for value in [
            json!(true),
            json!(1),
            json!(0.5),
            json!("no"),
            json!([0]),
            json!({"a": 0}),
        ] {
            assert!(required(value.clone()), "{value}");
        }
        for value in [
            json!(false),
            json!(0),
            json!(0.0),
            json!(""),
            json!([]),
            json!({}),
            json!(null),
        ] {
            assert!(!required(value.clone()), "{value}");
        }
        assert!(!ArchiveCustom::of(&json!(null)).required);
        assert!(!ArchiveCustom::of(&json!({ "required": true, "tufup": [] })).required);
    }

    #[test]
    fn what_is_not_known_survives_and_what_is_malformed_counts_as_absent() {
        let tree = "ab".repeat(32);
        let before = json!({
            "required": true, "tree": tree, "stub": "1.0", "notes": "*New*",
            "rollout": { "percent": 5, "salt": "s" }, "withdrawn": ["1.1", "0.9"],
            "retired": ["1.2"], "size": 7, "added": 8, "settings": "title = 'A'", "of the future": [{ "x": 1 }],
        });
        let custom = ArchiveCustom::of(&json!({ "user": {}, "tufup": before }));
        assert_eq!(custom.rollout.as_ref().map(|r| r.percent), Some(5));
        assert_eq!(custom.withdrawn.len(), 2);
        assert_eq!((custom.size, custom.added), (Some(7), Some(8)));
        assert_eq!(serde_json::to_value(custom).unwrap(), before);
        let odd = json!({
            "required": false, "tree": "x", "stub": 1, "rollout": "all", "notes": 3, "size": -1,
            "withdrawn": "1.0", "added": "now", "settings": ["title"],
        });
        let custom: ArchiveCustom = serde_json::from_value(odd.clone()).unwrap();
        assert_eq!(
            (custom.tree, &custom.stub, custom.size),
            (None, &None, None)
        );
        assert!(custom.rollout.is_none() && custom.notes.is_none() && custom.withdrawn.is_empty());
        assert_eq!(serde_json::to_value(custom).unwrap(), odd);

        let before = json!({
            "format": "notsotuf-1", "from": "1.0", "from_tree": tree, "tree": tree,
            "tar_hash": "00", "tar_size": 5, "tar_hash_algorithm": "sha256", "more": null,
        });
        let custom = PatchCustom::of(&json!({ "user": {}, "tufup": before }));
        assert_eq!(custom.tar.as_ref().map(|tar| tar.size), Some(5));
        assert_eq!(serde_json::to_value(custom).unwrap(), before);
        let odd = json!({ "tar_hash": "00", "tar_size": 5, "tar_hash_algorithm": "blake2b" });
        let custom: PatchCustom = serde_json::from_value(odd.clone()).unwrap();
        assert_eq!(custom.tar, None);
        assert_eq!(serde_json::to_value(custom).unwrap(), odd);
    }

    #[test]
    fn custom_has_the_two_keys_of_tufup_whatever_was_there() {
        let internal = || ArchiveCustom {
            required: true,
            ..ArchiveCustom::default()
        };
        let tufup = json!({ "required": true });
        for (before, user) in [
            (json!(null), json!({})),
            (json!({ "user": null, "tufup": null }), json!({})),
            (
                json!({ "user": { "a": 1 }, "tufup": { "x": 1 } }),
                json!({ "a": 1 }),
            ),
            // tufup 0.6.0: all of it is the user's.
            (json!({ "changes": ["one"] }), json!({ "changes": ["one"] })),
        ] {
            assert_eq!(
                whole(&before, internal()),
                json!({ "user": user, "tufup": tufup })
            );
        }
    }
}
