//! Deals with the bundle: its manifest, the archive it travels in, and patches
//! between two of them.

mod common_prefix;
mod entries;
mod entry;
pub mod manifest;
pub mod manifest_text;
pub mod patch;
pub mod path_rules;
pub mod recompress;
mod tree_check;
pub mod unpack;

pub use common_prefix::common_prefix;
pub use entries::Entries;
pub use entry::{Entry, EntryKind};
pub use manifest::{Manifest, Tree, TreeHash};
pub use manifest_text::ManifestError;
pub use path_rules::Rules;
