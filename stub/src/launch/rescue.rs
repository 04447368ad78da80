//! Keeps a panic or a failed allocation from keeping the application from
//! starting. Release builds abort on a panic, but not before a hook was called,
//! and an allocator may do what it likes before it says that there is no
//! memory. So neither returns here: a thread that cannot go on says so and
//! sleeps, and the main thread, which has little to do, starts the application;
//! if it is the main thread itself, it does so from where it is.
//!
//! Compared with other ways in `docs/decisions/panic.md`.

use crate::launch::reserve;
use std::cell::Cell;
use std::io::Write;
use std::panic::PanicHookInfo;
use std::path::PathBuf;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

/// Says what kept a thread from going on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failure {
    /// This program has an error.
    Panic,
    /// There is no more memory.
    Memory,
}

/// What the main thread does if it cannot go on.
struct Resort {
    start: Box<dyn Fn() + Send + Sync>,
    log: Option<PathBuf>,
}

static RESORT: OnceLock<Resort> = OnceLock::new();
/// 0: nothing yet.
static FAILED: AtomicU8 = AtomicU8::new(0);

thread_local! {
    static MAIN: Cell<bool> = const { Cell::new(false) };
    /// Whether this thread is being rescued.
    static BUSY: Cell<bool> = const { Cell::new(false) };
}

/// Installs the rescue; must be called on the main thread, at once. `start`
/// starts the application, and does not return; `log` is where to say why, if
/// anywhere.
pub fn install(log: Option<PathBuf>, start: impl Fn() + Send + Sync + 'static) {
    MAIN.set(true);
    let start = Box::new(start);
    if RESORT.set(Resort { start, log }).is_ok() {
        reserve::keep_reserve();
        std::panic::set_hook(Box::new(panicked));
    }
}

/// Returns whether some thread cannot go on.
pub fn failure() -> Option<Failure> {
    match FAILED.load(Ordering::SeqCst) {
        0 => None,
        1 => Some(Failure::Panic),
        _ => Some(Failure::Memory),
    }
}

fn note(failure: Failure) {
    BUSY.set(true);
    // The thread may hold the lock of the log for ever.
    log::set_max_level(log::LevelFilter::Off);
    let number = match failure {
        Failure::Panic => 1,
        Failure::Memory => 2,
    };
    FAILED.store(number, Ordering::SeqCst);
}

fn panicked(info: &PanicHookInfo) {
    let Some(resort) = RESORT.get().filter(|_| !BUSY.get()) else {
        return;
    };
    note(Failure::Panic);
    // Of the message nobody knows what is in it.
    let place = info.location().map(ToString::to_string);
    resort.say(&format!(
        "the program has an error at {}; please report it; starting the installed version",
        place.unwrap_or_default()
    ));
    give_up(resort);
}

/// Is called by the allocator when it has nothing more. Comes back on the main
/// thread, and where nobody waits for the application: to be tried once more.
pub(super) fn out_of_memory() {
    let Some(resort) = RESORT.get().filter(|_| !BUSY.get()) else {
        return;
    };
    note(Failure::Memory);
    reserve::free_reserve();
    if MAIN.get() {
        // With the reserve it may do.
        BUSY.set(false);
        return;
    }
    give_up(resort);
}

/// Is called by the allocator when the reserve did not do either.
pub(super) fn out_of_reserve() {
    if let Some(resort) = RESORT.get().filter(|_| MAIN.get() && !BUSY.get()) {
        BUSY.set(true);
        give_up(resort);
    }
}

fn give_up(resort: &Resort) {
    if MAIN.get() {
        (resort.start)();
        return;
    }
    loop {
        std::thread::sleep(Duration::from_secs(3600));
    }
}

/// Says in the log that the update came to nothing for this reason.
pub fn say_memory_ran_out() {
    if let Some(resort) = RESORT.get() {
        resort.say("there is not enough memory for the update; starting the installed version");
    }
}

impl Resort {
    /// Past the logger, whose lock may be held.
    fn say(&self, text: &str) {
        let now = std::time::SystemTime::now().duration_since(std::time::SystemTime::UNIX_EPOCH);
        let now = crate::tuf::metadata::format_time(now.map_or(0, |now| now.as_secs() as i64));
        let Some(log) = &self.log else {
            return;
        };
        // If it is gone, nothing can be said.
        if let Ok(mut file) = crate::fs::plain_file::open_to_append(log) {
            drop(writeln!(file, "{now} [ERROR] {text}"));
        }
    }
}

/// Marks a place where the tests let something go wrong, in builds for them
/// only.
#[cfg(debug_assertions)]
pub fn test_point(name: &str) {
    let is = |variable: &str| std::env::var(variable).is_ok_and(|value| value == name);
    if is("NOTSOTUF_TEST_PANIC") {
        panic!("as the test wants it");
    }
    if is("NOTSOTUF_TEST_MEMORY") {
        // Needs a limit, else it takes all there is.
        let mut all = Vec::new();
        loop {
            all.push(vec![1u8; 1 << 16]);
        }
    }
}

/// Does nothing in what is shipped.
#[cfg(not(debug_assertions))]
pub fn test_point(_name: &str) {}
