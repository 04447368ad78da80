//! Any bytes as a patch, or as the streams of one, in each format: refused or
//! applied, never a panic, nothing written outside the work folder.
#![no_main]

use libfuzzer_sys::fuzz_target;
use lzma_rust2::{LzmaOptions, LzmaWriter};
use notsotuf_stub::bundle::patch::{Format, STORED, STREAMS, TreeOverlay};
use notsotuf_stub::bundle::{Manifest, Rules, TreeHash};
use std::io::Write;
use std::path::Path;
use std::sync::LazyLock;
use std::{env, fs, process};

type Old = (std::path::PathBuf, Manifest);

fn old(number: &str) -> Old {
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("../golden").join(number);
    let text = fs::read_to_string(golden.join("old.manifest")).unwrap();
    let manifest = Manifest::parse(&text, Rules::portable()).unwrap();
    (golden.join("old"), manifest)
}

/// The trees that the golden patches of the two formats start from.
static OLD: LazyLock<[Old; 2]> = LazyLock::new(|| ["1", "2"].map(old));

/// Properties and bytes of a stream, compressed or not.
fn stream(format: Format, plain: &[u8]) -> ([u8; 2], Vec<u8>) {
    if format == Format::Two {
        return ([STORED, 0], plain.to_vec());
    }
    let mut options = LzmaOptions::with_preset(0);
    options.dict_size = 1 << 12;
    let mut lzma = LzmaWriter::new(Vec::new(), &options, false, false, None).unwrap();
    lzma.write_all(plain).unwrap();
    ([options.get_props(), 12], lzma.finish().unwrap())
}

/// Streams, separated by their lengths in two bytes each, as a patch.
fn packed(format: Format, mut bytes: &[u8]) -> Vec<u8> {
    let mut entries = format.magic().to_vec();
    let mut data = Vec::new();
    for _ in 0..STREAMS {
        let length = bytes.get(..2).map_or(0, |b| usize::from(u16::from_le_bytes([b[0], b[1]])));
        bytes = bytes.get(2..).unwrap_or_default();
        let (plain, rest) = bytes.split_at(length.min(bytes.len()));
        bytes = rest;
        let (properties, stored) = stream(format, plain);
        entries.extend(properties);
        for mut number in [stored.len(), plain.len()] {
            while number >= 0x80 {
                entries.push(number as u8 | 0x80);
                number >>= 7;
            }
            entries.push(number as u8);
        }
        data.extend(stored);
    }
    entries.extend(data);
    entries
}

// The first byte says what the others are: a patch, of whatever format, or
// streams of one of the first or second.
fuzz_target!(|bytes: &[u8]| {
    let Some((&how, bytes)) = bytes.split_first() else {
        return;
    };
    let (tree, patch) = match how % 8 {
        0 => (0, bytes.to_vec()),
        1..=3 => (0, packed(Format::One, bytes)),
        4 => (1, bytes.to_vec()),
        _ => (1, packed(Format::Two, bytes)),
    };
    let place = env::temp_dir().join(format!("notsotuf-fuzz-{}", process::id()));
    let work = place.join("work");
    fs::create_dir_all(&work).unwrap();
    fs::write(place.join("patch"), patch).unwrap();
    let (folder, manifest) = &OLD[tree];
    let (mut written, mut steps) = (0u64, 0);
    let result = TreeOverlay::installed(folder, manifest.clone()).apply(
        &place.join("patch"),
        TreeHash([0; 32]),
        &work,
        Rules::portable(),
        &mut |bytes| {
            written += bytes;
            // Of inflating and compressing, which write nothing.
            steps += 1;
            written < 1 << 20 && steps < 256
        },
    );
    assert!(result.is_err(), "no tree has that hash");
    let outside: Vec<_> = fs::read_dir(&place).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert_eq!(outside.len(), 2, "{outside:?}");
    fs::remove_dir_all(&place).unwrap();
});
