//! Packs bundles into archives, and compresses them on all cores.

pub mod archive;
pub mod parallel_gzip;
mod unpacked;

pub use unpacked::Unpacked;
