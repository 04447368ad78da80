//! Any bytes as an old Python module, and as what is made of it: predicted or
//! not, the new module is what it should be.
#![no_main]

use libfuzzer_sys::fuzz_target;
use notsotuf_stub::bundle::patch::marshal::{MarshalPredictor, Module};
use std::convert::Infallible;

/// What marks may take.
const MOST: u64 = 1 << 20;

// The first byte says what is known of the module; the next two, how long the
// old one is. The new one comes from it in stretches: two bytes say from
// where, one how long it is, one how many bytes of the input come in between.
fuzz_target!(|bytes: &[u8]| {
    let Some((&[how, low, high], bytes)) = bytes.split_first_chunk::<3>() else {
        return;
    };
    let Some(module) = Module::of_byte(how % 7) else {
        return;
    };
    let length = usize::from(u16::from_le_bytes([low, high])).min(bytes.len());
    let (old, mut rest) = bytes.split_at(length);
    let Some((mut predictor, weight)) = MarshalPredictor::new(old, module, MOST) else {
        return;
    };
    assert!(weight <= MOST);
    while let Some((&[low, high, length, literal], behind)) = rest.split_first_chunk::<4>() {
        let (literal, behind) = behind.split_at(usize::from(literal).min(behind.len()));
        predictor.literal(literal);
        rest = behind;
        let from = usize::from(u16::from_le_bytes([low, high]));
        let length = usize::from(length).min(old.len());
        // From before or behind the module, too, as covers may be.
        let here = from.min(old.len() - length);
        let mut bytes = old[here..here + length].to_vec();
        let at = if from > 60_000 { (from as u64).wrapping_sub(65_536) } else { here as u64 };
        let mut settled = 0;
        let result = predictor.run(&mut bytes, at, &mut |stretch| {
            settled += stretch.len();
            for byte in stretch {
                *byte = byte.wrapping_add(literal.first().copied().unwrap_or(0));
            }
            Ok::<(), Infallible>(())
        });
        assert!(result.is_ok());
        assert_eq!(settled, length);
    }
});
