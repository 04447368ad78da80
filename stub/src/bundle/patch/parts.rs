//! Describes a file that is made of old ones.

use crate::bundle::patch::marshal::Module;
use crate::bundle::patch::references::References;
use crate::bundle::recompress::Recipe;

/// Limits the old files that a new one is made of.
pub const MAX_OLD_FILES: usize = 64;

/// Says how a unit of an old file is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Packing {
    /// As it is.
    Stored,
    /// Bare deflate (RFC 1951).
    Deflate,
    /// In zlib's format (RFC 1950).
    Zlib,
}

/// Describes a member of an old file that is read as plain bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unit {
    /// Bytes between the end of the unit before, or the file's beginning, and
    /// this one.
    pub gap: u64,
    /// Plain bytes.
    pub size: u64,
    /// How they are stored.
    pub packing: Packing,
}

/// Describes an old file as a sequence of pieces: a gap, a unit, a gap, … and
/// what comes after the last unit, up to the file's end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OldFile {
    /// Its path in the old tree.
    pub path: String,
    /// In their order.
    pub units: Vec<Unit>,
}

impl OldFile {
    /// Describes a file that is read as it is.
    pub fn whole(path: String) -> Self {
        let units = Vec::new();
        OldFile { path, units }
    }

    /// Counts the pieces that it has.
    pub(super) fn pieces(&self) -> usize {
        2 * self.units.len() + 1
    }

    /// Counts the plain bytes of its units, which are at most 16 GiB.
    pub(super) fn plain(&self) -> u64 {
        self.units.iter().map(|unit| unit.size).sum()
    }

    /// Counts what a unit takes in memory, with its place among the pieces.
    pub(super) const UNIT_WEIGHT: u64 = size_of::<Unit>() as u64 + 2 * 64;

    /// Returns about how many bytes of memory it takes.
    pub(super) fn weight(&self) -> u64 {
        self.path.len() as u64 + self.units.len() as u64 * Self::UNIT_WEIGHT
    }
}

/// Says what is known of the content of a part, so that it can be predicted
/// from its old piece.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Prediction {
    /// Nothing.
    #[default]
    Nothing,
    /// It is a program; offsets are relative to the piece and to the part.
    Native(Box<References>),
    /// It is a marshalled Python module.
    Marshal(Module),
}

/// Describes a part of a new file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// Number of the old piece that it is most like, counted through all old
    /// files.
    pub piece: usize,
    /// Plain bytes.
    pub size: u64,
    /// How it is compressed; `None` if it is not.
    pub recipe: Option<Recipe>,
    /// How to predict it.
    pub prediction: Prediction,
}

impl Part {
    /// Counts what a part takes in memory besides its description, in a list that
    /// grows.
    pub(super) const WEIGHT: u64 = 3 * size_of::<Part>() as u64;

    /// Returns about how many bytes of memory it takes.
    pub(super) fn weight(&self) -> u64 {
        Self::WEIGHT + self.described()
    }

    /// Counts the bytes of its description, which lie elsewhere.
    pub(super) fn described(&self) -> u64 {
        match &self.prediction {
            Prediction::Native(references) => references.weight() as u64,
            _ => 0,
        }
    }
}
