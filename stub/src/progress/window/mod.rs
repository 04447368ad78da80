//! Shows a small window with a bar, a text and a button, by what the system has
//! for that. There may be none; an update continues without it.

#[cfg(all(unix, not(target_os = "macos")))]
#[path = "linux.rs"]
mod os;
#[cfg(target_os = "macos")]
#[path = "macos.rs"]
mod os;
#[cfg(windows)]
#[path = "windows.rs"]
mod os;

// The window of Windows is no program of its own, and macOS asks nothing.
#[cfg_attr(any(windows, target_vendor = "apple"), allow(dead_code))]
mod programs;

pub(super) use os::Window;
pub(super) use programs::Programs;

/// Says what became of a window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Look {
    /// It is there.
    Open,
    /// Its button was pressed, or the user closed it.
    Cancelled,
    /// It came to its end in another way.
    #[cfg_attr(windows, expect(dead_code, reason = "the system's own does not"))]
    Gone,
}
