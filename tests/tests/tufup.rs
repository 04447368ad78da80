//! Clients of tufup in the field, of five versions, after their repository was
//! taken over. Before 0.6 patches were over compressed archives, and clients
//! end at every try if they meet one that is not
//! (<https://github.com/dennisvang/tufup/pull/105>); 0.6.0 looked for check
//! sums elsewhere; all of them take every patch between what they have and
//! what they want, and do not look for gaps.

use notsotuf_stub::hex::sha256_hex;
use notsotuf_tests::{
    Sandbox, Server, bundle, bundler_in, copy_tree, json as run_json, root, run, text,
    write_version_script,
};
use serde_json::{Value, json};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A repository that one version of tufup made, and its clients.
struct Field {
    sandbox: Sandbox,
    python: PathBuf,
    server: Server,
}

impl Field {
    /// With 1.0 and 1.1; `None`, and it is said, if that version is not here
    /// and need not be.
    fn of(version: &str) -> Option<Self> {
        let is_ours = version == "0.10.0";
        let python = if is_ours {
            root().join(".venv/bin/python")
        } else {
            root().join(format!(".work/venv-tufup-{version}/bin/python"))
        };
        if !python.exists() {
            assert!(
                !is_ours,
                "{python:?} is missing: run scripts/make-bundles (scripts/test does)"
            );
            println!("left out: tufup {version} could not be installed (scripts/test tries)");
            return None;
        }
        let sandbox = Sandbox::new();
        let repository = sandbox.path("theirs/repository");
        fs::create_dir_all(&repository).unwrap();
        let server = Server::start(&repository);
        let field = Field {
            sandbox,
            python,
            server,
        };
        for version in ["1.0", "1.1"] {
            let bundle = field.bundle(version);
            field.python(&["release", "app", version, text(&bundle)]);
        }
        let got = field.update("control", "1.0", None);
        assert!(got.starts_with("1.1"), "by themselves: {got}");
        Some(field)
    }

    fn theirs(&self) -> PathBuf {
        self.sandbox.path("theirs")
    }

    /// With a script that tells its version, and enough for patches to pay.
    fn bundle(&self, version: &str) -> PathBuf {
        let folder = self.sandbox.path("bundles").join(version);
        write_version_script(&folder.join("program"), version);
        let data = bundle("1.0").join("_internal/base_library.zip");
        fs::copy(data, folder.join("data")).unwrap();
        folder
    }

    fn python(&self, args: &[&str]) -> Value {
        let mut command = Command::new(&self.python);
        command
            .arg(root().join("tests/python/interop.py"))
            .args(args);
        run_json(command.current_dir(self.theirs()))
    }

    fn bundler(&self, args: &[&str]) -> Value {
        run_json(&mut bundler_in(&self.theirs(), args))
    }

    fn release(&self, version: &str, more: &[&str]) -> Value {
        let bundle = self.bundle(version);
        let added = self.bundler(&[&["add", version, text(&bundle)], more].concat());
        self.bundler(&["publish"]);
        added
    }

    /// The same, with direct patches from these versions on the list.
    fn release_with_direct(&self, version: &str, from: &[&str]) {
        let bundle = self.bundle(version);
        self.bundler(&["add", version, text(&bundle)]);
        let pending = self.theirs().join(".notsotuf-pending");
        let list = pending.join("targets.json");
        let mut entries: Value = serde_json::from_slice(&fs::read(&list).unwrap()).unwrap();
        for from in from {
            let path = format!("app-{version}.from-{from}.delta");
            let content = format!("only a stub knows what {path} is");
            fs::write(pending.join("files").join(&path), &content).unwrap();
            entries[path] = json!({
                "length": content.len(),
                "hashes": { "sha256": sha256_hex(content.as_bytes()) },
                "custom": { "user": {}, "tufup": {
                    "format": "notsotuf-2", "from": from,
                    "from_tree": "00".repeat(32), "tree": "11".repeat(32),
                    "tar_hash": "22".repeat(32), "tar_size": 1, "tar_hash_algorithm": "sha256",
                } },
            });
        }
        fs::write(&list, entries.to_string()).unwrap();
        let published = self.bundler(&["publish"]);
        assert!(
            published["added"].to_string().contains(".delta"),
            "{published}"
        );
    }

    /// One try of a client that has a version, as it was published; returns
    /// what is installed then.
    fn update(&self, name: &str, has: &str, channel: Option<&str>) -> String {
        let repository = self.theirs().join("repository");
        let kept = self.sandbox.path(&format!("app-{has}.tar.gz"));
        let archive = repository.join(format!("targets/app-{has}.tar.gz"));
        if archive.exists() {
            fs::copy(archive, &kept).unwrap();
        }
        let first = self.sandbox.path("first-root.json");
        if !first.exists() {
            fs::copy(repository.join("metadata/1.root.json"), &first).unwrap();
        }
        let folder = self.sandbox.path(name);
        let args = [
            "client",
            &self.server.url,
            text(&first),
            text(&folder),
            "app",
            has,
            text(&kept),
        ];
        let done = self.python(&[&args[..], channel.as_slice()].concat());
        let said = match folder.join("install/program") {
            program if program.exists() => run_json(&mut Command::new(program)),
            _ => json!({ "version": has }),
        };
        let version = said["version"].as_str().unwrap().to_owned();
        let patches = done["downloaded"].as_array().is_some_and(|files| {
            files
                .iter()
                .all(|file| file.as_str().unwrap().ends_with(".patch"))
        });
        if patches {
            version + " by patches"
        } else {
            version
        }
    }
}

/// What those of 0.7 and later can apply is made for them.
fn with_patches(version: &str) {
    let Some(field) = Field::of(version) else {
        return;
    };
    let imported = field.bundler(&["import", "tufup", "--url", &field.server.url]);
    assert_eq!(imported["patch_format"], "bsdiff4", "{imported}");
    let added = field.release("1.2", &[]);
    assert_eq!(added["patch"]["from"], "1.1", "{added}");
    for has in ["1.0", "1.1"] {
        let got = field.update(&format!("1.2-from-{has}"), has, None);
        assert_eq!(got, "1.2 by patches", "{has}");
    }
    // A bug fix beside a pre-release: they apply patches in the order of
    // versions, whatever those were made from.
    field.release("2.0b1", &[]);
    let fix = field.release("1.2.1", &[]);
    assert_eq!(fix["patch"]["from"], "1.2", "{fix}");
    for (has, channel, wanted) in [
        ("1.2", None, "1.2.1 by patches"),
        ("1.1", None, "1.2.1 by patches"),
        ("1.2", Some("b"), "2.0b1 by patches"),
        ("1.2.1", Some("b"), "2.0b1 by patches"),
    ] {
        let got = field.update(&format!("fix-{has}-{channel:?}"), has, channel);
        assert_eq!(got, wanted, "from {has}, {channel:?}");
    }
    assert_eq!(field.bundler(&["verify"])["problems"], json!([]));
    field.release("2.0", &[]);
    for has in ["1.2.1", "2.0b1"] {
        let got = field.update(&format!("2.0-from-{has}"), has, None);
        assert_eq!(got, "2.0 by patches", "{has}");
    }
    // Without a patch: not by those to what was before.
    let added = field.release("2.1", &["--skip-patch"]);
    assert_eq!(added["patch"], Value::Null);
    for has in ["1.2", "2.0"] {
        let got = field.update(&format!("2.1-from-{has}"), has, None);
        assert_eq!(got, "2.1", "{has}");
    }
    field.release("2.2", &[]);
    assert_eq!(field.update("2.2-from-2.1", "2.1", None), "2.2 by patches");
    field.bundler(&["yank", "2.1"]);
    field.bundler(&["publish"]);
    assert_eq!(field.update("2.2-from-2.0", "2.0", None), "2.2");
    assert_eq!(field.bundler(&["verify"])["problems"], json!([]));
}

/// Whatever they do otherwise, direct patches are nothing to them.
fn with_direct_patches(version: &str) {
    let Some(field) = Field::of(version) else {
        return;
    };
    let imported = field.bundler(&["import", "tufup", "--url", &field.server.url]);
    let by = match imported["patch_format"].as_str() {
        Some("none") => "",
        _ => " by patches",
    };
    field.release_with_direct("1.2", &["1.0", "1.1"]);
    field.release_with_direct("1.3", &["1.0", "1.1", "1.2"]);
    for has in ["1.0", "1.1", "1.2"] {
        let got = field.update(&format!("from-{has}"), has, None);
        assert_eq!(got, format!("1.3{by}"), "{has}");
    }
}

/// Older ones get full archives.
fn without_patches(version: &str) {
    let Some(field) = Field::of(version) else {
        return;
    };
    let imported = field.bundler(&["import", "tufup", "--url", &field.server.url]);
    assert_eq!(imported["patch_format"], "none", "{imported}");
    let warnings = imported["warnings"].to_string();
    let said = ["app-1.", "tufup", "full archives", "Once they are gone"];
    assert!(
        said.iter().all(|words| warnings.contains(words)),
        "{warnings}"
    );
    for (version, more) in [("1.2", &[][..]), ("1.3", &["--skip-patch"][..])] {
        let added = field.release(version, more);
        assert_eq!(added["patch"], Value::Null, "{added}");
        for has in ["1.0", "1.1"] {
            let got = field.update(&format!("{version}-from-{has}"), has, None);
            assert_eq!(got, version, "{has}");
        }
    }
    assert_eq!(field.bundler(&["verify"])["problems"], json!([]));
}

#[test]
fn clients_of_tufup_0_4_9_pass_over_direct_patches() {
    with_direct_patches("0.4.9");
}

#[test]
fn clients_of_tufup_0_5_2_pass_over_direct_patches() {
    with_direct_patches("0.5.2");
}

#[test]
fn clients_of_tufup_0_6_0_pass_over_direct_patches() {
    with_direct_patches("0.6.0");
}

#[test]
fn clients_of_tufup_0_7_1_pass_over_direct_patches() {
    with_direct_patches("0.7.1");
}

#[test]
fn clients_of_tufup_0_10_0_pass_over_direct_patches() {
    with_direct_patches("0.10.0");
}

#[test]
fn clients_of_tufup_0_4_9_get_full_archives() {
    without_patches("0.4.9");
}

#[test]
fn clients_of_tufup_0_5_2_get_full_archives() {
    without_patches("0.5.2");
}

#[test]
fn clients_of_tufup_0_6_0_get_full_archives() {
    without_patches("0.6.0");
}

#[test]
fn clients_of_tufup_0_7_1_get_patches() {
    with_patches("0.7.1");
}

#[test]
fn clients_of_tufup_0_10_0_get_patches() {
    with_patches("0.10.0");
}

/// As it is found: from another machine, with the newest root as `root.json`
/// only, with two applications in it, and with tufup's own expiry dates.
#[test]
fn a_repository_that_is_not_as_it_should_be_is_mended_or_named() {
    let Some(field) = Field::of("0.10.0") else {
        return;
    };
    let theirs = field.theirs();
    let settings = theirs.join(".tufup-repo-config");
    let tufup = fs::read_to_string(&settings).unwrap();
    let mut config: Value = serde_json::from_str(&tufup).unwrap();
    let other = field.bundle("7.0");
    config["app_name"] = "other".into();
    fs::write(&settings, config.to_string()).unwrap();
    field.python(&["release", "other", "7.0", text(&other)]);
    config["app_name"] = "app".into();
    config["repo_dir"] = "C:\\Users\\RUNNER~1\\app\\repository".into();
    config["keys_dir"] = "/home/another/app/keystore".into();
    fs::write(&settings, config.to_string()).unwrap();
    let one = theirs.join("repository/metadata/1.root.json");
    fs::remove_file(&one).unwrap();
    // What tufup signs on top of what is signed here is not what lists say.
    let saved = field.sandbox.path("saved");
    copy_tree(&theirs, &saved);
    let imported = field.bundler(&["import", "tufup", "--url", &field.server.url]);
    assert_eq!(imported["apps"], json!(["app", "other"]));
    assert_eq!(imported["keys"]["root"], json!(["root"]), "they are found");
    let warnings = imported["warnings"].to_string();
    for words in [
        "repo_dir",
        "keys_dir",
        "1.root.json, which clients look for, was missing",
        "app, other",
        "timestamp metadata lasts 1 day",
    ] {
        assert!(warnings.contains(words), "{words}: {warnings}");
    }
    let text = fs::read_to_string(theirs.join("notsotuf-project.toml")).unwrap();
    assert!(text.contains("repository = \"repository\""), "{text}");
    let bundle = field.bundle("1.2");
    field.bundler(&["add", "1.2", self::text(&bundle), "--app", "app"]);
    field.bundler(&["publish"]);
    assert_eq!(field.update("client", "1.1", None), "1.2 by patches");

    // What cannot be mended is named.
    for folder in ["repository", "keystore"] {
        fs::remove_dir_all(theirs.join(folder)).unwrap();
        copy_tree(&saved.join(folder), &theirs.join(folder));
    }
    for entry in fs::read_dir(&theirs).unwrap() {
        let entry = entry.unwrap();
        if entry.file_name().to_string_lossy().starts_with("notsotuf-") {
            fs::remove_file(entry.path()).unwrap();
        }
    }
    let fails = |words: &[&str]| {
        let output = run(&mut bundler_in(&theirs, &["import", "tufup"]));
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success(), "{said}");
        assert!(words.iter().all(|word| said.contains(word)), "{said}");
    };
    config["repo_dir"] = "/home/another/elsewhere".into();
    fs::write(&settings, config.to_string()).unwrap();
    fails(&["/home/another/elsewhere", "not on this machine", "repo_dir"]);
    fs::write(&settings, &tufup).unwrap();
    field.python(&["rotate", "root", "root-2"]);
    assert!(!one.exists());
    fails(&["1.root.json is missing", "backup"]);
    // Others make patches that nobody else can.
    let root = theirs.join("repository/metadata/root.json");
    fs::copy(Path::new(&field.sandbox.path("first-root.json")), &one).unwrap();
    assert!(root.exists());
    let mut config: Value = serde_json::from_str(&tufup).unwrap();
    config["binary_diff"] = "my.module.Diff".into();
    fs::write(&settings, config.to_string()).unwrap();
    let imported = field.bundler(&["import", "tufup"]);
    assert_eq!(imported["patch_format"], "none");
    assert!(imported["warnings"].to_string().contains("my.module.Diff"));
}
