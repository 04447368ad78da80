use super::address_map::{AddressMap, SPAN_WEIGHT, paint};
use super::*;
use crate::bundle::patch::covers::Cover;
use std::cmp::Reverse;
use std::collections::BTreeMap;

/// The rule of the format, word by word: the larger spans first, each where
/// nothing is yet.
fn by_the_rule(mut all: Vec<Span>, at: u64) -> Option<u64> {
    all.sort_by_key(|s| (Reverse(s.size), s.old, s.new));
    let right = all.iter().find(|s| (s.old..s.old + s.size).contains(&at))?;
    Some(at - right.old + right.new)
}

#[test]
fn overlapping_spans_are_put_apart_by_the_rule() {
    let mut seed = 7u32;
    let mut random = |below: u32| {
        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        u64::from((seed >> 8) % below)
    };
    for _ in 0..300 {
        let all: Vec<Span> = (0..random(12))
            .map(|_| Span {
                old: random(60),
                new: random(60),
                size: random(20),
            })
            .collect();
        let painted = paint(all.clone(), usize::MAX).unwrap();
        assert!(painted.len() <= 2 * all.len());
        let apart = painted.windows(2).all(|p| p[0].old + p[0].size <= p[1].old);
        assert!(apart, "{painted:?}");
        let found: BTreeMap<u64, u64> = painted
            .iter()
            .flat_map(|s| (0..s.size).map(|n| (s.old + n, s.new + n)))
            .collect();
        for at in 0..90 {
            assert_eq!(
                found.get(&at).copied(),
                by_the_rule(all.clone(), at),
                "{all:?}"
            );
        }
    }
}

/// Found by fuzzing: offsets that no file has.
#[test]
fn segments_and_covers_at_the_end_of_all_numbers_are_no_spans() {
    let at_the_end = |size| Segment {
        offset: u64::MAX - size,
        address: u64::MAX - size,
        size,
    };
    for (segment, skip, length) in [
        (at_the_end(5), 0, 100),
        (at_the_end(5), -6, 100),
        (at_the_end(100), -40, 100),
        (at_the_end(100), i64::MAX, 10),
    ] {
        let references = References {
            old_segments: vec![segment],
            new_segments: vec![segment],
            ..References::default()
        };
        assert!(references.is_valid());
        let cover = Cover {
            literal: 0,
            skip,
            length,
        };
        let (map, _) = AddressMap::new(&references, &[cover], 64 << 20).unwrap();
        assert_eq!(map.spans, []);
    }
}

#[test]
fn what_spans_take_in_memory_is_bounded() {
    let segment = Segment {
        offset: 0,
        address: 0,
        size: 1 << 30,
    };
    // One cover is in every one of the segments.
    let references = References {
        old_segments: vec![segment; MAX_SEGMENTS],
        new_segments: vec![segment],
        ..References::default()
    };
    let cover = Cover {
        literal: 0,
        skip: 0,
        length: 64,
    };
    let covers = [cover; 1000];
    let found = 64 * 1000 * SPAN_WEIGHT;
    let within = |most| Predictor::within(&references, &covers, AddressMap::WEIGHT + most);
    // All of them are the same, so little is left.
    let (_, weight) = within(4 * found).unwrap();
    assert!(weight < AddressMap::WEIGHT + found / 10);
    assert!(within(found - 1).is_none());
    let apart = [Cover { skip: 0, ..cover }; 1000];
    let one = References {
        old_segments: vec![segment],
        ..references.clone()
    };
    let most = AddressMap::WEIGHT + 3 * 1000 * SPAN_WEIGHT;
    assert!(Predictor::within(&one, &apart, most).is_some());
    // They begin one after the other and end together: all are kept in mind.
    let nested: Vec<Cover> = (0..7_000)
        .map(|n| Cover {
            literal: 0,
            skip: if n == 0 { 0 } else { 32 * (n - 7_001) },
            length: 32 * (7_001 - n as u64),
        })
        .collect();
    let bounded = |spans: u64| {
        let most = AddressMap::WEIGHT + spans * SPAN_WEIGHT;
        Predictor::within(&one, &nested, most).is_some()
    };
    assert!(!bounded(10_000) && bounded(30_000));
}
