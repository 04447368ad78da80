//! From the older updaters, with the real packages: PyUpdater 4, and the
//! Python package notsotuf 0.1. (tufup is in interop.rs.)

use notsotuf_tests::{
    Sandbox, Server, bundle, bundler_in, copy_tree, json as run_json, program, root, run, text,
    write_version_script, write_windows_program, write_windows_stub,
};
use serde_json::{Value, json};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// A repository of PyUpdater with 1.0 of a program that updates itself by it,
/// and an install of that.
struct PyUpdater {
    folder: tempfile::TempDir,
}

impl PyUpdater {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        copy_tree(
            &root().join(".work/bundles/pyupdater"),
            &folder.path().join("repository"),
        );
        PyUpdater { folder }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn deployed(&self, name: &str) -> PathBuf {
        self.path("repository/pyu-data/deploy").join(name)
    }

    fn python(&self, args: &[&str]) -> Value {
        let mut command = Command::new(root().join(".work/venv-pyupdater/bin/python"));
        command
            .arg(root().join("tests/python/pyupdater_repo.py"))
            .args(args)
            .current_dir(self.path("repository"));
        run_json(&mut command)
    }

    /// What a release engineer types.
    fn package(&self) {
        let mut command = Command::new(root().join(".work/venv-pyupdater/bin/pyupdater"));
        command
            .args(["pkg", "--process", "--sign"])
            .current_dir(self.path("repository"));
        let output = run(&mut command);
        assert!(output.status.success(), "{output:?}");
    }

    /// The names of archives that are ready.
    fn archives(&self) -> Vec<String> {
        let files = fs::read_dir(self.path("repository/pyu-data/deploy")).unwrap();
        let mut names: Vec<_> = files
            .map(|file| file.unwrap().file_name().into_string().unwrap())
            .filter(|name| name.starts_with("program-"))
            .collect();
        names.sort();
        names
    }

    /// PyUpdater's word for this platform.
    fn platform(&self) -> String {
        let name = &self.archives()[0];
        name.split('-').nth(1).unwrap().to_owned()
    }

    fn bundler(&self, args: &[&str]) -> Output {
        run(&mut bundler_in(&self.path("project"), args))
    }

    fn bundler_json(&self, args: &[&str]) -> Value {
        let output = self.bundler(args);
        assert!(output.status.success(), "{args:?}: {output:?}");
        serde_json::from_slice(&output.stdout).unwrap()
    }

    fn import(&self, more: &[&str]) -> Output {
        let repository = self.path("repository");
        self.bundler(&[&["import", "pyupdater", text(&repository), "--plain"], more].concat())
    }

    /// Unpacks the archive of 1.0 to where users have it.
    fn install(&self) {
        let archive = self.deployed(&format!("program-{}-1.0.tar.gz", self.platform()));
        fs::create_dir(self.path("users")).unwrap();
        let mut tar = Command::new("tar");
        tar.arg("xzf")
            .arg(archive)
            .arg("-C")
            .arg(self.path("users"));
        assert!(run(&mut tar).status.success());
    }

    /// Starts what is installed; it says its version.
    fn start(&self, url: &str) -> String {
        let mut command = Command::new(self.path("users/program/program"));
        command
            .args(["one", "two words"])
            .env("E2E_URL", url)
            .env("E2E_DATA", self.path("data"));
        let said = run_json(&mut command);
        assert_eq!(said["args"], json!(["one", "two words"]));
        said["version"].as_str().unwrap().to_owned()
    }
}

#[test]
fn clients_of_pyupdater_cross_over() {
    let old = PyUpdater::new();
    old.package();
    let platform = old.platform();
    old.install();
    let theirs = Server::start(&old.path("repository/pyu-data/deploy"));
    assert_eq!(old.start(&theirs.url), "1.0");

    // A new project with the releases there are, and one more.
    let repository = old.path("project/repository");
    fs::create_dir_all(&repository).unwrap();
    let ours = Server::start(&repository);
    let imported = old.import(&["--url", &ours.url]);
    assert!(imported.status.success(), "{imported:?}");
    let imported: Value = serde_json::from_slice(&imported.stdout).unwrap();
    let app = imported["releases"][0]["app"].as_str().unwrap().to_owned();
    assert!(app.starts_with("program-"), "{app}");
    assert_eq!(
        imported["releases"],
        json!([{ "app": app, "version": "1.0" }])
    );
    old.bundler_json(&["add", "1.1", text(&bundle("1.1"))]);
    old.bundler_json(&["publish"]);

    // PyUpdater brings the bridge to its clients.
    let new = old.path("repository/pyu-data/new");
    let bridge = old.bundler_json(&["bridge", "--output", text(&new)]);
    assert_eq!(bridge["version"], "1.1");
    let names: Vec<_> = fs::read_dir(&new)
        .unwrap()
        .map(|f| f.unwrap().file_name())
        .collect();
    assert_eq!(names, [format!("program-{platform}-1.1.tar.gz").as_str()]);
    old.package();
    assert_eq!(old.start(&theirs.url), "1.1");
    let stub = fs::read(old.path("users/program/program")).unwrap();
    assert_eq!(stub, fs::read(program("notsotuf-stub")).unwrap());

    // From here on PyUpdater is not needed.
    drop(theirs);
    old.bundler_json(&["add", "1.2", text(&bundle("1.2"))]);
    old.bundler_json(&["publish"]);
    assert_eq!(old.start("http://127.0.0.1:1"), "1.2");
    let log = fs::read_to_string(old.path("users/program/.notsotuf/log")).unwrap();
    assert!(log.contains("updated to version 1.2 by 1 patch"), "{log}");
}

#[test]
fn archives_of_all_kinds_are_imported() {
    let old = PyUpdater::new();
    for (version, bundle, form) in [
        ("0.7", bundle("1.3"), "zip"),
        ("0.8.1b2", bundle("1.2"), "bztar"),
        ("0.9", bundle("onefile-1.0"), "gztar"),
    ] {
        let bundle = bundle.with_file_name("program");
        old.python(&["archive", "program", text(&bundle), version, form]);
    }
    old.package();
    let platform = old.platform();
    // PyUpdater deletes what it has uploaded.
    let published = old.path("published");
    fs::rename(old.path("repository/pyu-data/deploy"), &published).unwrap();
    fs::remove_dir_all(old.path("repository/pyu-data/files")).unwrap();
    let none = old.import(&[]);
    assert_eq!(none.status.code(), Some(1));
    let said = String::from_utf8_lossy(&none.stderr).into_owned();
    assert!(said.contains("--published"), "{said}");
    assert!(!old.path("project/notsotuf-project.toml").exists());

    let gone = format!("program-{platform}-0.9.tar.gz");
    fs::rename(published.join(&gone), old.path("away")).unwrap();
    let import = |more: &[&str]| {
        let output = old.import(&[&["--published", text(&published)], more].concat());
        assert!(output.status.success(), "{output:?}");
        serde_json::from_slice::<Value>(&output.stdout).unwrap()
    };
    let imported = import(&["--last", "2"]);
    assert_eq!(imported["missing"], json!([gone]));
    let versions = |imported: &Value| {
        let releases = imported["releases"].as_array().unwrap().clone();
        let versions = releases
            .iter()
            .map(|r| r["version"].as_str().unwrap().to_owned());
        versions.collect::<Vec<_>>()
    };
    assert_eq!(versions(&imported), ["0.8.1b2", "1.0"]);
    // What is older than what is there cannot be added any more, and nothing
    // is added twice.
    assert_eq!(versions(&import(&["--last", "2"])), Vec::<String>::new());

    fs::remove_dir_all(old.path("project")).unwrap();
    fs::rename(old.path("away"), published.join(&gone)).unwrap();
    let imported = import(&["--url", "http://127.0.0.1:1"]);
    assert_eq!(versions(&imported), ["0.7", "0.8.1b2", "0.9", "1.0"]);
    old.bundler_json(&["publish"]);
    // What is in them is what PyUpdater put there, permissions and all.
    for (version, says) in [("0.7", "1.3"), ("0.8.1b2", "1.2"), ("0.9", "1.0")] {
        let output = old.path(&format!("shipped-{version}"));
        old.bundler_json(&["ship", "--version", version, "--output", text(&output)]);
        let mut program = Command::new(output.join("app/program"));
        assert_eq!(run_json(&mut program)["version"], says, "{version}");
    }
    // Where a single file was, there is no room for a folder.
    let refused = old.bundler(&["bridge", "0.9", "--output", text(&old.path("bridge"))]);
    assert_eq!(refused.status.code(), Some(1));
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(
        said.contains("cannot cross") && said.contains("installer"),
        "{said}"
    );
    assert_eq!(fs::read_dir(old.path("bridge")).unwrap().count(), 0);
}

#[test]
fn windows_users_get_a_zip() {
    let old = PyUpdater::new();
    old.package();
    let platform = old.platform();
    assert!(
        old.import(&["--url", "http://127.0.0.1:1"])
            .status
            .success()
    );
    let settings = old.path("project/notsotuf-project.toml");
    let text_before = fs::read_to_string(&settings).unwrap();
    let as_windows =
        text_before.replace(&format!("platform = \"{platform}\""), "platform = \"win\"");
    assert_ne!(text_before, as_windows);
    fs::write(&settings, as_windows).unwrap();
    let bundle = old.path("bundle");
    fs::create_dir(&bundle).unwrap();
    // The stub only looks like one here.
    write_windows_program(&bundle.join("program.exe"));
    fs::write(bundle.join("data"), "data").unwrap();
    write_windows_stub(&old.path("stub.exe"));
    // It takes the place of one for Linux.
    old.bundler_json(&["add", "1.1", text(&bundle), "--force"]);
    old.bundler_json(&["publish"]);
    let stub = old.path("stub.exe");
    let made = old.bundler_json(&[
        "bridge",
        "--stub",
        text(&stub),
        "--output",
        text(&old.path("out")),
    ]);
    let archive = old.path("out/program-win-1.1.zip");
    assert_eq!(made["archive"], text(&archive));
    let list = run(Command::new(root().join(".venv/bin/python")).args([
        "-m",
        "zipfile",
        "-l",
        text(&archive),
    ]));
    let list = String::from_utf8(list.stdout).unwrap();
    for name in [
        "program/program.exe",
        "program/notsotuf.toml",
        "program/root.json",
        "program/app/data",
    ] {
        assert!(list.contains(name), "{list}");
    }
}

/// Changes a file, and changes it back.
fn with_changed(path: &Path, change: &dyn Fn(Vec<u8>) -> Vec<u8>, then: &dyn Fn()) {
    let before = fs::read(path).unwrap();
    let after = change(before.clone());
    assert_ne!(before, after, "{path:?}");
    fs::write(path, after).unwrap();
    then();
    fs::write(path, before).unwrap();
}

/// Changes the text in a gzipped file.
fn text_in_gz(from: &'static str, to: &'static str) -> impl Fn(Vec<u8>) -> Vec<u8> {
    move |gz| {
        let mut text = String::new();
        std::io::Read::read_to_string(&mut flate2::read::GzDecoder::new(&gz[..]), &mut text)
            .unwrap();
        assert!(text.contains(from), "{text}");
        let mut out = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        std::io::Write::write_all(&mut out, text.replace(from, to).as_bytes()).unwrap();
        out.finish().unwrap()
    }
}

#[test]
fn what_is_not_signed_is_not_imported() {
    let old = PyUpdater::new();
    old.package();
    let platform = old.platform();
    let refused = |code: i32, words: &'static str| {
        let old = &old;
        move || {
            let output = old.import(&[]);
            let said = String::from_utf8_lossy(&output.stderr).into_owned();
            assert_eq!(output.status.code(), Some(code), "{said}");
            assert!(said.contains(words), "{said}");
            assert!(!old.path("project/notsotuf-project.toml").exists());
        }
    };
    let versions = old.deployed("versions.gz");
    let keys = old.deployed("keys.gz");
    with_changed(
        &versions,
        &text_in_gz("\"filename\"", "\"file_name\""),
        &refused(3, "signature"),
    );
    with_changed(
        &versions,
        &text_in_gz("1.0.0.2.0", "1.1.0.2.0"),
        &refused(3, "signature"),
    );
    with_changed(
        &versions,
        &text_in_gz("\"signature\"", "\"Signature\""),
        &refused(1, "no signature"),
    );
    with_changed(
        &keys,
        &text_in_gz("app_public\": \"", "app_public\": \"A"),
        &refused(3, "signature"),
    );
    with_changed(&keys, &|gz| gz[..20].to_vec(), &refused(1, "keys.gz"));
    let config = old.path("repository/.pyupdater/config.pyu");
    let other_key = |text: Vec<u8>| {
        let text = String::from_utf8(text).unwrap();
        text.replace("\"offline_public\": \"", "\"offline_public\": \"A")
            .into_bytes()
    };
    with_changed(&config, &other_key, &refused(3, "signature"));
    let archive = old.deployed(&format!("program-{platform}-1.0.tar.gz"));
    let longer = |mut bytes: Vec<u8>| {
        bytes.push(0);
        bytes
    };
    with_changed(
        &archive,
        &longer,
        &refused(1, "not the one that was signed"),
    );
    assert!(old.import(&[]).status.success());
}

#[test]
fn the_name_of_an_archive_is_believed_more_than_the_list() {
    let old = PyUpdater::new();
    old.package();
    let platform = old.platform();
    old.python(&[
        "relist",
        &format!("program-{platform}-1.0.tar.gz"),
        "1.0.5.2.0",
    ]);
    let output = old.import(&[]);
    assert!(output.status.success(), "{output:?}");
    let imported: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(imported["releases"][0]["version"], "1.0");
    assert_eq!(
        imported["disagreements"],
        json!([{
            "archive": format!("program-{platform}-1.0.tar.gz"),
            "listed": "1.0.5",
            "taken": "1.0",
        }])
    );
}

/// Runs tests/python/interop.py with the original notsotuf.
fn notsotuf(folder: &Path, args: &[&str]) -> Value {
    let mut command = Command::new(root().join(".work/venv-notsotuf/bin/python"));
    command
        .arg(root().join("tests/python/interop.py"))
        .args(args)
        .env("PEER", "notsotuf")
        .current_dir(folder);
    run_json(&mut command)
}

/// Their patches are over compressed archives, which takes minutes for a real
/// bundle.
fn small_bundle(sandbox: &Sandbox, version: &str) -> PathBuf {
    let folder = sandbox.path("bundles").join(version);
    write_version_script(&folder.join("program"), version);
    fs::copy(
        bundle("1.0").join("_internal/base_library.zip"),
        folder.join("data"),
    )
    .unwrap();
    folder
}

#[test]
fn clients_of_original_notsotuf_keep_updating() {
    let sandbox = Sandbox::new();
    let theirs = sandbox.path("theirs");
    fs::create_dir(&theirs).unwrap();
    for version in ["1.0", "1.1"] {
        notsotuf(
            &theirs,
            &[
                "release",
                "app",
                version,
                text(&small_bundle(&sandbox, version)),
            ],
        );
    }
    let repository = theirs.join("repository");
    let server = Server::start(&repository);
    let bundler = |args: &[&str]| run_json(&mut bundler_in(&theirs, args));
    let imported = bundler(&["import", "notsotuf", "--url", &server.url]);
    // They were open to all, which signing refuses.
    #[cfg(unix)]
    assert!(
        !imported["closed"].as_array().unwrap().is_empty(),
        "{imported}"
    );
    assert_eq!(
        (&imported["app"], &imported["targets"]),
        (&json!("app"), &json!(3))
    );
    assert_eq!(bundler(&["verify"])["problems"], json!([]));
    // The stub installs from what they made, which has no tree hashes.
    let install = theirs.join("install");
    bundler(&["ship", "--version", "1.0", "--output", text(&install)]);
    let start = || run_json(&mut Command::new(install.join("program")))["version"].clone();
    assert_eq!(start(), "1.1");

    let added = bundler(&["add", "1.2", text(&small_bundle(&sandbox, "1.2"))]);
    assert_eq!(added["patch"], Value::Null);
    bundler(&["publish"]);
    let root = repository.join("metadata/1.root.json");
    for (version, name) in [("1.0", "one"), ("1.1", "two")] {
        let archive = repository.join(format!("targets/app-{version}.tar.gz"));
        let folder = sandbox.path(name);
        let args = [
            "client",
            &server.url,
            text(&root),
            text(&folder),
            "app",
            version,
            text(&archive),
        ];
        let done = notsotuf(&theirs, &args);
        assert_eq!(done["found"], "1.2");
        let mut program = Command::new(folder.join("install/program"));
        assert_eq!(run_json(&mut program)["version"], "1.2");
    }
    assert_eq!(start(), "1.2");

    // Once they are gone.
    let settings = theirs.join("notsotuf-project.toml");
    let before = fs::read_to_string(&settings).unwrap();
    fs::write(&settings, before.replace("\"none\"", "\"notsotuf-1\"")).unwrap();
    assert_eq!(
        bundler(&["add", "1.3", text(&small_bundle(&sandbox, "1.3"))])["patch"]["from"],
        "1.2"
    );
    bundler(&["publish"]);
    assert_eq!(start(), "1.3");
    let log = fs::read_to_string(install.join(".notsotuf/log")).unwrap();
    assert!(log.contains("updated to version 1.3 by 1 patch"), "{log}");
}

#[test]
fn archives_with_the_old_suffix_are_continued() {
    let sandbox = Sandbox::new();
    let settings = sandbox.path("project/notsotuf-project.toml");
    let before = fs::read_to_string(&settings).unwrap();
    fs::write(&settings, before.replace("\".tar.gz\"\n", "\".gz\"\n")).unwrap();
    sandbox.release("1.0", &[]);
    sandbox.ship("1.0");
    // As the package was before its first release: the same, but for the suffix.
    fs::remove_file(&settings).unwrap();
    let config = json!({
        "app_name": "app",
        "repo_dir": sandbox.path("project/repository"),
        "keys_dir": sandbox.path("project/keystore"),
        "expiration_days": { "root": 365, "targets": 7, "snapshot": 7, "timestamp": 1 },
    });
    fs::write(
        sandbox.path("project/.notsotuf-repo-config"),
        config.to_string(),
    )
    .unwrap();
    fs::remove_file(sandbox.path("project/.gitignore")).unwrap();
    sandbox.bundler(&["import", "notsotuf", "--url", &sandbox.url()]);
    let ignored = fs::read_to_string(sandbox.path("project/.gitignore")).unwrap();
    assert!(ignored.contains("\n/keystore/*\n"), "{ignored}");
    let added = sandbox.release("1.1", &[]);
    assert_eq!(added["archive"]["path"], "app-1.1.gz");
    assert_eq!(sandbox.start_version(), "1.1");
}
