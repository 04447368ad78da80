//! Reads what follows `--updater`.

use crate::install::Extent;
use crate::update::behind;
use crate::updater_cli::choices::Choice;
use std::ffi::OsString;

/// Names what is asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) enum Command {
    #[default]
    Help,
    Version,
    Uninstall(Extent),
    /// What is done by the settings of the install, and logged.
    Configured(Task),
}

/// Names what is done by the settings of the install.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Task {
    Status,
    Check,
    Update {
        /// Also what failed on this computer before.
        retry: bool,
    },
    Stage,
    Rollback,
    Repair,
    /// To choose a channel, or else to tell which one is in use.
    Channel(Option<Choice>),
    /// To choose a version to stay with, or else to tell which one that is.
    Hold(Option<Choice>),
    /// What this program starts by itself; see [`behind`].
    Behind,
}

impl Task {
    /// Returns whether the user wants something to be done now: that goes before
    /// what is done in the background.
    pub(super) fn is_urgent(&self) -> bool {
        match self {
            Task::Update { .. } | Task::Stage | Task::Rollback | Task::Repair => true,
            Task::Channel(choice) | Task::Hold(choice) => choice.is_some(),
            _ => false,
        }
    }

    /// Returns whether it takes so long that there are events to be told of.
    pub(super) fn has_events(&self) -> bool {
        matches!(
            self,
            Task::Check | Task::Update { .. } | Task::Stage | Task::Rollback | Task::Repair
        )
    }
}

impl Command {
    /// Reads a command without its options.
    ///
    /// # Errors
    /// What is wrong with it, in words.
    fn parse(words: &[&str]) -> Result<Self, String> {
        let Some((&command, arguments)) = words.split_first() else {
            return Ok(Command::Help);
        };
        let choice = || match arguments {
            [] => Ok(None),
            [argument] => Choice::parse(command, argument).map(Some),
            _ => Err(format!("{command} takes one argument")),
        };
        let parsed = match command {
            "help" => return Ok(Command::Help),
            "channel" => return Ok(Command::Configured(Task::Channel(choice()?))),
            "hold" => return Ok(Command::Configured(Task::Hold(choice()?))),
            "version" => Command::Version,
            "uninstall" => Command::Uninstall(Extent::Everything),
            "status" => Command::Configured(Task::Status),
            "check" => Command::Configured(Task::Check),
            "update" => Command::Configured(Task::Update { retry: false }),
            "stage" => Command::Configured(Task::Stage),
            "rollback" => Command::Configured(Task::Rollback),
            "repair" => Command::Configured(Task::Repair),
            behind::COMMAND => Command::Configured(Task::Behind),
            _ => return Err(format!("there is no command {command:?}")),
        };
        match arguments {
            [] => Ok(parsed),
            _ => Err(format!("{command} takes no arguments")),
        }
    }
}

/// Holds what the arguments say.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Request {
    pub(super) command: Command,
    pub(super) as_json: bool,
    pub(super) events: bool,
}

impl Request {
    /// Reads what follows `--updater`; options may be anywhere.
    ///
    /// # Errors
    /// What is wrong with it, in words.
    pub(super) fn parse(arguments: &[OsString]) -> Result<Self, String> {
        let mut request = Request::default();
        let (mut retry_given, mut keep_state) = (false, false);
        let mut words: Vec<&str> = Vec::new();
        for argument in arguments {
            match argument.to_str() {
                Some("--json") => request.as_json = true,
                Some("--events") => (request.as_json, request.events) = (true, true),
                Some("--retry") => retry_given = true,
                Some("--keep-state") => keep_state = true,
                Some("--help" | "-h") => return Ok(Request::default()),
                Some(word) => words.push(word),
                None => words.push("\u{fffd}"),
            }
        }
        request.command = Command::parse(&words)?;
        match &mut request.command {
            Command::Help => return Ok(Request::default()),
            Command::Configured(Task::Update { retry }) => *retry = retry_given,
            _ if retry_given => return Err("--retry goes with update".into()),
            _ => {}
        }
        match &mut request.command {
            Command::Uninstall(extent) if keep_state => *extent = Extent::Release,
            Command::Uninstall(_) => {}
            _ if keep_state => return Err("--keep-state goes with uninstall".into()),
            _ => {}
        }
        Ok(request)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Request, String> {
        let arguments: Vec<OsString> = text.split_whitespace().map(Into::into).collect();
        Request::parse(&arguments)
    }

    fn command(text: &str) -> Command {
        parse(text).unwrap().command
    }

    #[test]
    fn options_may_be_anywhere() {
        let as_json = |command| Request {
            command,
            as_json: true,
            events: false,
        };
        let keep_state = as_json(Command::Uninstall(Extent::Release));
        for text in [
            "uninstall --keep-state --json",
            "--json uninstall --keep-state",
            "--keep-state --json uninstall",
        ] {
            assert_eq!(parse(text).unwrap(), keep_state, "{text}");
        }
        for text in ["update --retry --json", "--json --retry update"] {
            let retry = Command::Configured(Task::Update { retry: true });
            assert_eq!(parse(text).unwrap(), as_json(retry), "{text}");
        }
        assert_eq!(command("uninstall"), Command::Uninstall(Extent::Everything));
        let update = Command::Configured(Task::Update { retry: false });
        assert_eq!(command("update"), update);
        assert!(parse("stage --events").unwrap().events);
    }

    #[test]
    fn help_is_given_wherever_it_is_asked_for() {
        for text in [
            "",
            "help",
            "--help",
            "update -h",
            "nonsense --help",
            "help hold",
            "help --retry",
        ] {
            assert_eq!(parse(text), Ok(Request::default()), "{text}");
        }
    }

    #[test]
    fn what_is_no_command_is_refused_with_what_is_wrong() {
        for (text, says) in [
            ("nonsense", "no command"),
            ("nonsense 1.0", "no command"),
            ("--keep", "no command"),
            ("update now", "no arguments"),
            ("uninstall everything", "no arguments"),
            ("hold 1.0 2.0", "one argument"),
            ("channel beta", "final, rc"),
            ("stage --retry", "goes with update"),
            ("update --keep-state", "goes with uninstall"),
            ("uninstall --retry", "goes with update"),
        ] {
            let wrong = parse(text).unwrap_err();
            assert!(wrong.contains(says), "{text}: {wrong}");
        }
    }

    #[test]
    fn what_the_user_wants_now_is_urgent_and_a_question_is_not() {
        let is_urgent = |text| match command(text) {
            Command::Configured(task) => task.is_urgent(),
            other => panic!("{text}: {other:?}"),
        };
        for text in [
            "update",
            "stage",
            "rollback",
            "repair",
            "hold off",
            "channel b",
        ] {
            assert!(is_urgent(text), "{text}");
        }
        for text in ["status", "check", "hold", "channel", "behind"] {
            assert!(!is_urgent(text), "{text}");
        }
    }
}
