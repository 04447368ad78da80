//! Keys and thresholds.

use super::*;

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
