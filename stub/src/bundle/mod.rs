//! The bundle: its manifest, the archive it travels in, and patches between
//! two of them.

pub mod archive;
pub mod manifest;
pub mod patch;
pub mod rules;

pub use manifest::{Entry, Kind, Manifest, TreeHash};
pub use rules::Rules;
