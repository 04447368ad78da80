//! Whatever goes wrong in an update, the installed application starts, and
//! the log says why there was no update.

use notsotuf_tests::faulty_server::{Fault, FaultyServer};
use notsotuf_tests::{Sandbox, copy_tree, json, python, run};
use std::fs;
use std::sync::atomic::Ordering;

/// With `fault` on files that contain `what`, 1.0 starts and the log has
/// `reason`; without it, the update comes.
fn launches_with(what: &str, fault: Fault, reason: &str) {
    let sandbox = Sandbox::with_update();
    sandbox.set("stall", "1.5");
    let server = FaultyServer::start(&sandbox.repository(), what, fault);
    sandbox.point_to(&server.url);
    assert_eq!(sandbox.start_version(), "1.0");
    let log = sandbox.log();
    assert!(log.contains(reason), "no {reason:?} in {log}");
    // Where it took too long, it is tried again behind the application.
    sandbox.settle();
    for rest in ["staging/tree", "staging/work"] {
        assert!(
            !sandbox.path("install/.notsotuf").join(rest).exists(),
            "{rest} was left behind"
        );
    }
    sandbox.point_to(&sandbox.url());
    assert_eq!(sandbox.start_version(), "1.1", "{}", sandbox.log());
    assert!(!sandbox.path("install/.notsotuf/downloads").exists());
}

#[test]
fn the_timestamp_is_missing() {
    launches_with(
        "timestamp",
        Fault::Status(404),
        "(unavailable): the repository has no timestamp.json",
    );
}

#[test]
fn the_server_has_an_error() {
    launches_with("metadata", Fault::Status(503), "(unavailable)");
}

#[test]
fn a_captive_portal_answers() {
    launches_with(
        "metadata",
        Fault::Portal,
        "(refused): timestamp metadata is malformed",
    );
}

#[test]
fn a_byte_of_signed_metadata_is_changed() {
    launches_with(
        "targets.json",
        Fault::Flipped,
        "(refused): targets does not match its sha256 hash",
    );
}

#[test]
fn archive_and_patch_are_damaged() {
    launches_with(
        "targets/",
        Fault::Flipped,
        "(refused): app-1.1.tar.gz does not match its sha256 hash",
    );
}

#[test]
fn downloads_are_cut_short() {
    launches_with("targets/", Fault::Truncated(500), "(unavailable)");
}

#[test]
fn downloads_are_missing() {
    launches_with("targets/", Fault::Status(404), "answers 404");
}

#[test]
fn metadata_without_end_is_refused() {
    launches_with("timestamp", Fault::Endless, "(refused)");
}

#[test]
fn a_server_that_says_nothing_is_given_up() {
    launches_with("timestamp", Fault::Stalled, "(unavailable)");
}

#[test]
fn a_download_that_stalls_is_given_up() {
    launches_with("targets/", Fault::Stalled, "(unavailable)");
}

#[test]
fn more_than_was_signed_is_refused() {
    launches_with("targets/", Fault::Longer, "(refused)");
}

#[test]
fn another_part_than_was_asked_for_is_refused() {
    launches_with(
        "targets/",
        Fault::WrongRange,
        "(refused): app-1.1.tar.gz does not match its sha256 hash",
    );
}

#[test]
fn a_host_that_does_not_exist_is_named() {
    let sandbox = Sandbox::with_update();
    sandbox.point_to("http://no-such-host.invalid");
    assert_eq!(sandbox.start_version(), "1.0");
    let log = sandbox.log();
    assert!(
        log.contains("(unavailable): cannot reach http://no-such-host.invalid/"),
        "{log}"
    );
}

#[test]
fn a_proxy_that_asks_for_a_password() {
    let sandbox = Sandbox::with_update();
    // Any path: what a proxy is asked for is a whole URL.
    let proxy = FaultyServer::start(&sandbox.repository(), "", Fault::Status(407));
    let start = |variable: &str| {
        let mut command = sandbox.stub();
        let command = command.env(variable, &proxy.url).env("NO_PROXY", "");
        json(command)["version"].clone()
    };
    sandbox.point_to("http://updates.example");
    assert_eq!(start("HTTP_PROXY"), "1.0");
    let log = sandbox.log();
    assert!(log.contains("asks for a name and a password"), "{log}");
}

#[test]
fn of_twenty_starts_at_once_one_updates() {
    let sandbox = Sandbox::with_update();
    let start = |_| sandbox.stub().stdout(std::process::Stdio::piped()).spawn();
    let all: Vec<_> = (0..20).map(start).collect();
    let mut versions = Vec::new();
    for child in all {
        let output = child.unwrap().wait_with_output().unwrap();
        assert!(output.status.success(), "{output:?}\n{}", sandbox.log());
        let said: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        versions.push(said["version"].as_str().unwrap().to_owned());
    }
    assert!(
        versions.iter().all(|v| v == "1.0" || v == "1.1"),
        "{versions:?}"
    );
    assert_eq!(sandbox.start_version(), "1.1");
    let log = sandbox.log();
    assert_eq!(log.matches("found version 1.1").count(), 1, "{log}");
}

#[cfg(target_os = "linux")]
#[test]
fn a_clock_that_is_wrong_by_years() {
    let sandbox = Sandbox::with_update();
    let at = |date: &str| {
        let mut command = std::process::Command::new("faketime");
        command.arg(date).arg(sandbox.path("install/program"));
        json(&mut command)["version"].clone()
    };
    assert_eq!(at("2040-01-01"), "1.0");
    let log = sandbox.log();
    assert!(log.contains("the clock is wrong"), "{log}");
    // Into the past: nothing is expired, and what is signed is signed.
    assert_eq!(at("2000-01-01"), "1.1");
}

#[test]
fn a_download_that_drips_is_given_up() {
    launches_with("targets/", Fault::Dripping, "sends too slowly");
}

#[test]
fn the_user_does_not_wait_longer_than_the_deadline() {
    let sandbox = Sandbox::with_update();
    let server = FaultyServer::start(&sandbox.repository(), "timestamp", Fault::Stalled);
    sandbox.point_to(&server.url);
    assert_eq!(sandbox.start_version(), "1.0");
    let log = sandbox.log();
    assert!(
        log.contains("no answer from the repository within the deadline"),
        "{log}"
    );
}

/// What was staged cannot be put in place, and then the network is as it may be.
#[test]
fn the_deadline_counts_also_after_a_staged_update_that_cannot_be_installed() {
    let sandbox = Sandbox::with_update();
    let staged = json(sandbox.stub().args(["--updater", "stage", "--json"]));
    assert_eq!(staged["result"], "staged");
    let file = sandbox.path("install/.notsotuf/staging/tree/program");
    let mut damaged = fs::read(&file).unwrap();
    damaged.push(b' ');
    fs::remove_file(&file).unwrap();
    fs::write(&file, damaged).unwrap();
    let server = FaultyServer::start(&sandbox.repository(), "timestamp", Fault::Stalled);
    sandbox.point_to(&server.url);
    assert_eq!(sandbox.start_version(), "1.0");
    let log = sandbox.log();
    for wanted in [
        "is damaged",
        "no answer from the repository within the deadline",
    ] {
        assert!(log.contains(wanted), "no {wanted:?} in {log}");
    }
}

#[test]
fn a_damaged_patch_alone_is_made_up_for_by_the_archive() {
    let sandbox = Sandbox::with_update();
    let server = FaultyServer::start(&sandbox.repository(), ".patch", Fault::Flipped);
    sandbox.point_to(&server.url);
    assert_eq!(sandbox.start_version(), "1.1");
    let log = sandbox.log();
    assert!(
        log.contains("app-1.1.patch does not match its sha256 hash"),
        "{log}"
    );
    assert!(log.contains("by the full archive"), "{log}");
}

/// An install of 1.0 for which there is nothing but the archive of 1.1.
fn archive_only() -> (Sandbox, usize) {
    let sandbox = Sandbox::new();
    sandbox.release("1.0", &[]);
    sandbox.ship("1.0");
    sandbox.release("1.1", &["--skip-patch"]);
    sandbox.set("stall", "1.5");
    let archive = fs::read_dir(sandbox.repository().join("targets")).unwrap();
    let archive = archive.map(|entry| entry.unwrap()).find(|entry| {
        entry
            .file_name()
            .to_string_lossy()
            .ends_with("app-1.1.tar.gz")
    });
    let size = archive.unwrap().metadata().unwrap().len();
    (sandbox, size as usize)
}

#[test]
fn a_download_goes_on_where_the_connection_broke() {
    let (sandbox, size) = archive_only();
    let step = size / 4 + 1;
    let server = FaultyServer::start(&sandbox.repository(), ".tar.gz", Fault::Breaking(step));
    sandbox.point_to(&server.url);
    assert_eq!(sandbox.start_version(), "1.1", "{}", sandbox.log());
    assert_eq!(*server.ranges.lock().unwrap(), [step, 2 * step, 3 * step]);
}

#[test]
fn the_next_start_goes_on_with_a_download() {
    let (sandbox, size) = archive_only();
    // This server knows no ranges, so what breaks stays broken.
    let half = size / 2;
    let server = FaultyServer::start(&sandbox.repository(), ".tar.gz", Fault::Truncated(half));
    sandbox.point_to(&server.url);
    assert_eq!(sandbox.start_version(), "1.0");
    assert!(sandbox.log().contains("(unavailable)"), "{}", sandbox.log());
    let server = FaultyServer::start(&sandbox.repository(), ".tar.gz", Fault::Breaking(size));
    sandbox.point_to(&server.url);
    assert_eq!(sandbox.start_version(), "1.1", "{}", sandbox.log());
    assert_eq!(*server.ranges.lock().unwrap(), [half]);
}

#[test]
fn a_partial_download_that_is_damaged_is_dropped() {
    let (sandbox, size) = archive_only();
    let server = FaultyServer::start(&sandbox.repository(), ".tar.gz", Fault::Truncated(size / 2));
    sandbox.point_to(&server.url);
    assert_eq!(sandbox.start_version(), "1.0");
    let downloads = sandbox.path("install/.notsotuf/downloads");
    let partial = fs::read_dir(&downloads).unwrap().next().unwrap().unwrap();
    let mut bytes = fs::read(partial.path()).unwrap();
    bytes[1000] ^= 1;
    fs::write(partial.path(), bytes).unwrap();
    let server = FaultyServer::start(&sandbox.repository(), ".tar.gz", Fault::Breaking(size));
    sandbox.point_to(&server.url);
    assert_eq!(sandbox.start_version(), "1.1", "{}", sandbox.log());
    assert!(
        sandbox
            .log()
            .contains("dropping what an earlier download left"),
        "{}",
        sandbox.log()
    );
}

/// Whatever a server does, the bytes of a file come twice at the most in one
/// start, from all places together.
#[test]
fn bandwidth_is_bounded() {
    // An answer that is of no use ends, but after what was under way.
    const ONE_ANSWER: usize = 1 << 20;
    let (sandbox, size) = archive_only();
    sandbox.set("deadline", "10.0");
    copy_tree(&sandbox.path("install"), &sandbox.path("shipped"));
    for (fault, places) in [
        (Fault::Truncated(size / 2), 1),
        (Fault::Truncated(size / 2), 3),
        (Fault::Breaking(size / 20), 1),
        (Fault::Breaking(size / 20), 3),
        (Fault::Anew(size / 10), 1),
        (Fault::Anew(size / 10), 3),
        (Fault::Anew(size / 3), 1),
        (Fault::Anew(size / 3), 3),
        (Fault::Closed(size / 2), 3),
        (Fault::WrongRange, 3),
        (Fault::Flipped, 1),
        (Fault::Flipped, 4),
        (Fault::Longer, 4),
        (Fault::Gzipped, 4),
    ] {
        fs::remove_dir_all(sandbox.path("install")).unwrap();
        copy_tree(&sandbox.path("shipped"), &sandbox.path("install"));
        let case = format!("{places} x {fault:?}");
        let server = FaultyServer::start(&sandbox.repository(), ".tar.gz", fault.clone());
        let mirrors = vec![format!("\"{}\"", server.url); places - 1];
        sandbox.add_settings(&format!("mirrors = [{}]", mirrors.join(", ")));
        sandbox.point_to(&server.url);
        let version = sandbox.start_version();
        if let Fault::Breaking(_) = fault {
            // It can go on; ten times at each place.
            assert_eq!(version == "1.1", places > 1, "{case}: {}", sandbox.log());
        } else if !matches!(fault, Fault::Anew(_)) {
            assert_eq!(version, "1.0", "{case}: {}", sandbox.log());
        }
        let sent = server.sent.load(Ordering::Relaxed);
        assert!(
            sent <= 2 * size + places * ONE_ANSWER,
            "{case}: {sent} of {size}: {}",
            sandbox.log()
        );
    }
}

/// A server that breaks off and cannot go on, and a mirror that can.
#[test]
fn a_mirror_goes_on_where_another_place_broke() {
    let (sandbox, size) = archive_only();
    let most = size / 10 * 9;
    let first = Fault::Truncated(most);
    let first = FaultyServer::start(&sandbox.repository(), ".tar.gz", first);
    let mirror = Fault::Breaking(size);
    let mirror = FaultyServer::start(&sandbox.repository(), ".tar.gz", mirror);
    sandbox.add_settings(&format!("mirrors = [\"{}\"]", mirror.url));
    sandbox.point_to(&first.url);
    assert_eq!(sandbox.start_version(), "1.1", "{}", sandbox.log());
    assert_eq!(*mirror.ranges.lock().unwrap(), [most]);
    assert_eq!(mirror.sent.load(Ordering::Relaxed), size - most);
}

#[test]
fn redirects_are_followed() {
    let sandbox = Sandbox::with_update();
    let server = FaultyServer::start(&sandbox.repository(), "/", Fault::Redirect(sandbox.url()));
    sandbox.point_to(&server.url);
    assert_eq!(sandbox.start_version(), "1.1", "{}", sandbox.log());
}

#[test]
fn another_repository_is_not_trusted() {
    let (mine, other) = (Sandbox::with_update(), Sandbox::with_update());
    mine.point_to(&other.url());
    assert_eq!(mine.start_version(), "1.0");
    assert!(
        mine.log()
            .contains("(refused): timestamp metadata has 0 valid signature"),
        "{}",
        mine.log()
    );
}

#[test]
fn expired_metadata_names_its_date_and_the_clock() {
    let sandbox = Sandbox::with_update();
    let metadata = sandbox.repository().join("metadata");
    let key = sandbox.path("project/keystore/timestamp.pem");
    python(&["expire", metadata.to_str().unwrap(), key.to_str().unwrap()]);
    assert_eq!(sandbox.start_version(), "1.0");
    let log = sandbox.log();
    assert!(
        log.contains("(unavailable): timestamp metadata expired on 2020-01-01"),
        "{log}"
    );
    assert!(log.contains("the clock is wrong"), "{log}");
    sandbox.bundler(&["publish"]);
    assert_eq!(sandbox.start_version(), "1.1", "{}", sandbox.log());
}

#[test]
fn settings_that_cannot_be_read() {
    let sandbox = Sandbox::with_update();
    fs::write(sandbox.path("install/notsotuf.toml"), "name = ").unwrap();
    assert_eq!(sandbox.start_version(), "1.0");
    assert!(
        sandbox
            .log()
            .contains("starting without looking for updates"),
        "{}",
        sandbox.log()
    );
    fs::remove_file(sandbox.path("install/notsotuf.toml")).unwrap();
    assert_eq!(sandbox.start_version(), "1.0");
}

#[test]
fn damaged_state_is_made_anew() {
    let sandbox = Sandbox::with_update();
    assert_eq!(
        json(sandbox.stub().args(["--updater", "check", "--json"]))["update"],
        "1.1"
    );
    let metadata = sandbox.path("install/.notsotuf/metadata");
    for entry in fs::read_dir(&metadata).unwrap() {
        fs::write(entry.unwrap().path(), "{\"signed\": ").unwrap();
    }
    fs::write(sandbox.path("install/.notsotuf/journal"), "nonsense").unwrap();
    assert_eq!(sandbox.start_version(), "1.1", "{}", sandbox.log());
}

#[cfg(unix)]
#[test]
fn a_read_only_install_starts_and_logs_elsewhere() {
    use std::os::unix::fs::PermissionsExt;
    use std::os::unix::process::CommandExt;
    let sandbox = Sandbox::with_update();
    // Root may write anywhere, so this is somebody else; who must be able to
    // get at it.
    fs::set_permissions(sandbox.path(""), fs::Permissions::from_mode(0o755)).unwrap();
    let home = sandbox.path("home");
    fs::create_dir_all(&home).unwrap();
    fs::set_permissions(&home, fs::Permissions::from_mode(0o777)).unwrap();
    let mut command = sandbox.stub();
    command.env("HOME", &home).env_remove("XDG_STATE_HOME");
    if notsotuf_tests::is_root() {
        command.uid(65534).gid(65534);
    } else {
        fs::set_permissions(sandbox.path("install"), fs::Permissions::from_mode(0o555)).unwrap();
    }
    assert_eq!(json(&mut command)["version"], "1.0");
    let log = fs::read_to_string(home.join(".local/state/notsotuf/app/log")).unwrap();
    assert!(
        log.contains("whoever installed the application updates it"),
        "{log}"
    );
    fs::set_permissions(sandbox.path("install"), fs::Permissions::from_mode(0o755)).unwrap();
}

#[cfg(target_os = "linux")]
#[test]
fn an_update_that_does_not_fit_on_the_disk_is_not_fetched() {
    use std::process::Command;
    let sandbox = Sandbox::new();
    sandbox.release("1.0", &[]);
    let disk = sandbox.path("install");
    fs::create_dir_all(&disk).unwrap();
    // `ship` makes its folder itself, so it is made elsewhere and copied.
    let shipped = sandbox.path("shipped");
    sandbox.bundler(&["ship", "--output", shipped.to_str().unwrap()]);
    let size = run(Command::new("du").arg("-sm").arg(&shipped)).stdout;
    let size = String::from_utf8(size).unwrap();
    let size: u32 = size.split_whitespace().next().unwrap().parse().unwrap();
    let mount = |options: &str| {
        let mut command = Command::new("mount");
        command
            .args(["-t", "tmpfs", "-o", options, "tmpfs"])
            .arg(&disk);
        run(&mut command)
    };
    // The archive has 17 MB and unpacks to another 38.
    if !mount(&format!("size={}m", size + 8)).status.success() {
        eprintln!("skipped: mounting a small disk takes root");
        return;
    }
    struct Unmount<'a>(&'a std::path::Path);
    impl Drop for Unmount<'_> {
        fn drop(&mut self) {
            let done = run(Command::new("umount").arg("-l").arg(self.0));
            assert!(done.status.success());
        }
    }
    let _unmount = Unmount(&disk);
    let copied = run(Command::new("cp")
        .arg("-a")
        .arg(shipped.join("."))
        .arg(&disk));
    assert!(copied.status.success(), "{copied:?}");
    sandbox.release("1.1", &["--skip-patch"]);
    sandbox.server.as_ref().unwrap().requests();
    assert_eq!(sandbox.start_version(), "1.0");
    let log = sandbox.log();
    assert!(
        log.contains("(local): version 1.1 needs") && log.contains("free more space in"),
        "{log}"
    );
    // What would not fit is not even asked for.
    let requests = sandbox.server.as_ref().unwrap().requests();
    assert!(
        !requests.iter().any(|r| r.contains("app-1.1")),
        "{requests:?}"
    );
    for left in ["staging", "downloads"] {
        assert!(!disk.join(".notsotuf").join(left).exists(), "{left}");
    }
    assert!(mount("remount,size=200m").status.success());
    assert_eq!(sandbox.start_version(), "1.1", "{}", sandbox.log());
}
