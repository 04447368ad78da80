//! Predicts Python's bytecode, as `marshal` writes it.
//!
//! Modules travel as marshalled code objects. In those, an object that is
//! needed again is counted, and later a reference says its number; each
//! function says its first line. One object or line more, and all numbers
//! behind it change. Here they are counted along in the new module, so that
//! a patch holds only what really changed.
//!
//! As with references in machine code, the bundler and the stub run the same
//! code, and a wrong guess costs bytes, never correctness: what is no
//! marshalled code is plain bytes from where that shows.

mod predictor;
mod walker;

pub use predictor::MarshalPredictor;
pub use walker::{Layout, Meaning, Module, Walker};

#[cfg(test)]
mod tests;
