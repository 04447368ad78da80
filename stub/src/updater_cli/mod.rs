//! Answers the `--updater …` commands.

mod check;
mod command_output;
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
use crate::update::behind;
use command_output::{failure, finish, write, wrong_use};
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
  --updater uninstall  remove what releases brought, and what the updater keeps;
                       files that you made in app stay; for uninstallers
             --keep-state  not what the updater keeps: for another installer
  --updater version    versions of the updater and of the application
  --updater help       this text

  --json               print one JSON object instead of text

Exit codes: 0 done; 2 wrong use; 3 refused, something did not verify;
4 unavailable, try again later; 5 a problem on this computer.
";

/// Runs the command that `arguments` (what follows `--updater`) name.
pub fn main(layout: &Layout, arguments: &[OsString]) -> ExitCode {
    if let Some(code) = uninstall::main(layout, arguments) {
        return code;
    }
    let mut words: Vec<&str> = Vec::new();
    let (mut as_json, mut retry) = (false, false);
    for argument in arguments {
        match argument.to_str() {
            Some("--json") => as_json = true,
            Some("--retry") => retry = true,
            Some("--help" | "-h") => words.push("help"),
            Some(word) => words.push(word),
            None => words.push("\u{fffd}"),
        }
    }
    let command = match words.as_slice() {
        [] | ["help", ..] => {
            return write(HELP, ExitCode::SUCCESS);
        }
        [command] => *command,
        [command, ..] => {
            return wrong_use(&format!("{command} takes no arguments"));
        }
    };
    if retry && command != "update" {
        return wrong_use("--retry goes with update");
    }
    if command == "version" {
        return finish(as_json, Ok(version::version(layout)));
    }
    let configuration = match Configuration::load(layout) {
        Ok(configuration) => configuration,
        Err(e) => return failure(as_json, FailureKind::Local, &e.to_string()),
    };
    let settings = &configuration.settings;
    let log = logging::start(
        layout,
        &settings.name,
        settings.log_size,
        settings.log_level,
    );
    let settings = configuration.logged();
    // What a user wants now goes before what is done in the background.
    let at_once = ["update", "stage", "rollback", "repair"].contains(&command);
    let _claim = at_once.then(|| behind::claim(layout));
    let result = match command {
        behind::COMMAND => return behind::main(layout, &settings),
        "status" => status::status(layout, &settings, &log.unwrap_or_else(|| layout.log())),
        "check" => check::check(layout, &settings),
        "update" => update::update(layout, &settings, retry),
        "stage" => update::stage(layout, &settings),
        "rollback" => rollback::rollback(layout, &settings),
        "repair" => repair::repair(layout, &settings),
        _ => return wrong_use(&format!("there is no command {command:?}")),
    };
    finish(as_json, result)
}
