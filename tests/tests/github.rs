//! Uploading to GitHub and fetching from there, and what clients then get: against a
//! server that stands in for it.

use notsotuf_tests::github::GitHub;
use notsotuf_tests::{Sandbox, bundle, bundler_in, json, run};
use serde_json::{Value, json};
use std::fs;
use std::path::Path;
use std::process::{Command, Output};

/// A project that is published at GitHub.
struct Scene {
    sandbox: Sandbox,
    github: GitHub,
}

impl Scene {
    fn new() -> Self {
        let (sandbox, github) = (Sandbox::new(), GitHub::start());
        let folder = sandbox.path("project");
        fs::remove_dir_all(&folder).unwrap();
        let scene = Scene { sandbox, github };
        scene.must(&["init", "--app", "app", "--plain", "--url", "github:me/app"]);
        scene
    }

    /// With a release that is published here, and not uploaded.
    fn with_release() -> Self {
        let scene = Scene::new();
        scene.sandbox.release("1.0", &[]);
        scene
    }

    fn command(&self, folder: &Path, args: &[&str]) -> Command {
        let mut command = bundler_in(folder, args);
        self.github.point(&mut command);
        command
    }

    fn must(&self, args: &[&str]) -> Value {
        json(&mut self.command(&self.sandbox.path("project"), args))
    }

    fn run(&self, args: &[&str]) -> Output {
        run(&mut self.command(&self.sandbox.path("project"), args))
    }

    /// Runs the bundler, which must fail; what it says.
    fn fails(&self, args: &[&str]) -> String {
        let output = self.run(args);
        assert_eq!(output.status.code(), Some(1), "{args:?}: {output:?}");
        String::from_utf8(output.stdout).unwrap() + &String::from_utf8(output.stderr).unwrap()
    }

    /// Changes of the repository that were asked for.
    fn changes(&self) -> Vec<String> {
        let mut requests = self.github.requests();
        requests.retain(|line| !line.starts_with("GET") && !line.starts_with("objects"));
        requests
    }

    fn assets(&self) -> Vec<String> {
        let state = self.github.state();
        let assets = state["assets"].as_object().unwrap();
        assert!(
            assets.values().all(|state| state == "uploaded"),
            "{assets:?}"
        );
        assets.keys().cloned().collect()
    }
}

fn ends_with(names: &[String], end: &str) -> bool {
    names.iter().any(|name| name.ends_with(end))
}

#[test]
fn users_update_from_a_branch_and_a_release() {
    let scene = Scene::with_release();
    let sandbox = &scene.sandbox;
    let uploaded = scene.must(&["upload", "--verify"]);
    assert_eq!(uploaded["to"], "github:me/app");
    assert_eq!(uploaded["problems"], json!([]));
    assert_eq!(uploaded["url"], Value::Null, "clients look there");
    scene.must(&[
        "ship",
        "--output",
        sandbox.path("install").to_str().unwrap(),
    ]);
    sandbox.release("1.1", &[]);
    let second = scene.must(&["upload"]);
    assert!(second["uploaded"].to_string().contains("app-1.1.patch"));
    assert!(!second["uploaded"].to_string().contains("app-1.0.tar.gz"));
    // A client takes the patch, from where the release leads it.
    assert_eq!(sandbox.start_version(), "1.1", "{}", sandbox.log());
    let requests = scene.github.requests();
    let patches = requests.iter().filter(|line| line.starts_with("objects"));
    assert!(patches.count() > 0, "{requests:?}");
    // One commit for each upload, whatever it brought.
    let state = scene.github.state();
    let commits = [
        "Publish metadata with timestamp 2",
        "Publish metadata with timestamp 1",
    ];
    assert_eq!(state["commits"], json!(commits));
    assert!(state["files"]["metadata/timestamp.json"].is_string());
    assert!(ends_with(&scene.assets(), "app-1.1.patch"));
    // No more changes: nothing to send.
    let changes = scene.changes();
    let third = scene.must(&["upload"]);
    assert_eq!(third["uploaded"], json!([]));
    assert_eq!(scene.changes(), changes);
}

#[test]
fn the_token_reaches_the_api_and_nothing_else() {
    let scene = Scene::with_release();
    let mut said = scene.run(&["-v", "upload"]);
    scene.sandbox.release("1.1", &[]);
    let fresh = scene.sandbox.path("fresh");
    fs::create_dir(&fresh).unwrap();
    for name in ["notsotuf-project.toml", "notsotuf-root.json"] {
        fs::copy(scene.sandbox.path("project").join(name), fresh.join(name)).unwrap();
    }
    let fetched = run(&mut scene.command(&fresh, &["-v", "fetch"]));
    assert!(fetched.status.success(), "{fetched:?}");
    let given = scene.github.given_to_objects();
    assert!(
        !given.is_empty() && given.iter().all(Value::is_null),
        "{given:?}"
    );
    // Nor into what is written: not when it is wrong, either.
    let mut wrong = scene.command(&scene.sandbox.path("project"), &["-v", "upload"]);
    let refused = run(wrong.env("GITHUB_TOKEN", "ghp_secret_but_wrong"));
    assert_eq!(refused.status.code(), Some(1));
    for output in [&said, &fetched, &refused] {
        for text in [&output.stdout, &output.stderr] {
            let text = String::from_utf8_lossy(text);
            assert!(!text.contains("ghp_"), "{text}");
        }
    }
    let told = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(
        told.contains("Bad credentials") && told.contains("the token is wrong"),
        "{told}"
    );
    // One for this program alone counts more.
    let mut own = scene.command(&scene.sandbox.path("project"), &["upload"]);
    own.env("GITHUB_TOKEN", "wrong")
        .env("NOTSOTUF_GITHUB_TOKEN", GitHub::TOKEN);
    said = run(&mut own);
    assert!(said.status.success(), "{said:?}");
    // It is not sent where others could read it.
    let mut plain = scene.command(&scene.sandbox.path("project"), &["upload"]);
    let refused = run(plain.env("GITHUB_API_URL", "http://github.example.com"));
    assert!(
        String::from_utf8_lossy(&refused.stderr).contains("https://"),
        "{refused:?}"
    );
}

#[test]
fn of_two_uploads_at_once_the_second_is_refused() {
    let scene = Scene::with_release();
    // Before there is a branch, and after.
    for version in ["1.1", "1.2"] {
        scene.github.set(&json!({ "race": "somebody else's" }));
        let said = scene.fails(&["upload", "--force"]);
        assert!(said.contains("was quicker"), "{said}");
        let state = scene.github.state();
        assert_eq!(state["commits"][0], "somebody else", "{state}");
        scene.must(&["upload", "--force"]);
        scene.sandbox.release(version, &[]);
    }
}

#[test]
fn an_upload_that_broke_off_is_resumed() {
    let scene = Scene::with_release();
    // A file that was announced and did not arrive is sent again, in the same run …
    scene.github.set(&json!({ "lost": 2 }));
    scene.must(&["upload", "--verify"]);
    let before = scene.assets();
    scene.sandbox.release("1.1", &[]);
    // … and in the next one.
    scene.github.set(&json!({ "lost": 3 }));
    let said = scene.fails(&["upload"]);
    assert!(said.contains("status 502"), "{said}");
    assert_eq!(scene.github.state()["commits"].as_array().unwrap().len(), 1);
    scene.must(&["upload", "--verify"]);
    assert!(scene.assets().len() > before.len());
    // Servers fail, too.
    scene.sandbox.release("1.2", &[]);
    let faults = json!([["POST", "/git/trees", 500, {}], ["GET", "/assets", 503, {}]]);
    scene.github.set(&json!({ "faults": faults }));
    scene.must(&["upload", "--verify"]);
}

#[test]
fn whoever_asks_too_often_waits() {
    let scene = Scene::with_release();
    let soon = json!({ "retry-after": "1" });
    let faults = json!([
        ["GET", "/git/ref", 429, soon],
        ["POST", "/git/blobs", 403, soon],
        ["POST", "/releases", 403, soon],
        ["POST", "/assets", 403, soon],
    ]);
    scene.github.set(&json!({ "faults": faults }));
    scene.must(&["upload"]);
    scene.sandbox.release("1.1", &[]);
    let before = scene.github.state()["refs"].clone();
    for (path, headers) in [
        ("/assets", json!({ "retry-after": "3600" })),
        ("/git/commits", json!({ "retry-after": "3600" })),
        (
            "/git/trees",
            json!({ "x-ratelimit-remaining": "0", "x-ratelimit-reset": "99999999999" }),
        ),
    ] {
        scene
            .github
            .set(&json!({ "faults": [["POST", path, 403, headers]] }));
        let said = scene.fails(&["upload"]);
        assert!(
            said.contains("asked too often") && said.contains("minutes"),
            "{said}"
        );
        assert_eq!(scene.github.state()["refs"], before);
    }
    scene.must(&["upload", "--verify"]);
}

#[test]
fn what_github_would_not_keep_is_refused_before_anything_is_sent() {
    let scene = Scene::with_release();
    scene.must(&["upload"]);
    scene.sandbox.add("1!2.0", &bundle("1.1"), &[]);
    scene.must(&["publish"]);
    let changes = scene.changes();
    for args in [&["upload"][..], &["upload", "--dry-run"]] {
        let said = scene.fails(args);
        assert!(said.contains("1!2.0") && said.contains("epoch"), "{said}");
    }
    assert_eq!(scene.changes(), changes);
    // A local version keeps its name, + and all, and users find it.
    scene.must(&["remove-latest"]);
    scene.must(&["publish"]);
    scene.sandbox.add("1.1+local.1", &bundle("1.1"), &[]);
    scene.must(&["publish"]);
    scene.must(&["upload", "--verify"]);
    assert!(
        ends_with(&scene.assets(), "app-1.1+local.1.tar.gz"),
        "{:?}",
        scene.assets()
    );
}

#[test]
fn a_release_that_is_full_is_told_before_anything_is_sent() {
    let scene = Scene::with_release();
    // With the archive of 1.0 it is full; ours is on the last of ten pages.
    scene.github.set(&json!({ "others": 999 }));
    scene.must(&["upload"]);
    assert_eq!(scene.must(&["upload"])["uploaded"], json!([]));
    scene.sandbox.release("1.1", &[]);
    let changes = scene.changes();
    let said = scene.fails(&["upload"]);
    assert!(said.contains("1000") && said.contains("prune"), "{said}");
    assert_eq!(scene.changes(), changes);
    // What is no release can still be published.
    scene.must(&["remove-latest"]);
    scene.must(&["publish"]);
    scene.must(&["upload"]);
}

#[test]
fn old_releases_are_removed_on_request() {
    let scene = Scene::with_release();
    scene.must(&["upload"]);
    for version in ["1.1", "1.2"] {
        scene.sandbox.release(version, &[]);
        scene.must(&["upload"]);
    }
    scene.must(&["prune", "--keep", "1"]);
    scene.must(&["publish"]);
    let kept = scene.must(&["upload"]);
    assert!(kept["extra"].as_array().unwrap().len() > 2, "{kept}");
    assert!(ends_with(&scene.assets(), "app-1.0.tar.gz"));
    let removed = scene.must(&["upload", "--delete", "--verify"]);
    assert!(
        removed["removed"].to_string().contains("app-1.0.tar.gz"),
        "{removed}"
    );
    assert!(!ends_with(&scene.assets(), "app-1.0.tar.gz"));
    assert!(ends_with(&scene.assets(), "app-1.2.tar.gz"));
}

#[test]
fn what_stands_in_the_way_is_named() {
    let scene = Scene::with_release();
    let project = scene.sandbox.path("project");
    let says = |command: &mut Command| {
        let output = run(command);
        assert_eq!(output.status.code(), Some(1), "{output:?}");
        String::from_utf8_lossy(&output.stderr).into_owned()
    };
    let said = says(
        scene
            .command(&project, &["upload"])
            .env_remove("GITHUB_TOKEN"),
    );
    assert!(
        said.contains("NOTSOTUF_GITHUB_TOKEN") && said.contains("contents: write"),
        "{said}"
    );
    let said = scene.fails(&["upload", "github:me/other"]);
    assert!(
        said.contains("there is no repository github:me/other"),
        "{said}"
    );
    for (state, words) in [
        (json!({ "empty": true }), "push a first commit"),
        (json!({ "empty": false, "private": true }), "is private"),
        (json!({ "private": false, "moved": "me/new" }), "renamed"),
        (
            json!({ "moved": null, "read_only": true }),
            "contents: write",
        ),
    ] {
        scene.github.set(&state);
        let said = scene.fails(&["upload"]);
        assert!(said.contains(words), "{state}: {said}");
        assert_eq!(scene.github.state()["refs"], json!({}), "{state}");
    }
    for wrong in [
        "github:me",
        "github:me/app/x/y",
        "github://me/app",
        "github:me/a b",
    ] {
        let said = scene.fails(&["upload", wrong]);
        assert!(said.contains("github:owner/repository"), "{said}");
    }
    scene.github.set(&json!({ "read_only": false }));
    scene.must(&["upload"]);
}

#[test]
fn a_fresh_checkout_fetches_what_the_keys_signed_and_nothing_else() {
    let scene = Scene::with_release();
    scene.must(&["upload"]);
    let fresh = |name: &str| {
        let folder = scene.sandbox.path(name);
        fs::create_dir(&folder).unwrap();
        for name in ["notsotuf-project.toml", "notsotuf-root.json"] {
            fs::copy(scene.sandbox.path("project").join(name), folder.join(name)).unwrap();
        }
        folder
    };
    // Everybody may read what is public.
    let folder = fresh("one");
    let fetched = json(
        scene
            .command(&folder, &["fetch"])
            .env_remove("GITHUB_TOKEN"),
    );
    assert!(
        fetched["targets"].to_string().contains("app-1.0.tar.gz"),
        "{fetched}"
    );
    // As clients see it: from two places.
    let settings = folder.join("notsotuf-project.toml");
    let text = fs::read_to_string(&settings).unwrap();
    let url = text
        .lines()
        .find_map(|line| line.strip_prefix("url = "))
        .unwrap();
    let folder = fresh("two");
    let fetched = json(&mut scene.command(&folder, &["fetch", url.trim_matches('"')]));
    assert!(
        fetched["targets"].to_string().contains("app-1.0.tar.gz"),
        "{fetched}"
    );
    scene
        .github
        .tamper("metadata/1.targets.json", "app-1.0", "app-6.6");
    let refused = run(&mut scene.command(&fresh("three"), &["fetch"]));
    assert_eq!(refused.status.code(), Some(3), "{refused:?}");
    let said = scene.fails(&["upload"]);
    assert!(said.contains("nothing was changed"), "{said}");
}

#[test]
fn verification_waits_for_the_caches() {
    let scene = Scene::with_release();
    scene.must(&["upload", "--verify"]);
    scene.sandbox.release("1.1", &[]);
    scene.github.set(&json!({ "stale": 1 }));
    let checked = scene.must(&["upload", "--verify"]);
    assert_eq!(checked["problems"], json!([]));
    // Control: without the time to wait, it is not there yet.
    scene.sandbox.release("1.2", &[]);
    scene.must(&["upload"]);
    scene.github.set(&json!({ "stale": 5 }));
    let settings = fs::read_to_string(scene.sandbox.path("project/notsotuf-project.toml")).unwrap();
    let url = settings
        .lines()
        .find_map(|line| line.strip_prefix("url = "))
        .unwrap();
    let early = scene.run(&["verify", "--url", url.trim_matches('"')]);
    assert_eq!(early.status.code(), Some(3), "{early:?}");
}

#[test]
fn the_settings_that_belong_to_it_are_told() {
    let scene = Scene::with_release();
    let settings = scene.sandbox.path("project/notsotuf-project.toml");
    let right = fs::read_to_string(&settings).unwrap();
    assert!(right.contains("upload = \"github:me/app\""), "{right}");
    let wrong = right.replace("/releases/download/updates", "/releases/download/other");
    fs::write(&settings, wrong).unwrap();
    let said = scene.must(&["upload"]);
    let url = &scene.github.url;
    assert_eq!(said["url"], format!("{url}/raw/me/app/updates"));
    let targets = format!("{url}/me/app/releases/download/updates");
    assert_eq!(said["targets_url"], targets);
    fs::write(&settings, right).unwrap();
    assert_eq!(scene.must(&["upload"])["url"], Value::Null);
}
