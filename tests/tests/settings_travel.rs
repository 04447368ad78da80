//! Settings that come with a release, and those of administrators.

use notsotuf_tests::{Sandbox, Server, bundle, bundler_in, copy_tree, is_root, json, run};
use serde_json::Value;
use std::fs;
use std::path::PathBuf;

/// Replaces lines of the project's settings by the words they begin with.
fn set_project(sandbox: &Sandbox, lines: &[(&str, &str)]) {
    let path = sandbox.path("project/notsotuf-project.toml");
    let text = fs::read_to_string(&path).unwrap();
    let mut found = 0;
    let new = text.lines().map(|line| {
        let Some((_, new)) = lines.iter().find(|(begin, _)| line.starts_with(begin)) else {
            return format!("{line}\n");
        };
        found += 1;
        format!("{new}\n")
    });
    let new: String = new.collect();
    assert_eq!(found, lines.len(), "{text}");
    fs::write(path, new).unwrap();
}

fn status(sandbox: &Sandbox) -> Value {
    json(sandbox.stub().args(["--updater", "status", "--json"]))
}

fn metadata_url(sandbox: &Sandbox) -> String {
    status(sandbox)["metadata_url"].as_str().unwrap().to_owned()
}

/// What is published, at another address.
fn moved(sandbox: &Sandbox) -> Server {
    let place = sandbox.path("moved");
    if place.exists() {
        fs::remove_dir_all(&place).unwrap();
    }
    copy_tree(&sandbox.repository(), &place);
    Server::start(&place)
}

#[test]
fn a_repository_moves_to_another_server_and_takes_its_clients_along() {
    let mut sandbox = Sandbox::new();
    sandbox.release("1.0", &[]);
    sandbox.ship("1.0");
    let old = metadata_url(&sandbox);
    let new = Server::start(&sandbox.repository());
    let url = format!("url = '{}'", new.url);
    set_project(
        &sandbox,
        &[("url = ", &url), ("# title", "title = 'Photo & Desk'")],
    );
    sandbox.release("1.1", &[]);
    assert_eq!(sandbox.start_version(), "1.1", "{}", sandbox.log());
    assert_eq!(metadata_url(&sandbox), format!("{}/metadata", new.url));
    // The old one is switched off.
    sandbox.server = None;
    sandbox.release("1.2", &[]);
    assert_eq!(sandbox.start_version(), "1.2", "{}", sandbox.log());
    assert!(!sandbox.log().contains("trying the next mirror"));
    // Who goes back has the settings of that version.
    let back = run(sandbox.stub().args(["--updater", "rollback"]));
    assert!(back.status.success(), "{back:?}");
    assert_eq!(metadata_url(&sandbox), format!("{}/metadata", new.url));
    assert_ne!(metadata_url(&sandbox), old);
}

#[test]
fn a_new_address_that_serves_nothing_strands_nobody() {
    let stranger = Sandbox::with_update();
    for nothing in ["http://127.0.0.1:9".to_owned(), stranger.url()] {
        let sandbox = Sandbox::new();
        sandbox.release("1.0", &[]);
        sandbox.ship("1.0");
        set_project(&sandbox, &[("url = ", &format!("url = '{nothing}'"))]);
        sandbox.release("1.1", &[]);
        assert_eq!(sandbox.start_version(), "1.1", "{}", sandbox.log());
        assert_eq!(metadata_url(&sandbox), format!("{nothing}/metadata"));
        sandbox.release("1.2", &[]);
        assert_eq!(sandbox.start_version(), "1.2", "{}", sandbox.log());
        assert!(
            sandbox.log().contains("trying the next mirror"),
            "{}",
            sandbox.log()
        );
    }
}

/// Whoever has stolen the keys for that, until they are replaced.
#[test]
fn an_installed_version_gets_no_other_settings() {
    let sandbox = Sandbox::new();
    sandbox.release("1.0", &[]);
    sandbox.ship("1.0");
    sandbox.release("1.1", &[]);
    assert_eq!(sandbox.start_version(), "1.1");
    let before = metadata_url(&sandbox);
    sandbox.bundler(&["remove-latest"]);
    let theirs = moved(&sandbox);
    let url = format!("url = '{}'", theirs.url);
    set_project(&sandbox, &[("url = ", &url)]);
    sandbox.release("1.1", &["--force"]);
    for _ in 0..2 {
        assert_eq!(sandbox.start_version(), "1.1");
        assert_eq!(metadata_url(&sandbox), before);
    }
    assert!(theirs.requests().is_empty());
    // Where it was not installed, they come with it.
    sandbox.release("1.2", &[]);
    assert_eq!(sandbox.start_version(), "1.2", "{}", sandbox.log());
    assert_eq!(metadata_url(&sandbox), format!("{}/metadata", theirs.url));
}

/// With the keys for releases somebody can move all clients to another address, where the root
/// that replaces these keys is not shown.
#[test]
fn a_new_root_at_the_old_address_ends_what_stolen_keys_can_do() {
    let sandbox = Sandbox::new();
    sandbox.release("1.0", &[]);
    sandbox.ship("1.0");
    let (own, theirs) = (sandbox.path("project"), sandbox.path("theirs"));
    let kept = sandbox.path("kept");
    copy_tree(&own, &theirs);
    copy_tree(&own.join("repository"), &kept);
    let server = Server::start(&theirs.join("repository"));
    let settings = theirs.join("notsotuf-project.toml");
    let text = fs::read_to_string(&settings).unwrap();
    fs::write(&settings, text.replace(&sandbox.url(), &server.url)).unwrap();
    let thief = |arguments: &[&str]| {
        json(&mut bundler_in(&theirs, arguments));
    };
    thief(&["add", "1.1", bundle("1.1").to_str().unwrap()]);
    thief(&["publish"]);
    let published = sandbox.repository();
    fs::remove_dir_all(&published).unwrap();
    copy_tree(&theirs.join("repository"), &published);
    assert_eq!(sandbox.start_version(), "1.1", "{}", sandbox.log());
    assert_eq!(metadata_url(&sandbox), format!("{}/metadata", server.url));
    assert_eq!(sandbox.start_version(), "1.1");
    // The owner notices, and puts things right where they belong.
    fs::remove_dir_all(&published).unwrap();
    copy_tree(&kept, &published);
    for role in ["targets", "snapshot", "timestamp"] {
        let new = format!("{role}-2");
        sandbox.bundler(&["keys", "create", &new, "--plain"]);
        sandbox.bundler(&["keys", "replace", role, &new]);
    }
    sandbox.bundler(&["publish"]);
    sandbox.release("1.2", &[]);
    thief(&["publish"]);
    assert_eq!(sandbox.start_version(), "1.1", "it was asked today");
    // A day later.
    fs::remove_file(sandbox.path("install/.notsotuf/metadata/earlier-places")).unwrap();
    assert_eq!(sandbox.start_version(), "1.2", "{}", sandbox.log());
    drop(server.requests());
    assert_eq!(sandbox.start_version(), "1.2", "{}", sandbox.log());
    assert!(server.requests().is_empty());
}

#[test]
fn going_back_brings_the_settings_of_that_version_back() {
    let sandbox = Sandbox::new();
    sandbox.release("1.0", &[]);
    sandbox.ship("1.0");
    let old = metadata_url(&sandbox);
    let new = Server::start(&sandbox.repository());
    set_project(&sandbox, &[("url = ", &format!("url = '{}'", new.url))]);
    sandbox.release("1.1", &[]);
    assert_eq!(sandbox.start_version(), "1.1", "{}", sandbox.log());
    assert_ne!(metadata_url(&sandbox), old);
    let back = run(sandbox.stub().args(["--updater", "rollback"]));
    assert!(back.status.success(), "{back:?}");
    assert_eq!(metadata_url(&sandbox), old);
}

#[test]
fn what_somebody_changed_in_the_install_stays() {
    let sandbox = Sandbox::new();
    sandbox.release("1.0", &[]);
    sandbox.ship("1.0");
    let old = metadata_url(&sandbox);
    sandbox.set("channel", "\"b\"");
    set_project(
        &sandbox,
        &[
            ("url = ", "url = 'http://127.0.0.1:9'"),
            ("mode = ", "mode = 'off'"),
        ],
    );
    sandbox.release("1.1", &[]);
    assert_eq!(sandbox.start_version(), "1.1", "{}", sandbox.log());
    let status = status(&sandbox);
    assert_eq!(status["channel"], "b");
    assert_eq!(status["mode"], "before-launch");
    assert_eq!(status["metadata_url"], Value::from(old));
}

#[test]
fn secrets_of_the_project_do_not_travel() {
    let sandbox = Sandbox::new();
    let client = "settings = { probation = 0.5, authorization = [{ origin = 'https://a', bearer = 'SECRET' }] }";
    set_project(&sandbox, &[("# settings = ", client)]);
    sandbox.release("1.0", &[]);
    let metadata = fs::read_dir(sandbox.repository().join("metadata")).unwrap();
    let mut seen = 0;
    for file in metadata {
        let text = fs::read_to_string(file.unwrap().path()).unwrap();
        assert!(!text.contains("SECRET"));
        seen += usize::from(text.contains(r#"\"probation\":0.5"#));
    }
    assert_eq!(seen, 1, "the others do");
    sandbox.ship("1.0");
    let shipped = fs::read_to_string(sandbox.path("install/notsotuf.toml")).unwrap();
    assert!(shipped.contains("SECRET"), "new installs have it");
}

#[test]
fn what_clients_would_not_take_is_refused_by_add() {
    let sandbox = Sandbox::new();
    let bundle = bundle("1.0");
    let bundle = bundle.to_str().unwrap();
    set_project(
        &sandbox,
        &[("# settings = ", "settings = { probtion = 0.5 }")],
    );
    let refused = run(&mut sandbox.command(&["add", "1.0", bundle]));
    let told = String::from_utf8_lossy(&refused.stderr);
    assert!(
        !refused.status.success() && told.contains("did you mean \"probation\""),
        "{told}"
    );
}

#[test]
fn a_damaged_or_forged_list_of_settings_changes_nothing() {
    let sandbox = Sandbox::with_update();
    assert_eq!(sandbox.start_version(), "1.1");
    let before = metadata_url(&sandbox);
    let path = sandbox.path("install/.notsotuf/release-settings");
    let forged = r#"{"metadata_url":"https://evil/m","targets_url":"https://evil/t"}"#;
    let forged = &serde_json::json!({ "1.1": forged }).to_string();
    for (content, mode) in [
        ("{", 0o700),
        ("[1]", 0o700),
        (r#"{"1.1":7}"#, 0o700),
        (&"x".repeat(300_000), 0o700),
        (forged, 0o777),
    ] {
        fs::write(&path, content).unwrap();
        notsotuf_tests::set_mode(&sandbox.path("install/.notsotuf"), mode);
        assert_eq!(metadata_url(&sandbox), before, "{content}");
        assert_eq!(sandbox.start_version(), "1.1");
    }
    assert!(
        fs::read_to_string(&path).unwrap().contains("metadata_url"),
        "it is there again"
    );
}

/// Writes a file of administrators, and removes it.
struct AdministratorsFile(PathBuf);

impl Drop for AdministratorsFile {
    fn drop(&mut self) {
        fs::remove_file(&self.0).unwrap();
    }
}

fn is_off(sandbox: &Sandbox, by: &str) {
    drop(sandbox.server.as_ref().unwrap().requests());
    assert_eq!(sandbox.start_version(), "1.0", "{}", sandbox.log());
    for command in ["check", "stage", "update"] {
        let done = run(sandbox.stub().args(["--updater", command]));
        let told = String::from_utf8_lossy(&done.stderr).into_owned();
        assert_eq!(done.status.code(), Some(5), "{command}: {told}");
        assert!(
            told.contains("switched off by") && told.contains(by),
            "{told}"
        );
    }
    let status = status(sandbox);
    assert_eq!(status["mode"], "off");
    assert!(
        status["switched_off_by"].as_str().unwrap().contains(by),
        "{status}"
    );
    let asked = sandbox.server.as_ref().unwrap().requests();
    assert!(asked.is_empty(), "{asked:?}");
}

#[test]
fn administrators_switch_updates_off_in_the_install_even_one_that_is_staged() {
    let sandbox = Sandbox::with_update();
    let staged = json(sandbox.stub().args(["--updater", "stage", "--json"]));
    assert_eq!(staged["result"], "staged");
    let file = sandbox.path("install/notsotuf.local.toml");
    for text in ["mode = \"off\"\n", "mode = off\n"] {
        fs::write(&file, text).unwrap();
        is_off(&sandbox, "notsotuf.local.toml");
    }
    // A link says nothing, but it may stand for that.
    fs::remove_file(&file).unwrap();
    let real = sandbox.path("real.toml");
    fs::write(&real, "mode = \"off\"\n").unwrap();
    std::os::unix::fs::symlink(&real, &file).unwrap();
    is_off(&sandbox, "notsotuf.local.toml");
    fs::remove_file(&file).unwrap();
    assert_eq!(sandbox.start_version(), "1.1", "{}", sandbox.log());
}

#[test]
fn administrators_point_an_install_to_their_copy_and_nowhere_else() {
    let sandbox = Sandbox::with_update();
    let own = moved(&sandbox);
    let text = format!(
        "metadata_url = '{0}/metadata'\ntargets_url = '{0}/targets'\n",
        own.url
    );
    fs::write(sandbox.path("install/notsotuf.local.toml"), &text).unwrap();
    drop(sandbox.server.as_ref().unwrap().requests());
    assert_eq!(sandbox.start_version(), "1.1", "{}", sandbox.log());
    let away = text.replace(&own.url, "http://127.0.0.1:9");
    fs::write(sandbox.path("install/notsotuf.local.toml"), away).unwrap();
    sandbox.release("1.2", &[]);
    assert_eq!(sandbox.start_version(), "1.1");
    let asked = sandbox.server.as_ref().unwrap().requests();
    assert!(asked.is_empty(), "{asked:?}");
}

#[test]
fn administrators_switch_updates_off_for_a_machine() {
    if !is_root() {
        eprintln!("NOT run: only root can write to /etc");
        return;
    }
    // The name is of this test alone: others start applications meanwhile.
    let name = format!("notsotuf-test-{}", std::process::id());
    let sandbox = Sandbox::with(&["--app", &name]);
    for version in ["1.0", "1.1"] {
        let bundle = bundle(version);
        let bundle = bundle.to_str().unwrap();
        sandbox.bundler(&["add", version, bundle, "--app", &name]);
        sandbox.bundler(&["publish"]);
        if version == "1.0" {
            sandbox.ship_with(&["--version", "1.0", "--app", &name]);
        }
    }
    fs::create_dir_all("/etc/notsotuf").unwrap();
    let file = AdministratorsFile(format!("/etc/notsotuf/{name}.toml").into());
    fs::write(&file.0, "mode = 'off'\n").unwrap();
    is_off(&sandbox, file.0.to_str().unwrap());
    // Others could have written that.
    notsotuf_tests::set_mode(&file.0, 0o666);
    assert_eq!(sandbox.start_version(), "1.1", "{}", sandbox.log());
    assert!(
        sandbox.log().contains("others than administrators"),
        "{}",
        sandbox.log()
    );
}

#[test]
fn a_channel_that_an_administrator_set_is_not_the_users_to_choose() {
    let sandbox = Sandbox::new();
    sandbox.release("1.0", &[]);
    sandbox.ship("1.0");
    let channel = |more: &[&str]| {
        let arguments = [&["--updater", "channel"], more, &["--json"]].concat();
        json(sandbox.stub().args(arguments))
    };
    let chosen = channel(&["b"]);
    assert_eq!(
        (&chosen["channel"], &chosen["fixed_by"]),
        (&"b".into(), &Value::Null)
    );
    let file = sandbox.path("install/notsotuf.local.toml");
    fs::write(&file, "channel = 'rc'\n").unwrap();
    let fixed = channel(&[]);
    assert_eq!(
        (&fixed["channel"], &fixed["chosen"]),
        (&"rc".into(), &"b".into())
    );
    assert_eq!(fixed["fixed_by"].as_str().map(PathBuf::from), Some(file));
    assert_eq!(status(&sandbox)["channel"], "rc");
}
