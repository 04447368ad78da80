//! Reads what a patch says of the parts of a file.

use crate::bundle::patch::PatchError;
use crate::bundle::patch::budget::Budget;
use crate::bundle::patch::format::{most_plain, unzigzag};
use crate::bundle::patch::input_stream::Stream;
use crate::bundle::patch::marshal::Module;
use crate::bundle::patch::parts::{MAX_OLD_FILES, OldFile, Packing, Part, Prediction, Unit};
use crate::bundle::path_rules::MAX_TOTAL;
use crate::bundle::recompress::Recipe;

impl Stream {
    /// Reads from which old file a new one of `size` bytes is made, as one part.
    pub(super) fn whole_file(
        &mut self,
        size: u64,
    ) -> Result<(Vec<OldFile>, Vec<Part>), PatchError> {
        let old = OldFile::whole(self.string()?);
        let part = Part {
            piece: 0,
            size,
            recipe: None,
            prediction: match self.byte()? {
                0 => Prediction::Nothing,
                1 => Prediction::Native(Box::new(self.references()?)),
                _ => return Err(PatchError::Malformed("an operation is unknown")),
            },
        };
        Ok((vec![old], vec![part]))
    }

    /// Reads from which old files a new one of `size` bytes is made, and its
    /// parts.
    pub(super) fn parts(
        &mut self,
        size: u64,
        budget: &mut Budget,
    ) -> Result<(Vec<OldFile>, Vec<Part>), PatchError> {
        let old = self.many(MAX_OLD_FILES, |input| input.old_file(budget))?;
        let mut pieces = Vec::with_capacity(old.iter().map(OldFile::pieces).sum());
        for file in &old {
            for unit in &file.units {
                pieces.extend([Some(unit.gap), Some(unit.size)]);
            }
            pieces.push(None);
        }
        let most = most_plain(size);
        let (mut next, mut total) = (0, 0u64);
        let mut parts = Vec::new();
        for _ in 0..self.number()? {
            let part = self.part(next, &pieces)?;
            budget.take(part.weight())?;
            next = part.piece + 1;
            total = total.saturating_add(part.size);
            if total > most {
                return Err(PatchError::Malformed(
                    "a file is larger than its size allows",
                ));
            }
            parts.push(part);
        }
        Ok((old, parts))
    }

    fn old_file(&mut self, budget: &mut Budget) -> Result<OldFile, PatchError> {
        let path = self.string()?;
        let mut units = Vec::new();
        let mut total = 0u64;
        for _ in 0..self.number()? {
            budget.take(OldFile::UNIT_WEIGHT)?;
            let gap = self.number()?;
            let number = self.number()?;
            let size = number >> 2;
            let packing = match number & 3 {
                0 => Packing::Stored,
                1 => Packing::Deflate,
                2 => Packing::Zlib,
                _ => return Err(PatchError::Malformed("how a member is packed is unknown")),
            };
            total = total.saturating_add(gap).saturating_add(size);
            if total > MAX_TOTAL {
                return Err(PatchError::Malformed("an old file is too large"));
            }
            units.push(Unit { gap, size, packing });
        }
        units.shrink_to_fit();
        Ok(OldFile { path, units })
    }

    /// Reads the next part. `pieces` are the sizes of the old pieces, as far as
    /// they are known; `next` is the piece behind that of the part before.
    fn part(&mut self, next: usize, pieces: &[Option<u64>]) -> Result<Part, PatchError> {
        const RECIPE: u8 = 0x3f;
        let flags = self.byte()?;
        let piece = (next as u64).wrapping_add_signed(unzigzag(self.number()?));
        let known = usize::try_from(piece).ok().and_then(|n| pieces.get(n));
        let known = known.ok_or(PatchError::Malformed("a part has no old piece"))?;
        let number = self.number()?;
        let size = match known {
            Some(size) => size.checked_add_signed(unzigzag(number)),
            None => Some(number),
        };
        let recipe = match flags & RECIPE {
            0 => None,
            byte => Some(Recipe::of_byte(byte).ok_or(PatchError::Malformed(
                "how a member is compressed is unknown",
            ))?),
        };
        Ok(Part {
            piece: piece as usize,
            size: size.ok_or(PatchError::Malformed("a part has less than no bytes"))?,
            recipe,
            prediction: match flags >> 6 {
                0 => Prediction::Nothing,
                1 => Prediction::Native(Box::new(self.references()?)),
                2 => {
                    let module = Module::of_byte(self.byte()?);
                    let unknown = PatchError::Malformed("a layout of bytecode is unknown");
                    Prediction::Marshal(module.ok_or(unknown)?)
                }
                _ => return Err(PatchError::Malformed("a prediction is unknown")),
            },
        })
    }
}
