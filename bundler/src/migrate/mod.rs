//! Takes over repositories that other programs made.

mod error;
mod place;
pub(crate) mod pyupdater;
pub(crate) mod pyupdater_bridge;
mod roots;
pub(crate) mod tufup;

pub(crate) use error::ImportError;
