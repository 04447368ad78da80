//! Starts the application on Windows: it is a child, and this process waits for
//! it.
#![allow(unsafe_code)]

mod windows_process;

use super::AppExit;
use crate::this_program;
use std::ffi::c_void;
use std::io;
use std::os::windows::io::{AsRawHandle, OwnedHandle, RawHandle};
use std::os::windows::process::CommandExt;
use std::process::{Command, ExitCode};
use std::ptr::null;
use std::sync::atomic::{AtomicBool, AtomicPtr, Ordering};
use std::time::Duration;
use windows_sys::Win32::Foundation::{
    GetHandleInformation, HANDLE, HANDLE_FLAG_INHERIT, INVALID_HANDLE_VALUE, STATUS_CONTROL_C_EXIT,
    SetHandleInformation, TRUE,
};
use windows_sys::Win32::Storage::FileSystem::{FILE_TYPE_DISK, FILE_TYPE_PIPE, GetFileType};
use windows_sys::Win32::System::Console::{
    CTRL_CLOSE_EVENT, GetStdHandle, STD_ERROR_HANDLE, STD_INPUT_HANDLE, STD_OUTPUT_HANDLE,
    SetConsoleCtrlHandler,
};
use windows_sys::Win32::System::Environment::GetCommandLineW;
use windows_sys::Win32::System::JobObjects::{
    AssignProcessToJobObject, CreateJobObjectW, JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE,
    JOB_OBJECT_LIMIT_SILENT_BREAKAWAY_OK, JOBOBJECT_BASIC_LIMIT_INFORMATION,
    JOBOBJECT_EXTENDED_LIMIT_INFORMATION, JobObjectExtendedLimitInformation,
    SetInformationJobObject,
};
use windows_sys::Win32::System::LibraryLoader::{
    LOAD_LIBRARY_SEARCH_SYSTEM32, SetDefaultDllDirectories,
};
use windows_sys::Win32::System::Threading::{
    CREATE_NEW_PROCESS_GROUP, DETACHED_PROCESS, GetExitCodeProcess, INFINITE, WaitForSingleObject,
};
use windows_sys::core::BOOL;

/// Runs the application with the command line of this process, untouched
/// but for the program's name: every program on Windows takes its command
/// line apart in its own way.
pub(super) fn run(command: Command, started: impl FnOnce()) -> io::Result<ExitCode> {
    Ok(exit_like(supervise(command, started)?))
}

/// Runs the application and waits for its end.
pub(super) fn supervise(command: Command, started: impl FnOnce()) -> io::Result<AppExit> {
    // Ctrl-C goes to all programs at the console: the application decides
    // what it means, this process waits for its end.
    // SAFETY: the handler is a function of the type asked for, without state.
    if unsafe { SetConsoleCtrlHandler(Some(stay), TRUE) } == 0 {
        log::debug!("no console handler: {}", io::Error::last_os_error());
    }
    let line = command_line();
    let child = windows_process::start(&command, arguments(&line), super::app_id())?;
    end_with_this_process(&child);
    CHILD.store(child.as_raw_handle(), Ordering::SeqCst);
    started();
    let code = wait(child.as_raw_handle());
    CHILD.store(std::ptr::null_mut(), Ordering::SeqCst);
    Ok(AppExit::Code(code))
}

/// Waits for the end of a process, and returns its exit code.
fn wait(process: RawHandle) -> i32 {
    let mut code = 1;
    // SAFETY: the handle is open.
    unsafe {
        WaitForSingleObject(process, INFINITE);
        GetExitCodeProcess(process, &raw mut code);
    }
    code.cast_signed()
}

/// The process of the application; 0 if there is none.
static CHILD: AtomicPtr<c_void> = AtomicPtr::new(std::ptr::null_mut());

/// Waits for the child, if there is one, and ends as it does.
pub(super) fn end_with_child() {
    let child = CHILD.load(Ordering::SeqCst);
    if child.is_null() {
        return;
    }
    // It is open as long as this process has not ended: what opened it has not
    // returned, or was interrupted.
    std::process::exit(wait(child));
}

/// Puts the application into a job that ends with this process, however that
/// ends. What the application starts is not in it: that may outlive it.
fn end_with_this_process(child: &OwnedHandle) {
    let limits = JOBOBJECT_EXTENDED_LIMIT_INFORMATION {
        BasicLimitInformation: JOBOBJECT_BASIC_LIMIT_INFORMATION {
            LimitFlags: JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE | JOB_OBJECT_LIMIT_SILENT_BREAKAWAY_OK,
            ..Default::default()
        },
        ..Default::default()
    };
    let size = size_of_val(&limits) as u32;
    // SAFETY: the structure is of the kind that is named, and the handles are
    // valid. The job's is never closed but by the end of this process.
    let done = unsafe {
        let job = CreateJobObjectW(null(), null());
        !job.is_null()
            && SetInformationJobObject(
                job,
                JobObjectExtendedLimitInformation,
                (&raw const limits).cast(),
                size,
            ) != 0
            && AssignProcessToJobObject(job, child.as_raw_handle()) != 0
    };
    if !done {
        log::debug!("no job for the application: {}", io::Error::last_os_error());
    }
}

/// Runs it without a console and apart from this process. It inherits none of
/// the streams: others may wait for the end of a pipe.
pub(super) fn detach(mut command: Command) -> io::Result<()> {
    command.creation_flags(DETACHED_PROCESS | CREATE_NEW_PROCESS_GROUP);
    let streams = [STD_INPUT_HANDLE, STD_OUTPUT_HANDLE, STD_ERROR_HANDLE].map(|which| {
        // SAFETY: no condition.
        unsafe { GetStdHandle(which) }
    });
    let passed_on = streams.map(|stream| inherits(stream) && set_inherits(stream, false));
    let spawned = command.spawn();
    for (stream, before) in streams.into_iter().zip(passed_on) {
        if before && !set_inherits(stream, true) {
            log::warn!("{}", io::Error::last_os_error());
        }
    }
    spawned.map(drop)
}

fn inherits(handle: HANDLE) -> bool {
    let mut flags = 0;
    let valid = !handle.is_null() && handle != INVALID_HANDLE_VALUE;
    // SAFETY: the system refuses what is no handle.
    valid
        && unsafe { GetHandleInformation(handle, &raw mut flags) } != 0
        && flags & HANDLE_FLAG_INHERIT != 0
}

fn set_inherits(handle: HANDLE, on: bool) -> bool {
    let flag = if on { HANDLE_FLAG_INHERIT } else { 0 };
    // SAFETY: the system refuses what is no handle.
    unsafe { SetHandleInformation(handle, HANDLE_FLAG_INHERIT, flag) != 0 }
}

/// Returns whether there is something on standard input that can be read only
/// once.
pub fn has_input() -> bool {
    let handle: RawHandle = io::stdin().as_raw_handle();
    // SAFETY: the system refuses what is no handle.
    let kind = unsafe { GetFileType(handle) };
    kind == FILE_TYPE_PIPE || kind == FILE_TYPE_DISK
}

/// Lets libraries be loaded from the system's own folder only: anybody may have put one
/// of a known name beside a program that was downloaded. Then leaves the working
/// directory, which Windows lets nobody rename as long as
/// a process is in it. The application is started there anyway.
pub fn prepare() {
    // SAFETY: no condition.
    if unsafe { SetDefaultDllDirectories(LOAD_LIBRARY_SEARCH_SYSTEM32) } == 0 {
        log::debug!("no limit for libraries: {}", io::Error::last_os_error());
    }
    let folder = this_program::program()
        .ok()
        .and_then(|program| program.parent());
    if let Some(folder) = folder
        && this_program::folder().is_some()
        && let Err(e) = std::env::set_current_dir(folder)
    {
        log::debug!("cannot leave the working directory: {e}");
    }
}

/// Ends this process with all 32 bits of the code, which `ExitCode` would
/// cut to eight.
pub(super) fn exit_like(end: AppExit) -> ExitCode {
    match end {
        AppExit::Code(code) | AppExit::Signal(code) => std::process::exit(code),
    }
}

/// Returns whether the system gives this code to a program that did something
/// wrong (an error status), rather than one that was told to end.
pub(super) fn is_crash(end: AppExit) -> bool {
    match end {
        AppExit::Code(code) => code.cast_unsigned() >> 30 == 3 && code != STATUS_CONTROL_C_EXIT,
        AppExit::Signal(_) => false,
    }
}

static ASKED_TO_END: AtomicBool = AtomicBool::new(false);

/// Returns whether Ctrl-C was pressed, or the console closed.
pub fn was_asked_to_end() -> bool {
    ASKED_TO_END.load(Ordering::SeqCst)
}

unsafe extern "system" fn stay(event: u32) -> BOOL {
    ASKED_TO_END.store(true, Ordering::SeqCst);
    if event >= CTRL_CLOSE_EVENT {
        // This process ends when this returns: not before it has noted what
        // became of the application. The system does not wait for ever.
        std::thread::sleep(Duration::from_secs(60));
    }
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
