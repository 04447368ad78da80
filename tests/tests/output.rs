//! What the bundler says: one JSON object to programs, whatever happens; to
//! people, in colours where a terminal is; and what it leaves when it is
//! ended.

use notsotuf_tests::release::{Desk, hello};
use notsotuf_tests::{Server, copy_tree, program, run};
use serde_json::{Value, json};
use std::fs;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// The one object on standard output, and the exit code.
fn object(desk: &Desk, args: &[&str]) -> (Value, i32) {
    let output = desk.run(args);
    let code = output.status.code().unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    let value: Value =
        serde_json::from_str(&said).unwrap_or_else(|e| panic!("{args:?}: {e}: {said:?}"));
    assert!(value.is_object(), "{args:?}: {said}");
    assert_eq!(code == 0, value.get("error").is_none(), "{args:?}: {said}");
    (value, code)
}

#[test]
fn json_is_one_object_whatever_happens() {
    let desk = Desk::with_project();
    let project = |args: &[&str]| object(&desk, &[&["-C", "p", "--json"], args].concat());
    for args in [
        &["status"][..],
        &["verify"],
        &["keys", "list"],
        &["list"],
        &["list", "--offline"],
        &["renew"],
        &["completions", "bash"],
        &["--help"],
        &["add", "--help"],
        &["--version"],
    ] {
        assert_eq!(project(args).1, 0, "{args:?}");
    }
    let web = desk.path("web");
    let upload = ["upload", web.to_str().unwrap(), "--dry-run"];
    assert_eq!(project(&upload).1, 0);
    // Wrong use, wherever the option stands.
    for args in [
        &["bogus", "--json"][..],
        &["--json"],
        &["--json", "add"],
        &["add", "x", "y", "--json"],
        &["--json", "rollout", "1.0", "200%"],
        &["init", "--app", "x", "--url", "ftp://x", "--json"],
    ] {
        assert_eq!(object(&desk, args).1, 2, "{args:?}");
    }
    // What fails, and what finds something.
    assert_eq!(project(&["remove-latest", "--app", "x"]).1, 1);
    let (status, code) = project(&["status", "--fail-within", "20d"]);
    assert_eq!((code, &status["expiring"]), (1, &json!(["timestamp"])));
    for target in fs::read_dir(desk.path("p/repository/targets")).unwrap() {
        fs::write(target.unwrap().path(), "damaged").unwrap();
    }
    let (verified, code) = project(&["verify"]);
    assert_eq!(code, 3);
    assert!(
        verified["problems"][0]
            .as_str()
            .unwrap()
            .contains("hello-1.0")
    );
    let (found, code) = project(&["doctor"]);
    assert_eq!(code, 3);
    assert!(found["problems"].as_array().unwrap().len() > 1, "{found}");
    let server = Server::start(&desk.path("p/repository"));
    assert_eq!(project(&["verify", "--url", &server.url]).1, 3);
}

/// `| head -1`: whoever listens goes, and the command has done its work.
#[cfg(unix)]
#[test]
fn nobody_listens_any_more() {
    let desk = Desk::with_project();
    desk.must(&["-C", "p", "add", "1.1", "b"]);
    for args in [
        "keys list",
        "publish",
        "--help",
        "completions bash",
        "--json status",
        "nonsense",
    ] {
        let shell = format!(
            "{{ '{}' -C p {args} 2>&1; echo $? > code; }} | true",
            program("notsotuf").display()
        );
        let output = run(Command::new("sh")
            .args(["-c", &shell])
            .current_dir(desk.path("")));
        assert_eq!(String::from_utf8_lossy(&output.stderr), "", "{args}");
        let code = fs::read_to_string(desk.path("code")).unwrap();
        let wanted = if args == "nonsense" { "2" } else { "0" };
        assert_eq!(code.trim(), wanted, "{args}");
    }
    assert_eq!(
        desk.json(&["-C", "p", "list", "--offline"])["releases"][0]["pending"],
        json!(null)
    );
    // The same as with somebody who listens, and with nothing said of it.
    let with = |stdout: Stdio, args: &[&str]| {
        let mut command = desk.command(&[&["-C", "p"], args].concat());
        command.stdout(stdout).output().unwrap()
    };
    for args in [
        &["status"][..],
        &["keys", "list"],
        &["--json", "status"],
        &["completions", "bash"],
        &["help", "add"],
        &["--json", "explain", "9.9"],
    ] {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let gone = with(writer.into(), args);
        let there = with(Stdio::null(), args);
        assert_eq!(gone.status.code(), there.status.code(), "{args:?}");
        assert_eq!(gone.stderr, there.stderr, "{args:?}");
    }
    // A disk that is full is something else.
    if fs::exists("/dev/full").unwrap() {
        let full = fs::OpenOptions::new()
            .write(true)
            .open("/dev/full")
            .unwrap();
        let output = with(full.into(), &["status"]);
        assert_eq!(output.status.code(), Some(1));
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(said.contains("cannot write to standard output"), "{said}");
    }
}

#[cfg(unix)]
#[test]
fn no_control_character_reaches_a_terminal() {
    let desk = Desk::new();
    let folder = "p\u{1b}[2J\u{9b}1A\u{202e}";
    let said = desk.must(&["-C", folder, "init", "--app", "hello", "--plain"]);
    let bad = |c: char| (c.is_control() && c != '\n') || c == '\u{202e}';
    assert!(said.contains("\\u{1b}[2J"), "{said}");
    assert!(!said.contains(bad), "{said:?}");
    let output = desk.run(&["-C", folder, "add", "1.0", "none"]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!said.contains(bad), "{said:?}");
    let output = desk.run(&["-C", folder, "--json", "keys", "create", "x", "--plain"]);
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(!said.contains(bad), "{said:?}");
    let value: Value = serde_json::from_str(&said).unwrap();
    assert_eq!(value["folder"], format!("{folder}/keystore"));
}

#[cfg(unix)]
#[test]
fn colours_are_for_terminals() {
    let desk = Desk::with_project();
    let escape = '\u{1b}';
    let (shown, _) = desk.type_at(&["-C", "p", "doctor"], &[]);
    assert!(shown.contains(escape) && shown.contains("ok "), "{shown}");
    let output = desk.run(&["-C", "p", "doctor"]);
    assert!(!String::from_utf8_lossy(&output.stdout).contains(escape));
    let output = desk.run(&["--help"]);
    assert!(!String::from_utf8_lossy(&output.stdout).contains(escape));
}

#[test]
fn the_project_is_found_from_below() {
    let desk = Desk::with_project();
    let below = desk.path("p/src/deep");
    fs::create_dir_all(&below).unwrap();
    let mut status = desk.command(&["--json", "status"]);
    let done = run(status.current_dir(&below));
    assert!(done.status.success(), "{done:?}");
    // Paths are seen from where one is.
    hello(&below.join("dist"), "1.1");
    let done = run(desk.command(&["add", "1.1", "dist"]).current_dir(&below));
    assert!(done.status.success(), "{done:?}");
    assert!(desk.path("p/.notsotuf-pending").exists() && !below.join(".notsotuf-pending").exists());
    // A folder that is named is that folder.
    let done = run(desk.command(&["-C", ".", "status"]).current_dir(&below));
    assert_eq!(done.status.code(), Some(1), "{done:?}");
    let said = desk.fails(1, &["status"]);
    assert!(
        said.contains("or a folder above it") && said.contains("notsotuf init"),
        "{said}"
    );
    // One of somebody else could name programs to run. (Only root can try.)
    #[cfg(unix)]
    {
        let settings = desk.path("p/notsotuf-project.toml");
        if std::os::unix::fs::chown(&settings, Some(12345), None).is_ok() {
            let done = run(desk.command(&["status"]).current_dir(&below));
            let said = String::from_utf8_lossy(&done.stderr).into_owned();
            assert!(said.contains("belongs to another user"), "{said}");
            desk.must(&["-C", "p", "status"]);
        }
    }
}

/// All folders and files below, but those of the repository.
fn everything(folder: &std::path::Path) -> Vec<String> {
    let done = run(Command::new("find").arg(".").current_dir(folder));
    let list = String::from_utf8(done.stdout).unwrap();
    let mut list: Vec<String> = list.lines().map(str::to_owned).collect();
    list.sort();
    list
}

#[cfg(unix)]
#[test]
fn a_signal_leaves_nothing_behind() {
    let desk = Desk::with_project();
    // Enough to be packing for a while.
    let noise: Vec<u8> = (0..20_000_000u32)
        .map(|n| (n.wrapping_mul(2_654_435_761) >> 13) as u8)
        .collect();
    fs::write(desk.path("b/noise"), noise).unwrap();
    fs::create_dir(desk.path("p/.notsotuf-pending")).unwrap();
    let before = everything(&desk.path("p"));
    for (signal, code) in [("TERM", 143), ("INT", 130)] {
        let mut child = desk
            .command(&["-C", "p", "add", "1.1", "b"])
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        // Until it is in the middle of it.
        let end = Instant::now() + Duration::from_secs(60);
        let is_packing = || {
            let mut folders = fs::read_dir(desk.path("p/.notsotuf-pending")).unwrap();
            folders.any(|folder| folder.unwrap().path().join("archive").exists())
        };
        while !is_packing() {
            assert!(Instant::now() < end, "{signal}: it is not packing");
            std::thread::sleep(Duration::from_millis(2));
        }
        let kill = run(Command::new("kill").args(["-s", signal, &child.id().to_string()]));
        assert!(kill.status.success(), "it was done before: {kill:?}");
        assert_eq!(child.wait().unwrap().code(), Some(code));
        let after: Vec<String> = everything(&desk.path("p"));
        let new: Vec<_> = after.iter().filter(|path| !before.contains(path)).collect();
        assert_eq!(
            new,
            [&String::from("./.notsotuf-pending/files")],
            "{signal}"
        );
    }
    desk.must(&["-C", "p", "add", "1.1", "b", "--skip-patch"]);
}

#[test]
fn a_release_is_one_command_and_goes_on_where_it_stopped() {
    let desk = Desk::with_project();
    let web = desk.path("web");
    fs::create_dir(&web).unwrap();
    let release = ["-C", "p", "release", "1.1", "b"];
    let said = desk.fails(1, &release);
    assert!(said.contains("where should this be uploaded to?"), "{said}");
    assert!(
        !desk.path("p/.notsotuf-pending").exists(),
        "it looks before it begins"
    );
    let to = [&release[..], &["--to", web.to_str().unwrap()]].concat();
    // Without a key, nothing is begun either.
    let key = desk.path("p/keystore/timestamp.pem");
    fs::rename(&key, desk.path("away.pem")).unwrap();
    let said = desk.fails(1, &to);
    assert!(
        said.contains("timestamp") && said.contains("--key-dir"),
        "{said}"
    );
    assert_eq!(
        desk.json(&["-C", "p", "list", "--offline"])["releases"]
            .as_array()
            .unwrap()
            .len(),
        1
    );
    fs::rename(desk.path("away.pem"), &key).unwrap();
    // Nobody serves that yet: all but the last step is done.
    let (value, code) = object(&desk, &[&["--json"], &to[..]].concat());
    assert_eq!(code, 1, "{value}");
    assert_eq!(value["added"]["version"], "1.1");
    assert_eq!(value["published"]["added"][0], "hello-1.1.patch");
    assert!(
        value["error"].as_str().unwrap().contains("cannot reach"),
        "{value}"
    );
    let server = Server::start(&web);
    let settings = desk.path("p/notsotuf-project.toml");
    let text = fs::read_to_string(&settings).unwrap();
    fs::write(&settings, text.replace("http://127.0.0.1:9", &server.url)).unwrap();
    // Called again, it goes on; and once more, there is nothing to do.
    for _ in 0..2 {
        let (value, code) = object(&desk, &[&["--json"], &to[..]].concat());
        assert_eq!(code, 0, "{value}");
        assert!(
            value.get("added").is_none() && value.get("published").is_none(),
            "{value}"
        );
        assert_eq!(value["uploaded"]["problems"], json!([]), "{value}");
    }
    // Other contents under that number are refused, and published as another.
    hello(&desk.path("b"), "1.1, again");
    let said = desk.fails(1, &to);
    assert!(said.contains("a version is used only once"), "{said}");
    let next = [
        "-C",
        "p",
        "release",
        "1.2",
        "b",
        "--required",
        "--to",
        web.to_str().unwrap(),
    ];
    let said = desk.must(&next);
    assert!(
        said.contains("signed; next: ") && said.contains("checked what is published"),
        "{said}"
    );
    let list = desk.json(&["-C", "p", "list"]);
    let states: Vec<_> = list["releases"]
        .as_array()
        .unwrap()
        .iter()
        .map(|r| &r["state"])
        .collect();
    assert_eq!(states, ["published"; 3]);
    assert_eq!(list["releases"][0]["required"], true);
}

#[test]
fn a_release_goes_where_upload_does_and_looks_at_that_first() {
    let desk = Desk::with_project();
    let pending = desk.path("p/.notsotuf-pending");
    let release = ["-C", "p", "release", "1.1", "b"];
    for wrong in ["s3:bucket/x", "ftp://host/x"] {
        let said = desk.fails(1, &[&release[..], &["--to", wrong]].concat());
        assert!(said.contains("is not a destination"), "{said}");
        assert!(!pending.exists(), "{wrong}");
    }
    // A folder in the settings is relative to the settings.
    let settings = desk.path("p/notsotuf-project.toml");
    let text = fs::read_to_string(&settings).unwrap();
    fs::write(&settings, format!("upload = \"web\"\n{text}")).unwrap();
    let said = desk.fails(1, &release);
    assert!(said.contains("cannot reach"), "{said}");
    assert!(desk.path("p/web/metadata/timestamp.json").exists());
    assert!(!desk.path("web").exists());
}

#[test]
fn a_release_that_clients_do_not_see_is_no_success() {
    let desk = Desk::with_project();
    let old = desk.path("old");
    copy_tree(&desk.path("p/repository"), &old);
    let server = Server::start(&old);
    let settings = desk.path("p/notsotuf-project.toml");
    let text = fs::read_to_string(&settings).unwrap();
    let with_url = text.replace("http://127.0.0.1:9", &server.url);
    // Without a URL, nothing is uploaded that could not be checked.
    fs::write(&settings, text.replace("url = \"http://127.0.0.1:9\"", "")).unwrap();
    let upload = ["-C", "p", "upload", "web", "--verify"];
    let said = desk.fails(1, &upload);
    assert!(said.contains("Set `url`"), "{said}");
    assert!(!desk.path("web").exists());
    // What is served there is sound, but of before.
    fs::write(&settings, with_url).unwrap();
    let release = ["-C", "p", "release", "1.1", "b", "--to", "web"];
    for args in [&release[..], &upload] {
        let (value, code) = object(&desk, &[&["--json"], args].concat());
        assert_eq!(code, 3, "{value}");
        assert!(
            value.to_string().contains("older than what is here"),
            "{value}"
        );
    }
}

#[test]
fn a_release_opens_the_keys_that_sign_it() {
    let desk = Desk::with_project();
    let release = ["-C", "p", "release", "1.1", "b", "--to", "web"];
    let key = |name: &str| desk.path(&format!("p/keystore/{name}.pem"));
    // Half of the keys are no reason to begin.
    desk.must(&["-C", "p", "keys", "create", "second", "--plain"]);
    desk.must(&["-C", "p", "keys", "add", "timestamp", "second"]);
    desk.must(&["-C", "p", "keys", "threshold", "timestamp", "2"]);
    desk.must(&["-C", "p", "publish"]);
    fs::rename(key("second"), desk.path("second.pem")).unwrap();
    let said = desk.fails(1, &release);
    assert!(
        said.contains("timestamp has 1 of the 2 signatures"),
        "{said}"
    );
    assert!(!desk.path("p/.notsotuf-pending").exists());
    fs::rename(desk.path("second.pem"), key("second")).unwrap();
    // A key that is lost is replaced by the root that is published with it.
    desk.must(&["-C", "p", "keys", "create", "third", "--plain"]);
    desk.must(&["-C", "p", "keys", "replace", "timestamp", "third"]);
    fs::remove_file(key("timestamp")).unwrap();
    let said = desk.fails(1, &release);
    assert!(said.contains("cannot reach"), "{said}");
    let status = desk.json(&["-C", "p", "status"]);
    assert_eq!(status["roles"]["root"]["version"], 3, "{status}");
}

#[test]
fn a_release_that_was_added_is_not_added_again_unless_it_is_the_same() {
    let desk = Desk::with_project();
    let web = desk.path("web");
    let web = web.to_str().unwrap();
    desk.must(&["-C", "p", "add", "1.1", "b", "--rollout", "10%"]);
    let release = ["-C", "p", "release", "1.1", "b", "--to", web];
    let said = desk.fails(1, &release);
    assert!(
        said.contains("another --rollout") && said.contains("remove-latest"),
        "{said}"
    );
    let alike = [&release[..], &["--rollout", "10%"]].concat();
    hello(&desk.path("b"), "other");
    let said = desk.fails(1, &alike);
    assert!(said.contains("from another bundle"), "{said}");
    hello(&desk.path("b"), "1.1");
    let (value, _) = object(&desk, &[&["--json"], &alike[..]].concat());
    assert!(value.get("added").is_none(), "{value}");
    assert_eq!(value["published"]["added"][0], "hello-1.1.patch");
}

#[test]
fn what_takes_an_added_release_back_is_named_so_that_it_works() {
    let desk = Desk::with_project();
    let web = desk.path("web");
    let release = [
        "-C",
        "p",
        "release",
        "1.1",
        "other",
        "--to",
        web.to_str().unwrap(),
    ];
    hello(&desk.path("other"), "other");
    // Not the last one that was added.
    for version in ["1.1", "1.2"] {
        desk.must(&["-C", "p", "add", version, "b", "--force"]);
    }
    let said = desk.fails(1, &release);
    assert!(!said.contains("remove-latest"), "{said}");
    assert!(said.contains("delete \"p/.notsotuf-pending\""), "{said}");
    fs::remove_dir_all(desk.path("p/.notsotuf-pending")).unwrap();
    desk.must(&["-C", "p", "add", "1.1", "b"]);
    // Of several applications.
    let settings = desk.path("p/notsotuf-project.toml");
    let text = fs::read_to_string(&settings).unwrap();
    let several = text.replace("apps = [\"hello\"]", "apps = [\"hello\", \"world\"]");
    assert_ne!(text, several);
    fs::write(&settings, several).unwrap();
    let release = [&release[..], &["--app", "hello"]].concat();
    let add = ["-C", "p", "add", "1.1", "b", "--app", "hello"];
    for args in [&release[..], &add] {
        let said = desk.fails(1, args);
        assert!(
            said.contains("`notsotuf remove-latest --app hello`"),
            "{said}"
        );
    }
    desk.must(&["-C", "p", "remove-latest", "--app", "hello"]);
    let (value, _) = object(&desk, &[&["--json"], &release[..]].concat());
    assert!(value.get("added").is_some(), "{value}");
}

#[test]
fn a_release_that_is_out_for_others_says_what_changes_that() {
    let desk = Desk::with_project();
    let web = desk.path("web");
    desk.must(&["-C", "p", "upload", web.to_str().unwrap()]);
    let server = Server::start(&web);
    let settings = desk.path("p/notsotuf-project.toml");
    let text = fs::read_to_string(&settings).unwrap();
    fs::write(&settings, text.replace("http://127.0.0.1:9", &server.url)).unwrap();
    let release = [
        "-C",
        "p",
        "release",
        "1.1",
        "b",
        "--to",
        web.to_str().unwrap(),
    ];
    let with = |percent| [&release[..], &["--rollout", percent]].concat();
    desk.must(&with("10%"));
    assert!(!desk.must(&with("10%")).contains("notsotuf rollout"));
    let said = desk.must(&with("50%"));
    let told = "for 10 % of the installs, not 50 %: `notsotuf rollout 1.1 50% --app hello`";
    assert!(said.contains(told), "{said}");
    let value = desk.json(&with("50%"));
    assert!(
        value["warnings"][0].as_str().unwrap().contains(told),
        "{value}"
    );
    desk.must(&["-C", "p", "rollout", "1.1", "50%", "--app", "hello"]);
    desk.must(&["-C", "p", "publish"]);
    assert!(!desk.must(&with("50%")).contains("notsotuf rollout"));
}

#[test]
fn the_list_says_how_far_each_release_is() {
    let desk = Desk::with_project();
    let web = desk.path("web");
    let server = {
        desk.must(&["-C", "p", "upload", web.to_str().unwrap()]);
        Server::start(&web)
    };
    let settings = desk.path("p/notsotuf-project.toml");
    let text = fs::read_to_string(&settings).unwrap();
    fs::write(&settings, text.replace("http://127.0.0.1:9", &server.url)).unwrap();
    desk.must(&[
        "-C",
        "p",
        "add",
        "1.1b1",
        "b",
        "--rollout",
        "5%",
        "--required",
    ]);
    desk.must(&["-C", "p", "publish"]);
    desk.must(&["-C", "p", "add", "1.1", "b"]);
    let states = || {
        let list = desk.json(&["-C", "p", "list"]);
        assert_eq!(list["there_unknown"], json!(null), "{list}");
        let rows = list["releases"].as_array().unwrap().clone();
        let state = |row: &Value| {
            let text = |key: &str| row[key].as_str().unwrap().to_owned();
            (text("version"), text("state"))
        };
        (rows.iter().map(state).collect::<Vec<_>>(), rows)
    };
    let expect = |wanted: &[(&str, &str)]| {
        let (found, rows) = states();
        let found: Vec<_> = found
            .iter()
            .map(|(a, b)| (a.as_str(), b.as_str()))
            .collect();
        assert_eq!(found, wanted);
        rows
    };
    let rows = expect(&[
        ("1.1", "pending: added"),
        ("1.1b1", "only here"),
        ("1.0", "published"),
    ]);
    assert_eq!(rows[1]["channel"], "b");
    assert_eq!(rows[1]["rollout"], 5);
    assert_eq!(rows[1]["required"], true);
    assert!(
        rows[1]["date"].as_str().unwrap().starts_with("20"),
        "{rows:?}"
    );
    assert!(rows[1]["size"].as_u64().unwrap() > 100);
    let text = desk.must(&["-C", "p", "list"]);
    assert!(
        text.contains("1.1b1") && text.contains("only here, required"),
        "{text}"
    );
    assert!(text.contains("next: `notsotuf publish`"), "{text}");
    desk.must(&["-C", "p", "publish"]);
    let text = desk.must(&["-C", "p", "list"]);
    assert!(text.contains("signed; next: `notsotuf upload"), "{text}");
    desk.must(&["-C", "p", "upload", web.to_str().unwrap()]);
    desk.must(&["-C", "p", "yank", "1.1"]);
    expect(&[
        ("1.1", "pending: withdrawn"),
        ("1.1b1", "published"),
        ("1.0", "pending: changed"),
    ]);
    desk.must(&["-C", "p", "publish"]);
    let rows = expect(&[
        ("1.1", "withdrawn"),
        ("1.1b1", "published"),
        ("1.0", "published"),
    ]);
    assert_eq!(
        (&rows[0]["here"], &rows[0]["there"]),
        (&json!(false), &json!(true))
    );
    // Somebody else published what is not here.
    desk.must(&["-C", "p", "upload", web.to_str().unwrap()]);
    let offline = desk.json(&["-C", "p", "list", "--offline"]);
    assert!(
        offline["there_unknown"]
            .as_str()
            .unwrap()
            .contains("--offline")
    );
    assert_eq!(offline["releases"][2]["state"], "signed");
    drop(server);
    let alone = desk.json(&["-C", "p", "list"]);
    assert!(
        alone["there_unknown"]
            .as_str()
            .unwrap()
            .contains("cannot reach"),
        "{alone}"
    );
}
