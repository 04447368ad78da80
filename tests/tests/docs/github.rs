//! The document for a project at GitHub, against a server that stands in for it.

use crate::{Scene, application, run_workflow, workflow};
use notsotuf_tests::github::GitHub;
use notsotuf_tests::{copy_tree, run};
use std::fs;
use std::path::PathBuf;
use std::process::Command;

const DOCUMENT: &str = "docs/how-to/hobby-project.md";

/// The place that the document names is `me/app` there.
fn scene() -> Scene {
    let mut scene = Scene::new().replace("me/myapp", "me/app");
    scene.github = Some(GitHub::start());
    application(&scene);
    scene
}

#[test]
fn a_project_at_github_works_as_it_stands() {
    let mut scene = scene();
    scene.run(DOCUMENT, &[]);
    // What the text says that `init` set, but for where it is.
    let settings = fs::read_to_string(scene.path("updates/notsotuf-project.toml")).unwrap();
    let text = fs::read_to_string(notsotuf_tests::root().join(DOCUMENT)).unwrap();
    let url = scene.github.as_ref().unwrap().url.clone();
    let settings = settings
        .replace("me/app", "me/myapp")
        .replace(&format!("{url}/raw"), "https://raw.githubusercontent.com")
        .replace(&url, "https://github.com");
    let shown = text.lines().filter_map(|line| line.strip_prefix("    "));
    let shown = shown.filter(|line| {
        ["upload = ", "url = ", "targets_url = "]
            .iter()
            .any(|key| line.starts_with(key))
    });
    let shown: Vec<&str> = shown.collect();
    assert_eq!(shown.len(), 3);
    for line in shown {
        assert!(
            settings.lines().any(|set| set == line),
            "{line}: {settings}"
        );
    }
    // What was shipped before 1.1 updates to it.
    let started = run(&mut Command::new(scene.path("MyApp/myapp")));
    assert!(started.status.success(), "{started:?}");
    let status =
        run(Command::new(scene.path("MyApp/myapp")).args(["--updater", "status", "--json"]));
    let status: serde_json::Value = serde_json::from_slice(&status.stdout).unwrap();
    assert_eq!(status["installed"]["version"], "1.1", "{status}");
    // The workflow renews what expires.
    let application: PathBuf = scene.path("application");
    fs::create_dir(&application).unwrap();
    copy_tree(&scene.path("updates"), &application.join("updates"));
    let git = "git init -q . && git add . && \
               git -c user.name=x -c user.email=x@example.com commit -qm start";
    let committed = run(&mut scene.command(git, &application));
    assert!(committed.status.success(), "{committed:?}");
    let commits = || {
        scene.github.as_ref().unwrap().state()["commits"]
            .as_array()
            .unwrap()
            .len()
    };
    let before = commits();
    let renew = workflow(DOCUMENT, "renew");
    assert_eq!(renew.runs.len(), 2);
    let token = |command: &mut Command| {
        scene.github.as_ref().unwrap().point(command);
    };
    let code = run_workflow(&scene, &token, &renew, "", &["pipx install"]);
    assert_eq!((code, commits()), (Some(0), before + 1));
}
