//! The client workflow of the TUF specification, section 5, and the attacks
//! of its section 1.5.2, against a repository that a test controls.

use notsotuf_stub::tuf::schema::format_time;
use notsotuf_stub::tuf::{TargetFile, TufError};
use notsotuf_tests::simulator::{Client, DAY, NOW, SimKey, Simulator, TOP, sign};
use serde_json::{Value, json};

fn fresh() -> (Simulator, Client) {
    let simulator = Simulator::new();
    let client = Client::new(&simulator);
    (simulator, client)
}

/// A client that has refreshed once.
fn refreshed() -> (Simulator, Client) {
    let (mut simulator, mut client) = fresh();
    client.refresh(&mut simulator).unwrap();
    (simulator, client)
}

fn versions(client: &Client) -> [u64; 4] {
    TOP.map(|role| client.version(role))
}

fn refused(client: &mut Client, simulator: &mut Simulator) -> TufError {
    client.refresh(simulator).expect_err("it must be refused")
}

// ---- The workflow ----

#[test]
fn a_first_refresh_asks_for_each_file_once_and_in_order() {
    let (mut simulator, mut client) = fresh();
    client.refresh(&mut simulator).unwrap();
    let asked = [
        "2.root.json",
        "timestamp.json",
        "1.snapshot.json",
        "1.targets.json",
    ];
    assert_eq!(simulator.asked, asked);
    assert_eq!(versions(&client), [1, 1, 1, 1]);
    simulator.asked.clear();
    client.refresh(&mut simulator).unwrap();
    assert_eq!(simulator.asked, ["2.root.json", "timestamp.json"]);
}

#[test]
fn without_consistent_snapshots_names_have_no_versions() {
    let (mut simulator, mut client) = fresh();
    simulator.role("root")["consistent_snapshot"] = false.into();
    simulator.next_root();
    simulator.list_hashes = true;
    simulator.add_target("targets", "file", b"content");
    simulator.release("targets");
    let found = client.find(&mut simulator, "file").unwrap().unwrap();
    assert_eq!(found.length, 7);
    let asked = [
        "2.root.json",
        "3.root.json",
        "timestamp.json",
        "snapshot.json",
        "targets.json",
    ];
    assert_eq!(simulator.asked, asked);
}

#[test]
fn targets_are_stored_under_their_hash_in_consistent_snapshots() {
    let hashes = [("sha256".to_owned(), "ab".to_owned())];
    let target = TargetFile {
        length: 1,
        hashes: hashes.into(),
        custom: Value::Null,
    };
    assert_eq!(target.stored_name("a/b/file", true), "a/b/ab.file");
    assert_eq!(target.stored_name("file", true), "ab.file");
    assert_eq!(target.stored_name("a/b/file", false), "a/b/file");
}

#[test]
fn roots_are_followed_one_by_one() {
    let (mut simulator, mut client) = refreshed();
    for _ in 0..5 {
        let keys = vec![SimKey::ed25519(), SimKey::ecdsa(256), SimKey::ecdsa(384)];
        simulator.rotate_root(keys, 2);
    }
    simulator.release("targets");
    client.refresh(&mut simulator).unwrap();
    assert_eq!(versions(&client), [6, 2, 2, 2]);
}

#[test]
fn a_root_needs_the_thresholds_of_the_old_and_of_the_new_keys() {
    let keys: Vec<SimKey> = (0..6).map(|_| SimKey::ed25519()).collect();
    let pick = |numbers: &[usize]| numbers.iter().map(|&n| keys[n].clone()).collect::<Vec<_>>();
    // (old keys, threshold), (new keys, threshold), signatures, accepted
    type Set<'a> = (&'a [usize], u64);
    let cases: [(Set, Set, &[usize], bool); 10] = [
        ((&[0], 1), (&[1], 1), &[0, 1], true),
        ((&[0], 1), (&[1], 1), &[1, 0, 2, 3], true),
        ((&[0], 1), (&[1], 1), &[1], false),
        ((&[0], 1), (&[1], 1), &[0], false),
        ((&[0, 1, 2], 2), (&[0, 1, 3], 2), &[0, 1], true),
        ((&[0, 1, 2], 2), (&[0, 1, 3], 2), &[1, 3], false),
        ((&[0, 1, 2], 2), (&[0, 1, 3], 2), &[0, 2], false),
        ((&[0, 1, 2], 1), (&[0, 1, 2], 2), &[0], false),
        ((&[0, 1, 2], 2), (&[0, 1, 2], 1), &[0], false),
        ((&[0, 1, 2], 2), (&[0, 1, 2], 1), &[0, 2], true),
    ];
    for (number, (old, new, signers, accepted)) in cases.into_iter().enumerate() {
        let mut simulator = Simulator::new();
        simulator.roots.clear();
        simulator.set_keys("root", pick(old.0), old.1);
        simulator.publish_root();
        let mut client = Client::new(&simulator);
        simulator.set_keys("root", pick(new.0), new.1);
        simulator.bump("root");
        simulator.publish_root_signed_by(&pick(signers));
        let result = client.refresh(&mut simulator);
        assert_eq!(result.is_ok(), accepted, "case {number}: {result:?}");
        assert_eq!(
            client.version("root"),
            if accepted { 2 } else { 1 },
            "case {number}"
        );
    }
}

#[test]
fn an_expired_root_on_the_way_does_not_matter_but_the_last_one_does() {
    let (mut simulator, mut client) = refreshed();
    simulator.role("root")["expires"] = format_time(NOW - DAY).into();
    simulator.next_root();
    simulator.release("targets");
    assert!(
        matches!(refused(&mut client, &mut simulator), TufError::Expired { role, .. } if role == "root")
    );
    // 5.3.10 comes after 5.3.8: it is stored, and nothing else.
    assert_eq!(versions(&client), [2, 1, 1, 1]);
    simulator.role("root")["expires"] = format_time(NOW + DAY).into();
    simulator.next_root();
    client.refresh(&mut simulator).unwrap();
    assert_eq!(versions(&client), [3, 2, 2, 2]);
}

#[test]
fn roots_of_the_wrong_version_are_refused() {
    for version in [1, 3] {
        let (mut simulator, mut client) = refreshed();
        simulator.role("root")["version"] = version.into();
        simulator.publish_root();
        assert!(matches!(
            refused(&mut client, &mut simulator),
            TufError::WrongVersion { .. }
        ));
        assert_eq!(client.version("root"), 1);
    }
}

#[test]
fn not_more_roots_than_the_limit_in_one_go() {
    let (mut simulator, mut client) = refreshed();
    client.bounds.root_rotations = 3;
    for _ in 0..5 {
        simulator.next_root();
    }
    assert!(matches!(
        refused(&mut client, &mut simulator),
        TufError::TooManyRoots { limit: 3 }
    ));
    assert_eq!(client.version("root"), 4);
    client.refresh(&mut simulator).unwrap();
    assert_eq!(client.version("root"), 6);
}

#[test]
fn the_time_of_expiry_itself_is_too_late() {
    for role in TOP {
        let (mut simulator, mut client) = fresh();
        simulator.role(role)["expires"] = format_time(NOW).into();
        if role == "root" {
            simulator.next_root();
        }
        assert!(
            matches!(refused(&mut client, &mut simulator), TufError::Expired { role: found, .. } if found == role)
        );
        client.now = NOW - 1;
        client.refresh(&mut simulator).unwrap();
    }
}

#[test]
fn expired_metadata_is_not_stored_and_a_message_names_the_clock() {
    for role in ["timestamp", "snapshot", "targets"] {
        let (mut simulator, mut client) = refreshed();
        simulator.role(role)["expires"] = format_time(NOW - DAY).into();
        simulator.release("targets");
        let error = refused(&mut client, &mut simulator);
        assert!(error.to_string().contains("clock"), "{error}");
        assert_eq!(client.version(role), 1, "{role}");
    }
}

#[test]
fn expired_local_metadata_still_guards_against_rollback_and_can_be_replaced() {
    let (mut simulator, mut client) = refreshed();
    client.now = NOW + 40 * DAY;
    for role in TOP {
        simulator.role(role)["expires"] = format_time(NOW + 60 * DAY).into();
    }
    simulator.next_root();
    let mut back = Simulator::new();
    back.keys = simulator.keys.clone();
    back.signed = simulator.signed.clone();
    back.roots = simulator.roots.clone();
    simulator.release("targets");
    client.refresh(&mut simulator).unwrap();
    assert_eq!(versions(&client), [2, 2, 2, 2]);
    assert!(matches!(
        refused(&mut client, &mut back),
        TufError::Rollback { .. }
    ));
}

// ---- Rollback, freeze, mix-and-match ----

#[test]
fn rollback_of_the_timestamp() {
    let (mut simulator, mut client) = refreshed();
    simulator.release_timestamp();
    client.refresh(&mut simulator).unwrap();
    simulator.role("timestamp")["version"] = 1.into();
    assert!(
        matches!(refused(&mut client, &mut simulator), TufError::Rollback { role, .. } if role == "timestamp")
    );
    assert_eq!(client.version("timestamp"), 2);
}

#[test]
fn rollback_of_the_snapshot_within_a_newer_timestamp() {
    for list_hashes in [false, true] {
        let (mut simulator, mut client) = refreshed();
        simulator.list_hashes = list_hashes;
        simulator.release_snapshot();
        client.refresh(&mut simulator).unwrap();
        simulator.role("snapshot")["version"] = 1.into();
        simulator.release_timestamp();
        simulator.asked.clear();
        assert!(matches!(
            refused(&mut client, &mut simulator),
            TufError::Rollback { .. }
        ));
        assert_eq!(versions(&client), [1, 2, 2, 1]);
        assert_eq!(simulator.asked.last().unwrap(), "timestamp.json");
    }
}

#[test]
fn rollback_of_targets_and_of_delegated_roles_within_a_newer_snapshot() {
    for role in ["targets", "delegated"] {
        let (mut simulator, mut client) = fresh();
        simulator.delegate("targets", "delegated", &json!({ "paths": ["*"] }));
        simulator.release("targets");
        simulator.release("delegated");
        simulator.release("delegated");
        client.refresh(&mut simulator).unwrap();
        simulator.role(role)["version"] = 1.into();
        simulator.list(role);
        simulator.release_snapshot();
        let error = refused(&mut client, &mut simulator);
        assert!(matches!(error, TufError::Rollback { .. }), "{error}");
        assert_eq!(versions(&client)[2..], [4, 2]);
    }
}

#[test]
fn a_role_may_not_disappear_from_the_snapshot() {
    let (mut simulator, mut client) = fresh();
    simulator.delegate("targets", "delegated", &json!({ "paths": ["*"] }));
    simulator.release("targets");
    client.refresh(&mut simulator).unwrap();
    let meta = simulator.role("snapshot")["meta"].as_object_mut().unwrap();
    meta.remove("delegated.json").unwrap();
    simulator.release_snapshot();
    let error = refused(&mut client, &mut simulator);
    assert!(matches!(error, TufError::Disappeared { file } if file == "delegated.json"));
}

#[test]
fn a_timestamp_of_the_same_version_changes_nothing() {
    let (mut simulator, mut client) = refreshed();
    let before = client.stored["timestamp"].clone();
    simulator.role("timestamp")["meta"]["snapshot.json"]["version"] = 100.into();
    client.refresh(&mut simulator).unwrap();
    assert_eq!(client.stored["timestamp"], before);
}

#[test]
fn mix_and_match_of_metadata_from_different_times() {
    // The snapshot is not the one that the timestamp names.
    let (mut simulator, mut client) = refreshed();
    simulator.bump("snapshot");
    simulator.bump("timestamp");
    simulator.role("timestamp")["meta"]["snapshot.json"]["version"] = 3.into();
    assert!(matches!(
        refused(&mut client, &mut simulator),
        TufError::WrongVersion { .. }
    ));
    assert_eq!(versions(&client)[2..], [1, 1]);
    // The targets are not those that the snapshot names.
    let (mut simulator, mut client) = refreshed();
    simulator.release("targets");
    simulator.role("targets")["version"] = 1.into();
    assert!(matches!(
        refused(&mut client, &mut simulator),
        TufError::WrongVersion { .. }
    ));
    assert_eq!(client.version("targets"), 1);
}

#[test]
fn what_does_not_match_listed_hashes_or_lengths_is_refused() {
    for role in ["snapshot", "targets"] {
        let (mut simulator, mut client) = refreshed();
        simulator.list_hashes = true;
        simulator.release("targets");
        // Signed and of the right version, but another file.
        simulator.role(role)["x-changed"] = "yes!".into();
        client.bounds.snapshot = 100_000;
        let mut longer = simulator.file(role);
        let name = format!("2.{role}.json");
        let listed = if role == "snapshot" {
            "timestamp"
        } else {
            "snapshot"
        };
        let entry = simulator.signed[listed]["meta"][format!("{role}.json")].clone();
        let length = entry["length"].as_u64().unwrap() as usize;
        longer.truncate(length);
        simulator.instead.insert(name, longer);
        let error = refused(&mut client, &mut simulator);
        assert!(matches!(error, TufError::Hash { .. }), "{error}");
        assert_eq!(client.version(role), 1);
    }
}

// ---- Fast-forward recovery ----

#[test]
fn fast_forward_is_recovered_from_by_rotating_keys() {
    for (far, rotated) in [
        ("timestamp", "timestamp"),
        ("snapshot", "timestamp"),
        ("targets", "snapshot"),
    ] {
        let (mut simulator, mut client) = fresh();
        simulator.role(far)["version"] = 999_999.into();
        simulator.list("targets");
        simulator.release_snapshot();
        if far == "snapshot" {
            simulator.role("snapshot")["version"] = 999_999.into();
            simulator.release_timestamp();
        }
        client.refresh(&mut simulator).unwrap();
        assert!(client.version(far) >= 999_999);
        simulator.role(far)["version"] = 5.into();
        simulator.list("targets");
        if far == "targets" {
            simulator.bump("snapshot");
        }
        simulator.release_timestamp();
        if far == "timestamp" {
            simulator.role(far)["version"] = 5.into();
        }
        let mut stuck = client.clone();
        assert!(
            matches!(
                refused(&mut stuck, &mut simulator),
                TufError::Rollback { .. }
            ),
            "{far}"
        );
        simulator.rotate(rotated);
        if far == "snapshot" {
            simulator.rotate("snapshot");
        }
        client.refresh(&mut simulator).unwrap();
        assert!(client.version(far) <= 6, "{far}: {}", client.version(far));
    }
}

#[test]
fn a_root_that_leaves_timestamp_and_snapshot_keys_alone_keeps_what_is_trusted() {
    let (mut simulator, mut client) = refreshed();
    simulator.release_timestamp();
    client.refresh(&mut simulator).unwrap();
    simulator.rotate("targets");
    simulator.role("timestamp")["version"] = 1.into();
    assert!(matches!(
        refused(&mut client, &mut simulator),
        TufError::Rollback { .. }
    ));
    assert_eq!(client.version("root"), 2);
}

#[test]
fn dropping_one_of_several_keys_is_enough_for_the_recovery() {
    for role in ["timestamp", "snapshot"] {
        let (mut simulator, mut client) = fresh();
        let (stolen, good) = (SimKey::ed25519(), SimKey::ed25519());
        simulator.set_keys(role, vec![stolen, good.clone()], 1);
        simulator.next_root();
        // Signed by both, so the file still verifies with the good key alone.
        simulator.role(role)["version"] = 999_999.into();
        simulator.release_timestamp();
        client.refresh(&mut simulator).unwrap();
        simulator.set_keys(role, vec![good], 1);
        simulator.next_root();
        simulator.role(role)["version"] = 5.into();
        if role == "snapshot" {
            simulator.release_timestamp();
        }
        client.refresh(&mut simulator).unwrap();
        assert_eq!(client.version(role), 5);
    }
}

// ---- Keys and thresholds ----

#[test]
fn compromise_of_fewer_keys_than_the_threshold() {
    for role in ["timestamp", "snapshot", "targets"] {
        let (mut simulator, mut client) = refreshed();
        let keys: Vec<SimKey> = (0..3).map(|_| SimKey::ed25519()).collect();
        simulator.set_keys(role, keys.clone(), 2);
        simulator.next_root();
        simulator.release("targets");
        simulator.keys.insert(role.into(), vec![keys[1].clone()]);
        let error = refused(&mut client, &mut simulator);
        assert!(
            matches!(
                error,
                TufError::Unsigned {
                    valid: 1,
                    threshold: 2,
                    ..
                }
            ),
            "{error}"
        );
        // Two signatures by one key, under its own id and under another's.
        simulator.keys.insert(
            role.into(),
            vec![keys[1].clone(), keys[1].with_id(&keys[2].id)],
        );
        assert!(matches!(
            refused(&mut client, &mut simulator),
            TufError::Unsigned { valid: 1, .. }
        ));
        simulator.keys.insert(
            role.into(),
            vec![SimKey::ed25519(), keys[0].clone(), keys[2].clone()],
        );
        client.refresh(&mut simulator).unwrap();
    }
}

#[test]
fn one_key_under_several_ids_counts_once() {
    let (mut simulator, mut client) = refreshed();
    let key = SimKey::ed25519();
    let aliases = ["a", "b", "c"].map(|id| key.with_id(id));
    simulator.set_keys("snapshot", aliases.to_vec(), 2);
    simulator.next_root();
    simulator.release("targets");
    assert!(matches!(
        refused(&mut client, &mut simulator),
        TufError::Unsigned { valid: 1, .. }
    ));
    simulator.keys.insert(
        "snapshot".into(),
        [vec![SimKey::ecdsa(256)], aliases.to_vec()].concat(),
    );
    let keys = simulator.keys["snapshot"].clone();
    simulator.set_keys("snapshot", keys, 2);
    simulator.next_root();
    client.refresh(&mut simulator).unwrap();
}

#[test]
fn keys_of_another_role_do_not_sign() {
    let (mut simulator, mut client) = refreshed();
    simulator.release("targets");
    let others = simulator.keys["targets"].clone();
    simulator.keys.insert("timestamp".into(), others);
    assert!(matches!(
        refused(&mut client, &mut simulator),
        TufError::Unsigned { valid: 0, .. }
    ));
}

#[test]
fn unknown_fields_key_types_and_odd_key_ids_are_tolerated() {
    let (mut simulator, mut client) = refreshed();
    let odd = SimKey::ed25519().with_id("not a hash / at all");
    simulator.set_keys("targets", vec![odd], 1);
    let root = simulator.role("root");
    root["x-custom"] = json!({ "a": [1, null, "é"] });
    root["roles"]["x-role"] = json!({ "keyids": ["future"], "threshold": 1 });
    root["keys"]["future"] = json!({
        "keytype": "sphincs+", "scheme": "sphincs-shake-128s", "keyval": { "public": "?" }, "x": 1,
    });
    let ids = root["roles"]["snapshot"]["keyids"].as_array_mut().unwrap();
    ids.push("future".into());
    ids.push("listed nowhere".into());
    simulator.next_root();
    simulator.role("targets")["x-custom"] = 1.into();
    simulator.release("targets");
    client.refresh(&mut simulator).unwrap();
    assert_eq!(versions(&client), [2, 2, 2, 2]);
}

#[test]
fn local_metadata_is_not_trusted_because_it_is_local() {
    let (mut simulator, client) = refreshed();
    simulator.add_target("targets", "file", b"content");
    simulator.release("targets");
    let forged = {
        let mut other = Simulator::new();
        other.add_target("targets", "malware", b"evil");
        other.role("targets")["version"] = 2.into();
        other.file("targets")
    };
    for role in ["timestamp", "snapshot", "targets"] {
        for bytes in [forged.clone(), b"{".to_vec(), Vec::new()] {
            let mut client = client.clone();
            client.stored.insert(role.into(), bytes);
            assert!(
                client.find(&mut simulator, "malware").unwrap().is_none(),
                "{role}"
            );
            assert!(
                client.find(&mut simulator, "file").unwrap().is_some(),
                "{role}"
            );
        }
    }
    // After a rotation, what the old key signed is worth nothing.
    let mut client = client.clone();
    client.refresh(&mut simulator).unwrap();
    simulator.rotate("targets");
    simulator.asked.clear();
    client.refresh(&mut simulator).unwrap();
    assert!(simulator.asked.contains(&"2.targets.json".to_owned()));
}

// ---- Delegations ----

/// From (delegator, name, fields of the delegation).
fn delegated(list: &[(&str, &str, Value)]) -> (Simulator, Client) {
    let (mut simulator, client) = fresh();
    for (from, to, fields) in list {
        simulator.delegate(from, to, fields);
    }
    for (from, to, _) in list {
        simulator.list(from);
        simulator.list(to);
    }
    simulator.release_snapshot();
    (simulator, client)
}

fn visited(simulator: &mut Simulator, client: &mut Client, path: &str) -> Vec<String> {
    simulator.asked.clear();
    assert!(client.find(simulator, path).unwrap().is_none());
    let asked = simulator.asked[4..].iter();
    asked
        .map(|file| {
            file.trim_start_matches("1.")
                .trim_end_matches(".json")
                .into()
        })
        .collect()
}

#[test]
fn delegations_are_searched_in_pre_order() {
    let all = || json!({ "paths": ["*"] });
    let last = || json!({ "paths": ["*"], "terminating": true });
    let python = || json!({ "paths": ["*.py"] });
    type Graph = Vec<(&'static str, &'static str, Value)>;
    let cases: Vec<(Graph, &[&str])> = vec![
        (
            vec![("targets", "A", all()), ("targets", "B", all())],
            &["A", "B"],
        ),
        (
            vec![
                ("targets", "A", all()),
                ("targets", "B", all()),
                ("A", "C", all()),
                ("C", "D", all()),
            ],
            &["A", "C", "D", "B"],
        ),
        (
            vec![
                ("targets", "A", all()),
                ("targets", "B", all()),
                ("A", "C", last()),
                ("A", "D", all()),
            ],
            &["A", "C"],
        ),
        (
            vec![
                ("targets", "A", last()),
                ("targets", "B", all()),
                ("A", "C", all()),
            ],
            &["A", "C"],
        ),
        (
            vec![
                ("targets", "A", python()),
                ("targets", "B", all()),
                ("A", "C", all()),
            ],
            &["B"],
        ),
        (
            vec![
                ("targets", "A", all()),
                ("A", "B", all()),
                ("B", "A", all()),
            ],
            &["A", "B"],
        ),
        (
            vec![
                ("targets", "A", all()),
                ("targets", "B", all()),
                ("A", "C", all()),
                ("B", "C", all()),
            ],
            &["A", "C", "B"],
        ),
    ];
    for (graph, expected) in cases {
        let (mut simulator, mut client) = delegated(&graph);
        assert_eq!(
            visited(&mut simulator, &mut client, "missing"),
            expected,
            "{graph:?}"
        );
    }
}

#[test]
fn a_role_speaks_only_for_the_paths_that_every_delegator_gave_it() {
    let (mut simulator, mut client) = delegated(&[
        ("targets", "A", json!({ "paths": ["releases/*/*"] })),
        ("A", "B", json!({ "paths": ["releases/x/*"] })),
        ("A", "C", json!({ "paths": ["*"] })),
    ]);
    for (role, path) in [
        ("B", "releases/x/1"),
        ("B", "releases/y/1"),
        ("C", "file"),
        ("A", "file"),
    ] {
        simulator.add_target(role, path, b"content");
    }
    simulator.add_target("targets", "top", b"content");
    for role in ["A", "B", "C"] {
        simulator.release(role);
    }
    simulator.release("targets");
    let mut found = |path: &str| client.find(&mut simulator, path).unwrap().is_some();
    assert!(found("releases/x/1"));
    assert!(found("top"));
    assert!(!found("releases/y/1"));
    assert!(!found("file"));
}

#[test]
fn hash_prefixes_and_succinct_bins() {
    // SHA-256 of "file" starts with 3b9c.
    let (mut simulator, mut client) = delegated(&[
        (
            "targets",
            "no",
            json!({ "path_hash_prefixes": ["00", "3b9d"] }),
        ),
        ("targets", "yes", json!({ "path_hash_prefixes": ["3b9"] })),
    ]);
    simulator.add_target("yes", "file", b"content");
    simulator.release("yes");
    assert!(client.find(&mut simulator, "file").unwrap().is_some());
    assert!(!simulator.asked.iter().any(|file| file.contains("no")));

    let (mut simulator, mut client) = fresh();
    simulator.delegate("targets", "bin-3", &json!({ "paths": ["*"] }));
    let key = simulator.keys["bin-3"][0].clone();
    simulator.role("targets")["delegations"] = json!({
        "keys": { key.id.clone(): key.public },
        "succinct_roles": { "keyids": [key.id], "threshold": 1, "bit_length": 4, "name_prefix": "bin" },
    });
    simulator.add_target("bin-3", "file", b"content");
    simulator.release("bin-3");
    simulator.release("targets");
    assert!(client.find(&mut simulator, "file").unwrap().is_some());
}

#[test]
fn not_more_roles_than_the_limit() {
    let names: Vec<String> = (0..50).map(|n| format!("role{n}")).collect();
    let list: Vec<_> = names
        .iter()
        .map(|name| ("targets", name.as_str(), json!({ "paths": ["*"] })))
        .collect();
    let (mut simulator, mut client) = delegated(&list);
    assert_eq!(visited(&mut simulator, &mut client, "missing").len(), 32);
}

#[test]
fn a_cached_role_is_checked_against_the_keys_its_delegator_gives_it_now() {
    let (mut simulator, mut client) = delegated(&[("targets", "A", json!({ "paths": ["*"] }))]);
    simulator.add_target("A", "file", b"content");
    simulator.release("A");
    assert!(client.find(&mut simulator, "file").unwrap().is_some());
    let key = SimKey::ed25519();
    let delegations = &mut simulator.role("targets")["delegations"];
    delegations["roles"][0]["keyids"] = json!([key.id]);
    delegations["keys"] = json!({ key.id.clone(): key.public });
    simulator.release("targets");
    // Its file is still signed by the old key, at the repository too.
    let error = client.find(&mut simulator, "file").unwrap_err();
    assert!(matches!(error, TufError::Unsigned { .. }), "{error}");
    simulator.keys.insert("A".into(), vec![key]);
    assert!(client.find(&mut simulator, "file").unwrap().is_some());
}

#[test]
fn an_expired_delegated_role_is_refused() {
    let (mut simulator, mut client) = delegated(&[("targets", "A", json!({ "paths": ["*"] }))]);
    simulator.role("A")["expires"] = format_time(NOW - 1).into();
    simulator.release("A");
    let error = client.find(&mut simulator, "file").unwrap_err();
    assert!(matches!(error, TufError::Expired { .. }), "{error}");
}

#[test]
fn odd_role_names_stay_one_file_name() {
    for name in ["?", "#", "/a", "../a", "a b", "é", "..", "a/../../b"] {
        let (mut simulator, mut client) =
            delegated(&[("targets", name, json!({ "paths": ["*"] }))]);
        assert_eq!(visited(&mut simulator, &mut client, "missing"), [name]);
        let encoded = notsotuf_stub::tuf::percent_encode(name, false);
        assert!(!encoded.contains(['/', '?', '#', ' ']), "{encoded}");
    }
}

// ---- Bad input ----

#[test]
fn malformed_metadata_is_refused_and_never_a_panic() {
    let deep = [vec![b'['; 200_000], vec![b']'; 200_000]].concat();
    let (simulator, client) = refreshed();
    let keys = |role: &str| simulator.keys[role].clone();
    for role in ["root", "timestamp", "snapshot", "targets"] {
        let good = simulator.signed[role].clone();
        let changed = |change: &dyn Fn(&mut Value)| {
            let mut signed = good.clone();
            signed["version"] = 2.into();
            change(&mut signed);
            sign(&signed, &keys(role))
        };
        let file = sign(&good, &keys(role));
        let text = String::from_utf8(file.clone()).unwrap();
        let mut bad: Vec<Vec<u8>> = vec![
            Vec::new(),
            b"null".to_vec(),
            b"{}".to_vec(),
            b"\xff\xfe\x00".to_vec(),
            deep.clone(),
            text.replacen("\"signed\":", "\"signed\":{},\"signed\":", 1)
                .into_bytes(),
            text.replacen("\"version\":1", "\"version\":1,\"version\":2", 1)
                .into_bytes(),
            text.replacen("\"version\":1", "\"version\":2.0", 1)
                .into_bytes(),
            changed(&|s| s["version"] = 0.into()),
            changed(&|s| s["version"] = (-1).into()),
            changed(&|s| s["version"] = "2".into()),
            changed(&|s| s["_type"] = "other".into()),
            changed(&|s| s["spec_version"] = "2.0.0".into()),
            changed(&|s| s["expires"] = "soon".into()),
            changed(&|s| s["expires"] = "2030-01-01T00:00:00+01:00".into()),
            changed(&|s| s["expires"] = Value::Null),
            changed(&|s| s["meta"] = json!([])),
            changed(&|s| s["targets"] = json!({ "x": { "length": -1, "hashes": {} } })),
            changed(&|s| s["keys"] = json!("none")),
            changed(&|s| s["roles"] = json!({})),
        ];
        for cut in [1, text.len() / 2, text.len() - 1] {
            bad.push(file[..cut].to_vec());
        }
        let mut tried = 0;
        for bytes in bad {
            if role != "root" && bytes == changed(&|s| s["keys"] = json!("none"))
                || serde_json::from_slice::<Value>(&bytes).is_ok_and(|v| is_fine(role, &v))
            {
                continue;
            }
            tried += 1;
            let (mut server, mut client) = (copy(&simulator), client.clone());
            server.release("targets");
            let name = match role {
                "timestamp" => "timestamp.json".into(),
                _ => format!("2.{role}.json"),
            };
            let what = String::from_utf8_lossy(&bytes[..bytes.len().min(300)]).into_owned();
            server.instead.insert(name, bytes);
            if role == "timestamp" || role == "targets" {
                client.bounds.timestamp = 1 << 20;
            }
            let before = client.version(role);
            let result = client.refresh(&mut server);
            assert!(result.is_err(), "{role}: {what}");
            assert_eq!(client.version(role), before, "{role}: {what}");
        }
        assert!(tried > 15, "{role}: {tried}");
    }
}

/// Changes to fields that a role does not have do not make it malformed.
fn is_fine(role: &str, value: &Value) -> bool {
    let signed = &value["signed"];
    let odd = |field: &str, good: &dyn Fn(&Value) -> bool| !good(&signed[field]);
    match role {
        "root" => {
            signed["version"] == 2
                && signed["roles"].get("root").is_some()
                && signed["keys"].is_object()
                && signed["_type"] == "root"
                && signed["spec_version"] == "1.0.34"
                && signed["expires"].as_str().is_some_and(|e| e.ends_with('Z'))
        }
        _ => {
            let meta = odd("meta", &|m| role == "targets" || m.is_object());
            let targets = odd("targets", &|t| role != "targets" || t["x"].is_null());
            !meta
                && !targets
                && signed["version"] == 2
                && signed["_type"] == role
                && signed["spec_version"] == "1.0.34"
                && signed["expires"].as_str().is_some_and(|e| e.ends_with('Z'))
        }
    }
}

fn copy(simulator: &Simulator) -> Simulator {
    let mut copy = Simulator::new();
    copy.signed = simulator.signed.clone();
    copy.keys = simulator.keys.clone();
    copy.roots = simulator.roots.clone();
    copy
}
