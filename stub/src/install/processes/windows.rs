//! Lists processes on Windows. Of those with an administrator's rights, too, the
//! system tells everybody what program they are.
#![allow(unsafe_code)]

use std::ffi::OsString;
use std::io;
use std::os::windows::ffi::OsStringExt;
use std::os::windows::io::{AsRawHandle, FromRawHandle, OwnedHandle};
use std::path::PathBuf;
use windows_sys::Win32::Foundation::{INVALID_HANDLE_VALUE, WAIT_TIMEOUT};
use windows_sys::Win32::System::Diagnostics::ToolHelp::{
    CreateToolhelp32Snapshot, PROCESSENTRY32W, Process32FirstW, Process32NextW, TH32CS_SNAPPROCESS,
};
use windows_sys::Win32::System::Threading::{
    OpenProcess, PROCESS_QUERY_LIMITED_INFORMATION, PROCESS_SYNCHRONIZE,
    QueryFullProcessImageNameW, WaitForSingleObject,
};

pub(super) fn programs() -> io::Result<Vec<(u32, PathBuf)>> {
    let processes = Snapshot::new()?.processes;
    let ids = processes.into_iter().map(|(id, _)| id);
    Ok(ids.filter_map(|id| Some((id, program(id)?))).collect())
}

/// The path of the program of a process, which may be longer than 260 characters.
fn program(id: u32) -> Option<PathBuf> {
    let process = open(id, PROCESS_QUERY_LIMITED_INFORMATION)?;
    let mut path = vec![0; 1 << 15];
    let mut length = path.len() as u32;
    // SAFETY: the handle is open, and the buffer has that length.
    let told = unsafe {
        QueryFullProcessImageNameW(
            process.as_raw_handle(),
            0,
            path.as_mut_ptr(),
            &raw mut length,
        )
    };
    let path = OsString::from_wide(path.get(..length as usize)?);
    (told != 0).then(|| path.into())
}

fn open(id: u32, access: u32) -> Option<OwnedHandle> {
    // SAFETY: no condition; a handle that is not null is this process's own.
    unsafe {
        let handle = OpenProcess(access, 0, id);
        (!handle.is_null()).then(|| OwnedHandle::from_raw_handle(handle))
    }
}

/// Knows the processes of one moment, and which started which.
pub(super) struct Snapshot {
    /// Ids, each with that of the parent.
    processes: Vec<(u32, u32)>,
}

impl Snapshot {
    pub(super) fn new() -> io::Result<Self> {
        let mut processes = Vec::new();
        let mut entry = PROCESSENTRY32W {
            dwSize: size_of::<PROCESSENTRY32W>() as u32,
            ..Default::default()
        };
        // SAFETY: the handle is this process's own, and the structure says its size.
        unsafe {
            let snapshot = CreateToolhelp32Snapshot(TH32CS_SNAPPROCESS, 0);
            if snapshot == INVALID_HANDLE_VALUE {
                return Err(io::Error::last_os_error());
            }
            let snapshot = OwnedHandle::from_raw_handle(snapshot);
            let mut more = Process32FirstW(snapshot.as_raw_handle(), &raw mut entry);
            if more == 0 {
                return Err(io::Error::last_os_error());
            }
            while more != 0 {
                processes.push((entry.th32ProcessID, entry.th32ParentProcessID));
                more = Process32NextW(snapshot.as_raw_handle(), &raw mut entry);
            }
        }
        Ok(Snapshot { processes })
    }

    /// Returns the process that started this one, if it is there still. (Its id may be
    /// another's by now.)
    pub(super) fn parent(&self, id: u32) -> Option<u32> {
        let (_, parent) = *self.processes.iter().find(|(found, _)| *found == id)?;
        let is_there = self.processes.iter().any(|(found, _)| *found == parent);
        (parent != id && is_there).then_some(parent)
    }
}

pub(super) fn is_running(id: u32) -> bool {
    // Not there, or another user's with more rights, which is none of ours.
    let Some(process) = open(id, PROCESS_SYNCHRONIZE) else {
        return false;
    };
    // SAFETY: the handle is open.
    unsafe { WaitForSingleObject(process.as_raw_handle(), 0) == WAIT_TIMEOUT }
}

pub(super) fn sees_processes() -> bool {
    true
}
