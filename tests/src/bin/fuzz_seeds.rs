//! Writes inputs for scripts/fuzz to start from: real, signed metadata.

use lzma_rust2::LzmaReader;
use notsotuf_stub::bundle::{Entry, EntryKind, Manifest};
use notsotuf_tests::simulator::{SimKey, Simulator};
use serde_json::json;
use std::fs;
use std::io::Read;
use std::path::Path;

fn main() {
    let folder = std::env::args().nth(1).expect("usage: fuzz-seeds FOLDER");
    let write = |target: &str, name: &str, bytes: &[u8]| {
        let folder = Path::new(&folder).join(target);
        fs::create_dir_all(&folder).expect("a folder");
        fs::write(folder.join(name), bytes).expect("a file");
    };
    let mut simulator = Simulator::new();
    simulator.delegate("targets", "a", &json!({ "paths": ["some/*"] }));
    simulator.delegate("targets", "b", &json!({ "path_hash_prefixes": ["0", "f"] }));
    simulator.set_keys("snapshot", vec![SimKey::ecdsa(256), SimKey::ecdsa(384)], 2);
    simulator.next_root();
    simulator.list_hashes = true;
    simulator.add_target("a", "some/path", b"content");
    simulator.release("a");
    simulator.release("targets");
    for role in ["timestamp", "snapshot", "targets", "a"] {
        write("metadata", role, &simulator.file(role));
        write("canonical", role, &simulator.file(role));
    }
    write("metadata", "root", &simulator.roots[1]);
    let [one, two] = [0, 1].map(|n| simulator.roots[n].clone());
    let files = ["timestamp", "snapshot", "targets", "a"].map(|role| simulator.file(role));
    let [timestamp, snapshot, targets, a] = files;
    let empty: Vec<u8> = Vec::new();
    // root; next root, none after it; each of the others: nothing stored, then fetched.
    let answers = [
        one,
        two,
        empty.clone(),
        empty.clone(),
        timestamp,
        empty.clone(),
        snapshot,
        empty.clone(),
        targets,
        empty,
        a,
    ];
    write("refresh", "whole", &answers.join(&0xff));
    let mut tree = Manifest::default();
    let file = EntryKind::File {
        size: 3,
        sha256: [7; 32],
    };
    let link = EntryKind::Link {
        target: "../x y".into(),
    };
    for (path, kind, mode) in [
        ("d", EntryKind::Dir, 0o755),
        ("d/l%", link, 0o777),
        ("x y", file, 0o644),
    ] {
        tree.entries.insert(path.into(), Entry { kind, mode });
    }
    let file = |path: &str| {
        let place = notsotuf_tests::root().join(path);
        fs::read(place).expect("it is in the repository")
    };
    let [golden, golden2] = [1, 2].map(|n| file(&format!("tests/golden/{n}/patch")));
    write("patch", "whole", &[&[0], &golden[..]].concat());
    write("patch", "streams", &[&[1], &patch_streams()[..]].concat());
    write("patch", "whole-2", &[&[4], &golden2[..]].concat());
    write(
        "patch",
        "streams-2",
        &[&[5], &streams_of(&golden2)[..]].concat(),
    );
    let samples = "stub/src/bundle/patch/marshal/samples";
    for (layout, name) in [(0, "311"), (1, "38"), (2, "37")] {
        let old = file(&format!("{samples}/{name}-old"));
        write("bytecode", name, &bytecode(layout, &old));
    }
    for name in ["archive", "zipfile"] {
        let members = file(&format!("bundler/src/patch/members/tests/{name}"));
        write("members", name, &members);
    }
    for recipe in [5, 23, 41] {
        let text = file("tests/golden/2/old/data/table.txt");
        let name = recipe.to_string();
        write("recompress", &name, &[&[recipe, 20], &text[..]].concat());
    }
    write("manifest", "small", tree.to_text().as_bytes());
    write("archive", "small", &[&[1], &small_tar()[..]].concat());
}

/// An entry of each kind that archives may have.
fn small_tar() -> Vec<u8> {
    let mut tar = tar::Builder::new(Vec::new());
    let mut entry = |path: &str, kind: tar::EntryType, mode: u32, content: &[u8]| {
        let mut header = tar::Header::new_ustar();
        header.set_entry_type(kind);
        header.set_mode(mode);
        header.set_size(content.len() as u64);
        let done = match kind {
            tar::EntryType::Symlink | tar::EntryType::Link => {
                tar.append_link(&mut header, path, "a")
            }
            _ => tar.append_data(&mut header, path, content),
        };
        done.expect("in memory");
    };
    entry("a", tar::EntryType::Regular, 0o644, b"content");
    entry("d/b", tar::EntryType::Regular, 0o755, b"new content");
    entry("e", tar::EntryType::Directory, 0o755, b"");
    entry("h", tar::EntryType::Link, 0o644, b"");
    entry("l", tar::EntryType::Symlink, 0o777, b"");
    tar.into_inner().expect("in memory")
}

/// The streams of a small patch, each with its length before it: a changed
/// file with references, a whole one, a folder, a link, a removal.
fn patch_streams() -> Vec<u8> {
    let text = |text: &str| [&[text.len() as u8], text.as_bytes()].concat();
    let references = [
        &[1][..],
        // Segments, old and new.
        &[1, 0, 0, 0xff, 0x7f],
        &[1, 0, 0x10, 0xff, 0x7f],
        // Regions: code, a table, frames, AArch64.
        &[4, 0, 0x80, 2, 0, 0],
        &[0x80, 2, 0x40, 0x80, 2, 1, 24, 16, 8, 0, 0],
        &[0x80, 4, 0x40, 0x80, 4, 2],
        &[0x80, 6, 0x40, 0x80, 6, 3],
        // A span.
        &[1, 0x80, 0x80, 4, 0x90, 0x80, 4, 8],
    ]
    .concat();
    let operations = [
        &[5][..],
        &[4, 0xed, 3],
        &text("elf-x86_64.so"),
        &[0x90, 5],
        &text("elf-x86_64.so"),
        &references,
        &[3, 0xa4, 3],
        &text("whole"),
        &[3],
        &[1, 0xed, 3],
        &text("folder"),
        &[2],
        &text("link"),
        &text("folder"),
        &[0],
        &text("data/gone.txt"),
    ]
    .concat();
    let covers = vec![2, 5, 0x80, 4, 0x20, 3, 0xff, 0, 0x10];
    let runs = vec![0x80, 1, 4, 0xff, 1, 0];
    let literals = vec![7; 40];
    [operations, covers, runs, vec![1, 2, 3, 4], literals]
        .iter()
        .flat_map(|stream| [&(stream.len() as u16).to_le_bytes(), &stream[..]].concat())
        .collect()
}

/// The streams of a patch, as `patch_streams` has them.
fn streams_of(patch: &[u8]) -> Vec<u8> {
    let mut at = 8;
    let mut byte = || {
        at += 1;
        patch[at - 1]
    };
    let mut entries = Vec::new();
    for _ in 0..5 {
        let (properties, dictionary) = (byte(), byte());
        let mut number = || {
            let (mut value, mut shift) = (0, 0);
            loop {
                let byte = byte();
                value |= usize::from(byte & 0x7f) << shift;
                shift += 7;
                if byte & 0x80 == 0 {
                    break value;
                }
            }
        };
        entries.push((properties, dictionary, number(), number()));
    }
    let mut rest = &patch[at..];
    let mut streams = Vec::new();
    for (properties, dictionary, stored, size) in entries {
        let (data, behind) = rest.split_at(stored);
        rest = behind;
        let mut plain = data.to_vec();
        if properties != 0xff {
            let (size, dictionary) = (size as u64, 1 << dictionary);
            let reader = LzmaReader::new_with_props(data, size, properties, dictionary, None);
            plain.clear();
            let mut reader = reader.expect("a patch");
            reader.read_to_end(&mut plain).expect("a patch");
        }
        let length = u16::try_from(plain.len()).expect("the patch is small");
        streams.extend(length.to_le_bytes());
        streams.extend(plain);
    }
    streams
}

/// A module that is made of itself, in stretches.
fn bytecode(layout: u8, old: &[u8]) -> Vec<u8> {
    let mut seed = vec![layout];
    seed.extend((old.len() as u16).to_le_bytes());
    seed.extend(old);
    for at in (0..old.len()).step_by(250) {
        seed.extend((at as u16).to_le_bytes());
        seed.extend([250, 2, 0xe3, 0]);
    }
    seed
}
