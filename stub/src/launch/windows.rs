//! Windows: the application is a child, and this process waits for it.
#![allow(unsafe_code)]

use super::End;
use std::ffi::{OsString, c_void};
use std::io;
use std::os::windows::ffi::OsStringExt;
use std::os::windows::io::AsRawHandle;
use std::os::windows::process::CommandExt;
use std::process::{Command, ExitCode};
use std::sync::atomic::{AtomicBool, AtomicPtr, Ordering};
use windows_sys::Win32::Foundation::{STATUS_CONTROL_C_EXIT, TRUE};
use windows_sys::Win32::System::Console::SetConsoleCtrlHandler;
use windows_sys::Win32::System::Environment::GetCommandLineW;
use windows_sys::Win32::System::Threading::{GetExitCodeProcess, INFINITE, WaitForSingleObject};
use windows_sys::core::BOOL;

/// Runs the application with the command line of this process, untouched
/// but for the program's name: every program on Windows takes its command
/// line apart in its own way.
pub fn run(command: Command, started: impl FnOnce()) -> io::Result<ExitCode> {
    Ok(end_alike(supervise(command, started)?))
}

/// Runs the application and waits for its end.
pub fn supervise(mut command: Command, started: impl FnOnce()) -> io::Result<End> {
    command.raw_arg(OsString::from_wide(arguments(&command_line())));
    // Ctrl-C goes to all programs at the console: the application decides
    // what it means, this process waits for its end.
    // SAFETY: the handler is a function of the type asked for, without state.
    if unsafe { SetConsoleCtrlHandler(Some(stay), TRUE) } == 0 {
        log::debug!("no console handler: {}", io::Error::last_os_error());
    }
    let mut child = command.spawn()?;
    CHILD.store(child.as_raw_handle(), Ordering::SeqCst);
    started();
    let status = child.wait();
    CHILD.store(std::ptr::null_mut(), Ordering::SeqCst);
    Ok(End::Code(status?.code().unwrap_or(1)))
}

/// The process of the application; 0 if there is none.
static CHILD: AtomicPtr<c_void> = AtomicPtr::new(std::ptr::null_mut());

/// Waits for the child, if there is one, and ends as it does.
pub fn end_with_child() {
    let child = CHILD.load(Ordering::SeqCst);
    if child.is_null() {
        return;
    }
    let mut code = 1;
    // SAFETY: the handle is open as long as this process has not ended: what
    // opened it has not returned, or was interrupted.
    unsafe {
        WaitForSingleObject(child, INFINITE);
        GetExitCodeProcess(child, &raw mut code);
    }
    std::process::exit(code.cast_signed());
}

/// Ends this process with all 32 bits of the code, which `ExitCode` would
/// cut to eight.
pub fn end_alike(end: End) -> ExitCode {
    match end {
        End::Code(code) | End::Signal(code) => std::process::exit(code),
    }
}

/// Whether a code is one that the system gives to a program that did
/// something wrong (an error status), rather than one that was told to end.
pub fn is_crash(end: End) -> bool {
    match end {
        End::Code(code) => code.cast_unsigned() >> 30 == 3 && code != STATUS_CONTROL_C_EXIT,
        End::Signal(_) => false,
    }
}

static ASKED_TO_END: AtomicBool = AtomicBool::new(false);

/// Whether Ctrl-C was pressed, or the console closed.
pub fn was_asked_to_end() -> bool {
    ASKED_TO_END.load(Ordering::SeqCst)
}

unsafe extern "system" fn stay(_event: u32) -> BOOL {
    ASKED_TO_END.store(true, Ordering::SeqCst);
    TRUE
}

fn command_line() -> Vec<u16> {
    // SAFETY: the system's own copy, NUL-terminated and never changed.
    unsafe {
        let start = GetCommandLineW();
        let mut length = 0;
        while *start.add(length) != 0 {
            length += 1;
        }
        std::slice::from_raw_parts(start, length).to_vec()
    }
}

/// What follows the program's name: that ends at the closing quote if it
/// starts with one, else at white space
/// (<https://learn.microsoft.com/cpp/c-language/parsing-c-command-line-arguments>).
fn arguments(line: &[u16]) -> &[u16] {
    let (quote, space, tab) = (u16::from(b'"'), u16::from(b' '), u16::from(b'\t'));
    let mut quoted = false;
    let end = line.iter().position(|&c| {
        quoted ^= c == quote;
        !quoted && (c == space || c == tab)
    });
    let rest = &line[end.unwrap_or(line.len())..];
    let start = rest.iter().position(|&c| c != space && c != tab);
    &rest[start.unwrap_or(rest.len())..]
}

#[cfg(test)]
mod tests {
    use super::arguments;

    #[test]
    fn the_rest_of_the_command_line_is_untouched() {
        for (line, rest) in [
            (r#"app.exe"#, ""),
            (r#"app.exe  a "b c""#, r#"a "b c""#),
            (r#""C:\Program Files\app.exe" "" \"x"#, r#""" \"x"#),
            (r#"C:\"Program Files"\app.exe	y "#, "y "),
        ] {
            let line: Vec<u16> = line.encode_utf16().collect();
            assert_eq!(String::from_utf16(arguments(&line)).unwrap(), rest);
        }
    }
}
