//! Asks the user for the rights of an administrator (UAC).
#![allow(unsafe_code)]

use super::elevated::Elevated;
use std::ffi::OsStr;
use std::io;
use std::os::windows::ffi::OsStrExt;
use std::path::Path;
use windows_sys::Win32::Foundation::{CloseHandle, ERROR_CANCELLED, WAIT_OBJECT_0};
use windows_sys::Win32::System::Threading::{GetExitCodeProcess, INFINITE, WaitForSingleObject};
use windows_sys::Win32::UI::Shell::{
    SEE_MASK_NOASYNC, SEE_MASK_NOCLOSEPROCESS, SHELLEXECUTEINFOW, ShellExecuteExW,
};

/// Runs `program` as administrator and waits for its end
/// (<https://learn.microsoft.com/windows/win32/api/shellapi/nf-shellapi-shellexecuteexw>,
/// with the verb `runas`).
pub fn run_elevated(program: &Path, parameters: &str) -> io::Result<Elevated> {
    let wide = |text: &OsStr| -> Vec<u16> { text.encode_wide().chain([0]).collect() };
    let (verb, file) = (wide(OsStr::new("runas")), wide(program.as_os_str()));
    let parameters = wide(OsStr::new(parameters));
    // SAFETY: a structure of numbers and pointers, for which zero is "none".
    let mut info: SHELLEXECUTEINFOW = unsafe { std::mem::zeroed() };
    info.cbSize = size_of::<SHELLEXECUTEINFOW>() as u32;
    info.fMask = SEE_MASK_NOCLOSEPROCESS | SEE_MASK_NOASYNC;
    info.lpVerb = verb.as_ptr();
    info.lpFile = file.as_ptr();
    info.lpParameters = parameters.as_ptr();
    // SAFETY: the strings live until the call returns.
    if unsafe { ShellExecuteExW(&raw mut info) } == 0 {
        let error = io::Error::last_os_error();
        return match error.raw_os_error() {
            Some(code) if code.cast_unsigned() == ERROR_CANCELLED => Ok(Elevated::Declined),
            _ => Err(error),
        };
    }
    if info.hProcess.is_null() {
        return Err(io::Error::other("no process was started"));
    }
    let mut code = 1;
    // SAFETY: the handle is this process's own, and closed once.
    unsafe {
        let done = WaitForSingleObject(info.hProcess, INFINITE) == WAIT_OBJECT_0
            && GetExitCodeProcess(info.hProcess, &raw mut code) != 0;
        let result = if done {
            Ok(Elevated::Ended(code.cast_signed()))
        } else {
            Err(io::Error::last_os_error())
        };
        CloseHandle(info.hProcess);
        result
    }
}
