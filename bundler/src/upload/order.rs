//! What to upload, and in which order. Pure.

use notsotuf_stub::tuf::UnixTime;
use std::collections::{BTreeMap, BTreeSet};

/// One file, here or there, by its path relative to the repository.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct File {
    /// Bytes.
    pub size: u64,
    /// When it was changed last.
    pub changed: UnixTime,
}

/// Files by path, with `/`.
pub type Files = BTreeMap<String, File>;

/// What has to be done, in this order.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Steps {
    /// To be uploaded, group by group: a group starts when the one before is
    /// complete.
    pub groups: Vec<Vec<String>>,
    /// There, and not here.
    pub extra: Vec<String>,
}

/// What a file is, in the order in which files have to appear: whoever sees a
/// file must find all that it leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Target,
    /// `N.root.json`, the delegated roles, `N.targets.json`.
    Listed,
    Snapshot,
    Timestamp,
}

fn kind(path: &str) -> Kind {
    match path.rsplit('/').next().unwrap_or(path) {
        _ if path.starts_with("targets/") => Kind::Target,
        "timestamp.json" => Kind::Timestamp,
        name if name.ends_with("snapshot.json") => Kind::Snapshot,
        _ => Kind::Listed,
    }
}

/// Whether the content under this name never changes: targets named for
/// their hash and metadata named for its version.
pub fn is_immutable(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path);
    let Some((first, rest)) = name.split_once('.') else {
        return false;
    };
    match path.starts_with("targets/") {
        true => first.len() == 64 && first.bytes().all(|c| c.is_ascii_hexdigit()),
        false => !first.is_empty() && first.bytes().all(|c| c.is_ascii_digit()) && !rest.is_empty(),
    }
}

/// Compares. A file that may change is uploaded unless the copy there has its
/// size and is newer; metadata that may change is uploaded always.
pub fn plan(here: &Files, there: &Files) -> Steps {
    let mut groups: BTreeMap<Kind, Vec<String>> = BTreeMap::new();
    for (path, file) in here {
        let same = there.get(path).is_some_and(|copy| {
            copy.size == file.size
                && (is_immutable(path)
                    || path.starts_with("targets/") && copy.changed > file.changed)
        });
        if !same {
            groups.entry(kind(path)).or_default().push(path.clone());
        }
    }
    // Old clients find each root by the one before.
    for group in groups.values_mut() {
        group.sort_by_key(|path| (number(path), path.clone()));
    }
    let known: BTreeSet<&String> = here.keys().collect();
    let ours = |path: &str| path.starts_with("targets/") || path.starts_with("metadata/");
    Steps {
        groups: groups.into_values().collect(),
        extra: there
            .keys()
            .filter(|path| ours(path) && !known.contains(path))
            .cloned()
            .collect(),
    }
}

fn number(path: &str) -> u64 {
    let name = path.rsplit('/').next().unwrap_or(path);
    let first = name.split('.').next().unwrap_or_default();
    first.parse().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HASH: &str = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";

    fn files(list: &[(&str, u64, i64)]) -> Files {
        list.iter()
            .map(|&(path, size, changed)| (path.to_owned(), File { size, changed }))
            .collect()
    }

    #[test]
    fn whoever_sees_a_file_finds_what_it_leads_to() {
        let target = format!("targets/{HASH}.app-1.0.tar.gz");
        let here = files(&[
            ("metadata/timestamp.json", 1, 0),
            ("metadata/10.root.json", 1, 0),
            ("metadata/2.root.json", 1, 0),
            ("metadata/7.snapshot.json", 1, 0),
            ("metadata/7.targets.json", 1, 0),
            (&target, 1, 0),
        ]);
        let steps = plan(&here, &Files::new());
        assert_eq!(
            steps.groups,
            [
                vec![target.clone()],
                vec![
                    "metadata/2.root.json".into(),
                    "metadata/7.targets.json".into(),
                    "metadata/10.root.json".into()
                ],
                vec!["metadata/7.snapshot.json".into()],
                vec!["metadata/timestamp.json".into()],
            ]
        );
        assert_eq!(steps.extra, [""; 0]);
    }

    #[test]
    fn only_what_changed() {
        let fixed = format!("targets/{HASH}.app-1.0.tar.gz");
        let here = files(&[
            (&fixed, 5, 100),
            ("targets/app-1.0.patch", 5, 100),
            ("targets/app-1.1.patch", 5, 100),
            ("metadata/3.root.json", 5, 100),
            ("metadata/timestamp.json", 5, 100),
        ]);
        let there = files(&[
            (&fixed, 5, 1),
            ("targets/app-1.0.patch", 5, 101),
            ("targets/app-1.1.patch", 5, 99),
            ("targets/app-0.9.patch", 5, 99),
            ("metadata/3.root.json", 4, 200),
            ("metadata/timestamp.json", 5, 200),
            ("index.html", 5, 200),
        ]);
        let steps = plan(&here, &there);
        let all: Vec<String> = steps.groups.concat();
        assert_eq!(
            all,
            [
                "targets/app-1.1.patch",
                "metadata/3.root.json",
                "metadata/timestamp.json"
            ]
        );
        assert_eq!(steps.extra, ["targets/app-0.9.patch"]);
    }

    #[test]
    fn names_that_never_change_their_content() {
        let target = format!("targets/{HASH}.app-1.0.tar.gz");
        for path in [&target, "metadata/1.root.json", "metadata/12.targets.json"] {
            assert!(is_immutable(path), "{path}");
        }
        for path in [
            "metadata/timestamp.json",
            "metadata/snapshot.json",
            "targets/app-1.0.tar.gz",
            "targets/1.0",
        ] {
            assert!(!is_immutable(path), "{path}");
        }
    }
}
