//! Reads and changes whose a folder of Windows is, and who may do what with it.
#![allow(unsafe_code)]

use super::access::{Entry, Kind, Security};
use std::fs::OpenOptions;
use std::io;
use std::os::windows::ffi::OsStrExt;
use std::os::windows::fs::OpenOptionsExt;
use std::os::windows::io::{AsRawHandle, FromRawHandle, OwnedHandle};
use std::path::Path;
use std::ptr::{null, null_mut};
use windows_sys::Win32::Foundation::{ERROR_SUCCESS, HLOCAL, LocalFree};
use windows_sys::Win32::Security::Authorization::{
    ConvertSidToStringSidW, ConvertStringSecurityDescriptorToSecurityDescriptorW,
    GetNamedSecurityInfoW, SDDL_REVISION_1, SE_FILE_OBJECT, SetSecurityInfo,
};
use windows_sys::Win32::Security::{
    ACCESS_ALLOWED_ACE, ACE_HEADER, ACL, DACL_SECURITY_INFORMATION, GetAce,
    GetSecurityDescriptorDacl, GetTokenInformation, OWNER_SECURITY_INFORMATION,
    PROTECTED_DACL_SECURITY_INFORMATION, PSECURITY_DESCRIPTOR, PSID, TOKEN_QUERY, TOKEN_USER,
    TokenUser,
};
use windows_sys::Win32::Storage::FileSystem::{
    FILE_FLAG_BACKUP_SEMANTICS, FILE_FLAG_OPEN_REPARSE_POINT, READ_CONTROL, WRITE_DAC,
};
use windows_sys::Win32::System::Threading::{GetCurrentProcess, OpenProcessToken};

/// Memory that the system has given, freed with this.
struct Given(HLOCAL);

impl Drop for Given {
    fn drop(&mut self) {
        // SAFETY: it is from a call that gives such memory, and is used no more.
        unsafe { LocalFree(self.0) };
    }
}

fn with_nul(text: impl Iterator<Item = u16>) -> Vec<u16> {
    text.chain([0]).collect()
}

/// Reads the owner and the list of a file or folder.
pub(super) fn read(path: &Path) -> io::Result<Security> {
    let name = with_nul(path.as_os_str().encode_wide());
    let (mut sid, mut acl): (PSID, *mut ACL) = (null_mut(), null_mut());
    let mut descriptor: PSECURITY_DESCRIPTOR = null_mut();
    // SAFETY: the name ends with NUL; what is not asked for may be null.
    let result = unsafe {
        GetNamedSecurityInfoW(
            name.as_ptr(),
            SE_FILE_OBJECT,
            OWNER_SECURITY_INFORMATION | DACL_SECURITY_INFORMATION,
            &raw mut sid,
            null_mut(),
            &raw mut acl,
            null_mut(),
            &raw mut descriptor,
        )
    };
    let _descriptor = Given(descriptor);
    if result != ERROR_SUCCESS {
        return Err(io::Error::from_raw_os_error(result.cast_signed()));
    }
    // SAFETY: both are null or in the descriptor, which is there until the end.
    unsafe {
        let owner = (!sid.is_null()).then(|| as_text(sid)).transpose()?;
        let entries = (!acl.is_null()).then(|| entries(acl)).transpose()?;
        Ok(Security { owner, entries })
    }
}

/// Lists the entries.
///
/// # Safety
/// The list must be one that the system has made.
unsafe fn entries(acl: *const ACL) -> io::Result<Vec<Entry>> {
    const ALLOWS: [u8; 2] = [0, 9];
    const DENIES: [u8; 4] = [1, 6, 10, 12];
    let read = |index| {
        let mut entry = null_mut();
        // SAFETY: as the caller says.
        if unsafe { GetAce(acl, index, &raw mut entry) } == 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: each entry begins with a header, and those that allow something
        // unconditionally or by a condition with that structure.
        unsafe {
            let number = (*entry.cast::<ACE_HEADER>()).AceType;
            let kind = match number {
                _ if ALLOWS.contains(&number) => Kind::Allows,
                _ if DENIES.contains(&number) => Kind::Denies,
                _ => Kind::Other,
            };
            let (mut mask, mut who) = (0, String::new());
            if kind == Kind::Allows {
                let entry = entry.cast::<ACCESS_ALLOWED_ACE>();
                mask = (*entry).Mask;
                who = as_text((&raw mut (*entry).SidStart).cast())?;
            }
            Ok(Entry { kind, mask, who })
        }
    };
    // SAFETY: as the caller says.
    (0..u32::from(unsafe { (*acl).AceCount }))
        .map(read)
        .collect()
}

/// Writes an identifier as a text.
///
/// # Safety
/// It must be one that the system has made.
unsafe fn as_text(sid: PSID) -> io::Result<String> {
    let mut text = null_mut();
    // SAFETY: as the caller says; the text ends with NUL.
    unsafe {
        if ConvertSidToStringSidW(sid, &raw mut text) == 0 {
            return Err(io::Error::last_os_error());
        }
        let _text = Given(text.cast());
        let length = (0..).take_while(|&at| *text.add(at) != 0).count();
        Ok(String::from_utf16_lossy(std::slice::from_raw_parts(
            text, length,
        )))
    }
}

/// Gives a folder this list, and nothing of the lists of those above it. A link in its place
/// is not followed.
pub(super) fn set(folder: &Path, list: &str) -> io::Result<()> {
    let list = with_nul(list.encode_utf16());
    let mut descriptor: PSECURITY_DESCRIPTOR = null_mut();
    // SAFETY: the text ends with NUL, and the length may be null.
    let made = unsafe {
        ConvertStringSecurityDescriptorToSecurityDescriptorW(
            list.as_ptr(),
            SDDL_REVISION_1,
            &raw mut descriptor,
            null_mut(),
        )
    };
    if made == 0 {
        return Err(io::Error::last_os_error());
    }
    let _descriptor = Given(descriptor);
    let mut how = OpenOptions::new();
    how.access_mode(READ_CONTROL | WRITE_DAC);
    how.custom_flags(FILE_FLAG_BACKUP_SEMANTICS | FILE_FLAG_OPEN_REPARSE_POINT);
    let folder = how.open(folder)?;
    let (mut present, mut by_default) = (0, 0);
    let mut acl: *mut ACL = null_mut();
    // SAFETY: the descriptor is there until the end, and with it the list.
    let result = unsafe {
        let found = GetSecurityDescriptorDacl(
            descriptor,
            &raw mut present,
            &raw mut acl,
            &raw mut by_default,
        );
        if found == 0 {
            return Err(io::Error::last_os_error());
        }
        SetSecurityInfo(
            folder.as_raw_handle(),
            SE_FILE_OBJECT,
            DACL_SECURITY_INFORMATION | PROTECTED_DACL_SECURITY_INFORMATION,
            null_mut(),
            null_mut(),
            acl,
            null(),
        )
    };
    match result {
        ERROR_SUCCESS => Ok(()),
        code => Err(io::Error::from_raw_os_error(code.cast_signed())),
    }
}

/// Names the user whom this process belongs to.
pub(super) fn this_user() -> io::Result<String> {
    let mut token = null_mut();
    // SAFETY: the handle that comes back is this process's own.
    let token = unsafe {
        if OpenProcessToken(GetCurrentProcess(), TOKEN_QUERY, &raw mut token) == 0 {
            return Err(io::Error::last_os_error());
        }
        OwnedHandle::from_raw_handle(token)
    };
    // More than the largest one takes, and aligned as the structure is.
    let mut user = [0_u64; 32];
    let mut length = 0;
    // SAFETY: the buffer has that length, and holds the structure if the call succeeds.
    unsafe {
        let done = GetTokenInformation(
            token.as_raw_handle(),
            TokenUser,
            user.as_mut_ptr().cast(),
            size_of_val(&user) as u32,
            &raw mut length,
        );
        if done == 0 {
            return Err(io::Error::last_os_error());
        }
        as_text((*user.as_ptr().cast::<TOKEN_USER>()).User.Sid)
    }
}
