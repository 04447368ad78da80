//! Runs a program and interferes with one of the system calls by which it
//! changes files: to be killed there, or to have it fail. Linux on x86-64.
#![allow(unsafe_code)]

use nix::errno::Errno;
use nix::libc;
use nix::sys::ptrace::{self, Options};
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;
use std::collections::{HashMap, HashSet};
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// What to do at a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Act {
    /// The call is not made, and the whole process is gone.
    Kill,
    /// It and all later calls of this kind fail with this error.
    Fail(Kind, Errno),
    /// Nothing, only count.
    Count,
}

/// Which calls an [`Act`] counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// All that changes files, and all that waits for the disk.
    Any,
    /// Calls that need room on the disk.
    Room,
}

/// What to do in a run.
#[derive(Debug, Clone, Copy)]
pub struct Plan {
    /// What to do.
    pub act: Act,
    /// At which call that changes files, counted from 0.
    pub at: usize,
    /// Whether the system can exchange two folders; older ones cannot.
    pub exchange: bool,
}

/// How a run went.
#[derive(Debug)]
pub struct Run {
    /// How many calls of the kind there were.
    pub calls: usize,
    /// The name of the call that was interfered with.
    pub at: Option<String>,
    /// Exit code, if it came to that.
    pub code: Option<i32>,
    /// Files with content that nothing made sure is on disk (device, inode).
    unsynced: HashSet<(u64, u64)>,
}

impl Run {
    /// What a power failure does on top of a kill: files below `folder` that
    /// were written and never synced are empty. (Renames and the like are
    /// kept in their order by the file systems in use, so a loss of those is
    /// a kill at an earlier point.) Returns how many.
    pub fn lose_unsynced(&self, folder: &Path) -> usize {
        let mut folders = vec![folder.to_path_buf()];
        let mut lost = 0;
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(&folder).expect("a folder") {
                let entry = entry.expect("an entry");
                let found = entry.metadata().expect("it is there");
                if found.is_dir() {
                    folders.push(entry.path());
                } else if found.is_file() && self.unsynced.contains(&(found.dev(), found.ino())) {
                    fs::write(entry.path(), "").expect("it can be written");
                    lost += 1;
                }
            }
        }
        lost
    }
}

/// Runs `command`, whose files of interest are below `folder`, by the plan.
///
/// # Panics
/// If the program cannot be traced.
pub fn run(mut command: Command, folder: &Path, plan: Plan) -> Run {
    let Plan { act, at, exchange } = plan;
    let folder = folder.canonicalize().expect("the folder is there");
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    // SAFETY: one system call between fork and exec.
    unsafe { command.pre_exec(|| Ok(ptrace::traceme()?)) };
    #[expect(clippy::zombie_processes, reason = "waited for below, by its id")]
    let child = command.spawn().expect("it starts");
    let main = Pid::from_raw(child.id().cast_signed());
    waitpid(main, None).expect("it stops at its start");
    let options =
        Options::PTRACE_O_TRACESYSGOOD | Options::PTRACE_O_TRACECLONE | Options::PTRACE_O_EXITKILL;
    ptrace::setoptions(main, options).expect("it is traced");
    ptrace::syscall(main, None).expect("it goes on");
    let kind = match act {
        Act::Fail(kind, _) => kind,
        Act::Kill | Act::Count => Kind::Any,
    };
    let mut run = Run {
        calls: 0,
        at: None,
        code: None,
        unsynced: HashSet::new(),
    };
    // Calls that are to fail, by thread.
    let mut failing: HashMap<Pid, Errno> = HashMap::new();
    loop {
        let pid = match waitpid(Pid::from_raw(-1), Some(WaitPidFlag::__WALL)) {
            Ok(WaitStatus::Exited(pid, code)) if pid == main => {
                run.code = Some(code);
                return run;
            }
            Ok(WaitStatus::Signaled(pid, ..)) if pid == main => return run,
            Ok(WaitStatus::PtraceSyscall(pid)) => {
                if let Some(errno) = failing.remove(&pid) {
                    answer(pid, errno);
                } else if let Some(call) = Call::entered(pid, &folder) {
                    if call.is_exchange() && !exchange {
                        skip(pid);
                        failing.insert(pid, Errno::EINVAL);
                    } else if call.is(kind) {
                        let here = run.calls == at;
                        run.calls += 1;
                        if here && act != Act::Count {
                            run.at = Some(call.describe(pid));
                        }
                        match act {
                            Act::Kill if here => {
                                kill(main, Signal::SIGKILL).expect("it is there");
                                continue;
                            }
                            Act::Fail(_, errno) if run.calls > at => {
                                skip(pid);
                                failing.insert(pid, errno);
                                resume(pid, None);
                                continue;
                            }
                            _ => {}
                        }
                    }
                    call.note(&mut run.unsynced);
                }
                (pid, None)
            }
            Ok(WaitStatus::PtraceEvent(pid, ..)) => (pid, None),
            // A new thread starts with this one.
            Ok(WaitStatus::Stopped(pid, Signal::SIGSTOP | Signal::SIGTRAP)) => (pid, None),
            Ok(WaitStatus::Stopped(pid, signal)) => (pid, Some(signal)),
            Ok(_) => continue,
            Err(Errno::EINTR) => continue,
            Err(e) => panic!("waiting: {e}"),
        };
        resume(pid.0, pid.1);
    }
}

fn resume(pid: Pid, signal: Option<Signal>) {
    match ptrace::syscall(pid, signal) {
        // A thread may be gone already.
        Ok(()) | Err(Errno::ESRCH) => {}
        Err(e) => panic!("going on: {e}"),
    }
}

/// The call is replaced by one that does not exist.
fn skip(pid: Pid) {
    let mut registers = ptrace::getregs(pid).expect("it is stopped");
    registers.orig_rax = u64::MAX;
    ptrace::setregs(pid, registers).expect("it is stopped");
}

fn answer(pid: Pid, errno: Errno) {
    let mut registers = ptrace::getregs(pid).expect("it is stopped");
    registers.rax = i64::from(-(errno as i32)).cast_unsigned();
    ptrace::setregs(pid, registers).expect("it is stopped");
}

struct Call {
    number: i64,
    arguments: [u64; 6],
    /// The regular file in question, for calls about an open one.
    file: Option<PathBuf>,
}

impl Call {
    /// The call that a stopped thread is about to make, if it changes files.
    fn entered(pid: Pid, folder: &Path) -> Option<Self> {
        let registers = ptrace::getregs(pid).ok()?;
        // The kernel sets this on entry; on leaving it is the result.
        if registers.rax.cast_signed() != -i64::from(libc::ENOSYS) {
            return None;
        }
        let mut call = Call {
            number: registers.orig_rax.cast_signed(),
            arguments: [
                registers.rdi,
                registers.rsi,
                registers.rdx,
                registers.r10,
                registers.r8,
                registers.r9,
            ],
            file: None,
        };
        let descriptor = match call.number {
            libc::SYS_write | libc::SYS_pwrite64 | libc::SYS_writev | libc::SYS_sendfile => 0,
            libc::SYS_ftruncate | libc::SYS_fallocate | libc::SYS_fsync | libc::SYS_fdatasync => 0,
            libc::SYS_fchmod => 0,
            libc::SYS_ioctl if call.arguments[1] == u64::from(FICLONE) => 0,
            libc::SYS_copy_file_range => 2,
            libc::SYS_openat if call.arguments[2] & CREATES != 0 => return Some(call),
            libc::SYS_open if call.arguments[1] & CREATES != 0 => return Some(call),
            libc::SYS_mkdir
            | libc::SYS_mkdirat
            | libc::SYS_rename
            | libc::SYS_renameat
            | libc::SYS_renameat2
            | libc::SYS_unlink
            | libc::SYS_unlinkat
            | libc::SYS_rmdir
            | libc::SYS_link
            | libc::SYS_linkat
            | libc::SYS_symlink
            | libc::SYS_symlinkat
            | libc::SYS_chmod
            | libc::SYS_fchmodat
            | libc::SYS_syncfs => return Some(call),
            _ => return None,
        };
        let link = descriptor_path(pid, call.arguments[descriptor]);
        let file = fs::read_link(link).ok()?;
        if !file.starts_with(folder) {
            return None;
        }
        call.file = Some(descriptor_path(pid, call.arguments[descriptor]));
        Some(call)
    }

    fn is_exchange(&self) -> bool {
        self.number == libc::SYS_renameat2 && self.arguments[4] == u64::from(libc::RENAME_EXCHANGE)
    }

    fn is(&self, kind: Kind) -> bool {
        match kind {
            Kind::Any => true,
            Kind::Room => [
                libc::SYS_write,
                libc::SYS_pwrite64,
                libc::SYS_writev,
                libc::SYS_copy_file_range,
                libc::SYS_openat,
                libc::SYS_mkdir,
                libc::SYS_link,
                libc::SYS_linkat,
                libc::SYS_symlinkat,
            ]
            .contains(&self.number),
        }
    }

    /// Keeps the list of unsynced files.
    fn note(&self, unsynced: &mut HashSet<(u64, u64)>) {
        if self.number == libc::SYS_syncfs {
            unsynced.clear();
        }
        let Some(found) = self.file.as_ref().and_then(|file| fs::metadata(file).ok()) else {
            return;
        };
        let file = (found.dev(), found.ino());
        match self.number {
            libc::SYS_fsync | libc::SYS_fdatasync => unsynced.remove(&file),
            libc::SYS_fchmod => false,
            _ => unsynced.insert(file),
        };
    }

    fn describe(&self, pid: Pid) -> String {
        let name = NAMES
            .iter()
            .find(|(number, _)| *number == self.number)
            .map_or("?", |(_, name)| name);
        let path = self.file.as_ref().and_then(|file| fs::read_link(file).ok());
        let path = path.or_else(|| self.path(pid));
        format!("{name} {}", path.unwrap_or_default().display())
    }

    /// The last path that the call names.
    fn path(&self, pid: Pid) -> Option<PathBuf> {
        let at = match self.number {
            libc::SYS_openat | libc::SYS_mkdirat | libc::SYS_unlinkat | libc::SYS_fchmodat => 1,
            libc::SYS_rename | libc::SYS_link | libc::SYS_symlink => 1,
            libc::SYS_renameat | libc::SYS_renameat2 | libc::SYS_linkat => 3,
            libc::SYS_symlinkat => 2,
            libc::SYS_syncfs => return None,
            _ => 0,
        };
        let mut bytes = Vec::new();
        let mut address = self.arguments[at];
        loop {
            let word = ptrace::read(pid, address as ptrace::AddressType).ok()?;
            for byte in word.to_ne_bytes() {
                if byte == 0 {
                    return String::from_utf8(bytes).ok().map(PathBuf::from);
                }
                bytes.push(byte);
            }
            address += 8;
        }
    }
}

fn descriptor_path(pid: Pid, descriptor: u64) -> PathBuf {
    format!("/proc/{pid}/fd/{descriptor}").into()
}

const CREATES: u64 = libc::O_CREAT as u64;
const FICLONE: u32 = 0x4004_9409;
const NAMES: &[(i64, &str)] = &[
    (libc::SYS_write, "write"),
    (libc::SYS_pwrite64, "pwrite"),
    (libc::SYS_writev, "writev"),
    (libc::SYS_copy_file_range, "copy"),
    (libc::SYS_sendfile, "sendfile"),
    (libc::SYS_ftruncate, "truncate"),
    (libc::SYS_fsync, "sync"),
    (libc::SYS_fdatasync, "sync data"),
    (libc::SYS_fchmod, "chmod"),
    (libc::SYS_chmod, "chmod"),
    (libc::SYS_fchmodat, "chmod"),
    (libc::SYS_openat, "create"),
    (libc::SYS_open, "create"),
    (libc::SYS_mkdir, "mkdir"),
    (libc::SYS_mkdirat, "mkdir"),
    (libc::SYS_rename, "rename"),
    (libc::SYS_renameat, "rename"),
    (libc::SYS_renameat2, "rename"),
    (libc::SYS_unlink, "unlink"),
    (libc::SYS_unlinkat, "unlink"),
    (libc::SYS_rmdir, "rmdir"),
    (libc::SYS_link, "link"),
    (libc::SYS_linkat, "link"),
    (libc::SYS_symlink, "symlink"),
    (libc::SYS_symlinkat, "symlink"),
    (libc::SYS_syncfs, "sync all"),
];
