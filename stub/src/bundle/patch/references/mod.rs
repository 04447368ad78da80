//! Predicts references: where code or data moves within a program, every
//! address that leads there changes with it. A plain binary difference pays for
//! each of them; here the old bytes are first rewritten to what they should be
//! in the new file, and only what that gets wrong is in the patch.
//!
//! The bundler and the stub run this same code, one to find out what is
//! wrong, the other to fix it. So it need not understand a program, it only
//! has to do the same thing twice: which bytes are references is a matter of
//! patterns, and a wrong guess costs bytes, never correctness.
//!
//! Nothing here knows an executable format. The bundler reads the headers
//! and sends a [`References`].

mod aarch64;
mod address_map;
mod description;
mod form;
mod predictor;
mod region_window;
mod tables;
mod x86_64;

pub use description::{
    MAX_REGIONS, MAX_SEGMENTS, MAX_SPANS, ReferenceKind, References, Region, Segment, Span,
};
pub use predictor::Predictor;

#[cfg(test)]
mod tests;
