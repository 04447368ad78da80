//! Finds the user's language on Windows.
#![allow(unsafe_code)]

use windows_sys::Win32::Globalization::GetUserDefaultLocaleName;

/// Returns the user's locale, as `de-CH`.
pub(crate) fn language() -> Option<String> {
    // LOCALE_NAME_MAX_LENGTH, with the NUL.
    let mut buffer = [0u16; 85];
    // SAFETY: it writes at most as many as it is told there is room for.
    let length = unsafe { GetUserDefaultLocaleName(buffer.as_mut_ptr(), buffer.len() as i32) };
    let length = usize::try_from(length).ok()?.checked_sub(1)?;
    String::from_utf16(buffer.get(..length)?).ok()
}
