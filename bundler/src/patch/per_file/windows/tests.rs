use super::super::budget::Budget;
use super::super::search;
use super::super::tests::noise;
use super::super::work;
use super::*;
use proptest::prelude::*;
use std::time::Duration;

fn found(old: &[u8], new: &[u8], budget: Budget) -> (Vec<Match>, Coarse) {
    let (old, new) = (old.to_vec(), new.to_vec());
    work::for_tests(budget, |work| {
        search(&old.into(), &new.into(), work).unwrap()
    })
}

/// They are in order, apart in the new file, and within both. Returns how many
/// bytes they get right.
fn right(old: &[u8], new: &[u8], matches: &[Match]) -> usize {
    let (mut end, mut right) = (0, 0);
    for found in matches {
        assert!(found.new >= end && found.length > 0, "{found:?}");
        end = found.new + found.length;
        let pairs = old[found.old..found.old + found.length]
            .iter()
            .zip(&new[found.new..end]);
        right += pairs.filter(|(a, b)| a == b).count();
    }
    assert!(end <= new.len());
    right
}

/// Changes single bytes everywhere, so that hardly a block stays.
fn scattered(bytes: &[u8], every: usize) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    bytes
        .iter_mut()
        .step_by(every)
        .for_each(|byte| *byte ^= 0x55);
    bytes
}

#[test]
fn what_blocks_do_not_show_is_found_in_windows() {
    let old = noise(1, 40 << 20);
    let inserted = noise(2, 5000);
    // Rebuilt from 10 to 21 MiB, moved by 5,000 bytes, and the rest as it was.
    let (from, to) = (10 << 20, 21 << 20);
    let changed = scattered(&old[from..to], 40);
    let new = [&old[..from], &inserted, &changed, &old[to..]].concat();
    let (matches, coarse) = found(&old, &new, Budget::UNLIMITED);
    assert_eq!(coarse.in_blocks, 0);
    assert!(coarse.in_windows.abs_diff((to - from) as u64) < 100_000);
    let wrong = new.len() - right(&old, &new, &matches);
    let expected = inserted.len() + changed.len().div_ceil(40);
    assert!(wrong.abs_diff(expected) < 200, "{wrong}, not {expected}");
    assert!(matches.len() < 50, "{}", matches.len());
}

#[test]
fn a_file_that_was_rebuilt_as_a_whole_is_searched_where_it_is_expected() {
    let old = noise(1, 30 << 20);
    let new = scattered(&old[100_000..], 50);
    let (matches, _) = found(&old, &new, Budget::UNLIMITED);
    let right = right(&old, &new, &matches);
    let wrong = new.len() - right;
    assert!(wrong.abs_diff(new.len().div_ceil(50)) < 1000, "{wrong}");
}

#[test]
fn when_the_time_runs_out_only_blocks_are_found() {
    let old = noise(1, 1 << 20);
    let mut new = scattered(&old, 40);
    new[..500_000].copy_from_slice(&old[..500_000]);
    let budget = Budget::of_which_half_is_over(Duration::from_secs(3600));
    let (matches, coarse) = found(&old, &new, budget);
    let left_out = coarse.in_blocks;
    assert_eq!(coarse.in_windows, 0);
    let whole = Match {
        old: 0,
        new: 0,
        length: 500_000,
    };
    assert_eq!(matches.len(), 1);
    assert!(matches[0].length.abs_diff(whole.length) < 40 && matches[0].old == 0);
    assert!(
        left_out.abs_diff((new.len() - 500_000) as u64) < 10_000,
        "{left_out}"
    );
}

fn any_file() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        (0..5u64, 0..20_000usize).prop_map(|(seed, length)| noise(seed, length)),
        (0..5u64, 0..20_000usize).prop_map(|(seed, length)| scattered(&noise(seed, length), 70)),
        (any::<u8>(), 0..3000usize).prop_map(|(byte, length)| vec![byte; length]),
    ];
    proptest::collection::vec(piece, 0..8).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn matches_of_any_files_are_sound_and_hardly_worse(old in any_file(), new in any_file()) {
        let (matches, _) = found(&old, &new, Budget::UNLIMITED);
        let here = right(&old, &new, &matches);
        let whole = work::for_tests(Budget::UNLIMITED, |work| {
            search::search(&old.clone().into(), &new.clone().into(), work).unwrap().0
        });
        let there = right(&old, &new, &whole);
        prop_assert!(here + 200 + new.len() / 50 >= there, "{here}, not {there}");
    }
}
