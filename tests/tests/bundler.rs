//! The bundler's commands, as a person and as CI use them.

use notsotuf_tests::faulty_server::{Fault, FaultyServer};
use notsotuf_tests::{Sandbox, Server, bundle, json, program, run};
use serde_json::json;
use std::fs;
use std::process::Command;

const SECRET: &str = "correct horse battery staple";

fn notsotuf(folder: &std::path::Path, args: &[&str]) -> Command {
    let mut command = Command::new(program("notsotuf"));
    command.arg("-C").arg(folder).args(args);
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("NOTSOTUF_")) {
        command.env_remove(name);
    }
    command
}

#[test]
fn encrypted_keys_sign_with_a_passphrase_from_a_variable_or_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let project = folder.path().join("project");
    let init = ["init", "--app", "app", "--url", "http://127.0.0.1:9"];
    let output = run(&mut notsotuf(&project, &init));
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(
        said.contains("NOTSOTUF_PASSPHRASE") && said.contains("--passphrase-file"),
        "{said}"
    );

    let output = run(notsotuf(&project, &init).env("NOTSOTUF_PASSPHRASE", SECRET));
    assert!(output.status.success(), "{output:?}");
    let said = format!("{output:?}");
    assert!(!said.contains("horse"), "a secret is printed: {said}");
    let keys = json(&mut notsotuf(&project, &["--json", "keys", "list"]));
    assert_eq!(keys["keys"].as_array().unwrap().len(), 4);
    assert_eq!(keys["keys"][0]["private"], "encrypted");

    // Another program reads them. (OpenSSL's command line has a limit of
    // memory for scrypt which this cost is above.)
    let script = "\
import os, sys
from cryptography.hazmat.primitives.serialization import load_pem_private_key
key = load_pem_private_key(open(sys.argv[1], 'rb').read(), os.environ['SECRET'].encode())
print(type(key).__name__)
";
    let mut python = Command::new(notsotuf_tests::root().join(".venv/bin/python"));
    let python = python
        .args(["-c", script])
        .arg(project.join("keystore/root.pem"));
    let read = run(python.env("SECRET", SECRET));
    let text = String::from_utf8_lossy(&read.stdout);
    assert!(text.contains("Ed25519PrivateKey"), "{read:?}");

    let bundle = bundle("onefile-1.0");
    let add = ["add", "1.0", bundle.to_str().unwrap()];
    assert!(
        run(&mut notsotuf(&project, &add)).status.success(),
        "adding needs no key"
    );
    let wrong = run(notsotuf(&project, &["publish"]).env("NOTSOTUF_PASSPHRASE", "wrong"));
    assert_eq!(wrong.status.code(), Some(1));
    let said = String::from_utf8_lossy(&wrong.stderr).into_owned();
    assert!(said.contains("the passphrase is wrong"), "{said}");
    assert!(!project.join("repository/metadata/timestamp.json").exists());
    let file = folder.path().join("passphrase");
    fs::write(&file, format!("{SECRET}\n")).unwrap();
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
    }
    let args = ["publish", "--passphrase-file", file.to_str().unwrap()];
    let output = run(&mut notsotuf(&project, &args));
    assert!(output.status.success(), "{output:?}");
}

#[test]
fn two_adds_of_the_same_bundle_give_the_same_bytes() {
    let (one, other) = (Sandbox::new(), Sandbox::new());
    let archives = [&one, &other].map(|sandbox| {
        sandbox.add("1.0", &bundle("1.0"), &[]);
        sandbox.add("1.1", &bundle("1.1"), &[]);
        let files = sandbox.path("project/.notsotuf-pending/files");
        ["app-1.0.tar.gz", "app-1.1.tar.gz", "app-1.1.patch"]
            .map(|name| fs::read(files.join(name)).unwrap())
    });
    assert!(archives[0] == archives[1]);
}

#[test]
fn wrong_use_is_explained() {
    let sandbox = Sandbox::new();
    let fails = |args: &[&str], code: i32, words: &str| {
        let output = run(&mut sandbox.command(args));
        assert_eq!(output.status.code(), Some(code), "{args:?}: {output:?}");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(said.contains(words), "{args:?}: {said}");
    };
    let bundle = bundle("1.0");
    let bundle = bundle.to_str().unwrap();
    fails(&["add", "not-a-version", bundle], 2, "version");
    fails(&["add", "1.0", "/no/such/bundle"], 1, "/no/such/bundle");
    fails(
        &["add", "1.0", bundle, "--app", "other"],
        1,
        "there is no application",
    );
    fails(&["add", "1.0", bundle, "--meta", "[1]"], 2, "JSON object");
    fails(&["remove-latest"], 1, "there is no release");
    let output = sandbox.path("x");
    fails(
        &["ship", "--output", output.to_str().unwrap()],
        1,
        "notsotuf add",
    );
    fails(&["init", "--app", "app"], 1, "is a project");
    sandbox.add("1.0", std::path::Path::new(bundle), &[]);
    fails(&["add", "1.0", bundle], 1, "is not newer than 1.0");
    fails(&["add", "1.0rc1", bundle], 1, "is not newer than 1.0");
    let elsewhere = tempfile::tempdir().unwrap();
    let output = run(&mut notsotuf(elsewhere.path(), &["publish"]));
    assert!(String::from_utf8_lossy(&output.stderr).contains("notsotuf init"));
    assert_eq!(
        fs::read_dir(sandbox.path("project/.notsotuf-pending/files"))
            .unwrap()
            .count(),
        1
    );
}

#[test]
fn a_repository_that_lost_its_previous_archive_says_so() {
    let sandbox = Sandbox::new();
    sandbox.release("1.0", &[]);
    let targets = sandbox.repository().join("targets");
    for entry in fs::read_dir(&targets).unwrap() {
        fs::remove_file(entry.unwrap().path()).unwrap();
    }
    let bundle = bundle("1.1");
    let bundle = bundle.to_str().unwrap();
    let output = run(&mut sandbox.command(&["add", "1.1", bundle]));
    assert!(String::from_utf8_lossy(&output.stderr).contains("--skip-patch"));
    let added = sandbox.bundler(&["add", "1.1", bundle, "--skip-patch"]);
    assert_eq!(added["no_patch"], "as asked");
}

#[test]
fn two_keys_of_three_sign_and_a_client_accepts_it() {
    let folder = tempfile::tempdir().unwrap();
    let project = folder.path().join("project");
    let repository = project.join("repository");
    fs::create_dir_all(&repository).unwrap();
    let server = Server::start(&repository);
    let mut init = vec![
        "--json",
        "init",
        "--app",
        "app",
        "--plain",
        "--url",
        &server.url,
    ];
    init.extend(["--root-keys", "alice,bob,carol", "--root-threshold", "2"]);
    init.extend(["--targets-keys", "alice,bob", "--targets-threshold", "2"]);
    let made = json(&mut notsotuf(&project, &init));
    let names = ["alice", "bob", "carol", "snapshot", "timestamp"];
    assert_eq!(made["keys_made"], json!(names));
    let bundle = bundle("onefile-1.0");
    let add = ["--json", "add", "1.0", bundle.to_str().unwrap()];
    json(&mut notsotuf(&project, &add));
    fs::rename(
        project.join("keystore/bob.pem"),
        folder.path().join("bob.pem"),
    )
    .unwrap();
    let output = run(&mut notsotuf(&project, &["publish"]));
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    fs::rename(
        folder.path().join("bob.pem"),
        project.join("keystore/bob.pem"),
    )
    .unwrap();
    json(&mut notsotuf(&project, &["--json", "publish"]));
    let install = folder.path().join("install");
    let ship = ["--json", "ship", "--output", install.to_str().unwrap()];
    json(&mut notsotuf(&project, &ship));
    let checked =
        json(Command::new(install.join("program")).args(["--updater", "check", "--json"]));
    assert_eq!(checked["update"], json!(null));
}

#[test]
fn prune_keeps_what_clients_still_need() {
    let sandbox = Sandbox::new();
    for version in ["1.0", "1.1", "1.2", "1.3"] {
        sandbox.release(
            version,
            if version == "1.1" {
                &["--required"]
            } else {
                &[]
            },
        );
        if version == "1.2" {
            sandbox.ship("1.2");
        }
    }
    let explained = sandbox.bundler(&["explain", "1.3"]);
    let files = explained["files"].as_array().unwrap();
    assert_eq!(explained["from"], "1.2");
    assert!(
        files
            .iter()
            .any(|file| file["path"] == "program" && file["what"] == "changed")
    );

    let pruned = sandbox.bundler(&["prune", "--keep", "1"]);
    assert_eq!(pruned["removed"], json!(["1.0", "1.2"]));
    sandbox.bundler(&["publish"]);
    let targets = sandbox.repository().join("targets");
    let mut left: Vec<String> = fs::read_dir(targets)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .map(|name| name.split_once('.').unwrap().1.to_owned())
        .collect();
    left.sort();
    let wanted = [
        "app-1.1.patch",
        "app-1.1.tar.gz",
        "app-1.3.patch",
        "app-1.3.tar.gz",
    ];
    assert_eq!(left, wanted);
    assert_eq!(sandbox.bundler(&["verify"])["problems"], json!([]));
    // 1.2 is gone from the repository, but not from users' machines.
    assert_eq!(sandbox.start_version(), "1.3");
    assert!(sandbox.log().contains("by 1 patch"), "{}", sandbox.log());
    assert_eq!(
        sandbox.bundler(&["prune", "--keep", "1"])["removed"],
        json!([])
    );
}

#[test]
fn completions_and_manual_pages() {
    let sandbox = Sandbox::new();
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let done = run(&mut sandbox.command(&["completions", shell]));
        assert!(done.status.success(), "{done:?}");
        let text = String::from_utf8_lossy(&done.stdout);
        assert!(text.contains("rollout"), "{shell}: {text}");
    }
    let pages = sandbox.path("man");
    sandbox.bundler(&["man", pages.to_str().unwrap()]);
    let page = std::fs::read_to_string(pages.join("notsotuf-upload.1")).unwrap();
    assert!(page.contains("rsync"), "{page}");
}

/// What the reference says is what there is.
#[test]
fn the_reference_lists_every_setting_and_command() {
    let docs = |name: &str| {
        let path = notsotuf_tests::root().join("docs").join(name);
        std::fs::read_to_string(path).unwrap()
    };
    let text = docs("reference/settings.md");
    let least = "name = 'a'\nmetadata_url = 'http://a'\ntargets_url = 'http://a'\n\
                 executable = 'a'\nca_file = 'a'\n";
    let settings = notsotuf_stub::settings::Settings::parse(least).unwrap();
    let settings = serde_json::to_value(&settings).unwrap();
    let keys = settings.as_object().unwrap().keys();
    for key in keys.clone() {
        let named = text.contains(&format!("`{key}`")) || text.contains(&format!("`[[{key}]]`"));
        assert!(named, "docs/reference/settings.md does not name {key}");
    }
    assert!(keys.len() > 15, "all keys are looked at");
    let sandbox = Sandbox::new();
    sandbox.release("1.0", &[]);
    sandbox.ship("1.0");
    let help = run(sandbox.stub().args(["--updater", "help"]));
    let help = String::from_utf8_lossy(&help.stdout).into_owned();
    let text = docs("reference/app-protocol.md");
    let commands = help.lines().filter_map(|line| {
        let rest = line.strip_prefix("  --updater ")?;
        rest.split_whitespace().next()
    });
    let mut count = 0;
    for command in commands.filter(|command| *command != "help") {
        assert!(text.contains(&format!("`{command}`")), "{command}");
        count += 1;
    }
    assert!(count >= 7, "{help}");
    // And every message that the troubleshooting explains is in the code.
    let mut sources = String::new();
    let mut folders = vec![notsotuf_tests::root().join("stub/src")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path)
            } else if path.extension().is_some_and(|ending| ending == "rs") {
                sources += &std::fs::read_to_string(path).unwrap()
            }
        }
    }
    for line in docs("how-to/troubleshooting.md")
        .lines()
        .filter(|line| line.starts_with("| `"))
    {
        let message = line.split('`').nth(1).unwrap();
        // Without what stands for a value, a class, or comes from the system.
        let parts = message.split(['…', '`']).map(|part| {
            let part = part.trim().trim_start_matches("(unavailable): ");
            let part = part.trim_start_matches("(refused): ");
            part.trim_start_matches("(local): ").trim_end_matches(':')
        });
        let longest = parts.max_by_key(|part| part.len()).unwrap();
        let known = [
            "answers 401",
            "answers 403",
            "answers 404",
            "metadata expired on",
            "cannot create",
            // As the system says it.
            "Device or resource busy",
        ];
        if known.iter().any(|text| longest.contains(text)) {
            continue;
        }
        assert!(sources.contains(longest), "no message has {longest:?}");
    }
}

#[test]
fn the_doctor_finds_what_is_wrong_and_says_the_mend() {
    let sandbox = Sandbox::new();
    let examine = || {
        let output = run(&mut sandbox.command(&["doctor"]));
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        let first: serde_json::Value = serde_json::Deserializer::from_str(&said)
            .into_iter()
            .next()
            .unwrap()
            .unwrap();
        let problems = first["problems"].as_array().unwrap().clone();
        assert_eq!(output.status.success(), problems.is_empty(), "{said}");
        let list = problems.iter().map(|problem| {
            assert!(!problem["mend"].as_str().unwrap().is_empty());
            problem["problem"].as_str().unwrap().to_owned()
        });
        list.collect::<Vec<_>>()
    };
    let finds = |what: &str| {
        let found = examine();
        assert!(
            found.iter().any(|problem| problem.contains(what)),
            "{found:?}"
        );
    };
    finds("app has no release");
    sandbox.release("1.0", &[]);
    assert_eq!(examine(), [""; 0], "all is well");
    let metadata = sandbox.repository().join("metadata/timestamp.json");
    let published = fs::read(&metadata).unwrap();
    sandbox.add("1.1", &bundle("1.1"), &["--skip-patch"]);
    finds("not published");
    sandbox.bundler(&["publish"]);
    // Somebody serves the state of before.
    let old = sandbox.path("old");
    fs::create_dir_all(old.join("metadata")).unwrap();
    fs::write(old.join("metadata/timestamp.json"), published).unwrap();
    let settings = sandbox.path("project/notsotuf-project.toml");
    let text = fs::read_to_string(&settings).unwrap();
    let server = Server::start(&old);
    let at = |url: &str| fs::write(&settings, text.replace(&sandbox.url(), url)).unwrap();
    at(&server.url);
    finds("is older than what is here");
    fs::write(old.join("metadata/timestamp.json"), "<html>").unwrap();
    finds("is not metadata");
    fs::remove_file(old.join("metadata/timestamp.json")).unwrap();
    finds("there is nothing at");
    at("http://127.0.0.1:9");
    finds("cannot reach");
    at("not a url");
    let found = examine();
    assert_eq!(found.len(), 1, "it is told once: {found:?}");
    assert!(found[0].contains("not a url"), "{found:?}");
    at(&sandbox.url());
    let key = sandbox.path("project/keystore/timestamp.pem");
    fs::rename(&key, sandbox.path("elsewhere.pem")).unwrap();
    finds("0 of the 1 keys");
    fs::rename(sandbox.path("elsewhere.pem"), &key).unwrap();
    let mut command = Command::new("faketime");
    command.args(["-f", "+20d"]).arg(program("notsotuf"));
    command.arg("-C").arg(sandbox.path("project")).arg("doctor");
    let output = run(&mut command);
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(said.contains("timestamp: EXPIRED"), "{said}");
    assert!(said.contains("clock differs"), "{said}");
    for entry in fs::read_dir(sandbox.repository().join("targets")).unwrap() {
        fs::write(entry.unwrap().path(), "damaged").unwrap();
    }
    finds("is missing or damaged");
}

/// The bucket is private, and nobody says so.
/// <https://github.com/electron-userland/electron-builder/issues/1618>
#[test]
fn a_private_bucket_is_not_an_empty_one() {
    let sandbox = Sandbox::new();
    sandbox.release("1.0", &[]);
    sandbox.ship("1.0");
    let private = FaultyServer::start(&sandbox.repository(), "", Fault::Status(403));
    let settings = sandbox.path("project/notsotuf-project.toml");
    let text = fs::read_to_string(&settings).unwrap();
    fs::write(&settings, text.replace(&sandbox.url(), &private.url)).unwrap();
    let output = run(&mut sandbox.command(&["verify", "--url", &private.url]));
    assert!(!output.status.success());
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("403"), "{said}");
    let output = run(&mut sandbox.command(&["doctor"]));
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(said.contains("403") && said.contains("readable"), "{said}");
    sandbox.point_to(&private.url);
    assert_eq!(sandbox.start_version(), "1.0");
    assert!(sandbox.log().contains("answers 403"), "{}", sandbox.log());
}

/// Several at once.
/// <https://github.com/sktelecom/onot/issues/84>,
/// <https://github.com/NativePHP/electron/issues/145>
#[test]
fn what_is_added_at_once_is_all_published() {
    let apps = ["a", "b", "c", "d"];
    let more: Vec<&str> = apps.iter().flat_map(|app| ["--app", app]).collect();
    let sandbox = Sandbox::with(&more);
    let bundle = bundle("1.0");
    let adds: Vec<_> = apps
        .iter()
        .map(|app| {
            let mut command =
                sandbox.command(&["add", "1.0", bundle.to_str().unwrap(), "--app", app]);
            command
                .stdout(std::process::Stdio::piped())
                .spawn()
                .unwrap()
        })
        .collect();
    for add in adds {
        let output = add.wait_with_output().unwrap();
        assert!(output.status.success(), "{output:?}");
    }
    let published = sandbox.bundler(&["publish"]);
    let expected: Vec<String> = apps.iter().map(|app| format!("{app}-1.0.tar.gz")).collect();
    assert_eq!(published["added"], json!(expected));
}

#[cfg(unix)]
#[test]
fn who_waits_is_told_for_whom() {
    let sandbox = Sandbox::new();
    sandbox.release("1.0", &[]);
    let lock = sandbox.path("project/.notsotuf-lock");
    let file = fs::File::options().write(true).open(&lock).unwrap();
    file.lock().unwrap();
    fs::write(&lock, "`notsotuf add` (process 1)\n").unwrap();
    let refused = run(&mut sandbox.command(&["renew", "--no-wait"]));
    assert_eq!(refused.status.code(), Some(1));
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(
        said.contains("`notsotuf add` (process 1) is changing"),
        "{said}"
    );
    // Looking needs no lock.
    sandbox.bundler(&["status"]);
    let mut renew = sandbox.command(&["renew"]);
    let renew = renew.stdout(std::process::Stdio::piped()).spawn().unwrap();
    drop(file);
    let output = renew.wait_with_output().unwrap();
    assert!(output.status.success(), "{output:?}");
}

/// A volume, another disk. <https://github.com/moby/moby/issues/19309>
#[cfg(target_os = "linux")]
#[test]
fn the_repository_may_be_on_another_disk() {
    use std::os::unix::fs::MetadataExt;
    let here = tempfile::tempdir().unwrap();
    let other = tempfile::tempdir_in("/dev/shm").unwrap();
    let device = |path: &std::path::Path| fs::metadata(path).unwrap().dev();
    assert_ne!(device(here.path()), device(other.path()));
    let (project, repository) = (here.path().join("project"), other.path().join("repository"));
    let call = |args: &[&str]| json(&mut notsotuf_tests::bundler_in(&project, args));
    let repository_text = repository.to_str().unwrap();
    call(&[
        "init",
        "--app",
        "app",
        "--plain",
        "--repository",
        repository_text,
    ]);
    for version in ["1.0", "1.1"] {
        call(&["add", version, bundle(version).to_str().unwrap()]);
        call(&["publish"]);
    }
    assert_eq!(call(&["verify"])["problems"], json!([]));
    let left: Vec<_> = fs::read_dir(repository.join("targets")).unwrap().collect();
    assert_eq!(left.len(), 3, "{left:?}");
}
