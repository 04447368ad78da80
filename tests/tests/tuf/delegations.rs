//! Delegations.

use super::*;

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
        let encoded = notsotuf_stub::tuf::percent_encode(name);
        assert!(!encoded.contains(['/', '?', '#', ' ']), "{encoded}");
    }
}

/// Two teams delegate to one role name, each with a key of its own.
fn diamond(signed_by: &[usize]) -> (Simulator, Client) {
    let (mut simulator, client) = delegated(&[
        ("targets", "a", json!({ "paths": ["a/*"] })),
        ("targets", "b", json!({ "paths": ["b/*"] })),
        ("a", "release", json!({ "paths": ["a/*"] })),
        ("b", "release", json!({ "paths": ["b/*"] })),
    ]);
    let keys = simulator.keys["release"].clone();
    let keys = signed_by.iter().map(|&at| keys[at].clone()).collect();
    simulator.keys.insert("release".into(), keys);
    for path in ["a/file", "b/file"] {
        simulator.add_target("release", path, b"content");
    }
    simulator.release("release");
    (simulator, client)
}

// `test_cached_role_is_verified_against_current_delegator` of
// <https://github.com/theupdateframework/tuf-conformance>.
#[test]
fn a_role_is_believed_only_for_the_delegator_through_which_it_is_reached() {
    for (signed_by, a, b) in [
        (&[0, 1][..], true, true),
        (&[0], true, false),
        (&[1], false, true),
    ] {
        // In both orders, in one run and from what was stored.
        for [first, second] in [["a", "b"], ["b", "a"]] {
            let (mut simulator, mut client) = diamond(signed_by);
            for _ in 0..2 {
                let mut refresh = client.refresh(&mut simulator).unwrap();
                for team in [first, second, first] {
                    let path = format!("{team}/file");
                    let found = client.find_in(&mut refresh, &mut simulator, &path);
                    if (team == "a" && a) || (team == "b" && b) {
                        assert!(found.unwrap().is_some(), "{signed_by:?} {team}")
                    } else {
                        let error = found.unwrap_err();
                        assert!(matches!(error, TufError::Unsigned { .. }), "{error}");
                    }
                }
            }
        }
    }
}

#[test]
fn what_a_role_delegates_counts_only_where_the_role_itself_does() {
    let (mut simulator, mut client) = diamond(&[0]);
    simulator.delegate("release", "deep", &json!({ "paths": ["*/*"] }));
    simulator.add_target("deep", "a/deep", b"content");
    simulator.add_target("deep", "b/deep", b"content");
    simulator.release("deep");
    simulator.release("release");
    let mut refresh = client.refresh(&mut simulator).unwrap();
    let mut find = |path: &str| client.find_in(&mut refresh, &mut simulator, path);
    assert!(find("a/deep").unwrap().is_some());
    let error = find("b/deep").unwrap_err();
    assert!(matches!(error, TufError::Unsigned { .. }), "{error}");
    assert!(find("a/deep").unwrap().is_some());
}

// `test_delegation_not_in_snapshot` of
// <https://github.com/theupdateframework/tuf-conformance>.
#[test]
fn what_the_snapshot_does_not_list_is_not_asked_for() {
    let (mut simulator, mut client) = delegated(&[("targets", "A", json!({ "paths": ["*"] }))]);
    simulator.add_target("A", "file", b"content");
    simulator.release("A");
    let listed = simulator.role("snapshot")["meta"]["A.json"].take();
    let meta = simulator.role("snapshot")["meta"].as_object_mut().unwrap();
    meta.remove("A.json");
    simulator.release_snapshot();
    let mut refresh = client.refresh(&mut simulator).unwrap();
    simulator.asked.clear();
    let error = client.find_in(&mut refresh, &mut simulator, "file");
    let error = error.unwrap_err();
    assert!(matches!(error, TufError::NotListed { .. }), "{error}");
    assert_eq!(simulator.asked, Vec::<String>::new());
    assert!(!client.stored.contains_key("A"));
    // A stored copy does not change that; once it is listed, it is found.
    client.stored.insert("A".into(), simulator.file("A"));
    let error = client.find(&mut simulator, "file").unwrap_err();
    assert!(matches!(error, TufError::NotListed { .. }), "{error}");
    simulator.role("snapshot")["meta"]["A.json"] = listed;
    simulator.release_snapshot();
    assert!(client.find(&mut simulator, "file").unwrap().is_some());
}

#[test]
fn a_snapshot_without_the_top_level_targets_is_refused_and_they_are_not_asked_for() {
    let (mut simulator, mut client) = fresh();
    simulator.role("snapshot")["meta"] = json!({});
    simulator.release_snapshot();
    let error = refused(&mut client, &mut simulator);
    assert!(matches!(error, TufError::NotListed { .. }), "{error}");
    assert!(!simulator.asked.iter().any(|file| file.contains("targets")));
}
