//! Answers `--updater channel` and `--updater hold`: what the user chooses.

use crate::catalog::Channel;
use crate::clock::now;
use crate::install::{Layout, UserChoices};
use crate::settings::Settings;
use crate::update::{UpdateError, Updater};
use crate::updater_cli::command_output::{CommandOutput, installed, release};
use pep440_rs::Version;
use serde_json::json;
use std::str::FromStr;

/// More than any version has.
const MAX_VERSION: usize = 200;

/// Holds what the user wants to be remembered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Choice {
    /// This channel, or that of the settings.
    Channel(Option<Channel>),
    /// To stay with this version, or with none.
    Hold(Option<Version>),
}

impl Choice {
    /// Reads the argument of `channel` or `hold`.
    ///
    /// # Errors
    /// What is wrong with it, in words.
    pub(super) fn parse(command: &str, argument: &str) -> Result<Self, String> {
        if command == "hold" {
            if argument == "off" {
                return Ok(Choice::Hold(None));
            }
            return Some(argument)
                .filter(|text| text.len() <= MAX_VERSION)
                .and_then(|text| Version::from_str(text).ok())
                .map(|version| Choice::Hold(Some(version)))
                .ok_or_else(|| format!("{argument:?} is not a version; \"off\" ends it"));
        }
        match Channel::parse(argument) {
            Some(channel) => Ok(Choice::Channel(Some(channel))),
            None if argument == "default" => Ok(Choice::Channel(None)),
            None => Err(format!(
                "there is no channel {argument:?}, but final, rc, b, a and default"
            )),
        }
    }

    /// Remembers it, and drops what is staged against it. `settings` are those
    /// without the user's choices.
    ///
    /// # Errors
    /// [`UpdateError`]; what was chosen before still is.
    pub(super) fn store(&self, layout: &Layout, settings: &Settings) -> Result<(), UpdateError> {
        match self {
            Choice::Channel(channel) => {
                UserChoices::choose_channel(layout, *channel)?;
                match channel {
                    Some(channel) => log::info!("the user chose channel {channel}"),
                    None => log::info!("the user leaves the channel to the settings"),
                }
            }
            Choice::Hold(hold) => {
                UserChoices::choose_hold(layout, hold.as_ref())?;
                match hold {
                    Some(version) => log::info!("the user stays with version {version}"),
                    None => log::info!("the user stays with no version"),
                }
            }
        }
        let mut settings = settings.clone();
        UserChoices::load(layout).apply(&mut settings);
        // Where another process is updating, the next start drops it.
        let dropped = Updater::new(layout, &settings, now(), &|_| {})
            .and_then(|updater| updater.drop_unwanted());
        dropped.unwrap_or_else(|e| log::info!("{e}"));
        Ok(())
    }
}

/// Tells which channel is in use, and whether the user chose it.
pub(super) fn channel(layout: &Layout, settings: &Settings) -> CommandOutput {
    let choices = UserChoices::load(layout);
    let mut effective = settings.clone();
    choices.apply(&mut effective);
    let (default, channel) = (settings.channel.to_string(), effective.channel.to_string());
    let chosen = choices.channel.map(|channel| channel.to_string());
    let fixed_by = settings.channel_set_by.as_ref();
    let text = match &chosen {
        _ if fixed_by.is_some() => {
            let by = fixed_by.map(|by| by.display().to_string());
            format!("{channel} (set by {})", by.unwrap_or_default())
        }
        Some(chosen) => format!("{channel} (the user chose {chosen}; the default is {default})"),
        None => format!("{channel} (the default)"),
    };
    let all: Vec<String> = Channel::ALL.iter().map(ToString::to_string).collect();
    CommandOutput {
        text: text.into(),
        json: json!({ "channel": channel, "chosen": chosen, "default": default, "fixed_by": fixed_by.map(|by| by.to_string_lossy()), "channels": all }),
    }
}

/// Tells with which version the user stays.
pub(super) fn hold(layout: &Layout) -> CommandOutput {
    let hold = UserChoices::load(layout).hold.map(|hold| hold.to_string());
    let text = match &hold {
        Some(hold) => format!("nothing newer than {hold} will be installed"),
        None => "off: updates are installed as they come".to_owned(),
    };
    let installed = installed(&layout.app());
    CommandOutput {
        text: text.into(),
        json: json!({ "hold": hold, "installed": installed.as_ref().map(release) }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_argument_is_a_choice_or_says_what_would_be_one() {
        let parse = Choice::parse;
        assert_eq!(
            parse("channel", "b"),
            Ok(Choice::Channel(Some(Channel::Beta)))
        );
        assert_eq!(parse("channel", "default"), Ok(Choice::Channel(None)));
        assert_eq!(parse("hold", "off"), Ok(Choice::Hold(None)));
        let version = Version::new([1, 2]);
        assert_eq!(parse("hold", "v1.2"), Ok(Choice::Hold(Some(version))));
        for wrong in ["", "beta", "B", "off", "1.0"] {
            assert!(parse("channel", wrong).unwrap_err().contains("final, rc"));
        }
        for wrong in ["", "default", "one", "1.0 beta gamma"] {
            assert!(parse("hold", wrong).unwrap_err().contains("version"));
        }
    }
}
