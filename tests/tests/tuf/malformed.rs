//! Bad input: a table of changes to the second version of a role's metadata,
//! and of what must come of each.

use super::*;
use Mutation::{File, Signed};
use Verdict::{Accepted, BadForm, NotJson};
use std::panic::{AssertUnwindSafe, catch_unwind};

enum Mutation {
    /// Changes the signed part before it is signed: the signatures are good.
    Signed(fn(&mut Value)),
    /// Makes something else of the text of the signed file.
    File(fn(&str) -> Vec<u8>),
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Verdict {
    Accepted,
    /// Refused with [`TufError::Json`].
    NotJson,
    /// Refused with [`TufError::Form`].
    BadForm,
}

/// A name, the roles that are changed, the change, and what must come of it.
type Case = (&'static str, &'static [&'static str], Mutation, Verdict);

const EACH: &[&str] = &TOP;
const ROOT: &[&str] = &["root"];
const TIMESTAMP: &[&str] = &["timestamp"];
const SNAPSHOT: &[&str] = &["snapshot"];
const TARGETS: &[&str] = &["targets"];
const LISTS: &[&str] = &["timestamp", "snapshot"];
const NO_LISTS: &[&str] = &["root", "targets"];
const NOT_ROOT: &[&str] = &["timestamp", "snapshot", "targets"];
const NOT_TARGETS: &[&str] = &["root", "timestamp", "snapshot"];

#[rustfmt::skip]
const CASES: &[Case] = &[
    // Without these two, everything below could be refused for its version or signature.
    ("nothing is changed", EACH, Signed(|_| {}), Accepted),
    ("nothing is changed in the text", EACH, File(|text| text.into()), Accepted),

    // Files that are no JSON, or not what section 4.2 says of JSON.
    ("empty file", EACH, File(|_| Vec::new()), NotJson),
    ("null", EACH, File(|_| "null".into()), NotJson),
    ("empty object", EACH, File(|_| "{}".into()), NotJson),
    ("no Unicode", EACH, File(|_| b"\xff\xfe\x00".to_vec()), NotJson),
    ("200,000 brackets deep", EACH, File(|_| [[b'['; 200_000], [b']'; 200_000]].concat()), NotJson),
    ("two signed parts", EACH, File(|text| replace(text, "\"signed\":", "\"signed\":{},\"signed\":")), NotJson),
    ("two versions", EACH, File(|text| replace(text, "\"version\":2", "\"version\":2,\"version\":3")), NotJson),
    ("version with a point", EACH, File(|text| replace(text, "\"version\":2", "\"version\":2.0")), NotJson),
    ("only the first byte", EACH, File(|text| text[..1].into()), NotJson),
    ("only the first half", EACH, File(|text| text[..text.len() / 2].into()), NotJson),
    ("all but the last byte", EACH, File(|text| text[..text.len() - 1].into()), NotJson),
    ("something after the end", EACH, File(|text| format!("{text}{{}}").into()), NotJson),
    ("signatures are no list", EACH, File(|text| replace(text, "\"signatures\":[", "\"signatures\":7,\"x\":[")), BadForm),

    // Fields that all roles have.
    ("version 0", EACH, Signed(|s| s["version"] = 0.into()), BadForm),
    ("negative version", EACH, Signed(|s| s["version"] = (-1).into()), BadForm),
    ("version in quotes", EACH, Signed(|s| s["version"] = "2".into()), BadForm),
    ("no version", EACH, Signed(|s| remove(s, "version")), BadForm),
    ("unknown type", EACH, Signed(|s| s["_type"] = "other".into()), BadForm),
    ("the type of another role", NOT_ROOT, Signed(|s| s["_type"] = "root".into()), BadForm),
    ("no type", EACH, Signed(|s| remove(s, "_type")), BadForm),
    ("major version 2 of the specification", EACH, Signed(|s| s["spec_version"] = "2.0.0".into()), BadForm),
    ("no version of the specification", EACH, Signed(|s| remove(s, "spec_version")), BadForm),
    ("another minor version of the specification", EACH, Signed(|s| s["spec_version"] = "1.99".into()), Accepted),
    ("expires no date", EACH, Signed(|s| s["expires"] = "soon".into()), BadForm),
    ("expires in another time zone", EACH, Signed(|s| s["expires"] = "2030-01-01T00:00:00+01:00".into()), BadForm),
    ("expires null", EACH, Signed(|s| s["expires"] = Value::Null), BadForm),
    ("no expiry date", EACH, Signed(|s| remove(s, "expires")), BadForm),
    ("an unknown field", EACH, Signed(|s| s["x"] = json!({ "any": [null, 1, "thing"] })), Accepted),

    // Root. What other roles have under these names is nobody's field there.
    ("keys is a text", ROOT, Signed(|s| s["keys"] = json!("none")), BadForm),
    ("keys is a text", NOT_ROOT, Signed(|s| s["keys"] = json!("none")), Accepted),
    ("no keys", ROOT, Signed(|s| remove(s, "keys")), BadForm),
    ("no role", ROOT, Signed(|s| s["roles"] = json!({})), BadForm),
    ("no role", NOT_ROOT, Signed(|s| s["roles"] = json!({})), Accepted),
    ("no roles", ROOT, Signed(|s| remove(s, "roles")), BadForm),
    ("no role root", ROOT, Signed(|s| remove(&mut s["roles"], "root")), BadForm),
    ("no role timestamp", ROOT, Signed(|s| remove(&mut s["roles"], "timestamp")), BadForm),
    ("no role snapshot", ROOT, Signed(|s| remove(&mut s["roles"], "snapshot")), BadForm),
    ("no role targets", ROOT, Signed(|s| remove(&mut s["roles"], "targets")), BadForm),
    ("threshold 0", ROOT, Signed(|s| s["roles"]["targets"]["threshold"] = 0.into()), BadForm),
    ("negative threshold", ROOT, Signed(|s| s["roles"]["targets"]["threshold"] = (-1).into()), BadForm),
    ("threshold in quotes", ROOT, Signed(|s| s["roles"]["targets"]["threshold"] = "1".into()), BadForm),
    ("no threshold", ROOT, Signed(|s| remove(&mut s["roles"]["targets"], "threshold")), BadForm),
    ("a key id twice", ROOT, Signed(|s| s["roles"]["targets"]["keyids"] = json!(["x", "x"])), BadForm),
    ("key ids are no list", ROOT, Signed(|s| s["roles"]["targets"]["keyids"] = json!("x")), BadForm),
    ("a key that is a text", ROOT, Signed(|s| s["keys"]["x"] = json!("a key")), BadForm),
    ("a key without a public value", ROOT, Signed(|s| s["keys"]["x"] = json!({ "keytype": "ed25519", "scheme": "ed25519", "keyval": {} })), BadForm),
    ("a key of an unknown type", ROOT, Signed(|s| s["keys"]["x"] = json!({ "keytype": "new", "scheme": "new", "keyval": { "public": "?" } })), Accepted),
    ("consistent_snapshot is a text", ROOT, Signed(|s| s["consistent_snapshot"] = "yes".into()), BadForm),

    // Timestamp and snapshot.
    ("meta is a list", LISTS, Signed(|s| s["meta"] = json!([])), BadForm),
    ("meta is a list", NO_LISTS, Signed(|s| s["meta"] = json!([])), Accepted),
    ("no meta", LISTS, Signed(|s| remove(s, "meta")), BadForm),
    ("meta without the snapshot", TIMESTAMP, Signed(|s| s["meta"] = json!({ "x.json": { "version": 1 } })), BadForm),
    ("snapshot listed with version 0", TIMESTAMP, Signed(|s| s["meta"]["snapshot.json"]["version"] = 0.into()), BadForm),
    ("snapshot listed without a version", TIMESTAMP, Signed(|s| s["meta"]["snapshot.json"] = json!({})), BadForm),
    ("snapshot listed with a negative length", TIMESTAMP, Signed(|s| s["meta"]["snapshot.json"]["length"] = (-1).into()), BadForm),
    ("snapshot listed with no hash", TIMESTAMP, Signed(|s| s["meta"]["snapshot.json"]["hashes"] = json!({})), BadForm),
    ("targets listed with version 0", SNAPSHOT, Signed(|s| s["meta"]["targets.json"]["version"] = 0.into()), BadForm),
    ("targets listed without a version", SNAPSHOT, Signed(|s| s["meta"]["targets.json"] = json!({})), BadForm),
    ("targets listed with a negative length", SNAPSHOT, Signed(|s| s["meta"]["targets.json"]["length"] = (-1).into()), BadForm),
    ("targets listed with no hash", SNAPSHOT, Signed(|s| s["meta"]["targets.json"]["hashes"] = json!({})), BadForm),
    ("another role listed with version 0", SNAPSHOT, Signed(|s| s["meta"]["x.json"] = json!({ "version": 0 })), BadForm),

    // Targets.
    ("a target of negative length", TARGETS, Signed(|s| s["targets"] = json!({ "x": { "length": -1, "hashes": {} } })), BadForm),
    ("a target of negative length", NOT_TARGETS, Signed(|s| s["targets"] = json!({ "x": { "length": -1, "hashes": {} } })), Accepted),
    ("a target without a length", TARGETS, Signed(|s| s["targets"] = json!({ "x": { "hashes": { "sha256": "00" } } })), BadForm),
    ("a target without hashes", TARGETS, Signed(|s| s["targets"] = json!({ "x": { "length": 1 } })), BadForm),
    ("a hash that is a number", TARGETS, Signed(|s| s["targets"] = json!({ "x": { "length": 1, "hashes": { "sha256": 0 } } })), BadForm),
    ("targets is a list", TARGETS, Signed(|s| s["targets"] = json!([])), BadForm),
    ("no targets", TARGETS, Signed(|s| remove(s, "targets")), BadForm),
    ("delegations is a text", TARGETS, Signed(|s| s["delegations"] = json!("none")), BadForm),
    ("delegations without keys", TARGETS, Signed(|s| s["delegations"] = json!({ "roles": [] })), BadForm),
    ("delegations without roles", TARGETS, Signed(|s| s["delegations"] = json!({ "keys": {} })), BadForm),
    ("delegations to nobody", TARGETS, Signed(|s| s["delegations"] = json!({ "keys": {}, "roles": [] })), Accepted),
    ("a delegation to a top-level role", TARGETS, Signed(|s| delegate(s, "snapshot", json!({ "paths": [] }))), BadForm),
    ("a delegation without a name", TARGETS, Signed(|s| delegate(s, "", json!({ "paths": [] }))), BadForm),
    ("a delegation without paths", TARGETS, Signed(|s| delegate(s, "x", json!({}))), BadForm),
    ("a delegation with paths and prefixes", TARGETS, Signed(|s| delegate(s, "x", json!({ "paths": [], "path_hash_prefixes": [] }))), BadForm),
    ("a delegation with threshold 0", TARGETS, Signed(|s| delegate(s, "x", json!({ "paths": [], "threshold": 0 }))), BadForm),
    ("a delegation as it should be", TARGETS, Signed(|s| delegate(s, "x", json!({ "paths": [] }))), Accepted),
];

#[test]
fn malformed_metadata_is_refused_and_never_a_panic() {
    let (simulator, client) = refreshed();
    let mut wrong = Vec::new();
    for (name, roles, mutation, verdict) in CASES {
        for role in *roles {
            let run = || outcome(&simulator, client.clone(), role, mutation);
            match catch_unwind(AssertUnwindSafe(run)) {
                Ok(Ok(came)) if came == *verdict => {}
                Ok(Ok(came)) => wrong.push(format!("{role}, {name}: {came:?}, not {verdict:?}")),
                Ok(Err(other)) => wrong.push(format!("{role}, {name}: {other}")),
                Err(_) => wrong.push(format!("{role}, {name}: a panic")),
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Lets a client that has version 1 of everything refresh from a repository
/// whose version 2 of `role` is changed.
fn outcome(
    simulator: &Simulator,
    mut client: Client,
    role: &str,
    mutation: &Mutation,
) -> Result<Verdict, String> {
    let mut signed = simulator.signed[role].clone();
    signed["version"] = 2.into();
    if let Signed(change) = mutation {
        change(&mut signed);
    }
    let mut bytes = sign(&signed, &simulator.keys[role]);
    if let File(change) = mutation {
        bytes = change(std::str::from_utf8(&bytes).unwrap());
    }
    let name = match role {
        "timestamp" => "timestamp.json".into(),
        _ => format!("2.{role}.json"),
    };
    let mut server = copy(simulator);
    server.release("targets");
    server.instead.insert(name, bytes);
    // A file beyond this is not read at all.
    client.bounds.timestamp = 1 << 20;
    let result = client.refresh(&mut server);
    let (verdict, version) = match result {
        Ok(_) => (Accepted, 2),
        Err(TufError::Json { .. }) => (NotJson, 1),
        Err(TufError::Form { .. }) => (BadForm, 1),
        Err(other) => return Err(other.to_string()),
    };
    match client.version(role) {
        stored if stored == version => Ok(verdict),
        stored => Err(format!("{verdict:?}, but version {stored} is stored")),
    }
}

fn copy(simulator: &Simulator) -> Simulator {
    let mut copy = Simulator::new();
    copy.signed = simulator.signed.clone();
    copy.keys = simulator.keys.clone();
    copy.roots = simulator.roots.clone();
    copy
}

/// The text with one place of it changed, which must be there.
fn replace(text: &str, from: &str, to: &str) -> Vec<u8> {
    assert!(text.contains(from), "{text}");
    text.replacen(from, to, 1).into()
}

fn remove(object: &mut Value, field: &str) {
    let removed = object.as_object_mut().unwrap().remove(field);
    assert!(removed.is_some(), "{field}");
}

/// Adds delegations to one role of that name.
fn delegate(signed: &mut Value, name: &str, fields: Value) {
    let mut role = json!({ "name": name, "keyids": [], "threshold": 1, "terminating": false });
    for (field, value) in fields.as_object().unwrap() {
        role[field] = value.clone();
    }
    signed["delegations"] = json!({ "keys": {}, "roles": [role] });
}
