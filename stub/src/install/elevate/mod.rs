//! Asking the user for the rights of an administrator.

#[cfg(not(windows))]
mod unsupported;
#[cfg(windows)]
mod windows;

#[cfg(not(windows))]
pub use unsupported::run_elevated;
#[cfg(windows)]
pub use windows::run_elevated;
