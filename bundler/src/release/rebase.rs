//! Carries what is prepared here over to what somebody else published
//! meanwhile. Pure.

use notsotuf_stub::catalog::{TargetKind, TargetName};
use pep440_rs::Version;
use serde_json::{Map, Value};
use std::collections::BTreeSet;
use std::str::FromStr;

/// Maps paths to entries of targets.
pub(crate) type Entries = Map<String, Value>;

/// Merges `ours`, which was made from `base`, into `theirs`, which is published
/// now; returns also the paths that both changed, where theirs stays. A patch
/// of ours that does not lead from the release before it any more goes.
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
        .filter(|path| !leads_from_the_release_before(path, &merged))
        .cloned()
        .collect();
    merged.retain(|path, _| !stale.contains(path));
    (merged, conflicts)
}

fn leads_from_the_release_before(path: &str, entries: &Entries) -> bool {
    let Some(patch) = TargetName::parse(path).filter(|t| t.kind == TargetKind::Patch) else {
        return true;
    };
    let from = entries[path]["custom"]["tufup"]["from"].as_str();
    let from = from.and_then(|from| Version::from_str(from).ok());
    let archives = entries.keys().filter_map(|path| TargetName::parse(path));
    let before = archives
        .filter(|t| t.kind == TargetKind::Archive && t.name == patch.name)
        .map(|t| t.version)
        .filter(|version| *version < patch.version)
        .max();
    from == before
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
}
