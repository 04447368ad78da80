//! Tells whose a folder of Windows is.
#![allow(unsafe_code)]

use std::io;
use std::os::windows::ffi::OsStrExt;
use std::os::windows::io::{AsRawHandle, FromRawHandle, OwnedHandle};
use std::path::Path;
use std::ptr::null_mut;
use windows_sys::Win32::Foundation::{ERROR_SUCCESS, LocalFree};
use windows_sys::Win32::Security::Authorization::{GetNamedSecurityInfoW, SE_FILE_OBJECT};
use windows_sys::Win32::Security::{
    EqualSid, GetTokenInformation, IsWellKnownSid, OWNER_SECURITY_INFORMATION,
    PSECURITY_DESCRIPTOR, PSID, TOKEN_QUERY, TOKEN_USER, TokenUser, WinBuiltinAdministratorsSid,
    WinLocalSystemSid,
};
use windows_sys::Win32::System::Threading::{GetCurrentProcess, OpenProcessToken};

/// Returns whether `folder` belongs to this user, to an administrator or the system, who
/// may do everything anyway, or to whoever `other` belongs to. A file system that
/// knows no owners has nothing against anybody.
pub(super) fn is_trusted(folder: &Path, other: &Path) -> io::Result<bool> {
    let Some(owner) = Owner::of(folder)? else {
        return Ok(true);
    };
    if owner.is_administrator() || is_this_user(owner.sid)? {
        return Ok(true);
    }
    let other = Owner::of(other)?;
    // SAFETY: as before.
    Ok(other.is_some_and(|other| unsafe { EqualSid(owner.sid, other.sid) != 0 }))
}

/// Returns whether a file or folder belongs to the administrators or the system.
pub(crate) fn belongs_to_administrators(path: &Path) -> io::Result<bool> {
    Ok(Owner::of(path)?.is_some_and(|owner| owner.is_administrator()))
}

/// The owner of a file, in memory that the system has given.
struct Owner {
    sid: PSID,
    descriptor: PSECURITY_DESCRIPTOR,
}

impl Owner {
    fn of(path: &Path) -> io::Result<Option<Self>> {
        let name: Vec<u16> = path.as_os_str().encode_wide().chain([0]).collect();
        let (mut sid, mut descriptor): (PSID, PSECURITY_DESCRIPTOR) = (null_mut(), null_mut());
        // SAFETY: the name ends with NUL; what is not asked for may be null.
        let result = unsafe {
            GetNamedSecurityInfoW(
                name.as_ptr(),
                SE_FILE_OBJECT,
                OWNER_SECURITY_INFORMATION,
                &raw mut sid,
                null_mut(),
                null_mut(),
                null_mut(),
                &raw mut descriptor,
            )
        };
        if result != ERROR_SUCCESS {
            return Err(io::Error::from_raw_os_error(result.cast_signed()));
        }
        // It is freed in any case.
        let owner = Owner { sid, descriptor };
        Ok((!owner.sid.is_null()).then_some(owner))
    }
}

impl Owner {
    fn is_administrator(&self) -> bool {
        // SAFETY: the owner is there as long as what holds it.
        unsafe {
            IsWellKnownSid(self.sid, WinBuiltinAdministratorsSid) != 0
                || IsWellKnownSid(self.sid, WinLocalSystemSid) != 0
        }
    }
}

impl Drop for Owner {
    fn drop(&mut self) {
        // SAFETY: it is from the call that gives such memory, and is used no more.
        unsafe { LocalFree(self.descriptor) };
    }
}

fn is_this_user(sid: PSID) -> io::Result<bool> {
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
        let user = &*user.as_ptr().cast::<TOKEN_USER>();
        Ok(EqualSid(user.User.Sid, sid) != 0)
    }
}
