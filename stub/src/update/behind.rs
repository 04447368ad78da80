//! Runs the part of an update that continues behind the application: this
//! program once more, as a process of its own that outlives the one that
//! started it, fetches and stages what is new. It ends after a while whatever
//! comes, and at once when somebody else wants to update. Killed at any
//! instant, it leaves what the next start continues with.

use crate::clock::now;
use crate::install::{self, Layout, Lock};
use crate::settings::Settings;
use crate::update::{self, Outcome, UpdateError, tell_end};
use crate::{launch, this_program};
use std::process::ExitCode;
use std::time::{Duration, Instant};

/// Names the command of this program that does it. Not for people.
pub const COMMAND: &str = "behind";

/// The longest that it goes on.
const LIFE: Duration = Duration::from_secs(2 * 3600);
/// A tool that is started all the time does not look for updates each time, but when
/// this has passed since the last time.
const INTERVAL: Duration = Duration::from_secs(5);
/// How long the stub that started this may hold its lock still.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long one that is to end may take for that.
const YIELD: Duration = Duration::from_secs(5);
const TICK: Duration = Duration::from_millis(100);

/// Starts looking for an update behind the application, unless somebody is
/// doing so, or is about to. Never fails: the application starts anyway.
pub fn start(layout: &Layout) {
    if install::open_state_dir(layout).is_err() {
        // Another user's affair.
        return;
    }
    go_on(layout);
}

/// Waits until it is time to look again. Others who start meanwhile leave it to this
/// process.
fn await_interval(layout: &Layout) {
    let recently = || {
        let last = std::fs::metadata(layout.behind_lock()).and_then(|found| found.modified());
        last.is_ok_and(|last| last.elapsed().is_ok_and(|age| age < INTERVAL))
    };
    if recently() {
        log::debug!("looked for updates a moment ago");
    }
    while recently() {
        std::thread::sleep(TICK);
    }
}

/// Goes on behind the application with an update that it could not wait for.
pub fn go_on(layout: &Layout) {
    match Lock::exclusive(&layout.behind_lock(), Duration::ZERO) {
        Ok(Some(_)) => {}
        Ok(None) => return,
        Err(e) => {
            log::info!("{e}; not looking for updates behind the application");
            return;
        }
    }
    let started = this_program::program()
        .and_then(|program| launch::detach(program, &["--updater", COMMAND], layout.root()));
    if let Err(e) = started {
        log::warn!("cannot look for updates behind the application: {e}");
    }
}

/// Runs the process behind the application.
pub fn main(layout: &Layout, settings: &Settings) -> ExitCode {
    let lock = Lock::exclusive(&layout.behind_lock(), Duration::ZERO);
    let Ok(Some(lock)) = lock else {
        return ExitCode::SUCCESS;
    };
    if let Err(e) = watch(layout.clone()) {
        log::warn!("cannot start a thread: {e}");
        return ExitCode::FAILURE;
    }
    await_interval(layout);
    lock.touch();
    tell_end(&stage(layout, settings));
    ExitCode::SUCCESS
}

fn stage(layout: &Layout, settings: &Settings) -> Result<Outcome, UpdateError> {
    let start = Instant::now();
    loop {
        match update::stage_in_background(layout, settings, now(), &|_| {}) {
            Err(UpdateError::Locked) if start.elapsed() < PATIENCE => std::thread::sleep(TICK),
            result => return result,
        }
    }
}

/// Ends this process when it is time for that.
fn watch(layout: Layout) -> std::io::Result<()> {
    let start = Instant::now();
    let watch = move || {
        loop {
            if start.elapsed() > LIFE {
                log::info!("stopping here; the next start continues the update");
                std::process::exit(0);
            }
            if !layout.behind_lock().exists() {
                // The application is uninstalled.
                std::process::exit(0);
            }
            if is_wanted(&layout) {
                log::info!("giving way to a command of the user");
                std::process::exit(0);
            }
            std::thread::sleep(TICK);
        }
    };
    std::thread::Builder::new()
        .name("watch".into())
        .spawn(watch)
        .map(drop)
}

fn is_wanted(layout: &Layout) -> bool {
    let path = layout.claim_lock();
    path.exists() && matches!(Lock::shared(&path, Duration::ZERO), Ok(None))
}

/// Makes whoever updates behind the application stop; as long as the result
/// is held, nobody starts with it again.
pub fn claim(layout: &Layout) -> Option<Lock> {
    let path = layout.behind_lock();
    if !path.exists() {
        // Nobody ever did here.
        return None;
    }
    let behind = |max_wait| {
        Lock::exclusive(&path, max_wait).unwrap_or_else(|e| {
            log::debug!("{e}");
            None
        })
    };
    if let Some(lock) = behind(Duration::ZERO) {
        return Some(lock);
    }
    let _claim = Lock::exclusive(&layout.claim_lock(), YIELD)
        .inspect_err(|e| log::debug!("{e}"))
        .ok()?;
    behind(YIELD)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_claim_is_seen_and_keeps_others_away() {
        let folder = tempfile::tempdir().unwrap();
        let layout = Layout::new(folder.path());
        std::fs::create_dir_all(layout.state()).unwrap();
        assert!(claim(&layout).is_none(), "nobody is there");
        assert!(!layout.behind_lock().exists() && !is_wanted(&layout));
        let helper = Lock::exclusive(&layout.behind_lock(), Duration::ZERO);
        let helper = helper.unwrap().unwrap();
        let claimed = std::thread::scope(|scope| {
            let claimed = scope.spawn(|| claim(&layout));
            while !is_wanted(&layout) {
                std::thread::sleep(Duration::from_millis(1));
            }
            drop(helper);
            claimed.join().unwrap()
        });
        assert!(claimed.is_some() && !is_wanted(&layout));
        let again = Lock::exclusive(&layout.behind_lock(), Duration::ZERO).unwrap();
        assert!(again.is_none());
    }
}
