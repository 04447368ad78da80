//! Makes marshalled modules comparable: a reference says a number that many
//! others changed, so for the search it is replaced by what it refers to.

use notsotuf_stub::bundle::patch::marshal::{Meaning, Module, Walker};

/// Replaces references by a hash of the objects that they lead to, and first
/// lines by nothing, in place.
pub(super) fn normalize(bytes: &mut [u8], module: Module) {
    let mut walker = Walker::new(module);
    let mut fields = Vec::new();
    let mut starts = Vec::new();
    for (at, &byte) in bytes.iter().enumerate() {
        match walker.feed(byte) {
            Some(Meaning::Object(_)) => starts.push(at),
            Some(Meaning::Reference) => fields.push((at, true)),
            Some(Meaning::Line | Meaning::Number(_)) => fields.push((at, false)),
            None => {}
        }
    }
    let hashes: Vec<u32> = starts.iter().map(|&at| hash(bytes, at)).collect();
    for (at, reference) in fields {
        let Some(field) = bytes.get_mut(at..at + 4) else {
            continue;
        };
        let number = u32::from_le_bytes(field.try_into().expect("four bytes"));
        let value = if reference {
            hashes.get(number as usize).copied().unwrap_or(0)
        } else {
            0
        };
        field.copy_from_slice(&value.to_le_bytes());
    }
}

/// Hashes the object that begins at `at`: its first bytes, which are all of a
/// name.
fn hash(bytes: &[u8], at: usize) -> u32 {
    const MOST: usize = 64;
    let length = match bytes[at] & 0x7f {
        b'z' | b'Z' => 2 + usize::from(bytes.get(at + 1).copied().unwrap_or(0)),
        b'i' => 5,
        b'g' => 9,
        b's' | b'u' | b't' | b'a' | b'A' => match bytes.get(at + 1..at + 5) {
            Some(size) => {
                let size = u32::from_le_bytes(size.try_into().expect("four bytes"));
                5usize.saturating_add(size as usize)
            }
            None => 1,
        },
        _ => 2,
    };
    let end = at + length.min(MOST).min(bytes.len() - at);
    // FNV-1a, without the bit that says that it is counted.
    bytes[at..end]
        .iter()
        .enumerate()
        .fold(0x811c_9dc5, |hash, (n, &byte)| {
            let byte = if n == 0 { byte & 0x7f } else { byte };
            (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193)
        })
}
