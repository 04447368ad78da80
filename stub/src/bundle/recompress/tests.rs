use super::*;
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
