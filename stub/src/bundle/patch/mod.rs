//! Applies patches. The format is described in
//! `docs/reference/patch-format.md`.

mod apply;
mod budget;
mod covers;
mod error;
mod file_digest;
mod format;
mod input_stream;
pub mod marshal;
mod materialize;
mod operation;
mod output;
mod part_predictor;
pub mod parts;
mod parts_reader;
mod plain_view;
mod reader;
mod rebuild;
pub mod references;
mod tree_overlay;

pub use apply::apply_patch;
pub use error::PatchError;
pub use file_digest::{hash_file, verify_file};
pub use tree_overlay::TreeOverlay;

pub use covers::{Cover, Start};
pub use format::{
    Format, MAX_COVERS, MAX_DICTIONARY, MAX_DIFF_SIZE, MAX_INFLATED, MAX_PLAIN_RATIO, MAX_STREAM,
    MEMORY, MIN_PLAIN, STORED, STREAMS, most_plain, op, stream,
};
pub use part_predictor::PartPredictor;
pub use rebuild::BLOCK;

#[cfg(test)]
mod tests;
