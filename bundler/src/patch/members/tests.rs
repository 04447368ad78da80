use super::samples::{ARCHIVE, Zip, carchive, deflate, pyz, zlib};
use super::*;

fn find(file: &[u8]) -> Vec<Member> {
    super::find(&file.to_vec().into())
}

fn inflated(stored: &[u8], packing: Packing) -> Vec<u8> {
    use std::io::Read;
    let mut plain = Vec::new();
    let (read, used) = match packing {
        Packing::Stored => return stored.to_vec(),
        Packing::Zlib => {
            let mut inflate = flate2::bufread::ZlibDecoder::new(stored);
            (inflate.read_to_end(&mut plain), inflate.total_in())
        }
        Packing::Deflate => {
            let mut inflate = flate2::bufread::DeflateDecoder::new(stored);
            (inflate.read_to_end(&mut plain), inflate.total_in())
        }
    };
    read.unwrap();
    assert_eq!(used, stored.len() as u64);
    plain
}

/// They lie in the file, apart from each other, in its order.
fn assert_sound(file: &[u8], members: &[Member]) {
    let mut end = 0;
    for member in members {
        let Range { start, end: stop } = member.stored;
        assert!(end <= start && start < stop && stop <= file.len());
        end = stop;
    }
}

/// Names, packings and plain bytes.
fn content(file: &[u8]) -> Vec<(String, Packing, Vec<u8>)> {
    let members = find(file);
    assert_sound(file, &members);
    let one = |member: Member| {
        let plain = inflated(&file[member.stored], member.packing);
        (member.name, member.packing, plain)
    };
    members.into_iter().map(one).collect()
}

#[test]
fn an_archive_of_pyinstaller_has_its_members_and_modules() {
    let found = content(ARCHIVE);
    let names: Vec<&str> = found.iter().map(|(name, ..)| &name[..]).collect();
    let expected = [
        "script",
        "struct",
        "PYZ.pyz!one",
        "PYZ.pyz!package",
        "PYZ.pyz!package.two",
        "PYZ.pyz!package.größer",
        "PYZ.pyz!",
        "data/table.txt",
        "data/stored.bin",
    ];
    assert_eq!(names, expected);
    for (name, packing, plain) in &found {
        let stored = ["PYZ.pyz!", "data/stored.bin"].contains(&&name[..]);
        let expected = if stored {
            Packing::Stored
        } else {
            Packing::Zlib
        };
        assert_eq!(*packing, expected, "{name}");
        if name.starts_with("PYZ.pyz!") && !stored || ["script", "struct"].contains(&&name[..]) {
            // A marshalled code object.
            assert_eq!(plain[0] & 0x7f, b'c', "{name}");
        }
    }
    assert!(found[7].2.starts_with(b"row 0\nrow 1\n"));
    assert_eq!(found[8].2, (0..=255).collect::<Vec<u8>>());
}

#[test]
fn an_archive_is_found_in_front_of_a_signature_and_behind_a_program() {
    let expected = content(ARCHIVE);
    let other = [&[0x90; 1000], ARCHIVE, &[7; 5000]].concat();
    assert!(content(&other) == expected);
}

const SOME: &[u8] = b"some text, and some more text, and some more";

fn zip(comment: &[u8]) -> Vec<u8> {
    let mut zip = Zip::new(b"");
    zip.add("deflated", 8, &deflate(SOME), 9);
    zip.add("stored", 0, SOME, 0);
    zip.add("folder/", 0, b"", 0);
    zip.add("of another kind", 14, b"whatever", 4);
    zip.add("empty", 8, &deflate(b""), 0);
    zip.add("gr\u{f6}\u{df}er", 8, &deflate(&SOME.repeat(100)), 0);
    zip.finish(comment)
}

#[test]
fn a_zip_file_has_its_entries() {
    let expected = [
        ("deflated", Packing::Deflate, SOME.to_vec()),
        ("stored", Packing::Stored, SOME.to_vec()),
        ("empty", Packing::Deflate, Vec::new()),
        ("größer", Packing::Deflate, SOME.repeat(100)),
    ];
    let expected = expected.map(|(name, packing, plain)| (name.to_owned(), packing, plain));
    for comment in [&b""[..], b"a comment", &[b'x'; 65_535]] {
        assert!(content(&zip(comment)) == expected);
    }
    assert_eq!(content(&Zip::new(b"").finish(b"")), []);
}

#[test]
fn what_python_writes_as_a_zip_file_is_understood() {
    // By zipfile: a deflated and a stored entry.
    let found = content(include_bytes!("tests/zipfile"));
    let names: Vec<_> = found
        .iter()
        .map(|(name, how, _)| (&name[..], *how))
        .collect();
    let expected = [
        ("one.pyc", Packing::Deflate),
        ("package/two.pyc", Packing::Deflate),
        ("stored", Packing::Stored),
    ];
    assert_eq!(names, expected);
}

#[test]
fn an_archive_may_hold_anything() {
    let modules = [
        ("one", zlib(b"1")),
        ("two", zlib(b"2")),
        ("nothing", vec![]),
    ];
    let file = carchive(
        b"program",
        &[
            ("script", true, b's', zlib(SOME)),
            ("plain", false, b'x', SOME.to_vec()),
            ("nothing", false, b'o', vec![]),
            ("PYZ", false, b'z', pyz(&modules)),
            // Not what it says.
            ("other", false, b'z', b"PYZ".to_vec()),
        ],
    );
    let names: Vec<_> = content(&file).into_iter().map(|(name, ..)| name).collect();
    assert_eq!(names, ["script", "plain", "PYZ!one", "PYZ!two", "PYZ!"]);
}

#[test]
fn members_that_overlap_are_not_taken_twice() {
    let mut zip = Zip::new(b"");
    zip.add("one", 8, &deflate(SOME), 0);
    // The same place again, under another name.
    let again = zip.directory.clone();
    zip.directory.extend(again);
    zip.count += 1;
    let file = zip.finish(b"");
    assert_eq!(find(&file).len(), 1);
}

#[test]
fn what_is_not_understood_has_no_members() {
    assert_eq!(find(b""), []);
    assert_eq!(find(SOME), []);
    assert_eq!(find(&zlib(SOME)), []);
    // Of zip64, the fields say that others count.
    let mut wide = zip(b"");
    let end = wide.len() - 22;
    wide[end + 8..end + 20].fill(0xff);
    assert_eq!(find(&wide), []);
    // A self-extracting one, whose offsets are not those of the file.
    let moved = [&[0x90; 100], &zip(b"")[..]].concat();
    assert_eq!(find(&moved), []);
    // A cookie that says nothing, at the end or cut.
    for length in 8..100 {
        let mut cookie = b"MEI\x0c\x0b\x0a\x0b\x0e".to_vec();
        cookie.resize(length, 0xff);
        assert_eq!(find(&cookie), []);
        cookie[8..].fill(0);
        assert_eq!(find(&cookie), []);
    }
}

#[test]
fn damaged_containers_have_sound_members_or_none() {
    let zip = zip(b"a comment");
    for file in [ARCHIVE, &zip, include_bytes!("tests/zipfile")] {
        for cut in 0..file.len() {
            assert_sound(&file[..cut], &find(&file[..cut]));
            assert_sound(&file[cut..], &find(&file[cut..]));
        }
        for at in 0..8 * file.len() {
            let mut damaged = file.to_vec();
            damaged[at / 8] ^= 1 << (at % 8);
            assert_sound(&damaged, &find(&damaged));
        }
        for at in 0..file.len() - 4 {
            for value in [0u32, 1, 0x7fff_ffff, 0x8000_0000, u32::MAX] {
                let mut damaged = file.to_vec();
                damaged[at..at + 4].copy_from_slice(&value.to_be_bytes());
                assert_sound(&damaged, &find(&damaged));
            }
        }
    }
}
