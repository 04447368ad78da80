//! Any bytes as a patch, or as the streams of one: refused or applied, never
//! a panic, nothing written outside the work folder.
#![no_main]

use libfuzzer_sys::fuzz_target;
use lzma_rust2::{LzmaOptions, LzmaWriter};
use notsotuf_stub::bundle::patch::{MAGIC, STREAMS, TreeOverlay};
use notsotuf_stub::bundle::{Manifest, Rules, TreeHash};
use std::io::Write;
use std::path::Path;
use std::sync::LazyLock;
use std::{env, fs, process};

static OLD: LazyLock<(std::path::PathBuf, Manifest)> = LazyLock::new(|| {
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("../golden/1");
    let text = fs::read_to_string(golden.join("old.manifest")).unwrap();
    let manifest = Manifest::parse(&text, Rules::portable()).unwrap();
    (golden.join("old"), manifest)
});

/// Streams, separated by their lengths in two bytes each, as a patch.
fn packed(mut bytes: &[u8]) -> Vec<u8> {
    let mut entries = MAGIC.to_vec();
    let mut data = Vec::new();
    for _ in 0..STREAMS {
        let length = bytes.get(..2).map_or(0, |b| usize::from(u16::from_le_bytes([b[0], b[1]])));
        bytes = bytes.get(2..).unwrap_or_default();
        let (stream, rest) = bytes.split_at(length.min(bytes.len()));
        bytes = rest;
        let mut options = LzmaOptions::with_preset(0);
        options.dict_size = 1 << 12;
        let mut lzma = LzmaWriter::new(Vec::new(), &options, false, false, None).unwrap();
        lzma.write_all(stream).unwrap();
        let compressed = lzma.finish().unwrap();
        entries.extend([options.get_props(), 12]);
        for mut number in [compressed.len(), stream.len()] {
            while number >= 0x80 {
                entries.push(number as u8 | 0x80);
                number >>= 7;
            }
            entries.push(number as u8);
        }
        data.extend(compressed);
    }
    entries.extend(data);
    entries
}

fuzz_target!(|bytes: &[u8]| {
    let Some((&how, bytes)) = bytes.split_first() else {
        return;
    };
    let patch = if how % 8 == 0 { bytes.to_vec() } else { packed(bytes) };
    let place = env::temp_dir().join(format!("notsotuf-fuzz-{}", process::id()));
    let work = place.join("work");
    fs::create_dir_all(&work).unwrap();
    fs::write(place.join("patch"), patch).unwrap();
    let (folder, manifest) = &*OLD;
    let mut written = 0u64;
    let result = TreeOverlay::installed(folder, manifest.clone()).apply(
        &place.join("patch"),
        TreeHash([0; 32]),
        &work,
        Rules::portable(),
        &mut |bytes| {
            written += bytes;
            written < 1 << 20
        },
    );
    assert!(result.is_err(), "no tree has that hash");
    let outside: Vec<_> = fs::read_dir(&place).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert_eq!(outside.len(), 2, "{outside:?}");
    fs::remove_dir_all(&place).unwrap();
});
