//! Ordinary mistakes of people who release: each answer says what, why, and
//! what to do.

use notsotuf_tests::release::{Desk, hello};
use notsotuf_tests::{Server, bundle, program, python, run, text, write_windows_stub};
use std::fs;

/// A mistake: what is typed (`|` between words), the exit code, and what the
/// answer must have of what, why and what to do.
struct Mistake {
    typed: &'static str,
    code: i32,
    says: &'static [&'static str],
}

const fn mistake(typed: &'static str, code: i32, says: &'static [&'static str]) -> Mistake {
    Mistake { typed, code, says }
}

/// In a folder with the project `p`, which has the release 1.0, the bundle `b`
/// of the next one, and what [`litter`] puts there.
const MISTAKES: &[Mistake] = &[
    mistake(
        "-C|p|add|1.1|none",
        1,
        &["there is no \"none\"", "run it first", "such as dist/myapp"],
    ),
    mistake(
        "-C|p|add|1.1|dist/helo",
        1,
        &[
            "there is no \"dist/helo\"",
            "did you mean \"dist/hello\"?",
            "PyInstaller makes the bundle: run it first",
        ],
    ),
    mistake(
        "-C|p|add|1.1|empty",
        1,
        &[
            "the bundle \"empty\" is empty",
            "PyInstaller did not finish",
            "run it again",
        ],
    ),
    mistake(
        "-C|p|add|1.1|dist",
        1,
        &[
            "\"dist\" is not released",
            "does not have hello, which 1.0 has and installs start",
            "did you mean \"dist/hello\"?",
            "--force",
        ],
    ),
    mistake(
        "-C|p|add|1.1|build/hello",
        1,
        &[
            "\"build/hello\" is not released",
            "PyInstaller works (it has Analysis-00.toc)",
            "did you mean \"",
            "/dist/hello\"?",
        ],
    ),
    mistake(
        "-C|p|add|1.1|build",
        1,
        &[
            "PyInstaller works",
            "the bundle is in dist",
            "/dist/hello\"?",
        ],
    ),
    mistake(
        "-C|p|add|1.1|.",
        1,
        &[
            "\".\" is not released",
            "it holds this project itself",
            "everybody would get",
            "name just the folder that PyInstaller made",
        ],
    ),
    mistake(
        "-C|p|add|1.1|p/keystore|--force",
        1,
        &[
            "\"p/keystore\" is not released",
            "it holds the project's keys",
            "everybody would get",
            "name just the folder that PyInstaller made",
        ],
    ),
    mistake(
        "-C|p|add|1.1|shipped|--force",
        1,
        &[
            "\"shipped\" is not released",
            "it is what `ship` makes for hello",
            "would install itself into itself",
            "name the bundle alone, such as \"shipped/app\"",
        ],
    ),
    mistake(
        "-C|p|add|b|1.1",
        2,
        &[
            "'b' for '<VERSION>'",
            "that is a path",
            "give the version first, such as 1.0 or 2.0b1, and then the bundle: notsotuf add 1.0 dist/myapp",
        ],
    ),
    mistake(
        "-C|p|add|one|b",
        2,
        &["'one'", "not a PEP 440 version", "such as 1.0 or 2.0b1"],
    ),
    mistake(
        "-C|p|add|1.0|b",
        1,
        &["1.0 is not newer than 1.0", "use a higher number"],
    ),
    mistake(
        "-C|p|add|0.9|b",
        1,
        &["0.9 is not newer than 1.0", "use a higher number"],
    ),
    mistake(
        "-C|nowhere|status",
        1,
        &[
            "notsotuf-project.toml",
            "notsotuf init --app NAME",
            "--project",
        ],
    ),
    mistake(
        "status",
        1,
        &[
            "notsotuf-project.toml",
            "or a folder above it",
            "notsotuf init --app NAME",
            "--project",
        ],
    ),
    mistake(
        "-C|q|init|--app|hello|--url|example.com/updates",
        2,
        &[
            "example.com/updates",
            "neither https:// nor http://",
            "did you mean https://example.com/updates?",
        ],
    ),
    mistake(
        "-C|q|init|--app|hello|--url|s3://bucket/x",
        2,
        &["s3://bucket/x", "`upload`", "clients fetch by https://"],
    ),
    mistake(
        "-C|q|init|--app|my app|--plain",
        1,
        &["\"my app\"", "use only letters, digits, `_` and `-`"],
    ),
    mistake(
        "-C|p|init|--app|hello|--plain",
        1,
        &["this folder is a project", "--project names another folder"],
    ),
    mistake(
        "-C|p|serve|--dir|none",
        1,
        &["cannot serve \"none\"", "no folder"],
    ),
    mistake(
        "-C|p|upload",
        1,
        &[
            "where should this be uploaded to?",
            "notsotuf upload s3://bucket/prefix",
            "set `upload`",
        ],
    ),
    mistake(
        "-C|p|upload|ftp://host/x",
        1,
        &["ftp://host/x", "s3://bucket/prefix", "rsync:host:path"],
    ),
    mistake(
        "-C|p|upload|user@host:path",
        1,
        &[
            "\"user@host:path\" is not a destination",
            "did you mean rsync:user@host:path, or ./user@host:path for a folder",
        ],
    ),
    mistake(
        "-C|p|upload|https://bucket.example.com/x",
        1,
        &["is not a destination", "use s3://bucket/prefix", "az://"],
    ),
    mistake(
        "-C|p|add|1.1|b|--notes|none.md",
        1,
        &["none.md", "do not exist", "is the path right"],
    ),
    mistake(
        "-C|p|add|1.1|b|--notes|b/binary",
        1,
        &["b/binary", "are not UTF-8", "save them"],
    ),
    mistake("-C|p|add|1.1|b|--app|helo", 1, &["helo", "they name hello"]),
    mistake(
        "-C|p|ship|--output|b",
        1,
        &["exists already", "remove it or name another folder"],
    ),
    mistake(
        "-C|p|ship|--output|H|--stub|b/hello",
        1,
        &["b/hello", "is not a notsotuf-stub", "with --stub"],
    ),
    mistake(
        "-C|p|ship|--output|H|--stub|none",
        1,
        &["there is no stub", "--stub"],
    ),
    mistake(
        "-C|p|keys|revoke|targets",
        1,
        &[
            "0 key(s)",
            "nobody could sign it",
            "notsotuf keys replace OLD NEW",
        ],
    ),
    mistake(
        "-C|p|keys|add|root|nobody",
        1,
        &[
            "nobody",
            "keystore",
            "notsotuf keys create nobody",
            "--key-dir",
        ],
    ),
    mistake(
        "-C|p|verify|--url|http://127.0.0.1:9",
        1,
        &["cannot reach http://127.0.0.1:9", "is the address right"],
    ),
    mistake(
        "-C|p|verify|--url|http://127.0.0.1:1",
        1,
        &[
            "cannot reach http://127.0.0.1:1/",
            "refused",
            "is the address right, and the server running?",
        ],
    ),
    mistake(
        "-C|p|fetch",
        1,
        &[
            "cannot reach http://127.0.0.1:9/",
            "refused",
            "is the address right, and the server running?",
        ],
    ),
    mistake(
        "-C|p|verify|--url|127.0.0.1:9",
        2,
        &["127.0.0.1:9", "neither https:// nor http://"],
    ),
    mistake(
        "-C|p|ship|--output|H|--url|example.com",
        2,
        &["did you mean https://example.com?"],
    ),
    mistake(
        "-C|p|sign|timestamp",
        1,
        &["are signed by `notsotuf publish` and `notsotuf renew`"],
    ),
    mistake("-C|p|rollout|1.0|150", 2, &["150", "0% to 100%"]),
    mistake(
        "-C|p|release|1.1|b",
        1,
        &["where should this be uploaded to?", "set `upload`"],
    ),
];

/// What else is in the folder: what PyInstaller leaves, what `ship` made, and
/// an empty folder.
fn litter(desk: &Desk) {
    hello(&desk.path("dist/hello"), "1.1");
    for name in ["Analysis-00.toc", "PYZ-00.pyz", "xref-hello.html"] {
        let path = desk.path("build/hello").join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, "toc").unwrap();
    }
    desk.must(&["-C", "p", "ship", "--output", "shipped"]);
    fs::create_dir(desk.path("empty")).unwrap();
}

#[test]
fn every_answer_says_what_why_and_what_to_do() {
    let desk = Desk::with_project();
    litter(&desk);
    fs::write(desk.path("b/binary"), [0xff, 0xfe]).unwrap();
    for Mistake { typed, code, says } in MISTAKES {
        let args: Vec<&str> = typed.split('|').collect();
        let said = desk.fails(*code, &args);
        for words in *says {
            assert!(said.contains(words), "{typed}: no {words:?} in: {said}");
        }
        assert!(!said.contains("\"\""), "{typed}: {said}");
        for made in ["q", "H", "user@host:path", "p/user@host:path"] {
            assert!(!desk.path(made).exists(), "{typed} made {made}");
        }
    }
    // None of them changed anything.
    desk.must(&["-C", "p", "verify"]);
    let list = desk.json(&["-C", "p", "list", "--offline"]);
    assert_eq!(list["releases"].as_array().unwrap().len(), 1);
}

fn has(said: &str, wanted: &[&str]) {
    for words in wanted {
        assert!(said.contains(words), "no {words:?} in: {said}");
    }
}

/// What goes through, but is told: the command, and all that it said.
fn goes_through(desk: &Desk, args: &[&str]) -> String {
    let output = desk.run(args);
    assert!(output.status.success(), "{args:?}: {output:?}");
    String::from_utf8([output.stdout, output.stderr].concat()).unwrap()
}

#[test]
fn an_unchanged_bundle_is_told_with_what_takes_it_back() {
    let desk = Desk::with_project();
    hello(&desk.path("b"), "1.0");
    has(
        &goes_through(&desk, &["-C", "p", "add", "1.1", "b"]),
        &[
            "warning: nothing in this bundle differs from 1.0",
            "was PyInstaller run since?",
            "Users would update to what they have",
            "`notsotuf remove-latest` takes it back",
        ],
    );
    let said = desk.must(&["-C", "p", "remove-latest"]);
    has(&said, &["removed hello 1.1", "no client has it"]);
    hello(&desk.path("b"), "1.1");
    let said = goes_through(&desk, &["-C", "p", "add", "1.1", "b"]);
    assert!(!said.contains("warning"), "{said}");
    desk.must(&["-C", "p", "publish"]);
    let said = desk.must(&["-C", "p", "remove-latest"]);
    has(
        &said,
        &[
            "removed hello 1.1",
            "`notsotuf publish`",
            "Clients that have it keep it",
        ],
    );
}

/// Releases of an application that is not in the settings any more, or never was meant.
#[test]
fn an_application_that_the_settings_do_not_know_is_told() {
    let desk = Desk::with_project();
    let settings = desk.path("p/notsotuf-project.toml");
    let right = fs::read_to_string(&settings).unwrap();
    let slip = right.replace("[\"hello\"]", "[\"hallo\"]");
    assert_ne!(slip, right);
    fs::write(&settings, slip).unwrap();
    desk.must(&["-C", "p", "add", "1.1", "b"]);
    desk.must(&["-C", "p", "publish"]);
    fs::write(&settings, &right).unwrap();
    let said = desk.must(&["-C", "p", "list", "--offline"]);
    has(
        &said,
        &["hallo  1.1", "hello  1.0", "hallo is not in `apps`"],
    );
    let said = desk.must(&["-C", "p", "list", "--offline", "--app", "hello"]);
    assert!(!said.contains("hallo  "), "{said}");
    let doctor = || {
        let output = desk.run(&["-C", "p", "doctor"]);
        String::from_utf8([output.stdout, output.stderr].concat()).unwrap()
    };
    has(
        &doctor(),
        &["hallo, which is not in `apps`", "remove-latest --app hallo"],
    );
    // As it says.
    let both = right.replace("[\"hello\"]", "[\"hello\", \"hallo\"]");
    fs::write(&settings, both).unwrap();
    has(
        &doctor(),
        &[
            "archive of hello 1.0 is here",
            "archive of hallo 1.1 is here",
        ],
    );
    desk.must(&["-C", "p", "remove-latest", "--app", "hallo"]);
    desk.must(&["-C", "p", "publish"]);
    fs::write(&settings, &right).unwrap();
    assert!(!doctor().contains("hallo"));
    assert!(
        !desk
            .must(&["-C", "p", "list", "--offline"])
            .contains("hallo")
    );
}

/// The program of a folder, as the shell completes its name, and a stub for another system.
#[test]
fn what_would_not_start_is_not_released_or_shipped() {
    let desk = Desk::with_project();
    hello(&desk.path("dist/hello"), "1.1");
    let program = desk.path("dist/hello/hello");
    goes_through(&desk, &["-C", "p", "add", "1.1", text(&program)]);
    desk.must(&["-C", "p", "remove-latest"]);
    fs::create_dir(desk.path("dist/hello/_internal")).unwrap();
    fs::write(desk.path("dist/hello/_internal/base_library.zip"), "zip").unwrap();
    let said = desk.fails(1, &["-C", "p", "add", "1.1", text(&program)]);
    has(&said, &["the program alone", "dist/hello\"", "--force"]);
    let real = bundle("1.0");
    goes_through(&desk, &["-C", "p", "add", "1.1", text(&real), "--force"]);
    desk.must(&["-C", "p", "publish"]);
    let stub = desk.path("stub.exe");
    write_windows_stub(&stub);
    let ship = [
        "-C",
        "p",
        "ship",
        "--version",
        "1.1",
        "--output",
        "H",
        "--stub",
        text(&stub),
    ];
    let wanted = ["is a stub for Windows", "is for Linux", "--stub"];
    has(&desk.fails(1, &ship), &wanted);
    has(
        &desk.fails(1, &["-C", "p", "add-stub", text(&stub)]),
        &wanted,
    );
    let stub = notsotuf_tests::program("notsotuf-stub");
    goes_through(&desk, &["-C", "p", "add-stub", text(&stub)]);
    // One for macOS is known by its first bytes.
    fs::write(desk.path("dist/hello/hello"), b"\xcf\xfa\xed\xfe and more").unwrap();
    let folder = desk.path("dist/hello");
    goes_through(&desk, &["-C", "p", "add", "1.2", text(&folder), "--force"]);
    let ship = [
        "-C",
        "p",
        "ship",
        "--version",
        "1.2",
        "--output",
        "H",
        "--stub",
        text(&stub),
    ];
    has(
        &desk.fails(1, &ship),
        &["is a stub for Linux", "is for macOS"],
    );
    has(
        &desk.fails(1, &["-C", "p", "add-stub", text(&stub)]),
        &["is a stub for Linux", "is for macOS"],
    );
    assert!(!desk.path("H").exists());
}

#[test]
fn a_number_is_used_once() {
    let desk = Desk::with_project();
    desk.must(&["-C", "p", "add", "1.1", "b"]);
    // It is not published yet.
    has(
        &desk.fails(1, &["-C", "p", "add", "1.1", "b"]),
        &[
            "1.1 is not newer than 1.1",
            "use a higher number",
            "take that one back with `notsotuf remove-latest`",
        ],
    );
    desk.must(&["-C", "p", "publish"]);
    desk.must(&["-C", "p", "yank", "1.1"]);
    let again = ["-C", "p", "add", "1.1", "b", "--force"];
    let wanted = [
        "version 1.1 of hello was withdrawn",
        "clients leave any release with that number",
        "use a higher one",
    ];
    has(&desk.fails(1, &again), &wanted);
    desk.must(&["-C", "p", "publish"]);
    has(&desk.fails(1, &again), &wanted);
}

#[test]
fn an_upload_before_publish_names_what_is_not_in_it() {
    let desk = Desk::new();
    desk.must(&["-C", "p", "init", "--app", "hello", "--plain"]);
    hello(&desk.path("b"), "1.0");
    desk.must(&["-C", "p", "add", "1.0", "b"]);
    has(
        &desk.fails(1, &["-C", "p", "upload", "web"]),
        &[
            "nothing is published here yet",
            "`notsotuf publish` comes before `upload`",
        ],
    );
    assert!(!desk.path("web").exists());
    desk.must(&["-C", "p", "publish"]);
    hello(&desk.path("b"), "1.1");
    desk.must(&["-C", "p", "add", "1.1", "b"]);
    has(
        &goes_through(&desk, &["-C", "p", "upload", "web"]),
        &[
            "it is not published yet: hello-1.1.patch, hello-1.1.tar.gz",
            "`notsotuf publish`, then `upload` again",
        ],
    );
    // Twice is no mistake: it renews, and says what comes next.
    desk.must(&["-C", "p", "publish"]);
    has(
        &goes_through(&desk, &["-C", "p", "publish"]),
        &[
            "wrote snapshot 3, timestamp 3",
            "signed; next: `notsotuf upload DESTINATION`",
        ],
    );
}

#[test]
fn an_archive_that_is_gone_can_be_fetched_or_done_without() {
    let desk = Desk::with_project();
    fs::remove_dir_all(desk.path("p/repository/targets")).unwrap();
    has(
        &desk.fails(1, &["-C", "p", "add", "1.1", "b"]),
        &[
            "hello-1.0.tar.gz",
            "is missing",
            "fetch it from where you publish",
            "--skip-patch",
        ],
    );
    desk.must(&["-C", "p", "add", "1.1", "b", "--skip-patch"]);
}

/// Metadata that has expired, here: for the client see `update_faults.rs`.
#[test]
fn expired_metadata_is_renewed_by_what_is_named() {
    let desk = Desk::with_project();
    let (metadata, key) = ("p/repository/metadata", "p/keystore/timestamp.pem");
    let (metadata, key) = (desk.path(metadata), desk.path(key));
    python(&["expire", text(&metadata), text(&key)]);
    let output = desk.run(&["-C", "p", "doctor"]);
    let said = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
    assert_eq!(output.status.code(), Some(3), "{said}");
    has(
        &said,
        &[
            "timestamp: EXPIRED; clients do not update",
            "`notsotuf renew` and `upload` now",
            "on a schedule",
        ],
    );
}

/// Where the environment names no credentials, the machine is asked: this one
/// has none. (With nobody there it is the same, some seconds later.)
#[test]
fn a_store_without_credentials_names_the_variables() {
    let desk = Desk::with_project();
    let folder = desk.path("nothing");
    fs::create_dir(&folder).unwrap();
    let machine = Server::start(&folder);
    let anonymous = |args: &[&str]| {
        let mut command = desk.command(args);
        for (name, _) in std::env::vars() {
            let clouds = ["AWS_", "GOOGLE_", "GCE_", "AZURE_"];
            if clouds.iter().any(|cloud| name.starts_with(cloud)) {
                command.env_remove(name);
            }
        }
        command
    };
    for (to, variables) in [
        (
            "s3://bucket/x",
            "set AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_REGION, or AWS_PROFILE",
        ),
        (
            "gs://bucket/x",
            "set GOOGLE_APPLICATION_CREDENTIALS, or call `gcloud auth",
        ),
        (
            "az://container/x",
            "set AZURE_STORAGE_ACCOUNT_NAME and AZURE_STORAGE_ACCOUNT_KEY",
        ),
    ] {
        let host = machine.url.trim_start_matches("http://");
        let mut upload = anonymous(&["-C", "p", "upload", to]);
        upload.env("AWS_METADATA_ENDPOINT", &machine.url);
        upload.env("GCE_METADATA_HOST", host);
        upload.env("GCE_METADATA_IP", host);
        let done = run(&mut upload);
        let said = String::from_utf8(done.stderr).unwrap();
        assert_eq!(done.status.code(), Some(1), "{said}");
        let what = format!("error: there are no credentials for {to}");
        has(&said, &[&what, "the environment names none", variables]);
        assert!(!said.contains("\\n"), "{said}");
    }
    // A half of them.
    let mut upload = anonymous(&["-C", "p", "upload", "s3://bucket/x"]);
    upload.env("AWS_ACCESS_KEY_ID", "one");
    let said = String::from_utf8(run(&mut upload).stderr).unwrap();
    has(
        &said,
        &[
            "Missing SecretAccessKey",
            "taken from the environment: AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY",
        ],
    );
}

/// Puts a text into the place of another in the project's settings, and says
/// what the command says.
fn with_settings(desk: &Desk, from: &str, to: &str, args: &[&str]) -> String {
    let path = desk.path("p/notsotuf-project.toml");
    let before = fs::read_to_string(&path).unwrap();
    assert!(before.contains(from), "{before}");
    fs::write(&path, before.replace(from, to)).unwrap();
    let output = desk.run(args);
    fs::write(&path, before).unwrap();
    assert!(!output.status.success(), "{args:?}: {output:?}");
    let said = [output.stdout, output.stderr].concat();
    String::from_utf8(said).unwrap()
}

#[test]
fn slips_in_the_settings_are_named_with_their_place() {
    let desk = Desk::with_project();
    let says = |from: &str, to: &str, args: &[&str], wanted: &[&str]| {
        let args = [&["-C", "p"], args].concat();
        let said = with_settings(&desk, from, to, &args);
        for words in wanted {
            assert!(said.contains(words), "{to}: no {words:?} in: {said}");
        }
    };
    let file = "notsotuf-project.toml";
    says(
        "apps = ",
        "appps = ",
        &["status"],
        &[file, "line", "appps", "expected one of"],
    );
    says(
        "\"notsotuf-2\"\n",
        "\"notsotuf-9\"\n",
        &["status"],
        &[file, "notsotuf-9", "bsdiff4"],
    );
    says("apps = [", "apps = ", &["status"], &[file, "line"]);
    let slip = "settings = { probaton = 1.0 }\nmode = ";
    let wanted = [
        file,
        "probaton",
        "did you mean \"probation\"?",
        "docs/reference/settings.md",
    ];
    let ship = ["ship", "--output", "H"];
    says("mode = ", slip, &ship, &wanted);
    says("mode = ", slip, &["doctor"], &wanted);
    let url = "url = \"http://127.0.0.1:9\"";
    let wanted = ["ftp://x", "neither https:// nor http://", file];
    says(url, "url = \"ftp://x\"", &["doctor"], &wanted);
    says(
        url,
        "",
        &["release", "1.1", "b", "--to", "web"],
        &["Set `url` under [client]"],
    );
    assert!(!desk.path("web").exists() && !desk.path("H").exists());
    let apps = "apps = [\"hello\"]";
    let wanted = [file, "hello-stub", "add-stub", "something else"];
    says(
        apps,
        "apps = [\"hello-stub\", \"hello\"]",
        &["status"],
        &wanted,
    );
    let init = [
        "-C", "q", "init", "--plain", "--app", "a", "--app", "a-stub",
    ];
    has(&desk.fails(1, &init), &["a-stub", "something else"]);
}

#[test]
fn a_stub_that_is_not_published_is_replaced() {
    let desk = Desk::with_project();
    let stub = program("notsotuf-stub");
    let stub = stub.to_str().unwrap();
    let add = ["-C", "p", "add-stub", stub];
    let (first, again) = (desk.json(&add), desk.json(&add));
    assert_eq!(first["archive"], again["archive"]);
    desk.must(&["-C", "p", "publish"]);
    // Then it is not, and no command takes it back.
    let said = desk.fails(1, &add);
    has(&said, &["use a higher"]);
    assert!(!said.contains("remove-latest"), "{said}");
}

#[test]
fn a_release_that_none_may_skip_is_not_held_back() {
    let desk = Desk::with_project();
    let add = [
        "-C",
        "p",
        "add",
        "1.1",
        "b",
        "--required",
        "--rollout",
        "5%",
    ];
    has(
        &desk.must(&add),
        &["all installs take it, whatever --rollout"],
    );
    let rollout = ["-C", "p", "rollout", "1.1", "0%"];
    let wanted = [
        "--required",
        "all installs take it",
        "notsotuf yank 1.1 --app hello",
    ];
    has(&desk.fails(1, &rollout), &wanted);
    desk.must(&["-C", "p", "rollout", "1.1", "100%"]);
}

#[test]
fn slips_with_keys_are_named_with_what_mends_them() {
    let desk = Desk::with_project();
    let key = desk.path("p/keystore/timestamp.pem");
    let right = fs::read(&key).unwrap();
    let publish = ["-C", "p", "publish"];
    let says = |wanted: &[&str]| {
        let said = desk.fails(1, &publish);
        for words in wanted {
            assert!(said.contains(words), "no {words:?} in: {said}");
        }
    };
    // (Written in place, so that it stays closed to others.)
    fs::write(&key, "").unwrap();
    says(&[
        "timestamp.pem",
        "it is empty",
        "backup",
        "notsotuf keys replace",
    ]);
    fs::write(&key, [0, 1, 2, 0xff]).unwrap();
    says(&["timestamp.pem", "it is not text", "backup"]);
    fs::write(&key, "hello").unwrap();
    says(&[
        "timestamp.pem",
        "does not begin with -----BEGIN PRIVATE KEY-----",
        "backup",
    ]);
    fs::write(&key, &right[..right.len() / 2]).unwrap();
    says(&["timestamp.pem", "it is damaged", "backup"]);
    fs::copy(desk.path("p/keystore/root.pem"), &key).unwrap();
    says(&[
        "timestamp.pem",
        "is not the private key of timestamp",
        "--key-dir",
    ]);
    fs::remove_file(&key).unwrap();
    says(&[
        "timestamp",
        "0 of the 1 signatures",
        "p/keystore",
        "--key-dir",
    ]);
    fs::write(&key, &right).unwrap();

    let locked = Desk::new();
    let mut init = locked.command(&["-C", "p", "init", "--app", "hello"]);
    assert!(
        run(init.env("NOTSOTUF_PASSPHRASE", "right"))
            .status
            .success()
    );
    let said = locked.fails(1, &publish);
    for words in [
        "\"targets\" needs a passphrase",
        "NOTSOTUF_PASSPHRASE_TARGETS",
        "--passphrase-file",
        "terminal",
    ] {
        assert!(said.contains(words), "{words}: {said}");
    }
    let output = run(locked.command(&publish).env("NOTSOTUF_PASSPHRASE", "wrong"));
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    for words in [
        "the passphrase is wrong",
        "(from NOTSOTUF_PASSPHRASE)",
        "NOTSOTUF_PASSPHRASE_TARGETS",
    ] {
        assert!(said.contains(words), "{words}: {said}");
    }
    assert!(!said.contains("wrong\""), "{said}");
}

/// One who may not write.
#[cfg(unix)]
#[test]
fn what_may_not_be_written_is_named_with_who_may() {
    let desk = Desk::with_project();
    if !notsotuf_tests::is_root() {
        eprintln!("skipped: to be somebody else takes root");
        return;
    }
    let copy = desk.path("").join("notsotuf");
    fs::copy(program("notsotuf"), &copy).unwrap();
    for folder in [desk.path(""), desk.path("p"), desk.path("p/keystore")] {
        run(std::process::Command::new("chmod").arg("755").arg(folder));
    }
    let mut create = std::process::Command::new("setpriv");
    create.args(["--reuid=12345", "--regid=12345", "--clear-groups"]);
    create
        .arg(&copy)
        .args(["-C", "p", "keys", "create", "x", "--plain"]);
    let done = run(create.current_dir(desk.path("")));
    let said = String::from_utf8_lossy(&done.stderr).into_owned();
    assert_eq!(done.status.code(), Some(1), "{said}");
    for words in ["p/.notsotuf-lock", "ermission denied", "`ls -ld`"] {
        assert!(said.contains(words), "{words}: {said}");
    }
}

/// (`keys.rs` interrupts and kills it everywhere.)
#[cfg(unix)]
#[test]
fn an_interrupted_init_is_called_again() {
    let desk = Desk::new();
    let init = ["-C", "p", "init", "--app", "hello"];
    let (shown, code) = desk.type_at(&init, &["Hello", "swordfish", "^C"]);
    assert_eq!(code, 130, "{shown}");
    assert!(!desk.path("p").exists(), "{shown}");
    let again = [&init[..], &["--plain"]].concat();
    has(&desk.must(&again), &["Next: `notsotuf add VERSION BUNDLE`"]);
    // And once more, as it is there now.
    has(
        &desk.fails(1, &again),
        &["this folder is a project", "--project names another folder"],
    );
}

#[test]
fn a_project_without_its_root_says_so() {
    let desk = Desk::new();
    desk.must(&["-C", "p", "init", "--app", "hello", "--plain"]);
    hello(&desk.path("b"), "1.0");
    fs::remove_dir_all(desk.path("p/repository")).unwrap();
    let said = desk.fails(1, &["-C", "p", "init", "--app", "hello", "--plain"]);
    for words in [
        "1.root.json",
        "remove \"p/notsotuf-project.toml\"",
        "fetch it from where it is published",
    ] {
        assert!(said.contains(words), "{words}: {said}");
    }
}

#[test]
fn a_checkout_that_is_not_whole_is_told_with_what_completes_it() {
    let desk = Desk::with_project();
    desk.must(&["-C", "p", "upload", "web"]);
    let commands: [&[&str]; 4] = [&["status"], &["doctor"], &["renew"], &["publish"]];
    fs::remove_dir_all(desk.path("p/repository")).unwrap();
    for command in commands {
        let said = desk.fails(1, &[&["-C", "p"], command].concat());
        has(&said, &["1.root.json", "`notsotuf fetch`"]);
    }
    desk.must(&["-C", "p", "fetch", "web"]);
    desk.must(&["-C", "p", "status"]);
    // After a merge of two branches.
    let memory = desk.path("p/notsotuf-published.json");
    let known = fs::read_to_string(&memory).unwrap();
    let merged = format!("<<<<<<< HEAD\n{known}=======\n{known}>>>>>>> main\n");
    fs::write(&memory, merged).unwrap();
    for command in commands.into_iter().chain([&["fetch", "web"][..]]) {
        let said = desk.fails(1, &[&["-C", "p"], command].concat());
        let wanted = [
            "notsotuf-published.json",
            "version control",
            "the higher version",
        ];
        has(&said, &wanted);
    }
    fs::write(&memory, known).unwrap();
    desk.must(&["-C", "p", "status"]);
}
