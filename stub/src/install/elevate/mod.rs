//! Asks the user for the rights of an administrator.

mod elevated;
#[cfg(not(windows))]
mod unsupported;
#[cfg(windows)]
mod windows;

pub use elevated::Elevated;
#[cfg(not(windows))]
pub use unsupported::run_elevated;
#[cfg(windows)]
pub use windows::run_elevated;
