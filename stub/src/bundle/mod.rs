//! The bundle: its manifest, the archive it travels in, and patches between
//! two of them.

mod entries;
pub mod manifest;
pub mod patch;
pub mod path_rules;
pub mod unpack;

pub use entries::Entries;
pub use manifest::{Entry, Kind, Manifest, TreeHash};
pub use path_rules::Rules;
