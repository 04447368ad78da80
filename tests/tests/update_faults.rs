//! Whatever goes wrong in an update, the installed application starts, and
//! the log says why there was no update.

use notsotuf_tests::faulty_server::{Fault, FaultyServer};
use notsotuf_tests::{World, copy_tree, json, python, run};
use std::fs;
use std::sync::atomic::Ordering;

/// With `fault` on files that contain `what`, 1.0 starts and the log has
/// `reason`; without it, the update comes.
fn launches_with(what: &str, fault: Fault, reason: &str) {
    let world = World::with_update();
    world.set("stall", "1.5");
    let server = FaultyServer::start(&world.repository(), what, fault);
    world.point_to(&server.url);
    assert_eq!(world.start_version(), "1.0");
    let log = world.log();
    assert!(log.contains(reason), "no {reason:?} in {log}");
    // Where it took too long, it is tried again behind the application.
    world.settle();
    for rest in ["staging/tree", "staging/work"] {
        assert!(
            !world.path("install/.notsotuf").join(rest).exists(),
            "{rest} was left behind"
        );
    }
    world.point_to(&world.url());
    assert_eq!(world.start_version(), "1.1", "{}", world.log());
    assert!(!world.path("install/.notsotuf/downloads").exists());
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
fn metadata_without_end() {
    launches_with("timestamp", Fault::Endless, "(refused)");
}

#[test]
fn the_server_says_nothing() {
    launches_with("timestamp", Fault::Stalled, "(unavailable)");
}

#[test]
fn the_download_stalls() {
    launches_with("targets/", Fault::Stalled, "(unavailable)");
}

#[test]
fn more_than_was_signed() {
    launches_with("targets/", Fault::Longer, "(refused)");
}

#[test]
fn another_part_than_was_asked_for() {
    launches_with(
        "targets/",
        Fault::WrongRange,
        "(refused): app-1.1.tar.gz does not match its sha256 hash",
    );
}

#[test]
fn a_host_that_does_not_exist() {
    let world = World::with_update();
    world.point_to("http://no-such-host.invalid");
    assert_eq!(world.start_version(), "1.0");
    let log = world.log();
    assert!(
        log.contains("(unavailable): cannot reach http://no-such-host.invalid/"),
        "{log}"
    );
}

#[test]
fn a_proxy_that_asks_for_a_password() {
    let world = World::with_update();
    // Any path: what a proxy is asked for is a whole URL.
    let proxy = FaultyServer::start(&world.repository(), "", Fault::Status(407));
    let start = |variable: &str| {
        let mut command = world.stub();
        let command = command.env(variable, &proxy.url).env("NO_PROXY", "");
        json(command)["version"].clone()
    };
    world.point_to("http://updates.example");
    assert_eq!(start("HTTP_PROXY"), "1.0");
    let log = world.log();
    assert!(log.contains("asks for a name and a password"), "{log}");
}

#[test]
fn twenty_at_once() {
    let world = World::with_update();
    let start = |_| world.stub().stdout(std::process::Stdio::piped()).spawn();
    let all: Vec<_> = (0..20).map(start).collect();
    let mut versions = Vec::new();
    for child in all {
        let output = child.unwrap().wait_with_output().unwrap();
        assert!(output.status.success(), "{output:?}\n{}", world.log());
        let said: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        versions.push(said["version"].as_str().unwrap().to_owned());
    }
    assert!(
        versions.iter().all(|v| v == "1.0" || v == "1.1"),
        "{versions:?}"
    );
    assert_eq!(world.start_version(), "1.1");
    let log = world.log();
    assert_eq!(log.matches("found version 1.1").count(), 1, "{log}");
}

#[cfg(target_os = "linux")]
#[test]
fn a_clock_that_is_wrong_by_years() {
    let world = World::with_update();
    let at = |date: &str| {
        let mut command = std::process::Command::new("faketime");
        command.arg(date).arg(world.path("install/program"));
        json(&mut command)["version"].clone()
    };
    assert_eq!(at("2040-01-01"), "1.0");
    let log = world.log();
    assert!(log.contains("the clock is wrong"), "{log}");
    // Into the past: nothing is expired, and what is signed is signed.
    assert_eq!(at("2000-01-01"), "1.1");
}

#[test]
fn slow_retrieval() {
    launches_with("targets/", Fault::Dripping, "sends too slowly");
}

#[test]
fn the_user_does_not_wait_longer_than_the_deadline() {
    let world = World::with_update();
    let server = FaultyServer::start(&world.repository(), "timestamp", Fault::Stalled);
    world.point_to(&server.url);
    assert_eq!(world.start_version(), "1.0");
    let log = world.log();
    assert!(
        log.contains("no answer from the repository within the deadline"),
        "{log}"
    );
}

#[test]
fn a_damaged_patch_alone_is_made_up_for_by_the_archive() {
    let world = World::with_update();
    let server = FaultyServer::start(&world.repository(), ".patch", Fault::Flipped);
    world.point_to(&server.url);
    assert_eq!(world.start_version(), "1.1");
    let log = world.log();
    assert!(
        log.contains("app-1.1.patch does not match its sha256 hash"),
        "{log}"
    );
    assert!(log.contains("by the full archive"), "{log}");
}

/// An install of 1.0 for which there is nothing but the archive of 1.1.
fn archive_only() -> (World, usize) {
    let world = World::new();
    world.release("1.0", &[]);
    world.ship("1.0");
    world.release("1.1", &["--skip-patch"]);
    world.set("stall", "1.5");
    let archive = fs::read_dir(world.repository().join("targets")).unwrap();
    let archive = archive.map(|entry| entry.unwrap()).find(|entry| {
        entry
            .file_name()
            .to_string_lossy()
            .ends_with("app-1.1.tar.gz")
    });
    let size = archive.unwrap().metadata().unwrap().len();
    (world, size as usize)
}

#[test]
fn a_download_goes_on_where_the_connection_broke() {
    let (world, size) = archive_only();
    let step = size / 4 + 1;
    let server = FaultyServer::start(&world.repository(), ".tar.gz", Fault::Breaking(step));
    world.point_to(&server.url);
    assert_eq!(world.start_version(), "1.1", "{}", world.log());
    assert_eq!(*server.ranges.lock().unwrap(), [step, 2 * step, 3 * step]);
}

#[test]
fn the_next_start_goes_on_with_a_download() {
    let (world, size) = archive_only();
    // This server knows no ranges, so what breaks stays broken.
    let half = size / 2;
    let server = FaultyServer::start(&world.repository(), ".tar.gz", Fault::Truncated(half));
    world.point_to(&server.url);
    assert_eq!(world.start_version(), "1.0");
    assert!(world.log().contains("(unavailable)"), "{}", world.log());
    let server = FaultyServer::start(&world.repository(), ".tar.gz", Fault::Breaking(size));
    world.point_to(&server.url);
    assert_eq!(world.start_version(), "1.1", "{}", world.log());
    assert_eq!(*server.ranges.lock().unwrap(), [half]);
}

#[test]
fn a_partial_download_that_is_damaged_is_dropped() {
    let (world, size) = archive_only();
    let server = FaultyServer::start(&world.repository(), ".tar.gz", Fault::Truncated(size / 2));
    world.point_to(&server.url);
    assert_eq!(world.start_version(), "1.0");
    let downloads = world.path("install/.notsotuf/downloads");
    let partial = fs::read_dir(&downloads).unwrap().next().unwrap().unwrap();
    let mut bytes = fs::read(partial.path()).unwrap();
    bytes[1000] ^= 1;
    fs::write(partial.path(), bytes).unwrap();
    let server = FaultyServer::start(&world.repository(), ".tar.gz", Fault::Breaking(size));
    world.point_to(&server.url);
    assert_eq!(world.start_version(), "1.1", "{}", world.log());
    assert!(world.log().contains("is dropped"), "{}", world.log());
}

/// Whatever a server does, the bytes of a file come twice at the most in one
/// start, from all places together.
#[test]
fn bandwidth_is_bounded() {
    // An answer that is of no use ends, but after what was under way.
    const ONE_ANSWER: usize = 1 << 20;
    let (world, size) = archive_only();
    world.set("deadline", "10.0");
    copy_tree(&world.path("install"), &world.path("shipped"));
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
        fs::remove_dir_all(world.path("install")).unwrap();
        copy_tree(&world.path("shipped"), &world.path("install"));
        let case = format!("{places} x {fault:?}");
        let server = FaultyServer::start(&world.repository(), ".tar.gz", fault.clone());
        let mirrors = vec![format!("\"{}\"", server.url); places - 1];
        world.add_settings(&format!("mirrors = [{}]", mirrors.join(", ")));
        world.point_to(&server.url);
        let version = world.start_version();
        if let Fault::Breaking(_) = fault {
            // It can go on; ten times at each place.
            assert_eq!(version == "1.1", places > 1, "{case}: {}", world.log());
        } else if !matches!(fault, Fault::Anew(_)) {
            assert_eq!(version, "1.0", "{case}: {}", world.log());
        }
        let sent = server.sent.load(Ordering::Relaxed);
        assert!(
            sent <= 2 * size + places * ONE_ANSWER,
            "{case}: {sent} of {size}: {}",
            world.log()
        );
    }
}

/// A server that breaks off and cannot go on, and a mirror that can.
#[test]
fn a_mirror_goes_on_where_another_place_broke() {
    let (world, size) = archive_only();
    let most = size / 10 * 9;
    let first = Fault::Truncated(most);
    let first = FaultyServer::start(&world.repository(), ".tar.gz", first);
    let mirror = Fault::Breaking(size);
    let mirror = FaultyServer::start(&world.repository(), ".tar.gz", mirror);
    world.add_settings(&format!("mirrors = [\"{}\"]", mirror.url));
    world.point_to(&first.url);
    assert_eq!(world.start_version(), "1.1", "{}", world.log());
    assert_eq!(*mirror.ranges.lock().unwrap(), [most]);
    assert_eq!(mirror.sent.load(Ordering::Relaxed), size - most);
}

#[test]
fn redirects_are_followed() {
    let world = World::with_update();
    let server = FaultyServer::start(&world.repository(), "/", Fault::Redirect(world.url()));
    world.point_to(&server.url);
    assert_eq!(world.start_version(), "1.1", "{}", world.log());
}

#[test]
fn another_repository_is_not_trusted() {
    let (mine, other) = (World::with_update(), World::with_update());
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
fn expired_metadata() {
    let world = World::with_update();
    let metadata = world.repository().join("metadata");
    let key = world.path("project/keystore/timestamp.pem");
    python(&["expire", metadata.to_str().unwrap(), key.to_str().unwrap()]);
    assert_eq!(world.start_version(), "1.0");
    let log = world.log();
    assert!(
        log.contains("(unavailable): timestamp metadata expired on 2020-01-01"),
        "{log}"
    );
    assert!(log.contains("the clock is wrong"), "{log}");
    world.bundler(&["publish"]);
    assert_eq!(world.start_version(), "1.1", "{}", world.log());
}

#[test]
fn settings_that_cannot_be_read() {
    let world = World::with_update();
    fs::write(world.path("install/notsotuf.toml"), "name = ").unwrap();
    assert_eq!(world.start_version(), "1.0");
    assert!(
        world.log().contains("starting without looking for updates"),
        "{}",
        world.log()
    );
    fs::remove_file(world.path("install/notsotuf.toml")).unwrap();
    assert_eq!(world.start_version(), "1.0");
}

#[test]
fn state_that_is_damaged() {
    let world = World::with_update();
    assert_eq!(
        json(world.stub().args(["--updater", "check", "--json"]))["update"],
        "1.1"
    );
    let metadata = world.path("install/.notsotuf/metadata");
    for entry in fs::read_dir(&metadata).unwrap() {
        fs::write(entry.unwrap().path(), "{\"signed\": ").unwrap();
    }
    fs::write(world.path("install/.notsotuf/journal"), "nonsense").unwrap();
    assert_eq!(world.start_version(), "1.1", "{}", world.log());
}

#[cfg(unix)]
#[test]
fn a_read_only_install() {
    use std::os::unix::fs::PermissionsExt;
    use std::os::unix::process::CommandExt;
    let world = World::with_update();
    // Root may write anywhere, so this is somebody else; who must be able to
    // get at it.
    fs::set_permissions(world.path(""), fs::Permissions::from_mode(0o755)).unwrap();
    let home = world.path("home");
    fs::create_dir_all(&home).unwrap();
    fs::set_permissions(&home, fs::Permissions::from_mode(0o777)).unwrap();
    let mut command = world.stub();
    command.env("HOME", &home).env_remove("XDG_STATE_HOME");
    if notsotuf_tests::is_root() {
        command.uid(65534).gid(65534);
    } else {
        fs::set_permissions(world.path("install"), fs::Permissions::from_mode(0o555)).unwrap();
    }
    assert_eq!(json(&mut command)["version"], "1.0");
    let log = fs::read_to_string(home.join(".local/state/notsotuf/app/log")).unwrap();
    assert!(log.contains("(local): cannot create the folder"), "{log}");
    fs::set_permissions(world.path("install"), fs::Permissions::from_mode(0o755)).unwrap();
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk() {
    use std::process::Command;
    let world = World::new();
    world.release("1.0", &[]);
    let disk = world.path("install");
    fs::create_dir_all(&disk).unwrap();
    // `ship` makes its folder itself, so it is made elsewhere and copied.
    let shipped = world.path("shipped");
    world.bundler(&["ship", "--output", shipped.to_str().unwrap()]);
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
    world.release("1.1", &["--skip-patch"]);
    world.server.as_ref().unwrap().requests();
    assert_eq!(world.start_version(), "1.0");
    let log = world.log();
    assert!(
        log.contains("(local): version 1.1 needs") && log.contains("make room in"),
        "{log}"
    );
    // What would not fit is not even asked for.
    let requests = world.server.as_ref().unwrap().requests();
    assert!(
        !requests.iter().any(|r| r.contains("app-1.1")),
        "{requests:?}"
    );
    for left in ["staging", "downloads"] {
        assert!(!disk.join(".notsotuf").join(left).exists(), "{left}");
    }
    assert!(mount("remount,size=200m").status.success());
    assert_eq!(world.start_version(), "1.1", "{}", world.log());
}
