//! Passes the signals that this process gets on to its child, and hands it the
//! signals that are ignored as this process found them.
#![allow(unsafe_code)]

use std::io;
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicI32, Ordering};

/// Whether the starter of this process ignores SIGPIPE. Rust's runtime does so in any case, and
/// lets each program that it starts be killed by it.
static IGNORES_PIPE: AtomicBool = AtomicBool::new(false);
/// Whether it ignores SIGXFSZ, which ends who writes more than `ulimit -f` allows.
static IGNORES_LARGE_FILES: AtomicBool = AtomicBool::new(false);

/// Runs before `main`, and so before the runtime changes anything.
#[used]
#[cfg_attr(not(target_vendor = "apple"), unsafe(link_section = ".init_array"))]
#[cfg_attr(
    target_vendor = "apple",
    unsafe(link_section = "__DATA,__mod_init_func")
)]
static AT_START: extern "C" fn() = note_ignored;

extern "C" fn note_ignored() {
    IGNORES_PIPE.store(is_ignored(libc::SIGPIPE), Ordering::Relaxed);
    IGNORES_LARGE_FILES.store(is_ignored(libc::SIGXFSZ), Ordering::Relaxed);
}

fn is_ignored(signal: i32) -> bool {
    // SAFETY: a plain system call with a place for its answer.
    unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        libc::sigaction(signal, std::ptr::null(), &raw mut action) == 0
            && action.sa_sigaction == libc::SIG_IGN
    }
}

/// Makes a file that becomes too large an error, as for the application, which
/// is to start then.
pub fn prepare() {
    // SAFETY: a plain system call.
    unsafe { libc::signal(libc::SIGXFSZ, libc::SIG_IGN) };
}

/// Lets a program find those signals ignored that this process found so, and
/// no other.
pub(super) fn hand_on_ignored(command: &mut Command) {
    let handler = |ignored: &AtomicBool| {
        if ignored.load(Ordering::Relaxed) {
            libc::SIG_IGN
        } else {
            libc::SIG_DFL
        }
    };
    let pipe = handler(&IGNORES_PIPE);
    let large_files = handler(&IGNORES_LARGE_FILES);
    // SAFETY: only system calls between fork and exec.
    unsafe {
        command.pre_exec(move || {
            libc::signal(libc::SIGPIPE, pipe);
            libc::signal(libc::SIGXFSZ, large_files);
            Ok(())
        });
    }
}

pub(super) static CHILD: AtomicI32 = AtomicI32::new(0);
/// A signal that came before there was a child.
pub(super) static EARLY: AtomicI32 = AtomicI32::new(0);

static ASKED_TO_END: AtomicBool = AtomicBool::new(false);

/// Returns whether a signal came that is to end the application.
pub fn was_asked_to_end() -> bool {
    ASKED_TO_END.load(Ordering::SeqCst)
}

/// Passes on whatever can be caught, but for what this process itself would
/// have caused, the end of the child, and what stops both.
pub(super) fn pass_on_signals() -> io::Result<()> {
    for signal in signals() {
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

const ENDING: [i32; 4] = [libc::SIGTERM, libc::SIGHUP, libc::SIGINT, libc::SIGQUIT];

fn signals() -> impl Iterator<Item = i32> {
    const OTHERS: [i32; 9] = [
        libc::SIGUSR1,
        libc::SIGUSR2,
        libc::SIGALRM,
        libc::SIGVTALRM,
        libc::SIGPROF,
        libc::SIGXCPU,
        libc::SIGIO,
        libc::SIGWINCH,
        libc::SIGCONT,
    ];
    #[cfg(any(target_os = "linux", target_os = "android"))]
    let more = [libc::SIGPWR, libc::SIGSTKFLT]
        .into_iter()
        .chain(libc::SIGRTMIN()..=libc::SIGRTMAX());
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    let more = std::iter::empty();
    ENDING.into_iter().chain(OTHERS).chain(more)
}

extern "C" fn pass_on(signal: i32, info: *mut libc::siginfo_t, _: *mut libc::c_void) {
    if ENDING.contains(&signal) {
        ASKED_TO_END.store(true, Ordering::SeqCst);
    }
    // SAFETY: the system gives a valid one with SA_SIGINFO.
    let sender = unsafe { (*info).si_pid() };
    // What the terminal sends, it sends to the child too.
    if sender == 0 && [libc::SIGINT, libc::SIGQUIT, libc::SIGWINCH].contains(&signal) {
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
