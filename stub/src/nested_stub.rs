//! Handles releases of what `notsotuf ship` made, with the stub in it, in place
//! of the bundle: then the program to be started is another stub of the same
//! application, which would update itself to a stub with a stub in it.

use crate::clock::now;
use crate::failure::FailureKind;
use crate::install::shipped_folder::{is_in, settings_of};
use crate::install::{Layout, Probation, Record};
use crate::launch::start;
use crate::launch::start::{READY_VARIABLE, STUB_VARIABLE, launch_lock};
use crate::settings::Settings;
use crate::update::{Outcome, Updater, behind};
use crate::{fs, say, this_program};
use std::path::PathBuf;
use std::process::ExitCode;

/// More than anybody releases by mistake.
const MAX_DEPTH: usize = 8;

/// Returns whether the installed program is a stub of this application.
pub fn is(layout: &Layout, settings: &Settings) -> bool {
    is_in(&layout.launchable(), settings)
}

/// Goes back to the previous version or, if there is none, starts the
/// application that is in there somewhere, without any stub between.
pub fn start(layout: &Layout, settings: &Settings) -> ExitCode {
    let text = "what is installed is this updater once more, in place of the application: \
         its makers released the folder that users install; --updater update brings a newer version";
    tell(settings, text);
    if roll_back(layout, settings) && !is(layout, settings) {
        return start::start(layout, settings);
    }
    let lock = launch_lock(layout);
    match innermost(layout, settings) {
        Some(program) => start::start_program(layout, settings, program, lock),
        None => {
            say::line("there is no application in it; install it again");
            ExitCode::from(FailureKind::Refused.exit_code())
        }
    }
}

fn roll_back(layout: &Layout, settings: &Settings) -> bool {
    let _claim = behind::claim(layout);
    let back = || {
        let installed = Record::load_release(&layout.app())?;
        let version = installed.map(|release| release.version);
        let updater = Updater::new(layout, settings, now(), &|_| {})?;
        updater.roll_back(version.as_ref())
    };
    match back() {
        Ok(Outcome::Installed(release)) => {
            log::warn!("going back to version {}", release.version);
            // It worked before.
            if let Err(e) = Probation::end(layout) {
                log::warn!("{e}");
            }
            true
        }
        Ok(outcome) => {
            log::warn!("going back: {outcome}");
            false
        }
        Err(e) => {
            log::warn!("cannot go back: {e}");
            false
        }
    }
}

/// The program that the last of the stubs would start.
fn innermost(layout: &Layout, settings: &Settings) -> Option<PathBuf> {
    let mut program = fs::join(&layout.launchable(), &settings.executable);
    for _ in 0..MAX_DEPTH {
        let Some(inner) = settings_of(&program, &settings.name) else {
            return program.is_file().then_some(program);
        };
        let layout = Layout::new(program.parent()?);
        program = fs::join(&layout.launchable(), &inner.executable);
    }
    None
}

/// Handles a stub that another one of the same application has started as the
/// application: it updates nothing. If that other one is waiting to see whether
/// this version works, it does not; otherwise the application is started.
pub fn inside(layout: &Layout, settings: &Settings) -> Option<ExitCode> {
    let outer = std::env::var_os(STUB_VARIABLE).map(PathBuf::from)?;
    let outer = Layout::new(outer.parent()?);
    let here = this_program::program().ok()?;
    let app = outer.app().canonicalize().ok()?;
    let here = here.canonicalize().ok()?;
    if !here.starts_with(app) || Settings::load(outer.root()).ok()?.name != settings.name {
        return None;
    }
    let text = "this updater was started by another one as the application, \
         since its makers released the folder that users install";
    tell(settings, text);
    if std::env::var_os(READY_VARIABLE).is_some() {
        return Some(ExitCode::from(FailureKind::Refused.exit_code()));
    }
    Some(start::start(layout, settings))
}

fn tell(settings: &Settings, text: &str) {
    log::error!("{text}");
    if !settings.quiet {
        say::line(text);
    }
}
