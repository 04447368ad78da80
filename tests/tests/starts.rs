//! The application starts, whatever is the matter with the network, the
//! streams, the folder, or the release; and nothing of what the starter has
//! set up for it is lost on the way.

#![cfg(target_os = "linux")]

use notsotuf_tests::faulty_server::{Fault, FaultyServer};
use notsotuf_tests::forge::Forge;
use notsotuf_tests::{Sandbox, copy_tree, is_root, json, run, set_mode, write_script};
use serde_json::{Value, json};
use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{BufRead, BufReader, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant, SystemTime};

/// An application that is a script; it says which version it is.
fn write_bundle(folder: &Path, version: &str, script: &str) {
    let script = format!("echo 'version {version}'\n{script}");
    write_script(&folder.join("program"), &script);
}

fn release(sandbox: &Sandbox, version: &str, script: &str) {
    let folder = sandbox.path(&format!("script-{version}"));
    write_bundle(&folder, version, script);
    sandbox.add(version, &folder, &[]);
    sandbox.bundler(&["publish"]);
}

/// An install of 1.0; 1.1 is in the repository. Both are scripts.
fn scripts(first: &str, second: &str) -> Sandbox {
    let sandbox = Sandbox::new();
    release(&sandbox, "1.0", first);
    sandbox.ship_with(&["--version", "1.0", "--executable", "program"]);
    release(&sandbox, "1.1", second);
    sandbox
}

fn said(command: &mut Command) -> String {
    String::from_utf8(run(command).stdout).unwrap()
}

fn wait_for(sandbox: &Sandbox, what: &str) {
    wait_until(|| sandbox.log().contains(what), || sandbox.log());
}

fn wait_until(done: impl Fn() -> bool, tell: impl Fn() -> String) {
    let start = Instant::now();
    while !done() {
        assert!(start.elapsed() < Duration::from_secs(60), "{}", tell());
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn status(sandbox: &Sandbox) -> Value {
    json(sandbox.stub().args(["--updater", "status", "--json"]))
}

/// As pip puts it on the PATH.
#[test]
fn a_stub_without_an_application_says_what_it_is_and_makes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let stub = folder.path().join("notsotuf-stub");
    fs::copy(notsotuf_tests::program("notsotuf-stub"), &stub).unwrap();
    for argument in ["", "--help"] {
        let done = run(Command::new(&stub).arg(argument));
        assert_eq!(done.status.code(), Some(127), "{done:?}");
        let said = String::from_utf8(done.stderr).unwrap();
        assert!(said.contains("notsotuf ship"), "{said}");
    }
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
}

const READY: &str = "version 1.1 is ready and will be installed at the next start";

/// An attacker, or a telephone line, sends just enough not to be given up.
#[test]
fn a_start_waits_no_longer_than_the_settings_say_and_a_command_gets_through() {
    let sandbox = Sandbox::with_update();
    let server = FaultyServer::start(&sandbox.repository(), "targets/", Fault::Dripping);
    sandbox.point_to(&server.url);
    sandbox.set("stall", "3600.0");
    sandbox.add_settings("wait = 1.0");
    assert_eq!(sandbox.start_version(), "1.0");
    wait_for(
        &sandbox,
        "the update takes longer than the user should wait",
    );
    // It goes on, and another start does not wait for it.
    wait_until(
        || sandbox.log().matches("found version 1.1").count() == 2,
        || sandbox.log(),
    );
    assert_eq!(sandbox.start_version(), "1.0");
    let log = sandbox.log();
    assert!(log.contains("another instance is updating"), "{log}");
    // What the user asks for goes before it.
    sandbox.point_to(&sandbox.url());
    let done = json(sandbox.stub().args(["--updater", "update", "--json"]));
    assert_eq!(done["version"], "1.1", "{}", sandbox.log());
    sandbox.settle();
    assert_eq!(sandbox.start_version(), "1.1");
}

#[test]
fn an_update_that_takes_too_long_goes_on_behind_the_application() {
    let sandbox = Sandbox::with_update();
    fs::remove_file(sandbox.path("install/app/.notsotuf-release")).unwrap();
    sandbox.add_settings("max_rate = 6000000\nwait = 1.0");
    assert_eq!(sandbox.start_version(), "1.0");
    wait_for(
        &sandbox,
        "the update takes longer than the user should wait",
    );
    wait_for(&sandbox, READY);
    sandbox.settle();
    assert_eq!(sandbox.start_version(), "1.1", "{}", sandbox.log());
}

#[test]
fn a_network_that_is_slower_than_the_deadline_still_brings_updates() {
    let sandbox = Sandbox::with_update();
    sandbox.set("deadline", "0.001");
    assert_eq!(sandbox.start_version(), "1.0");
    wait_for(&sandbox, "within the deadline");
    wait_for(&sandbox, READY);
    sandbox.settle();
    // Now there is nothing to ask for.
    sandbox.set("deadline", "3.0");
    assert_eq!(sandbox.start_version(), "1.1", "{}", sandbox.log());
}

#[test]
fn a_command_of_a_moment_is_updated_in_the_background() {
    let sandbox = scripts("", "");
    sandbox.set("mode", "\"background\"");
    assert_eq!(said(&mut sandbox.stub()), "version 1.0\n");
    wait_for(&sandbox, READY);
    sandbox.settle();
    assert_eq!(said(&mut sandbox.stub()), "version 1.1\n");
    // One that is started all the time does not look each time.
    sandbox.settle();
    sandbox.server.as_ref().unwrap().requests();
    let looked = File::options()
        .write(true)
        .open(sandbox.path("install/.notsotuf/behind.lock"))
        .unwrap();
    looked.set_modified(SystemTime::now()).unwrap();
    for _ in 0..3 {
        assert_eq!(said(&mut sandbox.stub()), "version 1.1\n");
        assert_eq!(sandbox.server.as_ref().unwrap().requests(), [""; 0]);
    }
    // But once for all of them when some time has passed.
    let long_ago = SystemTime::now() - Duration::from_secs(60);
    looked.set_modified(long_ago).unwrap();
    let asked = || sandbox.server.as_ref().unwrap().requests();
    wait_until(|| !asked().is_empty(), || sandbox.log());
}

/// Whoever reads them may be gone, or the disk may be full.
/// <https://github.com/Wyze3306/BedrockOnLinux/issues/261>,
/// <https://github.com/github/app/issues/633>
#[test]
fn streams_that_take_nothing_are_no_trouble() {
    let gone = || {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        Stdio::from(writer)
    };
    let full = || Stdio::from(File::options().write(true).open("/dev/full").unwrap());
    for stream in [gone as fn() -> Stdio, full] {
        let sandbox = scripts("", "exit 3");
        let mut command = sandbox.stub();
        let output = command.stderr(stream()).output().unwrap();
        let out = String::from_utf8(output.stdout).unwrap();
        assert_eq!(out, "version 1.1\nversion 1.0\n", "{}", sandbox.log());
        assert_eq!(output.status.code(), Some(0));
        for arguments in [
            &["status"][..],
            &["status", "--json"],
            &["check"],
            &["update"],
            &["rollback"],
            &["repair"],
            &["version"],
            &["help"],
            &["nonsense"],
        ] {
            for both in [true, false] {
                let mut command = sandbox.stub();
                command.arg("--updater").args(arguments).stderr(stream());
                command.stdout(if both { stream() } else { Stdio::null() });
                let code = command.status().unwrap().code();
                assert!(code.is_some_and(|code| code < 6), "{arguments:?}: {code:?}");
            }
        }
    }
}

/// `exec >&- 2>&- <&-` of daemons.
#[test]
fn streams_that_are_closed_are_no_trouble() {
    let sandbox = scripts("", "exit 3");
    let stub = sandbox.path("install/program");
    let mut command = Command::new("sh");
    let closed = "exec \"$0\" <&- >&- 2>&-";
    let output = run(command.args(["-c", closed]).arg(&stub));
    assert_eq!(output.status.code(), Some(0), "{}", sandbox.log());
    let log = sandbox.log();
    assert!(log.contains("going back to version 1.0"), "{log}");
    let strange = log.lines().find(|line| line.starts_with("version"));
    assert_eq!(strange, None, "it is no stream: {log}");
}

/// A supervisor ends it, or the system when memory runs out.
/// <https://github.com/usestrix/strix/pull/1282>,
/// <https://github.com/pyinstaller/pyinstaller/issues/9016>
#[test]
fn the_application_ends_with_the_process_that_was_started() {
    let sleep = "echo $$; exec sleep 1000";
    let sandbox = scripts(sleep, sleep);
    // On probation; then not any more; then with an update behind it.
    for mode in ["before-launch", "before-launch", "background"] {
        sandbox.set("mode", &format!("\"{mode}\""));
        sandbox.set("probation", "0.2");
        let mut child = sandbox.stub().stdout(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        assert_eq!(lines.next().unwrap().unwrap(), "version 1.1");
        let id = lines.next().unwrap().unwrap();
        let there = Path::new("/proc").join(id);
        assert!(there.exists());
        child.kill().unwrap();
        child.wait().unwrap();
        wait_until(|| !there.exists(), || format!("{mode}: it lives on"));
    }
}

/// Python's and other programs' ways to be told something, and what systemd, lxc and
/// sound servers use.
#[test]
fn all_signals_get_to_an_application_on_probation() {
    const SIGNALS: [&str; 8] = ["10", "12", "14", "18", "28", "29", "30", "37"];
    let traps = SIGNALS.map(|n| format!("trap 'echo {n}' {n}\n")).concat();
    let script = format!("{traps}echo ready\nwhile :; do sleep 0.02; done");
    let sandbox = scripts("", &script);
    sandbox.set("probation", "3600.0");
    let mut child = sandbox.stub().stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut next = || lines.next().unwrap().unwrap();
    assert_eq!(next(), "version 1.1");
    assert_eq!(next(), "ready");
    assert_eq!(status(&sandbox)["probation"], true);
    for signal in SIGNALS {
        let id = child.id().to_string();
        let sent = run(Command::new("kill").args([&format!("-{signal}"), &id]));
        assert!(sent.status.success());
        assert_eq!(next(), signal);
    }
    child.kill().unwrap();
    child.wait().unwrap();
}

/// systemd ignores SIGPIPE for services, Python SIGXFSZ; Rust changes both.
#[test]
fn the_application_finds_signals_ignored_as_its_starter_has_them() {
    let script = "exec grep -E '^Sig(Blk|Ign)' /proc/self/status";
    let sandbox = scripts(script, script);
    for set in [
        &["--ignore-signal=PIPE", "--default-signal=XFSZ"][..],
        &["--default-signal=PIPE", "--ignore-signal=XFSZ"],
        &["--ignore-signal=PIPE,XFSZ,HUP", "--block-signal=USR2"],
        &["--default-signal"],
    ] {
        let started = |program: &str| {
            let path = sandbox.path(program);
            let said = said(Command::new("env").args(set).arg(path).stdin(Stdio::null()));
            let sets = said.lines().filter_map(|line| line.strip_prefix("Sig"));
            // glibc has those two for itself.
            let own = 1 << 31 | 1 << 32;
            let number = |set: &str| u64::from_str_radix(set, 16).unwrap() & !own;
            let sets = sets.map(|set| set.split_once(":\t").unwrap());
            let sets: Vec<_> = sets
                .map(|(name, set)| (name.to_owned(), number(set)))
                .collect();
            assert_eq!(sets.len(), 2, "{said}");
            sets
        };
        // Without the stub, on probation at first, and after that.
        let direct = started("script-1.1/program");
        assert_eq!(started("install/program"), direct, "{set:?}");
        assert_eq!(started("install/program"), direct, "{set:?}");
    }
}

/// `ulimit -f` in a batch system: who writes more than that is killed, unless the signal
/// is ignored, as Python does.
#[test]
fn a_limit_on_the_size_of_files_keeps_no_application_from_starting() {
    let sandbox = scripts("", "");
    let folder = sandbox.path("script-1.2");
    write_bundle(&folder, "1.2", "");
    let mut random = File::open("/dev/urandom").unwrap();
    let mut noise = vec![0; 900_000];
    std::io::Read::read_exact(&mut random, &mut noise).unwrap();
    fs::write(folder.join("noise"), noise).unwrap();
    sandbox.add("1.2", &folder, &[]);
    sandbox.bundler(&["publish"]);
    let limited = || {
        let stub = sandbox.path("install/program");
        let mut command = Command::new("sh");
        run(command
            .args(["-c", "ulimit -c 0; ulimit -f 300; exec \"$0\""])
            .arg(stub))
    };
    for _ in 0..4 {
        let output = limited();
        assert!(output.status.success(), "{output:?}");
        assert_eq!(
            String::from_utf8_lossy(&output.stdout),
            "version 1.0\n",
            "{}",
            sandbox.log()
        );
    }
    // A log that is larger already.
    let log = sandbox.path("install/.notsotuf/log");
    let lines = "2026-01-01T00:00:00Z [INFO] before\n".repeat(12_000);
    fs::write(&log, lines).unwrap();
    assert_eq!(limited().stdout, b"version 1.0\n");
    // It says nothing of the version.
    sandbox.settle();
    assert_eq!(
        said(&mut sandbox.stub()),
        "version 1.2\n",
        "{}",
        sandbox.log()
    );
}

/// A mistake in the settings, where the program is in a folder of the bundle, as on macOS.
#[test]
fn settings_with_a_mistake_still_say_what_to_start() {
    let sandbox = Sandbox::new();
    let folder = sandbox.path("bundle");
    write_script(&folder.join("bin/tool"), "echo 'version 1.0'");
    write_script(&folder.join("other"), "echo other");
    sandbox.add("1.0", &folder, &[]);
    sandbox.bundler(&["publish"]);
    sandbox.ship_with(&["--executable", "bin/tool", "--name", "program"]);
    let settings = sandbox.path("install/notsotuf.toml");
    let right = fs::read_to_string(&settings).unwrap();
    for mistake in [
        format!("deadline = \"3\"\n{right}"),
        format!("{right}\nnonsense"),
        right.replace("name = ", "name "),
    ] {
        assert_ne!(mistake, right);
        fs::write(&settings, &mistake).unwrap();
        assert_eq!(said(&mut sandbox.stub()), "version 1.0\n", "{mistake}");
    }
    // Nothing outside of the bundle is started, whatever the line says.
    fs::write(&settings, "executable = \"../bundle/other\"").unwrap();
    assert_eq!(run(&mut sandbox.stub()).status.code(), Some(127));
    // Without any settings, the only one of the stub's name is it.
    fs::rename(
        sandbox.path("install/program"),
        sandbox.path("install/tool"),
    )
    .unwrap();
    fs::remove_file(&settings).unwrap();
    assert_eq!(
        said(&mut Command::new(sandbox.path("install/tool"))),
        "version 1.0\n"
    );
}

/// Sockets that systemd has opened are for the process with the id that it
/// says. <https://github.com/pyinstaller/pyinstaller/issues/2345> was alike.
#[test]
fn the_application_finds_its_own_process_id_in_listen_pid() {
    let script = "echo $$ $LISTEN_PID $WATCHDOG_PID ${LISTEN_PIDFDID-none} $SYSTEMD_EXEC_PID; \
                  cat <&3; printf '<%s>' \"$@\"";
    let sandbox = scripts(script, script);
    let stub = sandbox.path("install/program");
    let start = || {
        let mut command = Command::new("sh");
        let set = "LISTEN_PID=$$ WATCHDOG_PID=$$ LISTEN_PIDFDID=7 SYSTEMD_EXEC_PID=1 \
                   exec \"$0\" a 'b c' '' 3</proc/sys/kernel/ostype";
        said(command.args(["-c", set]).arg(&stub))
    };
    let check = |said: &str, fd: &str| {
        let mut lines = said.lines();
        assert_eq!(lines.next(), Some("version 1.1"));
        let ids: Vec<_> = lines.next().unwrap().split(' ').collect();
        assert_eq!(ids, [ids[0], ids[0], ids[0], fd, "1"]);
        assert_eq!(lines.next(), Some("Linux"));
        assert_eq!(lines.next(), Some("<a><b c><>"));
    };
    // On probation it is a child, then the very process.
    check(&start(), "none");
    check(&start(), "7");
    // What is said of another process stays.
    sandbox.set("mode", "\"off\"");
    let mut other = sandbox.stub();
    let other = other.env("LISTEN_PID", "1").env("SYSTEMD_EXEC_PID", "2");
    let output = said(other.env_remove("WATCHDOG_PID"));
    assert!(
        output.contains(" 1 none 2\n") || output.contains(" 1  none 2\n"),
        "{output}"
    );
}

/// Somebody released what `notsotuf ship` made, stub and settings and all.
#[test]
fn a_release_with_a_stub_in_it_is_refused() {
    let sandbox = scripts("", "");
    let shipped = sandbox.path("shipped");
    copy_tree(&sandbox.path("install"), &shipped);
    fs::remove_file(shipped.join("app/.notsotuf-release")).unwrap();
    // `add` refuses it; older versions did not.
    let mut tar = Command::new("tar");
    tar.args(["-cz", "-C"]).arg(&shipped);
    let packed = run(tar.args(["program", "notsotuf.toml", "root.json", "app"]));
    assert!(packed.status.success(), "{packed:?}");
    let mut forge = Forge::new(&sandbox);
    forge.add("app-1.2.tar.gz", &packed.stdout);
    forge.publish(&|_, _, file| file);
    // It is refused, and then passed over for the one before it.
    for version in ["1.0", "1.1"] {
        let started = said(&mut sandbox.stub());
        assert_eq!(started, format!("version {version}\n"), "{}", sandbox.log());
        let log = sandbox.log();
        assert!(
            log.contains("version 1.2 holds this updater in place of the application"),
            "{log}"
        );
        assert!(!sandbox.path("install/.notsotuf/staging").exists());
    }
    // The next one is an application again.
    let next = sandbox.path("script-1.3");
    write_bundle(&next, "1.3", "");
    sandbox.add("1.3", &next, &["--skip-patch"]);
    sandbox.bundler(&["publish"]);
    assert_eq!(
        said(&mut sandbox.stub()),
        "version 1.3\n",
        "{}",
        sandbox.log()
    );
}

/// The same, as an older stub may have installed it.
#[test]
fn a_stub_that_is_installed_as_the_application_is_passed_by() {
    let sandbox = scripts("", "");
    sandbox.point_to("http://127.0.0.1:9");
    let (app, shipped) = (sandbox.path("install/app"), sandbox.path("shipped"));
    let nest = |name: &str| {
        fs::create_dir(&shipped).unwrap();
        for file in ["program", "notsotuf.toml", "root.json"] {
            fs::copy(sandbox.path("install").join(file), shipped.join(file)).unwrap();
        }
        let settings = fs::read_to_string(shipped.join("notsotuf.toml")).unwrap();
        let settings = settings.replace("name = \"app\"", &format!("name = \"{name}\""));
        fs::write(shipped.join("notsotuf.toml"), settings).unwrap();
        fs::rename(&app, shipped.join("app")).unwrap();
        fs::rename(&shipped, &app).unwrap();
    };
    let outer = |output: &str| output.lines().last().map(str::to_owned);
    nest("app");
    let output = run(&mut sandbox.stub());
    assert_eq!(output.stdout, b"version 1.0\n", "{}", sandbox.log());
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(told.contains("released the folder"), "{told}");
    // An outer stub that knows nothing of this: the inner one does not update
    // itself, and where it is waited for whether it works, it does not.
    let inner = || {
        let mut inner = Command::new(app.join("program"));
        inner.env("NOTSOTUF_STUB", sandbox.path("install/program"));
        inner
    };
    assert_eq!(outer(&said(&mut inner())), Some("version 1.0".into()));
    let tried = run(inner().env("NOTSOTUF_READY_FILE", sandbox.path("ready")));
    assert_eq!((tried.status.code(), tried.stdout), (Some(3), Vec::new()));
    assert!(!app.join(".notsotuf/downloads").exists());
    // Another application's stub is a program like any other.
    let inner = app.join("notsotuf.toml");
    let settings = fs::read_to_string(&inner).unwrap();
    fs::write(
        &inner,
        settings.replace("name = \"app\"", "name = \"other\""),
    )
    .unwrap();
    let output = run(&mut sandbox.stub());
    assert_eq!(output.stdout, b"version 1.0\n", "{}", sandbox.log());
    assert!(output.stderr.is_empty(), "{output:?}");
}

#[test]
fn the_working_directory_is_handed_on_also_where_it_is_in_the_bundle() {
    let sandbox = Sandbox::new();
    for (version, folder) in [("1.0", "gone/deep"), ("1.1", "other")] {
        let bundle = sandbox.path(&format!("script-{version}"));
        write_bundle(&bundle, version, "pwd -P");
        for folder in ["stays", folder] {
            fs::create_dir_all(bundle.join(folder)).unwrap();
            fs::write(bundle.join(folder).join("file"), version).unwrap();
        }
        sandbox.add(version, &bundle, &[]);
        sandbox.bundler(&["publish"]);
        if version == "1.0" {
            sandbox.ship_with(&["--executable", "program"]);
            copy_tree(&sandbox.path("install"), &sandbox.path("install-2"));
        }
    }
    let start = |install: &str, folder: &str| {
        let install = sandbox.path(install).canonicalize().unwrap();
        let mut command = Command::new(install.join("program"));
        let output = said(command.current_dir(install.join(folder)));
        let place = output.lines().nth(1).unwrap();
        let place = Path::new(place).strip_prefix(&install).unwrap().to_owned();
        (output.lines().next().unwrap().to_owned(), place)
    };
    let expected = |folder: &str| ("version 1.1".to_owned(), folder.into());
    assert_eq!(start("install", "app/stays"), expected("app/stays"));
    // Not there any more: the nearest that is.
    assert_eq!(start("install-2", "app/gone/deep"), expected("app"));
    assert_eq!(start("install-2", "app/other"), expected("app/other"));
    assert_eq!(start("install-2", ""), expected(""));
    // One that is not there at all.
    let nowhere = sandbox.path("nowhere");
    let mut command = Command::new("sh");
    let script = "mkdir \"$1\" && cd \"$1\" && rmdir \"$1\" && exec \"$0\"";
    command
        .args(["-c", script])
        .arg(sandbox.path("install/program"));
    let output = said(command.arg(&nowhere));
    assert!(output.starts_with("version 1.1\n"), "{output}");
}

/// What it has read, nobody can give to the version before.
#[test]
fn a_program_with_data_on_its_input_is_not_started_a_second_time() {
    let script = "cat";
    let failing = "cat; exit 3";
    let pipe = scripts(script, failing);
    let mut child = pipe.stub();
    let child = child.stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = child.spawn().unwrap();
    child.stdin.take().unwrap().write_all(b"data\n").unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.stdout, b"version 1.1\ndata\n", "{}", pipe.log());
    assert_eq!(output.status.code(), Some(3));
    let log = pipe.log();
    assert!(log.contains("there was data on standard input"), "{log}");
    assert_eq!(status(&pipe)["installed"]["version"], "1.0");
    assert_eq!(status(&pipe)["failed"], json!(["1.1"]));
    let with_file = |content: &str| {
        let sandbox = scripts(script, failing);
        fs::write(sandbox.path("input"), content).unwrap();
        let mut command = sandbox.stub();
        command.stdin(File::open(sandbox.path("input")).unwrap());
        String::from_utf8(command.output().unwrap().stdout).unwrap()
    };
    assert_eq!(with_file("data\n"), "version 1.1\ndata\n");
    // Nothing is lost where there is nothing.
    assert_eq!(with_file(""), "version 1.1\nversion 1.0\n");
    let closed = scripts(script, failing);
    let (reader, writer) = std::io::pipe().unwrap();
    drop(writer);
    let output = closed.stub().stdin(reader).output().unwrap();
    assert_eq!(output.stdout, b"version 1.1\nversion 1.0\n");
}

#[test]
fn status_answers_in_a_folder_with_a_name_that_is_no_unicode() {
    let sandbox = scripts("", "");
    let folder = sandbox.path("").join(OsStr::from_bytes(b"caf\xe9"));
    fs::rename(sandbox.path("install"), &folder).unwrap();
    let stub = || Command::new(folder.join("program"));
    assert_eq!(said(&mut stub()), "version 1.1\n");
    let status = json(stub().args(["--updater", "status", "--json"]));
    assert_eq!(status["installed"]["version"], "1.1");
    assert!(status["log"].as_str().unwrap().contains("caf"));
    let words = said(stub().args(["--updater", "status"]));
    assert!(words.contains("app 1.1"), "{words}");
}

#[test]
fn status_answers_everybody_who_can_start_the_application() {
    let sandbox = scripts("", "");
    assert_eq!(said(&mut sandbox.stub()), "version 1.1\n");
    assert_eq!(status(&sandbox)["readable"], true);
    if !is_root() {
        eprintln!("skipped: to be somebody else takes root");
        return;
    }
    set_mode(&sandbox.path(""), 0o755);
    let other = || {
        let mut command = sandbox.stub();
        command.uid(65534).gid(65534).env("HOME", "/nonexistent");
        command.env_remove("XDG_STATE_HOME");
        command
    };
    assert_eq!(said(&mut other()), "version 1.1\n");
    let status = json(other().args(["--updater", "status", "--json"]));
    assert_eq!(status["installed"]["version"], "1.1");
    assert_eq!(status["readable"], false);
    assert_eq!(status["previous"], Value::Null);
    let words = said(other().args(["--updater", "status"]));
    assert!(words.contains("app 1.1"), "{words}");
}

/// In a chroot, say.
#[test]
fn without_proc_the_application_starts_and_is_updated_but_not_under_it() {
    let mut probe = Command::new("unshare");
    if !run(probe.args(["-m", "true"])).status.success() {
        eprintln!("skipped: taking /proc away takes root");
        return;
    }
    let sandbox = scripts("[ -z \"$1\" ] || exec sleep 1000", "");
    let start = || {
        let mut command = Command::new("unshare");
        let script = "umount -l /proc && exec \"$0\" \"$@\"";
        command.args(["-m", "sh", "-c", script]);
        command.arg(sandbox.path("install/program"));
        command
    };
    sandbox.set("mode", "\"off\"");
    let mut running = start().arg("x").stdout(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    let out = running.stdout.as_mut().unwrap();
    BufReader::new(out).read_line(&mut line).unwrap();
    assert_eq!(line, "version 1.0\n");
    sandbox.set("mode", "\"before-launch\"");
    assert_eq!(said(&mut start()), "version 1.0\n", "{}", sandbox.log());
    running.kill().unwrap();
    running.wait().unwrap();
    assert_eq!(said(&mut start()), "version 1.1\n", "{}", sandbox.log());
}

#[test]
fn the_log_says_as_much_as_is_asked_for() {
    let sandbox = scripts("", "");
    let lines = |level: Option<&str>, set: &str| {
        let log = sandbox.path("install/.notsotuf/log");
        fs::write(&log, "").unwrap();
        sandbox.set("log_level", set);
        let mut command = sandbox.stub();
        match level {
            Some(level) => command.env("NOTSOTUF_LOG", level),
            None => command.env_remove("NOTSOTUF_LOG"),
        };
        assert!(said(&mut command).starts_with("version 1."));
        fs::read_to_string(&log).unwrap()
    };
    sandbox.add_settings("log_level = \"info\"");
    sandbox.set("mode", "\"off\"");
    assert_eq!(said(&mut sandbox.stub()), "version 1.0\n");
    assert!(lines(None, "\"info\"").contains("app started"));
    assert_eq!(lines(None, "\"warn\""), "");
    assert_eq!(lines(Some("off"), "\"info\""), "");
    assert!(lines(Some("INFO"), "\"off\"").contains("app started"));
    // Empty is as good as not set, and nonsense is said.
    assert_eq!(lines(Some(""), "\"error\""), "");
    assert!(lines(Some("loud"), "\"warn\"").contains("NOTSOTUF_LOG is none of"));
}

/// Wherever that is; and nowhere, if nothing is to be logged.
#[test]
fn a_panic_is_told_in_the_log_that_is_used() {
    const TOLD: &str = "the program has an error at";
    let sandbox = scripts("", "");
    sandbox.add_settings("log_level = \"info\"");
    let panicked = || {
        let mut command = sandbox.stub();
        command.env("NOTSOTUF_TEST_PANIC", "main");
        command.env("XDG_STATE_HOME", sandbox.path("home"));
        assert_eq!(said(&mut command), "version 1.0\n");
    };
    panicked();
    assert!(sandbox.log().contains(TOLD), "{}", sandbox.log());
    let log = sandbox.path("install/.notsotuf/log");
    fs::write(&log, "").unwrap();
    sandbox.set("log_level", "\"off\"");
    panicked();
    assert_eq!(sandbox.log(), "");
    sandbox.set("log_level", "\"info\"");
    fs::remove_dir_all(sandbox.path("install/.notsotuf")).unwrap();
    fs::write(sandbox.path("install/.notsotuf"), "no folder").unwrap();
    panicked();
    let log = fs::read_to_string(sandbox.path("home/notsotuf/app/log")).unwrap();
    assert!(log.contains(TOLD), "{log}");
}
