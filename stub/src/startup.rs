//! Runs the stub from start to exit code.

use crate::clock::now;
use crate::configuration::{Configuration, likely_executable};
use crate::failure::FailureKind;
use crate::install::{self, Layout, Lock, Record};
use crate::launch::start::{
    COMMIT_PATIENCE, NOT_STARTED, all_variables, launch_lock, not_started, start,
    start_without_settings,
};
use crate::launch::{self, rescue};
use crate::policy::launch_wait::{self, Phase, WaitDecision, WaitEnded, WaitLimits};
use crate::progress::{Event, Notice, ProgressDisplay, Surfaces, icon};
use crate::settings::{LogLevel, Mode, Settings, SettingsError};
use crate::update::{self, Outcome, UpdateError, Updater, behind, elevated, self_update, tell_end};
use crate::{fs, logging, nested_stub, probation_run, say, this_program, updater_cli};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::{Duration, Instant};

/// An application that restarts itself through the stub names its processes
/// here, and they are given time to end.
const WAIT_FOR_VARIABLE: &str = "NOTSOTUF_WAIT_FOR";

const RESTART_PATIENCE: Duration = Duration::from_secs(10);

/// How often the main thread looks whether the updating one cannot go on: it
/// could not tell by itself.
const LOOK_AFTER_WORKER: Duration = Duration::from_millis(200);

/// Runs the stub.
pub fn main() -> ExitCode {
    this_program::note();
    launch::prepare();
    let layout = match Layout::of_this_program() {
        Ok(layout) => layout,
        Err(e) => {
            say::line(&format!("notsotuf: cannot tell where this program is: {e}"));
            return ExitCode::from(FailureKind::Local.exit_code());
        }
    };
    if std::env::args_os()
        .nth(1)
        .is_some_and(|arg| arg == "--updater")
    {
        let arguments = std::env::args_os().skip(2);
        return updater_cli::main(&layout, &arguments.collect::<Vec<_>>());
    }
    match Configuration::load(&layout) {
        Ok(configuration) => {
            let settings = &configuration.settings;
            let log = logging::start(
                &layout,
                &settings.name,
                settings.log_size,
                settings.log_level,
            );
            log::info!("{} started", settings.name);
            configuration.log_warnings();
            if install::translocated(layout.root()) {
                log::warn!(
                    "macOS runs this application from a read-only copy (App Translocation), where it cannot be updated; move it to the folder Applications with the Finder"
                );
            }
            start_with(&layout, &configuration, log)
        }
        Err(SettingsError::Missing(_)) if is_alone(&layout) => {
            say::line(
                "this is the updater that `notsotuf ship` puts beside an application; there is none here",
            );
            ExitCode::from(NOT_STARTED)
        }
        Err(e) => {
            // No updates without settings, but the application: by custom the
            // stub has its name.
            let log = logging::start(&layout, "unknown", 1_000_000, LogLevel::default());
            log::error!("{e}; starting without looking for updates");
            let executable = likely_executable(&layout, &own_name().unwrap_or_default());
            rescue_by(log, {
                let (layout, executable) = (layout.clone(), executable.clone());
                move || start_without_settings(&layout, &executable)
            });
            finish_interrupted(&layout);
            start_without_settings(&layout, &executable)
        }
    }
}

/// Whether nothing was ever installed here: not even a log is to be made.
fn is_alone(layout: &Layout) -> bool {
    let places = [layout.app(), layout.state()];
    places.iter().all(|place| !place.exists())
}

/// Whatever goes wrong from here on, the application starts.
fn rescue_by(log: Option<PathBuf>, start: impl Fn() -> ExitCode + Send + Sync + 'static) {
    rescue::install(log, move || {
        launch::end_with_child();
        start();
        // It has told why.
        std::process::exit(NOT_STARTED.into());
    });
}

fn start_with(layout: &Layout, configuration: &Configuration, log: Option<PathBuf>) -> ExitCode {
    let settings = &configuration.in_force(layout);
    launch::note_app_id(settings.app_user_model_id.as_deref());
    rescue_by(log, {
        let (layout, settings) = (layout.clone(), settings.clone());
        move || start(&layout, &settings)
    });
    rescue::test_point("main");
    install::await_end(&layout.app(), WAIT_FOR_VARIABLE, RESTART_PATIENCE);
    if let Some(code) = nested_stub::inside(layout, settings) {
        return code;
    }
    let tried = probation_run::begin(layout, settings);
    let looks = tried.is_none_or(|trial| trial.looks_for_updates());
    if looks {
        look_for_updates(layout, settings);
    }
    finish_interrupted(layout);
    if install::owns_state(layout)
        && let Err(e) = self_update::drop_old(layout)
    {
        log::warn!("{e}");
    }
    if cfg!(windows) && install::owns_state(layout) {
        install::empty_trash(layout);
    }
    let brought = new_settings(layout, configuration);
    let settings = brought.as_ref().unwrap_or(settings);
    if nested_stub::is(layout, settings) {
        return nested_stub::start(layout, settings);
    }
    if let Some(trial) = probation_run::begin(layout, settings) {
        if looks && settings.mode == Mode::Background && launch::can_detach() {
            behind::start(layout);
        }
        return trial.run();
    }
    if settings.mode == Mode::Background {
        if !launch::can_detach() {
            return start_before_update(layout, settings);
        }
        behind::start(layout);
    }
    start(layout, settings)
}

/// The settings that a version brought that was installed in this run.
fn new_settings(layout: &Layout, before: &Configuration) -> Option<Settings> {
    if !before.is_outdated(layout) {
        return None;
    }
    let new = Configuration::load(layout).ok()?;
    new.log_warnings();
    let settings = new.in_force(layout);
    launch::note_app_id(settings.app_user_model_id.as_deref());
    Some(settings)
}

/// Does what the mode says is to be done before the application starts.
fn look_for_updates(layout: &Layout, settings: &Settings) {
    if let Some(by) = &settings.switched_off_by {
        log::info!("updates are switched off by {by:?}");
        return;
    }
    match settings.mode {
        Mode::BeforeLaunch if settings.elevate && !fs::is_writable(layout.root()) => {
            update(layout, settings, elevated::update);
        }
        Mode::BeforeLaunch => {
            let gave_up = update(layout, settings, |layout, settings, tell| {
                update::run(layout, settings, now(), tell)
            });
            // On Windows this very process does, while the application runs.
            if cfg!(unix) && gave_up.is_some_and(WaitEnded::goes_on) && launch::can_detach() {
                behind::go_on(layout);
            }
        }
        // With `off` too: it was staged because somebody asked for it. What
        // is not complete yet is being staged by another process.
        Mode::Background | Mode::Off if Record::path(&layout.staged()).exists() => {
            update(layout, settings, |layout, settings, tell| {
                let updater = Updater::new(layout, settings, now(), tell)?;
                Ok(updater
                    .install_staged_or_drop()?
                    .unwrap_or(Outcome::UpToDate))
            });
        }
        Mode::Background | Mode::Off => {}
    }
}

fn own_name() -> Option<String> {
    let program = this_program::program().ok()?;
    Some(program.file_name()?.to_str()?.to_owned())
}

enum News {
    Event(Event),
    End(Result<Outcome, UpdateError>),
}

/// The work of an update, on a thread of its own.
type Work = fn(&Layout, &Settings, &dyn Fn(Event)) -> Result<Outcome, UpdateError>;

/// Does `work`, as long as the user is to wait for that. Never fails: the
/// application starts afterwards. Tells why it did not wait for the end.
fn update(layout: &Layout, settings: &Settings, work: Work) -> Option<WaitEnded> {
    let before = this_program::age();
    let start = Instant::now();
    let (sender, news) = mpsc::channel();
    let worker = {
        let (layout, settings) = (layout.clone(), settings.clone());
        move || {
            // The receiver is gone once the application is started; then
            // nobody wants to know.
            let tell = |event| drop(sender.send(News::Event(event)));
            rescue::test_point("update");
            let end = work(&layout, &settings, &tell);
            if let Err(mpsc::SendError(News::End(end))) = sender.send(News::End(end)) {
                tell_end(&end);
            }
        }
    };
    if let Err(e) = std::thread::Builder::new()
        .name("update".into())
        .spawn(worker)
    {
        log::error!("cannot start a thread: {e}; starting without looking for updates");
        return None;
    }
    let limits = WaitLimits {
        decision: settings.deadline(),
        // A little longer than the download itself waits, so that it ends
        // first and can tidy up.
        stall: settings.stall() + Duration::from_secs(1),
        total: Duration::ZERO,
    };
    let icon = icon(layout, settings);
    let mut screen = ProgressDisplay::new(settings, Surfaces::TerminalOrWindow, icon);
    let limits = |seen| WaitLimits {
        total: settings.wait(seen).saturating_sub(before),
        ..limits
    };
    let mut outcome = None;
    let gave_up = wait(&news, start, limits, &mut screen, &mut outcome);
    screen.clear();
    if let Some(version) = outcome.as_ref().and_then(Outcome::installed) {
        Notice::Updated(version).show(layout, settings);
    }
    if let Some(gave_up) = gave_up {
        log::warn!("{}; starting the installed version", gave_up.reason());
    }
    gave_up
}

fn wait(
    news: &mpsc::Receiver<News>,
    start: Instant,
    limits: impl Fn(bool) -> WaitLimits,
    screen: &mut ProgressDisplay,
    outcome: &mut Option<Outcome>,
) -> Option<WaitEnded> {
    let mut phase = Phase::Checking;
    let mut last = start;
    loop {
        // The system's own window asks for the rights.
        let limits = limits(screen.is_seen() || phase == Phase::Elsewhere);
        let wait = match launch_wait::next(phase, start.elapsed(), last.elapsed(), limits) {
            WaitDecision::Wait(wait) => wait,
            WaitDecision::Launch(gave_up) => return Some(gave_up),
        };
        if screen.cancelled() && launch_wait::may_cancel(phase) {
            return Some(WaitEnded::Cancelled);
        }
        if let Some(failure) = rescue::failure() {
            if failure == rescue::Failure::Memory {
                rescue::say_memory_ran_out();
            }
            return None;
        }
        let wait = screen.tick().map_or(wait, |tick| wait.min(tick));
        let wait = wait.min(LOOK_AFTER_WORKER);
        match news.recv_timeout(wait) {
            Ok(News::Event(event)) => {
                last = Instant::now();
                phase = match &event {
                    Event::Checking => Phase::Checking,
                    Event::Elevating => Phase::Elsewhere,
                    Event::Committing => Phase::Committing,
                    _ => Phase::Staging,
                };
                screen.event(&event);
            }
            Ok(News::End(end)) => {
                tell_end(&end);
                *outcome = end.ok();
                return None;
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => {
                log::error!("the update ended unexpectedly");
                return None;
            }
        }
    }
}

/// Starts the application as a child, and stages what is new while it runs, for
/// the first process of a container, which should have no strange children.
/// What is not ready when the application ends is resumed at the next start.
fn start_before_update(layout: &Layout, settings: &Settings) -> ExitCode {
    let lock = launch_lock(layout);
    let program = fs::join(&layout.launchable(), &settings.executable);
    let stage = {
        let (layout, settings) = (layout.clone(), settings.clone());
        move || {
            rescue::test_point("behind");
            tell_end(&update::stage_in_background(
                &layout,
                &settings,
                now(),
                &|_| {},
            ));
        }
    };
    let started = || {
        drop(lock);
        if let Err(e) = std::thread::Builder::new()
            .name("update".into())
            .spawn(stage)
        {
            log::error!("cannot start a thread: {e}; not looking for updates");
        }
    };
    match launch::supervise(program, &all_variables(layout, settings), started) {
        Ok(end) => end.exit_like(),
        Err(e) => not_started(layout, &e),
    }
}

/// An update may have been killed in the middle of its renames, and this run
/// may not have updated (mode off, no settings).
fn finish_interrupted(layout: &Layout) {
    if !layout.journal().exists() || !install::owns_state(layout) {
        return;
    }
    let result = Lock::exclusive(&layout.update_lock(), COMMIT_PATIENCE)
        .and_then(|lock| lock.map_or(Ok(()), |lock| install::recover(layout, &lock)));
    if let Err(e) = result {
        log::error!("{e}");
    }
}
