//! Keys as people keep them: halves on different media, in hardware, with
//! passphrases, and closed to others; and `init`, which makes the first ones.

use notsotuf_tests::release::{Desk, hello, named_commands};
use notsotuf_tests::{python, run, set_mode};
use serde_json::{Value, json};
use std::fs;
use std::path::Path;
use std::process::Command;

fn rename(from: &Path, to: &Path) {
    fs::create_dir_all(to.parent().unwrap()).unwrap();
    fs::rename(from, to).unwrap();
}

/// Published as version 2 of the root, which clients of before accept.
fn has_second_root(desk: &Desk) -> bool {
    desk.path("p/repository/metadata/2.root.json").exists()
}

/// "Keep the root key offline": the private file goes to a stick, alone, as
/// tufup's own example of a workflow has it.
#[test]
fn a_private_key_alone_on_another_medium_is_found() {
    for name in ["root.pem", "my old key.pem", "root-backup"] {
        let desk = Desk::with_project();
        rename(
            &desk.path("p/keystore/root.pem"),
            &desk.path("usb/x").with_file_name(name),
        );
        // Other things on the stick are left alone.
        fs::write(desk.path("usb/photo.jpg"), [0xff; 100]).unwrap();
        fs::write(desk.path("usb/README"), "-----BEGIN nothing").unwrap();
        desk.must(&["-C", "p", "renew", "--root", "--key-dir", "usb"]);
        assert!(has_second_root(&desk), "{name}");
        desk.must(&["-C", "p", "verify"]);
        let keys = desk.json(&["-C", "p", "keys", "list", "--key-dir", "usb"]);
        let root = &keys["keys"][0];
        assert_eq!(
            (&root["name"], &root["private"]),
            (&json!("root"), &json!("plain"))
        );
    }
}

#[test]
fn an_encrypted_private_key_is_tried_for_the_public_keys_there_are() {
    let desk = Desk::new();
    let passphrase = desk.path("passphrase");
    secret(&passphrase, "swordfish\n");
    let file = ["--passphrase-file", passphrase.to_str().unwrap()];
    desk.must(&[&["-C", "p", "init", "--app", "hello"][..], &file].concat());
    desk.must(&[&["-C", "p", "publish"][..], &file].concat());
    // Neither its name nor a public half says what it is of.
    rename(&desk.path("p/keystore/root.pem"), &desk.path("usb/offline"));
    fs::remove_file(desk.path("p/keystore/root.pub")).unwrap();
    let keys = desk.json(&["-C", "p", "keys", "list", "--key-dir", "usb"]);
    assert_eq!(keys["unpaired"], json!(["usb/offline"]));
    let renew = ["-C", "p", "renew", "--root", "--key-dir", "usb"];
    desk.must(&[&renew[..], &file].concat());
    assert!(has_second_root(&desk));
    desk.must(&["-C", "p", "verify"]);
}

/// tufup has keys of securesystemslib, in folders of their own if one likes.
#[test]
fn private_keys_of_tufup_may_be_apart() {
    let desk = Desk::new();
    fs::create_dir_all(desk.path("p/keystore")).unwrap();
    let key = desk.path("p/keystore/old");
    python(&["legacy-key", key.to_str().unwrap(), "secret"]);
    close(&key);
    rename(&key, &desk.path("offline/old"));
    let usual = [
        "-C",
        "p",
        "init",
        "--app",
        "hello",
        "--plain",
        "--root-keys",
        "old",
    ];
    let refused = desk.fails(1, &usual);
    assert!(refused.contains("--key-dir"), "{refused}");
    assert!(!desk.path("p/notsotuf-project.toml").exists());
    let mut init = desk.command(&[&usual[..], &["--key-dir", "offline"]].concat());
    let done = run(init.env("NOTSOTUF_PASSPHRASE_OLD", "secret"));
    assert!(done.status.success(), "{done:?}");
    desk.must(&["-C", "p", "publish"]);
    desk.must(&["-C", "p", "verify"]);
}

#[test]
fn a_private_key_that_is_of_another_public_key_signs_nothing() {
    let desk = Desk::with_project();
    desk.must(&["-C", "p", "keys", "create", "stranger", "--plain"]);
    fs::remove_file(desk.path("p/keystore/root.pem")).unwrap();
    rename(
        &desk.path("p/keystore/stranger.pem"),
        &desk.path("usb/root.pem"),
    );
    fs::remove_file(desk.path("p/keystore/stranger.pub")).unwrap();
    let said = desk.fails(1, &["-C", "p", "renew", "--root", "--key-dir", "usb"]);
    assert!(said.contains("is not the private key of root"), "{said}");
    assert!(!has_second_root(&desk));
}

/// An ECDSA key that only openssl uses, and the command that signs with it.
fn hardware(desk: &Desk, public: &Path) -> String {
    let private = desk.path("hsm.key");
    let openssl = |args: &[&str]| {
        let done = run(Command::new("openssl").args(args));
        assert!(done.status.success(), "{done:?}");
    };
    let private = private.to_str().unwrap();
    let curve = "ec_paramgen_curve:P-256";
    openssl(&[
        "genpkey",
        "-algorithm",
        "EC",
        "-pkeyopt",
        curve,
        "-out",
        private,
    ]);
    fs::create_dir_all(public.parent().unwrap()).unwrap();
    openssl(&[
        "pkey",
        "-in",
        private,
        "-pubout",
        "-out",
        public.to_str().unwrap(),
    ]);
    let script = desk.path("sign");
    let env = desk.path("seen");
    let text = format!(
        "#!/bin/sh\nenv > '{}'\nexec openssl dgst -sha256 -sign '{private}'\n",
        env.display()
    );
    fs::write(&script, text).unwrap();
    run(Command::new("chmod").arg("755").arg(&script));
    script.to_str().unwrap().to_owned()
}

/// sigstore/root-signing begins with hardware keys.
#[test]
fn the_first_root_can_be_signed_by_hardware_alone() {
    for (key, public) in [
        ("hsm", "p/keystore/hsm.pub"),
        ("media/hsm.pub", "p/media/hsm.pub"),
    ] {
        let desk = Desk::new();
        let sign = hardware(&desk, &desk.path(public));
        let signer = format!("{key}={sign}");
        let init = [
            "-C",
            "p",
            "init",
            "--app",
            "hello",
            "--plain",
            "--root-keys",
            "hsm",
        ];
        if key == "hsm" {
            let refused = desk.fails(1, &init);
            assert!(refused.contains("--signer"), "{refused}");
        }
        desk.must(&[&init[..], &["--signer", &signer]].concat());
        let root = fs::read(desk.path("p/repository/metadata/1.root.json")).unwrap();
        let root: Value = serde_json::from_slice(&root).unwrap();
        assert_eq!(
            root["signed"]["roles"]["root"]["keyids"]
                .as_array()
                .unwrap()
                .len(),
            1
        );
        assert_eq!(root["signatures"].as_array().unwrap().len(), 1);
        assert!(!desk.path("p/keystore/root.pem").exists());
        desk.must(&["-C", "p", "publish"]);
        desk.must(&["-C", "p", "renew", "--root"]);
        desk.must(&["-C", "p", "verify"]);
        assert!(has_second_root(&desk));
    }
    let desk = Desk::new();
    let init = ["-C", "p", "init", "--app", "hello", "--plain"];
    let said = desk.fails(1, &[&init[..], &["--signer", "hsm=./sign"]].concat());
    assert!(
        said.contains("hsm.pub") && said.contains("put it there"),
        "{said}"
    );
    assert!(!desk.path("p").exists(), "nothing is left");
    let said = desk.fails(2, &[&init[..], &["--signer", "hsm"]].concat());
    assert!(said.contains("KEY=COMMAND"), "{said}");
}

#[test]
fn what_is_started_gets_no_passphrases() {
    let desk = Desk::new();
    let sign = hardware(&desk, &desk.path("p/keystore/hsm.pub"));
    let signer = format!("hsm={sign}");
    let keys = ["--root-keys", "hsm", "--targets-keys", "hsm"];
    let more = [
        "--snapshot-keys",
        "hsm",
        "--timestamp-keys",
        "hsm",
        "--signer",
        &signer,
    ];
    let init = [&["-C", "p", "init", "--app", "hello"][..], &keys, &more].concat();
    let mut command = desk.command(&init);
    command
        .env("NOTSOTUF_PASSPHRASE", "swordfish-1")
        .env("NOTSOTUF_PASSPHRASE_ROOT", "swordfish-2")
        .env("AWS_PROFILE", "signing");
    let done = run(&mut command);
    assert!(done.status.success(), "{done:?}");
    let seen = fs::read_to_string(desk.path("seen")).unwrap();
    assert!(!seen.contains("swordfish"), "{seen}");
    for kept in [
        "NOTSOTUF_KEY_NAME=hsm",
        "NOTSOTUF_SCHEME=ecdsa",
        "AWS_PROFILE=signing",
        "PATH=",
    ] {
        assert!(
            seen.lines().any(|line| line.starts_with(kept)),
            "{kept}: {seen}"
        );
    }
    // Every program is started by one function, which does that.
    let sources = notsotuf_tests::root().join("bundler/src");
    let mut folders = vec![sources];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|ending| ending == "rs")
                && !path.ends_with("src/child.rs")
                && !path.components().any(|part| part.as_os_str() == "tests")
            {
                let text = fs::read_to_string(&path).unwrap();
                let starts = text.contains("process::Command") || text.contains(" Command::new(");
                assert!(!starts, "{path:?} starts programs by itself");
            }
        }
    }
}

fn secret(path: &Path, text: &str) {
    fs::write(path, text).unwrap();
    close(path);
}

fn close(path: &Path) {
    set_mode(path, 0o600);
}

#[cfg(unix)]
#[test]
fn keys_that_others_can_read_are_not_used() {
    let desk = Desk::with_project();
    let key = desk.path("p/keystore/timestamp.pem");
    let publish = ["-C", "p", "publish"];
    for mode in [0o644, 0o640, 0o604] {
        set_mode(&key, mode);
        let said = desk.fails(1, &publish);
        assert!(said.contains(&format!("Permissions {mode:04o}")), "{said}");
        assert!(
            said.contains("too open") && said.contains("`chmod 600 "),
            "{said}"
        );
        let found = desk.run(&["-C", "p", "--json", "doctor"]);
        let found: Value = serde_json::from_slice(&found.stdout).unwrap();
        let problems = found["problems"].as_array().unwrap();
        let told = problems.iter().any(|problem| {
            problem["problem"]
                .as_str()
                .unwrap()
                .contains("timestamp.pem")
                && problem["mend"].as_str().unwrap().contains("chmod 600")
        });
        assert!(told, "{found}");
    }
    // What it names mends it.
    let said = desk.fails(1, &publish);
    let chmod = said.split('`').nth(1).unwrap();
    let done = run(Command::new("sh")
        .args(["-c", chmod])
        .current_dir(desk.path("")));
    assert!(done.status.success(), "{done:?}");
    desk.must(&publish);
    set_mode(&key, 0o400);
    desk.must(&publish);
    // Public halves are for all, and keys that do not sign now do not matter.
    set_mode(&desk.path("p/keystore/timestamp.pub"), 0o644);
    set_mode(&desk.path("p/keystore/root.pem"), 0o644);
    desk.must(&publish);
    // New keys are closed, whatever the mask.
    let mut create = Command::new("sh");
    create.args(["-c", "umask 0; exec \"$0\" \"$@\""]);
    create.arg(notsotuf_tests::program("notsotuf"));
    create.args(["-C", "p", "keys", "create", "new", "--plain"]);
    assert!(run(create.current_dir(desk.path(""))).status.success());
    let mode = fs::metadata(desk.path("p/keystore/new.pem")).unwrap();
    assert!(notsotuf_stub::fs::has_permissions(&mode, 0o600));
}

#[cfg(unix)]
#[test]
fn encrypted_keys_and_passphrase_files_are_to_be_closed_too() {
    let desk = Desk::new();
    let file = desk.path("passphrase");
    secret(&file, "swordfish\n");
    let by_file = ["--passphrase-file", file.to_str().unwrap()];
    desk.must(&[&["-C", "p", "init", "--app", "hello"][..], &by_file].concat());
    let publish = [&["-C", "p", "publish"][..], &by_file].concat();
    desk.must(&publish);
    set_mode(&file, 0o644);
    let said = desk.fails(1, &publish);
    assert!(said.contains("passphrase\" are too open"), "{said}");
    let doctor = [&["-C", "p", "doctor"][..], &by_file].concat();
    let found = desk.run(&doctor);
    let found = String::from_utf8_lossy(&found.stdout).into_owned();
    assert!(found.contains("passphrase\" are too open"), "{found}");
    close(&file);
    set_mode(&desk.path("p/keystore/snapshot.pem"), 0o644);
    let said = desk.fails(1, &publish);
    assert!(said.contains("snapshot.pem\" are too open"), "{said}");
    close(&desk.path("p/keystore/snapshot.pem"));
    // A pipe is nobody else's.
    let shell = format!(
        "'{}' -C p publish --passphrase-file <(echo swordfish)",
        notsotuf_tests::program("notsotuf").display()
    );
    let mut bash = Command::new("bash");
    let done = run(bash.args(["-c", &shell]).current_dir(desk.path("")));
    assert!(done.status.success(), "{done:?}");
    fs::write(&file, "\nswordfish\n").unwrap();
    let said = desk.fails(1, &publish);
    assert!(said.contains("empty first line"), "{said}");
    fs::remove_file(&file).unwrap();
    let said = desk.fails(1, &publish);
    assert!(said.contains("is not there"), "{said}");
}

/// At a terminal: a slip is not the end, and one passphrase for all keys is
/// typed once.
#[test]
fn a_passphrase_is_typed_again_or_only_once() {
    let desk = Desk::new();
    let mut init = desk.command(&["-C", "p", "init", "--app", "hello"]);
    let done = run(init.env("NOTSOTUF_PASSPHRASE", "swordfish"));
    assert!(done.status.success(), "{done:?}");
    let (shown, code) = desk.type_at(&["-C", "p", "publish"], &["slip", "swordfish"]);
    assert_eq!(code, 0, "{shown}");
    assert_eq!(shown.matches("Passphrase of the key").count(), 2, "{shown}");
    assert_eq!(shown.matches("try again").count(), 1, "{shown}");
    assert!(!shown.contains("swordfish"), "{shown}");
    let (shown, code) = desk.type_at(&["-C", "p", "publish"], &["a", "b", "c", "swordfish"]);
    assert_eq!(code, 1, "{shown}");
    assert!(shown.contains("the passphrase is wrong"), "{shown}");
}

/// What errors name works, with the key at hand that was missing.
#[test]
fn the_commands_that_errors_name_work() {
    for role in ["root", "targets", "snapshot", "timestamp"] {
        let desk = Desk::with_project();
        desk.must(&["-C", "p", "add", "1.1", "b"]);
        let moved = |from: &str, to: &str| {
            for kind in ["pem", "pub"] {
                let file = format!("{role}.{kind}");
                rename(&desk.path(from).join(&file), &desk.path(to).join(&file));
            }
        };
        moved("p/keystore", "away");
        let args: &[&str] = match role {
            "root" => &["-C", "p", "renew", "--root"],
            _ => &["-C", "p", "publish"],
        };
        let said = desk.fails(1, args);
        assert!(said.contains(role), "{said}");
        assert!(!said.contains("\"\""), "{said}");
        for command in named_commands(&said) {
            let mut command: Vec<&str> = command.iter().map(String::as_str).collect();
            // Nobody is there to be asked.
            if command[0] == "sign" {
                command.push("--yes");
            }
            desk.must(&[&["-C", "p", "--key-dir", "away"], &command[..]].concat());
        }
        if named_commands(&said).is_empty() {
            // It says to run the same again.
            assert!(said.contains("--key-dir"), "{said}");
            desk.must(&[args, &["--key-dir", "away"]].concat());
        }
        desk.must(&["-C", "p", "verify"]);
    }
}

/// The root has expired, and the command that is named must renew it.
/// <https://github.com/fleetdm/fleet/issues/13314>,
/// <https://github.com/notaryproject/notary/issues/1648>
#[test]
fn an_expired_root_is_renewed_by_what_is_named() {
    let later = |desk: &Desk, args: &[&str]| {
        let mut command = Command::new("faketime");
        command
            .args(["-f", "+400d"])
            .arg(notsotuf_tests::program("notsotuf"));
        run(command.args(args).current_dir(desk.path("")))
    };
    let desk = Desk::with_project();
    let failed = later(&desk, &["-C", "p", "publish"]);
    assert!(!failed.status.success());
    let said = String::from_utf8_lossy(&failed.stderr).into_owned();
    assert_eq!(named_commands(&said), [["renew", "--root"]], "{said}");
    let found = later(&desk, &["-C", "p", "--json", "doctor"]);
    let found: Value = serde_json::from_slice(&found.stdout).unwrap();
    let problems = found["problems"].as_array().unwrap().iter();
    let expired: Vec<&Value> = problems
        .filter(|problem| problem["problem"].as_str().unwrap().contains("EXPIRED"))
        .collect();
    assert_eq!(expired.len(), 4, "{found}");
    for problem in expired {
        let named = named_commands(problem["mend"].as_str().unwrap());
        assert_eq!(named, [["renew", "--root"]], "{problem}");
    }
    let soon = later(&desk, &["-C", "p", "status", "--fail-within", "1d"]);
    let said = String::from_utf8_lossy(&soon.stderr).into_owned();
    assert_eq!(named_commands(&said), [["renew", "--root"]], "{said}");
    for args in [
        &["-C", "p", "renew", "--root"][..],
        &["-C", "p", "publish"],
        &["-C", "p", "verify"],
    ] {
        let done = later(&desk, args);
        assert!(done.status.success(), "{args:?}: {done:?}");
    }
}

/// Ctrl-C at any of the prompts of `init`: nothing is there, the terminal has
/// its echo again, and `init` can be called again.
#[cfg(unix)]
#[test]
fn init_is_interrupted_at_a_prompt() {
    // The title, then each passphrase twice.
    for at in [0, 1, 2, 7] {
        let desk = Desk::new();
        let mut typed = vec!["Hello Sandbox"];
        typed.resize(at.max(1), "swordfish");
        typed.truncate(at);
        typed.push("^C");
        let init = ["-C", "p", "init", "--app", "hello"];
        let (shown, code) = desk.type_at(&init, &typed);
        assert_eq!(code, 130, "{shown}");
        assert!(!desk.path("p").exists(), "{at}: {shown}");
        assert!(!shown.contains("swordfish"), "{shown}");
    }
    let desk = Desk::new();
    let typed = [&["Hello Sandbox"][..], &["swordfish"; 8]].concat();
    let (shown, code) = desk.type_at(&["-C", "p", "init", "--app", "hello"], &typed);
    assert_eq!(code, 0, "{shown}");
    let settings = fs::read_to_string(desk.path("p/notsotuf-project.toml")).unwrap();
    assert!(
        settings.contains("\ntitle = \"Hello Sandbox\"\n"),
        "{settings}"
    );
    let said = desk.fails(1, &["-C", "p", "init", "--app", "other", "--plain"]);
    assert!(said.contains("is a project"), "{said}");
}

/// Killed at every call by which it changes files, `init` is called again,
/// with other keys.
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
#[test]
fn init_is_killed_and_called_again() {
    use notsotuf_tests::syscall_trace::{self, Act, Plan};
    let mut points = 0;
    for at in 0.. {
        let desk = Desk::new();
        fs::create_dir(desk.path("p")).unwrap();
        hello(&desk.path("b"), "1.0");
        let init = ["-C", "p", "init", "--app", "hello", "--plain"];
        let plan = Plan {
            act: Act::Kill,
            at,
            exchange: true,
        };
        let done = syscall_trace::run(desk.command(&init), &desk.path("p"), plan);
        let Some(call) = &done.at else { break };
        let what = format!("init killed at call {at}, {call}");
        let others = ["--root-keys", "alice"];
        let again = desk.run(&[&init[..], &others].concat());
        let complete = String::from_utf8_lossy(&again.stderr).contains("is a project");
        assert!(again.status.success() || complete, "{what}: {again:?}");
        desk.must(&["-C", "p", "add", "1.0", "b"]);
        desk.must(&["-C", "p", "publish"]);
        let names = |folder: &str| {
            let list = fs::read_dir(desk.path(folder)).unwrap();
            let names = list.map(|entry| entry.unwrap().file_name().into_string().unwrap());
            let mut names: Vec<String> = names.collect();
            names.sort();
            names
        };
        assert_eq!(names("p/keystore").len(), 8, "{what}");
        let left = names("p");
        let wanted = [
            ".gitignore",
            ".notsotuf-lock",
            "keystore",
            "notsotuf-project.toml",
            "notsotuf-published.json",
            "notsotuf-root.json",
            "repository",
        ];
        assert_eq!(left, wanted, "{what}");
        points += 1;
    }
    assert!(points > 20, "only {points} points");
}

#[test]
fn git_sees_no_private_keys() {
    let desk = Desk::new();
    fs::create_dir(desk.path("p")).unwrap();
    fs::write(desk.path("p/.gitignore"), "dist/").unwrap();
    desk.must(&["-C", "p", "init", "--app", "hello", "--plain"]);
    hello(&desk.path("b"), "1.0");
    desk.must(&["-C", "p", "add", "1.0", "b"]);
    let git = |args: &[&str]| {
        let done = run(Command::new("git").args(args).current_dir(desk.path("p")));
        assert!(done.status.success(), "{done:?}");
        String::from_utf8(done.stdout).unwrap()
    };
    git(&["init", "-q"]);
    desk.must(&["-C", "p", "publish"]);
    desk.must(&["-C", "p", "add", "1.1", "b"]);
    fs::create_dir(desk.path("p/dist")).unwrap();
    fs::write(desk.path("p/dist/x"), "").unwrap();
    let list = git(&["ls-files", "--others", "--exclude-standard"]);
    let seen: Vec<&str> = list.lines().collect();
    for wanted in ["notsotuf-project.toml", "keystore/root.pub", ".gitignore"] {
        assert!(seen.contains(&wanted), "{wanted}: {list}");
    }
    for path in &seen {
        let large = path.starts_with("repository/targets/") || path.starts_with("dist/");
        let pending = path.starts_with(".notsotuf-pending/");
        assert!(!path.ends_with(".pem") && !large && !pending, "{path}");
    }
}

/// What git would take, of a repository with the project `p` in it.
fn seen_by_git(desk: &Desk, folder: &str) -> Vec<String> {
    let git = |args: &[&str]| {
        let done = run(Command::new("git")
            .args(args)
            .current_dir(desk.path(folder)));
        assert!(done.status.success(), "{done:?}");
        String::from_utf8(done.stdout).unwrap()
    };
    git(&["init", "-q"]);
    let list = git(&["ls-files", "-z", "--others", "--exclude-standard"]);
    list.split('\0').map(str::to_owned).collect()
}

#[test]
fn git_sees_no_private_keys_however_their_folder_is_written() {
    for keystore in [
        ".",
        "./",
        "./keys",
        "a/../keys",
        "../keys",
        "ABSOLUTE",
        "a[b] c",
        "#keys",
        "!keys",
    ] {
        let desk = Desk::new();
        fs::create_dir(desk.path("repo")).unwrap();
        seen_by_git(&desk, "repo");
        let absolute = desk.path("repo/p/keys");
        let keystore = match keystore {
            "ABSOLUTE" => absolute.to_str().unwrap(),
            written => written,
        };
        let init = ["-C", "repo/p", "init", "--app", "hello", "--plain"];
        let said = desk.must(&[&init[..], &["--keystore", keystore]].concat());
        assert!(said.contains("sees to that"), "{keystore}: {said}");
        desk.must(&["-C", "repo/p", "keys", "create", "more", "--plain"]);
        let seen = seen_by_git(&desk, "repo");
        let private: Vec<_> = seen.iter().filter(|path| path.ends_with(".pem")).collect();
        assert_eq!(private, [""; 0], "{keystore}: {seen:?}");
        let public = seen.iter().filter(|path| path.ends_with(".pub")).count();
        assert_eq!(public, 5, "{keystore}: {seen:?}");
    }
    // Where nothing sees to it, that is said, and nothing is written.
    let desk = Desk::new();
    let init = ["-C", "p", "init", "--app", "hello", "--plain"];
    let said = desk.must(&[&init[..], &["--keystore", "../keys"]].concat());
    assert!(said.contains("no .gitignore sees to that"), "{said}");
    assert!(!desk.path("keys/.gitignore").exists());
}

#[test]
fn git_sees_no_key_that_is_made_elsewhere_in_the_project() {
    let desk = Desk::with_project();
    fs::create_dir(desk.path("p/stick")).unwrap();
    let create = ["-C", "p", "keys", "create", "more", "--plain"];
    desk.must(&[&create[..], &["--key-dir", "p/stick"]].concat());
    let seen = seen_by_git(&desk, "p");
    assert!(seen.contains(&"stick/more.pub".to_owned()), "{seen:?}");
    assert!(!seen.iter().any(|path| path.ends_with(".pem")), "{seen:?}");
}

#[test]
fn no_private_key_is_where_it_would_be_published() {
    let desk = Desk::new();
    let init = ["-C", "p", "init", "--app", "hello", "--plain"];
    for (args, told) in [
        (["--keystore", "repository"], "keystore"),
        (["--keystore", "x/../repository/metadata"], "keystore"),
        (["--repository", "."], "repository"),
        (["--repository", ".."], "repository"),
    ] {
        let said = desk.fails(1, &[&init[..], &args].concat());
        assert!(said.contains(told) && said.contains("published"), "{said}");
        assert!(!desk.path("p").exists(), "{args:?}");
    }
    // Nor where the settings are changed to that, which they say how to mend.
    let desk = Desk::with_project();
    let settings = desk.path("p/notsotuf-project.toml");
    let before = fs::read_to_string(&settings).unwrap();
    for wrong in ["./repository", "repository/targets/keys"] {
        let text = before.replace("keystore = \"keystore\"", &format!("keystore = {wrong:?}"));
        fs::write(&settings, text).unwrap();
        for command in ["status", "publish", "upload", "doctor", "serve"] {
            let said = desk.fails(1, &["-C", "p", command]);
            assert!(said.contains("name another folder"), "{command}: {said}");
        }
    }
    fs::write(&settings, before).unwrap();
    let create = ["-C", "p", "keys", "create", "more", "--plain"];
    for folder in ["p/repository", "p/repository/keys"] {
        let said = desk.fails(1, &[&create[..], &["--key-dir", folder]].concat());
        assert!(said.contains("name another folder"), "{said}");
    }
    assert!(!desk.path("p/repository/keys").exists());
}
