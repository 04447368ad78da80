//! Predicts one part of a new file.

use crate::bundle::patch::covers::Cover;
use crate::bundle::patch::marshal::MarshalPredictor;
use crate::bundle::patch::parts::Prediction;
use crate::bundle::patch::references::Predictor;

/// Rewrites old bytes to what they are likely to be in one part of a new file.
/// Positions in old bytes are relative to the part's old piece, and wrap
/// around where they come before it.
pub enum PartPredictor<'a> {
    /// Takes the old bytes themselves.
    Nothing,
    /// Predicts references of machine code.
    Native(Predictor<'a>),
    /// Predicts numbers in marshalled objects.
    Marshal(MarshalPredictor),
}

impl<'a> PartPredictor<'a> {
    /// Creates the predictor of a part that has `covers`, and returns it with
    /// what it takes in memory; `None` if that would be more than `most`. `old`
    /// is the old piece, which is looked at only where modules are predicted.
    pub fn new(
        prediction: &'a Prediction,
        covers: &[Cover],
        old: &[u8],
        most: u64,
    ) -> Option<(Self, u64)> {
        Some(match prediction {
            Prediction::Nothing => (PartPredictor::Nothing, 0),
            Prediction::Native(references) => {
                let (predictor, weight) = Predictor::within(references, covers, most)?;
                (PartPredictor::Native(predictor), weight)
            }
            Prediction::Marshal(module) => {
                let (predictor, weight) = MarshalPredictor::new(old, *module, most)?;
                (PartPredictor::Marshal(predictor), weight)
            }
        })
    }

    /// Takes bytes of the part that come from nowhere in the old file.
    pub fn literal(&mut self, bytes: &[u8]) {
        if let PartPredictor::Marshal(predictor) = self {
            predictor.literal(bytes);
        }
    }

    /// Works on `bytes`, which come from `old_at` and go to `new_at` of the
    /// part. `settle` is called on one stretch after the other, in order, and
    /// must turn predicted bytes into true ones.
    ///
    /// # Errors
    /// What `settle` returned.
    pub fn run<E>(
        &mut self,
        bytes: &mut [u8],
        old_at: u64,
        new_at: u64,
        settle: &mut dyn FnMut(&mut [u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        match self {
            // Before the piece there is nothing to know.
            PartPredictor::Native(predictor)
                if old_at.checked_add(bytes.len() as u64).is_some() =>
            {
                predictor.run(bytes, old_at, new_at, settle)
            }
            PartPredictor::Marshal(predictor) => predictor.run(bytes, old_at, settle),
            _ => settle(bytes),
        }
    }
}
