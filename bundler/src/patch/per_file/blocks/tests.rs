use super::super::budget::Budget;
use super::super::tests::noise;
use super::super::work;
use super::*;
use std::cell::Cell;
use std::time::Duration;

fn found(old: &[u8], new: &[u8]) -> Vec<Match> {
    let (old, new) = (old.to_vec(), new.to_vec());
    work::for_tests(Budget::UNLIMITED, |work| {
        anchors(&old.into(), &new.into(), work).unwrap()
    })
}

/// They are exact, in order, and apart in the new file.
fn assert_sound(old: &[u8], new: &[u8], matches: &[Match]) {
    let mut end = 0;
    for found in matches {
        assert!(found.new >= end && found.length >= SMALLEST, "{found:?}");
        end = found.new + found.length;
        assert_eq!(
            old[found.old..found.old + found.length],
            new[found.new..end]
        );
    }
}

#[test]
fn a_hash_rolls_to_that_of_the_next_window() {
    let bytes = noise(3, 1000);
    for size in [1, 2, 64, 500] {
        let rolling = Rolling::new(size);
        let mut hash = Rolling::of(&bytes[..size]);
        for at in 1..bytes.len() - size {
            hash = rolling.roll(hash, bytes[at - 1], bytes[at + size - 1]);
            assert_eq!(hash, Rolling::of(&bytes[at..at + size]));
        }
    }
}

#[test]
fn what_was_moved_inserted_and_removed_is_found_exactly() {
    let old = noise(1, 300_000);
    let inserted = noise(2, 777);
    let new = [
        &old[200_000..250_001],
        &inserted,
        &old[10..150_000],
        &old[150_500..200_000],
    ]
    .concat();
    let expected = [
        (200_000, 0, 50_001),
        (10, 50_778, 149_990),
        (150_500, 200_768, 49_500),
    ];
    let expected = expected.map(|(old, new, length)| Match { old, new, length });
    let matches = found(&old, &new);
    assert_eq!(matches, expected);
    assert_sound(&old, &new, &matches);
}

#[test]
fn where_blocks_repeat_the_last_match_goes_on() {
    // The same 4 kB again and again, with a number between.
    let block = noise(4, 4096);
    let old: Vec<u8> = (0..50u32)
        .flat_map(|n| [&block[..], &n.to_le_bytes()].concat())
        .collect();
    let mut new = old.clone();
    new[100_000] ^= 1;
    let matches = found(&old, &new);
    assert_sound(&old, &new, &matches);
    assert!(
        matches.iter().all(|found| found.old == found.new),
        "{matches:?}"
    );
    let covered: usize = matches.iter().map(|found| found.length).sum();
    assert_eq!(covered, new.len() - 1);
}

#[test]
fn files_without_a_block_in_common_have_no_match() {
    let (one, other) = (noise(1, 100_000), noise(2, 100_000));
    assert_eq!(found(&one, &other), []);
    // What is shorter than a block, and stretches of one byte.
    assert_eq!(found(&one, &one[..SMALLEST - 1]), []);
    assert_eq!(found(&one[..SMALLEST - 1], &one), []);
    assert_eq!(found(&[0; 1000], &[0; 2000]), []);
    assert_eq!(found(b"", b""), []);
}

#[test]
fn progress_is_told_and_the_clock_is_looked_at() {
    let bytes = Bytes::from(noise(1, 3 * LOOK));
    let other = Bytes::from(noise(2, 3 * LOOK));
    let told = Cell::new(0);
    let run = |budget| {
        work::for_tests(budget, |work| {
            let work = Work {
                progress: &|n| told.set(told.get() + n),
                ..*work
            };
            anchors(&bytes, &other, &work).unwrap()
        })
    };
    assert_eq!(run(Budget::UNLIMITED), []);
    assert!(told.get() > LOOK as u64 / 2 && told.get() <= 3 * LOOK as u64);
    assert_eq!(run(Budget::of(Duration::ZERO)), []);
}
