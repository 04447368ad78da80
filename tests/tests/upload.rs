//! Uploading to folders, by rsync, and to the stores of clouds, and what clients
//! then get from there.

use notsotuf_tests::peers::{Daemon, free_address, nginx};
use notsotuf_tests::{World, root, run};
use serde_json::{Value, json};
use std::fs;
use std::path::Path;
use std::process::Command;

fn list(value: &Value) -> Vec<String> {
    let items = value.as_array().expect("an array").iter();
    items
        .map(|item| item.as_str().unwrap().to_owned())
        .collect()
}

/// Targets come first, the timestamp last.
fn assert_order(uploaded: &[String]) {
    assert_eq!(uploaded.last().unwrap(), "metadata/timestamp.json");
    let first_metadata = uploaded
        .iter()
        .position(|path| path.starts_with("metadata"));
    let targets_after = &uploaded[first_metadata.unwrap()..];
    assert!(
        targets_after
            .iter()
            .all(|path| path.starts_with("metadata"))
    );
}

/// Uploads 1.0 and 1.1 to `to` and returns what the second upload said.
fn two_releases(world: &World, upload: &dyn Fn(&[&str]) -> Value) -> Value {
    world.release("1.0", &[]);
    let first = upload(&[]);
    let uploaded = list(&first["uploaded"]);
    assert_order(&uploaded);
    assert!(uploaded.iter().any(|path| path.ends_with("app-1.0.tar.gz")));
    world.release("1.1", &[]);
    let dry = upload(&["--dry-run"]);
    let second = upload(&[]);
    assert_eq!(dry["uploaded"], second["uploaded"]);
    let uploaded = list(&second["uploaded"]);
    assert_order(&uploaded);
    assert!(!uploaded.iter().any(|path| path.ends_with("app-1.0.tar.gz")));
    assert!(uploaded.iter().any(|path| path.ends_with("app-1.1.patch")));
    second
}

fn assert_same_files(one: &Path, other: &Path) {
    let done = run(Command::new("diff").arg("-r").arg(one).arg(other));
    assert!(done.status.success(), "{done:?}");
}

#[test]
fn to_a_folder_and_by_rsync() {
    for prefix in ["", "rsync:"] {
        let world = World::new();
        let folder = world.path("published");
        let to = format!("{prefix}{}", folder.display());
        let upload = |more: &[&str]| world.bundler(&[&["upload", &to], more].concat());
        two_releases(&world, &upload);
        assert_same_files(&world.repository(), &folder);
        // Nothing new: only what always changes.
        let again = upload(&[]);
        let again = list(&again["uploaded"]);
        let always = ["metadata/root.json", "metadata/timestamp.json"];
        assert!(
            again.iter().all(|path| always.contains(&path.as_str())),
            "{again:?}"
        );
        world.bundler(&["remove-latest"]);
        world.bundler(&["publish"]);
        upload(&["--delete"]);
        assert_same_files(&world.repository(), &folder);
    }
}

#[test]
fn without_a_destination_it_says_what_to_do() {
    let world = World::new();
    for (arguments, told) in [
        (&["upload"][..], "where to?"),
        (&["upload", "ftp://host/x"], "is no destination"),
    ] {
        let output = run(&mut world.command(arguments));
        assert_eq!(output.status.code(), Some(1));
        let said = String::from_utf8_lossy(&output.stderr).into_owned()
            + &String::from_utf8_lossy(&output.stdout);
        assert!(said.contains(told), "{said}");
    }
}

/// s3s-fs: an S3-compatible server that checks signatures.
struct S3 {
    _daemon: Daemon,
    url: String,
}

impl S3 {
    fn start(folder: &Path, signed: bool) -> Self {
        let program = root().join(".work/tools/bin/s3s-fs");
        assert!(program.exists(), "scripts/test installs {program:?}");
        fs::create_dir_all(folder.join("bucket")).unwrap();
        let address = free_address();
        let port = address.rsplit(':').next().unwrap();
        let mut command = Command::new(program);
        command.args(["--host", "127.0.0.1", "--port", port]);
        if signed {
            let keys = [
                "--access-key",
                "AKEXAMPLE",
                "--secret-key",
                "secret-example",
            ];
            command.args(keys);
        }
        command.arg(folder);
        S3 {
            _daemon: Daemon::start(&mut command, &address),
            url: format!("http://{address}"),
        }
    }

    fn environment(&self, command: &mut Command, secret: &str) {
        command
            .env("AWS_ACCESS_KEY_ID", "AKEXAMPLE")
            .env("AWS_SECRET_ACCESS_KEY", secret)
            .env("AWS_REGION", "us-east-1")
            .env("AWS_ENDPOINT", &self.url)
            .env("AWS_ALLOW_HTTP", "true");
    }
}

#[test]
fn to_an_s3_compatible_store() {
    let world = World::new();
    let folder = world.path("store");
    let s3 = S3::start(&folder, true);
    let upload = |more: &[&str]| {
        let mut command = world.command(&[&["upload", "s3://bucket/my/updates"], more].concat());
        s3.environment(&mut command, "secret-example");
        notsotuf_tests::json(&mut command)
    };
    two_releases(&world, &upload);
    let there = folder.join("bucket/my/updates");
    assert_same_files(
        &world.repository().join("metadata"),
        &there.join("metadata"),
    );
    assert_same_files(&world.repository().join("targets"), &there.join("targets"));
    // An interrupted upload is gone on with.
    let lost = fs::read_dir(there.join("targets")).unwrap().next().unwrap();
    let lost = lost.unwrap();
    fs::remove_file(lost.path()).unwrap();
    let again = upload(&[]);
    let name = lost.file_name().into_string().unwrap();
    let target = format!("targets/{name}");
    let expected = json!([target, "metadata/root.json", "metadata/timestamp.json"]);
    assert_eq!(again["uploaded"], expected);
    // With the wrong secret it says where credentials come from, and not what
    // they are.
    let mut command = world.command(&["upload", "s3://bucket/my/updates"]);
    s3.environment(&mut command, "wrong-secret");
    let refused = run(&mut command);
    assert_eq!(refused.status.code(), Some(1));
    let said = String::from_utf8_lossy(&refused.stderr).into_owned()
        + &String::from_utf8_lossy(&refused.stdout);
    assert!(said.contains("Credentials are taken from"), "{said}");
    assert!(!said.contains("wrong-secret"), "{said}");
    // By a profile, as the tools of Amazon have them.
    let aws = world.path(".aws");
    fs::create_dir(&aws).unwrap();
    let keys = "[ci]\naws_access_key_id = AKEXAMPLE\naws_secret_access_key = secret-example\n";
    fs::write(aws.join("credentials"), keys).unwrap();
    let config = format!(
        "[profile ci]\nregion = us-east-1\nendpoint_url = {}\n",
        s3.url
    );
    fs::write(aws.join("config"), config).unwrap();
    let mut command = world.command(&["upload", "s3://bucket/my/updates"]);
    command.env("HOME", world.path("")).env("AWS_PROFILE", "ci");
    command.env("AWS_ALLOW_HTTP", "true");
    let by_profile = notsotuf_tests::json(&mut command);
    let always = json!(["metadata/root.json", "metadata/timestamp.json"]);
    assert_eq!(by_profile["uploaded"], always);
    // A client updates from what was uploaded.
    world.ship("1.0");
    let server = notsotuf_tests::Server::start(&there);
    world.point_to(&server.url);
    assert_eq!(world.start_version(), "1.1", "{}", world.log());
}

/// The client for Google Cloud Storage uses an interface that is that of S3 but for
/// who signs how. There is no server of Google's to be had, so this is the other
/// one, behind nginx, which takes Google's signature away.
#[test]
fn to_google_cloud_storage() {
    let world = World::new();
    let folder = world.path("store");
    let s3 = S3::start(&folder, false);
    let (address, place) = (free_address(), world.path("nginx"));
    let more = format!(
        "client_max_body_size 0; location / {{ proxy_set_header Authorization \"\";\n\
         proxy_set_header Host $http_host; proxy_pass {}; }}\n",
        s3.url
    );
    let _nginx = nginx(&world, &folder, &place, &address, &more);
    let account = world.path("account.json");
    let text = json!({
        "gcs_base_url": format!("http://{address}"),
        "disable_oauth": true,
        "client_email": "",
        "private_key": "",
        "private_key_id": "",
    });
    fs::write(&account, text.to_string()).unwrap();
    let upload = |more: &[&str]| {
        let mut command = world.command(&[&["upload", "gs://bucket/my/updates"], more].concat());
        command.env("GOOGLE_SERVICE_ACCOUNT", &account);
        notsotuf_tests::json(&mut command)
    };
    two_releases(&world, &upload);
    let there = folder.join("bucket/my/updates");
    for part in ["metadata", "targets"] {
        assert_same_files(&world.repository().join(part), &there.join(part));
    }
}

#[test]
#[ignore = "scripts/test-clouds"]
fn to_azure_blob_storage() {
    let world = World::new();
    let program = root().join(".work/tools/azurite/node_modules/.bin/azurite-blob");
    let address = free_address();
    let port = address.rsplit(':').next().unwrap();
    let mut command = Command::new(program);
    command
        .args(["--blobHost", "127.0.0.1", "--blobPort", port])
        .args(["--skipApiVersionCheck", "--silent", "--location"])
        .arg(world.path("azurite"));
    let _azurite = Daemon::start(&mut command, &address);
    let url = format!("http://{address}");
    let mut container = Command::new(root().join(".venv/bin/python"));
    container.arg(root().join("tests/python/azure_container.py"));
    let made = run(container.args([&url, "container"]));
    assert!(made.status.success(), "{made:?}");
    let command = |more: &[&str]| {
        let mut command = world.command(&[&["upload", "az://container/my/updates"], more].concat());
        command
            .env("AZURE_STORAGE_USE_EMULATOR", "true")
            .env("AZURITE_BLOB_STORAGE_URL", &url)
            .env("AZURE_ALLOW_HTTP", "true");
        command
    };
    two_releases(&world, &|more| notsotuf_tests::json(&mut command(more)));
    // All that was sent can be had back, and what is gone is removed.
    let always = json!(["metadata/root.json", "metadata/timestamp.json"]);
    assert_eq!(notsotuf_tests::json(&mut command(&[]))["uploaded"], always);
    world.bundler(&["remove-latest"]);
    world.bundler(&["publish"]);
    let done = notsotuf_tests::json(&mut command(&["--delete"]));
    let removed = list(&done["removed"]);
    assert!(
        removed.iter().any(|path| path.ends_with("app-1.1.patch")),
        "{removed:?}"
    );
}

/// nginx over what was uploaded to a folder: another server than ours, with
/// its own entity tags and ranges.
#[test]
fn served_by_nginx() {
    let world = World::new();
    let folder = world.path("published");
    let to = folder.to_str().unwrap().to_owned();
    two_releases(&world, &|more| {
        world.bundler(&[&["upload", &to], more].concat())
    });
    world.ship("1.0");
    let (address, place) = (free_address(), world.path("nginx"));
    let nginx = nginx(&world, &folder, &place, &address, "");
    world.point_to(&format!("http://{address}"));
    let first = world.start_version();
    let second = world.start_version();
    drop(nginx);
    assert_eq!(
        (first.as_str(), second.as_str()),
        ("1.1", "1.1"),
        "{}",
        world.log()
    );
    let log = fs::read_to_string(place.join("log")).unwrap();
    assert!(log.contains("timestamp.json HTTP/1.1\" 304"), "{log}");
}
