//! Applying patches. The format is described in `docs/patch-format.md`.

mod apply;
mod budget;
mod covers;
mod error;
mod file_digest;
mod format;
mod input_stream;
mod materialize;
mod operation;
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
    FORMAT, MAGIC, MAX_COVERS, MAX_DICTIONARY, MAX_DIFF_SIZE, MAX_STREAM, MEMORY, STREAMS, op,
    stream,
};
pub use rebuild::BLOCK;
