//! Says which kinds of releases a client wants.

use pep440_rs::{PrereleaseKind, Version};
use serde::{Deserialize, Serialize};
use std::fmt;

/// Names the least final kind of release that is wanted; tufup's pre-release
/// level.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
pub enum Channel {
    /// Alphas, betas, candidates, finals, and development releases.
    #[serde(rename = "a")]
    Alpha,
    /// Betas, candidates and finals.
    #[serde(rename = "b")]
    Beta,
    /// Candidates and finals.
    #[serde(rename = "rc")]
    Candidate,
    /// Finals (and post-releases) only.
    #[default]
    #[serde(rename = "final")]
    Final,
}

impl Channel {
    /// All channels, from the most restrictive to the least.
    pub const ALL: [Channel; 4] = [
        Channel::Final,
        Channel::Candidate,
        Channel::Beta,
        Channel::Alpha,
    ];

    /// Returns the channel of this name.
    pub fn parse(name: &str) -> Option<Self> {
        let mut all = Self::ALL.into_iter();
        all.find(|channel| channel.to_string() == name)
    }

    /// Returns the most restrictive channel on which `version` is offered.
    ///
    /// tufup offers development releases to everyone; here they go with the
    /// alphas, since nobody on the final channel asked for them.
    pub fn of(version: &Version) -> Self {
        match version.pre().map(|pre| pre.kind) {
            Some(PrereleaseKind::Alpha) => Channel::Alpha,
            _ if version.is_dev() => Channel::Alpha,
            Some(PrereleaseKind::Beta) => Channel::Beta,
            Some(PrereleaseKind::Rc) => Channel::Candidate,
            None => Channel::Final,
        }
    }
}

impl fmt::Display for Channel {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(match self {
            Channel::Alpha => "a",
            Channel::Beta => "b",
            Channel::Candidate => "rc",
            Channel::Final => "final",
        })
    }
}
