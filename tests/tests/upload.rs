//! Uploading to folders, by rsync, and to the stores of clouds, and what clients
//! then get from there.

use notsotuf_tests::daemons::{Daemon, S3, free_address, nginx};
use notsotuf_tests::{Sandbox, Server, bundle, bundler_in, copy_tree, root, run, text};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
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
fn two_releases(sandbox: &Sandbox, upload: &dyn Fn(&[&str]) -> Value) -> Value {
    sandbox.release("1.0", &[]);
    let first = upload(&[]);
    let uploaded = list(&first["uploaded"]);
    assert_order(&uploaded);
    assert!(uploaded.iter().any(|path| path.ends_with("app-1.0.tar.gz")));
    sandbox.release("1.1", &[]);
    let dry = upload(&["--dry-run"]);
    let second = upload(&[]);
    assert_eq!(dry["uploaded"], second["uploaded"]);
    let uploaded = list(&second["uploaded"]);
    assert_order(&uploaded);
    assert!(!uploaded.iter().any(|path| path.ends_with("app-1.0.tar.gz")));
    assert!(uploaded.iter().any(|path| path.ends_with("app-1.1.patch")));
    second
}

/// Compares what is here with what is there, where some more versions of metadata
/// are kept for caches.
fn assert_same_files(one: &Path, other: &Path) {
    let done = run(Command::new("diff").arg("-r").arg(one).arg(other));
    // It says nothing on standard output of a folder that is not there.
    let compared = matches!(done.status.code(), Some(0 | 1)) && done.stderr.is_empty();
    assert!(compared, "{done:?}");
    let said = String::from_utf8_lossy(&done.stdout).into_owned();
    let is_kept = |line: &str| {
        line.starts_with(&format!("Only in {}", other.display()))
            && (line.ends_with(".snapshot.json") || line.ends_with(".targets.json"))
    };
    assert!(said.lines().all(is_kept), "{done:?}");
}

/// All files below a folder with their content.
fn files(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut folders = vec![folder.to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).into_iter().flatten() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path)
            } else {
                drop(found.insert(path.clone(), fs::read(path).unwrap()))
            }
        }
    }
    found
}

#[test]
fn to_a_folder_and_by_rsync() {
    for prefix in ["", "rsync:"] {
        let sandbox = Sandbox::new();
        let folder = sandbox.path("published");
        let to = format!("{prefix}{}", folder.display());
        let upload = |more: &[&str]| sandbox.bundler(&[&["upload", &to], more].concat());
        two_releases(&sandbox, &upload);
        assert_same_files(&sandbox.repository(), &folder);
        // Nothing new, by content.
        assert_eq!(upload(&[])["uploaded"], json!([]));
        sandbox.bundler(&["remove-latest"]);
        sandbox.bundler(&["publish"]);
        // What `--dry-run` names is what is removed, and it removes nothing.
        let before = files(&folder);
        let dry = upload(&["--delete", "--dry-run"]);
        assert_eq!(files(&folder), before);
        assert!(!list(&dry["removed"]).is_empty());
        assert_eq!(upload(&["--delete"])["removed"], dry["removed"]);
        assert_same_files(&sandbox.repository(), &folder);
    }
}

#[test]
fn without_a_destination_it_says_what_to_do() {
    let sandbox = Sandbox::new();
    for (arguments, told) in [
        (&["upload"][..], "where should this be uploaded to?"),
        (&["upload", "ftp://host/x"], "is not a destination"),
    ] {
        let output = run(&mut sandbox.command(arguments));
        assert_eq!(output.status.code(), Some(1));
        let said = String::from_utf8_lossy(&output.stderr).into_owned()
            + &String::from_utf8_lossy(&output.stdout);
        assert!(said.contains(told), "{said}");
    }
}

/// On the command line, and from the settings: CI keeps what is said.
#[test]
fn no_password_of_a_destination_is_shown() {
    use notsotuf_tests::release::Desk;
    let desk = Desk::with_project();
    let settings = desk.path("p/notsotuf-project.toml");
    let before = fs::read_to_string(&settings).unwrap();
    let quiet = |args: &[&str]| {
        for json in [&[][..], &["--json"]] {
            let done = desk.run(&[json, args].concat());
            assert!(!done.status.success(), "{args:?}: {done:?}");
            let said = String::from_utf8([done.stdout, done.stderr].concat()).unwrap();
            assert!(!said.contains("s3cret"), "{args:?}: {said}");
        }
    };
    for place in [
        "https://me:s3cret@h.invalid/y",
        "ftp://me:s3cret@h.invalid/y",
        "s3://me:s3cret@bucket/x",
        "me:s3cret@h.invalid:/srv",
        "rsync://me:s3cret@h.invalid/m",
    ] {
        let set = before.replace(
            "# upload = \"s3://bucket/prefix\"",
            &format!("upload = {place:?}"),
        );
        assert_ne!(set, before);
        for command in ["upload", "fetch"] {
            fs::write(&settings, &before).unwrap();
            quiet(&["-C", "p", command, place]);
            fs::write(&settings, &set).unwrap();
            quiet(&["-C", "p", command]);
        }
        fs::write(&settings, &before).unwrap();
        if place.contains("://") {
            quiet(&["-C", "q", "init", "--app", "a", "--plain", "--url", place]);
        }
    }
}

/// The keys of the S3 server.
const KEYS: [&str; 2] = ["AKEXAMPLE", "secret-example"];

#[test]
fn to_an_s3_compatible_store() {
    let sandbox = Sandbox::new();
    let folder = sandbox.path("store");
    let s3 = S3::start(&folder, Some(KEYS));
    let with_secret = |secret: &str, more: &[&str]| {
        let mut command = sandbox.command(&[&["upload", "s3://bucket/my/updates"], more].concat());
        s3.point(&mut command).env("AWS_ACCESS_KEY_ID", KEYS[0]);
        command.env("AWS_SECRET_ACCESS_KEY", secret);
        command
    };
    let upload = |more: &[&str]| notsotuf_tests::json(&mut with_secret(KEYS[1], more));
    two_releases(&sandbox, &upload);
    let there = folder.join("bucket/my/updates");
    assert_same_files(
        &sandbox.repository().join("metadata"),
        &there.join("metadata"),
    );
    assert_same_files(
        &sandbox.repository().join("targets"),
        &there.join("targets"),
    );
    // An interrupted upload is gone on with.
    let lost = fs::read_dir(there.join("targets")).unwrap().next().unwrap();
    let lost = lost.unwrap();
    fs::remove_file(lost.path()).unwrap();
    let again = upload(&[]);
    let name = lost.file_name().into_string().unwrap();
    let target = format!("targets/{name}");
    assert_eq!(again["uploaded"], json!([target]));
    // With the wrong secret it says where credentials come from, and not what
    // they are.
    let refused = run(&mut with_secret("wrong-secret", &[]));
    assert_eq!(refused.status.code(), Some(1));
    let said = String::from_utf8_lossy(&refused.stderr).into_owned()
        + &String::from_utf8_lossy(&refused.stdout);
    assert!(said.contains("Credentials are taken from"), "{said}");
    assert!(!said.contains("wrong-secret"), "{said}");
    // By a profile, as the tools of Amazon have them.
    let aws = sandbox.path(".aws");
    fs::create_dir(&aws).unwrap();
    let keys = "[ci]\naws_access_key_id = AKEXAMPLE\naws_secret_access_key = secret-example\n";
    fs::write(aws.join("credentials"), keys).unwrap();
    let config = format!(
        "[profile ci]\nregion = us-east-1\nendpoint_url = {}\n",
        s3.url
    );
    fs::write(aws.join("config"), config).unwrap();
    let mut command = sandbox.command(&["upload", "s3://bucket/my/updates"]);
    command
        .env("HOME", sandbox.path(""))
        .env("AWS_PROFILE", "ci");
    command.env("AWS_ALLOW_HTTP", "true");
    let by_profile = notsotuf_tests::json(&mut command);
    assert_eq!(by_profile["uploaded"], json!([]));
    // A client updates from what was uploaded.
    sandbox.ship("1.0");
    let server = notsotuf_tests::Server::start(&there);
    sandbox.point_to(&server.url);
    assert_eq!(sandbox.start_version(), "1.1", "{}", sandbox.log());
}

/// The client for Google Cloud Storage uses an interface that is that of S3 but for
/// who signs how. There is no server of Google's to be had, so this is the other
/// one, behind nginx, which takes Google's signature away.
#[test]
fn an_upload_to_google_cloud_storage_is_complete() {
    let sandbox = Sandbox::new();
    let folder = sandbox.path("store");
    let s3 = S3::start(&folder, None);
    let (address, place) = (free_address(), sandbox.path("nginx"));
    let more = format!(
        "client_max_body_size 0; location / {{ proxy_set_header Authorization \"\";\n\
         proxy_set_header Host $http_host; proxy_pass {}; }}\n",
        s3.url
    );
    let _nginx = nginx(&sandbox, &folder, &place, &address, &more);
    let account = sandbox.path("account.json");
    let text = json!({
        "gcs_base_url": format!("http://{address}"),
        "disable_oauth": true,
        "client_email": "",
        "private_key": "",
        "private_key_id": "",
    });
    fs::write(&account, text.to_string()).unwrap();
    let upload = |more: &[&str]| {
        let mut command = sandbox.command(&[&["upload", "gs://bucket/my/updates"], more].concat());
        command.env("GOOGLE_SERVICE_ACCOUNT", &account);
        notsotuf_tests::json(&mut command)
    };
    two_releases(&sandbox, &upload);
    let there = folder.join("bucket/my/updates");
    for part in ["metadata", "targets"] {
        assert_same_files(&sandbox.repository().join(part), &there.join(part));
    }
}

#[test]
#[ignore = "scripts/test-clouds"]
fn an_upload_to_azure_blob_storage_is_complete() {
    let sandbox = Sandbox::new();
    let program = root().join(".work/tools/azurite/node_modules/.bin/azurite-blob");
    let address = free_address();
    let port = address.rsplit(':').next().unwrap();
    let mut command = Command::new(program);
    command
        .args(["--blobHost", "127.0.0.1", "--blobPort", port])
        .args(["--skipApiVersionCheck", "--silent", "--location"])
        .arg(sandbox.path("azurite"));
    let _azurite = Daemon::start(&mut command, &address);
    let url = format!("http://{address}");
    let mut container = Command::new(root().join(".venv/bin/python"));
    container.arg(root().join("tests/python/azure_container.py"));
    let made = run(container.args([&url, "container"]));
    assert!(made.status.success(), "{made:?}");
    let command = |more: &[&str]| {
        let mut command =
            sandbox.command(&[&["upload", "az://container/my/updates"], more].concat());
        command
            .env("AZURE_STORAGE_USE_EMULATOR", "true")
            .env("AZURITE_BLOB_STORAGE_URL", &url)
            .env("AZURE_ALLOW_HTTP", "true");
        command
    };
    two_releases(&sandbox, &|more| notsotuf_tests::json(&mut command(more)));
    // With the wrong key it says where credentials come from.
    let wrong = "d3Jvbmcga2V5";
    let refused = run(command(&[]).env("AZURE_STORAGE_ACCOUNT_KEY", wrong));
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert_eq!(refused.status.code(), Some(1), "{said}");
    assert!(
        said.contains("taken from the environment: AZURE_STORAGE_ACCOUNT_NAME"),
        "{said}"
    );
    assert!(!said.contains(wrong), "{said}");
    // All that was sent can be had back, and what is gone is removed.
    assert_eq!(
        notsotuf_tests::json(&mut command(&[]))["uploaded"],
        json!([])
    );
    sandbox.bundler(&["remove-latest"]);
    sandbox.bundler(&["publish"]);
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
fn clients_update_from_nginx() {
    let sandbox = Sandbox::new();
    let folder = sandbox.path("published");
    let to = folder.to_str().unwrap().to_owned();
    two_releases(&sandbox, &|more| {
        sandbox.bundler(&[&["upload", &to], more].concat())
    });
    sandbox.ship("1.0");
    let (address, place) = (free_address(), sandbox.path("nginx"));
    let nginx = nginx(&sandbox, &folder, &place, &address, "");
    sandbox.point_to(&format!("http://{address}"));
    let first = sandbox.start_version();
    let second = sandbox.start_version();
    drop(nginx);
    assert_eq!(
        (first.as_str(), second.as_str()),
        ("1.1", "1.1"),
        "{}",
        sandbox.log()
    );
    let log = fs::read_to_string(place.join("log")).unwrap();
    assert!(log.contains("timestamp.json HTTP/1.1\" 304"), "{log}");
}

// ---- Never backwards, and one after the other ----

/// A project with a release that is uploaded, and jobs that start from a
/// checkout of it.
struct Jobs {
    sandbox: Sandbox,
    web: PathBuf,
}

impl Jobs {
    fn new() -> Self {
        let sandbox = Sandbox::new();
        let web = sandbox.path("web");
        let jobs = Jobs { sandbox, web };
        jobs.sandbox.release("1.0", &[]);
        jobs.sandbox.bundler(&["upload", text(&jobs.web)]);
        jobs
    }

    fn path(&self, job: &str) -> PathBuf {
        match job {
            "" => self.sandbox.path("project"),
            job => self.sandbox.path(job),
        }
    }

    /// The files that are under version control.
    fn checkout(&self, job: &str) {
        let folder = self.path(job);
        copy_tree(&self.path(""), &folder);
        for published in ["repository", ".notsotuf-pending"] {
            drop(fs::remove_dir_all(folder.join(published)));
        }
    }

    fn does(&self, job: &str, args: &[&str]) -> Value {
        notsotuf_tests::json(&mut bundler_in(&self.path(job), args))
    }

    fn fetch(&self, job: &str, more: &[&str]) -> Value {
        self.does(job, &[&["fetch", text(&self.web)], more].concat())
    }

    fn upload(&self, job: &str) -> Value {
        self.does(job, &["upload", text(&self.web)])
    }

    fn add(&self, job: &str, version: &str) {
        self.does(job, &["add", version, text(&bundle(version))]);
    }

    /// Must fail with this exit code, say this, and change nothing there.
    fn refused(&self, job: &str, args: &[&str], code: i32, words: &str) {
        let before = files(&self.web);
        let output = run(&mut bundler_in(&self.path(job), args));
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(code), "{job} {args:?}: {said}");
        assert!(said.contains(words), "{job} {args:?}: {said}");
        assert_eq!(files(&self.web), before, "{job} {args:?}");
    }
}

/// Two who start from one state: the second is refused, and goes on by `fetch`.
/// <https://github.com/sigstore/root-signing/issues/171>,
/// <https://github.com/repository-service-tuf/repository-service-tuf-worker/issues/491>,
/// <https://github.com/cleanunicorn/earheart/issues/10>
#[test]
fn of_two_jobs_the_second_is_refused_and_goes_on() {
    let jobs = Jobs::new();
    for job in ["nightly", "release"] {
        jobs.checkout(job);
        jobs.fetch(job, &[]);
    }
    jobs.does("nightly", &["renew"]);
    jobs.upload("nightly");
    jobs.add("release", "1.1");
    jobs.does("release", &["publish"]);
    let to = ["upload", text(&jobs.web)];
    jobs.refused("release", &to, 1, "notsotuf fetch");
    jobs.refused(
        "release",
        &["upload", text(&jobs.web), "--dry-run"],
        1,
        "same time",
    );
    // Also when it is one version ahead by now.
    jobs.does("release", &["renew"]);
    jobs.refused("release", &to, 1, "snapshot version 2");
    let fetched = jobs.fetch("release", &[]);
    assert_eq!(
        fetched["pending"],
        json!(["app-1.1.patch", "app-1.1.tar.gz"])
    );
    let published = jobs.does("release", &["publish"]);
    assert_eq!(published["versions"]["timestamp"], 3);
    jobs.upload("release");
    let server = Server::start(&jobs.web);
    let root = jobs.web.join("metadata/1.root.json");
    let verify = ["verify", "--url", &server.url, "--root", text(&root)];
    let audit = jobs.does("release", &verify);
    assert_eq!(
        (&audit["archives"], &audit["patches"]),
        (&json!(2), &json!(1))
    );
    // The first one has an old copy by now.
    jobs.does("nightly", &["renew"]);
    jobs.refused("nightly", &["upload", text(&jobs.web)], 1, "notsotuf fetch");
    jobs.does("nightly", &["upload", text(&jobs.web), "--force"]);
}

/// What is prepared goes on top of what somebody else published meanwhile.
#[test]
fn what_is_pending_loses_nothing_that_others_published() {
    let jobs = Jobs::new();
    jobs.checkout("other");
    jobs.fetch("other", &[]);
    jobs.add("", "1.2");
    jobs.add("other", "1.1");
    jobs.does("other", &["publish"]);
    jobs.upload("other");
    let fetched = jobs.fetch("", &[]);
    // Its patch would leave out 1.1.
    assert_eq!(fetched["pending"], json!(["app-1.2.tar.gz"]));
    jobs.does("", &["publish"]);
    jobs.upload("");
    jobs.fetch("", &["--all"]);
    let audit = jobs.does("", &["verify"]);
    assert_eq!(
        (&audit["archives"], &audit["problems"]),
        (&json!(3), &json!([]))
    );
    // The same version, twice.
    jobs.checkout("third");
    jobs.fetch("third", &[]);
    for job in ["", "third"] {
        let name = jobs.sandbox.path(&format!("bundle-{job}"));
        copy_tree(&bundle("1.3"), &name);
        fs::write(name.join("who"), job).unwrap();
        jobs.does(job, &["add", "1.3", text(&name), "--skip-patch"]);
    }
    jobs.does("", &["publish"]);
    jobs.upload("");
    let fetched = jobs.fetch("third", &[]);
    assert_eq!(fetched["dropped"], json!(["app-1.3.tar.gz"]));
}

/// Releases of 1.1 and 1.2 beside 1.0, and a job that starts from them.
fn three_releases() -> Jobs {
    let jobs = Jobs::new();
    for version in ["1.1", "1.2"] {
        jobs.add("", version);
    }
    jobs.does("", &["publish"]);
    jobs.upload("");
    jobs.checkout("job");
    jobs.fetch("job", &[]);
    jobs
}

impl Jobs {
    fn also_there(&self, args: &[&str]) {
        self.does("job", args);
        self.does("job", &["publish"]);
        self.upload("job");
    }

    /// What the newest targets metadata there says of targets, by path.
    fn listed(&self) -> Value {
        let newest = files(&self.web.join("metadata"))
            .into_keys()
            .filter_map(|path| {
                let name = path.file_name()?.to_str()?.strip_suffix(".targets.json")?;
                name.parse::<u64>().ok()
            })
            .max()
            .unwrap();
        let path = self.web.join(format!("metadata/{newest}.targets.json"));
        let text: Value = serde_json::from_slice(&fs::read(path).unwrap()).unwrap();
        text["signed"]["targets"].clone()
    }
}

/// Who withdraws a harmful release relies on it.
#[test]
fn a_withdrawal_survives_what_others_publish() {
    let to = |jobs: &Jobs| ["upload".to_owned(), text(&jobs.web).to_owned()];
    // They say something else of the release that tells of it; or they only
    // renew, while more than one publication waited here.
    for renews in [false, true] {
        let jobs = three_releases();
        jobs.does("", &["yank", "1.1"]);
        jobs.does("", &["publish"]);
        if renews {
            jobs.does("", &["rollout", "1.0", "50%"]);
            jobs.does("", &["publish"]);
            jobs.does("job", &["renew"]);
            jobs.also_there(&["renew"]);
        } else {
            jobs.also_there(&["rollout", "1.2", "1%"]);
        }
        let to = to(&jobs);
        jobs.refused("", &[&to[0], &to[1]], 1, "notsotuf fetch");
        let fetched = jobs.fetch("", &[]);
        assert_eq!(fetched["dropped"], json!([]), "{fetched}");
        jobs.does("", &["publish"]);
        jobs.upload("");
        let listed = jobs.listed();
        assert!(listed.get("app-1.1.tar.gz").is_none(), "{listed}");
        let newest = &listed["app-1.2.tar.gz"]["custom"]["tufup"];
        assert_eq!(newest["withdrawn"], json!(["1.1"]));
        assert_eq!(newest["rollout"].is_null(), renews, "{newest}");
        let oldest = &listed["app-1.0.tar.gz"]["custom"]["tufup"];
        assert_eq!(oldest["rollout"].is_null(), !renews, "{oldest}");
    }
}

/// Nobody is to find out by the size of what users fetch.
#[test]
fn a_patch_that_starts_from_another_release_by_now_is_told() {
    let jobs = Jobs::new();
    jobs.checkout("job");
    jobs.fetch("job", &[]);
    jobs.add("", "1.2");
    jobs.also_there(&["add", "1.1", text(&bundle("1.1"))]);
    let fetched = jobs.fetch("", &[]);
    assert_eq!(fetched["dropped"], json!(["app-1.2.patch"]), "{fetched}");
    // As it says.
    fs::remove_dir_all(jobs.path("").join(".notsotuf-pending")).unwrap();
    jobs.add("", "1.2");
    jobs.does("", &["publish"]);
    jobs.upload("");
    let patch = &jobs.listed()["app-1.2.patch"];
    assert_eq!(patch["custom"]["tufup"]["from"], "1.1", "{patch}");
}

/// A release that is tried in another place first, while production goes on.
#[test]
fn what_was_uploaded_elsewhere_is_not_lost_by_a_forced_fetch() {
    let jobs = Jobs::new();
    jobs.checkout("job");
    jobs.fetch("job", &[]);
    jobs.add("", "1.1");
    jobs.does("", &["publish"]);
    let trial = jobs.path("trial");
    jobs.does("", &["upload", text(&trial)]);
    jobs.also_there(&["renew"]);
    let to = text(&jobs.web);
    jobs.refused("", &["upload", to], 1, "notsotuf fetch");
    jobs.refused("", &["fetch", to], 3, "uploaded elsewhere");
    let fetched = jobs.fetch("", &["--force"]);
    let pending = fetched["pending"].as_array().unwrap();
    assert!(pending.contains(&json!("app-1.1.tar.gz")), "{fetched}");
    assert_eq!(fetched["dropped"], json!([]), "{fetched}");
    jobs.does("", &["publish"]);
    jobs.upload("");
    assert!(jobs.listed().get("app-1.1.tar.gz").is_some());
}

/// What `add` would refuse by now is not published either.
#[test]
fn what_is_prepared_is_checked_against_what_others_published() {
    let jobs = Jobs::new();
    jobs.checkout("job");
    jobs.fetch("job", &[]);
    let prepare = |version: &str| jobs.add("", version);
    // Withdrawn meanwhile.
    prepare("1.1");
    jobs.also_there(&["add", "1.1", text(&bundle("1.2"))]);
    jobs.also_there(&["yank", "1.1"]);
    let fetched = jobs.fetch("", &[]);
    assert_eq!(fetched["dropped"], json!(["app-1.1.tar.gz"]), "{fetched}");
    assert_eq!(jobs.does("", &["status"])["pending"]["added"], json!([]));
    // Older than what there is meanwhile.
    prepare("1.2");
    jobs.also_there(&["add", "1.3", text(&bundle("1.3"))]);
    // In a shared folder nothing is fetched: it is refused.
    let shared = jobs.path("shared");
    copy_tree(&jobs.path("job"), &shared);
    let pending = ".notsotuf-pending";
    copy_tree(&jobs.path("").join(pending), &shared.join(pending));
    let words = "version 1.2 is not newer than 1.3";
    jobs.refused("shared", &["publish"], 1, words);
    jobs.does("shared", &["renew"]);
    let fetched = jobs.fetch("", &[]);
    assert_eq!(fetched["dropped"], json!(["app-1.2.tar.gz"]), "{fetched}");
    jobs.does("", &["publish"]);
    jobs.upload("");
    assert!(jobs.listed().get("app-1.2.tar.gz").is_none());
}

impl Jobs {
    /// Puts another key in the place of that of a role, in a draft.
    fn replaces(&self, role: &str) {
        let new = format!("{role}-2");
        self.does("", &["keys", "create", &new, "--plain"]);
        self.does("", &["keys", "replace", role, &new]);
    }
}

#[test]
fn a_root_that_was_never_uploaded_is_pending_again() {
    let jobs = Jobs::new();
    jobs.checkout("job");
    jobs.fetch("job", &[]);
    jobs.replaces("timestamp");
    jobs.does("", &["publish"]);
    // Nothing happened there: it is just uploaded.
    assert_eq!(jobs.fetch("", &[])["newer_here"], true);
    jobs.does("job", &["renew"]);
    jobs.also_there(&["renew"]);
    jobs.refused("", &["upload", text(&jobs.web)], 1, "notsotuf fetch");
    let fetched = jobs.fetch("", &[]);
    assert_eq!(fetched["pending_root"], 2, "{fetched}");
    assert!(
        !jobs
            .path("")
            .join("repository/metadata/2.root.json")
            .exists()
    );
    let published = jobs.does("", &["publish"]);
    assert_eq!(published["versions"]["root"], 2);
    jobs.upload("");
    assert_eq!(jobs.fetch("job", &[])["versions"]["root"], 2);
}

/// The old one may have been stolen.
#[test]
fn what_a_replaced_targets_key_signed_is_not_taken_unseen() {
    let jobs = Jobs::new();
    jobs.checkout("job");
    jobs.fetch("job", &[]);
    jobs.replaces("targets");
    jobs.does("", &["publish"]);
    // As long as there is nothing new of it, nobody has to look.
    jobs.does("job", &["renew"]);
    jobs.also_there(&["renew"]);
    assert_eq!(jobs.fetch("", &[])["pending_root"], 2);
    jobs.does("", &["publish"]);
    jobs.also_there(&["add", "1.1", text(&bundle("1.1"))]);
    let fetch = ["fetch", text(&jobs.web)];
    jobs.refused("", &fetch, 3, "has other keys for them");
    let fetched = jobs.fetch("", &["--force"]);
    assert_eq!(fetched["pending_root"], 2, "{fetched}");
    jobs.does("", &["publish"]);
    jobs.upload("");
    assert!(jobs.listed().get("app-1.1.tar.gz").is_some());
}

/// Else a stolen key stays in force, and nobody knows.
#[test]
fn a_drafted_root_that_another_one_overtook_is_never_forgotten() {
    let jobs = Jobs::new();
    jobs.checkout("job");
    jobs.fetch("job", &[]);
    jobs.replaces("timestamp");
    jobs.does("job", &["renew", "--root"]);
    jobs.upload("job");
    let words = "was made on top of another root";
    let fetched = jobs.fetch("", &[]);
    assert!(fetched["stale_root"].to_string().contains(words));
    let replace = ["keys", "replace", "timestamp", "timestamp-2"];
    for args in [&["publish"][..], &["status"], &replace] {
        jobs.refused("", args, 1, words);
    }
    // It is not in the way of what must go on.
    let renewed = jobs.does("", &["renew"]);
    assert!(renewed["warnings"].to_string().contains(words));
    jobs.upload("");
    // As the message says.
    let draft = jobs.path("").join(".notsotuf-pending/root.json");
    fs::remove_file(draft).unwrap();
    jobs.does("", &replace);
    assert_eq!(jobs.does("", &["publish"])["versions"]["root"], 3);
}

#[test]
fn another_repository_is_left_alone() {
    let jobs = Jobs::new();
    let other = Sandbox::new();
    other.release("1.0", &[]);
    let before = files(&jobs.web);
    let output = run(&mut other.command(&["upload", text(&jobs.web)]));
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("1.root.json"), "{said}");
    assert_eq!(files(&jobs.web), before);
}

/// From a checkout without the targets.
/// <https://github.com/velopack/velopack/issues/205>
#[test]
fn a_thin_checkout_removes_nothing_that_is_listed() {
    let jobs = Jobs::new();
    let old = jobs.path("old");
    copy_tree(&jobs.web, &old);
    jobs.checkout("thin");
    jobs.fetch("thin", &[]);
    fs::remove_dir_all(jobs.path("thin").join("repository/targets")).unwrap();
    let bundle = bundle("1.1");
    jobs.does("thin", &["add", "1.1", text(&bundle), "--skip-patch"]);
    jobs.does("thin", &["publish"]);
    let done = jobs.does("thin", &["upload", text(&jobs.web), "--delete"]);
    assert_eq!(done["removed"], json!([]));
    // What is neither here nor there is told before anything is written.
    fs::remove_dir_all(jobs.web.join("targets")).unwrap();
    jobs.refused("thin", &["upload", text(&jobs.web)], 1, "app-1.0.tar.gz");
    let nowhere = jobs.sandbox.path("nowhere");
    jobs.refused(
        "thin",
        &["upload", text(&nowhere), "--dry-run"],
        1,
        "neither here nor",
    );
    assert!(!nowhere.exists());
    // A damaged one here does not go over a sound one there.
    copy_tree(&old.join("targets"), &jobs.web.join("targets"));
    let targets = jobs.path("thin").join("repository/targets");
    for entry in fs::read_dir(targets).unwrap() {
        let path = entry.unwrap().path();
        let mut content = fs::read(&path).unwrap();
        content[100] ^= 1;
        fs::write(path, content).unwrap();
    }
    jobs.refused(
        "thin",
        &["upload", text(&jobs.web)],
        3,
        "does not match its sha256 hash",
    );
}

#[test]
fn what_is_not_published_is_told() {
    let jobs = Jobs::new();
    assert_eq!(jobs.upload("")["pending"], json!([]));
    jobs.add("", "1.1");
    let expected = json!(["app-1.1.patch", "app-1.1.tar.gz"]);
    assert_eq!(jobs.upload("")["pending"], expected);
}

// ---- Fetching ----

#[test]
fn a_fresh_checkout_fetches_what_the_next_patch_needs() {
    let jobs = Jobs::new();
    for version in ["1.1", "1.2"] {
        jobs.add("", version);
        jobs.does("", &["publish"]);
    }
    jobs.upload("");
    let server = Server::start(&jobs.web);
    let rsync = format!("rsync:{}", jobs.web.display());
    for (job, from) in [("one", &server.url), ("two", &rsync)] {
        jobs.checkout(job);
        let fetched = jobs.does(job, &["fetch", from]);
        assert_eq!(fetched["targets"], json!(["app-1.2.tar.gz"]), "{from}");
        let add = ["add", "1.3", text(&bundle("1.3"))].map(str::to_owned);
        let added = jobs.does(job, &add.each_ref().map(String::as_str));
        assert_eq!(added["patch"]["from"], "1.2");
        // Nothing comes twice.
        let again = jobs.does(job, &["fetch", from, "--all"]);
        assert_eq!(
            (&again["unchanged"], &again["metadata"]),
            (&json!(1), &json!([]))
        );
        assert_eq!(list(&again["targets"]).len(), 4);
        let verified = run(&mut bundler_in(&jobs.path(job), &["verify"]));
        assert!(verified.status.success(), "{verified:?}");
    }
    // What is newer here stays.
    jobs.does("one", &["publish"]);
    let before = files(&jobs.path("one").join("repository"));
    let fetched = jobs.does("one", &["fetch", &server.url]);
    assert_eq!(fetched["newer_here"], true);
    assert_eq!(files(&jobs.path("one").join("repository")), before);
}

#[test]
fn a_download_is_gone_on_with() {
    let jobs = Jobs::new();
    let server = Server::start(&jobs.web);
    jobs.checkout("job");
    let name = fs::read_dir(jobs.web.join("targets"))
        .unwrap()
        .next()
        .unwrap();
    let name = name.unwrap().file_name().into_string().unwrap();
    let content = fs::read(jobs.web.join("targets").join(&name)).unwrap();
    let part = jobs.path("job").join(".notsotuf-pending/fetch");
    fs::create_dir_all(&part).unwrap();
    fs::write(part.join(&name), &content[..content.len() / 2]).unwrap();
    jobs.does("job", &["fetch", &server.url]);
    let wanted = format!("206 GET /targets/{name}");
    assert!(server.requests().contains(&wanted));
    let there = jobs.path("job").join("repository/targets").join(&name);
    assert_eq!(fs::read(&there).unwrap(), content);
    assert!(!part.exists());
    // A part that is something else is dropped.
    fs::remove_file(&there).unwrap();
    fs::create_dir_all(&part).unwrap();
    fs::write(part.join(&name), "something else").unwrap();
    jobs.does("job", &["fetch", &server.url]);
    assert_eq!(fs::read(&there).unwrap(), content);
}

#[test]
fn nothing_is_fetched_that_the_keys_did_not_sign_or_that_is_old() {
    let jobs = Jobs::new();
    let old = jobs.sandbox.path("old");
    copy_tree(&jobs.web, &old);
    jobs.add("", "1.1");
    jobs.does("", &["publish"]);
    jobs.upload("");
    jobs.checkout("job");
    // An old state, in the place of what was published.
    jobs.refused("job", &["fetch", text(&old)], 3, "is an old state");
    assert!(
        !jobs
            .path("job")
            .join("repository/metadata/timestamp.json")
            .exists()
    );
    let forced = jobs.does("job", &["fetch", text(&old), "--force"]);
    assert_eq!(forced["versions"]["timestamp"], 1);
    // Somebody else's, and nothing at all.
    let other = Sandbox::new();
    other.release("1.0", &[]);
    jobs.refused(
        "job",
        &["fetch", text(&other.repository())],
        3,
        "keys of this project",
    );
    let nothing = jobs.sandbox.path("nothing");
    jobs.refused("job", &["fetch", text(&nothing)], 1, "nothing is published");
    assert!(!nothing.exists());
    // Each file, changed by one who has no key.
    for file in ["2.targets.json", "2.snapshot.json", "timestamp.json"] {
        let path = jobs.web.join("metadata").join(file);
        let sound = fs::read_to_string(&path).unwrap();
        let expires = sound.split("\"expires\":\"20").nth(1).unwrap()[..2].to_owned();
        let changed = sound.replace(&format!("\"expires\":\"20{expires}"), "\"expires\":\"2099");
        assert_ne!(changed, sound);
        fs::write(&path, changed).unwrap();
        jobs.checkout(file);
        jobs.refused(file, &["fetch", text(&jobs.web)], 3, "keys of this project");
        fs::write(&path, sound).unwrap();
    }
    // A target that is another.
    jobs.checkout("last");
    for entry in fs::read_dir(jobs.web.join("targets")).unwrap() {
        let path = entry.unwrap().path();
        let mut content = fs::read(&path).unwrap();
        content[50] ^= 1;
        fs::write(path, content).unwrap();
    }
    jobs.refused("last", &["fetch", text(&jobs.web)], 3, "hash");
    // Without a pin, nothing can be trusted.
    fs::remove_file(jobs.path("last").join("notsotuf-root.json")).unwrap();
    jobs.refused("last", &["fetch", text(&jobs.web)], 1, "--root");
}

/// Files beside metadata that are none, a private key among them.
#[test]
fn only_metadata_and_targets_are_sent_and_served() {
    use notsotuf_tests::release::Desk;
    let desk = Desk::with_project();
    let key = fs::read(desk.path("p/keystore/root.pem")).unwrap();
    let foreign = ["root.pem", "root", "key.json", "notes.txt", "1.old.json"];
    for name in foreign {
        fs::write(desk.path("p/repository/metadata").join(name), &key).unwrap();
    }
    fs::write(desk.path("p/repository/targets/key"), &key).unwrap();
    let done = desk.json(&["-C", "p", "upload", "web"]);
    let left_out = list(&done["left_out"]);
    for name in foreign {
        assert!(left_out.contains(&format!("metadata/{name}")), "{done}");
        assert!(!desk.path("web/metadata").join(name).exists(), "{name}");
    }
    assert!(desk.path("web/metadata/1.root.json").exists());

    let mut serve = desk.command(&["-C", "p", "serve", "--port", "0"]);
    let mut serve = serve.stdout(std::process::Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    let out = serve.stdout.take().unwrap();
    std::io::BufRead::read_line(&mut std::io::BufReader::new(out), &mut line).unwrap();
    let url = line.split_whitespace().last().unwrap().to_owned();
    let status = |path: &str| {
        let url = format!("{url}/{path}");
        let args = ["-s", "-o", "/dev/null", "-w", "%{http_code}", &url];
        let done = run(Command::new("curl").args(args));
        String::from_utf8(done.stdout).unwrap()
    };
    let found = [
        "metadata/root.pem",
        "metadata/notes.txt",
        "metadata/key.json",
        "targets/key",
    ]
    .map(status);
    let metadata = status("metadata/1.root.json");
    serve.kill().unwrap();
    serve.wait().unwrap();
    assert_eq!(found, ["404"; 4]);
    assert_eq!(metadata, "200");
}

/// `publish` moves the files of a release first. Where it is interrupted then, and
/// the release is taken back, nobody is to get them.
#[test]
fn a_release_that_was_taken_back_is_not_uploaded() {
    use notsotuf_tests::release::Desk;
    for by_hand in [false, true] {
        let desk = Desk::with_project();
        desk.must(&["-C", "p", "upload", "web"]);
        desk.must(&["-C", "p", "add", "1.1", "b"]);
        let pending = desk.path("p/.notsotuf-pending");
        let entries: Value =
            serde_json::from_slice(&fs::read(pending.join("targets.json")).unwrap()).unwrap();
        for file in files(&pending.join("files")).into_keys() {
            let name = file.file_name().unwrap().to_str().unwrap();
            let hash = entries[name]["hashes"]["sha256"].as_str().unwrap();
            let to = desk
                .path("p/repository/targets")
                .join(format!("{hash}.{name}"));
            fs::rename(&file, to).unwrap();
        }
        if by_hand {
            // As `doctor` says.
            fs::remove_dir_all(&pending).unwrap();
        } else {
            desk.must(&["-C", "p", "remove-latest"]);
        }
        let is_new = |path: &PathBuf| path.to_str().unwrap().contains("hello-1.1");
        let left = files(&desk.path("p/repository")).into_keys().filter(is_new);
        assert_eq!(left.count() > 0, by_hand);
        desk.must(&["-C", "p", "publish"]);
        let done = desk.json(&["-C", "p", "upload", "web"]);
        assert_eq!(list(&done["left_out"]).is_empty(), !by_hand, "{done}");
        assert!(!files(&desk.path("web")).keys().any(is_new), "{done}");
        // What is published still goes.
        desk.must(&["-C", "p", "verify"]);
        desk.must(&["-C", "p", "upload", "other"]);
        assert!(
            files(&desk.path("other"))
                .keys()
                .any(|path| { path.to_str().unwrap().ends_with("hello-1.0.tar.gz") })
        );
    }
}

#[test]
fn what_an_interrupted_upload_left_is_swept() {
    use notsotuf_tests::release::Desk;
    let desk = Desk::with_project();
    desk.must(&["-C", "p", "upload", "web"]);
    let archive = files(&desk.path("web/targets")).into_keys().next().unwrap();
    let left = [
        format!("{}#1", archive.display()).into(),
        desk.path("web/metadata/timestamp.json#2"),
    ];
    for path in &left {
        fs::write(path, "half").unwrap();
    }
    fs::write(desk.path("web/targets/track#1"), "of somebody else").unwrap();
    let dry = desk.json(&["-C", "p", "upload", "web", "--dry-run"]);
    assert_eq!(list(&dry["removed"]).len(), 2, "{dry}");
    assert!(left.iter().all(|path| path.exists()));
    let done = desk.json(&["-C", "p", "upload", "web"]);
    assert_eq!(done["removed"], dry["removed"]);
    assert!(!left.iter().any(|path| path.exists()));
    assert!(desk.path("web/targets/track#1").exists());
}
