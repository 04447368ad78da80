//! Patches over several releases at once, for those who come back after a
//! while (`patch_from` of the project settings).
#![cfg(unix)]

use notsotuf_tests::faulty_server::{Fault, FaultyServer};
use notsotuf_tests::{Sandbox, noise, run, write_version_script};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::PathBuf;

/// Each release brings this much that the one before does not have.
const NEW: usize = 4000;

/// A bundle with a script that tells its version, data that patches keep, and
/// a file that is another one in each release.
fn bundle(sandbox: &Sandbox, version: &str) -> PathBuf {
    let folder = sandbox.path("bundles").join(version);
    write_version_script(&folder.join("program"), version);
    let number: usize = version.bytes().map(usize::from).sum();
    let noise = noise(100_000);
    fs::write(folder.join("data"), &noise[..50_000]).unwrap();
    let other: Vec<u8> = noise[50_000..][..NEW]
        .iter()
        .enumerate()
        .map(|(place, byte)| {
            byte.wrapping_mul(2 * (number % 100) as u8 + 1) ^ (place * number) as u8
        })
        .collect();
    fs::write(folder.join("changing"), other).unwrap();
    folder
}

fn add(sandbox: &Sandbox, version: &str, more: &[&str]) -> Value {
    sandbox.add(version, &bundle(sandbox, version), more)
}

fn release(sandbox: &Sandbox, version: &str) -> Value {
    let added = add(sandbox, version, &[]);
    sandbox.bundler(&["publish"]);
    added
}

/// Puts a line in front of the project's settings.
fn set(sandbox: &Sandbox, line: &str) {
    let path = sandbox.path("project/notsotuf-project.toml");
    let settings = fs::read_to_string(&path).unwrap();
    fs::write(&path, format!("{line}\n{settings}")).unwrap();
}

/// With 1.0 to 1.3, and direct patches.
fn four_releases() -> Sandbox {
    let sandbox = Sandbox::new();
    set(&sandbox, "patch_from = 4");
    for version in ["1.0", "1.1", "1.2", "1.3"] {
        release(&sandbox, version);
    }
    sandbox
}

/// The versions that direct patches of what was added lead from, and why there
/// are none from others.
fn direct(added: &Value) -> BTreeMap<String, Option<String>> {
    let list = added["direct_patches"].as_array().into_iter().flatten();
    list.map(|patch| {
        let from = patch["from"].as_str().unwrap().to_owned();
        (from, patch["left_out"].as_str().map(str::to_owned))
    })
    .collect()
}

/// What is listed, without the hashes in front.
fn targets(sandbox: &Sandbox) -> Vec<String> {
    let files = fs::read_dir(sandbox.repository().join("targets")).unwrap();
    let mut names: Vec<String> = files
        .map(|file| file.unwrap().file_name().into_string().unwrap())
        .map(|name| name.split_once('.').unwrap().1.to_owned())
        .collect();
    names.sort();
    names
}

/// The targets that were asked for since this was last asked, in order.
fn downloaded(sandbox: &Sandbox) -> Vec<String> {
    let requests = sandbox.server.as_ref().unwrap().requests();
    let mut targets: Vec<String> = requests
        .iter()
        .filter_map(|request| request.split_once("/targets/"))
        .map(|(_, file)| file.split_once('.').unwrap().1.to_owned())
        .collect();
    targets.sort();
    targets
}

#[test]
fn who_is_three_releases_behind_takes_one_patch() {
    let sandbox = four_releases();
    assert_eq!(
        targets(&sandbox),
        [
            "app-1.0.tar.gz",
            "app-1.1.patch",
            "app-1.1.tar.gz",
            "app-1.2.from-1.0.delta",
            "app-1.2.patch",
            "app-1.2.tar.gz",
            "app-1.3.from-1.0.delta",
            "app-1.3.from-1.1.delta",
            "app-1.3.patch",
            "app-1.3.tar.gz",
        ]
    );
    for (behind, file) in [
        ("1.0", "app-1.3.from-1.0.delta"),
        ("1.1", "app-1.3.from-1.1.delta"),
        ("1.2", "app-1.3.patch"),
    ] {
        fs::remove_dir_all(sandbox.path("install")).unwrap_or_default();
        sandbox.ship(behind);
        downloaded(&sandbox);
        assert_eq!(sandbox.start_version(), "1.3");
        assert_eq!(downloaded(&sandbox), [file]);
        assert!(sandbox.log().contains("by 1 patch"), "{}", sandbox.log());
    }
    assert_eq!(sandbox.bundler(&["verify"])["problems"], json!([]));
    let rows = sandbox.bundler(&["list", "--offline"])["releases"].clone();
    assert_eq!(rows[0]["direct_patches"][0]["from"], "1.1");
    assert_eq!(rows[0]["direct_patches"][1]["from"], "1.0");
    assert_eq!(rows[2]["direct_patches"], json!([]));
    let explained = sandbox.bundler(&["explain", "1.3", "--from", "1.0"]);
    assert_eq!(explained["from"], "1.0");
    assert_eq!(explained["direct_patches"], rows[0]["direct_patches"]);
}

#[test]
fn from_further_back_chain_and_direct_patch_go_together() {
    let sandbox = Sandbox::new();
    set(&sandbox, "patch_from = 3");
    for version in ["1.0", "1.1", "1.2", "1.3", "1.4"] {
        release(&sandbox, version);
    }
    sandbox.ship("1.0");
    downloaded(&sandbox);
    assert_eq!(sandbox.start_version(), "1.4");
    // 1.0, 1.2, 1.4 or 1.0, 1.1, 1.4, whichever is smaller.
    let files = downloaded(&sandbox);
    assert_eq!(files.len(), 2, "{files:?}");
    assert!(
        files.iter().any(|file| file.ends_with(".delta")),
        "{files:?}"
    );
    assert!(sandbox.log().contains("by 2 patches"), "{}", sandbox.log());
}

/// All patches on the way are there before the first one is applied.
#[test]
fn many_patches_are_downloaded_at_once() {
    let sandbox = Sandbox::new();
    for number in 0..=6 {
        release(&sandbox, &format!("1.{number}"));
    }
    sandbox.ship("1.0");
    downloaded(&sandbox);
    assert_eq!(sandbox.start_version(), "1.6");
    let patches: Vec<String> = (1..=6).map(|n| format!("app-1.{n}.patch")).collect();
    assert_eq!(downloaded(&sandbox), patches);
    assert!(sandbox.log().contains("by 6 patches"), "{}", sandbox.log());
}

#[test]
fn a_direct_patch_that_fails_is_made_up_for_by_the_archive() {
    let sandbox = four_releases();
    sandbox.ship("1.0");
    let server = FaultyServer::start(&sandbox.repository(), ".delta", Fault::Flipped);
    sandbox.point_to(&server.url);
    assert_eq!(sandbox.start_version(), "1.3");
    let log = sandbox.log();
    assert!(
        log.contains("app-1.3.from-1.0.delta does not match its sha256 hash"),
        "{log}"
    );
    assert!(log.contains("by the full archive"), "{log}");
}

#[test]
fn direct_patches_go_with_the_release_at_either_end() {
    let direct = |sandbox: &Sandbox| -> Vec<String> {
        let all = targets(sandbox).into_iter();
        all.filter(|name| name.ends_with(".delta")).collect()
    };
    let sandbox = four_releases();
    sandbox.bundler(&["remove-latest"]);
    sandbox.bundler(&["publish"]);
    assert_eq!(direct(&sandbox), ["app-1.2.from-1.0.delta"]);

    // Who has the release before the one that was withdrawn goes past it.
    let sandbox = four_releases();
    sandbox.ship("1.1");
    sandbox.bundler(&["yank", "1.2"]);
    sandbox.bundler(&["publish"]);
    assert_eq!(
        direct(&sandbox),
        ["app-1.3.from-1.0.delta", "app-1.3.from-1.1.delta"]
    );
    assert_eq!(sandbox.start_version(), "1.3");
    assert!(sandbox.log().contains("by 1 patch"), "{}", sandbox.log());
    assert_eq!(sandbox.bundler(&["verify"])["problems"], json!([]));
    // The number is not used for patches any more, either.
    let added = add(&sandbox, "1.4", &[]);
    assert_eq!(added["patch"]["from"], "1.3");
    assert_eq!(direct_from(&added), ["1.0", "1.1"], "{added}");

    let sandbox = four_releases();
    sandbox.bundler(&["prune", "--keep", "3"]);
    sandbox.bundler(&["publish"]);
    assert_eq!(direct(&sandbox), ["app-1.3.from-1.1.delta"]);
    assert_eq!(sandbox.bundler(&["verify"])["problems"], json!([]));
}

fn direct_from(added: &Value) -> Vec<String> {
    let direct = direct(added);
    assert!(direct.values().all(Option::is_none), "{direct:?}");
    direct.into_keys().collect()
}

#[test]
fn a_direct_patch_that_cannot_be_had_is_left_out_with_a_word() {
    let sandbox = Sandbox::new();
    set(&sandbox, "patch_from = 4");
    for version in ["1.0", "1.1", "1.2"] {
        release(&sandbox, version);
    }
    let said = |added: &Value, from: &str, words: &str| {
        let why = direct(added)[from].clone().unwrap();
        assert!(why.contains(words), "{added}");
        let warnings = added["warnings"].to_string();
        assert!(
            warnings.contains(&format!("no direct patch from {from}: ")),
            "{added}"
        );
    };
    let added = add(&sandbox, "1.3", &["--patch-budget", "0s"]);
    for from in ["1.0", "1.1"] {
        said(&added, from, "--patch-budget");
    }
    sandbox.bundler(&["remove-latest"]);
    let added = add(&sandbox, "1.3", &["--skip-patch"]);
    assert_eq!(added["direct_patches"], Value::Null);
    sandbox.bundler(&["remove-latest"]);
    // Only what is out: nobody has this one.
    add(&sandbox, "1.3", &[]);
    let added = add(&sandbox, "1.4", &[]);
    assert_eq!(added["patch"]["from"], "1.3");
    assert_eq!(direct_from(&added), ["1.0", "1.1", "1.2"]);
    sandbox.bundler(&["remove-latest"]);
    sandbox.bundler(&["remove-latest"]);
    let files = fs::read_dir(sandbox.repository().join("targets")).unwrap();
    for file in files.map(|file| file.unwrap().path()) {
        if file.to_string_lossy().ends_with("app-1.0.tar.gz") {
            fs::remove_file(file).unwrap();
        }
    }
    let added = add(&sandbox, "1.3", &[]);
    assert_eq!(added["patch"]["from"], "1.2");
    said(&added, "1.0", "missing");
    assert_eq!(direct(&added)["1.1"], None);
}

#[test]
fn a_direct_patch_as_large_as_the_archive_is_left_out() {
    let sandbox = Sandbox::new();
    set(&sandbox, "patch_from = 3");
    release(&sandbox, "1.0");
    let other = bundle(&sandbox, "1.1");
    let noise: Vec<u8> = noise(50_000).iter().map(|byte| !byte).collect();
    fs::write(other.join("data"), noise).unwrap();
    sandbox.add("1.1", &other, &[]);
    sandbox.bundler(&["publish"]);
    let like_it = bundle(&sandbox, "1.2");
    fs::copy(other.join("data"), like_it.join("data")).unwrap();
    let added = sandbox.add("1.2", &like_it, &[]);
    assert_eq!(added["patch"]["from"], "1.1");
    let why = direct(&added)["1.0"].clone().unwrap();
    assert!(why.contains("about as large as the archive"), "{added}");
    assert_eq!(added["warnings"], json!([]));
}

/// A program of PyInstaller's, in which the script changed.
#[test]
fn both_formats_are_made_where_the_settings_say_so() {
    let sandbox = Sandbox::new();
    let path = sandbox.path("project/notsotuf-project.toml");
    let settings = fs::read_to_string(&path).unwrap();
    let both = settings.replace("\"notsotuf-2\"", "\"both\"");
    fs::write(&path, both).unwrap();
    sandbox.release("1.0", &[]);
    let added = sandbox.release("1.1", &[]);
    // What can be done about the bundle is said once, of the better one.
    let warnings = added["warnings"].as_array().unwrap();
    let told: BTreeSet<&str> = warnings.iter().filter_map(Value::as_str).collect();
    assert_eq!(told.len(), warnings.len(), "{warnings:?}");
    assert!(!added["warnings"].to_string().contains("patch_format"));
    assert_eq!(direct(&added), BTreeMap::from([("1.0".into(), None)]));
    let format = |name: &str| {
        let files = fs::read_dir(sandbox.repository().join("targets")).unwrap();
        let mut paths = files.map(|file| file.unwrap().path());
        let path = paths.find(|path| path.to_str().unwrap().ends_with(name));
        let patch = fs::read(path.unwrap()).unwrap();
        (patch[..8].to_vec(), patch.len())
    };
    let (first, large) = format(".app-1.1.patch");
    let (second, small) = format(".app-1.1.from-1.0.delta");
    assert_eq!(first, b"NSTFPT1\n");
    assert_eq!(second, b"NSTFPT2\n");
    assert!(small < large, "{small} and {large} bytes");
    assert_eq!(sandbox.bundler(&["verify"])["problems"], json!([]));
    sandbox.ship("1.0");
    assert_eq!(sandbox.start()["version"], "1.1");
    assert_eq!(downloaded(&sandbox), ["app-1.1.from-1.0.delta"]);
}

#[test]
fn the_settings_say_with_which_formats_direct_patches_go() {
    let sandbox = Sandbox::new();
    let path = sandbox.path("project/notsotuf-project.toml");
    let settings = fs::read_to_string(&path).unwrap();
    let with = |format: &str, patch_from: &str| {
        let lines = settings.lines().map(|line| {
            if line.starts_with("patch_format") {
                format!("patch_format = \"{format}\"\npatch_from = {patch_from}\n")
            } else {
                format!("{line}\n")
            }
        });
        fs::write(&path, lines.collect::<String>()).unwrap();
        let output = run(&mut sandbox.command(&["list", "--offline"]));
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        (output.status.success(), said)
    };
    for format in ["notsotuf-1", "notsotuf-2", "both"] {
        assert!(with(format, "4").0, "{format}");
    }
    for (format, why) in [("bsdiff4", "clients of tufup"), ("none", "no patches")] {
        let (fine, said) = with(format, "4");
        let told = said.contains("patch_from") && said.contains(format) && said.contains(why);
        assert!(!fine && told, "{said}");
        assert!(with(format, "1").0, "{format}");
    }
    for wrong in ["0", "51", "-1", "\"4\""] {
        assert!(!with("notsotuf-2", wrong).0, "{wrong}");
    }
}

/// What somebody else, or an attacker with the keys, may list.
#[test]
fn a_name_that_says_something_else_than_what_is_signed_is_no_patch() {
    let sandbox = four_releases();
    sandbox.ship("1.0");
    add(&sandbox, "1.4", &[]);
    let list = sandbox.path("project/.notsotuf-pending/targets.json");
    let mut entries: Value = serde_json::from_slice(&fs::read(&list).unwrap()).unwrap();
    let entries_map = entries.as_object_mut().unwrap();
    let entry = entries_map.remove("app-1.4.from-1.1.delta").unwrap();
    let wrong = "app-1.4.from-1.0.delta";
    entries_map.insert(wrong.into(), entry);
    fs::write(&list, entries.to_string()).unwrap();
    let files = sandbox.path("project/.notsotuf-pending/files");
    fs::rename(files.join("app-1.4.from-1.1.delta"), files.join(wrong)).unwrap();
    sandbox.bundler(&["publish"]);
    let output = run(&mut sandbox.command(&["verify"]));
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        said.contains(wrong) && said.contains("clients skip it"),
        "{said}"
    );
    downloaded(&sandbox);
    assert_eq!(sandbox.start_version(), "1.4");
    assert!(!downloaded(&sandbox).contains(&wrong.to_owned()));
    assert!(sandbox.log().contains("by 2 patches"), "{}", sandbox.log());
}
