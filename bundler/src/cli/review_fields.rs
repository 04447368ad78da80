//! Takes metadata apart into fields, so that whoever signs it sees each of them.

use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// Holds fields by their paths, such as `custom.user.changes`.
pub(super) type Fields = BTreeMap<String, Value>;

/// The most characters of release notes that are shown.
const MAX_NOTES: usize = 200;

/// Returns all fields of a value.
pub(super) fn of(value: &Value) -> Fields {
    let mut fields = Fields::new();
    collect("", value, &mut fields);
    fields
}

/// Returns all that is said of a target, but for its length and its SHA-256.
/// What is meant for clients goes by its own name: `required`, not
/// `custom.tufup.required`.
pub(super) fn of_target(entry: &Value) -> Fields {
    const INTERNAL: &str = "custom.tufup.";
    const SETTINGS: &str = "custom.tufup.settings";
    let mut fields = of(entry);
    fields.retain(|path, value| match path.as_str() {
        "length" | "hashes.sha256" => false,
        // `add` writes it, for clients of tufup.
        "custom.user" => *value != json!({}),
        _ => true,
    });
    // They travel as a text.
    let text = fields.get(SETTINGS).and_then(Value::as_str);
    let settings: Option<Map<String, Value>> = text.and_then(|t| serde_json::from_str(t).ok());
    if let Some(settings) = settings {
        fields.remove(SETTINGS);
        collect(SETTINGS, &settings.into(), &mut fields);
    }
    fields
        .into_iter()
        .map(|(path, value)| match path.strip_prefix(INTERNAL) {
            Some(name) => (name.to_owned(), value),
            None => (path, value),
        })
        .collect()
}

/// Returns how the fields of `new` differ from those of `old`, one sentence
/// each.
pub(super) fn changes(old: &Fields, new: &Fields) -> Vec<String> {
    let paths: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
    paths
        .into_iter()
        .filter(|path| old.get(*path) != new.get(*path))
        .map(|path| {
            let [from, to] = [old, new].map(|f| f.get(path).map(|value| shown(path, value)));
            match (from, to) {
                (Some(from), Some(to)) => format!("{path}: {from} becomes {to}"),
                (Some(from), None) => format!("{path}: {from} goes"),
                (None, to) => format!("{path}: {}", to.unwrap_or_default()),
            }
        })
        .collect()
}

fn collect(path: &str, value: &Value, fields: &mut Fields) {
    match value {
        Value::Object(map) if !map.is_empty() || path.is_empty() => {
            for (name, value) in map {
                let path = match path {
                    "" => name.clone(),
                    path => format!("{path}.{name}"),
                };
                collect(&path, value, fields);
            }
        }
        value => {
            fields.insert(path.into(), value.clone());
        }
    }
}

/// A value as JSON. Only notes, which are for reading, are cut short, and that
/// is said.
fn shown(path: &str, value: &Value) -> String {
    let notes = value.as_str().filter(|_| path == "notes");
    let count = notes.map_or(0, |notes| notes.chars().count());
    match notes {
        Some(notes) if count > MAX_NOTES => {
            let start: String = notes.chars().take(MAX_NOTES).collect();
            format!("{}… ({count} characters)", Value::from(start))
        }
        _ => value.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_field_that_differs_is_told() {
        let old = json!({ "length": 1, "hashes": { "sha256": "a", "sha512": "b" }, "custom": {
            "user": {}, "tufup": { "required": false, "notes": "old", "stub": "1.0" } } });
        let new = json!({ "length": 2, "hashes": { "sha256": "c", "sha512": "d" }, "custom": {
            "user": { "a": { "b": 1 } }, "tufup": { "required": true, "withdrawn": ["1.1"],
            "notes": "old", "settings": "{\"mode\":\"off\"}", "later": null } } });
        assert_eq!(
            changes(&of_target(&old), &of_target(&new)),
            [
                "custom.user.a.b: 1",
                "hashes.sha512: \"b\" becomes \"d\"",
                "later: null",
                "required: false becomes true",
                "settings.mode: \"off\"",
                "stub: \"1.0\" goes",
                "withdrawn: [\"1.1\"]",
            ]
        );
        let long = json!({ "notes": "x".repeat(300) });
        let told = changes(&Fields::new(), &of(&long)).concat();
        assert!(told.ends_with("x\"… (300 characters)"), "{told}");
        let emptied = changes(&of(&json!({})), &of(&json!({ "x": {} })));
        assert_eq!(emptied, ["x: {}"]);
    }
}
