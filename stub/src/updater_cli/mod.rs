//! Answers the `--updater …` commands.

mod check;
mod choices;
mod command_output;
mod events;
mod repair;
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
use choices::Choice;
use command_output::{failure, finish, write, wrong_use};
use events::Events;
use std::ffi::OsString;
use std::path::Path;
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

/// Holds what the arguments say.
#[derive(Debug, Default, PartialEq, Eq)]
struct Request {
    command: String,
    choice: Option<Choice>,
    as_json: bool,
    events: bool,
    retry: bool,
}

impl Request {
    /// Reads what follows `--updater`.
    ///
    /// # Errors
    /// What is wrong with it, in words.
    fn parse(arguments: &[OsString]) -> Result<Self, String> {
        let mut request = Request::default();
        let mut words: Vec<&str> = Vec::new();
        for argument in arguments {
            match argument.to_str() {
                Some("--json") => request.as_json = true,
                Some("--events") => (request.as_json, request.events) = (true, true),
                Some("--retry") => request.retry = true,
                Some("--help" | "-h") => words.push("help"),
                Some(word) => words.push(word),
                None => words.push("\u{fffd}"),
            }
        }
        let command = match words.as_slice() {
            [] | ["help", ..] => "help",
            [command] => command,
            [command @ ("channel" | "hold"), argument] => {
                request.choice = Some(Choice::parse(command, argument)?);
                command
            }
            [command @ ("channel" | "hold"), ..] => {
                return Err(format!("{command} takes one argument"));
            }
            [command, ..] => return Err(format!("{command} takes no arguments")),
        };
        if request.retry && command != "update" && command != "help" {
            return Err("--retry goes with update".into());
        }
        request.command = command.into();
        Ok(request)
    }

    /// Whether the user wants something to be done now: that goes before what
    /// is done in the background.
    fn is_urgent(&self) -> bool {
        let at_once = ["update", "stage", "rollback", "repair"];
        at_once.contains(&self.command.as_str()) || self.choice.is_some()
    }
}

/// Runs the command that `arguments` (what follows `--updater`) name.
pub fn main(layout: &Layout, arguments: &[OsString]) -> ExitCode {
    if let Some(code) = uninstall::main(layout, arguments) {
        return code;
    }
    let request = match Request::parse(arguments) {
        Ok(request) => request,
        Err(wrong) => return wrong_use(&wrong),
    };
    if request.command == "help" {
        return write(HELP, ExitCode::SUCCESS);
    }
    if request.command == "version" {
        return finish(request.as_json, Ok(version::version(layout)));
    }
    let configuration = match Configuration::load(layout) {
        Ok(configuration) => configuration,
        Err(e) => return failure(request.as_json, FailureKind::Local, &e.to_string()),
    };
    let settings = &configuration.settings;
    let log = logging::start(
        layout,
        &settings.name,
        settings.log_size,
        settings.log_level,
    );
    configuration.log_warnings();
    let _claim = request.is_urgent().then(|| behind::claim(layout));
    let log = log.unwrap_or_else(|| layout.log());
    run(layout, &configuration, &request, &log)
}

fn run(layout: &Layout, configuration: &Configuration, request: &Request, log: &Path) -> ExitCode {
    // Without the user's choices.
    let settings = &configuration.settings;
    if let Some(choice) = &request.choice
        && let Err(e) = choice.store(layout, settings)
    {
        return finish(request.as_json, Err(e));
    }
    let command = request.command.as_str();
    match command {
        "channel" => return finish(request.as_json, Ok(choices::channel(layout, settings))),
        "hold" => return finish(request.as_json, Ok(choices::hold(layout))),
        _ => {}
    }
    let settings = configuration.in_force(layout);
    let events = request.events.then(Events::start);
    let tell = |event: Event| {
        if let Some(events) = &events {
            events.tell(event);
        }
    };
    let result = match command {
        behind::COMMAND => return behind::main(layout, &settings),
        "status" => status::status(layout, &settings, log),
        "check" => check::check(layout, &settings, &tell),
        "update" => update::update(layout, &settings, request.retry, events.as_ref()),
        "stage" => update::stage(layout, &settings, &tell),
        "rollback" => rollback::rollback(layout, &settings, &tell),
        "repair" => repair::repair(layout, &settings, &tell),
        _ => return wrong_use(&format!("there is no command {command:?}")),
    };
    if let Some(events) = events {
        events.end();
    }
    finish(request.as_json, result)
}
