//! Tries again while other programs hold a file.

use std::io;
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// How long one call is tried again. Programs against viruses, indexers and backups
/// hold what was just written for seconds.
const EACH: Duration = Duration::from_secs(5);

/// How long all calls of this process together are: what is in use for good
/// must not make a user wait for each of a thousand files.
const ALL: Duration = Duration::from_secs(15);

const FIRST_PAUSE: Duration = Duration::from_millis(10);
const LONGEST_PAUSE: Duration = Duration::from_millis(500);

static LEFT: Mutex<Duration> = Mutex::new(ALL);

/// Makes a call on `path` again and again for a while on Windows, where nobody can
/// rename or remove what another program has open without sharing it, and a
/// moment later mostly can. The log says so.
pub(super) fn retry_while_locked<T>(
    what: &str,
    path: &Path,
    call: impl FnMut() -> io::Result<T>,
) -> io::Result<T> {
    retry(what, path, call, is_locked)
}

/// Opens `path` again and again for a while on Windows, if another program does not
/// share it. Access that is denied is denied for good here.
pub(super) fn retry_open<T>(path: &Path, call: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    retry("open", path, call, is_not_shared)
}

fn retry<T>(
    what: &str,
    path: &Path,
    mut call: impl FnMut() -> io::Result<T>,
    again: fn(&io::Error) -> bool,
) -> io::Result<T> {
    if cfg!(unix) {
        return call();
    }
    let mut patience = Patience {
        left: &LEFT,
        sleep: &mut std::thread::sleep,
    };
    let (result, waited) = patience.call(call, again);
    let ms = waited.as_millis();
    match &result {
        Ok(_) if waited > Duration::ZERO => {
            log::info!("another program had {path:?} open; could {what} it after {ms} ms");
        }
        Err(e) if waited > Duration::ZERO && again(e) => {
            log::warn!(
                "cannot {what} {path:?}, which another program seems to have open: {e} ({ms} ms waited)"
            );
        }
        _ => {}
    }
    result
}

const ACCESS_DENIED: i32 = 5;
const SHARING_VIOLATION: i32 = 32;
const LOCK_VIOLATION: i32 = 33;
const DIR_NOT_EMPTY: i32 = 145;

/// Returns whether this error may be over in a moment: access denied (also said of a
/// folder in which something is open, and of what is about to be removed), a
/// sharing or lock violation, a folder whose entries are about to be removed.
fn is_locked(error: &io::Error) -> bool {
    let over_soon = [Some(ACCESS_DENIED), Some(DIR_NOT_EMPTY)];
    is_not_shared(error) || (cfg!(windows) && over_soon.contains(&error.raw_os_error()))
}

fn is_not_shared(error: &io::Error) -> bool {
    let codes = [Some(SHARING_VIOLATION), Some(LOCK_VIOLATION)];
    cfg!(windows) && codes.contains(&error.raw_os_error())
}

/// Bounds trying again.
struct Patience<'a> {
    /// What is left for all calls.
    left: &'a Mutex<Duration>,
    sleep: &'a mut dyn FnMut(Duration),
}

impl Patience<'_> {
    /// Calls until that succeeds, fails for another reason, or the time is over, and
    /// returns how long it waited.
    fn call<T>(
        &mut self,
        mut call: impl FnMut() -> io::Result<T>,
        again: impl Fn(&io::Error) -> bool,
    ) -> (io::Result<T>, Duration) {
        let mut waited = Duration::ZERO;
        let mut pause = FIRST_PAUSE;
        loop {
            let result = call();
            if !result.as_ref().is_err_and(&again) {
                return (result, waited);
            }
            let next = self.take(pause.min(EACH.saturating_sub(waited)));
            if next.is_zero() {
                return (result, waited);
            }
            (self.sleep)(next);
            waited += next;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    /// Takes so much of the time that is left for all.
    fn take(&self, wanted: Duration) -> Duration {
        let mut left = self.left.lock().unwrap_or_else(PoisonError::into_inner);
        let taken = wanted.min(*left);
        *left -= taken;
        taken
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Calls what fails `failures` times in this way; how often that was called, and
    /// for how long there was sleep.
    fn tried(failures: usize, left: &Mutex<Duration>, locked: bool) -> (usize, Duration, bool) {
        let (mut calls, mut slept) = (0, Duration::ZERO);
        let mut sleep = |pause| slept += pause;
        let mut patience = Patience {
            left,
            sleep: &mut sleep,
        };
        let call = || {
            calls += 1;
            if calls > failures {
                Ok(())
            } else {
                Err(io::Error::other("held"))
            }
        };
        let (result, waited) = patience.call(call, |_| locked);
        assert_eq!(waited, slept);
        (calls, slept, result.is_ok())
    }

    #[test]
    fn what_is_held_for_a_moment_succeeds_and_what_is_not_held_fails_at_once() {
        let left = Mutex::new(ALL);
        assert_eq!(tried(0, &left, true), (1, Duration::ZERO, true));
        assert_eq!(tried(3, &left, true), (4, FIRST_PAUSE * 7, true));
        assert_eq!(tried(3, &left, false), (1, Duration::ZERO, false));
        assert_eq!(*left.lock().unwrap(), ALL - FIRST_PAUSE * 7);
    }

    #[test]
    fn the_time_of_each_call_and_of_all_is_bounded() {
        let left = Mutex::new(ALL);
        for expected in [EACH, EACH, EACH, Duration::ZERO, Duration::ZERO] {
            let (_, slept, done) = tried(usize::MAX, &left, true);
            assert_eq!((slept, done), (expected, false));
        }
    }

    #[cfg(windows)]
    #[test]
    fn sharing_violations_count() {
        for code in [5, 32, 33, 145] {
            assert!(is_locked(&io::Error::from_raw_os_error(code)));
        }
        for code in [2, 3, 112] {
            assert!(!is_locked(&io::Error::from_raw_os_error(code)));
        }
        assert!(!is_not_shared(&io::Error::from_raw_os_error(5)));
        assert!(is_not_shared(&io::Error::from_raw_os_error(32)));
    }
}
