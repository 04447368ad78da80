//! From start to exit code.

use crate::error::Class;
use crate::flow::{self, GaveUp, Next, Patience, Phase};
use crate::install::{self, Layout, Lock};
use crate::report::{Event, Terminal};
use crate::settings::{Mode, Settings};
use crate::tuf::UnixTime;
use crate::updater::{self, Outcome, UpdateError};
use crate::{control, fs, launch, log as log_file};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::{Duration, Instant, SystemTime};

/// How long to wait for a stub that is replacing the bundle: a few renames.
const COMMIT_PATIENCE: Duration = Duration::from_secs(5);

/// The stub's main function.
pub fn main() -> ExitCode {
    let layout = match Layout::of_this_program() {
        Ok(layout) => layout,
        Err(e) => {
            eprintln!("notsotuf: cannot tell where this program is: {e}");
            return ExitCode::from(Class::Local.exit_code());
        }
    };
    if std::env::args_os()
        .nth(1)
        .is_some_and(|arg| arg == "--updater")
    {
        let arguments = std::env::args_os().skip(2);
        return control::main(&layout, &arguments.collect::<Vec<_>>());
    }
    let executable = match Settings::load(layout.root()) {
        Ok(settings) => {
            log_file::start(&layout, &settings.name, settings.log_size);
            log::info!("{} started", settings.name);
            if settings.mode == Mode::BeforeLaunch {
                update(&layout, &settings);
            }
            settings.executable
        }
        Err(e) => {
            // No updates without settings, but the application: by custom the
            // stub has its name.
            log_file::start(&layout, "unknown", 1_000_000);
            log::error!("{e}; starting without looking for updates");
            own_name().unwrap_or_default()
        }
    };
    start(&layout, &executable)
}

fn own_name() -> Option<String> {
    let program = std::env::current_exe().ok()?;
    Some(program.file_name()?.to_str()?.to_owned())
}

/// The current time, for expiry checks.
pub fn now() -> UnixTime {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    since.map_or(0, |since| since.as_secs() as UnixTime)
}

enum News {
    Event(Event),
    End(Result<Outcome, UpdateError>),
}

/// Looks for an update and installs it, as long as the user is to wait for
/// that. Never fails: the application starts afterwards.
fn update(layout: &Layout, settings: &Settings) {
    let start = Instant::now();
    let (sender, news) = mpsc::channel();
    let worker = {
        let (layout, settings) = (layout.clone(), settings.clone());
        move || {
            // The receiver is gone once the application is started; then
            // nobody wants to know.
            let tell = |event| drop(sender.send(News::Event(event)));
            let end = updater::run(&layout, &settings, now(), &tell);
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
        return;
    }
    let patience = Patience {
        decision: settings.deadline(),
        // A little longer than the download itself waits, so that it ends
        // first and can tidy up.
        stall: settings.stall() + Duration::from_secs(1),
    };
    let mut terminal = Terminal::new(settings.quiet);
    let gave_up = wait(&news, start, patience, &mut terminal);
    if let Some(terminal) = &mut terminal {
        terminal.clear();
    }
    if let Some(gave_up) = gave_up {
        log::warn!("{}; starting what is installed", gave_up.reason());
    }
}

fn wait(
    news: &mpsc::Receiver<News>,
    start: Instant,
    patience: Patience,
    terminal: &mut Option<Terminal>,
) -> Option<GaveUp> {
    let mut phase = Phase::Checking;
    let mut last = start;
    loop {
        let wait = match flow::next(phase, start.elapsed(), last.elapsed(), patience) {
            Next::Wait(wait) => wait,
            Next::Launch(gave_up) => return Some(gave_up),
        };
        match news.recv_timeout(wait) {
            Ok(News::Event(event)) => {
                last = Instant::now();
                phase = match &event {
                    Event::Committing => Phase::Committing,
                    _ => Phase::Staging,
                };
                if let Some(terminal) = terminal {
                    terminal.event(&event);
                }
            }
            Ok(News::End(end)) => {
                tell_end(&end);
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

fn tell_end(end: &Result<Outcome, UpdateError>) {
    match end {
        Ok(outcome) => log::info!("{outcome}"),
        Err(UpdateError::Locked) => log::info!("{}", UpdateError::Locked),
        Err(e) => log::error!("no update ({}): {e}", e.class()),
    }
}

fn start(layout: &Layout, executable: &str) -> ExitCode {
    finish_interrupted(layout);
    // While this is held, nobody replaces the bundle; and from the exec on
    // the running instance is visible.
    let lock = Lock::shared(&layout.launch_lock(), COMMIT_PATIENCE);
    let lock = lock.unwrap_or_else(|e| {
        log::debug!("{e}");
        None
    });
    let program: PathBuf = fs::join(&layout.launchable(), executable);
    match launch::launch(program, || drop(lock)) {
        Ok(code) => code,
        Err(e) => {
            log::error!("{e}");
            eprintln!(
                "{e}\nPlease reinstall the application; the log is {:?}.",
                layout.log()
            );
            // As a shell says it.
            ExitCode::from(127)
        }
    }
}

/// An update may have been killed in the middle of its renames, and this run
/// may not have updated (mode off, no settings).
fn finish_interrupted(layout: &Layout) {
    if !layout.journal().exists() {
        return;
    }
    let result = Lock::exclusive(&layout.update_lock(), COMMIT_PATIENCE)
        .and_then(|lock| lock.map_or(Ok(()), |lock| install::recover(layout, &lock)));
    if let Err(e) = result {
        log::error!("{e}");
    }
}
