//! Any bytes as a tar in an archive, or as an archive: refused, or unpacked to
//! what the manifest says; never a panic, nothing written outside, and what is
//! installed stays as it is.
#![no_main]

use libfuzzer_sys::fuzz_target;
use notsotuf_stub::bundle::unpack::{UnpackOptions, unpack};
use notsotuf_stub::bundle::patch::verify_file;
use notsotuf_stub::bundle::{EntryKind, Rules};
use notsotuf_stub::fs::join;
use std::io::Write;
use std::{env, fs, process};

/// Without compression, which would only be in the way.
fn gzip(tar: &[u8]) -> Vec<u8> {
    let mut gz = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::none());
    gz.write_all(tar).unwrap();
    gz.finish().unwrap()
}

/// Unpacking is stopped after that: more takes time and finds nothing.
const MOST_WRITTEN: u64 = 1 << 20;

const INSTALLED: [(&str, &[u8]); 3] = [("a", b"content"), ("d/b", b"CONTENT"), ("x", b"")];

fuzz_target!(|bytes: &[u8]| {
    let Some((&how, bytes)) = bytes.split_first() else {
        return;
    };
    let archive = if how % 8 == 0 { bytes.to_vec() } else { gzip(bytes) };
    let place = env::temp_dir().join(format!("notsotuf-fuzz-archive-{}", process::id()));
    let (app, into) = (place.join("app"), place.join("in/to"));
    fs::create_dir_all(&into).unwrap();
    fs::create_dir_all(app.join("d")).unwrap();
    for (name, content) in INSTALLED {
        fs::write(app.join(name), content).unwrap();
    }
    let mut written = 0u64;
    let options = UnpackOptions {
        reuse_from: Some(&app),
        rules: Rules::portable(),
        observer: Some(&mut |bytes| {
            written += bytes;
            written < MOST_WRITTEN
        }),
    };
    let result = unpack(&archive[..], &into, options);
    if let Ok(manifest) = result {
        for (path, entry) in &manifest.entries {
            let there = join(&into, path);
            match &entry.kind {
                EntryKind::File { size, sha256 } => assert!(verify_file(&there, *size, sha256).unwrap()),
                EntryKind::Dir => assert!(there.symlink_metadata().unwrap().is_dir()),
                EntryKind::Link { target } => {
                    assert_eq!(fs::read_link(&there).unwrap().to_str(), Some(target.as_str()));
                }
            }
        }
    }
    for (name, content) in INSTALLED {
        assert_eq!(fs::read(app.join(name)).unwrap(), content);
    }
    for (folder, count) in [("", 2), ("in", 1), ("app", 3), ("app/d", 1)] {
        assert_eq!(fs::read_dir(place.join(folder)).unwrap().count(), count, "{folder}");
    }
    notsotuf_stub::fs::remove_tree_if_exists(&place).unwrap();
});
