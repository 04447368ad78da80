//! Releases: adding them, changing who gets them, and taking them back.

mod add;
pub mod numbers;
pub mod patching;
pub mod rebase;
pub mod remove;
pub mod rollout;

pub use add::*;
