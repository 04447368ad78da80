use super::steps::skeleton;
use super::*;
use notsotuf_stub::bundle::patch::{PatchError, TreeOverlay, apply_patch, hash_file};
use notsotuf_stub::bundle::{Entry, EntryKind, Manifest, Rules};
use proptest::prelude::*;
use std::fs::{create_dir_all, write};
use std::path::PathBuf;
use std::time::Duration;

mod containers;

/// A deterministic stand-in for a program: hard to compress.
pub(super) fn noise(seed: u64, length: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(2) + 1;
    let step = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state as u8
    };
    std::iter::repeat_with(step).take(length).collect()
}

enum Node {
    Bytes(Vec<u8>),
    Folder,
    #[cfg(unix)]
    Link(&'static str),
}

fn tree(folder: &Path, nodes: &[(&str, Node)]) -> Manifest {
    let mut manifest = Manifest::default();
    create_dir_all(folder).unwrap();
    for (path, node) in nodes {
        let place = fs::join(folder, path);
        let kind = match node {
            Node::Bytes(bytes) => {
                write(&place, bytes).unwrap();
                let (size, sha256) = hash_file(&place).unwrap();
                EntryKind::File { size, sha256 }
            }
            Node::Folder => {
                create_dir_all(&place).unwrap();
                EntryKind::Dir
            }
            #[cfg(unix)]
            Node::Link(target) => {
                std::os::unix::fs::symlink(target, &place).unwrap();
                EntryKind::Link {
                    target: (*target).into(),
                }
            }
        };
        let mode = match kind {
            EntryKind::File { .. } => 0o644,
            EntryKind::Dir => 0o755,
            EntryKind::Link { .. } => 0o777,
        };
        manifest
            .entries
            .insert((*path).into(), Entry { kind, mode });
    }
    manifest
}

fn changed(mut bytes: Vec<u8>) -> Vec<u8> {
    bytes.splice(1000..1010, *b"inserted here, a bit");
    let last = bytes.len() - 7;
    bytes[last] ^= 1;
    bytes
}

fn old_nodes() -> Vec<(&'static str, Node)> {
    vec![
        ("app", Node::Bytes(noise(1, 200_000))),
        ("lib", Node::Folder),
        ("lib/kept", Node::Bytes(noise(2, 1000))),
        ("lib/to-move", Node::Bytes(noise(3, 1000))),
        ("lib/pkg-1.2.dist-info", Node::Folder),
        ("lib/pkg-1.2.dist-info/RECORD", Node::Bytes(noise(4, 5000))),
        ("lib/gone", Node::Bytes(noise(5, 10))),
        ("lib/file-then-folder", Node::Bytes(noise(6, 10))),
        ("lib/empty", Node::Bytes(Vec::new())),
        ("lib/grows", Node::Bytes(Vec::new())),
        ("lib/shrinks", Node::Bytes(noise(7, 100))),
    ]
}

fn new_nodes() -> Vec<(&'static str, Node)> {
    vec![
        ("app", Node::Bytes(changed(noise(1, 200_000)))),
        ("lib", Node::Folder),
        ("lib/kept", Node::Bytes(noise(2, 1000))),
        ("lib/moved", Node::Bytes(noise(3, 1000))),
        ("lib/moved-again", Node::Bytes(noise(3, 1000))),
        ("lib/pkg-1.3.dist-info", Node::Folder),
        (
            "lib/pkg-1.3.dist-info/RECORD",
            Node::Bytes(changed(noise(4, 5000))),
        ),
        ("lib/file-then-folder", Node::Folder),
        ("lib/file-then-folder/x", Node::Bytes(noise(8, 3000))),
        ("lib/empty", Node::Bytes(Vec::new())),
        ("lib/grows", Node::Bytes(noise(9, 50))),
        ("lib/shrinks", Node::Bytes(Vec::new())),
        #[cfg(unix)]
        ("lib/link", Node::Link("moved")),
    ]
}

fn bars(_: u64) -> ProgressBar {
    ProgressBar::hidden()
}

/// An old and a new bundle, in a folder of their own.
struct Pair {
    folder: tempfile::TempDir,
    folders: [PathBuf; 2],
    old: Manifest,
    new: Manifest,
}

impl Pair {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let folders = ["old", "new"].map(|name| folder.path().join(name));
        let old = tree(&folders[0], &old_nodes());
        let new = tree(&folders[1], &new_nodes());
        Pair {
            folder,
            folders,
            old,
            new,
        }
    }

    fn place(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn trees(&self) -> [Tree<'_>; 2] {
        let [old, new] = &self.folders;
        [(old, &self.old), (new, &self.new)].map(|(folder, manifest)| Tree { folder, manifest })
    }
}

/// The files in `folder` are those that `manifest` lists.
fn assert_has_files(folder: &Path, manifest: &Manifest) {
    for (path, entry) in &manifest.entries {
        if let EntryKind::File { size, sha256 } = entry.kind {
            let found = hash_file(&fs::join(folder, path)).unwrap();
            assert_eq!(found, (size, sha256), "{path}");
        }
    }
}

#[test]
fn the_stub_makes_the_new_tree_of_the_old_one_and_the_patch_is_small() {
    let pair = Pair::new();
    let place = |name: &str| pair.place(name);
    let (Pair { old, new, .. }, [from, to]) = (&pair, pair.trees());
    let (summary, _) = diff(
        from,
        to,
        &place("patch"),
        Format::Two,
        Budget::UNLIMITED,
        bars,
    )
    .unwrap();
    let expected = Summary {
        kept: 2,
        changed: 2,
        moved: 3,
        new: 2,
        removed: 4,
    };
    assert_eq!(summary, expected);
    let size = std::fs::metadata(place("patch")).unwrap().len();
    assert!(size < 5000, "{size}");
    diff(
        from,
        to,
        &place("patch2"),
        Format::Two,
        Budget::UNLIMITED,
        bars,
    )
    .unwrap();
    let read = |name: &str| std::fs::read(place(name)).unwrap();
    assert_eq!(read("patch"), read("patch2"));

    let apply = |expected, work: &str| {
        create_dir_all(place(work)).unwrap();
        let installed = TreeOverlay::installed(&place("old"), old.clone());
        installed.apply(
            &place("patch"),
            expected,
            &place(work),
            Rules::host(),
            &mut |_| true,
        )
    };
    let wrong = apply(old.tree_hash(), "work0");
    assert!(matches!(wrong, Err(PatchError::WrongTree { .. })));
    let patched = apply(new.tree_hash(), "work").unwrap();
    create_dir_all(place("out")).unwrap();
    assert_eq!(&patched.gather(&place("out"), &mut |_| true).unwrap(), new);
    assert_has_files(&place("out"), new);
}

#[test]
fn a_patch_that_is_cut_or_damaged_anywhere_is_refused() {
    let pair = Pair::new();
    let place = |name: &str| pair.place(name);
    let (Pair { old, new, .. }, [from, to]) = (&pair, pair.trees());
    diff(
        from,
        to,
        &place("patch"),
        Format::Two,
        Budget::UNLIMITED,
        bars,
    )
    .unwrap();
    let patch = std::fs::read(place("patch")).unwrap();
    let mut tried = 0;
    let mut refused = |bytes: &[u8]| {
        tried += 1;
        let work = place(&format!("work{tried}"));
        create_dir_all(&work).unwrap();
        let installed = TreeOverlay::installed(&place("old"), old.clone());
        let rules = Rules::host();
        write(place("damaged"), bytes).unwrap();
        let result = installed.apply(
            &place("damaged"),
            new.tree_hash(),
            &work,
            rules,
            &mut |_| true,
        );
        assert!(result.is_err());
        std::fs::remove_dir_all(&work).unwrap();
    };
    for cut in (0..patch.len()).step_by(97) {
        refused(&patch[..cut]);
    }
    for at in (0..patch.len() - 8).step_by(61) {
        let mut damaged = patch.clone();
        damaged[at] ^= 0x10;
        refused(&damaged);
    }
}

#[test]
fn similar_names_differ_only_in_versions_and_hashes() {
    for (one, other) in [
        (
            "numpy-1.26.4.dist-info/METADATA",
            "numpy-2.0.0.dist-info/METADATA",
        ),
        (
            "libopenblas64_p-r0-0cf96a72.so",
            "libopenblas64_p-r0-39a31c03.so",
        ),
        ("libx.so.1.2", "libx.so.1.3.1"),
    ] {
        assert_eq!(skeleton(one), skeleton(other));
    }
    assert_ne!(skeleton("a/x.py"), skeleton("b/x.py"));
}

/// A tree of few names, so that two of them have much in common.
fn any_tree() -> impl Strategy<Value = Vec<(String, Vec<u8>, u32)>> {
    let name = "[ab](/[cd](/[ef])?)?";
    let piece = prop_oneof![
        (0..6u64, 0..3000usize).prop_map(|(seed, length)| noise(seed, length)),
        (any::<u8>(), 0..300usize).prop_map(|(byte, length)| vec![byte; length]),
        proptest::collection::vec(any::<u8>(), 0..60),
    ];
    let content = proptest::collection::vec(piece, 0..6).prop_map(|pieces| pieces.concat());
    let mode = prop_oneof![Just(0o644), Just(0o755)];
    proptest::collection::vec((name, content, mode), 0..8)
}

/// Makes the files that are not in the way of others.
fn plant(folder: &Path, files: &[(String, Vec<u8>, u32)]) -> Manifest {
    create_dir_all(folder).unwrap();
    let mut manifest = Manifest::default();
    for (path, content, mode) in files {
        let place = fs::join(folder, path);
        let parent = place.parent().unwrap();
        if place.exists() || create_dir_all(parent).is_err() {
            continue;
        }
        write(&place, content).unwrap();
        for (at, _) in path.match_indices('/') {
            let (kind, mode) = (EntryKind::Dir, 0o755);
            manifest
                .entries
                .insert(path[..at].into(), Entry { kind, mode });
        }
        let (size, sha256) = hash_file(&place).unwrap();
        let (kind, mode) = (EntryKind::File { size, sha256 }, *mode);
        manifest.entries.insert(path.clone(), Entry { kind, mode });
    }
    manifest
}

/// Makes the patch from the tree in the folder `old` to that in `new`, which it
/// must make. Returns its bytes.
fn round_trip(folder: &Path, old: &Manifest, new: &Manifest, format: Format) -> Vec<u8> {
    let place = |name: &str| folder.join(format.name()).join(name);
    create_dir_all(place("")).unwrap();
    let (old_folder, new_folder) = (folder.join("old"), folder.join("new"));
    let [from, to] = [(&old_folder, old), (&new_folder, new)]
        .map(|(folder, manifest)| Tree { folder, manifest });
    let patch = place("patch");
    diff(from, to, &patch, format, Budget::UNLIMITED, bars).unwrap();
    let made = apply_patch(
        from,
        &patch,
        new.tree_hash(),
        Rules::host(),
        &place("made"),
        &mut |_| true,
    );
    assert_eq!(&made.unwrap(), new);
    assert_has_files(&place("made/tree"), new);
    std::fs::read(patch).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn any_tree_becomes_any_other(old in any_tree(), new in any_tree()) {
        let folder = tempfile::tempdir().unwrap();
        let old = plant(&folder.path().join("old"), &old);
        let new = plant(&folder.path().join("new"), &new);
        for format in Format::ALL {
            round_trip(folder.path(), &old, &new, format);
        }
    }
}

#[test]
fn a_patch_that_takes_longer_than_it_may_is_given_up() {
    let pair = Pair::new();
    let place = |name: &str| pair.place(name);
    let [from, to] = pair.trees();
    let made = diff(
        from,
        to,
        &place("none"),
        Format::Two,
        Budget::of(Duration::ZERO),
        bars,
    );
    assert!(matches!(made, Err(DiffError::Budget)), "{made:?}");
    assert!(!place("none").exists());
    // In the middle of a file, and of a stream, too.
    let (one, other) = (noise(1, 1 << 20), noise(2, 1 << 20));
    let spent = Budget::of(Duration::ZERO);
    let found = work::for_tests(spent, |work| {
        encode::difference(
            &one.clone().into(),
            &other.into(),
            work,
            &mut Seen::default(),
        )
    });
    assert!(found.unwrap().is_none());
    let scratch = Scratch::new_in(pair.folder.path()).unwrap();
    let packed = pack::pack(&one, &[], Format::Two, spent, &scratch);
    assert_eq!(
        packed.err().map(|e| e.kind()),
        Some(io::ErrorKind::TimedOut)
    );
    let enough = Budget::of(Duration::from_secs(3600));
    let (summary, noticed) = diff(from, to, &place("patch"), Format::Two, enough, bars).unwrap();
    assert!(summary.changed > 0);
    let heaviest = noticed.heaviest.unwrap();
    assert!(
        pair.new.entries.contains_key(&heaviest.path),
        "{heaviest:?}"
    );
}
