//! Says which releases a client wants at all.

use crate::catalog::Channel;
use crate::settings::Settings;
use pep440_rs::Version;

/// Holds which releases a client wants: by their kind, and up to which version.
#[derive(Debug, Clone, Copy)]
pub struct Wanted<'a> {
    /// The least final kind of release.
    pub channel: Channel,
    /// The version that the user wants to stay with.
    pub hold: Option<&'a Version>,
}

impl<'a> Wanted<'a> {
    /// Returns which releases the settings and the user want.
    pub fn of(settings: &'a Settings) -> Self {
        Wanted {
            channel: settings.channel,
            hold: settings.hold.as_ref(),
        }
    }

    /// Returns whether a release of this version is wanted.
    pub fn includes(self, version: &Version) -> bool {
        self.is_on_channel(version) && !self.is_held_back(version)
    }

    /// Returns whether the version is of a kind that is wanted.
    pub fn is_on_channel(self, version: &Version) -> bool {
        Channel::of(version) >= self.channel
    }

    /// Returns whether the version is newer than the one to stay with.
    pub fn is_held_back(self, version: &Version) -> bool {
        self.hold.is_some_and(|hold| version > hold)
    }

    /// Returns whether a staged bundle of this version may take the place of the
    /// installed one. What is not newer (the way back, a repair) always may.
    pub fn may_follow(self, version: &Version, installed: Option<&Version>) -> bool {
        installed.is_some_and(|installed| version <= installed) || self.includes(version)
    }
}
