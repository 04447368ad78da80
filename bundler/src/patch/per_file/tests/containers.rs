//! Files with compressed members.

use super::*;
use crate::patch::members;
use crate::patch::members::samples::{ARCHIVE, Zip, carchive, deflate, pyz, zlib};
use notsotuf_stub::bundle::patch::parts::Packing;
use notsotuf_stub::bundle::patch::{MAX_PLAIN_RATIO, STORED};
use notsotuf_stub::bundle::recompress::{Compressor, Recipe, Recompressor};
use std::io::Write;

fn compressed(recipe: Recipe, plain: &[u8]) -> Vec<u8> {
    let mut output = Vec::new();
    let mut stream = Recompressor::new(recipe, plain.len() as u64, &mut output);
    stream.write(plain, &mut output);
    stream.finish(&mut output);
    output
}

/// As none of the known programs does it, in zlib's format or bare.
fn oddly_compressed(wrapped: bool, plain: &[u8]) -> Vec<u8> {
    deflated(wrapped, plain, 6)
}

/// In two pieces, of which the first is flushed.
fn deflated(wrapped: bool, plain: &[u8], level: u32) -> Vec<u8> {
    let level = flate2::Compression::new(level);
    let (one, other) = plain.split_at(plain.len() / 2);
    if wrapped {
        let mut out = flate2::write::ZlibEncoder::new(Vec::new(), level);
        out.write_all(one).unwrap();
        out.flush().unwrap();
        out.write_all(other).unwrap();
        out.finish().unwrap()
    } else {
        let mut out = flate2::write::DeflateEncoder::new(Vec::new(), level);
        out.write_all(one).unwrap();
        out.flush().unwrap();
        out.write_all(other).unwrap();
        out.finish().unwrap()
    }
}

fn recipe(compressor: Compressor, level: u8, wrapped: bool) -> Recipe {
    Recipe {
        compressor,
        level,
        wrapped,
    }
}

/// Lines that differ little from version to version, and compress well.
fn lines(seed: u64, count: usize) -> Vec<u8> {
    let values = noise(seed, count);
    let line = |(n, value): (usize, u8)| format!("line {n} of {seed} says {value:02x} and ends\n");
    let lines = values.into_iter().enumerate().map(line);
    lines.collect::<String>().into_bytes()
}

/// Two trees of one file each.
fn one_file(old: &[u8], new: &[u8]) -> (tempfile::TempDir, [Manifest; 2]) {
    let folder = tempfile::tempdir().unwrap();
    let manifests = [("old", old), ("new", new)].map(|(name, bytes)| {
        let nodes = [("app", Node::Bytes(bytes.to_vec()))];
        tree(&folder.path().join(name), &nodes)
    });
    (folder, manifests)
}

/// The patch from one file to another, which was applied.
fn patch(old: &[u8], new: &[u8], format: Format) -> Vec<u8> {
    let (folder, [from, to]) = one_file(old, new);
    round_trip(folder.path(), &from, &to, format)
}

/// How the members of a file are compared.
fn explained(old: &[u8], new: &[u8]) -> Vec<(String, String)> {
    let (folder, [from, to]) = one_file(old, new);
    let places = ["old", "new"].map(|name| folder.path().join(name));
    let [from, to] = [(&places[0], &from), (&places[1], &to)]
        .map(|(folder, manifest)| Tree { folder, manifest });
    let (_, parts) = explain(
        from,
        to,
        Format::Two,
        Budget::UNLIMITED,
        folder.path(),
        bars,
    )
    .unwrap();
    let members = parts.into_iter().flat_map(|part| part.members);
    members.map(|member| (member.name, member.how)).collect()
}

/// Properties of the streams, as the header of a patch says them.
fn properties(patch: &[u8]) -> Vec<u8> {
    let mut at = 8;
    let number = |at: &mut usize| {
        while patch[*at] & 0x80 != 0 {
            *at += 1;
        }
        *at += 1;
    };
    let mut found = Vec::new();
    for _ in 0..5 {
        found.push(patch[at]);
        at += 2;
        number(&mut at);
        number(&mut at);
    }
    found
}

/// A member for `carchive`.
type Stored = (&'static str, bool, u8, Vec<u8>);

/// An archive with these scripts, and a module.
fn archive(script: &[u8], module: &[u8]) -> Vec<u8> {
    let modules = [("one", zlib(&lines(7, 300))), ("two", zlib(module))];
    carchive(
        &noise(1, 20_000),
        &[
            ("script", true, b's', zlib(script)),
            ("PYZ", false, b'z', pyz(&modules)),
        ],
    )
}

#[test]
fn a_line_that_changes_in_a_member_is_a_small_patch() {
    let (one, mut other) = (lines(1, 2000), lines(1, 2000));
    other.splice(30_000..30_005, *b"another");
    for compressor in Compressor::ALL {
        for level in [1, 6, 9] {
            let of = |plain: &[u8], wrapped| compressed(recipe(compressor, level, wrapped), plain);
            let program = |plain: &[u8]| {
                let member = ("script", true, b's', of(plain, true));
                carchive(&noise(1, 20_000), &[member])
            };
            let zip = |plain: &[u8]| {
                let mut zip = Zip::new(b"");
                zip.add("kept", 8, &of(&lines(2, 500), false), 3);
                zip.add("changed", 8, &of(plain, false), 0);
                zip.finish(b"comment")
            };
            for (old, new) in [(program(&one), program(&other)), (zip(&one), zip(&other))] {
                let two = patch(&old, &new, Format::Two).len();
                assert!(two < 300, "{compressor:?}, {level}: {two}");
                assert!(patch(&old, &new, Format::One).len() > 5 * two);
            }
        }
    }
}

#[test]
fn what_no_known_program_compressed_stays_as_it_is() {
    let (one, mut other) = (lines(1, 400), lines(1, 400));
    other.splice(300..305, *b"another");
    let known = |plain: &[u8]| compressed(recipe(Compressor::Zlib, 9, true), plain);
    let odd = |plain: &[u8]| oddly_compressed(true, plain);
    let file = |name: &str, stored: [Vec<u8>; 2]| {
        let [first, second] = stored;
        let members = [(name, true, b's', first), ("known", true, b's', second)];
        carchive(b"program", &members)
    };
    let old = file("odd", [odd(&one), known(&one)]);
    let new = file("odd", [odd(&other), known(&other)]);
    patch(&old, &new, Format::Two);
    let how = explained(&old, &new);
    assert_eq!(how.len(), 2);
    assert_eq!(how[0], ("known".into(), "zlib level 9".into()));
    assert_eq!(how[1].0, "odd");
    assert!(how[1].1.starts_with("kept compressed"), "{how:?}");
    // All of them, and one that is not compressed at all although it says so.
    for broken in [
        odd(&other),
        b"no stream".to_vec(),
        known(&other)[..50].to_vec(),
    ] {
        let old = file("odd", [odd(&one), known(&one)]);
        let new = file("odd", [broken.clone(), known(&one)]);
        patch(&old, &new, Format::Two);
        patch(&new, &old, Format::Two);
    }
}

/// What is noticed while the patch of one file is made, whether it is made of the
/// old one, and how its members are compared.
fn told(old: &[u8], new: &[u8], format: Format) -> (Noticed, bool, Vec<(String, String)>) {
    let (folder, [from, to]) = one_file(old, new);
    let places = ["old", "new", "patch"].map(|name| folder.path().join(name));
    let [from, to] = [(&places[0], &from), (&places[1], &to)]
        .map(|(folder, manifest)| Tree { folder, manifest });
    let made = diff(from, to, &places[2], format, Budget::UNLIMITED, bars);
    let (summary, noticed) = made.unwrap();
    let (_, parts) = explain(from, to, format, Budget::UNLIMITED, folder.path(), bars).unwrap();
    let members = parts.into_iter().flat_map(|part| part.members);
    let members = members.map(|member| (member.name, member.how)).collect();
    (noticed, summary.changed > 0, members)
}

/// A zip file behind some bytes, or else an archive of PyInstaller's, with these
/// members: their plain bytes, and how they are compressed.
fn container(zip: bool, before: &[u8], members: &[(&'static str, &[u8], How)]) -> Vec<u8> {
    let one = |&(name, plain, how): &(&'static str, &[u8], How)| {
        (name, how != 0, b's', stored(how, !zip, plain))
    };
    let members: Vec<Stored> = members.iter().map(one).collect();
    if !zip {
        return carchive(before, &members);
    }
    let mut zip = Zip::new(before);
    for (name, compressed, _, stored) in members {
        zip.add(name, if compressed { 8 } else { 0 }, &stored, 0);
    }
    zip.finish(b"")
}

#[test]
fn what_stays_compressed_is_told_even_if_no_member_was_looked_into() {
    let (one, mut other) = (lines(1, 400), lines(1, 400));
    other.splice(300..305, *b"another");
    let unlike = lines(2, 4000);
    let programs = [1, 2].map(|seed| noise(seed, 3000));
    for zip in [false, true] {
        let file = |program: &[u8], plain: &[u8], how| {
            container(zip, program, &[("kept", b"x", ODD), ("odd", plain, how)])
        };
        let old = file(&programs[0], &one, ODD);
        // Made of the old file, and of nothing: that was of the other kind.
        let like = file(&programs[0], &other, ODD);
        let foreign = container(!zip, &programs[1], &[("odd", &unlike, ODD)]);
        for (old, new, of_old) in [(&old, like, true), (&foreign, old.clone(), false)] {
            let (noticed, is_of_old, members) = told(old, &new, Format::Two);
            assert_eq!(is_of_old, of_old);
            let odd = Flat {
                name: "odd".into(),
                why: Why::Compressor,
            };
            assert_eq!(noticed.flat, [("app".into(), vec![odd])]);
            assert_eq!(members.len(), 1, "{members:?}");
            assert_eq!(members[0].0, "odd");
            assert!(members[0].1.starts_with("kept compressed"), "{members:?}");
            // The first format looks into nothing.
            let (noticed, _, members) = told(old, &new, Format::One);
            assert_eq!((noticed.flat, members), (vec![], vec![]));
        }
        // What a known program compressed, what is not compressed, and what did
        // not change.
        for (new, members) in [
            (file(&programs[0], &other, 1), 1),
            (file(&programs[0], &other, 0), 1),
            (file(&programs[0], &other, LEVEL_0), 0),
            (file(&programs[1], &one, ODD), 0),
        ] {
            let (noticed, _, found) = told(&old, &new, Format::Two);
            assert_eq!(noticed.flat, vec![]);
            assert_eq!(found.len(), members, "{found:?}");
        }
    }
}

#[test]
fn a_member_that_is_damaged_is_said_to_be_so() {
    let file = |seed| carchive(b"", &[("damaged", true, b'x', noise(seed, 3000))]);
    let (noticed, _, members) = told(&file(1), &file(2), Format::Two);
    let damaged = Flat {
        name: "damaged".into(),
        why: Why::NotInflated,
    };
    assert_eq!(noticed.flat, [("app".into(), vec![damaged])]);
    assert!(members[0].1.contains("cannot be inflated"), "{members:?}");
}

#[test]
fn a_file_of_which_only_the_order_changed_is_told() {
    for zip in [false, true] {
        let file = |members: &[_]| container(zip, b"program", members);
        let texts = [1, 2].map(|seed| lines(seed, 100));
        let (one, other) = (("a", &b"1"[..], 0), ("b", &texts[0][..], ODD));
        let old = file(&[one, other]);
        for (new, reordered) in [
            (file(&[other, one]), true),
            (file(&[one, ("b", &texts[1], ODD)]), false),
            (file(&[("b", &texts[1], ODD), one]), false),
        ] {
            let (noticed, ..) = told(&old, &new, Format::Two);
            assert_eq!(!noticed.reordered.is_empty(), reordered);
            assert_eq!(noticed.flat.is_empty(), reordered);
        }
    }
}

/// What a member was compressed with does not matter where it is old.
#[test]
fn an_old_member_of_an_unknown_program_is_made_use_of() {
    let (one, mut other) = (lines(1, 2000), lines(1, 2000));
    other.splice(300..305, *b"another");
    let file = |stored| carchive(b"program", &[("script", true, b's', stored)]);
    let old = file(oddly_compressed(true, &one));
    let new = file(zlib_member(&other));
    let size = patch(&old, &new, Format::Two).len();
    assert!(size < 300, "{size}");
}

fn zlib_member(plain: &[u8]) -> Vec<u8> {
    compressed(recipe(Compressor::Zlib, 6, true), plain)
}

#[test]
fn members_come_go_move_and_change_their_names_and_packing() {
    let texts = [1, 2, 3].map(|seed| lines(seed, 300));
    let empty = zlib_member(b"");
    let all: [Vec<Stored>; 6] = [
        vec![("a", true, b's', zlib_member(&texts[0]))],
        vec![
            ("b", true, b's', zlib_member(&texts[1])),
            ("a", true, b's', zlib_member(&texts[0])),
        ],
        vec![("a", false, b'x', texts[0].clone())],
        // The smallest stream, of no bytes at all.
        vec![
            ("empty", true, b's', empty.clone()),
            ("c", true, b's', zlib_member(&texts[2])),
            ("again", true, b's', empty),
        ],
        vec![
            ("a", false, b'x', vec![]),
            ("b", false, b'x', b"x".to_vec()),
        ],
        vec![],
    ];
    for old in &all {
        for new in &all {
            let [old, new] = [(b"old", old), (b"new", new)].map(|(before, m)| carchive(before, m));
            patch(&old, &new, Format::Two);
        }
    }
    // Of one kind of container to another, and to none.
    let mut zip = Zip::new(b"");
    zip.add("a", 8, &deflate(&texts[0]), 0);
    zip.add("empty", 8, &deflate(b""), 0);
    let zip = zip.finish(b"");
    let files = [
        carchive(b"", &all[1]),
        zip,
        ARCHIVE.to_vec(),
        texts[0].clone(),
    ];
    for old in &files {
        for new in &files {
            patch(old, new, Format::Two);
        }
    }
}

#[test]
fn modules_are_predicted_in_archives_and_in_files() {
    let codes: Vec<Vec<u8>> = members::find(&ARCHIVE.to_vec().into())
        .into_iter()
        .filter(|member| member.packing == Packing::Zlib)
        .map(|member| {
            let mut plain = Vec::new();
            let mut inflate = flate2::write::ZlibDecoder::new(&mut plain);
            inflate.write_all(&ARCHIVE[member.stored]).unwrap();
            inflate.finish().unwrap();
            plain
        })
        .filter(|plain| plain[0] & 0x7f == b'c')
        .collect();
    let file = |code: &[u8]| [&b"\xa7\r\r\n"[..], &[0; 12], code].concat();
    for one in &codes {
        for other in &codes {
            patch(&file(one), &file(other), Format::Two);
            patch(&archive(one, other), &archive(other, one), Format::Two);
        }
    }
}

/// A marshalled tuple of numbers, of about so many bytes.
fn table(seed: u32, size: usize) -> Vec<u8> {
    let count = size as u32 / 5;
    let mut bytes = [&b"["[..], &count.to_le_bytes()].concat();
    for n in 0..count {
        bytes.push(b'i');
        bytes.extend((n ^ seed).to_le_bytes());
    }
    bytes
}

#[test]
fn a_module_that_a_client_could_not_predict_is_not_predicted() {
    // Too large, and too many numbers in it.
    for size in [9 << 20, 4 << 20] {
        let (one, other) = (table(0, size), table(1, size));
        let (folder, [from, to]) = one_file(&one, &other);
        round_trip(folder.path(), &from, &to, Format::Two);
    }
}

#[test]
fn members_inflate_to_no_more_than_a_client_takes() {
    // A thousandfold: neither side may be looked into.
    let (one, mut other) = (vec![0; 20 << 20], vec![0; 20 << 20]);
    other[1 << 20] = 1;
    let file = |plain: &[u8]| carchive(b"", &[("zeros", true, b'x', zlib_member(plain))]);
    let (old, new) = (file(&one), file(&other));
    assert!(old.len() as u64 * MAX_PLAIN_RATIO < 20 << 20);
    patch(&old, &new, Format::Two);
    let changed = work::for_tests(Budget::UNLIMITED, |work| {
        container::changed(&old.into(), &new.into(), work).unwrap()
    });
    assert!(changed.new.is_empty());
    let zeros = Flat {
        name: "zeros".into(),
        why: Why::TooLarge,
    };
    assert_eq!(changed.flat, [zeros]);
    // Nor is what is cut at the limit taken for the whole.
    let plain = [&lines(1, 200)[..], &[b'x'; 2000]].concat();
    for (packing, stored) in [
        (Packing::Zlib, zlib(&plain)),
        (Packing::Deflate, deflate(&plain)),
        (Packing::Stored, plain.clone()),
    ] {
        let stored = stored.into();
        work::for_tests(Budget::UNLIMITED, |work| {
            let found = |most| {
                let found = container::plain(&stored, packing, most, work).unwrap();
                found.ok().map(|found| found.all().unwrap().into_owned())
            };
            for most in (0..plain.len() as u64 + 300).rev().take(3000) {
                assert!(found(most).is_none_or(|found| found == plain), "{most}");
            }
            assert!(found(plain.len() as u64 + 1).is_some_and(|found| found == plain));
        });
    }
}

#[test]
fn what_does_not_compress_is_stored_in_the_second_format() {
    let (one, other) = (lines(1, 5), noise(2, 100_000));
    let two = patch(&one, &other, Format::Two);
    assert!(two.len() < other.len() + 100, "{}", two.len());
    assert_eq!(properties(&two).last(), Some(&STORED));
    let one = patch(&one, &other, Format::One);
    assert!(one.len() > other.len() + 1000, "{}", one.len());
    assert!(!properties(&one).contains(&STORED));
}

#[test]
fn a_patch_of_the_first_format_has_no_parts() {
    let (old, new) = (
        archive(&lines(1, 300), &lines(2, 300)),
        archive(&lines(1, 301), &lines(2, 302)),
    );
    // Else its reader would refuse it.
    assert!(patch(&old, &new, Format::One).starts_with(Format::One.magic()));
    let two = patch(&old, &new, Format::Two);
    assert!(two.starts_with(Format::Two.magic()));
    let (folder, [from, to]) = one_file(&old, &new);
    // The same operations, compressed as the first format has it.
    let place = |name: &str| folder.path().join(name);
    let [old_tree, new_tree] = [("old", &from), ("new", &to)];
    let places = [place(old_tree.0), place(new_tree.0)];
    let trees = [
        Tree {
            folder: &places[0],
            manifest: old_tree.1,
        },
        Tree {
            folder: &places[1],
            manifest: new_tree.1,
        },
    ];
    let steps = plan(&from, &to);
    let content = work::for_tests(Budget::UNLIMITED, |work| {
        steps[0].content(trees[0], trees[1], work)
    });
    let contents = [content.unwrap()];
    let scratch = Scratch::new_in(folder.path()).unwrap();
    let mut operations = vec![1];
    let mut summary = Summary::default();
    steps[0].write(&to, &contents[0], &mut operations, &mut summary);
    for (format, fits) in [(Format::One, false), (Format::Two, true)] {
        let packed = pack::pack(
            &operations,
            &contents,
            Format::One,
            Budget::UNLIMITED,
            &scratch,
        );
        let mut bytes = Vec::new();
        streams::write(format.magic(), &packed.unwrap(), &mut bytes).unwrap();
        write(place("patch"), bytes).unwrap();
        let made = apply_patch(
            trees[0],
            &place("patch"),
            to.tree_hash(),
            Rules::host(),
            &place(format.name()),
            &mut |_| true,
        );
        match made {
            Ok(made) => assert!(fits && made == to),
            Err(error) => {
                let expected = "the patch is malformed: an operation is unknown";
                assert!(!fits && error.to_string() == expected, "{error}");
            }
        }
    }
}

/// Makes `tests/golden/2`, which must not change any more: for the next one. It
/// takes a Python with PyInstaller, and where a zlib-ng is built as `libz.so.1`:
/// `GOLDEN=folder GOLDEN_PYTHON=.venv/bin/python ZLIB_NG=folder cargo test \
/// -p notsotuf golden -- --ignored`.
#[test]
#[ignore = "it makes what other tests compare with"]
fn makes_a_golden_patch() {
    let variable = |name: &str| PathBuf::from(std::env::var_os(name).unwrap());
    let folder = variable("GOLDEN");
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/golden");
    // The programs are those of the first patch, and what it makes of them.
    let manifest = |name: &str| {
        let text = std::fs::read_to_string(golden.join("1").join(name)).unwrap();
        Manifest::parse(&text, Rules::portable()).unwrap()
    };
    let (old, new) = (manifest("old.manifest"), manifest("new.manifest"));
    let before = Tree {
        folder: &golden.join("1/old"),
        manifest: &old,
    };
    let (patch, expected) = (golden.join("1/patch"), new.tree_hash());
    let made = tempfile::tempdir().unwrap();
    let rules = Rules::portable();
    apply_patch(before, &patch, expected, rules, made.path(), &mut |_| true).unwrap();
    let done = std::process::Command::new(variable("GOLDEN_PYTHON"))
        .arg(golden.join("2/make.py"))
        .args([&folder, &golden.join("1/old"), &made.path().join("tree")])
        .status();
    assert!(done.unwrap().success());
    let folders = ["old", "new"].map(|name| folder.join(name));
    let manifests = folders.each_ref().map(|folder| listed(folder));
    let [from, to] = [0, 1].map(|n| Tree {
        folder: &folders[n],
        manifest: &manifests[n],
    });
    let patch = folder.join("patch");
    diff(from, to, &patch, Format::Two, Budget::UNLIMITED, bars).unwrap();
    for (name, manifest) in ["old.manifest", "new.manifest"].iter().zip(&manifests) {
        write(folder.join(name), manifest.to_text()).unwrap();
    }
}

/// The manifest of a folder of files and folders.
fn listed(folder: &Path) -> Manifest {
    let mut manifest = Manifest::default();
    let mut waiting = vec![String::new()];
    while let Some(parent) = waiting.pop() {
        for found in std::fs::read_dir(fs::join(folder, &parent)).unwrap() {
            let found = found.unwrap();
            let path = format!("{parent}{}", found.file_name().to_str().unwrap());
            let (kind, mode) = if found.file_type().unwrap().is_dir() {
                waiting.push(format!("{path}/"));
                (EntryKind::Dir, 0o755)
            } else {
                let (size, sha256) = hash_file(&found.path()).unwrap();
                (EntryKind::File { size, sha256 }, 0o644)
            };
            manifest.entries.insert(path, Entry { kind, mode });
        }
    }
    manifest
}

/// How a member is compressed: 0 not at all, up to 54 by a recipe, 55 oddly,
/// 56 at level 0.
type How = u8;

/// As no known program does it.
const ODD: How = 55;

/// In the form of a compressed stream only.
const LEVEL_0: How = 56;

/// Names of members, how they are compressed, and their plain bytes.
type AnyMembers = Vec<(String, How, Vec<u8>)>;

fn any_plain() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        3 => (0..4u64, 0..200usize).prop_map(|(seed, count)| lines(seed, count)),
        1 => (0..4u64, 0..3000usize).prop_map(|(seed, length)| noise(seed, length)),
        1 => (any::<u8>(), 0..5000usize).prop_map(|(byte, length)| vec![byte; length]),
        1 => (0..9u32, 0..500usize).prop_map(|(seed, size)| table(seed, size)),
    ];
    proptest::collection::vec(piece, 0..4).prop_map(|pieces| pieces.concat())
}

fn any_members() -> impl Strategy<Value = AnyMembers> {
    let how = prop_oneof![1 => Just(0), 6 => 1..=54u8, 1 => ODD..=LEVEL_0];
    proptest::collection::vec(("[a-d]", how, any_plain()), 0..6)
}

fn stored(how: How, wrapped: bool, plain: &[u8]) -> Vec<u8> {
    match Recipe::of_byte(how) {
        Some(found) => compressed(recipe(found.compressor, found.level, wrapped), plain),
        None if how == 0 => plain.to_vec(),
        None if how == ODD => oddly_compressed(wrapped, plain),
        None => deflated(wrapped, plain, 0),
    }
}

/// A file of some kind.
fn any_file() -> impl Strategy<Value = Vec<u8>> {
    let kind = 0..5u8;
    (kind, any_members(), 0..3u64).prop_map(|(kind, all, seed)| match kind {
        0 | 1 => {
            let members = |wrapped| {
                let one = move |(name, how, plain): &(String, How, Vec<u8>)| {
                    (name.clone(), *how != 0, stored(*how, wrapped, plain))
                };
                all.iter().map(one).collect::<Vec<_>>()
            };
            let members = members(true);
            let mut entries: Vec<_> = members
                .iter()
                .map(|(name, compressed, stored)| (&name[..], *compressed, b's', stored.clone()))
                .collect();
            if kind == 1 {
                let modules = members
                    .iter()
                    .map(|(name, _, stored)| (&name[..], stored.clone()));
                let modules: Vec<_> = modules.collect();
                entries.push(("PYZ", false, b'z', pyz(&modules)));
            }
            carchive(&noise(seed, 500), &entries)
        }
        2 | 3 => {
            let mut zip = Zip::new(b"");
            for (name, how, plain) in &all {
                let method = if *how == 0 { 0 } else { 8 };
                zip.add(name, method, &stored(*how, false, plain), 0);
            }
            zip.finish(&noise(seed, 20))
        }
        _ => {
            let streams = all.iter().map(|(_, how, plain)| stored(*how, true, plain));
            streams.collect::<Vec<_>>().concat()
        }
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn any_file_with_streams_becomes_any_other(files in proptest::collection::vec(any_file(), 2)) {
        for format in Format::ALL {
            patch(&files[0], &files[1], format);
        }
    }
}
