//! Takes over repositories that other programs made.

mod error;
mod place;
pub mod pyupdater;
pub mod pyupdater_bridge;
mod roots;
pub mod tufup;

pub use error::ImportError;
