//! Handles Ctrl-C and SIGTERM: what is half done goes before the program does.
//!
//! A thread waits for the signal. It lets a write that has begun come to its
//! end and no other begin, ends the programs that were started, removes the
//! temporary folders, gives the terminal its echo back, and ends the process
//! as a shell expects it.

use notsotuf_stub::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard};
use std::time::{Duration, Instant};

static INTERRUPTED: AtomicBool = AtomicBool::new(false);
static FOLDERS: Mutex<Vec<PathBuf>> = Mutex::new(Vec::new());
static CHILDREN: Mutex<Vec<u32>> = Mutex::new(Vec::new());
/// Held by those who must come to an end.
static WHOLE: RwLock<()> = RwLock::new(());

fn lock<T>(of: &Mutex<T>) -> MutexGuard<'_, T> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Notes that a temporary folder is there from now on.
pub(crate) fn folder_began(path: &Path) {
    lock(&FOLDERS).push(path.into());
}
/// Notes that a temporary folder is gone.
pub(crate) fn folder_ended(path: &Path) {
    lock(&FOLDERS).retain(|known| known != path);
}
/// Notes that a program runs.
pub(crate) fn child_began(id: u32) {
    lock(&CHILDREN).push(id);
}
/// Notes that a program has ended.
pub(crate) fn child_ended(id: u32) {
    lock(&CHILDREN).retain(|known| *known != id);
}

/// Asks a program to end, where there is such a thing: on Windows nothing asks one
/// that has no console.
pub(crate) fn terminate(child: u32) {
    system::terminate(child);
}

/// Keeps the process from being ended as long as the answer is held: for what
/// is whole or not there at all.
pub(crate) fn hold() -> RwLockReadGuard<'static, ()> {
    WHOLE.read().unwrap_or_else(PoisonError::into_inner)
}

/// Stops here if the command was interrupted: such a command fails in ways that
/// are not worth telling, and the process ends elsewhere.
pub(crate) fn stop_if_interrupted() {
    while INTERRUPTED.load(Ordering::SeqCst) {
        std::thread::sleep(Duration::from_secs(1));
    }
}

/// Starts to wait for signals. Without such a thread, which a system may
/// refuse, the process just ends.
pub(crate) fn watch() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let Ok(runtime) = runtime else { return };
    // From now on the signals are caught, not only once the thread runs.
    let entered = runtime.enter();
    let signals = system::Signals::new();
    drop(entered);
    let waits = std::thread::Builder::new().name("signals".into());
    let started = waits.spawn(move || {
        let signal = runtime.block_on(signals.wait());
        end(signal);
    });
    if let Err(e) = started {
        log::debug!("no thread waits for signals: {e}");
    }
}

/// Ends the process as Ctrl-C does.
pub(crate) fn by_key() -> ! {
    const INTERRUPT: i32 = 2;
    end(INTERRUPT)
}

fn end(signal: i32) -> ! {
    if INTERRUPTED.swap(true, Ordering::SeqCst) {
        // Another thread does it.
        loop {
            std::thread::park();
        }
    }
    // Both are held until the end: nothing is written any more.
    let _whole = WHOLE.write().unwrap_or_else(PoisonError::into_inner);
    let _quiet = fs::no_more_writes();
    end_children();
    let folders = lock(&FOLDERS).clone();
    for folder in folders {
        // The command may still be putting files there.
        for _ in 0..20 {
            if fs::remove_tree_if_exists(&folder).is_ok() && !folder.exists() {
                break;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }
    terminal::restore();
    std::process::exit(128 + signal);
}

/// Asks what was started to end, and ends what does not.
fn end_children() {
    const PATIENCE: Duration = Duration::from_secs(2);
    const LOOK: Duration = Duration::from_millis(10);
    let children = lock(&CHILDREN).clone();
    for child in &children {
        terminate(*child);
    }
    let start = Instant::now();
    while start.elapsed() < PATIENCE && children.iter().any(|child| system::is_running(*child)) {
        std::thread::sleep(LOOK);
    }
    for child in children {
        system::kill(child);
    }
}

#[cfg(unix)]
mod system {
    use futures_util::future::{FutureExt, select_all};
    use tokio::signal::unix::{Signal, SignalKind, signal};

    /// Waits for those signals that ask a process to end, and that it does not
    /// ignore (as after `nohup`, and in the background of a script).
    pub(super) struct Signals(Vec<(i32, Signal)>);

    impl Signals {
        pub(super) fn new() -> Self {
            let ignored = ignored();
            let mut kinds = vec![SignalKind::interrupt(), SignalKind::terminate()];
            // Where it is not known whether it is ignored, it is left as it is.
            if cfg!(target_os = "linux") {
                kinds.push(SignalKind::hangup());
            }
            let wanted = kinds
                .into_iter()
                .filter(|kind| ignored >> (kind.as_raw_value() - 1) & 1 == 0);
            Signals(
                wanted
                    .filter_map(|kind| Some((kind.as_raw_value(), signal(kind).ok()?)))
                    .collect(),
            )
        }

        pub(super) async fn wait(mut self) -> i32 {
            let waits = self.0.iter_mut().map(|(number, signal)| {
                let number = *number;
                async move {
                    match signal.recv().await {
                        Some(()) => number,
                        None => std::future::pending().await,
                    }
                }
                .boxed_local()
            });
            let waits: Vec<_> = waits.collect();
            if waits.is_empty() {
                std::future::pending().await
            } else {
                select_all(waits).await.0
            }
        }
    }

    /// The signals that whoever started this had it ignore, as bits. Only
    /// Linux says.
    fn ignored() -> u64 {
        let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
        let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
        mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok())
            .unwrap_or(0)
    }

    fn send(child: u32, signal: rustix::process::Signal) {
        if let Some(id) = id(child)
            && let Err(e) = rustix::process::kill_process(id, signal)
        {
            log::debug!("{child}: {e}");
        }
    }

    fn id(child: u32) -> Option<rustix::process::Pid> {
        rustix::process::Pid::from_raw(i32::try_from(child).ok()?)
    }

    pub(super) fn terminate(child: u32) {
        send(child, rustix::process::Signal::TERM);
    }

    /// Whether it is a child that has not ended; nobody need have waited for its end.
    pub(super) fn is_running(child: u32) -> bool {
        use rustix::process::{WaitId, WaitIdOptions, waitid};
        let look = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
        id(child).is_some_and(|id| matches!(waitid(WaitId::Pid(id), look), Ok(None)))
    }

    /// As it has not ended, the number is still its own.
    pub(super) fn kill(child: u32) {
        if is_running(child) {
            send(child, rustix::process::Signal::KILL);
        }
    }
}

#[cfg(windows)]
mod system {
    /// Waits for Ctrl-C, which the programs that were started get, too.
    pub(super) struct Signals(Option<tokio::signal::windows::CtrlC>);

    impl Signals {
        pub(super) fn new() -> Self {
            Signals(tokio::signal::windows::ctrl_c().ok())
        }

        pub(super) async fn wait(self) -> i32 {
            const INTERRUPT: i32 = 2;
            if let Some(mut signal) = self.0
                && signal.recv().await.is_some()
            {
                return INTERRUPT;
            }
            std::future::pending().await
        }
    }

    pub(super) fn terminate(_: u32) {}

    pub(super) fn is_running(_: u32) -> bool {
        false
    }

    pub(super) fn kill(_: u32) {}
}

/// Remembers the terminal, whose echo is off while a passphrase is typed.
pub(crate) mod terminal {
    #[cfg(unix)]
    static BEFORE: super::Mutex<Option<rustix::termios::Termios>> = super::Mutex::new(None);

    /// Notes how the terminal is, before its echo is turned off.
    pub(crate) fn note() {
        #[cfg(unix)]
        if let Ok(tty) = std::fs::File::open("/dev/tty") {
            *super::lock(&BEFORE) = rustix::termios::tcgetattr(&tty).ok();
        }
    }

    /// Notes that the echo is on again.
    pub(crate) fn forget() {
        #[cfg(unix)]
        super::lock(&BEFORE).take();
    }

    /// Restores the terminal.
    pub(crate) fn restore() {
        #[cfg(unix)]
        if let Some(before) = super::lock(&BEFORE).take()
            && let Ok(tty) = std::fs::File::open("/dev/tty")
            && let Err(e) =
                rustix::termios::tcsetattr(&tty, rustix::termios::OptionalActions::Now, &before)
        {
            log::debug!("the terminal stays as it is: {e}");
        }
    }
}
