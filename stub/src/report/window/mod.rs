//! A small window with a bar, a text and a button, by what the system has for
//! that. There may be none; an update goes on all the same.

#[cfg(all(unix, not(target_os = "macos")))]
#[path = "linux.rs"]
mod os;
#[cfg(target_os = "macos")]
#[path = "macos.rs"]
mod os;
#[cfg(windows)]
#[path = "windows.rs"]
mod os;

pub use os::Window;
