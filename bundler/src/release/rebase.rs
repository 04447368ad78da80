//! Carries what is prepared here over to what somebody else published
//! meanwhile. Pure.

use notsotuf_stub::bundle::TreeHash;
use notsotuf_stub::catalog::custom::{ArchiveCustom, PatchCustom};
use notsotuf_stub::catalog::{TargetKind, TargetName};
use pep440_rs::Version;
use serde_json::{Map, Value};
use std::collections::{BTreeMap, BTreeSet};

/// Maps paths to entries of targets.
pub(crate) type Entries = Map<String, Value>;

/// Merges `ours`, which was made from `base`, into `theirs`, which is published
/// now; returns also the paths that both changed, where theirs stays. A patch
/// of ours that does not lead from the release before it any more goes, and a
/// direct one between releases that are not both there.
pub(crate) fn merge(base: &Entries, ours: &Entries, theirs: &Entries) -> (Entries, Vec<String>) {
    let mut merged = theirs.clone();
    let mut conflicts = Vec::new();
    let paths: BTreeSet<&String> = base.keys().chain(ours.keys()).collect();
    for path in paths {
        let (before, mine, other) = (base.get(path), ours.get(path), theirs.get(path));
        if mine == before || mine == other {
            continue;
        }
        if other != before {
            conflicts.push(path.clone());
            continue;
        }
        match mine {
            Some(entry) => merged.insert(path.clone(), entry.clone()),
            None => merged.remove(path),
        };
    }
    let stale: Vec<String> = merged
        .keys()
        .filter(|path| !theirs.contains_key(*path) && base != theirs)
        .filter(|path| !leads_on(path, &merged))
        .cloned()
        .collect();
    merged.retain(|path, _| !stale.contains(path));
    (merged, conflicts)
}

fn leads_on(path: &str, entries: &Entries) -> bool {
    let Some(patch) = TargetName::parse(path) else {
        return true;
    };
    let custom = PatchCustom::of(&entries[path]["custom"]);
    let archives = entries.iter().filter_map(|(path, entry)| {
        let target = TargetName::parse(path)?;
        let own = target.kind == TargetKind::Archive && target.name == patch.name;
        own.then(|| (target.version, ArchiveCustom::of(&entry["custom"]).tree))
    });
    let archives: BTreeMap<Version, Option<TreeHash>> = archives.collect();
    match &patch.kind {
        TargetKind::Archive => true,
        TargetKind::Patch => {
            let before = archives.range(..&patch.version).next_back();
            custom.from.as_ref() == before.map(|(version, _)| version)
        }
        TargetKind::DirectPatch { from } => {
            let is_there = |version, tree| archives.get(version) == Some(&tree);
            is_there(from, custom.from_tree) && is_there(&patch.version, custom.tree)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn entries(list: &[(&str, &str)]) -> Entries {
        let entry = |what: &str| json!({ "custom": { "tufup": { "from": what } } });
        list.iter()
            .map(|(path, what)| ((*path).to_owned(), entry(what)))
            .collect()
    }

    fn paths(entries: &Entries) -> Vec<&str> {
        entries.keys().map(String::as_str).collect()
    }

    #[test]
    fn what_both_added_is_there_and_what_one_removed_is_gone() {
        let base = entries(&[("a-1.tar.gz", ""), ("b-1.tar.gz", ""), ("b-2.tar.gz", "")]);
        let ours = entries(&[("a-1.tar.gz", ""), ("a-2.tar.gz", ""), ("b-2.tar.gz", "")]);
        let mut theirs = base.clone();
        theirs.extend(entries(&[("c-1.tar.gz", "")]));
        theirs.remove("b-2.tar.gz");
        let (merged, conflicts) = merge(&base, &ours, &theirs);
        assert_eq!(paths(&merged), ["a-1.tar.gz", "a-2.tar.gz", "c-1.tar.gz"]);
        assert_eq!(conflicts, [""; 0]);
        assert_eq!(merge(&base, &ours, &base), (ours, Vec::new()));
    }

    #[test]
    fn what_both_changed_is_told_and_theirs_stays() {
        let base = entries(&[("a-1.tar.gz", "")]);
        let (ours, theirs) = (
            entries(&[("a-1.tar.gz", ""), ("a-2.tar.gz", "ours")]),
            entries(&[("a-1.tar.gz", ""), ("a-2.tar.gz", "theirs")]),
        );
        let (merged, conflicts) = merge(&base, &ours, &theirs);
        assert_eq!((merged, conflicts), (theirs, vec!["a-2.tar.gz".to_owned()]));
    }

    #[test]
    fn a_patch_over_a_release_that_came_between_goes() {
        let base = entries(&[("a-1.tar.gz", "")]);
        let ours = entries(&[("a-1.tar.gz", ""), ("a-3.tar.gz", ""), ("a-3.patch", "1")]);
        let between = entries(&[("a-1.tar.gz", ""), ("a-2.tar.gz", "")]);
        let (merged, _) = merge(&base, &ours, &between);
        assert_eq!(paths(&merged), ["a-1.tar.gz", "a-2.tar.gz", "a-3.tar.gz"]);
        let beside = entries(&[("a-1.tar.gz", ""), ("b-2.tar.gz", "")]);
        let (merged, _) = merge(&base, &ours, &beside);
        assert!(merged.contains_key("a-3.patch"));
    }

    #[test]
    fn a_direct_patch_stays_as_long_as_both_of_its_releases_do() {
        let tree = |n: u8| format!("{n:02}").repeat(32);
        let with = |mut entries: Entries, path: &str, custom: Value| {
            entries.insert(path.into(), json!({ "custom": { "tufup": custom } }));
            entries
        };
        let release = |entries, n: u8| {
            with(
                entries,
                &format!("a-{n}.tar.gz"),
                json!({ "tree": tree(n) }),
            )
        };
        let base = release(release(Entries::new(), 1), 2);
        let patch = json!({ "from": "1", "from_tree": tree(1), "tree": tree(4) });
        let ours = with(release(base.clone(), 4), "a-4.from-1.delta", patch);
        let merged = |theirs: &Entries| {
            let (merged, conflicts) = merge(&base, &ours, theirs);
            assert_eq!(conflicts, [""; 0]);
            merged.contains_key("a-4.from-1.delta")
        };
        assert!(merged(&base));
        assert!(merged(&release(base.clone(), 3)));
        let mut theirs = base.clone();
        theirs.remove("a-1.tar.gz");
        assert!(!merged(&theirs));
        assert!(!merged(&with(
            theirs,
            "a-1.tar.gz",
            json!({ "tree": tree(9) })
        )));
    }
}
