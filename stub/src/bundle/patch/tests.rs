//! Patches as nobody makes them.

use super::parts::Packing;
use super::*;
use crate::bundle::path_rules::PathError;
use crate::bundle::recompress::{Compressor, Recipe, Recompressor};
use crate::bundle::{Entry, EntryKind, Manifest, Rules};
use std::collections::BTreeMap;
use std::fs;
use tempfile::TempDir;

/// An old tree in a folder of its own.
struct Old {
    folder: TempDir,
    manifest: Manifest,
}

/// What comes of a patch.
type Applied = Result<BTreeMap<String, Vec<u8>>, PatchError>;

const ZLIB: Recipe = Recipe {
    compressor: Compressor::Zlib,
    level: 6,
    wrapped: true,
};
const BARE: Recipe = Recipe {
    compressor: Compressor::Zlib,
    level: 9,
    wrapped: false,
};

fn compressed(recipe: Recipe, plain: &[u8]) -> Vec<u8> {
    let mut output = Vec::new();
    let mut stream = Recompressor::new(recipe, plain.len() as u64, &mut output);
    stream.write(plain, &mut output);
    stream.finish(&mut output);
    output
}

/// Something that compresses to about a third.
fn text(size: usize) -> Vec<u8> {
    let mut state = 1u32;
    let next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        b"etaonri s"[(state >> 24) as usize % 9]
    };
    std::iter::repeat_with(next).take(size).collect()
}

const PLAIN: usize = 5_000;

/// `before`, the text in zlib's format, `between`, the text as bare deflate,
/// `behind`.
fn container() -> Vec<u8> {
    let (zlib, bare) = (
        compressed(ZLIB, &text(PLAIN)),
        compressed(BARE, &text(PLAIN)),
    );
    [b"before", &zlib[..], b"between", &bare, b"behind"].concat()
}

impl Old {
    fn new() -> Self {
        Self::with("container", &container())
    }

    fn with(name: &str, content: &[u8]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let tree = folder.path().join("old");
        fs::create_dir_all(tree.join("folder")).unwrap();
        fs::write(tree.join(name), content).unwrap();
        let (size, sha256) = hash_file(&tree.join(name)).unwrap();
        let mut manifest = Manifest::default();
        for (path, kind, mode) in [
            (name, EntryKind::File { size, sha256 }, 0o644),
            ("folder", EntryKind::Dir, 0o755),
        ] {
            manifest.entries.insert(path.into(), Entry { kind, mode });
        }
        Old { folder, manifest }
    }

    fn apply(&self, patch: &[u8], observer: &mut dyn FnMut(u64) -> bool) -> Applied {
        let place = |name: &str| self.folder.path().join(name);
        let work = place("work");
        if work.exists() {
            fs::remove_dir_all(&work).unwrap();
        }
        fs::create_dir_all(&work).unwrap();
        fs::write(place("patch"), patch).unwrap();
        let installed = TreeOverlay::installed(&place("old"), self.manifest.clone());
        let nothing = Manifest::default().tree_hash();
        let applied = installed.apply(&place("patch"), nothing, &work, Rules::host(), observer);
        // Besides new files, whole or not, there is nothing in the folder.
        let mut made = BTreeMap::new();
        for file in fs::read_dir(&work).unwrap() {
            let file = file.unwrap();
            let name = file.file_name().into_string().unwrap();
            assert!(name.parse::<usize>().is_ok(), "{name}");
            made.insert(name, fs::read(file.path()).unwrap());
        }
        match applied.err().unwrap() {
            // All but the hash is right.
            PatchError::WrongTree { .. } => Ok(made),
            other => Err(other),
        }
    }

    fn refuses(&self, patch: &Streams, why: &str) {
        let error = self.apply(&patch.stored(), &mut |_| true).unwrap_err();
        let shown = error.to_string();
        assert!(shown.contains(why), "{shown}, expected {why:?}");
    }
}

fn number(mut value: u64) -> Vec<u8> {
    let mut out = Vec::new();
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
    out
}

fn zigzag(value: i64) -> Vec<u8> {
    number(((value << 1) ^ (value >> 63)) as u64)
}

fn string(text: &str) -> Vec<u8> {
    [number(text.len() as u64), text.into()].concat()
}

/// The streams of a patch.
#[derive(Clone, Default)]
struct Streams([Vec<u8>; STREAMS]);

impl Streams {
    /// A patch that makes one file by operation 6: its size, then what follows.
    fn parts(size: u64, rest: &[Vec<u8>]) -> Self {
        let mut streams = Streams::default();
        streams.0[stream::OPERATIONS] = [
            vec![1, op::PARTS],
            number(0o644),
            string("made"),
            number(size),
            rest.concat(),
        ]
        .concat();
        streams
    }

    fn and(mut self, index: usize, bytes: &[u8]) -> Self {
        self.0[index].extend_from_slice(bytes);
        self
    }

    /// As a patch of the second format, in which nothing is compressed.
    fn stored(&self) -> Vec<u8> {
        let mut patch = Format::Two.magic().to_vec();
        for stream in &self.0 {
            patch.extend([STORED, 0]);
            patch.extend(number(stream.len() as u64).repeat(2));
        }
        patch.extend(self.0.concat());
        patch
    }
}

/// One old file with these units.
fn old_file(path: &str, units: &[Vec<u8>]) -> Vec<u8> {
    let count = number(units.len() as u64);
    [vec![1], string(path), count, units.concat()].concat()
}

fn unit(gap: u64, size: u64, packing: Packing) -> Vec<u8> {
    let packing = match packing {
        Packing::Stored => 0,
        Packing::Deflate => 1,
        Packing::Zlib => 2,
    };
    [number(gap), number(size << 2 | packing)].concat()
}

/// `container`, as it is.
fn container_file() -> Vec<u8> {
    let units = [
        unit(6, PLAIN as u64, Packing::Zlib),
        unit(7, PLAIN as u64, Packing::Deflate),
    ];
    old_file("container", &units)
}

fn some_parts(parts: &[Vec<u8>]) -> Vec<u8> {
    [number(parts.len() as u64), parts.concat()].concat()
}

/// A part with these flags, whose piece is `skip` behind the one that is next,
/// and which has `more` bytes than that.
fn part(flags: u8, skip: i64, more: i64) -> Vec<u8> {
    [vec![flags], zigzag(skip), zigzag(more)].concat()
}

/// The whole piece of so many bytes, as it was.
fn whole(size: usize) -> Vec<u8> {
    [number(1), number(0), number(size as u64), zigzag(0)].concat()
}

fn zeros(size: usize) -> Vec<u8> {
    [number(size as u64), number(0)].concat()
}

const RUNS: usize = stream::RUNS;
const COVERS: usize = stream::COVERS;
const LITERALS: usize = stream::LITERALS;

#[test]
fn members_are_read_plain_and_compressed_again() {
    let old = Old::new();
    // The second member first, stronger compressed; the first one plain.
    let member = compressed(BARE, &text(PLAIN));
    let expected = [&member[..], &text(PLAIN)].concat();
    let parts = [part(BARE.byte(), 3, 0), part(0, -3, 0)];
    let patch = Streams::parts(
        expected.len() as u64,
        &[container_file(), some_parts(&parts)],
    );
    let patch = patch
        .and(COVERS, &whole(PLAIN).repeat(2))
        .and(RUNS, &zeros(PLAIN).repeat(2));
    let made = old.apply(&patch.stored(), &mut |_| true).unwrap();
    assert!(made["0"] == expected);
}

#[test]
fn a_patch_that_is_cut_or_changed_is_no_harm() {
    let old = Old::new();
    let size = compressed(BARE, &text(PLAIN)).len() as u64;
    let parts = [part(BARE.byte(), 3, 0)];
    let patch = Streams::parts(size, &[container_file(), some_parts(&parts)])
        .and(COVERS, &whole(PLAIN))
        .and(RUNS, &zeros(PLAIN))
        .stored();
    old.apply(&patch, &mut |_| true).unwrap();
    for cut in 0..patch.len() {
        old.apply(&patch[..cut], &mut |_| true).unwrap_err();
    }
    for at in 0..8 * patch.len() {
        let mut changed = patch.clone();
        changed[at / 8] ^= 1 << (at % 8);
        // Another path or mode may be as good.
        drop(old.apply(&changed, &mut |_| true));
    }
}

#[test]
fn old_files_that_are_not_as_said_are_refused() {
    let old = Old::new();
    let with = |units: &[Vec<u8>]| {
        // Of the last piece, whose size is not known yet.
        let part = [vec![0], zigzag(2 * units.len() as i64), number(6)].concat();
        let parts = some_parts(&[part]);
        Streams::parts(6, &[old_file("container", units), parts])
    };
    let plain = PLAIN as u64;
    let wrong = "a compressed member is not as it should be";
    for (gap, size, packing) in [
        (6, plain - 1, Packing::Zlib),
        (6, plain + 1, Packing::Zlib),
        (6, 0, Packing::Zlib),
        (6, plain, Packing::Deflate),
        (5, plain, Packing::Zlib),
        (8, plain, Packing::Zlib),
        (container().len() as u64, 0, Packing::Zlib),
        (container().len() as u64 + 1, 0, Packing::Deflate),
        (1 << 33, 0, Packing::Deflate),
    ] {
        old.refuses(&with(&[unit(gap, size, packing)]), wrong);
    }
    let length = container().len() as u64;
    let too_short = "it needs more than the old file has";
    old.refuses(&with(&[unit(0, length + 1, Packing::Stored)]), too_short);
    old.refuses(&with(&[unit(length + 1, 0, Packing::Stored)]), too_short);
    let too_much = "an old file holds too much";
    let most = length * MAX_PLAIN_RATIO + MIN_PLAIN;
    old.refuses(&with(&[unit(0, most, Packing::Stored)]), too_short);
    old.refuses(&with(&[unit(0, most + 1, Packing::Stored)]), too_much);
    old.refuses(&with(&[unit(0, most + 1, Packing::Zlib)]), too_much);
    let too_large = "an old file is too large";
    old.refuses(&with(&[unit(u64::MAX, 5, Packing::Zlib)]), too_large);
    old.refuses(&with(&[unit(5, u64::MAX >> 2, Packing::Zlib)]), too_large);
    let unknown = [number(6), number(plain << 2 | 3)].concat();
    old.refuses(&with(&[unknown]), "how a member is packed is unknown");
    // Cut in the middle.
    let cut = Old::with("container", &container()[..100]);
    cut.refuses(&with(&[unit(6, plain, Packing::Zlib)]), wrong);
    // A checksum that is not right.
    let mut damaged = container();
    damaged[5 + compressed(ZLIB, &text(PLAIN)).len()] ^= 1;
    let damaged = Old::with("container", &damaged);
    damaged.refuses(&with(&[unit(6, plain, Packing::Zlib)]), wrong);

    let of = |path: &str| {
        let parts = some_parts(&[[vec![0, 0], number(0)].concat()]);
        Streams::parts(0, &[old_file(path, &[]), parts])
    };
    for path in ["none", "folder", "made", "../old/container"] {
        old.refuses(&of(path), "which is not there");
    }
    let many = [
        number(65),
        old_file("container", &[])[1..].repeat(65),
        vec![0],
    ];
    old.refuses(&Streams::parts(0, &many), "too many of something");
}

#[test]
fn members_of_all_old_files_together_are_bounded() {
    // Each of them is well within what its size allows.
    let plain = vec![0; 100 << 20];
    let packed = compressed(ZLIB, &plain);
    let filler = (plain.len() / MAX_PLAIN_RATIO as usize).saturating_sub(packed.len());
    let content = [packed, vec![1; filler]].concat();
    let old = Old::with("container", &content);
    let units = [unit(0, plain.len() as u64, Packing::Zlib)];
    let files = old_file("container", &units)[1..].repeat(30);
    let parts = some_parts(&[part(0, 0, 0)]);
    let patch = Streams::parts(0, &[number(30), files, parts]);
    // It is seen before any of them is inflated.
    let mut steps = 0u64;
    let mut count = |_| {
        steps += 1;
        true
    };
    let error = old.apply(&patch.stored(), &mut count).unwrap_err();
    assert!(
        error.to_string().contains("too large to be patched"),
        "{error}"
    );
    assert_eq!(steps, 0);
}

/// They may be the same again and again.
#[test]
fn members_of_all_operations_together_are_bounded() {
    let old = Old::new();
    let units = [unit(0, 9 << 30, Packing::Zlib)];
    let one = Streams::parts(0, &[old_file("container", &units), number(0)]);
    old.refuses(&one, "too large to be patched");
    let operation = one.0[stream::OPERATIONS][1..].to_vec();
    let two = [vec![2], operation.repeat(2)].concat();
    let two = Streams::default().and(stream::OPERATIONS, &two);
    old.refuses(&two, &PathError::TooLarge.to_string());
}

#[test]
fn parts_that_cannot_be_are_refused() {
    let old = Old::new();
    let with =
        |size: u64, parts: &[Vec<u8>]| Streams::parts(size, &[container_file(), some_parts(parts)]);
    let no_piece = "a part has no old piece";
    for skip in [5, -1, i64::MAX, i64::MIN] {
        old.refuses(&with(6, &[part(0, skip, 0)]), no_piece);
    }
    old.refuses(&with(6, &[part(0, 4, 0), part(0, 0, 0)]), no_piece);
    let none = Streams::parts(6, &[number(0), some_parts(&[part(0, 0, 0)])]);
    old.refuses(&none, no_piece);
    let less = "a part has less than no bytes";
    old.refuses(&with(6, &[part(0, 0, -7)]), less);
    old.refuses(&with(6, &[part(0, 0, i64::MIN)]), less);
    let larger = "a file is larger than its size allows";
    let more = 6 * MAX_PLAIN_RATIO + MIN_PLAIN - 6;
    old.refuses(&with(6, &[part(ZLIB.byte(), 0, more as i64 + 1)]), larger);
    old.refuses(&with(6, &[part(ZLIB.byte(), 0, i64::MAX)]), larger);
    let last = |size: u64| [vec![0], zigzag(4), number(size)].concat();
    old.refuses(&with(6, &[last(u64::MAX)]), larger);
    let back = |size: u64| [vec![0], zigzag(-1), number(size)].concat();
    old.refuses(&with(6, &[last(more + 6), back(1)]), larger);
    for recipe in 55..64 {
        let why = "how a member is compressed is unknown";
        old.refuses(&with(6, &[part(recipe, 0, 0)]), why);
    }
    old.refuses(&with(6, &[part(0xc0, 0, 0)]), "a prediction is unknown");
    for layout in [3, 7, 8, 255] {
        let marshal = [part(0x80, 0, 0), vec![layout]].concat();
        old.refuses(&with(6, &[marshal]), "a layout of bytecode is unknown");
    }
    old.refuses(&Streams::parts(0, &[]), "a stream is too short");
    let unused = with(6, &[]).and(stream::OPERATIONS, &[0]);
    old.refuses(&unused, "nothing uses");
}

#[test]
fn a_file_that_comes_out_too_long_or_too_short_is_refused() {
    let old = Old::new();
    let with = |size: u64, recipe: u8| {
        Streams::parts(size, &[container_file(), some_parts(&[part(recipe, 0, 0)])])
            .and(COVERS, &whole(6))
            .and(RUNS, &zeros(6))
    };
    let made = compressed(ZLIB, b"before").len() as u64;
    for (recipe, right) in [(0, 6), (ZLIB.byte(), made)] {
        old.apply(&with(right, recipe).stored(), &mut |_| true)
            .unwrap();
        old.refuses(&with(right - 1, recipe), "a file comes out too long");
        old.refuses(&with(right + 1, recipe), "a file comes out too short");
    }
    let none = Streams::parts(1, &[container_file(), some_parts(&[])]);
    old.refuses(&none, "a file comes out too short");
    let rest = with(6, 0).and(LITERALS, b"x");
    old.refuses(&rest, "nothing uses");
}

#[test]
fn covers_outside_of_the_old_files_are_refused() {
    let old = Old::new();
    let plain = 2 * PLAIN + 6 + 7 + 6;
    let with = |size: usize, skip: i64| {
        let cover = [number(1), number(0), number(size as u64), zigzag(skip)].concat();
        // Relative to the piece `between`.
        let part = part(0, 2, size as i64 - 7);
        Streams::parts(size as u64, &[container_file(), some_parts(&[part])])
            .and(COVERS, &cover)
            .and(RUNS, &zeros(size))
    };
    let before = -(6 + PLAIN as i64);
    let all = old.apply(&with(plain, before).stored(), &mut |_| true);
    let text = text(PLAIN);
    let expected = [b"before", &text[..], b"between", &text, b"behind"].concat();
    assert!(all.unwrap()["0"] == expected);
    let outside = "it needs more than the old file has";
    for (size, skip) in [
        (plain, before - 1),
        (plain, before + 1),
        (plain + 1, before),
        (1, before - 1),
        (1, 7 + PLAIN as i64 + 6),
        (1, i64::MAX),
        (1, i64::MIN),
    ] {
        old.refuses(&with(size, skip), outside);
    }
}

#[test]
fn a_prediction_meets_any_cover() {
    let old = Old::new();
    let size = PLAIN;
    for flags in [0x40, 0x80] {
        let described = if flags == 0x80 {
            vec![2]
        } else {
            // A segment each, and a region of code, over everything.
            let segment = [number(1), number(0), number(0), number(1 << 40)].concat();
            let region = [number(1), number(0), number(1 << 40), number(0), vec![0]].concat();
            [segment.repeat(2), region, number(0)].concat()
        };
        for skip in [-10_000, -5_007, -5_006, -2_000, -4, 0, 3, 7, 13, 14, 5_020] {
            let parts = [part(flags, 2, size as i64 - 7), described.clone()].concat();
            let cover = [number(1), number(0), number(size as u64), zigzag(skip)].concat();
            let patch = Streams::parts(size as u64, &[container_file(), some_parts(&[parts])])
                .and(COVERS, &cover)
                .and(RUNS, &zeros(size));
            let made = old.apply(&patch.stored(), &mut |_| true);
            assert_eq!(made.is_ok(), (-5_006..=13).contains(&skip), "{skip}");
        }
    }
}

#[test]
fn stored_streams_are_of_the_second_format_and_as_long_as_they_are() {
    let old = Old::new();
    let patch = Streams::parts(0, &[container_file(), some_parts(&[])]).stored();
    old.apply(&patch, &mut |_| true).unwrap();
    let first = [Format::One.magic(), &patch[8..]].concat();
    let mut longer = patch.clone();
    // The size of the literals, behind four entries of four bytes.
    longer[8 + 4 * 4 + 3] += 1;
    for wrong in [first, longer] {
        let error = old.apply(&wrong, &mut |_| true).unwrap_err();
        assert!(
            error.to_string().contains("a stream's header is wrong"),
            "{error}"
        );
    }
    let unknown = [b"NSTFPT3\n", &patch[8..]].concat();
    let error = old.apply(&unknown, &mut |_| true).unwrap_err();
    assert!(matches!(error, PatchError::Format), "{error}");
}

#[test]
fn whoever_watches_can_stop_it_while_it_inflates_and_compresses() {
    let plain = vec![b'x'; 700_000];
    let old = Old::with("container", &compressed(ZLIB, &plain));
    let size = compressed(BARE, &plain).len();
    for recipe in [
        BARE,
        Recipe {
            compressor: Compressor::ZlibNgWhole,
            ..BARE
        },
    ] {
        let size = compressed(recipe, &plain).len().max(size) as u64;
        let units = [unit(0, plain.len() as u64, Packing::Zlib)];
        let parts = some_parts(&[part(recipe.byte(), 1, 0)]);
        let patch = Streams::parts(size + 9_000, &[old_file("container", &units), parts])
            .and(COVERS, &whole(plain.len()))
            .and(RUNS, &zeros(plain.len()))
            .stored();
        let mut all = 0;
        let mut count = |_| {
            all += 1;
            true
        };
        let error = old.apply(&patch, &mut count).unwrap_err();
        assert!(error.to_string().contains("too short"), "{error}");
        // Each 64 KiB inflated, each 128 KiB compressed.
        assert!(all >= 10 + 5, "{all}");
        for stop in 0..all {
            let mut calls = 0;
            let mut observer = |_| {
                calls += 1;
                calls <= stop
            };
            let error = old.apply(&patch, &mut observer).unwrap_err();
            assert!(matches!(error, PatchError::Stopped), "{stop}: {error}");
        }
    }
}

#[test]
fn what_a_patch_asks_for_is_counted_before_it_is_taken() {
    let old = Old::new();
    let memory = |patch: Streams| {
        let error = old.apply(&patch.stored(), &mut |_| true).unwrap_err();
        assert!(matches!(error, PatchError::Memory), "{error}");
    };
    // A member that is kept as a whole. Nothing of it is there.
    let whole_member = Recipe {
        compressor: Compressor::ZlibNgWhole,
        ..ZLIB
    };
    let part_of = |recipe: Recipe, size: u64| {
        let part = [vec![recipe.byte()], zigzag(4), number(size)].concat();
        Streams::parts(1 << 20, &[container_file(), some_parts(&[part])])
    };
    memory(part_of(whole_member, 60 << 20));
    // It is said, and then there are no covers.
    old.refuses(&part_of(ZLIB, 60 << 20), "a stream is too short");
    // Units and parts, more than there may be.
    let units = unit(0, 0, Packing::Stored).repeat(400_000);
    let file = [vec![1], string("container"), number(10_000_000), units].concat();
    memory(Streams::parts(0, &[file]));
    let again = part(0, -1, -6).repeat(1_100_000);
    let parts = [number(10_000_000), part(0, 0, -6), again].concat();
    memory(Streams::parts(0, &[container_file(), parts]));
    // Covers.
    let part = part(0, 0, 0);
    let covers = Streams::parts(6, &[container_file(), some_parts(&[part])]);
    old.refuses(&covers.and(COVERS, &number(1 << 20)), "too many covers");
}

#[test]
fn a_module_that_is_too_large_to_be_predicted_is_refused() {
    let most = marshal::MarshalPredictor::MAX_SIZE as usize;
    for (size, fits) in [(most, true), (most + 1, false)] {
        let old = Old::with("module", &vec![b'N'; size]);
        let part = [vec![0x80], zigzag(0), number(1), vec![0]].concat();
        let patch = Streams::parts(1, &[old_file("module", &[]), some_parts(&[part])])
            .and(COVERS, &number(0))
            .and(LITERALS, b"N");
        let made = old.apply(&patch.stored(), &mut |_| true);
        assert_eq!(made.is_ok(), fits, "{:?}", made.err());
    }
}
