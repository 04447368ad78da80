//! Numbers of versions are used once, bug fixes come beside pre-releases, and
//! metadata stays as small as clients read it.
#![cfg(unix)]

use notsotuf_tests::{Sandbox, noise, python_in, run, text, write_version_script};
use serde_json::{Value, json};
use std::fs;
use std::path::PathBuf;
use std::process::Command;

/// A bundle with a script that tells its version, and data that patches keep.
fn bundle(sandbox: &Sandbox, version: &str) -> PathBuf {
    let folder = sandbox.path("bundles").join(version);
    write_version_script(&folder.join("program"), version);
    fs::write(folder.join("data"), noise(20_000)).unwrap();
    folder
}

fn add(sandbox: &Sandbox, version: &str) -> Value {
    sandbox.add(version, &bundle(sandbox, version), &[])
}

fn release(sandbox: &Sandbox, version: &str) -> Value {
    let added = add(sandbox, version);
    sandbox.bundler(&["publish"]);
    added
}

fn refused(sandbox: &Sandbox, version: &str, more: &[&str]) -> String {
    let bundle = bundle(sandbox, version);
    let args = [&["add", version, text(&bundle)], more].concat();
    let output = run(&mut sandbox.command(&args));
    assert!(!output.status.success(), "{version} is accepted");
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Clients would go to and fro.
/// <https://github.com/sparkle-project/Sparkle/issues/1287>,
/// <https://github.com/sparkle-project/Sparkle/issues/1415>
#[test]
fn a_withdrawn_number_is_not_used_again_whatever_becomes_of_the_others() {
    let sandbox = Sandbox::new();
    for version in ["1.0", "1.1", "1.2"] {
        release(&sandbox, version);
    }
    sandbox.bundler(&["yank", "1.2"]);
    let withdrawn = |sandbox: &Sandbox| {
        for more in [&[][..], &["--force"]] {
            let said = refused(sandbox, "1.2", more);
            assert!(
                said.contains("was withdrawn") && said.contains("higher"),
                "{said}"
            );
        }
    };
    withdrawn(&sandbox);
    sandbox.bundler(&["publish"]);
    withdrawn(&sandbox);
    // The release that says so goes: another one says it then.
    sandbox.bundler(&["yank", "1.1"]);
    sandbox.bundler(&["publish"]);
    withdrawn(&sandbox);
    release(&sandbox, "1.3");
    sandbox.bundler(&["prune", "--keep", "1"]);
    sandbox.bundler(&["publish"]);
    withdrawn(&sandbox);
    release(&sandbox, "1.4");
    sandbox.bundler(&["remove-latest"]);
    let said = refused(&sandbox, "1.4", &[]);
    assert!(said.contains("was published before"), "{said}");
}

#[test]
fn a_published_number_is_not_used_again_and_an_added_one_is() {
    let sandbox = Sandbox::new();
    release(&sandbox, "1.0");
    add(&sandbox, "1.1");
    let said = refused(&sandbox, "1.1", &[]);
    assert!(
        said.contains("remove-latest"),
        "it is not published: {said}"
    );
    sandbox.bundler(&["remove-latest"]);
    release(&sandbox, "1.1");
    let said = refused(&sandbox, "1.1", &[]);
    assert!(!said.contains("remove-latest"), "{said}");
    sandbox.bundler(&["remove-latest"]);
    for _ in 0..3 {
        let said = refused(&sandbox, "1.1", &[]);
        assert!(
            said.contains("higher") && said.contains("--force"),
            "{said}"
        );
        // The same number, however it is written.
        assert!(refused(&sandbox, "1.1.0", &[]).contains("was published before"));
        sandbox.bundler(&["publish"]);
    }
    // What was withdrawn before it was published, nobody has.
    add(&sandbox, "1.2");
    sandbox.bundler(&["yank", "1.2"]);
    add(&sandbox, "1.2");
    sandbox.bundler(&["remove-latest"]);
    // For who knows that nobody has it.
    let bundle = bundle(&sandbox, "1.1");
    sandbox.add("1.1", &bundle, &["--force"]);
    sandbox.bundler(&["publish"]);
    // Even where no release is left to say so.
    let other = Sandbox::new();
    release(&other, "1.0");
    other.bundler(&["remove-latest"]);
    other.bundler(&["publish"]);
    for _ in 0..4 {
        assert!(refused(&other, "1.0", &[]).contains("was published before"));
        other.bundler(&["publish"]);
    }
}

/// The list of withdrawn versions went with the last release.
#[test]
fn a_published_number_stays_used_when_no_release_is_left() {
    let sandbox = Sandbox::new();
    release(&sandbox, "1.0");
    release(&sandbox, "1.1");
    for _ in 0..2 {
        sandbox.bundler(&["remove-latest"]);
        sandbox.bundler(&["publish"]);
    }
    for _ in 0..4 {
        sandbox.bundler(&["publish"]);
        refused(&sandbox, "1.1", &[]);
    }
}

/// <https://github.com/obsproject/obs-studio/issues/12332>,
/// <https://github.com/sparkle-project/Sparkle/issues/1643>
#[test]
fn a_bug_fix_comes_beside_a_pre_release() {
    let sandbox = Sandbox::new();
    release(&sandbox, "1.4.0");
    sandbox.ship("1.4.0");
    let tester = sandbox.path("tester");
    sandbox.bundler(&["ship", "--output", text(&tester)]);
    let settings = fs::read_to_string(tester.join("notsotuf.toml")).unwrap();
    fs::write(
        tester.join("notsotuf.toml"),
        settings.replace("channel = \"final\"", "channel = \"b\""),
    )
    .unwrap();
    let test = || {
        let said = notsotuf_tests::json(&mut Command::new(tester.join("program")));
        said["version"].as_str().unwrap().to_owned()
    };
    release(&sandbox, "2.0b1");
    assert_eq!(
        (test().as_str(), sandbox.start_version().as_str()),
        ("2.0b1", "1.4.0")
    );
    assert_eq!(release(&sandbox, "1.4.1")["patch"]["from"], "1.4.0");
    assert_eq!(
        (test().as_str(), sandbox.start_version().as_str()),
        ("2.0b1", "1.4.1")
    );
    assert!(
        sandbox.log().contains("1.4.1 by 1 patch"),
        "{}",
        sandbox.log()
    );
    for version in ["1.4.1", "1.3", "1.4.1b1", "2.0b1"] {
        assert!(refused(&sandbox, version, &[]).contains("is not newer than"));
    }
    assert_eq!(sandbox.bundler(&["verify"])["problems"], json!([]));
    // What was added last goes, not what has the highest number.
    assert_eq!(sandbox.bundler(&["remove-latest"])["removed"], "1.4.1");
    assert_eq!(add(&sandbox, "1.4.2")["patch"]["from"], "1.4.0");
    sandbox.bundler(&["publish"]);
    // Those who have the bug fix go on by a patch; testers come, too.
    let fixed = sandbox.path("fixed");
    sandbox.bundler(&["ship", "--version", "1.4.2", "--output", text(&fixed)]);
    assert_eq!(release(&sandbox, "2.0")["patch"]["from"], "1.4.2");
    assert_eq!(sandbox.bundler(&["explain", "2.0"])["from"], "1.4.2");
    assert_eq!(test(), "2.0");
    let said = notsotuf_tests::json(&mut Command::new(fixed.join("program")));
    assert_eq!(said["version"], "2.0");
    let log = fs::read_to_string(fixed.join(".notsotuf/log")).unwrap();
    assert!(log.contains("2.0 by 1 patch"), "{log}");
    assert_eq!(sandbox.bundler(&["verify"])["problems"], json!([]));
    // Without a bug fix in between, patches go through the pre-release.
    release(&sandbox, "3.0b1");
    assert_eq!(release(&sandbox, "3.0")["patch"]["from"], "3.0b1");
}

#[test]
fn a_bug_fix_comes_beside_a_release_that_few_have() {
    let sandbox = Sandbox::new();
    release(&sandbox, "1.0");
    sandbox.ship("1.0");
    sandbox.add("2.0", &bundle(&sandbox, "2.0"), &["--rollout", "0%"]);
    release(&sandbox, "1.0.1");
    assert_eq!(sandbox.start_version(), "1.0.1");
    sandbox.bundler(&["rollout", "2.0", "100%"]);
    sandbox.bundler(&["publish"]);
    assert!(refused(&sandbox, "1.0.2", &[]).contains("is not newer than 2.0"));
    assert_eq!(sandbox.start_version(), "2.0");
}

#[test]
fn patches_of_before_go_off_the_list_where_no_new_ones_are_made() {
    let sandbox = Sandbox::new();
    release(&sandbox, "1.0");
    release(&sandbox, "1.1");
    let settings = sandbox.path("project/notsotuf-project.toml");
    let text = fs::read_to_string(&settings).unwrap();
    fs::write(&settings, text.replace("\"notsotuf-2\"\n", "\"none\"\n")).unwrap();
    sandbox.add("1.2", &bundle(&sandbox, "1.2"), &["--skip-patch"]);
    let published = sandbox.bundler(&["publish"]);
    assert_eq!(published["removed"], json!(["app-1.1.patch"]));
}

fn metadata(sandbox: &Sandbox) -> Vec<String> {
    let files = fs::read_dir(sandbox.repository().join("metadata")).unwrap();
    let mut names: Vec<String> = files
        .map(|file| file.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[test]
fn metadata_that_no_client_needs_goes_and_roots_stay() {
    let sandbox = Sandbox::new();
    release(&sandbox, "1.0");
    sandbox.ship("1.0");
    sandbox.bundler(&["renew", "--root"]);
    for version in ["1.1", "1.2", "1.3"] {
        release(&sandbox, version);
    }
    sandbox.bundler(&["renew"]);
    let names = metadata(&sandbox);
    let of = |role: &str| {
        names
            .iter()
            .filter(|name| name.ends_with(&format!(".{role}.json")))
            .count()
    };
    assert_eq!(of("root"), 2, "{names:?}");
    assert_eq!(of("snapshot"), 2, "{names:?}");
    assert!((1..=2).contains(&of("targets")), "{names:?}");
    assert_eq!(sandbox.start_version(), "1.3");
}

/// python-tuf's clients and go-tuf's have the same bound.
#[test]
fn metadata_that_clients_would_refuse_is_not_published_and_can_be_mended() {
    let sandbox = Sandbox::new();
    release(&sandbox, "1.0");
    sandbox.ship("1.0");
    let folders = [
        sandbox.repository().join("metadata"),
        sandbox.path("project/keystore"),
    ];
    let [metadata, keystore] = [text(&folders[0]), text(&folders[1])];
    let grow = |bytes: u64| {
        let bytes = bytes.to_string();
        let grown = python_in(&sandbox.path(""), &["grow", metadata, keystore, &bytes]);
        grown["size"].as_u64().unwrap()
    };
    grow(2900000);
    let hash = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    fs::write(
        sandbox
            .repository()
            .join(format!("targets/{hash}.manual.pdf")),
        "",
    )
    .unwrap();
    assert_eq!(add(&sandbox, "1.1")["warnings"], json!([]));
    assert_eq!(sandbox.bundler(&["publish"])["warnings"], json!([]));
    grow(3500000);
    let added = add(&sandbox, "1.2")["warnings"].to_string();
    assert!(added.contains("70 %") && added.contains("prune"), "{added}");
    let published = sandbox.bundler(&["publish"])["warnings"].to_string();
    assert!(published.contains("70 %"), "{published}");
    // One release more than fits.
    let size = grow(4_900_000);
    assert_eq!(grow(4_900_000 + (4_999_900 - size)), 4_999_900);
    assert_eq!(sandbox.start_version(), "1.2");
    add(&sandbox, "1.3");
    let output = run(&mut sandbox.command(&["publish"]));
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(
        !output.status.success() && said.contains("notsotuf prune"),
        "{said}"
    );
    sandbox.bundler(&["remove-latest"]);
    sandbox.bundler(&["publish"]);
    // It is too large already, as others or older versions made it.
    grow(5100000);
    sandbox.bundler(&["status"]);
    sandbox.bundler(&["renew"]);
    let verified = run(&mut sandbox.command(&["verify", "--metadata-only"]));
    let verified = String::from_utf8_lossy(&verified.stdout).into_owned();
    assert!(verified.contains("targets.json has 51"), "{verified}");
    let bundle = bundle(&sandbox, "1.4");
    sandbox.add("1.4", &bundle, &["--skip-patch"]);
    assert!(!run(&mut sandbox.command(&["publish"])).status.success());
    sandbox.bundler(&["remove-latest"]);
    assert_eq!(
        sandbox.bundler(&["prune", "--keep", "1"])["removed"],
        json!(["1.0", "1.1"])
    );
    // Smaller, and still too large: that does no more harm.
    sandbox.bundler(&["publish"]);
    grow(1000);
    sandbox.add("1.5", &bundle, &[]);
    sandbox.bundler(&["publish"]);
    assert_eq!(
        sandbox.start_version(),
        "1.4",
        "what the bundle of 1.5 says"
    );
}
