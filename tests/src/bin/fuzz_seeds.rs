//! Writes inputs for scripts/fuzz to start from: real, signed metadata.

use notsotuf_stub::bundle::{Entry, Kind, Manifest};
use notsotuf_tests::simulator::{SimKey, Simulator};
use serde_json::json;
use std::fs;
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
    let file = Kind::File {
        size: 3,
        sha256: [7; 32],
    };
    let link = Kind::Link {
        target: "../x y".into(),
    };
    for (path, kind, mode) in [
        ("d", Kind::Dir, 0o755),
        ("d/l%", link, 0o777),
        ("x y", file, 0o644),
    ] {
        tree.entries.insert(path.into(), Entry { kind, mode });
    }
    write("manifest", "small", tree.to_text().as_bytes());
}
