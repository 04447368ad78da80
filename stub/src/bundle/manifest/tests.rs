use super::*;
use crate::bundle::manifest_text::{HEADER, ManifestError};
use crate::bundle::path_rules::PathError;
use crate::bundle::{Entry, Rules};

fn tree(entries: &[(&str, EntryKind)]) -> Manifest {
    let entries = entries.iter().map(|(path, kind)| {
        let mode = if matches!(kind, EntryKind::Link { .. }) {
            0o777
        } else {
            0o755
        };
        let kind = kind.clone();
        ((*path).to_owned(), Entry { kind, mode })
    });
    Manifest {
        entries: entries.collect(),
    }
}
fn file() -> EntryKind {
    EntryKind::File {
        size: 5,
        sha256: [7; 32],
    }
}
fn link(target: &str) -> EntryKind {
    EntryKind::Link {
        target: target.into(),
    }
}

#[test]
fn text_and_back_keeps_everything() {
    let odd = tree(&[
        ("a b%20", EntryKind::Dir),
        ("a b%20/ü 日本", file()),
        ("a-b", file()),
        ("link", link("a b%20/ü 日本")),
    ]);
    let text = odd.to_text();
    assert_eq!(Manifest::parse(&text, Rules::portable()).unwrap(), odd);
    let reordered: Vec<_> = text.lines().collect();
    let swapped = format!("{}\n{}\n{}\n", reordered[0], reordered[2], reordered[1]);
    assert_eq!(
        Manifest::parse(&swapped, Rules::portable()),
        Err(ManifestError::Order(3))
    );
}

/// 25 kB of nested folders took 2 GB.
#[test]
fn what_a_tree_takes_is_bounded_with_the_folders_that_it_only_implies() {
    use crate::bundle::path_rules::{MAX_ENTRIES, MAX_PATHS};
    for rules in [Rules::portable(), Rules::host()] {
        let refused = |text: &str| match Manifest::parse(text, rules) {
            Err(ManifestError::Refused(refusal)) => refusal,
            other => panic!("{:?}", other.map(|tree| tree.entries.len())),
        };
        let text = |paths: &mut dyn Iterator<Item = String>| {
            let lines = paths.map(|path| format!("d 755 {path}\n"));
            lines.fold(format!("{HEADER}\n"), |text, line| text + &line)
        };
        // Each of them implies folders with 150 kB of paths.
        let folders = "f".repeat(30) + "/";
        let nested = |n: u64| format!("{n:04}/{}x", folders.repeat(100));
        let few = text(&mut (0..100).map(nested));
        assert!(Manifest::parse(&few, rules).is_ok());
        let many = text(&mut (0..MAX_PATHS / 150_000).map(nested));
        assert_eq!(refused(&many), PathError::Paths);
        let long = |n: u64| format!("{n:08}{}", "/x".repeat(9));
        let many = text(&mut (0..=MAX_ENTRIES as u64 / 10).map(long));
        assert_eq!(refused(&many), PathError::TooMany);
        let listed = |n: u64| format!("{n:08}");
        let most = text(&mut (0..MAX_ENTRIES as u64).map(listed));
        assert!(Manifest::parse(&most, rules).is_ok());
        let more = text(&mut (0..=MAX_ENTRIES as u64).map(listed));
        assert_eq!(refused(&more), PathError::TooMany);
    }
}

#[test]
fn links_through_links_are_followed_for_a_bounded_time() {
    // 39 of the longest, and many that lead through all of them.
    let long = |n: usize| format!("{}l{n}", "./".repeat(2000));
    let chain = (0..38).map(|n| (format!("l{n}"), link(&long(n + 1))));
    let many = (0..20_000).map(|n| (format!("m{n}"), link("l0")));
    let all: Vec<_> = chain.chain(many).chain([("l38".into(), file())]).collect();
    let all: Vec<_> = all.iter().map(|(p, k)| (p.as_str(), k.clone())).collect();
    let refused = Rules::host().check_tree(&tree(&all));
    assert_eq!(refused, Err(PathError::Links));
    assert_eq!(Rules::host().check_tree(&tree(&all[..100])), Ok(()));
}

#[test]
fn refuses_paths_that_escape_or_collide() {
    let strict = Rules::portable();
    for path in [
        "/etc/passwd",
        "../x",
        "a/../../x",
        "a/./b",
        "a//b",
        "",
        "C:/x",
        "c:x",
        "\\\\srv\\x",
        "a\\..\\b",
        "a\\b",
        "nul",
        "a/COM1.txt",
        "lpt9",
        "x.",
        "x ",
        "a:b",
        "a\nb",
        ".notsotuf-release",
        ".NOTSOTUF-release/x",
    ] {
        assert!(strict.check_path(path).is_err(), "{path:?}");
    }
    for path in [
        "a",
        "a/b.c",
        ".hidden",
        "com",
        "COM10",
        "nullable",
        "日本/ü",
    ] {
        assert!(strict.check_path(path).is_ok(), "{path:?}");
    }
    for bad in [
        vec![("A", file()), ("a", file())],
        vec![("D/x", file()), ("d/y", file())],
        vec![("f", file()), ("f/x", file())],
        vec![("l", link("d")), ("l/x", file())],
        vec![("l", link("/etc"))],
        vec![("l", link("../x"))],
        vec![("d", EntryKind::Dir), ("d/l", link("../../x"))],
        vec![("l", link("l"))],
        vec![("a", link("b")), ("b", link("a"))],
    ] {
        assert!(strict.check_tree(&tree(&bad)).is_err(), "{bad:?}");
    }
}

#[test]
fn a_link_may_not_leave_through_another_link() {
    // Read word by word `d1/d2/b/../..` is `d1`; followed, it is outside.
    let sly = tree(&[
        ("d1/d2/a", link("b/../..")),
        ("d1/d2/b", link("../../top")),
        ("top", EntryKind::Dir),
    ]);
    assert!(matches!(
        Rules::host().check_tree(&sly),
        Err(PathError::LinkEscapes(..))
    ));
    let fine = tree(&[
        ("lib/libx.so", link("libx.so.1")),
        ("lib/libx.so.1", link("../real/./libx.so.1.2")),
        ("real/libx.so.1.2", file()),
    ]);
    assert_eq!(Rules::portable().check_tree(&fine), Ok(()));
}
