//! Packs bundles into archives, and compresses them on all cores.

pub(crate) mod archive;
pub(crate) mod parallel_gzip;
mod unpacked;

pub(crate) use unpacked::Unpacked;
