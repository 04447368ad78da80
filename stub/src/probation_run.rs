//! Starts a version that is on probation, and goes back to the previous one if
//! it fails.

use crate::clock::now;
use crate::failure::is_shortage;
use crate::install::{self, BlockedVersions, Layout, Probation, Record};
use crate::launch::start::{launch_lock, not_started};
use crate::launch::{self, AppExit, LaunchError, Verdict, rescue, start};
use crate::policy::blocked::{Blocked, BlockedWhy};
use crate::policy::launch_wait::{self, ProbationDecision};
use crate::probation_run::start::READY_VARIABLE;
use crate::progress::Notice;
use crate::settings::Settings;
use crate::update::{Outcome, UpdateError, Updater, behind};
use crate::{fs, say};
use pep440_rs::Version;
use std::process::ExitCode;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::Duration;

/// How often it is looked whether the thread that watches has failed, when
/// the application has ended.
const FAILED_WATCHER: Duration = Duration::from_millis(20);

/// Holds a start of a version that is on probation.
pub struct ProbationRun<'a> {
    layout: &'a Layout,
    settings: &'a Settings,
    limit: Duration,
    probation: Probation,
    version: Version,
}

/// Begins the start of the installed version, if that is on probation.
pub fn begin<'a>(layout: &'a Layout, settings: &'a Settings) -> Option<ProbationRun<'a>> {
    let probation = Probation::load(layout).unwrap_or_else(|e| {
        log::warn!("{e}");
        None
    })?;
    let release = Record::load_release(&layout.app()).ok()??;
    // An administrator's affair: this user can neither go back nor note
    // anything.
    if !install::owns_state(layout) || !fs::is_writable(&layout.state()) {
        return None;
    }
    Some(ProbationRun {
        layout,
        settings,
        limit: settings.probation()?,
        probation,
        version: release.version,
    })
}

impl ProbationRun<'_> {
    /// Returns whether updates are looked for before it.
    pub fn looks_for_updates(&self) -> bool {
        launch_wait::looks_for_updates(self.probation.ended)
    }

    /// Starts the application, and comes back with its exit code; with that
    /// of the previous version if this one fails.
    pub fn run(mut self) -> ExitCode {
        // While an instance runs, this start says nothing of the version, and
        // there is nothing to be done about it.
        let alone = install::instances(&self.layout.app()).is_ok_and(|found| found.is_empty());
        let starts = self.probation.starts;
        if alone && launch_wait::trial(starts) == ProbationDecision::RollBack {
            let why = format!("it was started {starts} times and never proved to work");
            if !self.roll_back(&why) {
                self.mark_healthy();
            }
            return start::start(self.layout, self.settings);
        }
        let version = &self.version;
        log::info!("version {version} is new here and on probation");
        if alone && let Err(e) = self.probation.count_start(self.layout) {
            log::warn!("{e}");
        }
        let fed = launch::has_input();
        match self.supervise() {
            Err(e) if is_shortage(&e.source) => {
                log::warn!("{e}, which says nothing about the version");
                if alone {
                    self.uncount();
                }
                start::start(self.layout, self.settings)
            }
            Err(e) => {
                if self.roll_back(&e.to_string()) {
                    start::start(self.layout, self.settings)
                } else {
                    not_started(self.layout, &e)
                }
            }
            Ok((end, proven)) => match launch::verdict(end, proven) {
                Verdict::Healthy => {
                    self.mark_healthy();
                    end.exit_like()
                }
                Verdict::Inconclusive => {
                    if alone && launch::was_asked_to_end() {
                        log::info!(
                            "it was ended from outside, which says nothing about the version"
                        );
                        self.uncount();
                    }
                    end.exit_like()
                }
                Verdict::Failed => self.failed(end, fed),
            },
        }
    }

    fn supervise(&self) -> Result<(AppExit, bool), LaunchError> {
        let ready = self.layout.ready();
        if let Err(e) = fs::remove_file_if_exists(&ready) {
            log::warn!("{e}");
        }
        let lock = launch_lock(self.layout);
        let program = fs::join(&self.layout.launchable(), &self.settings.executable);
        let mut more = start::all_variables(self.layout, self.settings);
        more.push((READY_VARIABLE, ready.clone().into_os_string()));
        std::thread::scope(|scope| {
            let (ended, wait) = mpsc::channel();
            let (watching, watched) = mpsc::channel::<()>();
            let ready = &ready;
            let watch = move || {
                let _watching = watching;
                rescue::test_point("watch");
                let proven = launch::watch(self.limit, || ready.exists(), &wait);
                if proven {
                    // Now, as the computer may be switched off before the end.
                    self.mark_healthy();
                }
                proven
            };
            let mut watcher = Err(());
            let end = launch::supervise(program, &more, || {
                drop(lock);
                let thread = std::thread::Builder::new().name("watch".into());
                watcher = thread.spawn_scoped(scope, watch).map_err(|e| {
                    log::warn!("cannot start a thread: {e}; only its end says whether it works");
                });
            });
            drop(ended);
            // Nobody waits for the watcher's end longer than it takes.
            while let Err(RecvTimeoutError::Timeout) = watched.recv_timeout(FAILED_WATCHER) {
                if let (Some(_), Ok(end)) = (rescue::failure(), &end) {
                    // It is not watching any more, and will not end.
                    end.exit_like();
                }
            }
            let proven = watcher.is_ok_and(|w| w.join().expect("watching does not panic"));
            Ok((end?, proven))
        })
    }

    fn mark_healthy(&self) {
        // Not after it went back: then another version is installed.
        if let Ok(Some(_)) = Probation::load(self.layout) {
            log::info!("version {} works", self.version);
            // It may have failed before, and been tried again.
            let works = |entry: &Blocked| {
                entry.version == self.version && entry.why != BlockedWhy::RolledBack
            };
            BlockedVersions::remove(self.layout, works).unwrap_or_else(|e| log::warn!("{e}"));
        }
        for result in [
            Probation::end(self.layout),
            fs::remove_file_if_exists(&self.layout.ready()),
        ] {
            if let Err(e) = result {
                log::warn!("{e}");
            }
        }
    }

    /// Takes back that this start was counted: the version had no chance to show
    /// that it works.
    fn uncount(&mut self) {
        if let Err(e) = self.probation.uncount_start(self.layout) {
            log::warn!("{e}");
        }
    }

    fn failed(&self, end: AppExit, fed: bool) -> ExitCode {
        if !self.roll_back(&end.to_string()) {
            return end.exit_like();
        }
        if fed {
            // It may have read some of it, and nobody has that any more.
            log::warn!(
                "there was data on standard input, so the previous version is not started with \
                 the rest of it, but the next time"
            );
            return end.exit_like();
        }
        let (again, _) = match self.supervise() {
            Ok(result) => result,
            Err(e) => return not_started(self.layout, &e),
        };
        // The version that worked ends in the same way: then it is not the
        // new one's fault, but what the user asked for.
        if again == end {
            self.reinstate();
        }
        again.exit_like()
    }

    /// Puts the previous version in the place of this one; `false` if it cannot.
    fn roll_back(&self, why: &str) -> bool {
        let version = &self.version;
        log::error!("version {version} failed: {why}");
        match self.exchange(version) {
            // Another instance has done it.
            Ok(Outcome::UpToDate) => true,
            Ok(Outcome::Installed(release)) => {
                let text = format!(
                    "version {version} did not work ({why}); going back to version {}",
                    release.version
                );
                log::warn!("{text}");
                if !self.settings.quiet {
                    say::line(&text);
                }
                let previous = &release.version;
                Notice::RolledBack { version, previous }.show(self.layout, self.settings);
                true
            }
            Ok(outcome) => {
                log::warn!("going back: {outcome}");
                false
            }
            Err(e) => {
                log::error!("cannot go back: {e}");
                false
            }
        }
    }

    fn reinstate(&self) {
        let version = &self.version;
        log::info!(
            "the previous version ends in the same way, so version {version} is installed again"
        );
        let result = Record::load_release(&self.layout.app())
            .map_err(UpdateError::from)
            .and_then(|installed| {
                let Some(before) = installed.map(|release| release.version) else {
                    return Ok(());
                };
                let _claim = behind::claim(self.layout);
                let updater = Updater::new(self.layout, self.settings, now(), &|_| {})?;
                updater.reinstate(&before).map(drop)
            });
        match result {
            Ok(()) => Notice::Updated(version).show(self.layout, self.settings),
            Err(e) => log::error!("{e}"),
        }
    }

    /// Exchanges the version `from`, if it still is installed, with the one
    /// before.
    fn exchange(&self, from: &Version) -> Result<Outcome, UpdateError> {
        let _claim = behind::claim(self.layout);
        let updater = Updater::new(self.layout, self.settings, now(), &|_| {})?;
        updater.roll_back(Some(from))
    }
}
