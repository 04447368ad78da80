//! Starts the application on Unix: this process becomes the application, so
//! signals, exit code, standard streams and process id need no passing on. Only
//! where the end of the application must be seen, it is a child, and signals
//! are passed on.
#![allow(unsafe_code)]

use super::AppExit;
use super::signals::{CHILD, EARLY, hand_on_ignored, pass_on_signals};
pub use super::signals::{prepare, was_asked_to_end};
use rustix::fs::{FileType, fstat, tell};
use std::collections::BTreeMap;
use std::ffi::{CString, OsStr, OsString, c_char};
use std::io;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Command, ExitCode};
use std::sync::atomic::Ordering;

/// Becomes the application; returns only if that fails. `started` is never
/// called: files that should not survive are closed by exec itself.
pub(super) fn run(mut command: Command, _started: impl FnOnce()) -> io::Result<ExitCode> {
    command.args(std::env::args_os().skip(1));
    hand_on_ignored(&mut command);
    Err(command.exec())
}

/// Runs the application as a child. It is in the same process group, so the
/// terminal treats both alike: Ctrl-Z stops both.
pub(super) fn supervise(mut command: Command, started: impl FnOnce()) -> io::Result<AppExit> {
    command.args(std::env::args_os().skip(1));
    pass_on_signals()?;
    hand_on_ignored(&mut command);
    end_with_this_process(&mut command);
    tell_own_id(&mut command);
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
        Some(signal) => AppExit::Signal(signal),
        None => AppExit::Code(status.code().unwrap_or(1)),
    })
}

/// Nobody is left to pass signals on when this process is killed, so the
/// application should be killed, too. Only Linux can do that.
fn end_with_this_process(command: &mut Command) {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    {
        let this = std::process::id();
        // SAFETY: only system calls between fork and exec.
        unsafe {
            command.pre_exec(move || {
                if libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL) != 0 {
                    return Err(io::Error::last_os_error());
                }
                // It may have been too late for that.
                if std::os::unix::process::parent_id() == this {
                    Ok(())
                } else {
                    Err(io::Error::from_raw_os_error(libc::ESRCH))
                }
            });
        }
    }
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    let _: &mut Command = command;
}

/// Variables with which systemd names the process that it means: one with
/// another id takes no notice of its sockets
/// (<https://www.freedesktop.org/software/systemd/man/latest/sd_listen_fds.html>).
const OWN_ID: [&str; 3] = ["LISTEN_PID", "WATCHDOG_PID", "SYSTEMD_EXEC_PID"];
/// The same for the process in another way, which nobody insists on.
const OWN_ID_FD: &str = "LISTEN_PIDFDID";

/// Where such a variable names this process, the child is to find itself
/// there. It only knows its id once it exists, and cannot put together an
/// environment any more then; so that is made here, with room for the digits.
fn tell_own_id(command: &mut Command) {
    let this = std::process::id().to_string();
    let mut environment: BTreeMap<OsString, OsString> = std::env::vars_os().collect();
    let ids = OWN_ID.into_iter().filter(|name| {
        let value = environment.get(OsStr::new(name));
        value.is_some_and(|value| value.as_os_str() == OsStr::new(&this))
    });
    let ids: Vec<&str> = ids.collect();
    if ids.is_empty() {
        return;
    }
    command.env_remove(OWN_ID_FD);
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => environment.insert(name.into(), value.into()),
            None => environment.remove(name),
        };
    }
    for id in &ids {
        environment.remove(OsStr::new(id));
    }
    let Some(mut image) = Image::new(command, environment, &ids) else {
        return;
    };
    // SAFETY: the closure only writes to memory that was made before, and
    // does system calls.
    unsafe {
        command.pre_exec(move || match image.become_it() {
            // A script that does not say by what: then a shell's, below.
            e if e.raw_os_error() == Some(libc::ENOEXEC) => Ok(()),
            e => Err(e),
        });
    }
}

/// A program with arguments and environment, ready to be executed.
struct Image {
    program: CString,
    _arguments: Vec<CString>,
    _environment: Vec<CString>,
    /// `NAME=`, room for the digits, and a NUL; and where the digits begin.
    ids: Vec<(Vec<u8>, usize)>,
    argv: Vec<*const c_char>,
    envp: Vec<*const c_char>,
}

// SAFETY: the pointers are to what it owns on the heap, and never changed
// but by the one who has it.
unsafe impl Send for Image {}
// SAFETY: as above.
unsafe impl Sync for Image {}

/// As many as the largest process id can have, and more.
const DIGITS: usize = 20;

impl Image {
    fn new(
        command: &Command,
        environment: BTreeMap<OsString, OsString>,
        ids: &[&str],
    ) -> Option<Self> {
        let text = |text: &OsStr| CString::new(text.as_bytes()).ok();
        let program = text(command.get_program())?;
        let arguments = std::iter::once(command.get_program()).chain(command.get_args());
        let arguments = arguments.map(text).collect::<Option<Vec<_>>>()?;
        let entry = |(name, value): (OsString, OsString)| {
            let mut entry = name.into_vec();
            entry.push(b'=');
            entry.extend(value.into_vec());
            CString::new(entry).ok()
        };
        let environment = environment.into_iter().map(entry);
        let environment = environment.collect::<Option<Vec<_>>>()?;
        let ids = ids.iter().map(|name| {
            let mut entry = format!("{name}=").into_bytes();
            let at = entry.len();
            entry.resize(at + DIGITS + 1, 0);
            (entry, at)
        });
        let ids: Vec<_> = ids.collect();
        let end = [std::ptr::null()];
        let pointers = |all: &[CString]| all.iter().map(|one| one.as_ptr()).collect::<Vec<_>>();
        let argv = [pointers(&arguments).as_slice(), &end].concat();
        let own = ids.iter().map(|(entry, _)| entry.as_ptr().cast());
        let envp = [pointers(&environment), own.collect(), end.to_vec()].concat();
        Some(Image {
            program,
            _arguments: arguments,
            _environment: environment,
            ids,
            argv,
            envp,
        })
    }

    /// Makes this process that program; comes back only if that fails.
    fn become_it(&mut self) -> io::Error {
        for (entry, at) in &mut self.ids {
            write_number(&mut entry[*at..], std::process::id());
        }
        // SAFETY: both lists end with a null pointer, and all else in them
        // points to text with a NUL at its end.
        unsafe {
            libc::execve(
                self.program.as_ptr(),
                self.argv.as_ptr(),
                self.envp.as_ptr(),
            )
        };
        io::Error::last_os_error()
    }
}

/// Writes a number and a NUL, without memory of its own.
fn write_number(to: &mut [u8], number: u32) {
    let length = number.checked_ilog10().map_or(1, |log| log as usize + 1);
    let mut rest = number;
    for place in to[..length].iter_mut().rev() {
        *place = b'0' + (rest % 10) as u8;
        rest /= 10;
    }
    to[length] = 0;
}

/// Runs the program as a process of its own: a session without a terminal,
/// whose parent is the first process of the system. It inherits no open file,
/// since others may wait for the end of a pipe.
pub(super) fn detach(mut command: Command) -> io::Result<()> {
    hand_on_ignored(&mut command);
    let open = open_files();
    // SAFETY: only system calls between fork and exec.
    unsafe {
        command.pre_exec(move || {
            if libc::setsid() < 0 {
                return Err(io::Error::last_os_error());
            }
            match libc::fork() {
                -1 => return Err(io::Error::last_os_error()),
                0 => {}
                _ => libc::_exit(0),
            }
            for &file in &open {
                // Which is not open any more has nothing to be closed.
                libc::fcntl(file, libc::F_SETFD, libc::FD_CLOEXEC);
            }
            Ok(())
        });
    }
    // This one ends at once.
    command.spawn()?.wait().map(drop)
}

/// The numbers of the files that are open here, the streams left out.
fn open_files() -> Vec<i32> {
    /// Says how many files may be open where the system does not: those that
    /// there are likely to be.
    const USUAL: i32 = 1024;
    let listed = std::fs::read_dir("/dev/fd").map(|files| {
        let names = files.flatten().map(|file| file.file_name());
        names
            .filter_map(|name| name.to_str()?.parse().ok())
            .collect()
    });
    let mut files: Vec<i32> = listed.unwrap_or_else(|_| (0..USUAL).collect());
    files.retain(|&file| file > 2);
    files
}

/// Returns whether there is something on standard input that can be read only
/// once: a file or a pipe with data in it, or with somebody who may still
/// write.
pub fn has_input() -> bool {
    let input = io::stdin();
    let Ok(found) = fstat(&input) else {
        return false;
    };
    match FileType::from_raw_mode(found.st_mode) {
        FileType::RegularFile => {
            let at = tell(&input).unwrap_or_default();
            u64::try_from(found.st_size).is_ok_and(|size| size > at)
        }
        FileType::Fifo | FileType::Socket => {
            let mut list = [rustix::event::PollFd::new(
                &input,
                rustix::event::PollFlags::IN,
            )];
            let polled = rustix::event::poll(&mut list, Some(&rustix::event::Timespec::default()));
            let says = list[0].revents();
            let over = says.contains(rustix::event::PollFlags::HUP)
                && !says.contains(rustix::event::PollFlags::IN);
            polled.is_ok() && !over
        }
        _ => false,
    }
}

/// Waits for the child, if there is one, and ends as it does.
pub(super) fn end_with_child() {
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
                let end = if libc::WIFSIGNALED(status) {
                    AppExit::Signal(libc::WTERMSIG(status))
                } else {
                    AppExit::Code(libc::WEXITSTATUS(status))
                };
                exit_like(end);
            }
        }
    }
}

/// Ends this process the way its child did.
pub(super) fn exit_like(end: AppExit) -> ExitCode {
    match end {
        AppExit::Code(code) => std::process::exit(code),
        AppExit::Signal(signal) => {
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

/// Returns whether a signal says that the program did something wrong, rather
/// than that somebody wants it to end.
pub(super) fn is_crash(end: AppExit) -> bool {
    let AppExit::Signal(signal) = end else {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_without_memory() {
        for number in [0, 7, 10, 4_194_304, u32::MAX] {
            let mut text = [b'x'; DIGITS + 1];
            write_number(&mut text, number);
            let written = text.split(|&c| c == 0).next().unwrap();
            assert_eq!(written, number.to_string().as_bytes());
        }
    }
}
