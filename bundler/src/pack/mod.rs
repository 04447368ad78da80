//! Packs bundles into archives, and compresses them on all cores.

pub(crate) mod archive;
mod code_signing;
pub(crate) mod parallel_gzip;
pub(crate) mod pe;
mod unpacked;

pub(crate) use code_signing::{CodeSigning, FILE, SigningError};
pub(crate) use unpacked::Unpacked;
