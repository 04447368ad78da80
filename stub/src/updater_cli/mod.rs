//! Answers the `--updater …` commands.

mod check;
mod choices;
mod command_output;
mod events;
mod repair;
mod request;
mod rollback;
mod status;
mod uninstall;
mod update;
mod version;

use crate::configuration::Configuration;
use crate::failure::FailureKind;
use crate::install::Layout;
use crate::logging;
use crate::progress::Event;
use crate::update::behind;
use command_output::{failure, finish, write, wrong_use};
use events::Events;
use request::{Command, Request, Task};
use std::ffi::OsString;
use std::process::ExitCode;

const HELP: &str = "\
Keeps this application up to date.

Started without --updater, this program looks for an update, installs it, and
starts the application with the arguments given. With --updater first:

  --updater status     what is installed, and what is ready to be installed
  --updater check      ask the repository whether there is an update
  --updater update     install an update now, without starting the application
             --retry   even a version that failed on this computer before
  --updater stage      fetch and verify an update, and install it at the next
                       start; for applications, while they run
  --updater rollback   go back to the previous version, and stay there until
                       a newer one than this comes
  --updater repair     compare the installed files with what was installed, and
                       restore those that are missing or changed
  --updater channel [NAME]
                       which releases are wanted: final, rc (also candidates),
                       b (also betas), a (also alphas); default ends a choice
  --updater hold [VERSION]
                       stay with a version: nothing newer is installed; off
                       ends that
  --updater uninstall  remove what releases brought, and what the updater keeps;
                       files that you made in app stay; for uninstallers
             --keep-state  not what the updater keeps: for another installer
  --updater version    versions of the updater and of the application
  --updater help       this text

  --json               print one JSON object instead of text
  --events             the same, and before it what is being done, one JSON
                       object a line

Exit codes: 0 done; 2 wrong use; 3 refused, something did not verify;
4 unavailable, try again later; 5 a problem on this computer.
";

/// Runs the command that `arguments` (what follows `--updater`) name.
pub fn main(layout: &Layout, arguments: &[OsString]) -> ExitCode {
    let request = match Request::parse(arguments) {
        Ok(request) => request,
        Err(wrong) => return wrong_use(&wrong),
    };
    let as_json = request.as_json;
    match &request.command {
        Command::Help => write(HELP, ExitCode::SUCCESS),
        Command::Version => finish(as_json, Ok(version::version(layout))),
        // Without a log, which would be in the way, and whatever the settings are.
        Command::Uninstall(extent) => finish(as_json, uninstall::uninstall(layout, *extent)),
        Command::Configured(task) => configure_and_do(layout, task, &request),
    }
}

fn configure_and_do(layout: &Layout, task: &Task, request: &Request) -> ExitCode {
    let configuration = match Configuration::load(layout) {
        Ok(configuration) => configuration,
        Err(e) => return failure(request.as_json, FailureKind::Local, &e.to_string()),
    };
    // Without the user's choices.
    let settings = &configuration.settings;
    let log = logging::start(
        layout,
        &settings.name,
        settings.log_size,
        settings.log_level,
    );
    let log = log.unwrap_or_else(|| layout.log());
    configuration.log_warnings();
    let _claim = task.is_urgent().then(|| behind::claim(layout));
    if let Task::Channel(Some(choice)) | Task::Hold(Some(choice)) = task
        && let Err(e) = choice.store(layout, settings)
    {
        return finish(request.as_json, Err(e));
    }
    let in_force = configuration.in_force(layout);
    let events = (request.events && task.has_events()).then(Events::start);
    let tell = |event: Event| {
        if let Some(events) = &events {
            events.tell(event);
        }
    };
    let result = match task {
        Task::Behind => return behind::main(layout, &in_force),
        Task::Channel(_) => Ok(choices::channel(layout, settings)),
        Task::Hold(_) => Ok(choices::hold(layout)),
        Task::Status => status::status(layout, &in_force, &log),
        Task::Check => check::check(layout, &in_force, &tell),
        Task::Update { retry } => update::update(layout, &in_force, *retry, events.as_ref()),
        Task::Stage => update::stage(layout, &in_force, &tell),
        Task::Rollback => rollback::rollback(layout, &in_force, &tell),
        Task::Repair => repair::repair(layout, &in_force, &tell),
    };
    if let Some(events) = events {
        events.end();
    }
    finish(request.as_json, result)
}
