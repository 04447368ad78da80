//! Any bytes, compressed by any recipe: they inflate to themselves, however
//! they were cut.
#![no_main]

use flate2::{Decompress, FlushDecompress, Status};
use libfuzzer_sys::fuzz_target;
use notsotuf_stub::bundle::recompress::{Recipe, Recompressor};

fn compressed(recipe: Recipe, plain: &[u8], piece: usize) -> Vec<u8> {
    let mut output = Vec::new();
    let mut stream = Recompressor::new(recipe, plain.len() as u64, &mut output);
    for piece in plain.chunks(piece) {
        stream.write(piece, &mut output);
    }
    stream.finish(&mut output);
    output
}

// The first byte says the recipe, the next one how often what follows comes
// again: windows are larger than inputs.
fuzz_target!(|bytes: &[u8]| {
    let Some((&[recipe, times], once)) = bytes.split_first_chunk::<2>() else {
        return;
    };
    let Some(recipe) = Recipe::of_byte(1 + recipe % 54) else {
        return;
    };
    let plain = once.repeat(1 + usize::from(times) * 300_000 / (once.len() + 1) / 256);
    let stream = compressed(recipe, &plain, 1 << 17);
    assert!(stream == compressed(recipe, &plain, 997 + usize::from(times)));
    let mut inflated = Vec::with_capacity(plain.len() + 1);
    let mut inflate = Decompress::new(recipe.wrapped);
    let status = inflate.decompress_vec(&stream, &mut inflated, FlushDecompress::Finish);
    assert_eq!(status.unwrap(), Status::StreamEnd);
    assert!(inflated == plain && inflate.total_in() == stream.len() as u64);
});
