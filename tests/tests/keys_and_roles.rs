//! Keys that a team can live with: rotation, thresholds, several people,
//! devices, renewal, audits; and that clients of all kinds keep up.

use notsotuf_tests::{Sandbox, bundle, copy_tree, python_in, run, write_version_script};
use serde_json::{Value, json};
use std::fs;
use std::path::Path;
use std::process::Command;

/// A project with small releases: the content does not matter here.
fn sandbox(init: &[&str]) -> Sandbox {
    let sandbox = Sandbox::with(init);
    small(&sandbox, "1.0");
    sandbox
}

fn small(sandbox: &Sandbox, version: &str) {
    let bundle = sandbox.path(&format!("bundle-{version}"));
    write_version_script(&bundle.join("program"), version);
    // Large enough for a patch to pay.
    let filler: Vec<u8> = (0..20_000u32).flat_map(|n| (n * n).to_le_bytes()).collect();
    fs::write(bundle.join("filler"), filler).unwrap();
    sandbox.add(version, &bundle, &[]);
}

fn publish(sandbox: &Sandbox) -> Value {
    sandbox.bundler(&["publish"])
}

fn fails(sandbox: &Sandbox, args: &[&str], code: i32, words: &str) {
    let output = run(&mut sandbox.command(args));
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(code), "{args:?}: {said}");
    assert!(said.contains(words), "{args:?}: {said}");
}

/// python-tuf and tufup clients that know only the first root.
fn python_clients_keep_up(sandbox: &Sandbox, version: &str) {
    let root = sandbox.repository().join("metadata/1.root.json");
    let root = root.to_str().unwrap();
    let folder = sandbox.path(&format!("ngclient-{version}"));
    let archive = format!("app-{version}.tar.gz");
    let url = sandbox.url();
    let args = ["ngclient", &url, root, folder.to_str().unwrap(), &archive];
    python_in(&sandbox.path(""), &args);
    let folder = sandbox.path(&format!("tufup-{version}"));
    let args = ["client", &url, root, folder.to_str().unwrap(), "app", "1.0"];
    let done = python_in(&sandbox.path(""), &args);
    assert_eq!(done["found"], version);
}

#[test]
fn every_key_can_be_replaced_and_all_clients_keep_up() {
    let sandbox = sandbox(&[]);
    publish(&sandbox);
    sandbox.ship("1.0");
    let mut version = 0;
    for role in ["timestamp", "snapshot", "targets", "root"] {
        version += 1;
        let new = format!("{role}-2");
        sandbox.bundler(&["keys", "create", &new, "--plain"]);
        let draft = sandbox.bundler(&["keys", "replace", role, &new]);
        assert_eq!(draft["ready"], true, "{draft}");
        small(&sandbox, &format!("1.{version}"));
        let done = publish(&sandbox);
        assert_eq!(done["versions"]["root"], version + 1);
        assert_eq!(
            sandbox.start_version(),
            format!("1.{version}"),
            "{}",
            sandbox.log()
        );
        fs::remove_file(sandbox.path(&format!("project/keystore/{role}.pem"))).unwrap();
        python_clients_keep_up(&sandbox, &format!("1.{version}"));
    }
    let audit = sandbox.bundler(&["verify"]);
    assert_eq!(
        audit,
        json!({ "roots": 5, "archives": 5, "patches": 4, "others": 0, "problems": [] })
    );
    let keys = sandbox.bundler(&["keys", "list"]);
    let signing: Vec<_> = keys["keys"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|key| key["roles"] != json!([]))
        .map(|key| key["name"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(
        signing,
        ["root-2", "snapshot-2", "targets-2", "timestamp-2"]
    );
}

#[test]
fn a_half_signed_root_is_never_published() {
    let sandbox = sandbox(&["--root-keys", "alice,bob,carol", "--root-threshold", "2"]);
    publish(&sandbox);
    sandbox.ship("1.0");
    // Everyone has a medium of their own.
    let medium = |name: &str| sandbox.path(&format!("medium-{name}"));
    for name in ["alice", "bob", "carol"] {
        fs::create_dir_all(medium(name)).unwrap();
        let file = format!("{name}.pem");
        let from = sandbox.path("project/keystore").join(&file);
        fs::rename(from, medium(name).join(&file)).unwrap();
        fs::copy(
            sandbox.path(&format!("project/keystore/{name}.pub")),
            medium(name).join(format!("{name}.pub")),
        )
        .unwrap();
    }
    let alice = medium("alice");
    let alice = ["--key-dir", alice.to_str().unwrap()];
    let bob = medium("bob");
    let bob = ["--key-dir", bob.to_str().unwrap()];
    sandbox.bundler(&["keys", "create", "targets-2", "--plain"]);
    let draft =
        sandbox.bundler(&[&["keys", "replace", "targets", "targets-2"], &alice[..]].concat());
    assert_eq!(draft["ready"], false);
    assert_eq!(draft["old"], json!({ "have": 1, "need": 2 }));
    fails(&sandbox, &["publish"], 1, "notsotuf sign root");
    assert!(!sandbox.repository().join("metadata/2.root.json").exists());
    assert_eq!(sandbox.start_version(), "1.0");
    let status = sandbox.bundler(&["status"]);
    assert_eq!(
        status["pending"]["root"]["old"],
        json!({ "have": 1, "need": 2 })
    );
    let draft = sandbox.bundler(&[&["sign", "root", "--yes"], &bob[..]].concat());
    assert_eq!(draft["ready"], true, "{draft}");
    small(&sandbox, "1.1");
    assert_eq!(publish(&sandbox)["versions"]["root"], 2);
    assert_eq!(sandbox.start_version(), "1.1", "{}", sandbox.log());
    python_clients_keep_up(&sandbox, "1.1");
    // And a change of the root keys themselves: old and new must sign.
    sandbox.bundler(&["keys", "create", "dave", "--plain"]);
    let draft = sandbox.bundler(&[&["keys", "replace", "carol", "dave"], &bob[..]].concat());
    assert_eq!(draft["old"], json!({ "have": 1, "need": 2 }));
    assert_eq!(draft["new"], json!({ "have": 2, "need": 2 }));
    fails(
        &sandbox,
        &["publish"],
        1,
        "by the keys of the previous root",
    );
    sandbox.bundler(&[&["sign", "root", "--yes"], &alice[..]].concat());
    assert_eq!(publish(&sandbox)["versions"]["root"], 3);
    assert_eq!(sandbox.bundler(&["verify"])["problems"], json!([]));
}

#[test]
fn a_key_is_made_where_it_stays() {
    let sandbox = sandbox(&[]);
    let medium = sandbox.path("medium");
    fs::create_dir(&medium).unwrap();
    let at = ["--key-dir", medium.to_str().unwrap()];
    sandbox.bundler(&[&["keys", "create", "dave", "--plain"], &at[..]].concat());
    let keystore = sandbox.path("project/keystore");
    assert!(medium.join("dave.pem").exists() && medium.join("dave.pub").exists());
    assert!(keystore.join("dave.pub").exists() && !keystore.join("dave.pem").exists());
    let draft = sandbox.bundler(&["keys", "add", "root", "dave", "--threshold", "2"]);
    assert_eq!(draft["new"], json!({ "have": 1, "need": 2 }));
    let draft = sandbox.bundler(&[&["sign", "root", "--yes"], &at[..]].concat());
    assert_eq!(draft["ready"], true, "{draft}");
}

#[test]
fn two_people_sign_targets_one_after_the_other() {
    let sandbox = sandbox(&["--targets-keys", "alice,bob", "--targets-threshold", "2"]);
    let away = sandbox.path("bob.pem");
    let here = sandbox.path("project/keystore/bob.pem");
    fs::rename(&here, &away).unwrap();
    fails(
        &sandbox,
        &["publish"],
        1,
        "targets has 1 of the 2 signatures",
    );
    let alice = sandbox.path("project/keystore/alice.pem");
    fs::rename(&alice, sandbox.path("alice.pem")).unwrap();
    fs::rename(&away, &here).unwrap();
    let signed = sandbox.bundler(&["sign", "targets", "--yes"]);
    assert_eq!((&signed["have"], &signed["need"]), (&json!(2), &json!(2)));
    publish(&sandbox);
    sandbox.ship("1.0");
    // What was signed was signed for just these targets.
    small(&sandbox, "1.1");
    fails(
        &sandbox,
        &["publish"],
        1,
        "targets has 1 of the 2 signatures",
    );
    fs::rename(sandbox.path("alice.pem"), &alice).unwrap();
    publish(&sandbox);
    assert_eq!(sandbox.start_version(), "1.1");
    python_clients_keep_up(&sandbox, "1.1");
}

#[test]
fn a_renewal_keeps_what_one_of_two_signed() {
    let sandbox = sandbox(&["--targets-keys", "alice,bob", "--targets-threshold", "2"]);
    publish(&sandbox);
    small(&sandbox, "1.1");
    let key = |name: &str| sandbox.path(&format!("project/keystore/{name}.pem"));
    fs::rename(key("bob"), sandbox.path("bob.pem")).unwrap();
    fails(
        &sandbox,
        &["publish"],
        1,
        "targets has 1 of the 2 signatures",
    );
    let renewed = sandbox.bundler(&["renew"]);
    assert_eq!(renewed["versions"].get("targets"), None, "{renewed}");
    // Bob finds the signature of Alice, who is gone.
    fs::rename(key("alice"), sandbox.path("alice.pem")).unwrap();
    fs::rename(sandbox.path("bob.pem"), key("bob")).unwrap();
    assert_eq!(publish(&sandbox)["versions"]["targets"], 2);
}

/// With a multiple of what it was, it is as if half of the time were over.
fn targets_days(sandbox: &Sandbox, before: u32, after: u32) {
    let path = sandbox.path("project/notsotuf-project.toml");
    let text = fs::read_to_string(&path).unwrap();
    let line = |days| format!("\ntargets = {days}\n");
    assert!(text.contains(&line(before)), "{text}");
    fs::write(&path, text.replace(&line(before), &line(after))).unwrap();
}

fn warning(done: &Value, words: &str) {
    let said = done["warnings"].to_string();
    assert!(said.contains(words), "{words}: {said}");
}

#[test]
fn a_renewal_without_the_targets_key_renews_the_rest_and_says_so() {
    let sandbox = sandbox(&["--targets-days", "30"]);
    publish(&sandbox);
    targets_days(&sandbox, 30, 100);
    let medium = sandbox.path("medium");
    fs::create_dir(&medium).unwrap();
    let key = sandbox.path("project/keystore/targets.pem");
    fs::rename(&key, medium.join("targets.pem")).unwrap();
    let done = sandbox.bundler(&["renew"]);
    assert_eq!(done["versions"], json!({ "snapshot": 2, "timestamp": 2 }));
    warning(&done, "more days: targets has 0 of the 1");
    warning(&done, "of its keys (targets)");
    assert!(!sandbox.path("project/.notsotuf-pending").exists());
    let due = |sandbox: &Sandbox| {
        let status = sandbox.bundler(&["status"]);
        status["roles"]["targets"]["renewal_due"].clone()
    };
    assert_eq!(due(&sandbox), true);
    // As the warning says.
    let done = sandbox.bundler(&["renew", "--key-dir", medium.to_str().unwrap()]);
    assert_eq!(done["versions"]["targets"], 2);
    assert_eq!(done["warnings"], json!([]));
    assert_eq!(due(&sandbox), json!(null));
}

#[test]
fn a_renewal_leaves_a_drafted_root_alone() {
    let sandbox = sandbox(&["--root-keys", "alice,bob", "--root-threshold", "2"]);
    publish(&sandbox);
    let key = sandbox.path("project/keystore/bob.pem");
    fs::rename(&key, sandbox.path("bob.pem")).unwrap();
    sandbox.bundler(&["keys", "create", "online", "--plain"]);
    sandbox.bundler(&["keys", "replace", "timestamp", "online"]);
    // Half signed, and whole.
    for version in [2, 3] {
        let done = sandbox.bundler(&["renew"]);
        let expected = json!({ "snapshot": version, "timestamp": version });
        assert_eq!(done["versions"], expected);
        warning(&done, "root 2 is drafted");
        if version == 2 {
            fs::rename(sandbox.path("bob.pem"), &key).unwrap();
            sandbox.bundler(&["sign", "root", "--yes"]);
        }
    }
    // The old key is lost: what helps is said.
    let old = sandbox.path("project/keystore/timestamp.pem");
    fs::remove_file(old).unwrap();
    fails(&sandbox, &["renew"], 1, "`notsotuf publish` publishes it");
    assert_eq!(publish(&sandbox)["versions"]["root"], 2);
}

#[test]
fn a_renewal_never_writes_over_what_one_of_two_signed() {
    let sandbox = sandbox(&[
        "--targets-keys",
        "alice,bob",
        "--targets-threshold",
        "2",
        "--targets-days",
        "30",
    ]);
    publish(&sandbox);
    small(&sandbox, "1.1");
    let key = |name: &str| sandbox.path(&format!("project/keystore/{name}.pem"));
    let away = |name: &str| sandbox.path(&format!("{name}.pem"));
    fs::rename(key("bob"), away("bob")).unwrap();
    let half = "targets has 1 of the 2 signatures";
    fails(&sandbox, &["publish"], 1, half);
    targets_days(&sandbox, 30, 100);
    // Whoever is there: nobody, Alice, both.
    fs::rename(key("alice"), away("alice")).unwrap();
    for back in [None, Some("alice"), Some("bob")] {
        if let Some(name) = back {
            fs::rename(away(name), key(name)).unwrap();
        }
        let done = sandbox.bundler(&["renew"]);
        assert_eq!(done["versions"].get("targets"), None, "{done}");
        warning(&done, "notsotuf sign targets");
    }
    fs::rename(key("alice"), away("alice")).unwrap();
    assert_eq!(publish(&sandbox)["versions"]["targets"], 2);
    // What is renewed only is handed on as well.
    fs::rename(away("alice"), key("alice")).unwrap();
    fs::rename(key("bob"), away("bob")).unwrap();
    targets_days(&sandbox, 100, 300);
    warning(&sandbox.bundler(&["renew"]), half);
    fs::rename(key("alice"), away("alice")).unwrap();
    fs::rename(away("bob"), key("bob")).unwrap();
    assert_eq!(sandbox.bundler(&["renew"])["versions"]["targets"], 3);
}

#[test]
fn changes_that_cannot_be_are_refused() {
    let sandbox = sandbox(&[]);
    publish(&sandbox);
    fails(&sandbox, &["keys", "revoke", "targets"], 1, "0 key(s)");
    fails(
        &sandbox,
        &["keys", "threshold", "root", "2"],
        1,
        "threshold of 2",
    );
    fails(
        &sandbox,
        &["keys", "add", "targets", "nobody"],
        1,
        "there is no key",
    );
    fails(
        &sandbox,
        &["keys", "add", "targets", "targets"],
        1,
        "already",
    );
    fails(&sandbox, &["sign", "root"], 1, "no draft");
    fails(&sandbox, &["sign", "timestamp"], 1, "notsotuf renew");
    assert_eq!(sandbox.bundler(&["status"])["pending"]["root"], json!(null));
}

#[test]
fn a_change_that_is_refused_leaves_no_half_of_itself() {
    let sandbox = sandbox(&["--root-keys", "alice,bob", "--root-threshold", "2"]);
    publish(&sandbox);
    sandbox.bundler(&["keys", "create", "carol", "--plain"]);
    for (command, words) in [
        ("keys add root carol --threshold 4", "threshold of 4"),
        // Carol signs nothing: there is nothing to revoke.
        ("keys revoke carol --role root --threshold 1", "revoke"),
    ] {
        let args: Vec<&str> = command.split(' ').collect();
        fails(&sandbox, &args, 1, words);
        let pending = &sandbox.bundler(&["status"])["pending"]["root"];
        assert_eq!(*pending, json!(null), "{command}");
    }
    // The same with what it should have been.
    let draft = sandbox.bundler(&["keys", "add", "root", "carol", "--threshold", "3"]);
    assert_eq!(draft["new"], json!({ "have": 3, "need": 3 }));
    // And beside a draft, which stays what it was.
    sandbox.bundler(&["keys", "create", "dave", "--plain"]);
    let args = ["keys", "add", "root", "dave", "--threshold", "9"];
    fails(&sandbox, &args, 1, "threshold of 9");
    let pending = &sandbox.bundler(&["status"])["pending"]["root"];
    assert_eq!(pending["new"], json!({ "have": 3, "need": 3 }));
}

#[test]
fn keys_are_added_and_revoked_with_their_thresholds() {
    let sandbox = sandbox(&[]);
    publish(&sandbox);
    sandbox.ship("1.0");
    sandbox.bundler(&["keys", "create", "second", "--plain"]);
    sandbox.bundler(&["keys", "add", "timestamp", "second", "--threshold", "2"]);
    small(&sandbox, "1.1");
    publish(&sandbox);
    assert_eq!(sandbox.start_version(), "1.1");
    python_clients_keep_up(&sandbox, "1.1");
    let status = sandbox.bundler(&["status"]);
    assert_eq!(status["roles"]["timestamp"]["threshold"], 2);
    assert_eq!(status["roles"]["timestamp"]["signatures"], 2);
    sandbox.bundler(&[
        "keys",
        "revoke",
        "timestamp",
        "--role",
        "timestamp",
        "--threshold",
        "1",
    ]);
    small(&sandbox, "1.2");
    publish(&sandbox);
    assert_eq!(sandbox.start_version(), "1.2", "{}", sandbox.log());
    python_clients_keep_up(&sandbox, "1.2");
}

#[test]
fn status_fails_before_expiry_until_metadata_is_renewed() {
    let sandbox = sandbox(&["--timestamp-days", "2", "--targets-days", "30"]);
    publish(&sandbox);
    sandbox.ship("1.0");
    sandbox.bundler(&["status", "--fail-within", "1d"]);
    fails(
        &sandbox,
        &["status", "--fail-within", "3d"],
        1,
        "expiring: timestamp",
    );
    fails(
        &sandbox,
        &["status", "--fail-within", "31d"],
        1,
        "expiring: targets, snapshot, timestamp",
    );
    fails(&sandbox, &["status", "--fail-within", "soon"], 2, "14d");
    // A pending release stays pending.
    small(&sandbox, "1.1");
    // Cron has the online keys only.
    let key = sandbox.path("project/keystore/targets.pem");
    fs::rename(&key, sandbox.path("targets.pem")).unwrap();
    let done = sandbox.bundler(&["renew"]);
    assert_eq!(done["added"], json!([]));
    assert_eq!(done["versions"], json!({ "snapshot": 2, "timestamp": 2 }));
    assert_eq!(sandbox.start_version(), "1.0");
    fs::rename(sandbox.path("targets.pem"), &key).unwrap();
    let done = sandbox.bundler(&["renew", "--root"]);
    assert_eq!(done["versions"]["root"], 2);
    assert_eq!(
        publish(&sandbox)["added"],
        json!(["app-1.1.patch", "app-1.1.tar.gz"])
    );
    assert_eq!(sandbox.start_version(), "1.1");
}

#[test]
fn an_audit_finds_what_is_wrong() {
    let sandbox = sandbox(&[]);
    small(&sandbox, "1.1");
    publish(&sandbox);
    let root = sandbox.repository().join("metadata/1.root.json");
    let url = sandbox.url();
    let remote = ["verify", "--url", &url, "--root", root.to_str().unwrap()];
    assert_eq!(sandbox.bundler(&remote)["problems"], json!([]));
    let targets = sandbox.repository().join("targets");
    let stored = |name: &str| {
        let found = fs::read_dir(&targets)
            .unwrap()
            .map(|entry| entry.unwrap().path());
        found
            .into_iter()
            .find(|path| path.to_str().unwrap().ends_with(name))
            .unwrap()
    };
    let problem = |words: &str| {
        for args in [&["verify"][..], &remote] {
            let output = run(&mut sandbox.command(args));
            assert_eq!(output.status.code(), Some(3), "{output:?}");
            let said = String::from_utf8_lossy(&output.stdout).into_owned();
            assert!(said.contains(words), "{words}: {said}");
        }
        sandbox.bundler(&["verify", "--metadata-only"]);
    };
    let archive = stored("app-1.0.tar.gz");
    let whole = fs::read(&archive).unwrap();
    let mut damaged = whole.clone();
    damaged[100] ^= 1;
    fs::write(&archive, damaged).unwrap();
    problem("app-1.0.tar.gz does not match its sha256 hash");
    fs::write(&archive, whole).unwrap();
    fs::remove_file(stored("app-1.1.patch")).unwrap();
    problem("app-1.1.patch");
    fs::remove_file(sandbox.repository().join("metadata/1.targets.json")).unwrap();
    let output = run(&mut sandbox.command(&["verify", "--metadata-only"]));
    assert_eq!(output.status.code(), Some(3));
}

// ---- Keys elsewhere ----

/// Replaces the targets key by one behind a program, and releases with it.
fn signs_with(sandbox: &Sandbox, public: &Path, command: &[&str]) {
    let keystore = sandbox.path("project/keystore/device.pub");
    fs::copy(public, keystore).unwrap();
    let settings = sandbox.path("project/notsotuf-project.toml");
    let text = fs::read_to_string(&settings).unwrap();
    let signer = format!("\n[[signers]]\nkey = \"keystore/device.pub\"\ncommand = {command:?}\n");
    fs::write(&settings, text + &signer).unwrap();
    let keys = sandbox.bundler(&["keys", "list"]);
    let mut keys = keys["keys"].as_array().unwrap().iter();
    assert_eq!(
        keys.find(|key| key["name"] == "device").unwrap()["private"],
        "external"
    );
    sandbox.bundler(&["keys", "replace", "targets", "device"]);
    fs::remove_file(sandbox.path("project/keystore/targets.pem")).unwrap();
    small(sandbox, "1.1");
    publish(sandbox);
    assert_eq!(sandbox.start_version(), "1.1", "{}", sandbox.log());
    python_clients_keep_up(sandbox, "1.1");
}

fn sh(sandbox: &Sandbox, script: &str) {
    let output = run(Command::new("sh")
        .arg("-ec")
        .arg(script)
        .current_dir(sandbox.path("")));
    assert!(output.status.success(), "{script}: {output:?}");
}

#[test]
fn an_external_signer_with_keys_of_openssl() {
    for (make, sign) in [
        (
            "openssl ecparam -name prime256v1 -genkey -noout -out device.key",
            "openssl dgst -sha256 -sign device.key",
        ),
        (
            "openssl ecparam -name secp384r1 -genkey -noout -out device.key",
            "openssl dgst -sha384 -sign device.key",
        ),
        (
            "openssl genpkey -quiet -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -out device.key",
            "openssl dgst -sha256 -sigopt rsa_padding_mode:pss -sigopt rsa_pss_saltlen:digest -sign device.key",
        ),
    ] {
        let sandbox = sandbox(&[]);
        publish(&sandbox);
        sandbox.ship("1.0");
        sh(&sandbox, make);
        sh(
            &sandbox,
            "openssl pkey -in device.key -pubout -out device.pub",
        );
        let sign = format!("cd .. && test -n \"$NOTSOTUF_KEY_ID\" && {sign}");
        signs_with(&sandbox, &sandbox.path("device.pub"), &["sh", "-c", &sign]);
    }
}

#[test]
fn an_external_signer_that_fails_or_lies() {
    let sandbox = sandbox(&[]);
    publish(&sandbox);
    sh(
        &sandbox,
        "openssl ecparam -name prime256v1 -genkey -noout -out device.key",
    );
    sh(
        &sandbox,
        "openssl pkey -in device.key -pubout -out project/keystore/device.pub",
    );
    let settings = sandbox.path("project/notsotuf-project.toml");
    let text = fs::read_to_string(&settings).unwrap();
    for (command, words) in [
        ("\"false\"", "exit status: 1"),
        ("\"no-such-program\"", "no-such-program"),
        (
            "\"echo\", \"signed\"",
            "no valid ecdsa-sha2-nistp256 signature",
        ),
        ("", "its command is empty"),
    ] {
        let signer =
            format!("\n[[signers]]\nkey = \"keystore/device.pub\"\ncommand = [{command}]\n");
        fs::write(&settings, format!("{text}{signer}")).unwrap();
        sandbox.bundler(&["keys", "replace", "targets", "device"]);
        fails(&sandbox, &["publish"], 1, words);
        fs::remove_dir_all(sandbox.path("project/.notsotuf-pending")).unwrap();
    }
}

#[test]
fn an_external_signer_with_a_key_in_a_pkcs11_token() {
    let library = "/usr/lib/softhsm/libsofthsm2.so";
    assert!(
        Path::new(library).exists(),
        "scripts/test installs softhsm2 and opensc"
    );
    let sandbox = sandbox(&[]);
    publish(&sandbox);
    sandbox.ship("1.0");
    let tokens = sandbox.path("tokens");
    fs::create_dir_all(&tokens).unwrap();
    let conf = format!(
        "directories.tokendir = {}\nlog.level = ERROR\n",
        tokens.display()
    );
    fs::write(sandbox.path("softhsm2.conf"), conf).unwrap();
    let tool = format!(
        "SOFTHSM2_CONF={} pkcs11-tool --module {library}",
        sandbox.path("softhsm2.conf").display()
    );
    sh(
        &sandbox,
        &format!(
            "{tool} --init-token --slot-index 0 --label test --so-pin 1234 >/dev/null
             {tool} --token-label test --login --login-type so --so-pin 1234 --init-pin --pin 4321 >/dev/null
             {tool} --token-label test --login --pin 4321 --keypairgen --key-type EC:prime256v1 --id 01 >/dev/null
             {tool} --token-label test --read-object --type pubkey --id 01 -o device.der
             openssl pkey -pubin -inform DER -in device.der -out device.pub"
        ),
    );
    // The token signs hashes, and gives the two numbers of the signature.
    let script = format!(
        "openssl dgst -sha256 -binary | {tool} --token-label test --login --pin 4321 --sign \
         --mechanism ECDSA --id 01"
    );
    signs_with(
        &sandbox,
        &sandbox.path("device.pub"),
        &["sh", "-c", &script],
    );
}

#[test]
fn a_real_bundle_updates_after_its_keys_were_replaced() {
    let sandbox = Sandbox::with(&["--snapshot-keys", "online", "--timestamp-keys", "online"]);
    sandbox.release("1.0", &[]);
    sandbox.ship("1.0");
    sandbox.bundler(&["keys", "create", "online-2", "--plain"]);
    sandbox.bundler(&["keys", "replace", "online", "online-2"]);
    sandbox.add("1.1", &bundle("1.1"), &[]);
    publish(&sandbox);
    assert_eq!(sandbox.start_version(), "1.1");
    assert_eq!(sandbox.bundler(&["verify"])["problems"], json!([]));
}

// ---- What the project builds on is verified ----

/// Changes the targets metadata there as one who has no key would: lists
/// another file.
fn smuggle(sandbox: &Sandbox, version: u64) {
    let path = sandbox
        .repository()
        .join(format!("metadata/{version}.targets.json"));
    let mut targets: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    let listed = targets["signed"]["targets"].as_object_mut().unwrap();
    let entry = listed["app-1.0.tar.gz"].clone();
    listed.insert("app-9.0.tar.gz".into(), entry);
    fs::write(&path, targets.to_string()).unwrap();
}

/// No public report: `publish` and `renew` signed whatever was in the bucket.
#[test]
fn nothing_is_built_on_what_the_keys_did_not_sign() {
    let sandbox = sandbox(&[]);
    publish(&sandbox);
    let sound = sandbox.path("sound");
    copy_tree(&sandbox.repository(), &sound);
    let bundle = sandbox.path("bundle-1.0");
    let bundle = bundle.to_str().unwrap();
    let output = sandbox.path("output");
    let uploads = sandbox.path("uploads");
    let commands: [&[&str]; 12] = [
        &["add", "1.1", bundle, "--skip-patch"],
        &["publish"],
        &["renew"],
        &["renew", "--root"],
        &["remove-latest"],
        &["rollout", "1.0", "50%"],
        &["yank", "1.0"],
        &["prune", "--keep", "1"],
        &["status"],
        &["keys", "list"],
        &["ship", "--output", output.to_str().unwrap()],
        &["upload", uploads.to_str().unwrap()],
    ];
    let refused = |why: &str| {
        let before = fs::read_dir(sandbox.repository().join("metadata"))
            .unwrap()
            .count();
        for args in commands {
            fails(&sandbox, args, 3, why);
        }
        let after = fs::read_dir(sandbox.repository().join("metadata"))
            .unwrap()
            .count();
        assert_eq!(before, after, "{why}");
        assert!(!output.exists() && !uploads.exists());
        fs::remove_dir_all(sandbox.repository()).unwrap();
        copy_tree(&sound, &sandbox.repository());
    };
    smuggle(&sandbox, 1);
    refused("notsotuf fetch");
    // A version that nobody signed, and that no version could follow.
    let path = sandbox.repository().join("metadata/timestamp.json");
    let text = fs::read_to_string(&path).unwrap();
    let timestamp: Value = serde_json::from_str(&text).unwrap();
    for version in [u64::MAX, i64::MAX as u64, 2] {
        let mut changed = timestamp.clone();
        changed["signed"]["version"] = version.into();
        fs::write(&path, changed.to_string()).unwrap();
        refused("timestamp metadata has 0 valid signature");
    }
    // Roots of somebody else: the first, the next, the copy.
    let other = Sandbox::new();
    let theirs = other.repository().join("metadata/1.root.json");
    for (file, why) in [
        ("1.root.json", "is not the root"),
        ("2.root.json", "root metadata has 0 valid signature"),
        ("root.json", "root.json is none of"),
    ] {
        fs::copy(&theirs, sandbox.repository().join("metadata").join(file)).unwrap();
        refused(why);
    }
    fs::remove_file(&path).unwrap();
    refused("but no timestamp.json");
    // Untampered, all is well, and the newest root is shipped.
    sandbox.bundler(&["renew", "--root"]);
    sandbox.bundler(&["ship", "--output", output.to_str().unwrap()]);
    let shipped: Value =
        serde_json::from_slice(&fs::read(output.join("root.json")).unwrap()).unwrap();
    assert_eq!(shipped["signed"]["version"], 2);
    let pin = fs::read(sandbox.path("project/notsotuf-root.json")).unwrap();
    assert_eq!(
        pin,
        fs::read(sandbox.repository().join("metadata/2.root.json")).unwrap()
    );
}

#[test]
fn an_old_state_is_noticed_though_it_is_signed() {
    let sandbox = sandbox(&[]);
    publish(&sandbox);
    let old = sandbox.path("old");
    copy_tree(&sandbox.repository(), &old);
    small(&sandbox, "1.1");
    publish(&sandbox);
    fs::remove_dir_all(sandbox.repository()).unwrap();
    copy_tree(&old, &sandbox.repository());
    for args in [&["renew"][..], &["publish"], &["status"]] {
        fails(&sandbox, args, 3, "is an old state");
    }
    // Expired is not old: it can be renewed.
    let sandbox = self::sandbox(&["--timestamp-days", "1"]);
    publish(&sandbox);
    let mut command = Command::new("faketime");
    command
        .args(["-f", "+20d"])
        .arg(notsotuf_tests::program("notsotuf"));
    command.arg("-C").arg(sandbox.path("project")).arg("renew");
    let done = run(&mut command);
    assert!(done.status.success(), "{done:?}");
}

/// A project of the version before has no pin.
#[test]
fn the_root_of_an_older_project_is_pinned_at_first_use() {
    let sandbox = sandbox(&[]);
    publish(&sandbox);
    let pin = sandbox.path("project/notsotuf-root.json");
    let forget = || {
        fs::remove_file(&pin).unwrap();
        fs::remove_file(sandbox.path("project/notsotuf-published.json")).unwrap();
    };
    forget();
    sandbox.bundler(&["status"]);
    assert!(!pin.exists(), "looking changes nothing");
    let output = run(&mut sandbox.command(&["renew"]));
    assert!(output.status.success(), "{output:?}");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("version control"), "{said}");
    assert!(pin.exists());
    // Not one that none of its keys signed.
    forget();
    let other = Sandbox::new();
    fs::remove_dir_all(sandbox.repository()).unwrap();
    copy_tree(&other.repository(), &sandbox.repository());
    fails(&sandbox, &["renew"], 3, "not signed by any key");
    assert!(!pin.exists());
}

#[test]
fn length_and_hash_of_metadata_are_listed_and_kept_right() {
    let sandbox = sandbox(&[]);
    publish(&sandbox);
    let read = |file: &str| fs::read(sandbox.repository().join("metadata").join(file)).unwrap();
    for version in 1..=3 {
        let timestamp: Value = serde_json::from_slice(&read("timestamp.json")).unwrap();
        let snapshot = read(&format!("{version}.snapshot.json"));
        let entry = &timestamp["signed"]["meta"]["snapshot.json"];
        let of = |bytes: &[u8]| {
            let hash = sha256(bytes);
            json!({ "length": bytes.len(), "hashes": { "sha256": hash } })
        };
        let listed =
            |entry: &Value| json!({ "length": entry["length"], "hashes": entry["hashes"] });
        assert_eq!(listed(entry), of(&snapshot));
        let snapshot: Value = serde_json::from_slice(&snapshot).unwrap();
        let entry = &snapshot["signed"]["meta"]["targets.json"];
        let targets = read(&format!("{}.targets.json", entry["version"]));
        assert_eq!(listed(entry), of(&targets));
        match version {
            1 => drop(sandbox.bundler(&["renew"])),
            2 => {
                small(&sandbox, "1.1");
                publish(&sandbox);
            }
            _ => {}
        }
    }
    python_clients_keep_up(&sandbox, "1.1");
}

fn sha256(bytes: &[u8]) -> String {
    use std::io::Write;
    let child = Command::new("sha256sum")
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn();
    let mut child = child.unwrap();
    child.stdin.take().unwrap().write_all(bytes).unwrap();
    let output = child.wait_with_output().unwrap();
    String::from_utf8(output.stdout).unwrap()[..64].to_owned()
}

/// No public report: the second signer saw nothing of what he signed.
#[test]
fn signing_shows_what_changes_and_asks() {
    let sandbox = sandbox(&["--root-keys", "alice,bob", "--root-threshold", "2"]);
    publish(&sandbox);
    let bob = sandbox.path("bob");
    fs::create_dir(&bob).unwrap();
    let keystore = sandbox.path("project/keystore");
    fs::copy(keystore.join("bob.pub"), bob.join("bob.pub")).unwrap();
    fs::rename(keystore.join("bob.pem"), bob.join("bob.pem")).unwrap();
    let made = sandbox.bundler(&["keys", "create", "stranger", "--plain"]);
    sandbox.bundler(&["keys", "replace", "targets", "stranger"]);
    let sign = ["sign", "root", "--key-dir", bob.to_str().unwrap()];
    let output = run(&mut sandbox.command(&sign));
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let id = made["keyid"].as_str().unwrap();
    for words in [
        "targets: loses the key targets",
        "targets: gets the key stranger",
        id,
        "expires:",
        "--yes",
    ] {
        assert!(said.contains(words), "{words}: {said}");
    }
    let pending =
        |sandbox: &Sandbox| sandbox.bundler(&["status"])["pending"]["root"]["old"]["have"].clone();
    assert_eq!(pending(&sandbox), 1, "nothing is signed unseen");
    // `publish` with the key at hand does not sign it in passing.
    fails(
        &sandbox,
        &["publish", "--key-dir", bob.to_str().unwrap()],
        1,
        "notsotuf sign root",
    );
    // On a terminal it asks.
    let on_a_terminal = |answer: &str| {
        let program = notsotuf_tests::program("notsotuf");
        let line = format!(
            "{} -C {} sign root --key-dir {}",
            program.display(),
            sandbox.path("project").display(),
            bob.display()
        );
        let script = format!("echo {answer} | script -qec '{line}' /dev/null");
        run(Command::new("sh").args(["-c", &script]))
    };
    let said = on_a_terminal("n");
    assert!(
        String::from_utf8_lossy(&said.stdout).contains("Sign this?"),
        "{said:?}"
    );
    assert_eq!(pending(&sandbox), 1);
    on_a_terminal("y");
    assert_eq!(pending(&sandbox), 2);
    publish(&sandbox);
    // A draft of targets, likewise.
    small(&sandbox, "1.1");
    fails(&sandbox, &["sign", "targets"], 1, "+ app-1.1.tar.gz");
    sandbox.bundler(&["sign", "targets", "--yes"]);
}

/// Who has the first signer's computer drafts what they like: the second one
/// sees it.
#[test]
fn whatever_clients_go_by_is_shown_before_targets_are_signed() {
    let sandbox = sandbox(&["--targets-keys", "alice,bob", "--targets-threshold", "2"]);
    publish(&sandbox);
    let settings = sandbox.path("project/notsotuf-project.toml");
    let text = fs::read_to_string(&settings).unwrap();
    let text = text
        .replace(&sandbox.url(), "http://attacker.example/u")
        .replace("mode = \"before-launch\"", "mode = \"off\"");
    fs::write(&settings, text).unwrap();
    let notes = sandbox.path("notes.md");
    fs::write(&notes, "It is *safe*.").unwrap();
    let bundle = sandbox.path("bundle-1.1");
    write_version_script(&bundle.join("program"), "1.1");
    let more = [
        "--required",
        "--min-stub",
        "0.1",
        "--rollout",
        "5%",
        "--notes",
    ];
    sandbox.add(
        "1.1",
        &bundle,
        &[&more[..], &[notes.to_str().unwrap()]].concat(),
    );
    // And what no command writes.
    let list = sandbox.path("project/.notsotuf-pending/targets.json");
    let mut targets: Value = serde_json::from_slice(&fs::read(&list).unwrap()).unwrap();
    let custom = &mut targets["app-1.0.tar.gz"]["custom"];
    custom["tufup"]["withdrawn"] = json!(["1.1", "1.2"]);
    custom["tufup"]["retired"] = json!(["0.9"]);
    custom["user"]["of the future"] = json!("x".repeat(500));
    fs::write(&list, targets.to_string()).unwrap();
    let output = run(&mut sandbox.command(&["sign", "targets", "--yes"]));
    assert!(output.status.success(), "{output:?}");
    let said = String::from_utf8(output.stderr).unwrap();
    let signed: Value = serde_json::from_slice(&output.stdout).unwrap();
    let signed = signed["changes"].to_string().replace("\\\"", "\"");
    let long = format!("of the future: \"{}\"", "x".repeat(500));
    for shown in [
        "+ app-1.1.tar.gz  required: true",
        "+ app-1.1.tar.gz  stub: \"0.1\"",
        "+ app-1.1.tar.gz  rollout.percent: 5",
        "+ app-1.1.tar.gz  notes: \"It is *safe*.\"",
        "+ app-1.1.tar.gz  settings.mode: \"off\"",
        "+ app-1.1.tar.gz  settings.metadata_url: \"http://attacker.example/u/metadata\"",
        "~ app-1.0.tar.gz  withdrawn: [\"1.1\",\"1.2\"]",
        "~ app-1.0.tar.gz  retired: [\"0.9\"]",
        &long,
    ] {
        assert!(said.contains(shown), "{shown}: {said}");
        assert!(signed.contains(shown), "{shown}: {signed}");
    }
}

#[test]
fn a_sign_that_signs_nothing_says_which_keys_are_missing() {
    let root = ["--root-keys", "alice,bob", "--root-threshold", "2"];
    let targets = ["--targets-keys", "carl,dora", "--targets-threshold", "2"];
    let sandbox = sandbox(&[root, targets].concat());
    let key = |name: &str| sandbox.path(&format!("project/keystore/{name}.pem"));
    let away = |name: &str| fs::rename(key(name), sandbox.path(name)).unwrap();
    away("bob");
    away("dora");
    sandbox.bundler(&["keys", "create", "timestamp-2", "--plain"]);
    sandbox.bundler(&["keys", "replace", "timestamp", "timestamp-2"]);
    // Alice and Carl have signed: there is nothing more that they could do.
    sandbox.bundler(&["sign", "targets", "--yes"]);
    fails(&sandbox, &["sign", "root", "--yes"], 1, "not signed (bob)");
    fails(
        &sandbox,
        &["sign", "targets", "--yes"],
        1,
        "not signed (dora)",
    );
    away("alice");
    away("carl");
    fails(&sandbox, &["sign", "root", "--yes"], 1, "--key-dir");
    // Bob's and Dora's complete it, and again is no mistake.
    let medium = sandbox.path("medium");
    fs::create_dir(&medium).unwrap();
    for name in ["bob", "dora"] {
        fs::rename(sandbox.path(name), medium.join(format!("{name}.pem"))).unwrap();
    }
    let at = ["--yes", "--key-dir", medium.to_str().unwrap()];
    for _ in 0..2 {
        let draft = sandbox.bundler(&[&["sign", "root"], &at[..]].concat());
        assert_eq!(draft["ready"], true, "{draft}");
        let signed = sandbox.bundler(&[&["sign", "targets"], &at[..]].concat());
        assert_eq!((&signed["have"], &signed["need"]), (&json!(2), &json!(2)));
    }
    publish(&sandbox);
}

#[test]
fn targets_are_signed_by_the_keys_of_a_complete_draft() {
    let sandbox = sandbox(&["--targets-keys", "alice,bob", "--targets-threshold", "2"]);
    publish(&sandbox);
    sandbox.bundler(&["keys", "create", "carol", "--plain"]);
    sandbox.bundler(&["keys", "replace", "bob", "carol"]);
    let medium = sandbox.path("medium");
    fs::create_dir(&medium).unwrap();
    let key = |name: &str| sandbox.path(&format!("project/keystore/{name}.pem"));
    fs::rename(key("carol"), medium.join("carol.pem")).unwrap();
    fs::remove_file(key("bob")).unwrap();
    fails(&sandbox, &["publish"], 1, "notsotuf sign targets");
    // As that says.
    let at = [
        "sign",
        "targets",
        "--yes",
        "--key-dir",
        medium.to_str().unwrap(),
    ];
    let signed = sandbox.bundler(&at);
    assert_eq!((&signed["have"], &signed["need"]), (&json!(2), &json!(2)));
    assert_eq!(publish(&sandbox)["versions"]["root"], 2);
    assert_eq!(sandbox.bundler(&["verify"])["problems"], json!([]));
}
