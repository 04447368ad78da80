//! Unix: this process becomes the application, so signals, exit code,
//! standard streams and process id need no passing on. Only where the end of
//! the application must be seen, it is a child, and signals are passed on.
#![allow(unsafe_code)]

use super::End;
use std::io;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Command, ExitCode};
use std::sync::atomic::{AtomicBool, AtomicI32, Ordering};

/// Does not return unless it fails. `started` is never called: files that
/// are not to survive are closed by exec itself.
pub fn run(mut command: Command, _started: impl FnOnce()) -> io::Result<ExitCode> {
    command.args(std::env::args_os().skip(1));
    Err(command.exec())
}

/// Runs the application as a child. It is in the same process group, so the
/// terminal treats both alike: Ctrl-Z stops both.
pub fn supervise(mut command: Command, started: impl FnOnce()) -> io::Result<End> {
    command.args(std::env::args_os().skip(1));
    pass_on_signals()?;
    let mut child = command.spawn()?;
    let pid = i32::try_from(child.id()).map_err(io::Error::other)?;
    CHILD.store(pid, Ordering::SeqCst);
    let early = EARLY.swap(0, Ordering::SeqCst);
    if early != 0 {
        // SAFETY: a plain system call; the child is not waited for yet.
        unsafe { libc::kill(pid, early) };
    }
    started();
    let status = child.wait();
    CHILD.store(0, Ordering::SeqCst);
    let status = status?;
    Ok(match status.signal() {
        Some(signal) => End::Signal(signal),
        None => End::Code(status.code().unwrap_or(1)),
    })
}

/// Waits for the child, if there is one, and ends as it does.
pub fn end_with_child() {
    let child = CHILD.load(Ordering::SeqCst);
    if child == 0 {
        return;
    }
    loop {
        let mut status = 0;
        // SAFETY: a plain system call with a place for its answer.
        match unsafe { libc::waitpid(child, &raw mut status, 0) } {
            -1 if io::Error::last_os_error().kind() == io::ErrorKind::Interrupted => {}
            // Somebody else has waited for it.
            -1 => std::process::exit(1),
            _ => {
                let end = match libc::WIFSIGNALED(status) {
                    true => End::Signal(libc::WTERMSIG(status)),
                    false => End::Code(libc::WEXITSTATUS(status)),
                };
                end_alike(end);
            }
        }
    }
}

/// Ends this process the way its child did.
pub fn end_alike(end: End) -> ExitCode {
    match end {
        End::Code(code) => std::process::exit(code),
        End::Signal(signal) => {
            // SAFETY: plain system calls. The core that is worth having is
            // the application's.
            unsafe {
                let none = libc::rlimit {
                    rlim_cur: 0,
                    rlim_max: 0,
                };
                libc::setrlimit(libc::RLIMIT_CORE, &raw const none);
                libc::signal(signal, libc::SIG_DFL);
                libc::raise(signal);
            }
            std::process::exit(128 + signal)
        }
    }
}

/// Whether a signal is one that says the program did something wrong, rather
/// than that somebody wants it to end.
pub fn is_crash(end: End) -> bool {
    let End::Signal(signal) = end else {
        return false;
    };
    [
        libc::SIGSEGV,
        libc::SIGABRT,
        libc::SIGBUS,
        libc::SIGILL,
        libc::SIGFPE,
        libc::SIGTRAP,
        libc::SIGSYS,
    ]
    .contains(&signal)
}

static CHILD: AtomicI32 = AtomicI32::new(0);
/// A signal that came before there was a child.
static EARLY: AtomicI32 = AtomicI32::new(0);

static ASKED_TO_END: AtomicBool = AtomicBool::new(false);

/// Whether a signal came that is to end the application.
pub fn was_asked_to_end() -> bool {
    ASKED_TO_END.load(Ordering::SeqCst)
}

fn pass_on_signals() -> io::Result<()> {
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
