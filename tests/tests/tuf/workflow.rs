//! The workflow of a refresh, step by step.

use super::*;

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
        hashes: hashes.into_iter().collect(),
        custom: Default::default(),
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
