//! What the stub takes in memory, whatever comes, and that the application
//! starts even where that is not enough or the stub itself is wrong.

#![cfg(target_os = "linux")]

use flate2::Compression;
use flate2::write::GzEncoder;
use lzma_rust2::{LzmaOptions, LzmaWriter};
use notsotuf_tests::forge::Forge;
use notsotuf_tests::{Sandbox, json, noise, program, root, write_script};
use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::Command;

/// What is promised, in kB.
const MOST: u64 = 64 << 10;

/// A sandbox with an update, of an application that says its version and its
/// arguments and ends as `CODE` says; it has so many bytes of data.
fn sandbox(data: usize) -> Sandbox {
    let sandbox = Sandbox::new();
    release(&sandbox, "1.0", data);
    sandbox.ship_with(&["--executable", "program"]);
    release(&sandbox, "1.1", data);
    sandbox.set("probation", "0.0");
    sandbox
}

fn release(sandbox: &Sandbox, version: &str, data: usize) {
    let folder = sandbox.path(&format!("bundle-{version}"));
    let script = format!("echo {version} \"$@\"\nsleep ${{SLEEP:-0}}\nexit ${{CODE:-7}}");
    write_script(&folder.join("program"), &script);
    fs::write(folder.join("data"), noise(data)).unwrap();
    sandbox.add(version, &folder, &[]);
    sandbox.bundler(&["publish"]);
}

/// Starts the application, with a limit on its address space (0: none), and
/// tells what it printed, its exit code, and the most memory it took in kB.
fn start(sandbox: &Sandbox, limit: u64, variables: &[(&str, &str)]) -> (String, i64, u64) {
    let script = "import json, resource, subprocess, sys\n\
        limit = int(sys.argv[1])\n\
        small = lambda: limit and resource.setrlimit(resource.RLIMIT_AS, (limit, limit))\n\
        done = subprocess.run(sys.argv[2:], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,\n\
            stderr=subprocess.PIPE, text=True, timeout=120, preexec_fn=small)\n\
        most = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss\n\
        print(json.dumps([done.stdout, done.returncode, most]))";
    let mut command = Command::new(root().join(".venv/bin/python"));
    command.args(["-c", script, &limit.to_string()]);
    command.arg(sandbox.path("install/program"));
    command
        .args(["one", "t w o"])
        .envs(variables.iter().copied());
    let said = json(&mut command);
    let text = said[0].as_str().unwrap().trim().to_owned();
    (text, said[1].as_i64().unwrap(), said[2].as_u64().unwrap())
}

/// Adds a release, and tells the most memory that took in kB.
fn add(sandbox: &Sandbox, version: &str, bundle: &Path) -> u64 {
    let script = "import resource, subprocess, sys\n\
        subprocess.run(sys.argv[1:], check=True, stdout=subprocess.DEVNULL)\n\
        print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)";
    let mut command = Command::new(root().join(".venv/bin/python"));
    command.args(["-c", script]).arg(program("notsotuf"));
    command.arg("-C").arg(sandbox.path("project"));
    command.args(["add", version]).arg(bundle);
    json(&mut command).as_u64().unwrap()
}

/// A file whose functions moved and whose references changed: every forty bytes
/// one is another, and something is inserted now and then.
fn rebuilt(old: &[u8]) -> Vec<u8> {
    let mut new = Vec::with_capacity(old.len());
    for (n, part) in old.chunks(300_000).enumerate() {
        new.extend_from_slice(part);
        new.extend(noise(100 * n % 7777));
    }
    new.iter_mut().step_by(40).for_each(|byte| *byte ^= 9);
    new
}

#[test]
fn a_large_file_takes_bounded_memory_to_patch_and_to_apply() {
    /// What is promised of `add` for a single file of 250 MB, in kB.
    const MOST_OF_ADD: u64 = 250 << 10;
    const SIZE: usize = 48 << 20;
    let sandbox = sandbox(SIZE);
    sandbox.set("deadline", "300.0");
    let bundle = sandbox.path("bundle-1.1");
    let new = rebuilt(&noise(SIZE));
    fs::write(bundle.join("data"), &new).unwrap();
    let most = add(&sandbox, "1.2", &bundle);
    assert!(most <= MOST_OF_ADD, "{most} kB");
    sandbox.bundler(&["publish"]);
    let targets = fs::read_dir(sandbox.repository().join("targets")).unwrap();
    let mut targets = targets.map(|entry| entry.unwrap());
    let is_patch = |entry: &fs::DirEntry| {
        let name = entry.file_name();
        name.to_string_lossy().ends_with("app-1.2.patch")
    };
    let patch = targets.find(is_patch).expect("a patch pays");
    let size = patch.metadata().unwrap().len();
    assert!(size < SIZE as u64 / 20, "{size} bytes");
    let (_, _, most) = start(&sandbox, 0, &[]);
    let log = sandbox.log();
    assert!(most <= MOST, "{most} kB, {log}");
    let installed = fs::read(sandbox.path("install/app/data")).unwrap();
    assert!(installed == new, "{log}");
    let requests = sandbox.server.as_ref().unwrap().requests();
    let archive = requests.iter().find(|line| line.contains(".tar.gz"));
    assert_eq!(archive, None);
}

fn says(version: &str) -> String {
    format!("{version} one t w o")
}

#[test]
fn whatever_goes_wrong_in_the_stub_the_application_starts() {
    const LIMIT: u64 = 600 << 20;
    for (variable, place, limit, mode, expected) in [
        ("NOTSOTUF_NOTHING", "", LIMIT, "", "1.1"),
        ("NOTSOTUF_TEST_PANIC", "update", 0, "", "1.0"),
        ("NOTSOTUF_TEST_MEMORY", "update", LIMIT, "", "1.0"),
        ("NOTSOTUF_TEST_PANIC", "main", 0, "", "1.0"),
        ("NOTSOTUF_TEST_MEMORY", "main", LIMIT, "", "1.0"),
        ("NOTSOTUF_TEST_PANIC", "watch", 0, "", "1.1"),
    ] {
        let sandbox = sandbox(100_000);
        sandbox.set("deadline", "60.0");
        let mut variables = vec![(variable, place)];
        if mode == "background" {
            variables.push(("SLEEP", "2"));
            sandbox.set("mode", "\"background\"");
        }
        let mut ends = 7;
        if place == "watch" {
            sandbox.set("probation", "60.0");
            variables.push(("CODE", "0"));
            ends = 0;
        }
        let (said, code, _) = start(&sandbox, limit, &variables);
        let what = format!("{variable} {place}: {}", sandbox.log());
        assert_eq!((said, code), (says(expected), ends), "{what}");
        let why = match variable {
            "NOTSOTUF_TEST_PANIC" => Some("the program has an error at"),
            "NOTSOTUF_TEST_MEMORY" if place == "update" => Some("not enough memory"),
            _ => None,
        };
        assert!(why.is_none_or(|why| sandbox.log().contains(why)), "{what}");
        // Nothing is left that would keep the next start from updating.
        if mode.is_empty() {
            let (said, code, _) = start(&sandbox, 0, &[("CODE", "0")]);
            assert_eq!((said, code), (says("1.1"), 0), "{what}");
        }
    }
}

/// A tar header and its content, just as given.
fn member(name: &str, kind: u8, content: &[u8]) -> Vec<u8> {
    let mut header = tar::Header::new_gnu();
    header.as_gnu_mut().unwrap().name[..name.len()].copy_from_slice(name.as_bytes());
    header.set_entry_type(tar::EntryType::new(kind));
    header.set_mode(0o755);
    header.set_size(content.len() as u64);
    header.set_cksum();
    let mut out = header.as_bytes().to_vec();
    out.extend(content);
    out.resize(out.len().next_multiple_of(512), 0);
    out
}

fn named(path: &str) -> Vec<u8> {
    let name = [path.as_bytes(), b"\0"].concat();
    [member("@", b'L', &name), member("cut", b'2', b"")].concat()
}

fn gzip(members: impl Iterator<Item = Vec<u8>>) -> Vec<u8> {
    let mut gz = GzEncoder::new(Vec::new(), Compression::fast());
    gz.write_all(&member("program", b'0', b"#!/bin/sh\n"))
        .unwrap();
    members.for_each(|member| gz.write_all(&member).unwrap());
    gz.write_all(&[0; 1024]).unwrap();
    gz.finish().unwrap()
}

/// The archive of 2.0 is `archive`; the application starts in its version 1.1
/// or 1.0, and the stub takes no more than is promised.
#[track_caller]
fn bounded_with_archive(what: &str, archive: &[u8]) {
    let sandbox = sandbox(10);
    sandbox.set("deadline", "60.0");
    let mut forge = Forge::new(&sandbox);
    forge.add("app-2.0.tar.gz", archive);
    forge.publish(&|_, _, file| file);
    bounded(what, &sandbox, "1.0", "app-2.0.tar.gz");
}

#[track_caller]
fn bounded(what: &str, sandbox: &Sandbox, version: &str, asked: &str) {
    let (said, code, most) = start(sandbox, 0, &[]);
    let log = sandbox.log();
    assert_eq!((said, code), (says(version), 7), "{what}: {log}");
    let requests = sandbox.server.as_ref().unwrap().requests();
    assert!(
        requests.iter().any(|line| line.contains(asked)),
        "{what}: {requests:?}"
    );
    assert!(most <= MOST, "{what}: {most} kB, {log}");
}

#[test]
fn archives_are_counted_before_they_take_memory() {
    let long = vec![b'a'; 100 << 20];
    for kind in *b"LKx" {
        let archive = gzip([member("@", kind, &long), member("x", b'0', b"")].into_iter());
        bounded_with_archive(&format!("a header of kind {kind}"), &archive);
    }
    // Folders that nothing lists.
    let nested = |n: usize| named(&format!("{n}/{}x", "d/".repeat(1900)));
    bounded_with_archive("deep folders", &gzip((0..500).map(nested)));
    let nested = |n: usize| {
        named(&format!(
            "{n}/{}x",
            format!("{}/", "f".repeat(30)).repeat(120)
        ))
    };
    bounded_with_archive("implied folders", &gzip((0..300).map(nested)));
    let links = |n: usize| named(&format!("{}/{n:06}", "p".repeat(110)));
    bounded_with_archive("as many entries as go", &gzip((0..200_001).map(links)));
    let links = |n: usize| named(&format!("{:06}/{}", 999_999 - n, "p".repeat(250)));
    bounded_with_archive("as many bytes as go", &gzip((0..100_000).map(links)));
}

/// One stream of a patch: its entry in the header, and its data.
fn stream(content: &[u8], dictionary: u8, props: u8) -> (Vec<u8>, Vec<u8>) {
    let mut options = LzmaOptions::with_preset(1);
    options.dict_size = 1 << dictionary.min(20);
    let mut lzma = LzmaWriter::new(Vec::new(), &options, false, false, None).unwrap();
    lzma.write_all(content).unwrap();
    let data = lzma.finish().unwrap();
    let mut entry = vec![options.get_props().max(props), dictionary];
    number(&mut entry, data.len() as u64);
    number(&mut entry, content.len() as u64);
    (entry, data)
}

fn number(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

fn text(out: &mut Vec<u8>, text: &str) {
    number(out, text.len() as u64);
    out.extend(text.as_bytes());
}

fn patch(contents: [&[u8]; 5], dictionaries: [u8; 5], props: u8) -> Vec<u8> {
    let streams = contents.iter().zip(dictionaries);
    let streams: Vec<_> = streams.map(|(c, d)| stream(c, d, props)).collect();
    let mut out = b"NSTFPT1\n".to_vec();
    streams.iter().for_each(|(entry, _)| out.extend(entry));
    streams.iter().for_each(|(_, data)| out.extend(data));
    out
}

#[test]
fn patches_are_counted_before_they_take_memory() {
    let small = [12; 5];
    let mut whole = Vec::new();
    number(&mut whole, 1);
    whole.extend([3, 0xed, 3]); // whole file, mode 755
    text(&mut whole, "new");
    number(&mut whole, 40 << 20);
    let zeros = vec![0; 40 << 20];
    let operations = |count: u64, length: usize| {
        let mut all = Vec::new();
        number(&mut all, count);
        for n in 0..count {
            all.extend([5, 0xed, 3]); // another's content
            text(&mut all, &format!("{n:06}{}", "/p".repeat(length / 2)));
            text(&mut all, "data");
        }
        all
    };
    // A changed file, from "data", with an address space in 64 segments that
    // are all the same, so that each cover is in all of them.
    let mut changed = Vec::new();
    number(&mut changed, 1);
    changed.extend([4, 0xed, 3]);
    text(&mut changed, "new");
    number(&mut changed, 500_000 * 32);
    text(&mut changed, "data");
    changed.push(1);
    for count in [64, 1] {
        number(&mut changed, count);
        for _ in 0..count {
            for n in [0, 0, 1 << 30] {
                number(&mut changed, n);
            }
        }
    }
    changed.extend([0, 0]);
    let mut covers = Vec::new();
    number(&mut covers, 500_000);
    covers.extend([0, 32, 0]);
    for _ in 1..500_000 {
        covers.extend([0, 32, 63]); // back to the beginning
    }
    for (what, patch) in [
        (
            "dictionaries",
            patch([&whole, b"", b"", b"", &zeros], [22, 22, 22, 22, 24], 0),
        ),
        (
            "literal contexts",
            patch([&whole, b"", b"", b"", &zeros], small, 4 * 45 + 4 * 9 + 8),
        ),
        (
            "operations",
            patch([&operations(390_000, 10), b"", b"", b"", b""], small, 0),
        ),
        (
            "long paths",
            patch([&operations(30_000, 200), b"", b"", b"", b""], small, 0),
        ),
        (
            "covers",
            patch([&changed, &covers, b"", b"", b""], small, 0),
        ),
    ] {
        let sandbox = sandbox(3_000_000);
        sandbox.set("deadline", "60.0");
        let mut forge = Forge::new(&sandbox);
        forge.add("app-1.1.patch", &patch);
        // Larger than it is, so that the patch pays.
        let archive = forge.targets["targets"]["app-1.1.tar.gz"]["length"]
            .as_u64()
            .unwrap();
        assert!(
            (patch.len() as u64) < archive * 4 / 5,
            "{what}: {} bytes",
            patch.len()
        );
        forge.publish(&|_, _, file| file);
        bounded(what, &sandbox, "1.1", "app-1.1.patch");
    }
}

/// Five megabytes took 621 MB and 7 s.
#[test]
fn metadata_takes_a_small_multiple_of_its_bytes() {
    let list = |of: &str| format!("[{}0]", of.repeat(4_990_000 / of.len()));
    let many = |size: usize, one: &dyn Fn(usize) -> String| {
        let mut all = String::new();
        for n in 0.. {
            if all.len() > size {
                break;
            }
            all += &format!("\"{n:06}\":{},", one(n));
        }
        format!("{{{}}}", all.trim_end_matches(','))
    };
    let file = |_| "{\"length\":0,\"hashes\":{\"sha256\":\"\"}}".into();
    let custom = |_| {
        format!(
            "{{\"length\":0,\"hashes\":{{\"a\":\"\"}},\"custom\":[{}0]}}",
            "[],".repeat(4000)
        )
    };
    for (role, key, signed, hostile) in [
        ("targets", "x", false, list("0,")),
        ("targets", "x", false, list("[],")),
        ("targets", "x", false, list("[[[[{}]]]],")),
        ("targets", "x", false, many(4_900_000, &|_| "0".into())),
        ("targets", "targets", true, many(2_700_000, &file)),
        ("targets", "targets", true, many(1_300_000, &custom)),
        (
            "snapshot",
            "x",
            false,
            list("0,")[..1_900_000].to_owned() + "]",
        ),
        (
            "snapshot",
            "meta",
            true,
            many(1_900_000, &|_| {
                "{\"version\":1,\"hashes\":{\"\":\"\"}}".into()
            }),
        ),
    ] {
        let sandbox = sandbox(10);
        sandbox.set("deadline", "60.0");
        Forge::new(&sandbox).publish(&|forge, of, file| {
            if of != role {
                return file;
            }
            let mut body = forge.signed(role).clone();
            body[key] = "here".into();
            let body = body.to_string().replace("\"here\"", &hostile);
            if signed {
                forge.sign(role, body.as_bytes())
            } else {
                format!("{{\"signatures\":[],\"signed\":{body}}}").into()
            }
        });
        let what = format!("{role}, {key}, {}", &hostile[..20]);
        bounded(&what, &sandbox, "1.0", &format!("{role}.json"));
    }
}
