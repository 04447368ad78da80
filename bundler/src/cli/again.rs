//! Says why `notsotuf release` cannot continue with a release that is there already.

use pep440_rs::Version;

/// Says why `release` cannot continue with a version that is there already.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AgainError {
    /// It was added, from another bundle.
    #[error(
        "{app} {version} was already added from another bundle; run `notsotuf remove-latest` to \
         drop that, and then this again"
    )]
    OtherBundle {
        /// Application.
        app: String,
        /// Version.
        version: Version,
    },
    /// The version was added with other options.
    #[error(
        "{app} {version} was already added with another {what}; run `notsotuf remove-latest` to \
         drop that, and then this again"
    )]
    OtherOption {
        /// Application.
        app: String,
        /// Version.
        version: Version,
        /// The option.
        what: &'static str,
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
