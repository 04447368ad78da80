use super::*;
use crate::hex::sha256_hex;
use flate2::Decompress;
use flate2::FlushDecompress;

/// Text with repetitions near and far, and noise.
fn samples() -> Vec<Vec<u8>> {
    let mut state = 1u32;
    let mut next = move || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        state >> 16
    };
    let noise: Vec<u8> = (0..100_000).map(|_| next() as u8).collect();
    let words: Vec<u8> = (0..150_000)
        .map(|n| b"abcdefgh  \n"[(n * 7 + next() as usize % 5) % 11])
        .collect();
    let mut mixed = [&words[..70_000], &noise[..40_000], &words[..70_000]].concat();
    mixed.extend(std::iter::repeat_n(0, 80_000));
    vec![
        vec![],
        b"a".to_vec(),
        b"abcabcabc".to_vec(),
        noise,
        words,
        mixed,
    ]
}

fn compressed(recipe: Recipe, plain: &[u8], piece: usize) -> Vec<u8> {
    let mut output = Vec::new();
    let mut stream = Recompressor::new(recipe, plain.len() as u64, &mut output);
    for piece in plain.chunks(piece) {
        stream.write(piece, &mut output);
    }
    stream.finish(&mut output);
    output
}

fn recipes() -> impl Iterator<Item = Recipe> {
    Compressor::ALL.into_iter().flat_map(|compressor| {
        (1..=9).flat_map(move |level| {
            [false, true].map(|wrapped| Recipe {
                compressor,
                level,
                wrapped,
            })
        })
    })
}

#[test]
fn every_recipe_makes_a_stream_of_the_plain_bytes_however_they_are_cut() {
    for plain in samples() {
        for recipe in recipes() {
            let stream = compressed(recipe, &plain, 1 << 17);
            assert!(stream == compressed(recipe, &plain, 999), "{recipe:?}");
            let mut inflated = Vec::with_capacity(plain.len() + 1);
            let mut inflate = Decompress::new(recipe.wrapped);
            let status = inflate.decompress_vec(&stream, &mut inflated, FlushDecompress::Finish);
            assert_eq!(status.unwrap(), Status::StreamEnd, "{recipe:?}");
            assert_eq!(inflate.total_in(), stream.len() as u64);
            assert!(inflated == plain, "{recipe:?}");
        }
    }
}

#[test]
fn a_byte_says_a_recipe_or_none() {
    for recipe in recipes() {
        assert_eq!(Recipe::of_byte(recipe.byte()), Some(recipe));
    }
    for byte in [0, 55, 63, 64, 255] {
        assert_eq!(Recipe::of_byte(byte), None, "{byte:#x}");
    }
}

mod hashes;

/// Sizes around the edges of matches, windows, and what is given at a time.
const SIZES: [usize; 30] = [
    0, 1, 2, 3, 4, 257, 258, 259, 260, 261, 262, 263, 4096, 32505, 32506, 32507, 32767, 32768,
    32769, 65273, 65274, 65275, 65400, 65535, 65536, 65537, 98303, 98304, 98305, 131_072,
];

fn random(seed: u32) -> impl FnMut() -> usize {
    let mut state = seed;
    move || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 16) as usize
    }
}

/// Words of a few letters, rare ones and frequent ones, and longer repetitions.
fn text(seed: u32, size: usize) -> Vec<u8> {
    let mut next = random(seed);
    let mut words: Vec<Vec<u8>> = Vec::new();
    for _ in 0..500 {
        let length = 1 + next() % 9;
        let mut word: Vec<u8> = (0..length).map(|_| (97 + next() % 26) as u8).collect();
        word.push(b' ');
        words.push(word);
    }
    let mut made = Vec::new();
    while made.len() < size {
        if next().is_multiple_of(64) && !made.is_empty() {
            let start = next() * 7 % made.len();
            let end = (start + next() % 400).min(made.len());
            made.extend_from_within(start..end);
        } else {
            let choice = next();
            made.extend_from_slice(&words[choice % (1 + next() % 500)]);
        }
    }
    made.truncate(size);
    made
}

fn noise(seed: u32, size: usize) -> Vec<u8> {
    let mut next = random(seed);
    (0..size).map(|_| next() as u8).collect()
}

/// Two of them, in no order: many matches, all of them short.
fn letters(seed: u32, size: usize) -> Vec<u8> {
    let mut next = random(seed);
    (0..size).map(|_| (97 + (next() >> 7 & 1)) as u8).collect()
}

/// Small numbers more often than large ones, so that codes get long.
fn skewed(seed: u32, size: usize) -> Vec<u8> {
    let mut next = random(seed);
    let one = |_| {
        let bits = next().trailing_ones().min(15) as usize;
        let low = if bits < 3 { next() & 0xf } else { 0 };
        (bits * 16 + low) as u8
    };
    (0..size).map(one).collect()
}

/// Those of `tests/hashes.py`, kind by kind.
fn hashed_samples() -> [Vec<Vec<u8>>; 6] {
    let long = text(1, 131_072);
    let mixed = [
        text(2, 70_000),
        noise(3, 40_000),
        text(2, 70_000),
        vec![0; 80_000],
        noise(4, 5_000),
    ];
    let once = noise(5, 30_000);
    [
        SIZES.map(|size| long[..size].to_vec()).to_vec(),
        vec![mixed.concat()],
        vec![noise(6, 100_000), once.repeat(2), noise(7, 65_536)],
        [300, 32_768, 65_536, 300_000]
            .map(|size| vec![0; size])
            .to_vec(),
        vec![letters(8, 50_000)],
        vec![skewed(9, 120_000)],
    ]
}

fn assert_makes(compressor: Compressor, expected: &[[&str; 9]; 6]) {
    for (number, (samples, levels)) in hashed_samples().iter().zip(expected).enumerate() {
        for (level, expected) in (1..=9).zip(levels) {
            let recipe = Recipe {
                compressor,
                level,
                wrapped: true,
            };
            let streams = samples.iter();
            let streams = streams.map(|sample| compressed(recipe, sample, 1 << 17));
            let hash = sha256_hex(&streams.collect::<Vec<_>>().concat());
            assert_eq!(&hash[..16], *expected, "samples {number}, {recipe:?}");
        }
    }
}

#[test]
fn what_zlib_makes_is_made_byte_for_byte() {
    assert_makes(Compressor::Zlib, &hashes::ZLIB);
}

#[test]
fn what_zlib_ng_makes_is_made_byte_for_byte() {
    assert_makes(Compressor::ZlibNgWhole, &hashes::ZLIB_NG_WHOLE);
    assert_makes(Compressor::ZlibNgPieces, &hashes::ZLIB_NG_PIECES);
}
