//! What a new package over an old install means for the stored root.

use super::*;
use notsotuf_stub::http::Http;
use notsotuf_stub::repository::Repository;
use notsotuf_stub::tuf::RootChange;
use notsotuf_stub::tuf::root_chain::{RootChain, SelfSignedRoot, Shipped, compare};
use std::fs;
use std::time::Duration;

/// How the keys of the root role change with each version.
#[derive(Clone, Copy, Debug)]
enum Rotation {
    /// Not at all.
    None,
    /// All of them.
    All,
    /// One of two.
    OneByOne,
}

/// Five versions of one root.
fn roots(rotation: Rotation) -> Vec<SelfSignedRoot> {
    parsed(&roots_as_files(rotation))
}

fn roots_as_files(rotation: Rotation) -> Vec<Vec<u8>> {
    let mut simulator = Simulator::new();
    let mut keys = vec![SimKey::ed25519(), SimKey::ed25519()];
    simulator.roots.clear();
    simulator.set_keys("root", keys.clone(), 2);
    simulator.publish_root();
    for _ in 1..5 {
        let new = match rotation {
            Rotation::None => keys.clone(),
            Rotation::All => vec![SimKey::ed25519(), SimKey::ed25519()],
            Rotation::OneByOne => vec![keys[1].clone(), SimKey::ed25519()],
        };
        let mut signers = new.clone();
        signers.extend(
            keys.into_iter()
                .filter(|old| new.iter().all(|key| key.id != old.id)),
        );
        simulator.set_keys("root", new.clone(), 2);
        simulator.bump("root");
        simulator.publish_root_signed_by(&signers);
        keys = new;
    }
    simulator.roots
}

fn parsed(files: &[Vec<u8>]) -> Vec<SelfSignedRoot> {
    files
        .iter()
        .map(|bytes| SelfSignedRoot::parse(bytes).unwrap())
        .collect()
}

/// A chain of which `known` are remembered; none: stored by the version before.
fn remembered(roots: &[&SelfSignedRoot]) -> RootChain {
    let mut chain = RootChain::default();
    for root in roots {
        chain.add(root);
    }
    RootChain::parse(&chain.to_text())
}

const KEPT: Shipped = Shipped::Newer(RootChange::KeysKept);

#[test]
fn a_root_of_the_same_chain_is_known_or_newer() {
    for rotation in [Rotation::None, Rotation::All, Rotation::OneByOne] {
        let roots = roots(rotation);
        let nothing = RootChain::default();
        for stored in 0..5 {
            // The client began with any of them and walked.
            for first in 0..=stored {
                let walked: Vec<_> = roots[first..=stored].iter().collect();
                let chain = remembered(&walked);
                for shipped in first..=stored {
                    let found = compare(&roots[stored], &roots[shipped], &chain);
                    assert_eq!(found, Shipped::Known, "{rotation:?} {stored} {shipped}");
                }
                if let Some(next) = roots.get(stored + 1) {
                    assert_eq!(compare(&roots[stored], next, &chain), KEPT, "{rotation:?}");
                }
            }
            // Nothing is remembered: the next one, and the one before, tell.
            for shipped in 0..5 {
                let found = compare(&roots[stored], &roots[shipped], &nothing);
                let far = stored.abs_diff(shipped) > 1;
                let expected = match (rotation, shipped > stored) {
                    (Rotation::All, _) if far => Shipped::OtherChain,
                    (Rotation::OneByOne, _) if far => Shipped::OtherChain,
                    (_, true) => KEPT,
                    (_, false) => Shipped::Known,
                };
                assert_eq!(found, expected, "{rotation:?} {stored} {shipped}");
            }
        }
    }
}

#[test]
fn a_root_of_another_chain_is_told_apart() {
    for rotation in [Rotation::None, Rotation::All] {
        let (old, new) = (roots(rotation), roots(rotation));
        for stored in 0..5 {
            let walked: Vec<_> = old[..=stored].iter().collect();
            for chain in [remembered(&walked), RootChain::default()] {
                for shipped in &new {
                    let found = compare(&old[stored], shipped, &chain);
                    assert_eq!(found, Shipped::OtherChain, "{rotation:?} {stored}");
                }
            }
        }
    }
}

#[test]
fn a_project_that_was_started_anew_with_the_same_root_key() {
    let mut simulator = Simulator::new();
    for _ in 0..3 {
        simulator.rotate("targets");
    }
    let old = parsed(&simulator.roots);
    let mut anew = Simulator::new();
    anew.roots.clear();
    anew.set_keys("root", simulator.keys["root"].clone(), 1);
    anew.publish_root();
    let new = parsed(&anew.roots);
    // What is remembered tells them apart; else the key vouches for it, and
    // an older root by the same key is a replay.
    let walked: Vec<_> = old.iter().collect();
    let found = compare(&old[3], &new[0], &remembered(&walked));
    assert_eq!(found, Shipped::OtherChain);
    let found = compare(&old[3], &new[0], &RootChain::default());
    assert_eq!(found, Shipped::Known);
    // Of one version there is one root.
    let found = compare(&old[0], &new[0], &RootChain::default());
    assert_eq!(found, Shipped::OtherChain);
}

// TUF specification 5.3.11, over versions that the client never saw.
#[test]
fn a_key_that_was_taken_away_on_the_way_is_noticed() {
    for role in ["timestamp", "snapshot", "targets"] {
        let mut simulator = Simulator::new();
        simulator.next_root();
        simulator.rotate(role);
        simulator.next_root();
        simulator.rotate("targets");
        let roots = parsed(&simulator.roots);
        let change = match role {
            "targets" => RootChange::KeysKept,
            _ => RootChange::KeysRotated,
        };
        for (stored, shipped, expected) in [
            (0, 4, change),
            (1, 2, change),
            (1, 3, change),
            (0, 1, RootChange::KeysKept),
            (2, 4, RootChange::KeysKept),
        ] {
            let found = compare(&roots[stored], &roots[shipped], &RootChain::default());
            assert_eq!(found, Shipped::Newer(expected), "{role} {stored} {shipped}");
        }
    }
}

#[test]
fn more_signatures_do_not_make_another_root() {
    let mut simulator = Simulator::new();
    let key = simulator.keys["root"][0].clone();
    simulator.publish_root_signed_by(&[key, SimKey::ed25519()]);
    let roots = parsed(&simulator.roots);
    let found = compare(&roots[0], &roots[1], &RootChain::default());
    assert_eq!(found, Shipped::Known);
}

#[test]
fn starting_over_is_completed() {
    let (old, new) = (roots(Rotation::None), roots(Rotation::None));
    let mut chain = remembered(&[&new[0]]);
    chain.starting_over = true;
    let chain = RootChain::parse(&chain.to_text());
    assert!(chain.starting_over);
    // Killed before the root was stored, or after.
    assert_eq!(compare(&old[3], &new[0], &chain), Shipped::OtherChain);
    assert_eq!(compare(&new[0], &new[0], &chain), Shipped::Known);
    assert_eq!(compare(&new[0], &new[1], &chain), KEPT);
}

#[test]
fn what_is_remembered_is_written_down() {
    let roots = roots(Rotation::None);
    let mut chain = RootChain::begin(&roots[0]);
    assert!(chain.add(&roots[4]));
    assert!(!chain.add(&roots[4]));
    let text = chain.to_text();
    let (first, last) = (roots[0].hash(), roots[4].hash());
    assert_eq!(text, format!("notsotuf-roots 1\n1 {first}\n5 {last}\n"));
    assert_eq!(RootChain::parse(&text), chain);
    for other in ["", "notsotuf-roots", "something else\n1 ab\n"] {
        assert_eq!(RootChain::parse(other), RootChain::default(), "{other:?}");
    }
}

#[test]
fn a_root_that_does_not_sign_itself_is_none() {
    let mut simulator = Simulator::new();
    simulator.publish_root_signed_by(&[SimKey::ed25519()]);
    let error = SelfSignedRoot::parse(&simulator.roots[1]).unwrap_err();
    assert!(matches!(error, TufError::Unsigned { .. }), "{error}");
}

/// Killed after the root of the new chain was stored: nothing is left to be
/// done but to say so. What stays would make a later root, stored by a version
/// that keeps no chain, look like one of the chain before.
#[test]
fn a_start_over_that_was_completed_is_forgotten() {
    let old = roots_as_files(Rotation::None);
    let new = roots_as_files(Rotation::None);
    let begun = |at: &[u8]| {
        let mut chain = RootChain::begin(&SelfSignedRoot::parse(at).unwrap());
        chain.starting_over = true;
        chain
    };
    for stored in [&old[3], &new[0]] {
        let folder = tempfile::tempdir().unwrap();
        let metadata = folder.path().join("metadata");
        let shipped = folder.path().join("root.json");
        fs::create_dir(&metadata).unwrap();
        fs::write(&shipped, &new[0]).unwrap();
        fs::write(metadata.join("root.json"), stored).unwrap();
        fs::write(metadata.join("root.chain"), begun(&new[0]).to_text()).unwrap();
        let http = Http::new(Duration::from_secs(1));
        let repository = Repository::new(metadata.clone(), shipped, Vec::new(), http);
        let root = repository.settle_root(&mut || Ok(())).unwrap();
        assert_eq!(root.hash(), SelfSignedRoot::parse(&new[0]).unwrap().hash());
        assert_eq!(fs::read(metadata.join("root.json")).unwrap(), new[0]);
        let text = fs::read_to_string(metadata.join("root.chain")).unwrap();
        let chain = RootChain::parse(&text);
        assert!(!chain.starting_over, "{text}");
        // A later root of the same chain is taken for one, however it came.
        let later = SelfSignedRoot::parse(&new[2]).unwrap();
        assert_eq!(compare(&later, &root, &chain), Shipped::Known);
    }
}
