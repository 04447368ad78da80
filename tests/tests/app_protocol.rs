//! What the application is told, and what it can ask, with the Python helper
//! that is shipped for it.

#![cfg(unix)]

use notsotuf_tests::faulty_server::{Fault, FaultyServer};
use notsotuf_tests::{Sandbox, json, root, run, write_script};
use serde_json::{Value, json};
use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};
use std::time::Instant;

/// An application that is a Python script beside the helper, under the
/// stub's rules like any other.
fn release(sandbox: &Sandbox, version: &str, script: &str) {
    let folder = sandbox.path(&format!("bundle-{version}"));
    fs::create_dir_all(&folder).unwrap();
    let helper = root().join("python/notsotuf_app/__init__.py");
    fs::copy(helper, folder.join("notsotuf_app.py")).unwrap();
    let python = root().join(".venv/bin/python");
    let program = folder.join("program");
    let head = "import json, os, sys, notsotuf_app as n\n";
    let text = format!("#!{} -B\n{head}{script}\n", python.display());
    fs::write(&program, text).unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    sandbox.add(version, &folder, &[]);
    sandbox.bundler(&["publish"]);
}

#[test]
fn an_application_stages_an_update_and_restarts_into_it() {
    let sandbox = Sandbox::new();
    let say = "print(json.dumps({'version': n.version(), 'args': sys.argv[1:], \
               'staged': os.environ.get('NOTSOTUF_STAGED'), 'previous': n.previous()}))";
    release(
        &sandbox,
        "1.0",
        "before = n.check()\nstaged = n.stage()\nagain = n.status()\n\
         assert before.update == '1.1' and before.notes == (), before\n\
         assert staged == n.Result('staged', '1.1') and staged.is_staged, staged\n\
         assert again.staged == n.Release('app', '1.1') and again.readable, again\n\
         n.restart(['after', 'the restart'])",
    );
    sandbox.ship_with(&["--executable", "program"]);
    sandbox.set("mode", "\"off\"");
    release(&sandbox, "1.1", say);
    let said = json(&mut sandbox.stub());
    assert_eq!(
        said,
        json!({
            "version": "1.1",
            "args": ["after", "the restart"],
            "staged": null,
            "previous": "1.0",
        })
    );
}

#[test]
fn what_is_staged_is_told_where_it_may_be_installed() {
    let sandbox = Sandbox::new();
    // A program of the bundle, as running instances are seen by that.
    let shell = sandbox.path("install/app/shell");
    for version in ["1.0", "1.1"] {
        let folder = sandbox.path(&format!("bundle-{version}"));
        write_script(
            &folder.join("program"),
            "if [ \"$1\" = wait ]; then echo; read go || exit 0; else echo \"\\\"$NOTSOTUF_STAGED\\\"\"; fi",
        );
        let program = folder.join("program");
        let script = fs::read_to_string(&program).unwrap();
        let (_, script) = script.split_once('\n').unwrap();
        fs::write(&program, format!("#!{}\n{script}", shell.display())).unwrap();
        fs::copy("/bin/sh", folder.join("shell")).unwrap();
        sandbox.add(version, &folder, &[]);
        sandbox.bundler(&["publish"]);
        if version == "1.0" {
            sandbox.ship_with(&["--executable", "program"]);
            sandbox.set("mode", "\"off\"");
        }
    }
    assert_eq!(json(&mut sandbox.stub()), "");
    // It is not installed while this one runs.
    let mut other = sandbox.stub();
    other
        .arg("wait")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped());
    let mut other = other.spawn().unwrap();
    let mut line = String::new();
    let out = other.stdout.take().unwrap();
    BufReader::new(out).read_line(&mut line).unwrap();
    let stage = ["--updater", "stage", "--json"];
    assert_eq!(json(sandbox.stub().args(stage))["result"], "staged");
    assert_eq!(json(&mut sandbox.stub()), "1.1");
    let status = || json(sandbox.stub().args(["--updater", "status", "--json"]));
    assert_eq!(status()["staged"]["version"], "1.1");
    // An administrator says that it is not.
    let off = sandbox.path("install/notsotuf.local.toml");
    fs::write(&off, "mode = 'off'\n").unwrap();
    assert_eq!(json(&mut sandbox.stub()), "");
    assert_eq!(status()["staged"], Value::Null);
    fs::remove_file(&off).unwrap();
    assert_eq!(json(&mut sandbox.stub()), "1.1");
    drop(other.stdin.take());
    assert!(other.wait().unwrap().success());
}

/// One-file bundles: a loader in `app/` waits for the application, which then
/// is another program's affair. Here the loader is a shell. About such restarts:
/// <https://github.com/pyinstaller/pyinstaller/issues/9233>,
/// <https://github.com/pyinstaller/pyinstaller/issues/9338>
fn release_one_file(sandbox: &Sandbox, version: &str, script: &str) {
    let folder = sandbox.path(&format!("bundle-{version}"));
    fs::create_dir_all(&folder).unwrap();
    let helper = root().join("python/notsotuf_app/__init__.py");
    fs::copy(helper, folder.join("notsotuf_app.py")).unwrap();
    fs::copy("/bin/sh", folder.join("loader")).unwrap();
    let head = "import json, os, sys, notsotuf_app as n\nsys._MEIPASS = '/tmp/_MEIabcdef'\n";
    fs::write(folder.join("main.py"), format!("{head}{script}\n")).unwrap();
    let (app, python) = (sandbox.path("install/app"), root().join(".venv/bin/python"));
    let program = folder.join("program");
    let text = format!(
        "#!{app}/loader\n{} -B {app}/main.py \"$@\"\nexit $?\n",
        python.display(),
        app = app.display()
    );
    fs::write(&program, text).unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    sandbox.add(version, &folder, &[]);
    sandbox.bundler(&["publish"]);
}

#[test]
fn the_loader_of_a_one_file_bundle_is_no_instance_that_runs() {
    for mode in ["before-launch", "background", "off"] {
        let sandbox = Sandbox::new();
        let go = "if 'go' in sys.argv: n.stage(); n.restart(['on'])\n\
                  elif 'on' in sys.argv: n.restart(['end'])\n\
                  else: print(json.dumps(n.version()))";
        release_one_file(&sandbox, "1.0", go);
        sandbox.ship_with(&["--executable", "program"]);
        // With this, the first start does not find it.
        let url = sandbox.url();
        sandbox.point_to("http://127.0.0.1:9");
        release_one_file(&sandbox, "1.1", go);
        let settings = sandbox.path("install/notsotuf.toml");
        sandbox.set("mode", &format!("\"{mode}\""));
        let text = fs::read_to_string(&settings).unwrap();
        let online = text.replace("http://127.0.0.1:9", &url);
        let stage = format!(
            "open({:?}, 'w').write({online:?})\n",
            settings.to_str().unwrap()
        );
        let main = sandbox.path("install/app/main.py");
        let script = fs::read_to_string(&main).unwrap();
        let head = script.lines().take(2).collect::<Vec<_>>().join("\n");
        fs::write(
            &main,
            format!("{head}\nif 'go' in sys.argv: {stage}\n{go}\n"),
        )
        .unwrap();
        // And once more, with two loaders that wait.
        let said: Value = json(sandbox.stub().arg("go"));
        assert_eq!(said, "1.1", "{mode}: {}", sandbox.log());
        // One that nobody names is an instance like any other.
        let mut other = Command::new(sandbox.path("install/app/loader"));
        other.args(["-c", "read x"]).stdin(Stdio::piped());
        let mut child = other.spawn().unwrap();
        release_one_file(&sandbox, "1.2", go);
        let status = json(sandbox.stub().args(["--updater", "update", "--json"]));
        assert_eq!(status["result"], "staged", "{}", sandbox.log());
        child.kill().unwrap();
        child.wait().unwrap();
    }
}

#[test]
fn the_stub_is_where_the_application_is_told_also_after_it_replaced_itself() {
    let sandbox = Sandbox::new();
    let say = "print(json.dumps([n.stub(), os.path.exists(n.stub()), n.status()['updater']]))";
    release(&sandbox, "1.0", say);
    sandbox.ship_with(&["--executable", "program"]);
    let newer = sandbox.stub_of_version("9.1");
    sandbox.bundler(&["add-stub", newer.to_str().unwrap()]);
    sandbox.bundler(&["publish"]);
    let stub = sandbox.path("install/program").canonicalize().unwrap();
    for _ in 0..2 {
        let said = json(&mut sandbox.stub());
        assert_eq!(said, json!([stub.to_str().unwrap(), true, "9.1"]));
    }
}

#[test]
fn a_new_version_says_that_it_is_ready() {
    let sandbox = Sandbox::new();
    release(&sandbox, "1.0", "print(1)");
    sandbox.ship_with(&["--executable", "program"]);
    release(&sandbox, "1.1", "n.ready()\nsys.exit(7)");
    assert_eq!(run(&mut sandbox.stub()).status.code(), Some(7));
    let status = json(sandbox.stub().args(["--updater", "status", "--json"]));
    assert_eq!(status["installed"]["version"], "1.1");
    assert_eq!(status["failed"], json!([]));
}

#[test]
fn errors_reach_the_application_and_without_a_stub_nothing_happens() {
    let sandbox = Sandbox::new();
    release(
        &sandbox,
        "1.0",
        "try:\n    n.check()\nexcept n.UpdateError as e:\n    print(json.dumps([e.kind, str(e)]))",
    );
    sandbox.ship_with(&["--executable", "program"]);
    sandbox.point_to("http://127.0.0.1:9");
    let said: Value = json(&mut sandbox.stub());
    assert_eq!(said[0], "unavailable");
    assert!(said[1].as_str().unwrap().contains("cannot reach"), "{said}");
    let alone = json(
        Command::new(root().join(".venv/bin/python"))
            .arg("-c")
            .arg(
                "import json, notsotuf_app as n; n.ready(); \
                 print(json.dumps([n.version(), n.stage().result, n.status().staged]))",
            )
            .env("PYTHONPATH", root().join("python"))
            .env_remove("NOTSOTUF_STUB"),
    );
    assert_eq!(alone, json!([null, "up-to-date", null]));
}

/// An install of 1.0, with a 1.1 that takes a second or two to download.
fn slow_update() -> Sandbox {
    let sandbox = Sandbox::new();
    release(&sandbox, "1.0", "print(1)");
    sandbox.ship_with(&["--executable", "program"]);
    sandbox.set("mode", "\"off\"");
    // Nothing that could be compressed.
    let mut noise = vec![0u8; 3_000_000];
    fs::File::open("/dev/urandom")
        .unwrap()
        .read_exact(&mut noise)
        .unwrap();
    fs::create_dir_all(sandbox.path("bundle-1.1")).unwrap();
    fs::write(sandbox.path("bundle-1.1/noise"), noise).unwrap();
    release(&sandbox, "1.1", "print(2)");
    sandbox.add_settings("max_rate = 2000000");
    sandbox
}

/// The bytes that are downloaded and not yet used.
fn downloaded(sandbox: &Sandbox) -> u64 {
    let files = fs::read_dir(sandbox.path("install/.notsotuf/downloads")).unwrap();
    files
        .map(|file| file.unwrap().metadata().unwrap().len())
        .sum()
}

#[test]
fn a_command_tells_what_it_does_and_answers_in_the_last_line() {
    let sandbox = slow_update();
    let start = Instant::now();
    let output = run(sandbox.stub().args(["--updater", "stage", "--events"]));
    let most = start.elapsed().as_millis() / 100 + 10;
    assert!(output.status.success(), "{output:?}");
    let said = String::from_utf8(output.stdout).unwrap();
    let lines: Vec<Value> = said
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert!(lines.len() as u128 <= most, "{} lines", lines.len());
    let (answer, events) = lines.split_last().unwrap();
    assert_eq!(answer, &json!({ "result": "staged", "version": "1.1" }));
    let mut steps: Vec<&str> = events
        .iter()
        .map(|e| e["progress"].as_str().unwrap())
        .collect();
    steps.dedup();
    assert_eq!(steps, ["checking", "downloading", "unpacking"]);
    let loading = events
        .iter()
        .filter(|event| event["progress"] == "downloading");
    let done: Vec<u64> = loading
        .map(|event| {
            assert_eq!(event["version"], "1.1");
            assert!(event["total"].as_u64().unwrap() >= 3_000_000, "{event}");
            event["done"].as_u64().unwrap()
        })
        .collect();
    assert!(done.is_sorted() && done.len() > 3, "{done:?}");
    // It says the same of what is installed, and of nothing to do.
    let output = run(sandbox.stub().args(["--updater", "update", "--events"]));
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(said.contains(r#""progress":"installing""#), "{said}");
    let answer: Value = serde_json::from_str(said.lines().next_back().unwrap()).unwrap();
    assert_eq!(answer["result"], "updated");
    let output = run(sandbox.stub().args(["--updater", "stage", "--events"]));
    let said = String::from_utf8(output.stdout).unwrap();
    let answer: Value = serde_json::from_str(said.lines().next_back().unwrap()).unwrap();
    assert_eq!(answer["result"], "up-to-date", "{said}");
}

#[test]
fn who_closes_the_pipe_has_cancelled() {
    let sandbox = slow_update();
    let mut child = sandbox
        .stub()
        .args(["--updater", "stage", "--events"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let under_way = |line: String| {
        let event: Value = serde_json::from_str(&line).unwrap();
        event["progress"] == "downloading" && event["done"].as_u64().unwrap() > 0
    };
    assert!(lines.any(|line| under_way(line.unwrap())));
    drop(lines);
    assert_eq!(child.wait().unwrap().code(), Some(1));
    assert!(sandbox.log().contains("nobody waits for this any more"));
    let status = json(sandbox.stub().args(["--updater", "status", "--json"]));
    assert_eq!(status["staged"], Value::Null);
    let before = downloaded(&sandbox);
    assert!(before > 0);
    // No lock stays, and the download continues where it was.
    let server = FaultyServer::start(&sandbox.repository(), ".gz", Fault::Breaking(1 << 30));
    sandbox.point_to(&server.url);
    let staged = json(sandbox.stub().args(["--updater", "stage", "--json"]));
    assert_eq!(staged["version"], "1.1");
    let from = server.ranges.lock().unwrap().clone();
    assert!(
        from.first().is_some_and(|&from| from as u64 == before),
        "{from:?} {before}"
    );
}

#[test]
fn an_answer_tells_that_another_process_is_updating() {
    let sandbox = slow_update();
    let mut child = sandbox
        .stub()
        .args(["--updater", "stage", "--events"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut first = String::new();
    let mut reader = BufReader::new(child.stdout.take().unwrap());
    while !first.contains("downloading") {
        first.clear();
        reader.read_line(&mut first).unwrap();
    }
    let output = run(sandbox.stub().args(["--updater", "stage", "--json"]));
    let answer: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(
        (&answer["locked"], &answer["class"]),
        (&json!(true), &json!("local"))
    );
    // A choice can be made meanwhile, and counts for what is being staged.
    let held = json(sandbox.stub().args(["--updater", "hold", "1.0", "--json"]));
    assert_eq!(held["hold"], "1.0");
    let mut rest = String::new();
    reader.read_to_string(&mut rest).unwrap();
    assert!(rest.contains(r#""result":"staged""#), "{rest}");
    child.wait().unwrap();
    let said = run(&mut sandbox.stub());
    assert_eq!(String::from_utf8(said.stdout).unwrap().trim(), "1");
}
