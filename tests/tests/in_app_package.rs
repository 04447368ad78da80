//! The Python package for applications: progress, cancelling, choices, asyncio,
//! and what becomes of it where something is missing.

#![cfg(unix)]

use notsotuf_tests::{Sandbox, json, root, run, write_script};
use serde_json::{Value, json};
use std::fs;
use std::io::Read;
use std::process::Command;

/// Releases `say`, a shell script.
fn release(sandbox: &Sandbox, version: &str, noise: usize) {
    let folder = sandbox.path(&format!("bundle-{version}"));
    write_script(&folder.join("program"), &format!("echo {version}"));
    // Nothing that could be compressed.
    let mut bytes = vec![0; noise];
    let mut random = fs::File::open("/dev/urandom").unwrap();
    random.read_exact(&mut bytes).unwrap();
    fs::write(folder.join("noise"), bytes).unwrap();
    sandbox.add(version, &folder, &[]);
    sandbox.bundler(&["publish"]);
}

/// An install of 1.0 with a 1.1, which takes a second or two to download.
fn with_update() -> Sandbox {
    let sandbox = Sandbox::new();
    release(&sandbox, "1.0", 1);
    sandbox.ship_with(&["--executable", "program"]);
    release(&sandbox, "1.1", 3_000_000);
    sandbox.set("mode", "\"off\"");
    sandbox.add_settings("max_rate = 2000000");
    sandbox
}

/// Python that runs a script as an application does that this stub started.
fn application(stub: &str, script: &str) -> Command {
    let head = "import asyncio, json, os, pathlib, sys, threading, time, notsotuf_app as n\n";
    let mut command = Command::new(root().join(".venv/bin/python"));
    command
        .args(["-W", "error", "-c", &format!("{head}{script}")])
        .env("PYTHONPATH", root().join("python"))
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .env("NOTSOTUF_VERSION", "1.0")
        .env("NOTSOTUF_STUB", stub);
    command
}

fn ask(sandbox: &Sandbox, script: &str) -> Value {
    let stub = sandbox.path("install/program");
    json(&mut application(stub.to_str().unwrap(), script))
}

fn stub(sandbox: &Sandbox, command: &str) -> Value {
    json(sandbox.stub().args(["--updater", command, "--json"]))
}

#[test]
fn staging_tells_its_progress() {
    let sandbox = with_update();
    let said = ask(
        &sandbox,
        "seen = []\n\
         result = n.stage(progress=seen.append)\n\
         assert result == n.Result('staged', '1.1'), result\n\
         loading = [p for p in seen if p.step == 'downloading']\n\
         assert all(p.version == '1.1' and p.total >= 3000000 for p in loading), loading\n\
         parts = [p.fraction for p in loading]\n\
         assert parts == sorted(parts) and parts[0] == 0 and 0 < parts[-1] <= 1, parts\n\
         assert seen[0] == n.Progress('checking') and seen[0].fraction is None, seen\n\
         print(json.dumps(sorted({p.step for p in seen})))",
    );
    assert_eq!(said, json!(["checking", "downloading", "unpacking"]));
    assert_eq!(stub(&sandbox, "status")["staged"]["version"], "1.1");
}

#[test]
fn staging_is_cancelled_and_continued() {
    let sandbox = with_update();
    let said = ask(
        &sandbox,
        "cancel, furthest = threading.Event(), [0]\n\
         def on(p):\n    furthest[0] = p.done or 0\n    if p.done: cancel.set()\n\
         try: n.stage(on, cancel)\n\
         except n.Cancelled as e: assert e.kind == 'cancelled' and isinstance(e, n.UpdateError)\n\
         else: sys.exit('it was not cancelled')\n\
         assert furthest[0] < 3000000\n\
         assert n.status().staged is None\n\
         first = []\n\
         assert n.stage(lambda p: p.done and first.append(p.done)).is_staged\n\
         print(json.dumps([furthest[0], first[0]]))",
    );
    // What was there is not fetched again.
    assert!(
        said[0].as_u64().unwrap() <= said[1].as_u64().unwrap(),
        "{said}"
    );
    // One that was cancelled before does not begin.
    let said = ask(
        &sandbox,
        "cancel = threading.Event(); cancel.set()\n\
         try: n.stage(cancel=cancel)\n\
         except n.Cancelled: print(json.dumps('not begun'))",
    );
    assert_eq!(said, "not begun");
}

#[test]
fn a_callback_that_raises_ends_it_and_is_heard() {
    let sandbox = with_update();
    let said = ask(
        &sandbox,
        "try: n.stage(lambda p: 1 / 0)\n\
         except ZeroDivisionError: pass\n\
         try: n.stage(timeout=0.3)\n\
         except n.Unavailable as e: print(json.dumps(str(e)))",
    );
    assert_eq!(said, "there was no answer within 0.3 seconds");
    assert_eq!(stub(&sandbox, "status")["staged"], Value::Null);
}

#[test]
fn it_can_be_awaited_and_a_task_cancelled() {
    let sandbox = with_update();
    let said = ask(
        &sandbox,
        "async def main():\n\
         \x20   checked, loop, seen = await n.check_async(), threading.get_ident(), []\n\
         \x20   assert checked.update == '1.1'\n\
         \x20   begun = asyncio.Event()\n\
         \x20   def on(p):\n\
         \x20       assert threading.get_ident() == loop\n\
         \x20       if p.done: begun.set()\n\
         \x20   task = asyncio.create_task(n.stage_async(on))\n\
         \x20   await begun.wait()\n\
         \x20   task.cancel()\n\
         \x20   try: await task\n\
         \x20   except asyncio.CancelledError: pass\n\
         \x20   else: sys.exit('it was not cancelled')\n\
         \x20   assert n.status().staged is None\n\
         \x20   try: await n.rollback_async()\n\
         \x20   except n.Local as e: assert 'no earlier version' in str(e), e\n\
         \x20   assert (await n.repair_async()).result == 'up-to-date'\n\
         \x20   return await asyncio.wait_for(n.update_async(seen.append), 60), seen[-1].step\n\
         result, last = asyncio.run(main())\n\
         print(json.dumps([result.result, result.version, last]))",
    );
    assert_eq!(said, json!(["updated", "1.1", "installing"]));
}

#[test]
fn an_application_goes_back_and_repairs_itself() {
    let sandbox = with_update();
    stub(&sandbox, "update");
    fs::write(sandbox.path("install/app/noise"), "damaged").unwrap();
    let said = ask(
        &sandbox,
        "steps = []\n\
         mended = n.repair(lambda p: steps.append(p.step))\n\
         assert mended.damaged == ('noise',) and mended.version == '1.1', mended\n\
         assert steps[0] == 'checking' and steps[-1] == 'installing', steps\n\
         print(json.dumps(mended.result))",
    );
    assert_eq!(said, "updated");
    let sandbox = with_update();
    stub(&sandbox, "update");
    let said = ask(
        &sandbox,
        "steps = []\n\
         back = n.rollback(lambda p: steps.append(p.step))\n\
         assert steps == ['checking', 'installing'], steps\n\
         seen = n.status()\n\
         assert seen.rolled_back == ('1.1',) and seen.installed == n.Release('app', '1.0'), seen\n\
         print(json.dumps([back.result, back.version]))",
    );
    assert_eq!(said, json!(["updated", "1.0"]));
}

#[test]
fn the_user_chooses_a_channel_and_a_version_to_stay_with() {
    let sandbox = with_update();
    let said = ask(
        &sandbox,
        "before = n.channel()\n\
         assert before == n.Channel() and before.chosen is None, before\n\
         assert n.set_channel('b') == n.Channel('b', 'b') == n.channel()\n\
         assert n.status().channel == 'b'\n\
         assert n.set_channel(None) == before\n\
         try: n.set_channel('beta')\n\
         except n.Local as e: assert 'channel beta' in str(e), e\n\
         else: sys.exit('there is no such channel')\n\
         assert n.held() is None and n.hold() == '1.0' and n.held() == '1.0'\n\
         found = n.check()\n\
         assert found.update is None and found.skipped[0].why == 'held', found\n\
         assert n.hold('1.1') == '1.1' and n.check().update == '1.1'\n\
         n.unhold()\n\
         local = os.path.join(os.path.dirname(n.stub()), 'notsotuf.local.toml')\n\
         pathlib.Path(local).write_text('channel = \"rc\"')\n\
         fixed = n.set_channel('a')\n\
         assert (fixed.channel, fixed.chosen, fixed.fixed_by) == ('rc', 'a', local), fixed\n\
         os.remove(local)\n\
         print(json.dumps([n.held(), n.status().hold]))",
    );
    assert_eq!(said, json!([null, null]));
}

const ALL: &str = "\
    print(json.dumps([n.ready(), n.version(), n.previous(), n.staged(), n.check().update,\n\
        n.stage(print, threading.Event()).result, n.update().result, n.rollback().result,\n\
        n.repair().result, n.status().installed, n.channel().channel, n.set_channel('b').chosen,\n\
        n.held(), n.hold(), n.unhold(), asyncio.run(n.stage_async(print)).version]))";

#[test]
fn without_a_stub_all_of_it_does_nothing() {
    for none in [Some(""), None] {
        let mut command = application("", ALL);
        for name in ["VERSION", "PREVIOUS", "STAGED", "READY_FILE", "STUB"] {
            let name = format!("NOTSOTUF_{name}");
            match none {
                Some(none) => command.env(name, none),
                None => command.env_remove(name),
            };
        }
        let nothing = json!([
            true,
            null,
            null,
            null,
            null,
            "up-to-date",
            "up-to-date",
            "up-to-date",
            "up-to-date",
            null,
            "final",
            null,
            null,
            null,
            null,
            null
        ]);
        assert_eq!(json(&mut command), nothing, "{none:?}");
    }
}

#[test]
fn a_wrong_argument_is_told_as_the_stub_tells_people() {
    let sandbox = with_update();
    let said = ask(
        &sandbox,
        "said = []\n\
         for call in (lambda: n.set_channel('beta'), lambda: n.hold('banana')):\n\
         \x20   try:\n\
         \x20       call()\n\
         \x20   except n.Local as error:\n\
         \x20       said.append(str(error))\n\
         print(json.dumps(said))",
    );
    assert!(
        said[0]
            .as_str()
            .unwrap()
            .contains("there is no channel \"beta\", but final, rc"),
        "{said}"
    );
    assert!(
        said[1]
            .as_str()
            .unwrap()
            .contains("\"banana\" is not a version"),
        "{said}"
    );
}

#[test]
fn a_frozen_application_believes_only_the_stub_of_its_own_install() {
    let sandbox = with_update();
    let script = |program: &str| {
        format!(
            "sys.frozen, sys.executable = True, {program:?}\n\
             print(json.dumps([n.stub() is not None, n.version(), n.ready(), n.check().update]))"
        )
    };
    let own = sandbox.path("install/app/program");
    fs::create_dir(sandbox.path("elsewhere")).unwrap();
    std::os::unix::fs::symlink(&own, sandbox.path("elsewhere/link")).unwrap();
    for own in [own, sandbox.path("elsewhere/link")] {
        let said = ask(&sandbox, &script(own.to_str().unwrap()));
        assert_eq!(said, json!([true, "1.0", true, "1.1"]), "{own:?}");
    }
    // One that this application has started, or that has a name that begins like it.
    for other in ["elsewhere/app/program", "install-2/app/program", "install"] {
        let other = sandbox.path(other);
        let said = ask(&sandbox, &script(other.to_str().unwrap()));
        assert_eq!(said, json!([false, null, true, null]), "{other:?}");
    }
    // Nor does it end the probation of the other.
    let ready = sandbox.path("ready");
    let stub = sandbox.path("install/program");
    let mut command = application(
        stub.to_str().unwrap(),
        "sys.frozen, sys.executable = True, '/usr/bin/env'\nassert n.ready()",
    );
    run(command.env("NOTSOTUF_READY_FILE", &ready));
    assert!(!ready.exists());
}

#[test]
fn whatever_the_stub_does_the_application_hears_an_error_of_one_kind() {
    let folder = tempfile::tempdir().unwrap();
    let stub = folder.path().join("stub");
    let errors = "said = []\n\
        for call in [n.status, n.check, n.stage, lambda: n.stage(lambda p: None), n.update, n.rollback, n.repair,\n\
                     n.channel, lambda: n.set_channel('b'), n.held, n.hold, n.unhold]:\n\
        \x20   try: call()\n\
        \x20   except n.UpdateError as e: said.append(type(e).__name__)\n\
        assert n.ready() is False\n\
        print(json.dumps(sorted(set(said))))";
    let say = |script: &str| {
        write_script(&stub, script);
        let mut command = application(stub.to_str().unwrap(), errors);
        json(command.env("NOTSOTUF_READY_FILE", "/nowhere/at/all"))
    };
    let refused = r#"echo '{"error": "it did not verify", "class": "refused"}'; exit 3"#;
    assert_eq!(say(refused), json!(["Refused"]));
    let busy = r#"echo '{"error": "another", "class": "local", "locked": true}'; exit 5"#;
    assert_eq!(say(busy), json!(["Busy"]));
    let newer = r#"echo '{"error": "of newer stubs", "class": "new"}'; exit 9"#;
    assert_eq!(say(newer), json!(["UpdateError"]));
    for broken in [
        "exit 7",
        "exit 2",
        "kill -9 $$",
        "echo",
        "echo '[1]'",
        "printf '\\377\\376\\n{'",
        "echo '{}'; echo '{\"progress\": 7}'",
    ] {
        assert_eq!(say(broken), json!(["Local"]), "{broken}");
    }
    fs::remove_file(&stub).unwrap();
    let mut command = application(stub.to_str().unwrap(), errors);
    let said = json(command.env("NOTSOTUF_READY_FILE", "/nowhere/at/all"));
    assert_eq!(said, json!(["Local"]));
    // Nor can it be restarted.
    let restart = "try: n.restart()\nexcept n.Local as e: print(json.dumps(str(e)))";
    let said = json(&mut application(stub.to_str().unwrap(), restart));
    assert!(
        said.as_str().unwrap().contains("cannot be started"),
        "{said}"
    );
}

#[test]
fn an_application_hangs_on_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let stub = folder.path().join("stub");
    let sleep = format!("sleep {}", 1_000_000 + std::process::id());
    // It has answered, and something that it started keeps the pipe.
    let answer = r#"echo '{"result": "staged", "version": "1.1"}'"#;
    let id = folder.path().join("id");
    let note = format!("{sleep} &\necho $! > {}\n{answer}\n", id.display());
    write_script(&stub, &note);
    let said = json(&mut application(
        stub.to_str().unwrap(),
        "print(json.dumps(n.stage().version))",
    ));
    assert_eq!(said, "1.1");
    let id = fs::read_to_string(&id).unwrap();
    run(Command::new("kill").arg(id.trim()));
    // It says nothing and does not end.
    write_script(&stub, &format!("exec {sleep}\n"));
    let script = "cancel = threading.Event()\n\
        threading.Timer(0.2, cancel.set).start()\n\
        try: n.stage(cancel=cancel)\n\
        except n.Cancelled: pass\n\
        try: n.status(timeout=0.2)\n\
        except n.Unavailable: print(json.dumps('ended'))";
    assert_eq!(
        json(&mut application(stub.to_str().unwrap(), script)),
        "ended"
    );
    let left = run(Command::new("pgrep").args(["-f", &format!("^{sleep}$")]));
    assert_eq!(left.status.code(), Some(1), "{left:?}");
}

/// The package in the application may be newer than the stub of an install.
#[test]
fn a_stub_of_old_that_tells_no_progress_still_stages() {
    let folder = tempfile::tempdir().unwrap();
    let stub = folder.path().join("stub");
    write_script(
        &stub,
        r#"case "$*" in
          "--updater stage --json") echo '{"result": "staged", "version": "1.1"}' ;;
          *) echo "stage takes no arguments" >&2; exit 2 ;;
        esac"#,
    );
    let script = "assert n.stage(print) == n.Result('staged', '1.1')\n\
        try: n.channel()\n\
        except n.Local as e: print(json.dumps(str(e)))";
    let said = json(&mut application(stub.to_str().unwrap(), script));
    assert!(said.as_str().unwrap().contains("may be older"), "{said}");
}
