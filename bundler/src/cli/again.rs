//! Says why `notsotuf release` cannot continue with a release that is there already.

use pep440_rs::Version;
use std::fmt::{self, Display, Formatter};
use std::path::PathBuf;

/// Says how a release that was added and is not published is dropped.
#[derive(Debug)]
pub(crate) struct TakeBack {
    /// The command that drops it, if one does: that of the last one.
    pub command: Option<String>,
    /// The folder of all that is not published.
    pub pending: PathBuf,
}

impl Display for TakeBack {
    fn fmt(&self, out: &mut Formatter) -> fmt::Result {
        match &self.command {
            Some(command) => write!(out, "run `{command}` to drop that"),
            None => write!(
                out,
                "others were added after it, so delete {:?} to drop all that is not published",
                self.pending
            ),
        }
    }
}

/// Says why `release` cannot continue with a version that is there already.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AgainError {
    /// It was added, from another bundle.
    #[error(
        "{app} {version} was already added from another bundle; {take_back}, and then run this \
         again"
    )]
    OtherBundle {
        /// Application.
        app: String,
        /// Version.
        version: Version,
        /// What drops that.
        take_back: TakeBack,
    },
    /// The version was added with other options.
    #[error(
        "{app} {version} was already added with another {what}; {take_back}, and then run this \
         again"
    )]
    OtherOption {
        /// Application.
        app: String,
        /// Version.
        version: Version,
        /// The option.
        what: &'static str,
        /// What drops that.
        take_back: TakeBack,
    },
    /// The version is published, and is something else.
    #[error(
        "{app} {version} is already published with another {what}: a version is used only once, \
         so give this bundle a higher one"
    )]
    Published {
        /// Application.
        app: String,
        /// Version.
        version: Version,
        /// What differs.
        what: &'static str,
    },
    /// The release cannot be verified.
    #[error(
        "where will clients find it? Set `url` under [client] in the project settings, so that what \
         is published can be checked there"
    )]
    NoUrl,
}
