//! Takes over repositories that other programs made.

mod error;
pub(crate) mod pyupdater;
pub(crate) mod pyupdater_bridge;
mod roots;
pub(crate) mod tufup;
mod tufup_folder;

pub(crate) use error::ImportError;
