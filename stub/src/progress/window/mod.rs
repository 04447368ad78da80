//! Shows a small window with a bar, a text and a button, by what the system has
//! for that. There may be none; an update continues without it.

use super::Messages;

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

#[cfg(all(unix, not(target_vendor = "apple")))]
pub(super) use os::{as_html, escape_backslashes};

pub(super) use os::Window;
pub(super) use programs::Programs;

/// Holds what a window has besides the progress.
#[derive(Debug, Clone, Copy)]
pub(super) struct Style<'a> {
    /// The texts of the button and the hint.
    pub(super) texts: &'a Messages,
    /// The path of a picture, where the window can have one.
    #[cfg_attr(any(windows, target_vendor = "apple"), allow(dead_code))]
    pub(super) icon: Option<&'a str>,
}

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
