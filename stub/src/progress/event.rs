//! Defines what the updater tells about its progress.

/// Says what the updater is doing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// The repository is asked what there is: at first, and after what was
    /// staged could not be put in place.
    Checking,
    /// An update was found and is being staged.
    Found {
        /// Application.
        name: String,
        /// The new version.
        version: String,
        /// Bytes to download.
        size: u64,
        /// What its makers say is new, in Markdown.
        notes: Option<String>,
    },
    /// This many bytes are downloaded by now.
    Downloaded(u64),
    /// It is downloaded; now this many bytes of about `total` are in place.
    Assembled {
        /// Bytes written so far.
        done: u64,
        /// Bytes in the end.
        total: u64,
    },
    /// Another process, for which the user is asked, does all of it.
    Elevating,
    /// It is being put in place.
    Committing,
}
