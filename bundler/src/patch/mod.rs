//! Makes patches: file by file for the stub, and over whole archives for
//! clients of tufup.

pub mod bsdiff4;
pub mod members;
pub mod per_file;
