//! Carries what is prepared here over to what somebody else published
//! meanwhile. Pure.

use super::ReleaseError;
use super::numbers::barrier;
use super::target_list::{self, Entries, Gone, releases};
use crate::project::PatchFormat;
use notsotuf_stub::bundle::TreeHash;
use notsotuf_stub::catalog::custom::{ArchiveCustom, PatchCustom};
use notsotuf_stub::catalog::{TargetKind, TargetName};
use pep440_rs::Version;
use serde_json::{Map, Value};
use std::collections::{BTreeMap, BTreeSet};

/// Says what came of a merge.
#[derive(Debug, Default)]
pub(crate) struct Merged {
    /// What is to be published.
    pub entries: Entries,
    /// Paths of which both changed the same, where theirs stays.
    pub conflicts: Vec<String>,
    /// Patches of ours to releases that stay, which start from one that is not
    /// the one before any more.
    pub stale: Vec<String>,
    /// Archives of ours that no client would take any more, and why.
    pub refused: Vec<(String, ReleaseError)>,
}

/// Merges `ours`, which was made from `base`, into `theirs`, which is published
/// now. A release of ours has to be one that `add` would take on top of theirs.
/// A patch of ours that does not lead from the release before it any more goes,
/// and a direct one between releases that are not both there. What either
/// withdrew is withdrawn.
///
/// # Errors
/// [`ReleaseError::Untold`].
pub(crate) fn merge(
    base: &Entries,
    ours: &Entries,
    theirs: &Entries,
    format: PatchFormat,
) -> Result<Merged, ReleaseError> {
    if base == theirs {
        return Ok(Merged {
            entries: ours.clone(),
            ..Merged::default()
        });
    }
    let [base_plain, ours_plain, theirs_plain] = [base, ours, theirs].map(without_gone);
    let mut merged = Merged::of(&base_plain, &ours_plain, &theirs_plain);
    let apps = &target_list::apps(ours) | &target_list::apps(theirs);
    let gone: Vec<(String, [Gone; 3])> = apps
        .into_iter()
        .map(|app| {
            let gone = [base, ours, theirs].map(|entries| Gone::of(entries, &app));
            (app, gone)
        })
        .collect();
    for (app, gone) in &gone {
        merged.take_away(app, gone, &theirs_plain);
    }
    let entries = &merged.entries;
    let stale: Vec<String> = entries
        .keys()
        .filter(|path| !theirs.contains_key(*path) && !leads_on(path, entries))
        .cloned()
        .collect();
    merged.entries.retain(|path, _| !stale.contains(path));
    let is_there = |path: &String| {
        let target = TargetName::parse(path).filter(|target| target.kind == TargetKind::Patch);
        target.is_some_and(|target| {
            let releases = releases(&merged.entries, &target.name);
            releases
                .iter()
                .any(|(version, _)| *version == target.version)
        })
    };
    merged.stale = stale.into_iter().filter(is_there).collect();
    for (app, gone) in gone {
        if !same_releases(&merged.entries, &theirs_plain, &app) {
            settle(&mut merged.entries, &app, format);
        }
        merged.tell_gone(&app, gone, theirs)?;
    }
    Ok(merged)
}

/// Returns the paths of targets that are in both, and of which they say
/// different things.
pub(crate) fn differing(one: &Entries, other: &Entries) -> Vec<String> {
    let (one, other) = (without_gone(one), without_gone(other));
    let both = one.into_iter().filter(|(path, entry)| {
        let there = other.get(path);
        there.is_some_and(|there| there != entry)
    });
    both.map(|(path, _)| path).collect()
}

/// The same without the lists of versions that are gone, which are merged by
/// themselves.
fn without_gone(entries: &Entries) -> Entries {
    let mut entries = entries.clone();
    for (_, entry) in &mut entries {
        if let Some(custom) = internal(entry) {
            for list in LISTS {
                custom.remove(list);
            }
        }
    }
    entries
}

/// The lists of versions that are gone.
const LISTS: [&str; 2] = ["withdrawn", "retired"];

fn internal(entry: &mut Value) -> Option<&mut Map<String, Value>> {
    entry.pointer_mut("/custom/tufup")?.as_object_mut()
}

fn same_releases(one: &Entries, other: &Entries, app: &str) -> bool {
    let own = |entries: &Entries| -> Vec<(String, Value)> {
        let own = entries.iter().filter(|(path, _)| {
            let target = TargetName::parse(path);
            target.is_some_and(|target| target.name == app)
        });
        own.map(|(path, entry)| (path.clone(), entry.clone()))
            .collect()
    };
    own(one) == own(other)
}

/// Takes the patches off that clients would apply to what they are not made
/// for, as `pending::settle` does.
fn settle(entries: &mut Entries, app: &str, format: PatchFormat) {
    let misleads = target_list::misleading_patches(entries, app, format);
    entries.retain(|path, _| !TargetName::parse(path).is_some_and(|target| misleads(&target)));
}

impl Merged {
    /// Merges target by target.
    fn of(base: &Entries, ours: &Entries, theirs: &Entries) -> Self {
        let mut merged = Merged {
            entries: theirs.clone(),
            ..Merged::default()
        };
        let paths: BTreeSet<&String> = base.keys().chain(ours.keys()).collect();
        for path in paths {
            let (before, mine, other) = (base.get(path), ours.get(path), theirs.get(path));
            if mine == before || mine == other {
                continue;
            }
            let entry = if other == before {
                mine.cloned()
            } else {
                let all = before.zip(mine).zip(other);
                let said = all.and_then(|((before, mine), other)| Said::of(before, mine, other));
                if !said.as_ref().is_some_and(|said| said.agreed) {
                    merged.conflicts.push(path.clone());
                }
                said.map(|said| said.entry).or_else(|| other.cloned())
            };
            match entry {
                Some(entry) => merged.entries.insert(path.clone(), entry),
                None => merged.entries.remove(path),
            };
        }
        merged
    }

    /// Takes away what was withdrawn, and releases of ours that `add` would
    /// refuse on top of theirs.
    fn take_away(&mut self, app: &str, [base, ours, theirs]: &[Gone; 3], there: &Entries) {
        let withdrawn = &(&base.withdrawn | &ours.withdrawn) | &theirs.withdrawn;
        let line = target_list::line(there, app);
        let mut gone = BTreeSet::new();
        for (version, path) in releases(&self.entries, app) {
            if there.contains_key(&path) {
                continue;
            }
            let (app, new) = (app.to_owned(), version.clone());
            let error = if withdrawn.contains(&version) {
                ReleaseError::Withdrawn { app, version: new }
            } else if let Some(latest) = barrier(&line, &version) {
                ReleaseError::NotNewer {
                    app,
                    version: new,
                    latest: latest.clone(),
                    take_back: None,
                }
            } else if theirs.retired.contains(&version) && !base.retired.contains(&version) {
                ReleaseError::Used { app, version: new }
            } else {
                continue;
            };
            self.refused.push((path, error));
            gone.insert(version);
        }
        // What theirs lists and withdrew is for `publish` to say.
        let by_us: BTreeSet<Version> = &withdrawn - &theirs.withdrawn;
        self.conflicts.retain(|path| {
            let target = TargetName::parse(path).filter(|target| target.name == app);
            !target.is_some_and(|target| by_us.contains(&target.version))
        });
        target_list::remove_releases(&mut self.entries, app, &(&gone | &by_us));
    }

    /// Lets the releases say which versions are gone: as theirs do, if that is
    /// all.
    ///
    /// # Errors
    /// [`ReleaseError::Untold`].
    fn tell_gone(
        &mut self,
        app: &str,
        [base, ours, theirs]: [Gone; 3],
        there: &Entries,
    ) -> Result<(), ReleaseError> {
        let withdrawn = &(&base.withdrawn | &ours.withdrawn) | &theirs.withdrawn;
        let left = releases(&self.entries, app);
        if left.is_empty() && !withdrawn.is_empty() {
            let (app, versions) = (app.to_owned(), withdrawn.into_iter().collect());
            return Err(ReleaseError::Untold { app, versions });
        }
        let listed = left.iter().map(|(version, _)| version.clone()).collect();
        let retired = &(&(&ours.retired | &theirs.retired) - &withdrawn) - &listed;
        for (_, path) in left.iter().filter(|(_, path)| there.contains_key(path)) {
            let before = LISTS.map(|list| (list, there[path]["custom"]["tufup"].get(list)));
            if let Some(custom) = internal(&mut self.entries[path]) {
                let lists = before.into_iter().filter_map(|(list, v)| Some((list, v?)));
                custom.extend(lists.map(|(list, versions)| (list.into(), versions.clone())));
            }
        }
        target_list::bear(&mut self.entries, app, Gone { withdrawn, retired });
        Ok(())
    }
}

/// Holds what is said of a file, of two who changed it.
struct Said {
    entry: Value,
    /// Whether they changed different fields.
    agreed: bool,
}

impl Said {
    /// Merges field by field; `None` if it is not the same file.
    fn of(before: &Value, mine: &Value, other: &Value) -> Option<Self> {
        let same = |key: &str| mine[key] == other[key];
        if !same("length") || !same("hashes") {
            return None;
        }
        let mut agreed = true;
        let entry = fields(before, mine, other, &["custom", "tufup"], &mut agreed)?;
        Some(Said { entry, agreed })
    }
}

/// Merges the fields of an object, and of those within that `inner` names one
/// after the other. Where both changed a field, that of `other` stays.
fn fields(
    before: &Value,
    mine: &Value,
    other: &Value,
    inner: &[&str],
    agreed: &mut bool,
) -> Option<Value> {
    let (mine, mut merged) = (mine.as_object()?, other.as_object()?.clone());
    let keys: BTreeSet<String> = mine.keys().chain(merged.keys()).cloned().collect();
    for key in keys {
        let (old, new, theirs) = (before.get(&key), mine.get(&key), merged.get(&key));
        if new == old || new == theirs {
            continue;
        }
        let value = match (inner.split_first(), new, theirs) {
            _ if theirs == old => new.cloned(),
            (Some((first, rest)), Some(new), Some(theirs)) if *first == key => {
                let old = old.unwrap_or(&Value::Null);
                Some(fields(old, new, theirs, rest, agreed)?)
            }
            _ => {
                *agreed = false;
                continue;
            }
        };
        match value {
            Some(value) => merged.insert(key, value),
            None => merged.remove(&key),
        };
    }
    Some(merged.into())
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

    fn merge(base: &Entries, ours: &Entries, theirs: &Entries) -> (Entries, Vec<String>) {
        let merged = super::merge(base, ours, theirs, PatchFormat::Notsotuf2).unwrap();
        assert!(merged.refused.is_empty(), "{:?}", merged.refused);
        (merged.entries, merged.conflicts)
    }

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

    fn archives(list: &[(&str, Value)]) -> Entries {
        let entry = |said: &Value| json!({ "length": 1, "custom": { "user": {}, "tufup": said } });
        list.iter()
            .map(|(version, said)| (format!("a-{version}.tar.gz"), entry(said)))
            .collect()
    }

    #[test]
    fn what_is_said_is_merged_by_field_and_withdrawals_by_version() {
        let base = archives(&[("1", json!({})), ("2", json!({})), ("3", json!({ "x": 1 }))]);
        let said = json!({ "notes": "ours", "x": 2, "withdrawn": ["2"] });
        let ours = archives(&[("1", json!({})), ("3", said)]);
        let said = json!({ "rollout": "theirs", "x": 1, "withdrawn": ["0"] });
        // They have changed what ours has withdrawn.
        let more = json!({ "rollout": "theirs" });
        let theirs = archives(&[("1", json!({})), ("2", more), ("3", said)]);
        let (merged, conflicts) = merge(&base, &ours, &theirs);
        assert_eq!(conflicts, [""; 0]);
        assert_eq!(paths(&merged), ["a-1.tar.gz", "a-3.tar.gz"]);
        let said = &merged["a-3.tar.gz"]["custom"]["tufup"];
        let fields = [&said["notes"], &said["rollout"], &said["x"]];
        assert_eq!(fields, [&json!("ours"), &json!("theirs"), &json!(2)]);
        assert_eq!(said["withdrawn"], json!(["0", "2"]));
        // Of a field that both changed, theirs stays; and of another file, all.
        let mut theirs = base.clone();
        theirs["a-3.tar.gz"]["custom"]["tufup"] = json!({ "x": 3 });
        let (merged, conflicts) = merge(&base, &ours, &theirs);
        assert_eq!(conflicts, ["a-3.tar.gz"]);
        let said = &merged["a-3.tar.gz"]["custom"]["tufup"];
        assert_eq!((&said["notes"], &said["x"]), (&json!("ours"), &json!(3)));
        theirs["a-3.tar.gz"]["length"] = 2.into();
        let (merged, conflicts) = merge(&base, &ours, &theirs);
        assert_eq!(conflicts, ["a-3.tar.gz"]);
        let said = &merged["a-3.tar.gz"]["custom"]["tufup"];
        assert_eq!((&said["notes"], &said["x"]), (&json!(null), &json!(3)));
        assert_eq!(said["withdrawn"], json!(["2"]));
    }

    #[test]
    fn a_release_that_add_would_refuse_is_refused() {
        let base = archives(&[("1", json!({}))]);
        let ours = archives(&[("1", json!({})), ("2", json!({}))]);
        let refused = |theirs: &[(&str, Value)]| {
            let merged = super::merge(&base, &ours, &archives(theirs), PatchFormat::None).unwrap();
            assert_eq!(paths(&merged.entries).len(), theirs.len());
            merged.refused.into_iter().next().unwrap().1
        };
        let withdrawn = refused(&[("1", json!({ "withdrawn": ["2"] }))]);
        assert!(matches!(withdrawn, ReleaseError::Withdrawn { .. }));
        let used = refused(&[("1", json!({ "retired": ["2"] }))]);
        assert!(matches!(used, ReleaseError::Used { .. }));
        let old = refused(&[("1", json!({})), ("3", json!({}))]);
        assert!(matches!(old, ReleaseError::NotNewer { .. }));
    }

    #[test]
    fn a_withdrawal_that_nobody_is_left_to_tell_of_is_an_error() {
        let base = archives(&[("1", json!({})), ("2", json!({}))]);
        let ours = archives(&[("1", json!({ "withdrawn": ["2"] }))]);
        let theirs = archives(&[("2", json!({}))]);
        let error = super::merge(&base, &ours, &theirs, PatchFormat::None).unwrap_err();
        assert!(matches!(error, ReleaseError::Untold { .. }), "{error}");
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
