//! The main job on real PyInstaller bundles, over real HTTP.

use notsotuf_tests::{Sandbox, bundle, json, run, set_mode, write_script};
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Command, Stdio};

/// An instance of the application that says it is there, and stays.
fn started(sandbox: &Sandbox) -> Child {
    let mut running = sandbox
        .stub()
        .arg("--sleep")
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    let out = running.stdout.take().unwrap();
    BufReader::new(out).read_line(&mut line).unwrap();
    assert_eq!(line, "ready\n");
    running
}

#[test]
fn an_update_of_one_release_takes_one_patch() {
    let sandbox = Sandbox::new();
    sandbox.release("1.0", &[]);
    sandbox.ship("1.0");
    assert_eq!(sandbox.start_version(), "1.0");
    let added = sandbox.release("1.1", &[]);
    assert_eq!(added["patch"]["from"], "1.0");
    assert_eq!(sandbox.start_version(), "1.1");
    assert!(
        sandbox.log().contains("updated to version 1.1 by 1 patch"),
        "{}",
        sandbox.log()
    );
    assert_eq!(sandbox.start_version(), "1.1");
    assert!(
        sandbox.log().trim_end().ends_with("up to date"),
        "{}",
        sandbox.log()
    );
}

#[test]
fn an_update_of_three_releases_takes_three_patches() {
    let sandbox = Sandbox::new();
    sandbox.release("1.0", &[]);
    sandbox.ship("1.0");
    for version in ["1.1", "1.2", "1.3"] {
        sandbox.release(version, &[]);
    }
    assert_eq!(sandbox.start_version(), "1.3");
    assert!(sandbox.log().contains("by 3 patches"), "{}", sandbox.log());
}

#[test]
fn the_full_archive_is_taken_where_there_is_no_patch() {
    let sandbox = Sandbox::new();
    sandbox.release("1.0", &[]);
    sandbox.ship("1.0");
    sandbox.release("1.1", &["--skip-patch"]);
    assert_eq!(sandbox.start_version(), "1.1");
    assert!(
        sandbox.log().contains("by the full archive"),
        "{}",
        sandbox.log()
    );
}

#[test]
fn a_patch_that_fails_is_replaced_by_the_full_archive_in_the_same_run() {
    let sandbox = Sandbox::new();
    sandbox.release("1.0", &[]);
    sandbox.ship("1.0");
    sandbox.release("1.1", &[]);
    // A file of the install was changed, so the patch has nothing to go by.
    let library = sandbox.path("install/app/_internal/base_library.zip");
    fs::write(&library, "damaged").unwrap();
    assert_eq!(sandbox.start_version(), "1.1", "{}", sandbox.log());
    let log = sandbox.log();
    assert!(log.contains("taking the full archive instead"), "{log}");
    assert!(
        log.contains("updated to version 1.1 by the full archive"),
        "{log}"
    );
    assert_ne!(fs::read(&library).unwrap(), b"damaged");
}

#[test]
fn a_required_release_on_the_way_is_not_skipped() {
    let sandbox = Sandbox::new();
    sandbox.release("1.0", &[]);
    sandbox.ship("1.0");
    sandbox.release("1.1", &["--required"]);
    sandbox.release("1.2", &[]);
    assert_eq!(sandbox.start_version(), "1.1");
    assert_eq!(sandbox.start_version(), "1.2");
}

#[test]
fn pre_releases_are_for_those_who_want_them() {
    let sandbox = Sandbox::new();
    sandbox.release("1.0", &[]);
    sandbox.ship("1.0");
    sandbox.add("1.1b1", &bundle("1.1"), &[]);
    sandbox.bundler(&["publish"]);
    assert_eq!(sandbox.start_version(), "1.0");
    sandbox.set("channel", "\"rc\"");
    assert_eq!(sandbox.start_version(), "1.0");
    sandbox.set("channel", "\"b\"");
    assert_eq!(sandbox.start_version(), "1.1");
}

#[test]
fn a_one_file_bundle_updates_itself() {
    let sandbox = Sandbox::new();
    sandbox.add("1.0", &bundle("onefile-1.0"), &[]);
    sandbox.bundler(&["publish"]);
    sandbox.ship("1.0");
    assert_eq!(sandbox.start_version(), "1.0");
    sandbox.add("1.1", &bundle("onefile-1.1"), &[]);
    sandbox.bundler(&["publish"]);
    assert_eq!(sandbox.start_version(), "1.1");
}

#[test]
fn everything_passes_through_and_the_applications_files_stay() {
    let sandbox = Sandbox::new();
    sandbox.release("1.0", &[]);
    sandbox.ship("1.0");
    sandbox.release("1.1", &[]);
    // Else the exit code, in the first run of 1.1, would be a failure of it.
    sandbox.set("probation", "0.0");
    fs::write(sandbox.path("install/app/settings.ini"), "mine").unwrap();
    let cwd = sandbox.path("elsewhere");
    fs::create_dir_all(&cwd).unwrap();
    let mut child = sandbox
        .stub()
        .args(["a", "b c", "--updater", ""])
        .current_dir(&cwd)
        .env("E2E_VARIABLE", "value")
        .env("E2E_EXIT", "42")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(b"input").unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(42));
    let said: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(said["version"], "1.1");
    assert_eq!(
        said["args"],
        serde_json::json!(["a", "b c", "--updater", ""])
    );
    assert_eq!(said["stdin"], "input");
    assert_eq!(said["variable"], "value");
    assert_eq!(said["cwd"], cwd.canonicalize().unwrap().to_str().unwrap());
    let kept = fs::read_to_string(sandbox.path("install/app/settings.ini"));
    assert_eq!(kept.unwrap(), "mine");
}

#[test]
fn offline_the_installed_version_starts() {
    let mut sandbox = Sandbox::new();
    sandbox.release("1.0", &[]);
    sandbox.ship("1.0");
    sandbox.server = None;
    assert_eq!(sandbox.start_version(), "1.0");
    assert!(
        sandbox.log().contains("no update (unavailable)"),
        "{}",
        sandbox.log()
    );
}

#[test]
fn a_running_instance_keeps_its_files_and_the_update_comes_at_the_next_start() {
    let sandbox = Sandbox::new();
    sandbox.release("1.0", &[]);
    sandbox.ship("1.0");
    let mut running = started(&sandbox);
    sandbox.release("1.1", &[]);
    assert_eq!(sandbox.start_version(), "1.0");
    assert!(
        sandbox
            .log()
            .contains("will be installed at the next start"),
        "{}",
        sandbox.log()
    );
    let status = json(sandbox.stub().args(["--updater", "status", "--json"]));
    assert_eq!(status["staged"]["version"], "1.1");
    running.kill().unwrap();
    running.wait().unwrap();
    assert_eq!(sandbox.start_version(), "1.1");
}

#[test]
fn the_latest_release_can_be_taken_back() {
    let sandbox = Sandbox::new();
    sandbox.release("1.0", &[]);
    sandbox.ship("1.0");
    sandbox.release("1.1", &[]);
    sandbox.bundler(&["remove-latest"]);
    sandbox.bundler(&["publish"]);
    assert_eq!(sandbox.start_version(), "1.0");
    let targets = fs::read_dir(sandbox.path("project/repository/targets")).unwrap();
    assert_eq!(targets.count(), 1);
    let older = sandbox.command(&["add", "1.0", "x"]).output().unwrap();
    assert_eq!(older.status.code(), Some(1));
    // The number is used up: somebody may have that one.
    let again = bundle("1.1");
    let mut again = sandbox.command(&["add", "1.1", again.to_str().unwrap()]);
    let again = again.output().unwrap();
    let said = String::from_utf8_lossy(&again.stderr).into_owned();
    assert!(said.contains("was published before"), "{said}");
    sandbox.release("1.2", &[]);
    assert_eq!(sandbox.start_version(), "1.2");
}

#[cfg(unix)]
#[test]
fn links_and_modes_are_kept_by_archives_and_patches() {
    use std::os::unix::fs::{PermissionsExt, symlink};
    let sandbox = Sandbox::new();
    let with = |version: &str, mode: u32, target: &str| {
        let copy = sandbox.path(&format!("bundle-{version}"));
        let done = run(Command::new("cp").arg("-a").arg(bundle(version)).arg(&copy));
        assert!(done.status.success(), "{done:?}");
        fs::write(copy.join("tool.sh"), "#!/bin/sh\n").unwrap();
        fs::set_permissions(copy.join("tool.sh"), fs::Permissions::from_mode(mode)).unwrap();
        symlink(target, copy.join("_internal/link")).unwrap();
        sandbox.add(version, &copy, &[]);
        sandbox.bundler(&["publish"]);
    };
    let installed = || {
        let app = sandbox.path("install/app");
        let mode = fs::metadata(app.join("tool.sh"))
            .unwrap()
            .permissions()
            .mode();
        let link = fs::read_link(app.join("_internal/link")).unwrap();
        (mode & 0o777, link.to_str().unwrap().to_owned())
    };
    with("1.0", 0o754, "../tool.sh");
    sandbox.ship_with(&["--executable", "program"]);
    assert_eq!(installed(), (0o754, "../tool.sh".into()));
    with("1.1", 0o700, "base_library.zip");
    assert_eq!(sandbox.start_version(), "1.1");
    assert!(sandbox.log().contains("by 1 patch"), "{}", sandbox.log());
    assert_eq!(installed(), (0o700, "base_library.zip".into()));
    // The bundle that was there before has its own permissions still.
    let previous = sandbox.path("install/.notsotuf/previous/tool.sh");
    let mode = fs::metadata(previous).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o754);
}

/// Each file of the new version differs from the old one by the same.
#[cfg(unix)]
#[test]
fn patches_that_are_the_same_are_fetched_once() {
    let sandbox = Sandbox::new();
    for version in ["1.0", "1.1", "1.2", "1.3"] {
        let folder = sandbox.path(&format!("bundle-{version}"));
        // So long that its difference is shorter.
        let long: String = (0..3000).map(|n| format!(" {}", n * n % 7919)).collect();
        write_script(
            &folder.join("program"),
            &format!("#{long}\necho {version}\n#{long}"),
        );
        sandbox.add(version, &folder, &[]);
        sandbox.bundler(&["publish"]);
        if version == "1.0" {
            sandbox.ship_with(&["--executable", "program"]);
        }
    }
    let content = |version: &str| {
        let path = sandbox.repository().join("targets");
        let files = fs::read_dir(path).unwrap().map(|file| file.unwrap().path());
        let name = format!("app-{version}.patch");
        let mut of_it = files.filter(|file| file.to_str().unwrap().ends_with(&name));
        fs::read(of_it.next().unwrap()).unwrap()
    };
    assert!(content("1.1") == content("1.2") && content("1.2") == content("1.3"));
    drop(sandbox.server.as_ref().unwrap().requests());
    let output = run(&mut sandbox.stub());
    let log = sandbox.log();
    assert_eq!(output.stdout, b"1.3\n", "{log}");
    assert!(log.contains("by 3 patches"), "{log}");
    let requests = sandbox.server.as_ref().unwrap().requests();
    let patches = requests.iter().filter(|path| path.contains(".patch"));
    assert_eq!(patches.count(), 1, "{requests:?}");
}

/// On some disks everybody may write to everything: those of Windows in WSL, memory sticks.
#[cfg(unix)]
#[test]
fn what_everybody_could_write_is_not_installed_so() {
    use std::os::unix::fs::PermissionsExt;
    let sandbox = Sandbox::new();
    let add = |version: &str| {
        let copy = sandbox.path(&format!("bundle-{version}"));
        write_script(&copy.join("program"), &format!("echo {version}"));
        fs::create_dir(copy.join("lib")).unwrap();
        fs::write(copy.join("lib/data"), version).unwrap();
        for (path, mode) in [("program", 0o777), ("lib/data", 0o666), ("lib", 0o777)] {
            set_mode(&copy.join(path), mode);
        }
        sandbox.add(version, &copy, &[]);
        sandbox.bundler(&["publish"]);
    };
    let installed = || {
        ["program", "lib/data", "lib"].map(|path| {
            let path = sandbox.path("install/app").join(path);
            fs::metadata(path).unwrap().permissions().mode() & 0o777
        })
    };
    add("1.0");
    sandbox.ship_with(&["--executable", "program"]);
    assert_eq!(installed(), [0o755, 0o644, 0o755]);
    add("1.1");
    let output = run(&mut sandbox.stub());
    assert_eq!(output.stdout, b"1.1\n", "{}", sandbox.log());
    assert_eq!(installed(), [0o755, 0o644, 0o755]);
}

#[cfg(unix)]
#[test]
fn signals_reach_the_application() {
    use std::os::unix::process::ExitStatusExt;
    let sandbox = Sandbox::new();
    sandbox.release("1.0", &[]);
    sandbox.ship("1.0");
    let mut running = started(&sandbox);
    let pid = running.id().to_string();
    assert!(
        run(Command::new("kill").args(["-TERM", &pid]))
            .status
            .success()
    );
    // PyInstaller's loader passes the signal on and dies of it too.
    assert_eq!(running.wait().unwrap().signal(), Some(15));
}

#[test]
fn an_up_to_date_check_transfers_next_to_nothing() {
    let sandbox = Sandbox::new();
    sandbox.release("1.0", &[]);
    sandbox.ship("1.0");
    sandbox.start();
    sandbox.server.as_ref().unwrap().requests();
    sandbox.start();
    let requests = sandbox.server.as_ref().unwrap().requests();
    assert_eq!(
        requests,
        [
            "404 GET /metadata/2.root.json",
            "304 GET /metadata/timestamp.json"
        ]
    );
}
