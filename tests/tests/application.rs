//! What the application is told, and what it can ask, with the Python helper
//! that is shipped for it.

#![cfg(unix)]

use notsotuf_tests::{World, json, root, run};
use serde_json::{Value, json};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

/// An application that is a Python script beside the helper, under the
/// stub's rules like any other.
fn release(world: &World, version: &str, script: &str) {
    let folder = world.path(&format!("bundle-{version}"));
    fs::create_dir_all(&folder).unwrap();
    let helper = root().join("python/notsotuf_app.py");
    fs::copy(helper, folder.join("notsotuf_app.py")).unwrap();
    let python = root().join(".venv/bin/python");
    let program = folder.join("program");
    let head = "import json, os, sys, notsotuf_app as n\n";
    let text = format!("#!{} -B\n{head}{script}\n", python.display());
    fs::write(&program, text).unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    world.add(version, &folder, &[]);
    world.bundler(&["publish"]);
}

#[test]
fn an_application_stages_an_update_and_restarts_into_it() {
    let world = World::new();
    let say = "print(json.dumps({'version': n.version(), 'args': sys.argv[1:], \
               'staged': os.environ.get('NOTSOTUF_STAGED'), 'previous': n.previous()}))";
    release(
        &world,
        "1.0",
        "before = n.check()\nstaged = n.stage()\nagain = n.status()\n\
         assert before['update'] == '1.1', before\n\
         assert staged == {'result': 'staged', 'version': '1.1'}, staged\n\
         assert again['staged']['version'] == '1.1', again\n\
         n.restart(['after', 'the restart'])",
    );
    world.ship_with(&["--executable", "program"]);
    world.set("mode", "\"off\"");
    release(&world, "1.1", say);
    let said = json(&mut world.stub());
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
fn a_new_version_says_that_it_is_ready() {
    let world = World::new();
    release(&world, "1.0", "print(1)");
    world.ship_with(&["--executable", "program"]);
    release(&world, "1.1", "n.ready()\nsys.exit(7)");
    assert_eq!(run(&mut world.stub()).status.code(), Some(7));
    let status = json(world.stub().args(["--updater", "status", "--json"]));
    assert_eq!(status["installed"]["version"], "1.1");
    assert_eq!(status["failed"], json!([]));
}

#[test]
fn errors_reach_the_application_and_without_a_stub_nothing_happens() {
    let world = World::new();
    release(
        &world,
        "1.0",
        "try:\n    n.check()\nexcept n.UpdateError as e:\n    print(json.dumps([e.kind, str(e)]))",
    );
    world.ship_with(&["--executable", "program"]);
    world.point_to("http://127.0.0.1:9");
    let said: Value = json(&mut world.stub());
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
