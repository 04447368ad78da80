//! Compares bytes from their beginning on.

/// Counts the bytes that are the same in both, from the beginning on.
#[inline]
pub fn common_prefix(one: &[u8], other: &[u8]) -> usize {
    let length = one.len().min(other.len());
    let (one, other) = (&one[..length], &other[..length]);
    let mut at = 0;
    for (a, b) in one.chunks_exact(8).zip(other.chunks_exact(8)) {
        let word = |bytes: &[u8]| u64::from_le_bytes(bytes.try_into().expect("eight bytes"));
        let difference = word(a) ^ word(b);
        if difference != 0 {
            return at + (difference.trailing_zeros() / 8) as usize;
        }
        at += 8;
    }
    let rest = one[at..].iter().zip(&other[at..]);
    at + rest.take_while(|(a, b)| a == b).count()
}
