use super::inflate::CHUNK;
use super::*;
use crate::bundle::EntryKind;
use crate::bundle::path_rules::{MAX_DEPTH, MAX_ENTRIES, MAX_PATHS, MAX_TOTAL};
use flate2::Compression;
use flate2::write::GzEncoder;
use std::io::Write;
use std::path::PathBuf;
use tar::{EntryType, Header};

/// An entry just as given, without the care that `tar::Builder` takes.
fn entry(name: &str, kind: EntryType, link: &str, content: &[u8]) -> Vec<u8> {
    let mut header = Header::new_gnu();
    let gnu = header.as_gnu_mut().unwrap();
    gnu.name[..name.len()].copy_from_slice(name.as_bytes());
    gnu.linkname[..link.len()].copy_from_slice(link.as_bytes());
    header.set_entry_type(kind);
    header.set_mode(0o755);
    header.set_size(content.len() as u64);
    header.set_cksum();
    let mut out = header.as_bytes().to_vec();
    out.extend(content);
    out.resize(out.len().next_multiple_of(512), 0);
    out
}
fn file(name: &str) -> Vec<u8> {
    entry(name, EntryType::Regular, "", b"content")
}
fn link(name: &str, to: &str) -> Vec<u8> {
    entry(name, EntryType::Symlink, to, b"")
}
fn hard(name: &str, to: &str) -> Vec<u8> {
    entry(name, EntryType::Link, to, b"")
}

fn gzip(entries: &[Vec<u8>]) -> Vec<u8> {
    let mut gz = GzEncoder::new(Vec::new(), Compression::fast());
    gz.write_all(&entries.concat()).unwrap();
    gz.write_all(&[0; 1024]).unwrap();
    gz.finish().unwrap()
}

fn portable<'a>() -> UnpackOptions<'a> {
    UnpackOptions {
        rules: Rules::portable(),
        ..UnpackOptions::default()
    }
}

struct TestDir {
    folder: tempfile::TempDir,
}
impl TestDir {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir_all(&folder.path().join("in/tree")).unwrap();
        std::fs::write(folder.path().join("victim"), "untouched").unwrap();
        TestDir { folder }
    }
    fn tree(&self) -> PathBuf {
        self.folder.path().join("in/tree")
    }
    fn unpack(&self, gz: &[u8]) -> Result<Manifest, ArchiveError> {
        unpack(gz, &self.tree(), portable())
    }
    fn assert_nothing_outside(&self, what: &str) {
        let victim = std::fs::read_to_string(self.folder.path().join("victim")).unwrap();
        assert_eq!(victim, "untouched", "{what}");
        for (folder, count) in [("", 2), ("in", 1)] {
            let found = fs::list(&self.folder.path().join(folder)).unwrap();
            assert_eq!(found.len(), count, "{what}: {found:?}");
        }
    }
}

#[test]
fn hostile_archives_are_refused_and_write_nothing_outside() {
    let device = |kind| entry("device", kind, "", b"");
    for (what, entries) in [
        ("absolute", vec![file("/tmp/notsotuf-was-here")]),
        ("parent", vec![file("../../victim")]),
        ("inner parent", vec![file("a/../../../victim")]),
        ("drive", vec![file("C:/victim")]),
        ("backslashes", vec![file("..\\..\\victim")]),
        ("link out", vec![link("l", "../../victim")]),
        ("absolute link", vec![link("l", "/etc/passwd")]),
        ("through a link", vec![link("l", ".."), file("l/x")]),
        (
            "through a link to a folder",
            vec![link("l", "d"), file("l/x")],
        ),
        (
            "through two links",
            vec![
                link("d/b", "../../top"),
                link("d/a", "b/../.."),
                file("d/a/x"),
            ],
        ),
        (
            "file, then link",
            vec![file("x"), link("x", "../../victim")],
        ),
        (
            "link, then file",
            vec![link("x", "../../victim"), file("x")],
        ),
        ("hard link out", vec![hard("h", "../../victim")]),
        (
            "hard link to a link",
            vec![link("l", "x"), file("x"), hard("h", "l")],
        ),
        ("hard link to nothing", vec![hard("h", "none")]),
        ("character device", vec![device(EntryType::Char)]),
        ("block device", vec![device(EntryType::Block)]),
        ("pipe", vec![device(EntryType::Fifo)]),
        ("twice", vec![file("x"), file("x")]),
        ("case", vec![file("x"), file("X")]),
        ("case of folders", vec![file("d/x"), file("D/y")]),
        ("inside a file", vec![file("x"), file("x/y")]),
        ("a name of Windows", vec![file("d/NUL.txt")]),
        ("the record", vec![file(".notsotuf-release")]),
    ] {
        let dir = TestDir::new();
        assert!(dir.unpack(&gzip(&entries)).is_err(), "{what}");
        dir.assert_nothing_outside(what);
    }
}

#[test]
fn bombs_are_refused() {
    let dir = TestDir::new();
    // It says that more follows than is allowed.
    let mut header = Header::new_gnu();
    header.set_path("large").unwrap();
    header.set_mode(0o644);
    header.set_size(MAX_TOTAL + 1);
    header.set_cksum();
    let large = dir.unpack(&gzip(&[header.as_bytes().to_vec()]));
    assert!(matches!(
        large,
        Err(ArchiveError::Refused(PathError::TooLarge))
    ));
    let many: Vec<_> = (0..=MAX_ENTRIES)
        .map(|n| link(&format!("l{n}"), "x"))
        .collect();
    let many = dir.unpack(&gzip(&many));
    assert!(matches!(
        many,
        Err(ArchiveError::Refused(PathError::TooMany))
    ));
    // Data without end after the last entry.
    let mut padded = vec![file("x"), vec![0; 1024]];
    padded.extend(vec![vec![0; 1 << 20]; 5]);
    let padded = TestDir::new().unpack(&gzip(&padded));
    assert!(matches!(
        padded,
        Err(ArchiveError::Refused(PathError::TooLarge))
    ));
    dir.assert_nothing_outside("bombs");
}

#[test]
fn what_headers_and_paths_take_in_memory_is_bounded() {
    let refusal = |entries: &[Vec<u8>]| match TestDir::new().unpack(&gzip(entries)) {
        Err(ArchiveError::Refused(refusal)) => refusal,
        other => panic!("{other:?}"),
    };
    let of = |kind: EntryType, size: usize| entry("long", kind, "", &vec![b'a'; size]);
    for kind in [
        EntryType::GNULongName,
        EntryType::GNULongLink,
        EntryType::XHeader,
    ] {
        let long = refusal(&[of(kind, (1 << 16) + 1), file("x")]);
        assert_eq!(long, PathError::Extension, "{kind:?}");
    }
    // Announced only, however much it is.
    let mut header = Header::new_gnu();
    header.set_entry_type(EntryType::GNULongName);
    header.set_size(1 << 33);
    header.set_cksum();
    let announced = refusal(&[header.as_bytes().to_vec()]);
    assert_eq!(announced, PathError::Extension);
    // What says nothing of a member is skipped.
    let global = [of(EntryType::XGlobalHeader, 1 << 20), file("x")];
    assert!(TestDir::new().unpack(&gzip(&global)).is_ok());

    let long = |path: &str| {
        let name = [path.as_bytes(), b"\0"].concat();
        [entry("@", EntryType::GNULongName, "", &name), file("cut")].concat()
    };
    let deep = |depth: usize| long(&format!("{}x", "d/".repeat(depth)));
    let dir = TestDir::new();
    // Folders that nothing lists count.
    let tree = dir.unpack(&gzip(&[deep(MAX_DEPTH)])).unwrap();
    assert_eq!(tree.entries.len(), MAX_DEPTH + 1);
    let too_deep = refusal(&[deep(MAX_DEPTH + 1)]);
    assert!(matches!(too_deep, PathError::TooDeep(_)));

    let linked = |n: usize| {
        let target = entry("@", EntryType::GNULongLink, "", &vec![b'x'; 4000]);
        [target, link(&format!("l{n}"), "cut")].concat()
    };
    let linked: Vec<_> = (0..=MAX_PATHS as usize / 4000).map(linked).collect();
    assert_eq!(refusal(&linked), PathError::Paths);
}

#[test]
fn names_come_in_headers_of_their_own() {
    fn record(key: &str, value: &str) -> String {
        let rest = format!(" {key}={value}\n");
        let mut length = rest.len();
        while length != rest.len() + length.to_string().len() {
            length = rest.len() + length.to_string().len();
        }
        format!("{length}{rest}")
    }
    let pax = |records: &[(&str, &str)]| {
        let text: String = records.iter().map(|(k, v)| record(k, v)).collect();
        entry("pax", EntryType::XHeader, "", text.as_bytes())
    };
    let gnu = |kind, name: &str| entry("@", kind, "", name.as_bytes());
    let (name, target) = ("n/".repeat(60) + "x", "./".repeat(80) + "real");
    let tree = TestDir::new()
        .unpack(&gzip(&[
            gnu(EntryType::GNULongName, &format!("{name}\0")),
            file("cut"),
            pax(&[("mtime", "1.5"), ("path", "ü\n".trim()), ("size", "7")]),
            file("cut"),
            file("real"),
            gnu(EntryType::GNULongLink, &target),
            pax(&[("comment", "a=b\nc")]),
            link("l1", "cut"),
            pax(&[("linkpath", &target)]),
            link("l2", "cut"),
        ]))
        .unwrap();
    for path in [name.as_str(), "ü", "real"] {
        let kind = &tree.entries[path].kind;
        assert!(matches!(kind, EntryKind::File { size: 7, .. }), "{path}");
    }
    for path in ["l1", "l2"] {
        assert_eq!(
            tree.entries[path].kind,
            EntryKind::Link {
                target: target.clone()
            }
        );
    }
    for (what, entries) in [
        ("nothing follows", vec![file("x"), pax(&[("path", "y")])]),
        (
            "two names",
            vec![
                gnu(EntryType::GNULongName, "a\0"),
                gnu(EntryType::GNULongName, "b\0"),
                file("x"),
            ],
        ),
        ("two headers", vec![pax(&[]), pax(&[]), file("x")]),
        (
            "two paths",
            vec![pax(&[("path", "a"), ("path", "b")]), file("x")],
        ),
        ("no size", vec![pax(&[("size", "-1")]), file("x")]),
        ("a larger size", vec![pax(&[("size", "99999")]), file("x")]),
        (
            "no records",
            vec![
                entry("pax", EntryType::XHeader, "", b"99 path=x\n"),
                file("x"),
            ],
        ),
    ] {
        assert!(TestDir::new().unpack(&gzip(&entries)).is_err(), "{what}");
    }
}

#[test]
fn folders_may_be_listed_after_what_is_in_them_but_once() {
    let folder = || entry("d/", EntryType::Directory, "", b"");
    let dir = TestDir::new();
    let tree = dir.unpack(&gzip(&[file("d/e/x"), folder()])).unwrap();
    let dirs = tree
        .entries
        .iter()
        .filter(|(_, e)| e.kind == EntryKind::Dir);
    let dirs: Vec<_> = dirs.map(|(path, e)| (path.as_str(), e.mode)).collect();
    assert_eq!(dirs, [("d", 0o755), ("d/e", 0o755)]);
    for twice in [
        vec![file("d/x"), folder(), folder()],
        vec![folder(), file("d/x"), folder()],
        vec![file("d/x"), file("d")],
        vec![file("d/x"), link("d", "e")],
        vec![file("d"), file("d/x")],
    ] {
        assert!(TestDir::new().unpack(&gzip(&twice)).is_err());
    }
}

#[test]
fn a_hard_link_becomes_a_file_of_its_own() {
    let dir = TestDir::new();
    let tree = dir.unpack(&gzip(&[file("./x"), hard("y", "./x")])).unwrap();
    assert_eq!(tree.entries["x"], tree.entries["y"]);
    std::fs::write(dir.tree().join("x"), "changed").unwrap();
    assert_eq!(
        std::fs::read_to_string(dir.tree().join("y")).unwrap(),
        "content"
    );
}

#[test]
fn cut_or_damaged_archives_are_refused() {
    let whole = gzip(&[file("x"), entry("big", EntryType::Regular, "", &[7; 5000])]);
    assert!(TestDir::new().unpack(&whole).is_ok());
    for cut in 0..whole.len() {
        let dir = TestDir::new();
        let result = dir.unpack(&whole[..cut]);
        assert!(result.is_err(), "{cut} of {}", whole.len());
    }
    assert!(TestDir::new().unpack(b"not gzip at all").is_err());
}

#[test]
fn unpacking_can_be_stopped() {
    let dir = TestDir::new();
    let archive = gzip(&[file("x")]);
    let options = UnpackOptions {
        observer: Some(&mut |_| false),
        ..UnpackOptions::default()
    };
    let result = unpack(&archive[..], &dir.tree(), options);
    assert!(matches!(result, Err(ArchiveError::Stopped)));
}

#[cfg(unix)]
#[test]
fn what_is_installed_alike_is_linked() {
    use std::os::unix::fs::{MetadataExt, PermissionsExt};
    let dir = TestDir::new();
    let app = dir.folder.path().join("app");
    let long = vec![7; 3 * CHUNK];
    let mut end = long.clone();
    *end.last_mut().unwrap() = 8;
    let mut start = long.clone();
    start[0] = 8;
    let same: &[u8] = b"content";
    let put = |path: &str, content: &[u8], mode: u32| {
        let to = fs::join(&app, path);
        fs::create_dir_all(to.parent().unwrap()).unwrap();
        std::fs::write(&to, content).unwrap();
        std::fs::set_permissions(&to, PermissionsExt::from_mode(mode)).unwrap();
    };
    for (path, content) in [
        ("same", same),
        ("d/long", &long),
        ("other", b"CONTENT"),
        ("shorter", b"conten"),
        ("longer", b"content!"),
        ("end", &end),
        ("start", &start),
        ("outside/x", same),
        ("folder/x", same),
        ("link", same),
    ] {
        put(path, content, 0o755);
    }
    put("mode", same, 0o644);
    put("setuid", same, 0o4755);
    // A folder and a file that are links by now.
    std::fs::rename(app.join("outside"), dir.folder.path().join("outside")).unwrap();
    fs::symlink("../outside", &app.join("outside")).unwrap();
    std::fs::rename(app.join("link"), dir.folder.path().join("outside/link")).unwrap();
    fs::symlink("../outside/link", &app.join("link")).unwrap();

    let mut entries: Vec<_> = [
        "same",
        "other",
        "shorter",
        "longer",
        "outside/x",
        "folder",
        "link",
        "mode",
        "setuid",
        "new",
    ]
    .map(file)
    .into();
    entries.push(hard("hard", "same"));
    for path in ["d/long", "end", "start"] {
        entries.push(entry(path, EntryType::Regular, "", &long));
    }
    let gz = gzip(&entries);
    let options = UnpackOptions {
        reuse_from: Some(&app),
        ..portable()
    };
    let tree = unpack(&gz[..], &dir.tree(), options).unwrap();
    let alone = TestDir::new();
    assert_eq!(tree, alone.unpack(&gz).unwrap());
    let mut linked = Vec::new();
    for (path, entry) in &tree.entries {
        let EntryKind::File { size, sha256 } = &entry.kind else {
            continue;
        };
        let to = fs::join(&dir.tree(), path);
        let found = fs::inspect(&to).unwrap().unwrap();
        assert!(crate::bundle::patch::verify_file(&to, *size, sha256).unwrap());
        assert_eq!(found.mode() & 0o7777, 0o755, "{path}");
        if found.nlink() > 1 {
            linked.push(path.as_str());
            let installed = fs::inspect(&fs::join(&app, path)).unwrap().unwrap();
            assert_eq!(found.ino(), installed.ino(), "{path}");
        }
    }
    assert_eq!(linked, ["d/long", "same"]);
    assert_eq!(std::fs::read(app.join("end")).unwrap(), end);

    // What is not an installation does not matter.
    let dir = TestDir::new();
    let none = dir.folder.path().join("none");
    let options = UnpackOptions {
        reuse_from: Some(&none),
        ..portable()
    };
    unpack(&gz[..], &dir.tree(), options).unwrap();
}
