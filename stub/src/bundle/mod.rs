//! The bundle: its manifest, the archive it travels in, and patches between
//! two of them.

pub mod archive;
mod entries;
pub mod manifest;
mod members;
pub mod patch;
pub mod rules;

pub use entries::Entries;
pub use manifest::{Entry, Kind, Manifest, TreeHash};
pub use rules::Rules;
