//! Reads and writes addresses in the forms that instructions and tables hold
//! them in.

/// Describes one reference that was found in old bytes.
pub(super) struct Reference {
    /// Where its field begins, in the buffer.
    pub(super) field: usize,
    pub(super) width: usize,
    /// Where the search goes on.
    pub(super) next: usize,
    /// The address it leads to, in the old file.
    pub(super) target: u64,
    /// What it is relative to in the new file.
    pub(super) base: u64,
    pub(super) form: Form,
}

#[derive(Clone, Copy, PartialEq)]
pub(super) enum Form {
    /// Target less base.
    Plain,
    /// Base less target.
    Back,
    /// 26 bits of target less base, in units of 4 bytes.
    Branch,
    /// 21 bits in two parts, of the page of the target less that of the base.
    Page,
}

pub(super) const PAGE: u64 = 4096;

impl Reference {
    /// Returns the field, with its sign.
    pub(super) fn read(&self, bytes: &[u8]) -> u64 {
        match bytes[self.field..].first_chunk::<8>() {
            Some(field) if self.width == 8 => u64::from_le_bytes(*field),
            _ => i64::from(word(bytes, self.field) as i32) as u64,
        }
    }

    pub(super) fn write(&self, bytes: &mut [u8], target: u64) {
        let place = &mut bytes[self.field..self.field + self.width];
        let word = u32::from_le_bytes(place[..4].try_into().expect("at least four bytes"));
        let distance = target.wrapping_sub(self.base);
        let value = match self.form {
            Form::Plain => distance,
            Form::Back => distance.wrapping_neg(),
            Form::Branch => {
                u64::from(word & 0xfc00_0000) | ((distance as i64 >> 2) as u64 & 0x03ff_ffff)
            }
            Form::Page => {
                let pages = (target / PAGE).wrapping_sub(self.base / PAGE) as u32;
                u64::from(word & 0x9f00_001f | (pages & 3) << 29 | (pages >> 2 & 0x7ffff) << 5)
            }
        };
        place.copy_from_slice(&value.to_le_bytes()[..self.width]);
    }

    /// Returns where the field in `bytes` leads, taken as one of the new file.
    pub(super) fn target_of(&self, bytes: &[u8]) -> u64 {
        let value = self.read(bytes);
        match self.form {
            Form::Plain => self.base.wrapping_add(value),
            Form::Back => self.base.wrapping_sub(value),
            Form::Branch => self.base.wrapping_add(branch(value as u32)),
            Form::Page => page(value as u32, self.base),
        }
    }
}

pub(super) fn word(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(bytes[at..at + 4].try_into().expect("four bytes"))
}

/// Returns the distance of an AArch64 branch.
pub(super) fn branch(word: u32) -> u64 {
    i64::from((word << 6) as i32 >> 4) as u64
}

/// Returns the page that an AArch64 `adrp` at `base` leads to.
pub(super) fn page(word: u32, base: u64) -> u64 {
    let pages = word >> 29 & 3 | (word >> 5 & 0x7ffff) << 2;
    let pages = i64::from((pages << 11) as i32 >> 11) as u64;
    (base / PAGE).wrapping_add(pages).wrapping_mul(PAGE)
}
