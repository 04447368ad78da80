//! Passes the signals that this process gets on to its child.
#![allow(unsafe_code)]

use std::io;
use std::sync::atomic::{AtomicBool, AtomicI32, Ordering};

pub(super) static CHILD: AtomicI32 = AtomicI32::new(0);
/// A signal that came before there was a child.
pub(super) static EARLY: AtomicI32 = AtomicI32::new(0);

static ASKED_TO_END: AtomicBool = AtomicBool::new(false);

/// Returns whether a signal came that is to end the application.
pub fn was_asked_to_end() -> bool {
    ASKED_TO_END.load(Ordering::SeqCst)
}

pub(super) fn pass_on_signals() -> io::Result<()> {
    for signal in [
        libc::SIGTERM,
        libc::SIGHUP,
        libc::SIGINT,
        libc::SIGQUIT,
        libc::SIGUSR1,
        libc::SIGUSR2,
    ] {
        // SAFETY: the handler makes only calls that are allowed in one; what
        // was ignored (by nohup) stays so.
        let failed = unsafe {
            let mut action: libc::sigaction = std::mem::zeroed();
            libc::sigaction(signal, std::ptr::null(), &raw mut action) != 0
                || action.sa_sigaction != libc::SIG_IGN && {
                    action.sa_sigaction = pass_on as *const () as usize;
                    action.sa_flags = libc::SA_SIGINFO | libc::SA_RESTART;
                    libc::sigemptyset(&raw mut action.sa_mask);
                    libc::sigaction(signal, &raw const action, std::ptr::null_mut()) != 0
                }
        };
        if failed {
            return Err(io::Error::last_os_error());
        }
    }
    Ok(())
}

extern "C" fn pass_on(signal: i32, info: *mut libc::siginfo_t, _: *mut libc::c_void) {
    if ![libc::SIGUSR1, libc::SIGUSR2].contains(&signal) {
        ASKED_TO_END.store(true, Ordering::SeqCst);
    }
    // SAFETY: the system gives a valid one with SA_SIGINFO.
    let sender = unsafe { (*info).si_pid() };
    // What the terminal sends, it sends to the child too.
    if sender == 0 && (signal == libc::SIGINT || signal == libc::SIGQUIT) {
        return;
    }
    let child = CHILD.load(Ordering::SeqCst);
    if child == 0 {
        EARLY.store(signal, Ordering::SeqCst);
        return;
    }
    // SAFETY: kill may be called in a handler. `errno` is for the code that
    // was interrupted.
    unsafe {
        let errno = errno();
        let saved = *errno;
        libc::kill(child, signal);
        *errno = saved;
    }
}

#[cfg(any(target_os = "linux", target_os = "android"))]
unsafe fn errno() -> *mut i32 {
    // SAFETY: no condition.
    unsafe { libc::__errno_location() }
}

#[cfg(target_vendor = "apple")]
unsafe fn errno() -> *mut i32 {
    // SAFETY: no condition.
    unsafe { libc::__error() }
}
