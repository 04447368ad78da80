//! Exchanges two folders at once, where the system can.

#[cfg(any(target_os = "linux", target_os = "android"))]
mod linux;
#[cfg(target_vendor = "apple")]
mod macos;
#[cfg(not(any(target_os = "linux", target_os = "android", target_vendor = "apple")))]
mod unsupported;

#[cfg(any(target_os = "linux", target_os = "android"))]
pub(super) use linux::{exchange, sync_all};
#[cfg(target_vendor = "apple")]
pub(super) use macos::{exchange, sync_all};
#[cfg(not(any(target_os = "linux", target_os = "android", target_vendor = "apple")))]
pub(super) use unsupported::{exchange, sync_all};
