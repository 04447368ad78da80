//! What the application is told, and what it can ask, with the Python helper
//! that is shipped for it.

#![cfg(unix)]

use notsotuf_tests::{Sandbox, json, root, run};
use serde_json::{Value, json};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};

/// An application that is a Python script beside the helper, under the
/// stub's rules like any other.
fn release(sandbox: &Sandbox, version: &str, script: &str) {
    let folder = sandbox.path(&format!("bundle-{version}"));
    fs::create_dir_all(&folder).unwrap();
    let helper = root().join("python/notsotuf_app.py");
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
         assert before['update'] == '1.1', before\n\
         assert staged == {'result': 'staged', 'version': '1.1'}, staged\n\
         assert again['staged']['version'] == '1.1', again\n\
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

/// One-file bundles: a loader in `app/` waits for the application, which then
/// is another program's affair. Here the loader is a shell. About such restarts:
/// <https://github.com/pyinstaller/pyinstaller/issues/9233>,
/// <https://github.com/pyinstaller/pyinstaller/issues/9338>
fn release_one_file(sandbox: &Sandbox, version: &str, script: &str) {
    let folder = sandbox.path(&format!("bundle-{version}"));
    fs::create_dir_all(&folder).unwrap();
    let helper = root().join("python/notsotuf_app.py");
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
                 print(json.dumps([n.version(), n.stage()['result'], n.status()['staged']]))",
            )
            .env("PYTHONPATH", root().join("python"))
            .env_remove("NOTSOTUF_STUB"),
    );
    assert_eq!(alone, json!([null, "up-to-date", null]));
}
