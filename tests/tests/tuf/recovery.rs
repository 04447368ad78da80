//! Recovery from fast-forward attacks.

use super::*;

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
