//! Finds the name by which this program was started.
#![allow(unsafe_code)]

#[cfg(any(target_os = "linux", target_os = "android"))]
use std::ffi::{OsStr, c_char};
#[cfg(any(target_os = "linux", target_os = "android"))]
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

/// Returns the name of the program as the one who started it called it.
pub fn start_name() -> Option<PathBuf> {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    {
        // SAFETY: the system's own text, NUL-terminated and never changed.
        let name = unsafe {
            let name = libc::getauxval(libc::AT_EXECFN) as *const c_char;
            (!name.is_null()).then(|| std::ffi::CStr::from_ptr(name))
        };
        if let Some(name) = name {
            return Some(OsStr::from_bytes(name.to_bytes()).into());
        }
    }
    std::env::args_os().next().map(PathBuf::from)
}
