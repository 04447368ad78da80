//! What `add` takes for a bundle, and what it refuses: the mistakes of a
//! release that would reach users.
#![cfg(unix)]

use notsotuf_tests::{
    Sandbox, bundle, copy_tree, json as answer, program, python_in, run, set_mode, text,
    write_script, write_version_script, write_windows_program,
};
use serde_json::{Value, json};
use std::fs;
use std::path::{Path, PathBuf};

/// A script that tells its version, and some data.
fn write_bundle(folder: &Path, version: &str) {
    fs::create_dir_all(folder.join("_internal")).unwrap();
    write_version_script(&folder.join("program"), version);
    fs::write(folder.join("_internal/data"), "data").unwrap();
}

/// A sandbox and a place for bundles, with 1.0 published.
fn released() -> (Sandbox, PathBuf) {
    let sandbox = Sandbox::new();
    let place = sandbox.path("work");
    write_bundle(&place.join("dist/program"), "1.0");
    sandbox.add("1.0", &place.join("dist/program"), &[]);
    sandbox.bundler(&["publish"]);
    (sandbox, place)
}

/// What is said of a refusal.
fn refused(sandbox: &Sandbox, args: &[&str]) -> String {
    let output = run(&mut sandbox.command(args));
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success(), "{args:?} is accepted");
    said
}

/// What `add --force` does with a bundle that `add` refuses.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Forced {
    /// It warns in the same words.
    Adds,
    /// It refuses, too.
    Refuses,
}

fn is_refused(sandbox: &Sandbox, bundle: &Path, words: &[&str], forced: Forced) {
    let said = refused(sandbox, &["add", "1.1", text(bundle)]);
    for word in words {
        assert!(said.contains(word), "{word}: {said}");
    }
    assert_eq!(said.contains("--force"), forced == Forced::Adds, "{said}");
    if forced == Forced::Adds {
        let added = sandbox.add("1.1", bundle, &["--force"]);
        let warnings = added["warnings"].to_string();
        assert!(
            words
                .iter()
                .all(|word| warnings.contains(word.trim_matches('"'))),
            "{warnings}"
        );
        sandbox.bundler(&["remove-latest"]);
    } else {
        refused(sandbox, &["add", "1.1", text(bundle), "--force"]);
    }
}

fn is_fine(sandbox: &Sandbox, bundle: &Path) {
    let added = sandbox.add("1.1", bundle, &[]);
    assert_eq!(added["warnings"], json!([]), "{bundle:?}");
    sandbox.bundler(&["remove-latest"]);
}

#[test]
fn the_project_and_its_keys_are_never_released() {
    let (sandbox, place) = released();
    let project = sandbox.path("project");
    is_refused(
        &sandbox,
        &project,
        &["this project itself"],
        Forced::Refuses,
    );
    is_refused(
        &sandbox,
        &project.join("keystore"),
        &["keys"],
        Forced::Refuses,
    );
    is_refused(
        &sandbox,
        &project.join("repository"),
        &["repository"],
        Forced::Refuses,
    );
    write_bundle(&sandbox.path(""), "1.1");
    is_refused(
        &sandbox,
        &sandbox.path(""),
        &["this project itself"],
        Forced::Refuses,
    );
    let bundle = place.join("bundle");
    write_bundle(&bundle, "1.1");
    is_fine(&sandbox, &bundle);
    // A bundle in the project's folder is fine.
    let inside = project.join("dist/program");
    write_bundle(&inside, "1.1");
    is_fine(&sandbox, &inside);

    // A copy of a key, under another name, in the middle of something else.
    let key = fs::read_to_string(project.join("keystore/targets.pem")).unwrap();
    let hidden = bundle.join("_internal/notes.txt");
    for content in [
        key.clone(),
        format!("\u{1}{key}"),
        json!({ "key": key }).to_string(),
    ] {
        fs::write(&hidden, content).unwrap();
        is_refused(
            &sandbox,
            &bundle,
            &["_internal/notes.txt", "key of this project"],
            Forced::Refuses,
        );
    }
    // It is known by its public half, too, wherever the keystore is.
    fs::rename(project.join("keystore"), sandbox.path("elsewhere")).unwrap();
    is_refused(&sandbox, &bundle, &["key of this project"], Forced::Refuses);
    fs::rename(sandbox.path("elsewhere"), project.join("keystore")).unwrap();
    // A keystore of another project, of any form.
    fs::write(&hidden, "-----BEGIN PUBLIC KEY-----").unwrap();
    let old = bundle.join("_internal/old");
    python_in(&place, &["legacy-key", text(&old), "a secret"]);
    is_refused(
        &sandbox,
        &bundle,
        &["_internal/old", "for signing"],
        Forced::Refuses,
    );
    fs::remove_file(&old).unwrap();
    fs::remove_file(bundle.join("_internal/old.pub")).unwrap();
    fs::write(bundle.join("_internal/.tufup-repo-config"), "{}").unwrap();
    is_refused(
        &sandbox,
        &bundle,
        &["a project", ".tufup-repo-config"],
        Forced::Refuses,
    );
}

#[test]
fn other_private_keys_are_the_applications_own_affair() {
    let (sandbox, place) = released();
    let bundle = place.join("bundle");
    write_bundle(&bundle, "1.1");
    let made = run(std::process::Command::new("openssl").args([
        "genpkey",
        "-algorithm",
        "ed25519",
        "-out",
        text(&place.join("key.pem")),
    ]));
    assert!(made.status.success(), "{made:?}");
    let der = run(std::process::Command::new("openssl").args([
        "pkey",
        "-outform",
        "DER",
        "-in",
        text(&place.join("key.pem")),
        "-out",
        text(&place.join("key.der")),
    ]));
    assert!(der.status.success(), "{der:?}");
    for (from, to) in [("key.pem", "tls.txt"), ("key.der", "server.key")] {
        fs::copy(place.join(from), bundle.join(to)).unwrap();
        is_refused(&sandbox, &bundle, &[to, "a private key"], Forced::Adds);
        fs::remove_file(bundle.join(to)).unwrap();
    }
    // Public ones, and words that many libraries have, are fine.
    let words = b"\0-----BEGIN PRIVATE KEY-----\0-----END PRIVATE KEY-----\0";
    fs::write(bundle.join("_internal/libcrypto.so"), words).unwrap();
    // So are keys for self-tests, as libgnutls.so.30 holds them.
    let library = |key: &Path| [&b"\x7fELF\x02\x01\x01"[..], &fs::read(key).unwrap()].concat();
    let gnutls = bundle.join("_internal/libgnutls.so.30");
    fs::write(&gnutls, library(&place.join("key.pem"))).unwrap();
    let certificates = "-----BEGIN CERTIFICATE-----\nMIIF\n-----END CERTIFICATE-----\n";
    fs::write(bundle.join("_internal/cacert.pem"), certificates).unwrap();
    fs::write(bundle.join("license.key"), "ABCD-EFGH").unwrap();
    is_fine(&sandbox, &bundle);
    // But not with a key of the project.
    let own = sandbox.path("project/keystore/targets.pem");
    fs::write(&gnutls, library(&own)).unwrap();
    is_refused(
        &sandbox,
        &bundle,
        &["libgnutls.so.30", "of this project"],
        Forced::Refuses,
    );
}

#[test]
fn a_folder_that_is_no_bundle_is_refused_with_the_one_that_may_be_meant() {
    let (sandbox, place) = released();
    let dist = place.join("dist");
    let meant = format!("{:?}", dist.join("program"));
    is_refused(&sandbox, &dist, &["holds a bundle", &meant], Forced::Adds);
    write_bundle(&dist.join("other"), "1.0");
    is_refused(&sandbox, &dist, &["holds bundles", &meant], Forced::Adds);
    let work = place.join("build/program");
    fs::create_dir_all(&work).unwrap();
    for name in [
        "Analysis-00.toc",
        "PYZ-00.pyz",
        "PKG-00.toc",
        "xref-program.html",
    ] {
        fs::write(work.join(name), "toc").unwrap();
    }
    is_refused(
        &sandbox,
        &work,
        &["PyInstaller works", &meant],
        Forced::Adds,
    );
    let both =
        [meant.clone(), format!("{:?}", dist.join("other"))].map(|path| path.replace('"', ""));
    let words = ["PyInstaller works", &both[0], &both[1]];
    is_refused(&sandbox, &place.join("build"), &words, Forced::Adds);
    let sources = place.join("sources");
    fs::create_dir_all(&sources).unwrap();
    fs::write(sources.join("program.spec"), "").unwrap();
    write_version_script(&sources.join("program.py"), "1.1");
    is_refused(
        &sandbox,
        &sources,
        &["sources", "program.spec"],
        Forced::Adds,
    );
    fs::write(place.join("program.zip"), "PK").unwrap();
    is_refused(
        &sandbox,
        &place.join("program.zip"),
        &[".zip"],
        Forced::Adds,
    );
    // One that is not there.
    let said = refused(&sandbox, &["add", "1.1", text(&dist.join("programm"))]);
    assert!(
        said.contains(&meant) && said.contains("PyInstaller"),
        "{said}"
    );
    fs::create_dir(place.join("empty")).unwrap();
    let said = refused(&sandbox, &["add", "1.1", text(&place.join("empty"))]);
    assert!(said.contains("is empty"), "{said}");
    // The arguments in the wrong order.
    let said = refused(&sandbox, &["add", text(&dist.join("program")), "1.1"]);
    assert!(said.contains("give the version first"), "{said}");
    let said = refused(&sandbox, &["add", "one", text(&dist)]);
    assert!(
        said.contains("not a PEP 440 version") && said.contains("1.0"),
        "{said}"
    );
}

#[test]
fn a_bundle_must_have_the_program_that_installs_start() {
    let (sandbox, place) = released();
    let bundle = place.join("bundle");
    write_bundle(&bundle, "1.1");
    fs::rename(bundle.join("program"), bundle.join("programs")).unwrap();
    is_refused(
        &sandbox,
        &bundle,
        &["does not have program", "1.0", "did you mean"],
        Forced::Adds,
    );
    // Beside it, or deeper, is one that has it.
    is_refused(
        &sandbox,
        &bundle,
        &[text(&place.join("dist/program"))
            .rsplit('/')
            .next()
            .unwrap()],
        Forced::Adds,
    );
    fs::create_dir(bundle.join("inner")).unwrap();
    write_version_script(&bundle.join("inner/program"), "1.1");
    is_refused(
        &sandbox,
        &bundle,
        &[text(&bundle.join("inner"))],
        Forced::Adds,
    );
    fs::rename(bundle.join("inner/program"), bundle.join("program")).unwrap();
    fs::remove_dir(bundle.join("inner")).unwrap();
    is_fine(&sandbox, &bundle);
    // As actions/upload-artifact brings it: <https://github.com/kuzudb/kuzu/issues/2880>.
    for path in ["program", "programs"] {
        set_mode(&bundle.join(path), 0o644);
    }
    is_refused(&sandbox, &bundle, &["program", "chmod +x"], Forced::Adds);
    // Libraries that may be executed do not make up for it.
    let library = bundle.join("_internal/lib.so.1");
    fs::write(&library, b"\x7fELF").unwrap();
    set_mode(&library, 0o755);
    is_refused(&sandbox, &bundle, &["chmod +x"], Forced::Adds);
    set_mode(&bundle.join("programs"), 0o755);
    is_refused(&sandbox, &bundle, &["program ", "chmod +x"], Forced::Adds);
    fs::remove_file(bundle.join("program")).unwrap();
    fs::remove_file(bundle.join("programs")).unwrap();
    is_refused(&sandbox, &bundle, &["no program"], Forced::Adds);
    // If one of several is gone, that is said.
    let several = Sandbox::new();
    write_bundle(&bundle, "1.0");
    write_version_script(&bundle.join("tool"), "1.0");
    several.add("1.0", &bundle, &[]);
    fs::remove_file(bundle.join("tool")).unwrap();
    let added = several.add("1.1", &bundle, &[]);
    assert!(
        added["warnings"][0]
            .as_str()
            .unwrap()
            .starts_with("tool, which 1.0 has"),
        "{added}"
    );
}

#[test]
fn what_ship_makes_is_released_under_another_name_only() {
    let sandbox = Sandbox::with(&["--app", "other"]);
    let place = sandbox.path("work");
    write_bundle(&place, "1.0");
    for app in ["app", "other"] {
        sandbox.add("1.0", &place, &["--app", app]);
    }
    sandbox.bundler(&["publish"]);
    let shipped = sandbox.path("shipped");
    sandbox.bundler(&["ship", "--app", "other", "--output", text(&shipped)]);
    let add = |app: &str, more: &[&str]| {
        let args = ["add", "1.1", text(&shipped), "--app", app, "--skip-patch"];
        run(&mut sandbox.command(&[&args[..], more].concat()))
    };
    for more in [&[][..], &["--force"]] {
        let output = add("other", more);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        let meant = format!("{:?}", shipped.join("app"));
        assert!(!output.status.success() && said.contains(&meant), "{said}");
    }
    // Above it, too.
    fs::create_dir(sandbox.path("above")).unwrap();
    copy_tree(&shipped, &sandbox.path("above/inner"));
    let above = refused(
        &sandbox,
        &["add", "1.1", text(&sandbox.path("above")), "--app", "other"],
    );
    assert!(above.contains("ship"), "{above}");
    // docs/how-to/migration.md: so clients of tufup cross over.
    let output = add("app", &[]);
    assert!(output.status.success(), "{output:?}");
    sandbox.bundler(&["remove-latest", "--app", "app"]);
    // What it left when it was started would be for all.
    fs::create_dir(shipped.join(".notsotuf")).unwrap();
    let output = add("app", &[]);
    assert!(
        String::from_utf8_lossy(&output.stderr).contains("started already"),
        "{output:?}"
    );
    fs::remove_dir(shipped.join(".notsotuf")).unwrap();
    // One without settings starts nothing.
    let bundle = sandbox.path("bundle");
    write_bundle(&bundle, "1.1");
    fs::copy(program("notsotuf-stub"), bundle.join("updater")).unwrap();
    let said = refused(&sandbox, &["add", "1.1", text(&bundle), "--app", "app"]);
    assert!(said.contains("updater is a stub"), "{said}");
}

/// Names that others stumbled over:
/// <https://github.com/mon/ifstools/issues/18>,
/// <https://github.com/imagej/imagej-updater/issues/12>
#[test]
fn names_must_suit_the_system_that_the_bundle_is_for() {
    let sandbox = Sandbox::new();
    let place = sandbox.path("bundles");
    for (system, name) in [
        ("windows", "program.exe"),
        ("macos", "program"),
        ("linux", "program"),
    ] {
        fs::create_dir_all(place.join(system)).unwrap();
        let file = place.join(system).join(name);
        match system {
            "windows" => write_windows_program(&file),
            "macos" => fs::write(&file, b"\xcf\xfa\xed\xfe program").unwrap(),
            _ => fs::write(&file, b"\x7fELF program").unwrap(),
        }
        set_mode(&file, if system == "windows" { 0o644 } else { 0o755 });
    }
    let ours = [
        "stream:x.txt",
        "dot.",
        "space ",
        "aux.txt",
        "con",
        "star*",
        "a/nul",
        "COM1.x",
    ];
    for (system, name, fine) in ours
        .iter()
        .flat_map(|name| {
            [
                ("windows", *name, false),
                ("macos", name, true),
                ("linux", name, true),
            ]
        })
        .chain([
            ("windows", "Data.txt", false),
            ("macos", "Data.txt", false),
            ("linux", "Data.txt", true),
            ("windows", "console.txt", true),
        ])
    {
        let bundle = place.join("now");
        copy_tree(&place.join(system), &bundle);
        fs::create_dir(bundle.join("a")).unwrap();
        fs::write(bundle.join("data.txt"), "one").unwrap();
        fs::write(bundle.join(name), "another").unwrap();
        if fine {
            sandbox.add("1.0", &bundle, &[]);
            sandbox.bundler(&["remove-latest"]);
        } else {
            let said = refused(&sandbox, &["add", "1.0", text(&bundle)]);
            assert!(said.contains(&format!("{name:?}")), "{system}: {said}");
        }
        fs::remove_dir_all(&bundle).unwrap();
    }
}

#[test]
fn an_unchanged_bundle_is_noticed() {
    let (sandbox, place) = released();
    let same = place.join("dist/program");
    for more in [&[][..], &["--skip-patch"]] {
        let added = sandbox.add("1.1", &same, more);
        let said = added["warnings"][0].as_str().unwrap();
        assert!(
            said.contains("nothing in this bundle differs from 1.0"),
            "{said}"
        );
        sandbox.bundler(&["remove-latest"]);
    }
    set_mode(&same.join("_internal/data"), 0o600);
    is_fine(&sandbox, &same);
}

#[test]
fn a_large_patch_of_what_pyinstaller_compresses_is_explained() {
    let sandbox = Sandbox::new();
    let settings = sandbox.path("project/notsotuf-project.toml");
    let text = fs::read_to_string(&settings).unwrap();
    // The other format looks into it.
    fs::write(
        &settings,
        text.replace("\"notsotuf-2\"\n", "\"notsotuf-1\"\n"),
    )
    .unwrap();
    let other = sandbox.path("program");
    // Its beginning and its end, as the whole would take minutes.
    let whole = fs::read(bundle("onefile-1.0")).unwrap();
    let cut = [&whole[..64 << 10], &whole[whole.len() - (700 << 10)..]].concat();
    let write = |bytes: &[u8]| {
        fs::write(&other, bytes).unwrap();
        set_mode(&other, 0o755);
    };
    write(&cut);
    sandbox.add("1.0", &other, &[]);
    // As other sources or another Python make it: hardly anything is as it was.
    let mut bytes = cut.clone();
    let end = bytes.len() - (64 << 10);
    let mut state = 1u32;
    for byte in &mut bytes[64 << 10..end] {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        *byte ^= (state >> 24) as u8;
    }
    write(&bytes);
    let added = sandbox.add("1.1", &other, &[]);
    let said = added["warnings"].to_string();
    assert!(
        said.contains("patch_format") && said.contains("program"),
        "{added}"
    );
    // A small one is not, nor one of what is compressed by others.
    sandbox.bundler(&["remove-latest"]);
    let mut bytes = cut.clone();
    bytes[100_000..100_100].fill(7);
    write(&bytes);
    let added = sandbox.add("1.1", &other, &[]);
    assert_eq!(added["warnings"], json!([]), "{added}");
    sandbox.bundler(&["remove-latest"]);
    let foreign = cut
        .iter()
        .map(|byte| byte.wrapping_mul(3) ^ 5)
        .collect::<Vec<u8>>();
    write(&[b"\x7fELF", &foreign[..]].concat());
    let added = sandbox.add("1.1", &other, &[]);
    assert_eq!(added["warnings"], json!([]), "{added}");
}

#[test]
fn a_patch_that_takes_too_long_is_done_without() {
    let (sandbox, place) = released();
    let next = place.join("next");
    write_bundle(&next, "1.1");
    let settings = sandbox.path("project/notsotuf-project.toml");
    let before = fs::read_to_string(&settings).unwrap();
    for format in ["notsotuf-1", "notsotuf-2", "bsdiff4"] {
        let set = before.replace(
            "patch_format = \"notsotuf-2\"",
            &format!("patch_format = \"{format}\""),
        );
        fs::write(&settings, set).unwrap();
        let added = sandbox.add("1.1", &next, &["--patch-budget", "0s"]);
        assert_eq!(added["patch"], Value::Null);
        let why = added["no_patch"].as_str().unwrap();
        assert!(why.contains("--patch-budget"), "{format}: {why}");
        sandbox.bundler(&["remove-latest"]);
        let added = sandbox.add("1.1", &next, &["--patch-budget", "2h"]);
        assert_ne!(added["archive"], Value::Null, "{format}");
        sandbox.bundler(&["remove-latest"]);
    }
    for wrong in ["1", "x", "1d", "99999999999999999999h", "é"] {
        let output =
            run(&mut sandbox.command(&["add", "1.1", text(&next), "--patch-budget", wrong]));
        assert_eq!(output.status.code(), Some(2), "{wrong}");
    }
}

#[test]
fn programs_for_windows_are_signed_by_the_command_of_the_settings() {
    let (sandbox, place) = released();
    let next = place.join("next");
    write_bundle(&next, "1.1");
    let programs = [next.join("app.exe"), next.join("tools/helper.EXE")];
    fs::create_dir_all(next.join("tools")).unwrap();
    let others = [next.join("library.dll"), next.join("named.exe")];
    for path in programs.iter().chain(&others[..1]) {
        write_windows_program(path);
    }
    fs::write(&others[1], "no program").unwrap();
    let before: Vec<_> = others.iter().map(|path| fs::read(path).unwrap()).collect();
    // It says that there is a signature, where the headers say that.
    let script = sandbox.path("sign");
    write_script(
        &script,
        "test -z \"$NOTSOTUF_PASSPHRASE\" && test -e notsotuf-project.toml &&\n\
         printf '\\010' | dd of=\"$1\" bs=1 seek=284 conv=notrunc 2>/dev/null",
    );
    let settings = sandbox.path("project/notsotuf-project.toml");
    let plain = fs::read_to_string(&settings).unwrap();
    let set = |words: &[&str]| {
        let line = format!("sign_command = {}\n{plain}", json!(words));
        fs::write(&settings, line).unwrap();
    };
    // What fails or does nothing ends it, with the reason.
    set(&["false", "{file}"]);
    let said = refused(&sandbox, &["add", "1.1", text(&next)]);
    assert!(
        said.contains("sign_command failed") && said.contains("app.exe"),
        "{said}"
    );
    set(&["true", "{file}"]);
    let said = refused(&sandbox, &["add", "1.1", text(&next)]);
    assert!(said.contains("has no signature"), "{said}");
    set(&["/no/such/program", "{file}"]);
    let said = refused(&sandbox, &["add", "1.1", text(&next)]);
    assert!(said.contains("cannot start"), "{said}");
    set(&["sign"]);
    let said = refused(&sandbox, &["add", "1.1", text(&next)]);
    assert!(said.contains("{file}"), "{said}");
    set(&[text(&script), "{file}"]);
    let mut command = sandbox.command(&["add", "1.1", text(&next)]);
    let added = answer(command.env("NOTSOTUF_PASSPHRASE", "secret"));
    let signed: Vec<&str> = programs.iter().map(|path| text(path)).collect();
    assert_eq!(added["signed"], json!(signed));
    // A bundle by another name, and a link in it.
    sandbox.bundler(&["remove-latest"]);
    write_windows_program(&programs[0]);
    let link = place.join("link");
    std::os::unix::fs::symlink(&next, &link).unwrap();
    std::os::unix::fs::symlink("app.exe", next.join("same.exe")).unwrap();
    let added = sandbox.add("1.1", &link, &[]);
    assert_eq!(added["signed"], json!([text(&link.join("app.exe"))]));
    fs::remove_file(next.join("same.exe")).unwrap();
    for program in &programs {
        assert_eq!(fs::read(program).unwrap()[284], 8);
    }
    let after: Vec<_> = others.iter().map(|path| fs::read(path).unwrap()).collect();
    assert_eq!(before, after);
    // What has a signature keeps it.
    sandbox.bundler(&["remove-latest"]);
    set(&["false", "{file}"]);
    assert_eq!(sandbox.add("1.1", &next, &[])["signed"], Value::Null);
}

#[test]
fn the_settings_say_how_long_patches_may_take() {
    let (sandbox, place) = released();
    let next = place.join("next");
    write_bundle(&next, "1.1");
    let settings = sandbox.path("project/notsotuf-project.toml");
    let before = fs::read_to_string(&settings).unwrap();
    let set =
        |time: &str| fs::write(&settings, format!("patch_budget = {time}\n{before}")).unwrap();
    set("\"0s\"");
    let added = sandbox.add("1.1", &next, &[]);
    assert!(added["no_patch"].as_str().unwrap().contains("0 seconds"));
    sandbox.bundler(&["remove-latest"]);
    // The command line is for this release.
    let added = sandbox.add("1.1", &next, &["--patch-budget", "2h"]);
    let why = added["no_patch"].as_str().unwrap_or_default();
    assert!(!why.contains("--patch-budget"), "{why}");
    let explained = sandbox.bundler(&["explain", "1.1", "--patch-budget", "1h"]);
    assert_eq!(explained["files"][0]["in_blocks"], 0);
    for wrong in ["\"15\"", "15", "\"soon\""] {
        set(wrong);
        let said = refused(&sandbox, &["add", "1.2", text(&next)]);
        assert!(
            said.contains("patch_budget") && said.contains("15m") || wrong == "15",
            "{said}"
        );
    }
}

#[test]
fn what_is_said_of_a_release_is_bounded() {
    let (sandbox, place) = released();
    let next = place.join("next");
    write_bundle(&next, "1.1");
    let (fits, over) = ("x".repeat(16_000), "x".repeat(16_385));
    let meta = |text: &str| json!({ "a": text }).to_string();
    let said = refused(
        &sandbox,
        &["add", "1.1", text(&next), "--meta", &meta(&over)],
    );
    assert!(
        said.contains("16384") && said.contains("every client"),
        "{said}"
    );
    let notes = sandbox.path("notes.md");
    let arguments = ["add", "1.1", text(&next), "--notes", text(&notes)];
    assert!(refused(&sandbox, &arguments).contains("do not exist"));
    fs::write(&notes, b"\xff\xfe").unwrap();
    assert!(refused(&sandbox, &arguments).contains("UTF-8"));
    fs::write(&notes, &over).unwrap();
    assert!(refused(&sandbox, &arguments).contains("16385 bytes"));
    fs::write(&notes, &fits).unwrap();
    sandbox.add(
        "1.1",
        &next,
        &["--meta", &meta(&fits), "--notes", text(&notes)],
    );
}

#[test]
fn no_release_is_for_a_stub_that_nobody_can_have() {
    let (sandbox, place) = released();
    let next = place.join("next");
    write_bundle(&next, "1.1");
    let said = refused(&sandbox, &["add", "1.1", text(&next), "--min-stub", "9"]);
    assert!(
        said.contains("add-stub") && said.contains("is as new as 9"),
        "{said}"
    );
    let stub = sandbox.stub_of_version("9.1");
    sandbox.bundler(&["add-stub", text(&stub)]);
    let said = refused(
        &sandbox,
        &["add", "1.1", text(&next), "--min-stub", "10", "--force"],
    );
    assert!(said.contains("9.1"), "{said}");
    sandbox.add("1.1", &next, &["--min-stub", "9"]);
}
