//! Makes the process of the application, which is told what this one was told
//! about its first window: the state in which a shortcut wants it, the shortcut
//! itself (by which the taskbar knows whose window it is), a hot key, the desktop.
//! The standard library keeps that to itself.
#![allow(unsafe_code)]

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::io;
use std::os::windows::ffi::OsStrExt;
use std::os::windows::io::{AsRawHandle, FromRawHandle, OwnedHandle};
use std::path::Path;
use std::process::Command;
use std::ptr::{null, null_mut};
use windows_sys::Win32::Foundation::{
    DUPLICATE_SAME_ACCESS, DuplicateHandle, HANDLE, INVALID_HANDLE_VALUE,
};
use windows_sys::Win32::System::Console::{
    GetStdHandle, STD_ERROR_HANDLE, STD_INPUT_HANDLE, STD_OUTPUT_HANDLE,
};
use windows_sys::Win32::System::Threading::{
    CREATE_UNICODE_ENVIRONMENT, CreateProcessW, GetCurrentProcess, GetStartupInfoW,
    PROCESS_INFORMATION, STARTF_TITLEISAPPID, STARTF_TITLEISLINKNAME, STARTF_USEHOTKEY,
    STARTF_USESTDHANDLES, STARTUPINFOW,
};

/// Longer paths are taken only in the form that is not interpreted.
const MAX_PATH: usize = 260;

/// Starts the program of `command`, with its environment and folder, and with
/// `arguments` as they are.
pub(super) fn start(
    command: &Command,
    arguments: &[u16],
    app_id: Option<&str>,
) -> io::Result<OwnedHandle> {
    let program = Path::new(command.get_program());
    let mut line: Vec<u16> = "\"".encode_utf16().collect();
    line.extend(program.as_os_str().encode_wide());
    line.extend("\" ".encode_utf16());
    line.extend(arguments);
    line.push(0);
    let application = wide(&long(program))?;
    let environment = environment_block(command);
    let folder = command
        .get_current_dir()
        .map(|folder| wide(folder.as_os_str()));
    let folder = folder.transpose()?;
    let mut title = app_id.map(|id| wide(OsStr::new(id))).transpose()?;
    let mut told = startup_info();
    if let Some(title) = &mut title {
        told.lpTitle = title.as_mut_ptr();
        told.dwFlags &= !STARTF_TITLEISLINKNAME;
        told.dwFlags |= STARTF_TITLEISAPPID;
    }
    let streams = Streams::to_pass_on()?;
    streams.put_into(&mut told);
    let mut made = PROCESS_INFORMATION::default();
    // SAFETY: all texts end with NUL and live until the call returns, the line may be
    // written to; both handles that come back are this process's own.
    unsafe {
        let done = CreateProcessW(
            application.as_ptr(),
            line.as_mut_ptr(),
            null(),
            null(),
            1,
            CREATE_UNICODE_ENVIRONMENT,
            environment.as_ptr().cast(),
            folder.as_ref().map_or(null(), Vec::as_ptr),
            &raw const told,
            &raw mut made,
        );
        if done == 0 {
            return Err(io::Error::last_os_error());
        }
        drop(OwnedHandle::from_raw_handle(made.hThread));
        Ok(OwnedHandle::from_raw_handle(made.hProcess))
    }
}

/// What this process was told when it was started. Its texts are never changed.
fn startup_info() -> STARTUPINFOW {
    let mut told = STARTUPINFOW::default();
    // SAFETY: the structure is of the kind asked for.
    unsafe { GetStartupInfoW(&raw mut told) };
    told
}

/// Standard streams, in handles that the new process inherits.
struct Streams([Option<OwnedHandle>; 3]);

impl Streams {
    fn to_pass_on() -> io::Result<Self> {
        let mut streams = [None, None, None];
        let all = [STD_INPUT_HANDLE, STD_OUTPUT_HANDLE, STD_ERROR_HANDLE];
        for (stream, which) in streams.iter_mut().zip(all) {
            // SAFETY: no condition.
            let handle = unsafe { GetStdHandle(which) };
            if !handle.is_null() && handle != INVALID_HANDLE_VALUE {
                *stream = inheritable(handle)?;
            }
        }
        Ok(Streams(streams))
    }

    /// Without any, the fields may mean something else: a hot key, a monitor.
    fn put_into(&self, told: &mut STARTUPINFOW) {
        if self.0.iter().all(Option::is_none) {
            return;
        }
        let handle = |stream: &Option<OwnedHandle>| {
            let stream = stream.as_ref();
            stream.map_or(null_mut(), AsRawHandle::as_raw_handle)
        };
        let [input, output, error] = &self.0;
        told.hStdInput = handle(input);
        told.hStdOutput = handle(output);
        told.hStdError = handle(error);
        told.dwFlags |= STARTF_USESTDHANDLES;
        told.dwFlags &= !STARTF_USEHOTKEY;
    }
}

/// `None` if there is nothing behind the handle any more.
fn inheritable(handle: HANDLE) -> io::Result<Option<OwnedHandle>> {
    const INVALID_HANDLE: i32 = 6;
    let mut copy = null_mut();
    // SAFETY: the system refuses what is no handle; the copy is this process's own.
    unsafe {
        let this = GetCurrentProcess();
        if DuplicateHandle(
            this,
            handle,
            this,
            &raw mut copy,
            0,
            1,
            DUPLICATE_SAME_ACCESS,
        ) != 0
        {
            return Ok(Some(OwnedHandle::from_raw_handle(copy)));
        }
    }
    match io::Error::last_os_error() {
        e if e.raw_os_error() == Some(INVALID_HANDLE) => Ok(None),
        e => Err(e),
    }
}

/// The environment of this process with the changes of `command`, as the system takes
/// it: `name=value` texts, sorted, each with NUL at the end, and one NUL more.
fn environment_block(command: &Command) -> Vec<u16> {
    // Case does not count in names.
    let key = |name: &OsStr| name.to_string_lossy().to_uppercase();
    let mut all: BTreeMap<String, (OsString, OsString)> = std::env::vars_os()
        .map(|(name, value)| (key(&name), (name, value)))
        .collect();
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => drop(all.insert(key(name), (name.into(), value.into()))),
            None => drop(all.remove(&key(name))),
        }
    }
    let mut block = Vec::new();
    for (name, value) in all.into_values() {
        block.extend(name.encode_wide());
        block.push(u16::from(b'='));
        block.extend(value.encode_wide());
        block.push(0);
    }
    block.push(0);
    block
}

fn long(program: &Path) -> OsString {
    let text = program.as_os_str();
    let plain = text.to_string_lossy();
    if text.encode_wide().count() < MAX_PATH || plain.starts_with(r"\\?\") {
        return text.to_owned();
    }
    let (prefix, rest) = match plain.strip_prefix(r"\\") {
        Some(share) => (r"\\?\UNC\", share),
        None => (r"\\?\", &*plain),
    };
    format!("{prefix}{}", rest.replace('/', "\\")).into()
}

fn wide(text: &OsStr) -> io::Result<Vec<u16>> {
    let mut text: Vec<u16> = text.encode_wide().collect();
    if text.contains(&0) {
        return Err(io::Error::from(io::ErrorKind::InvalidInput));
    }
    text.push(0);
    Ok(text)
}
