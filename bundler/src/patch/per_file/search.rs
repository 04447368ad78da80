//! Finds what two files have in common: at once, or in windows if the old one is
//! too large for that.

use super::index::{Index, PIECE, WINDOW, index_memory};
use super::matches::{Coarse, Match};
use super::windows;
use super::work::Work;
use crate::patch::bytes::Bytes;
use notsotuf_stub::fs::FsError;

/// Returns all matches, in the order of the new file, without overlap there. Once the budget is spent, no more
/// are looked for.
///
/// # Errors
/// The file system's.
pub(super) fn search(
    old: &Bytes,
    new: &Bytes,
    work: &Work,
) -> Result<(Vec<Match>, Coarse), FsError> {
    if old.len() > WINDOW {
        return windows::search(old, new, work);
    }
    let _taken = work.gate.take(index_memory(old.len()));
    let text = old.all()?;
    let pieces: Vec<_> = (0..new.len())
        .step_by(PIECE)
        .map(|from| from..new.len().min(from + PIECE))
        .collect();
    let found = Index::new(&text).search(new, &pieces, work.budget)?;
    Ok((found.concat(), Coarse::default()))
}

#[cfg(test)]
mod tests {
    use super::super::budget::Budget;
    use super::super::work;
    use super::*;

    #[test]
    fn moved_and_changed_parts_are_found() {
        let mut state = 7u32;
        let mut noise = |length: usize| -> Vec<u8> {
            (0..length)
                .map(|_| {
                    state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                    (state >> 24) as u8
                })
                .collect()
        };
        let (a, b, c) = (noise(5000), noise(5000), noise(300));
        let old = [&a[..], &b].concat();
        let mut new = [&b[..], &c, &a].concat();
        new[100] ^= 1;
        new[6000] ^= 1;
        let matches = work::for_tests(Budget::UNLIMITED, |work| {
            search(&old.into(), &new.into(), work).unwrap().0
        });
        let expected = [
            Match {
                old: 5000,
                new: 0,
                length: 5000,
            },
            Match {
                old: 0,
                new: 5300,
                length: 5000,
            },
        ];
        assert_eq!(matches, expected);
    }
}
