//! Patches that earlier versions made: each must make the same tree for ever.
//! A folder in `golden` has the files of the old tree, the manifests of the
//! old and of the new one, and the patch. They are never changed, only added.

use notsotuf_stub::bundle::patch::apply_patch;
use notsotuf_stub::bundle::{EntryKind, Manifest, Rules, Tree};
use notsotuf_tests::root;
use std::collections::BTreeSet;
use std::fs;

#[test]
fn old_patches_make_what_they_made() {
    let golden = root().join("tests/golden");
    let mut count = 0;
    for folder in fs::read_dir(golden).unwrap() {
        let folder = folder.unwrap().path();
        let manifest = |name: &str| {
            let text = fs::read_to_string(folder.join(name)).unwrap();
            Manifest::parse(&text, Rules::portable()).unwrap()
        };
        let (old, new) = (manifest("old.manifest"), manifest("new.manifest"));
        let place = tempfile::tempdir().unwrap();
        let out = place.path().join("tree");
        let old = Tree {
            folder: &folder.join("old"),
            manifest: &old,
        };
        let patch = folder.join("patch");
        let expected = new.tree_hash();
        let rules = Rules::portable();
        let made = apply_patch(old, &patch, expected, rules, place.path(), &mut |_| true);
        assert_eq!(made.unwrap(), new, "{folder:?}");
        let files: BTreeSet<_> = new
            .entries
            .iter()
            .filter(|(_, entry)| matches!(entry.kind, EntryKind::File { .. }))
            .map(|(path, _)| path.clone())
            .collect();
        for path in files {
            assert!(out.join(&path).is_file(), "{path}");
        }
        count += 1;
    }
    assert!(count > 0);
}
