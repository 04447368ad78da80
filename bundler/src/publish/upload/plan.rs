//! Plans what to upload, and in which order. Pure.

use std::collections::{BTreeMap, BTreeSet};

/// Sizes of files, here or there, by their paths relative to the repository,
/// with `/`.
pub(super) type Files = BTreeMap<String, u64>;

/// Lists what has to be done, in this order.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Steps {
    /// To be uploaded, group by group: a group starts when the one before is
    /// complete.
    pub groups: Vec<Vec<String>>,
    /// There, not here, and not needed there.
    pub extra: Vec<String>,
}

/// What a file is, in the order in which files have to appear: whoever sees a
/// file must find all that it leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum UploadStage {
    Target,
    /// `N.root.json`, the delegated roles, `N.targets.json`.
    Listed,
    Snapshot,
    Timestamp,
}

fn stage(path: &str) -> UploadStage {
    match path.rsplit('/').next().unwrap_or(path) {
        _ if path.starts_with("targets/") => UploadStage::Target,
        "timestamp.json" => UploadStage::Timestamp,
        name if name.ends_with("snapshot.json") => UploadStage::Snapshot,
        _ => UploadStage::Listed,
    }
}

/// Returns whether the content under this name never changes: targets named for
/// their hash and metadata named for its version.
pub(super) fn is_immutable(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path);
    let Some((first, rest)) = name.split_once('.') else {
        return false;
    };
    if path.starts_with("targets/") {
        first.len() == 64 && first.bytes().all(|c| c.is_ascii_hexdigit())
    } else {
        !first.is_empty() && first.bytes().all(|c| c.is_ascii_digit()) && !rest.is_empty()
    }
}

/// Returns whether a file that is not needed there is an old version of
/// snapshot or targets metadata, which nobody else has put there.
pub(super) fn is_outdated(path: &str) -> bool {
    let file = path.strip_prefix("metadata/").unwrap_or_default();
    is_immutable(path) && (file.ends_with(".snapshot.json") || file.ends_with(".targets.json"))
}

/// How many versions of targets and snapshot metadata stay there, for clients
/// that are in the middle of a check and for caches.
const KEEP_VERSIONS: u64 = 10;

/// Compares what is there with what is here. `same` tells whether a file of the
/// same size is the same there; `listed` are the targets that metadata lists:
/// those stay, here or not.
pub(super) fn plan(
    here: &Files,
    there: &Files,
    listed: &BTreeSet<String>,
    same: &dyn Fn(&str) -> bool,
) -> Steps {
    let mut groups: BTreeMap<UploadStage, Vec<String>> = BTreeMap::new();
    for (path, size) in here {
        if there.get(path) != Some(size) || !same(path) {
            groups.entry(stage(path)).or_default().push(path.clone());
        }
    }
    // Old clients find each root by the one before.
    for group in groups.values_mut() {
        group.sort_by_key(|path| (number(path), path.clone()));
    }
    let newest = newest_versions(here);
    let needed =
        |path: &str| here.contains_key(path) || listed.contains(path) || is_recent(path, &newest);
    let ours = |path: &str| path.starts_with("targets/") || path.starts_with("metadata/");
    Steps {
        groups: groups.into_values().collect(),
        extra: there
            .keys()
            .filter(|path| ours(path) && !needed(path))
            .cloned()
            .collect(),
    }
}

/// The role of a metadata file with a version in its name.
fn versioned(path: &str) -> Option<(u64, &str)> {
    let name = path.strip_prefix("metadata/")?;
    let (version, role) = name.strip_suffix(".json")?.split_once('.')?;
    Some((version.parse().ok()?, role))
}

fn newest_versions(here: &Files) -> BTreeMap<&str, u64> {
    let mut newest = BTreeMap::new();
    for (version, role) in here.keys().filter_map(|path| versioned(path)) {
        let known: &mut u64 = newest.entry(role).or_default();
        *known = version.max(*known);
    }
    newest
}

/// Roots stay for ever: a client that was away for years walks over all.
fn is_recent(path: &str, newest: &BTreeMap<&str, u64>) -> bool {
    match versioned(path) {
        Some((_, "root")) => true,
        Some((version, role)) => newest
            .get(role)
            .is_some_and(|newest| version.saturating_add(KEEP_VERSIONS) >= *newest),
        None => false,
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

    fn files(list: &[(&str, u64)]) -> Files {
        list.iter()
            .map(|&(path, size)| (path.to_owned(), size))
            .collect()
    }

    #[test]
    fn whoever_sees_a_file_finds_what_it_leads_to() {
        let target = format!("targets/{HASH}.app-1.0.tar.gz");
        let here = files(&[
            ("metadata/timestamp.json", 1),
            ("metadata/10.root.json", 1),
            ("metadata/2.root.json", 1),
            ("metadata/7.snapshot.json", 1),
            ("metadata/7.targets.json", 1),
            (&target, 1),
        ]);
        let steps = plan(&here, &Files::new(), &BTreeSet::new(), &|_| true);
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
    fn only_what_changed_and_nothing_that_is_needed_goes() {
        let fixed = format!("targets/{HASH}.app-1.0.tar.gz");
        let here = files(&[
            (&fixed, 5),
            ("targets/app-1.0.patch", 5),
            ("targets/app-1.1.patch", 5),
            ("metadata/3.root.json", 5),
            ("metadata/20.targets.json", 5),
            ("metadata/timestamp.json", 5),
        ]);
        let there = files(&[
            (&fixed, 5),
            ("targets/app-1.0.patch", 4),
            ("targets/app-1.1.patch", 5),
            ("targets/app-0.9.patch", 5),
            ("targets/app-0.8.patch", 5),
            ("metadata/2.root.json", 5),
            ("metadata/3.root.json", 5),
            ("metadata/9.targets.json", 5),
            ("metadata/10.targets.json", 5),
            ("metadata/timestamp.json", 5),
            ("index.html", 5),
        ]);
        let listed = BTreeSet::from(["targets/app-0.8.patch".to_owned()]);
        let same =
            |path: &str| !["targets/app-1.1.patch", "metadata/timestamp.json"].contains(&path);
        let steps = plan(&here, &there, &listed, &same);
        assert_eq!(
            steps.groups.concat(),
            [
                "targets/app-1.0.patch",
                "targets/app-1.1.patch",
                "metadata/20.targets.json",
                "metadata/timestamp.json"
            ]
        );
        assert_eq!(
            steps.extra,
            ["metadata/9.targets.json", "targets/app-0.9.patch"]
        );
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
