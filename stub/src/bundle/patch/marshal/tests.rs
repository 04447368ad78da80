use super::*;
use std::convert::Infallible;

/// The module of `samples/make.py`, as a Python writes it, and with some lines
/// and objects more; and the first lines of its code objects, in their order.
struct Sample {
    layout: Layout,
    old: &'static [u8],
    new: &'static [u8],
    lines: &'static [u32],
}

const SAMPLES: [Sample; 4] = [
    Sample {
        layout: Layout::Python34,
        old: include_bytes!("samples/37-old"),
        new: include_bytes!("samples/37-new"),
        lines: &[6, 15, 14, 11, 18, 1],
    },
    Sample {
        layout: Layout::Python38,
        old: include_bytes!("samples/38-old"),
        new: include_bytes!("samples/38-new"),
        lines: &[6, 15, 14, 11, 18, 1],
    },
    Sample {
        layout: Layout::Python311,
        old: include_bytes!("samples/311-old"),
        new: include_bytes!("samples/311-new"),
        lines: &[6, 15, 14, 11, 18, 1],
    },
    // It has comprehensions in the functions that they are in.
    Sample {
        layout: Layout::Python311,
        old: include_bytes!("samples/313-old"),
        new: include_bytes!("samples/313-new"),
        lines: &[6, 14, 11, 18, 1],
    },
];

fn bare(layout: Layout) -> Module {
    let is_file = false;
    Module { layout, is_file }
}

/// What a walker says, byte by byte, and whether it understood it all.
fn walked(module: Module, bytes: &[u8]) -> (Vec<(usize, Meaning)>, bool) {
    let mut walker = Walker::new(module);
    let feed = |(at, byte): (usize, &u8)| Some((at, walker.feed(*byte)?));
    let meanings = bytes.iter().enumerate().filter_map(feed).collect();
    (meanings, walker.is_complete())
}

fn field(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap())
}

#[test]
fn what_pythons_write_is_understood() {
    for sample in SAMPLES {
        let (meanings, complete) = walked(bare(sample.layout), sample.old);
        assert!(complete, "{:?}", sample.layout);
        let (mut objects, mut lines) = (0, Vec::new());
        for (at, meaning) in meanings {
            match meaning {
                Meaning::Object(number) => {
                    assert_eq!(number, objects);
                    objects += 1;
                }
                // Of what came before, not of what is to come.
                Meaning::Reference => assert!(field(sample.old, at) < objects),
                Meaning::Line => lines.push(field(sample.old, at)),
                Meaning::Number(_) => panic!("a constant of a module is no number of a table"),
            }
        }
        assert_eq!(lines, sample.lines);
        assert!(objects > 10);
        for other in Layout::ALL {
            let (_, complete) = walked(bare(other), sample.old);
            assert_eq!(complete, other == sample.layout, "{other:?}");
        }
    }
}

#[test]
fn a_file_has_a_header_before_its_object() {
    for sample in SAMPLES {
        let file = [&b"\xa7\r\r\n"[..], &[0xff; 12], sample.old].concat();
        let (layout, is_file) = (sample.layout, true);
        let (in_file, complete) = walked(Module { layout, is_file }, &file);
        assert!(complete);
        let (in_object, _) = walked(bare(layout), sample.old);
        let moved = in_object.iter().map(|&(at, meaning)| (at + 16, meaning));
        assert!(in_file.into_iter().eq(moved));
        assert!(!walked(bare(layout), &file).1);
    }
}

/// `[("a", (0, 100, 70000)), ("b", …)]`, as that of a PYZ.
fn table(entries: &[(&str, [u32; 3])]) -> Vec<u8> {
    let mut bytes = [&b"["[..], &(entries.len() as u32).to_le_bytes()].concat();
    for (name, numbers) in entries {
        bytes.extend(b")\x02\xda");
        bytes.push(name.len() as u8);
        bytes.extend(name.as_bytes());
        bytes.extend(b"\xa9\x03");
        for number in numbers {
            bytes.push(b'i');
            bytes.extend(number.to_le_bytes());
        }
    }
    bytes
}

#[test]
fn numbers_of_a_table_say_their_place() {
    let bytes = table(&[("a", [0, 17, 300]), ("b.c", [1, 317, 70_000])]);
    for layout in Layout::ALL {
        let (meanings, complete) = walked(bare(layout), &bytes);
        assert!(complete);
        let numbers = meanings.iter().filter_map(|&(at, meaning)| match meaning {
            Meaning::Number(left) => Some((left, field(&bytes, at))),
            _ => None,
        });
        let expected = [(3, 0), (2, 17), (1, 300), (3, 1), (2, 317), (1, 70_000)];
        assert!(numbers.eq(expected));
    }
}

#[test]
fn each_kind_of_object_ends_where_it_ends() {
    for object in [
        &b"N"[..],
        b"F",
        b"T",
        b"S",
        b".",
        b"i\x01\0\0\0",
        b"I12345678",
        b"g12345678",
        b"y1234567890123456",
        b"f\x031.5",
        // Digits of two bytes, two of them, of a negative number.
        b"l\xfe\xff\xff\xff1234",
        b"l\0\0\0\0",
        b"s\x02\0\0\0ab",
        b"s\0\0\0\0",
        b"u\x02\0\0\0ab",
        b"t\x02\0\0\0ab",
        b"a\x02\0\0\0ab",
        b"A\x02\0\0\0ab",
        b"z\x02ab",
        b"Z\0",
        b")\0",
        b")\x02NN",
        b"(\x02\0\0\0NN",
        b"[\x01\0\0\0N",
        b"<\x01\0\0\0N",
        b">\x01\0\0\0N",
        b"{z\x01aNz\x01bN0",
        b"{0",
        // A slice (3.14).
        b":NNN",
        b"r\0\0\0\0",
    ] {
        for counted in [0, 0x80] {
            let mut object = object.to_vec();
            object[0] |= counted;
            let whole = |bytes: &[u8]| walked(bare(Layout::Python311), bytes).1;
            assert!(whole(&object), "{object:?}");
            assert!(!whole(&object[..object.len() - 1]), "{object:?}");
            assert!(!whole(&[&object[..], b"N"].concat()), "{object:?}");
            let tuple = [&b")\x02"[..], &object, b"N"].concat();
            assert!(whole(&tuple), "{tuple:?}");
        }
    }
}

/// The same on each machine.
fn random(seed: u32) -> impl FnMut(u32) -> u32 {
    let mut state = seed;
    move |below| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 8) % below
    }
}

#[test]
fn what_is_cut_or_garbage_is_not_understood() {
    for sample in SAMPLES {
        let module = bare(sample.layout);
        for cut in 0..sample.old.len() {
            assert!(!walked(module, &sample.old[..cut]).1, "{cut}");
        }
    }
    let mut random = random(3);
    for _ in 0..20_000 {
        // Types are ASCII, so that something comes of it.
        let length = 1 + random(200);
        let mut bytes: Vec<u8> = (0..length).map(|_| random(128) as u8).collect();
        bytes[0] = b'c';
        for layout in Layout::ALL {
            for is_file in [false, true] {
                walked(Module { layout, is_file }, &bytes);
            }
        }
    }
    for unknown in [b'x', b'R', b'?', b'0', 0] {
        assert!(!walked(bare(Layout::Python311), &[unknown]).1);
    }
}

#[test]
fn a_bit_that_flips_is_no_harm() {
    let sample = &SAMPLES[2];
    for at in 0..8 * sample.old.len() {
        let mut damaged = sample.old.to_vec();
        damaged[at / 8] ^= 1 << (at % 8);
        walked(bare(sample.layout), &damaged);
        let made = remade(bare(sample.layout), &damaged, sample.new, 8);
        assert!(made.result == sample.new, "{at}");
    }
}

#[test]
fn objects_lie_within_each_other_no_deeper_than_bounded() {
    let nested = |depth: usize| [b")\x01".repeat(depth), b"N".to_vec()].concat();
    let module = bare(Layout::Python311);
    assert!(walked(module, &nested(1000)).1);
    assert!(!walked(module, &nested(1001)).1);
    let endless = b"\xe3".repeat(1 << 20);
    assert!(!walked(module, &endless).1);
    // Nor is more taken for it than was said.
    let (_, weight) = MarshalPredictor::new(&b"[".repeat(1 << 20), module, 1 << 20).unwrap();
    assert!(weight < 1 << 20);
}

#[test]
fn a_byte_says_a_module_or_none() {
    let mut known = 0;
    for byte in 0..=u8::MAX {
        if let Some(module) = Module::of_byte(byte) {
            assert_eq!(module.byte(), byte);
            known += 1;
        }
    }
    assert_eq!(known, 2 * Layout::ALL.len());
}

/// A module as it was made of another one, and what that took.
struct Remade {
    result: Vec<u8>,
    /// Bytes that were not predicted, those from nowhere not counted.
    wrong: usize,
}

/// Fields as nothing, since they would be in the way of a search.
fn masked(module: Module, bytes: &[u8]) -> Vec<u8> {
    let mut masked = bytes.to_vec();
    for (at, meaning) in walked(module, bytes).0 {
        if !matches!(meaning, Meaning::Object(_)) {
            let end = (at + 4).min(masked.len());
            masked[at..end].fill(0);
        }
    }
    masked
}

/// Makes `new` of `old`, as a patch does: of stretches of at least `least`
/// bytes that are alike but for fields.
fn remade(module: Module, old: &[u8], new: &[u8], least: usize) -> Remade {
    let (alike, wanted) = (masked(module, old), masked(module, new));
    let mut predictor = MarshalPredictor::new(old, module, u64::MAX).unwrap().0;
    let mut made = Remade {
        result: Vec::new(),
        wrong: 0,
    };
    while made.result.len() < new.len() {
        let at = made.result.len();
        let common = |from: usize| {
            let pairs = alike[from..].iter().zip(&wanted[at..]);
            pairs.take_while(|(one, other)| one == other).count()
        };
        let longest = (0..old.len()).map(|from| (common(from), from)).max();
        match longest {
            Some((length, from)) if length >= least => {
                cover(&mut predictor, old, from, &new[at..at + length], &mut made);
            }
            _ => {
                predictor.literal(&new[at..=at]);
                made.result.push(new[at]);
            }
        }
    }
    made
}

/// The next bytes of the new module, `actual`, from the old one's at `from`.
fn cover(
    predictor: &mut MarshalPredictor,
    old: &[u8],
    from: usize,
    actual: &[u8],
    made: &mut Remade,
) {
    run(
        predictor,
        &old[from..from + actual.len()],
        from as u64,
        actual,
        made,
    );
}

fn run(
    predictor: &mut MarshalPredictor,
    bytes: &[u8],
    old_at: u64,
    actual: &[u8],
    made: &mut Remade,
) {
    let mut bytes = bytes.to_vec();
    let mut rest = actual;
    let mut settle = |stretch: &mut [u8]| {
        let (here, behind) = rest.split_at(stretch.len());
        rest = behind;
        let wrong = stretch.iter().zip(here).filter(|(one, other)| one != other);
        made.wrong += wrong.count();
        stretch.copy_from_slice(here);
        Ok::<(), Infallible>(())
    };
    let Ok(()) = predictor.run(&mut bytes, old_at, &mut settle);
    assert!(rest.is_empty(), "each byte is settled");
    made.result.extend(bytes);
}

/// The bytes in which fields differ, if nothing is predicted.
fn unpredicted(module: Module, old: &[u8], new: &[u8]) -> usize {
    let fields = |bytes: &[u8]| -> Vec<u32> {
        let meanings = walked(module, bytes).0.into_iter();
        let fields = meanings.filter(|(_, m)| !matches!(m, Meaning::Object(_)));
        fields.map(|(at, _)| field(bytes, at)).collect()
    };
    let (old, new) = (fields(old), fields(new));
    old.iter()
        .zip(&new)
        .filter(|(one, other)| one != other)
        .count()
}

#[test]
fn a_module_that_stays_is_predicted_exactly() {
    for sample in SAMPLES {
        let made = remade(bare(sample.layout), sample.old, sample.old, 8);
        assert!(made.result == sample.old);
        assert_eq!(made.wrong, 0);
    }
}

#[test]
fn of_a_module_with_more_lines_and_objects_few_fields_are_not_predicted() {
    let mut without = 0;
    for sample in SAMPLES {
        let module = bare(sample.layout);
        let made = remade(module, sample.old, sample.new, 12);
        assert!(made.result == sample.new);
        assert!(made.wrong <= 2, "{}", made.wrong);
        without += unpredicted(module, sample.old, sample.new);
    }
    // Older Pythons refer to less.
    assert!(without > 60, "{without}");
}

#[test]
fn the_numbers_of_a_table_move_together() {
    let old: Vec<(String, [u32; 3])> = (0..50)
        .map(|n| (format!("module{n:03}"), [n % 2, 17 + 1000 * n, 1000]))
        .collect();
    let mut new = old.clone();
    new[3].1[2] += 5;
    for (_, numbers) in &mut new[4..] {
        numbers[1] += 5;
    }
    let [old, new] = [old, new].map(|entries| {
        let entries: Vec<_> = entries.iter().map(|(name, n)| (&name[..], *n)).collect();
        table(&entries)
    });
    let module = bare(Layout::Python311);
    let made = remade(module, &old, &new, 8);
    assert!(made.result == new);
    // The size that changed, that it does not go on, and the first place.
    assert!(made.wrong <= 6, "{}", made.wrong);
    assert!(unpredicted(module, &old, &new) > 40);
}

#[test]
fn what_marks_take_in_memory_is_bounded() {
    let sample = &SAMPLES[2];
    let module = bare(sample.layout);
    let (_, weight) = MarshalPredictor::new(sample.old, module, u64::MAX).unwrap();
    assert!(MarshalPredictor::new(sample.old, module, weight).is_some());
    assert!(MarshalPredictor::new(sample.old, module, weight - 1).is_none());
    // Each byte is an object.
    let many = [&b"(\xff\xff\xff\x00"[..], &b"\xce".repeat(1 << 20)].concat();
    let (_, weight) = MarshalPredictor::new(&many, module, u64::MAX).unwrap();
    assert!(weight > 40 << 20);
    assert!(MarshalPredictor::new(&many, module, 40 << 20).is_none());
}

#[test]
fn covers_that_fit_nowhere_are_made_right_all_the_same() {
    let sample = &SAMPLES[2];
    let module = bare(sample.layout);
    let (old, new) = (sample.old, sample.new);
    let predictor = || MarshalPredictor::new(old, module, u64::MAX).unwrap().0;
    let mut made = Remade {
        result: Vec::new(),
        wrong: 0,
    };
    // From before the piece on, and from behind it.
    for old_at in [u64::MAX, u64::MAX - 7, 1 << 40, old.len() as u64] {
        made.result.clear();
        let mut predictor = predictor();
        let bytes = &old[..new.len().min(old.len())];
        run(
            &mut predictor,
            bytes,
            old_at,
            &new[..bytes.len()],
            &mut made,
        );
        run(&mut predictor, &[], old_at, &[], &mut made);
        assert!(made.result == new[..bytes.len()]);
    }
    // Across all fields, cut in all ways, from all places.
    let mut random = random(5);
    for _ in 0..300 {
        made.result.clear();
        let mut predictor = predictor();
        while made.result.len() < new.len() {
            let at = made.result.len();
            let length = (random(40) as usize).min(new.len() - at);
            let from = random((old.len() - length) as u32) as usize;
            cover(&mut predictor, old, from, &new[at..at + length], &mut made);
            let literal = (random(6) as usize).min(new.len() - at - length);
            let literal = &new[at + length..][..literal];
            predictor.literal(literal);
            made.result.extend(literal);
        }
        assert!(made.result == new);
    }
}

#[test]
fn a_field_that_is_cut_is_left_as_it_is() {
    let sample = &SAMPLES[2];
    let module = bare(sample.layout);
    let (meanings, _) = walked(module, sample.old);
    let fields = meanings.iter().filter(|(_, m)| *m == Meaning::Reference);
    for &(at, _) in fields {
        for (start, end) in [(at, at + 3), (at + 1, at + 4), (at + 2, at + 3)] {
            let mut predictor = MarshalPredictor::new(sample.old, module, u64::MAX)
                .unwrap()
                .0;
            // As if two objects more came before.
            predictor.literal(b"\xe3");
            let mut bytes = sample.old[start..end].to_vec();
            let mut seen = Vec::new();
            let Ok(()) = predictor.run(&mut bytes, start as u64, &mut |stretch| {
                seen.extend_from_slice(stretch);
                Ok::<(), Infallible>(())
            });
            assert_eq!(seen, &sample.old[start..end]);
        }
    }
}

#[test]
fn an_error_of_what_settles_is_passed_on() {
    let sample = &SAMPLES[2];
    let predictor = MarshalPredictor::new(sample.old, bare(sample.layout), u64::MAX);
    let mut bytes = sample.old.to_vec();
    let mut calls = 0;
    let result = predictor.unwrap().0.run(&mut bytes, 0, &mut |_| {
        calls += 1;
        if calls == 5 { Err("enough") } else { Ok(()) }
    });
    assert_eq!((result, calls), (Err("enough"), 5));
}
