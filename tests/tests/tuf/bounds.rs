//! What is listed never lifts a bound, and what is not signed costs little.

use super::*;
use notsotuf_stub::tuf::metadata::{MAX_KEYS, MAX_SIGNATURES};
use notsotuf_stub::tuf::{Limits, Refresh, Step};
use notsotuf_tests::simulator::NOW;

/// Refreshes, looks for a target, and tells how many bytes each file of the
/// repository could have had; a file that has more is not answered, as at the
/// HTTP edge, and ends it.
fn limits(simulator: &mut Simulator, path: &str) -> Vec<(String, u64)> {
    let client = Client::new(simulator);
    let mut refresh = Refresh::new(&client.stored["root"], NOW, Limits::default()).unwrap();
    let mut limits = Vec::new();
    for search in [false, true] {
        if search && refresh.search(path).is_err() {
            return limits;
        }
        loop {
            match refresh.next_step() {
                Step::Done => break,
                Step::Load { .. } => refresh.answer(None).unwrap(),
                Step::Store { .. } | Step::Remove { .. } => {}
                Step::Fetch {
                    role,
                    file,
                    max_length,
                } => {
                    let bytes = simulator.serve(&file);
                    if role != "root" {
                        limits.push((role, max_length));
                    }
                    let fits = bytes.as_ref().is_none_or(|b| b.len() as u64 <= max_length);
                    if !fits || refresh.answer(bytes).is_err() {
                        return limits;
                    }
                }
            }
        }
    }
    limits
}

#[test]
fn a_listed_length_never_lifts_a_bound() {
    let bounds = Limits::default();
    for listed in [1 << 60, u64::MAX, bounds.targets + 1] {
        let (mut simulator, _) = fresh();
        simulator.delegate("targets", "x", &json!({ "paths": ["*"] }));
        simulator.role("snapshot")["meta"]["x.json"]["length"] = listed.into();
        simulator.release("targets");
        let found = limits(&mut simulator, "a");
        let x = found.iter().find(|(role, _)| role == "x").unwrap();
        assert!(x.1 <= bounds.targets, "{found:?}");

        simulator.role("snapshot")["meta"]["targets.json"]["length"] = listed.into();
        simulator.release_snapshot();
        let found = limits(&mut simulator, "a");
        assert_eq!(found.last(), Some(&("targets".into(), bounds.targets)));

        simulator.role("timestamp")["meta"]["snapshot.json"]["length"] = listed.into();
        simulator.bump("timestamp");
        let found = limits(&mut simulator, "a");
        assert_eq!(found.last(), Some(&("snapshot".into(), bounds.snapshot)));
    }
}

#[test]
fn what_is_listed_as_shorter_is_a_bound_of_its_own() {
    let (mut simulator, _) = fresh();
    simulator.list_hashes = true;
    simulator.release("targets");
    let found = limits(&mut simulator, "a");
    for (role, limit) in found.iter().filter(|(role, _)| role != "timestamp") {
        assert_eq!(*limit, simulator.file(role).len() as u64, "{role}");
    }
    assert_eq!(found.len(), 3);
}

#[test]
fn delegated_roles_are_bounded_together() {
    let bounds = Limits::default();
    let (mut simulator, _) = fresh();
    for n in 0..10 {
        let role = format!("r{n}");
        simulator.delegate("targets", &role, &json!({ "paths": ["*"] }));
        simulator.role(&role)["fill"] = "x".repeat(900_000).into();
        simulator.list(&role);
    }
    simulator.release("targets");
    let found = limits(&mut simulator, "a");
    let roles = found.iter().filter(|(role, _)| role.starts_with('r'));
    let most = (bounds.all_targets / 900_000) as usize;
    assert!((most - 1..=most + 1).contains(&roles.count()), "{found:?}");
    let (_, last) = found.last().unwrap();
    assert!(*last < 900_000, "{found:?}");
}

#[test]
fn keys_and_signatures_are_bounded() {
    let (mut simulator, mut client) = fresh();
    let keys: Vec<_> = (0..=MAX_KEYS).map(|_| SimKey::ed25519()).collect();
    simulator.rotate_root(keys[1..].to_vec(), MAX_KEYS as u64);
    client.refresh(&mut simulator).unwrap();
    simulator.rotate_root(keys, 1);
    let error = refused(&mut client, &mut simulator);
    assert!(matches!(error, TufError::Form { .. }), "{error}");

    let (mut simulator, client) = fresh();
    let sign = |simulator: &Simulator, count: usize| {
        let mut file: Value = serde_json::from_slice(&simulator.file("snapshot")).unwrap();
        let signatures = file["signatures"].as_array_mut().unwrap();
        for n in signatures.len()..count {
            signatures.push(json!({ "keyid": n.to_string(), "sig": "00" }));
        }
        serde_json::to_vec(&file).unwrap()
    };
    for (count, fine) in [(MAX_SIGNATURES, true), (MAX_SIGNATURES + 1, false)] {
        let file = sign(&simulator, count);
        let name = format!("{}.snapshot.json", simulator.version("snapshot"));
        simulator.instead.insert(name, file);
        let result = client.clone().refresh(&mut simulator);
        assert_eq!(result.is_ok(), fine, "{count}");
    }
}

#[test]
fn what_is_not_signed_is_not_looked_into() {
    let (mut simulator, mut client) = fresh();
    for (signed, looked_into) in [(false, false), (true, true)] {
        simulator.role("timestamp")["meta"] = json!("no metadata of any role");
        let mut file: Value = serde_json::from_slice(&simulator.file("timestamp")).unwrap();
        if !signed {
            file["signatures"] = json!([]);
        }
        let file = serde_json::to_vec(&file).unwrap();
        simulator.instead.insert("timestamp.json".into(), file);
        let error = refused(&mut client, &mut simulator);
        assert_eq!(
            matches!(error, TufError::Form { .. }),
            looked_into,
            "{error}"
        );
        assert_eq!(
            matches!(error, TufError::Unsigned { .. }),
            !looked_into,
            "{error}"
        );
    }
}

#[test]
fn what_an_application_puts_beside_a_target_is_bounded() {
    for (values, fine) in [(9_000, true), (11_000, false)] {
        let (mut simulator, mut client) = fresh();
        simulator.add_target("targets", "a", b"x");
        simulator.role("targets")["targets"]["a"]["custom"] = json!({ "x": vec![10; values] });
        simulator.release("targets");
        let found = client.find(&mut simulator, "a");
        assert_eq!(found.is_ok(), fine, "{found:?}");
        if let Ok(Some(target)) = found {
            assert_eq!(target.custom.value()["x"][8_999], 10);
        }
    }
}
