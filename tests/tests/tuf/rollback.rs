//! Rollback, freeze, mix-and-match.

use super::*;

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
