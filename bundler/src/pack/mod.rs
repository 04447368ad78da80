//! Archives of bundles: packing them, and compressing them on all cores.

pub mod archive;
pub mod parallel_gzip;
