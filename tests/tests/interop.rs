//! Interoperability with python-tuf and tufup, both ways.

use notsotuf_stub::tuf::key::{Key, decode_hex};
use notsotuf_tests::{Server, World, bundle, python, python_in};
use serde_json::{Value, json};
use std::fs;
use std::path::Path;
use std::process::Command;

fn text(path: &Path) -> &str {
    path.to_str().expect("Unicode")
}

#[test]
fn python_clients_read_our_repository() {
    let world = World::new();
    world.release("1.0", &[]);
    let added = world.add("1.1", &bundle("1.1"), &["--meta", r#"{"notes": ["é", 1]}"#]);
    world.bundler(&["publish"]);
    let first = world.path("project/repository/metadata/1.root.json");
    let folder = world.path("client");
    let args = ["ngclient", &world.url(), text(&first), text(&folder)];
    let targets = ["app-1.0.tar.gz", "app-1.1.tar.gz", "app-1.1.patch"];
    let sizes = python_in(&world.path(""), &[&args[..], &targets].concat());
    assert_eq!(sizes["app-1.1.tar.gz"], added["archive"]["size"]);
    assert_eq!(sizes["app-1.1.patch"], added["patch"]["size"]);

    let folder = world.path("tufup");
    let args = [
        "client",
        &world.url(),
        text(&first),
        text(&folder),
        "app",
        "1.0",
    ];
    let done = python_in(&world.path(""), &args);
    assert_eq!(done["found"], "1.1");
    assert_eq!(done["custom"], json!({ "notes": ["é", 1] }));
    assert_eq!(done["installed"], json!(["_internal", "program"]));
    let output = Command::new(folder.join("install/program"))
        .output()
        .unwrap();
    let said: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(said["version"], "1.1");
}

#[test]
fn the_stub_updates_from_a_repository_that_tufup_made() {
    let mut world = World::new();
    world.release("1.0", &[]);
    world.ship("1.0");
    let theirs = world.path("tufup");
    fs::create_dir_all(&theirs).unwrap();
    for version in ["1.0", "1.1"] {
        python_in(
            &theirs,
            &["release", "app", version, text(&bundle(version))],
        );
    }
    let repository = theirs.join("repository");
    let shipped = world.path("install/root.json");
    fs::copy(repository.join("metadata/1.root.json"), shipped).unwrap();
    let server = Server::start(&repository);
    world.point_to(&server.url);
    world.server = Some(server);
    assert_eq!(world.start_version(), "1.1");
    let log = world.log();
    assert!(
        log.contains("updated to version 1.1 by the full archive"),
        "{log}"
    );
}

#[test]
fn signatures_of_all_schemes_by_securesystemslib() {
    let made = python(&["signatures"]);
    let payload = made["payload"].as_str().unwrap().as_bytes();
    let cases = made["cases"].as_array().unwrap();
    let mut schemes = Vec::new();
    for case in cases {
        let key: Key = serde_json::from_value(case["key"].clone()).unwrap();
        let mut signature = decode_hex(case["sig"].as_str().unwrap()).unwrap();
        assert!(key.verifies(payload, &signature), "{}", key.scheme);
        assert!(
            !key.verifies(b"another payload", &signature),
            "{}",
            key.scheme
        );
        let last = signature.len() - 1;
        signature[last] ^= 1;
        assert!(!key.verifies(payload, &signature), "{}", key.scheme);
        schemes.push(key.scheme);
    }
    let expected = [
        "ed25519",
        "ecdsa-sha2-nistp256",
        "rsassa-pss-sha256",
        "rsa-pkcs1v15-sha256",
        "ecdsa-sha2-nistp384",
    ];
    assert_eq!(schemes, expected);
}
