//! Interoperability with python-tuf and tufup, both ways.

use notsotuf_stub::hex::decode_hex;
use notsotuf_stub::tuf::key::Key;
use notsotuf_tests::{Sandbox, Server, bundle, bundler_in, python, python_in, text};
use serde_json::{Value, json};
use std::fs;
use std::path::Path;
use std::process::Command;

#[test]
fn python_clients_read_our_repository() {
    let sandbox = Sandbox::new();
    sandbox.release("1.0", &[]);
    let added = sandbox.add("1.1", &bundle("1.1"), &["--meta", r#"{"notes": ["é", 1]}"#]);
    sandbox.bundler(&["publish"]);
    let first = sandbox.path("project/repository/metadata/1.root.json");
    let folder = sandbox.path("client");
    let args = ["ngclient", &sandbox.url(), text(&first), text(&folder)];
    let targets = ["app-1.0.tar.gz", "app-1.1.tar.gz", "app-1.1.patch"];
    let sizes = python_in(&sandbox.path(""), &[&args[..], &targets].concat());
    assert_eq!(sizes["app-1.1.tar.gz"], added["archive"]["size"]);
    assert_eq!(sizes["app-1.1.patch"], added["patch"]["size"]);

    let folder = sandbox.path("tufup");
    let args = [
        "client",
        &sandbox.url(),
        text(&first),
        text(&folder),
        "app",
        "1.0",
    ];
    let done = python_in(&sandbox.path(""), &args);
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
    let mut sandbox = Sandbox::new();
    sandbox.release("1.0", &[]);
    sandbox.ship("1.0");
    let theirs = sandbox.path("tufup");
    fs::create_dir_all(&theirs).unwrap();
    for version in ["1.0", "1.1"] {
        python_in(
            &theirs,
            &["release", "app", version, text(&bundle(version))],
        );
    }
    let repository = theirs.join("repository");
    let shipped = sandbox.path("install/root.json");
    fs::copy(repository.join("metadata/1.root.json"), shipped).unwrap();
    let server = Server::start(&repository);
    sandbox.point_to(&server.url);
    sandbox.server = Some(server);
    assert_eq!(sandbox.start_version(), "1.1");
    let log = sandbox.log();
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

/// A tufup client of 1.0 that has the archive of that version updates.
fn tufup_client(sandbox: &Sandbox, repository: &Path, url: &str, name: &str) -> Value {
    let root = repository.join("metadata/1.root.json");
    let archive = repository.join("targets/app-1.0.tar.gz");
    let folder = sandbox.path(name);
    let args = [
        "client",
        url,
        text(&root),
        text(&folder),
        "app",
        "1.0",
        text(&archive),
    ];
    let done = python_in(&sandbox.path(""), &args);
    let program = folder.join("install/program");
    let output = Command::new(program).output().unwrap();
    let said: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(said["version"], done["found"]);
    done
}

#[test]
fn a_tufup_repository_is_taken_over_in_place_and_its_clients_keep_updating() {
    let sandbox = Sandbox::new();
    let theirs = sandbox.path("tufup");
    fs::create_dir_all(&theirs).unwrap();
    for version in ["1.0", "1.1"] {
        python_in(
            &theirs,
            &["release", "app", version, text(&bundle(version))],
        );
    }
    python_in(&theirs, &["rotate", "timestamp", "timestamp-2"]);
    let repository = theirs.join("repository");
    let server = Server::start(&repository);
    let notsotuf = |args: &[&str]| notsotuf_tests::json(&mut bundler_in(&theirs, args));
    let imported = notsotuf(&["import", "tufup", "--url", &server.url]);
    assert_eq!(imported["app"], "app");
    assert_eq!(imported["targets"], 3);
    assert_eq!(imported["keys"]["timestamp"], json!(["timestamp-2"]));
    assert_eq!(imported["keys"]["root"], json!(["root"]));
    assert_eq!(notsotuf(&["verify"])["problems"], json!([]));

    let added = notsotuf(&["add", "1.2", text(&bundle("1.2"))]);
    assert_eq!(added["patch"]["from"], "1.1");
    notsotuf(&["publish"]);
    let done = tufup_client(&sandbox, &repository, &server.url, "one");
    assert_eq!(done["found"], "1.2");
    assert_eq!(
        done["downloaded"],
        json!(["app-1.1.patch", "app-1.2.patch"])
    );

    // Every key is replaced by one of ours.
    for role in ["targets", "snapshot", "timestamp-2", "root"] {
        let new = format!("{role}-of-ours");
        notsotuf(&["keys", "create", &new, "--plain"]);
        notsotuf(&["keys", "replace", role, &new]);
        notsotuf(&["publish"]);
    }
    notsotuf(&["add", "1.3", text(&bundle("1.3"))]);
    notsotuf(&["publish"]);
    let done = tufup_client(&sandbox, &repository, &server.url, "two");
    assert_eq!(done["found"], "1.3");
    assert_eq!(done["downloaded"].as_array().unwrap().len(), 3);
    assert_eq!(notsotuf(&["verify"])["problems"], json!([]));

    // New installs have the stub, which takes the full archive.
    let install = sandbox.path("install");
    notsotuf(&["ship", "--version", "1.1", "--output", text(&install)]);
    let said = notsotuf_tests::json(&mut Command::new(install.join("program")));
    assert_eq!(said["version"], "1.3");
}

/// The last release of the old name is what new users install of the new one.
#[test]
fn clients_of_tufup_cross_over_to_the_stub() {
    let sandbox = Sandbox::new();
    let theirs = sandbox.path("tufup");
    fs::create_dir_all(&theirs).unwrap();
    python_in(&theirs, &["release", "app", "1.0", text(&bundle("1.0"))]);
    let repository = theirs.join("repository");
    let server = Server::start(&repository);
    let notsotuf = |args: &[&str]| notsotuf_tests::json(&mut bundler_in(&theirs, args));
    notsotuf(&["import", "tufup", "--url", &server.url]);
    let settings = theirs.join("notsotuf-project.toml");
    let before = fs::read_to_string(&settings).unwrap();
    let after = before.replace("apps = [\"app\"]", "apps = [\"app\", \"app2\"]");
    assert_ne!(before, after);
    fs::write(&settings, after).unwrap();
    notsotuf(&["add", "1.1", text(&bundle("1.1")), "--app", "app2"]);
    notsotuf(&["publish"]);
    let shipped = theirs.join("shipped");
    notsotuf(&["ship", "--app", "app2", "--output", text(&shipped)]);
    notsotuf(&["add", "1.1", text(&shipped), "--app", "app", "--skip-patch"]);
    notsotuf(&["publish"]);

    let root = repository.join("metadata/1.root.json");
    let folder = sandbox.path("client");
    let args = [
        "client",
        &server.url,
        text(&root),
        text(&folder),
        "app",
        "1.0",
    ];
    let done = python_in(&sandbox.path(""), &args);
    assert_eq!(done["found"], "1.1");
    let start = || notsotuf_tests::json(&mut Command::new(folder.join("install/program")));
    assert_eq!(start()["version"], "1.1");
    notsotuf(&[
        "add",
        "1.2",
        text(&bundle("1.2")),
        "--app",
        "app2",
        "--skip-patch",
    ]);
    notsotuf(&["publish"]);
    assert_eq!(start()["version"], "1.2");
}

#[test]
fn the_stub_follows_a_tufup_repository_through_rotations() {
    let mut sandbox = Sandbox::new();
    sandbox.release("1.0", &[]);
    sandbox.ship("1.0");
    let theirs = sandbox.path("tufup");
    fs::create_dir_all(&theirs).unwrap();
    let release = |version: &str| {
        python_in(
            &theirs,
            &["release", "app", version, text(&bundle(version))],
        );
    };
    release("1.0");
    let repository = theirs.join("repository");
    fs::copy(
        repository.join("metadata/1.root.json"),
        sandbox.path("install/root.json"),
    )
    .unwrap();
    let server = Server::start(&repository);
    sandbox.point_to(&server.url);
    sandbox.server = Some(server);
    assert_eq!(sandbox.start_version(), "1.0");
    for role in ["timestamp", "snapshot", "targets", "root"] {
        python_in(&theirs, &["rotate", role, &format!("{role}-2")]);
        sandbox.start();
        assert!(
            sandbox.log().trim_end().ends_with("up to date"),
            "{role}: {}",
            sandbox.log()
        );
    }
    release("1.1");
    assert_eq!(sandbox.start_version(), "1.1", "{}", sandbox.log());
}

#[test]
fn key_files_of_securesystemslib_are_read() {
    let sandbox = Sandbox::new();
    for (name, password) in [("old-plain", ""), ("old-locked", "correct horse")] {
        let path = sandbox.path("project/keystore").join(name);
        python(&["legacy-key", text(&path), password]);
    }
    let keys = sandbox.bundler(&["keys", "list"]);
    let find = |name: &str| {
        let mut keys = keys["keys"].as_array().unwrap().iter();
        keys.find(|key| key["name"] == name).unwrap()["private"].clone()
    };
    assert_eq!(
        (find("old-plain"), find("old-locked")),
        (json!("plain"), json!("encrypted"))
    );
    sandbox.bundler(&["keys", "replace", "targets", "old-plain"]);
    sandbox.bundler(&["keys", "replace", "snapshot", "old-locked"]);
    sandbox.add("1.0", &bundle("onefile-1.0"), &[]);
    let with = |passphrase: &str| {
        let mut command = sandbox.command(&["publish"]);
        command.env("NOTSOTUF_PASSPHRASE_OLD_LOCKED", passphrase);
        notsotuf_tests::run(&mut command)
    };
    let wrong = with("wrong");
    assert_eq!(wrong.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&wrong.stderr).contains("the passphrase is wrong"));
    assert!(with("correct horse").status.success());
    assert_eq!(sandbox.bundler(&["verify"])["problems"], json!([]));
}
