//! Makes patches: file by file for the stub, and over whole archives for
//! clients of tufup.

pub(crate) mod bsdiff4;
mod bytes;
pub(crate) mod members;
pub(crate) mod per_file;
