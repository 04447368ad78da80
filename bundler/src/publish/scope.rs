//! Says what a publication takes in.

/// Says what to publish.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PublishScope {
    /// All that is pending, and fresh timestamp and snapshot.
    Pending,
    /// Fresh expiry dates only, for cron; releases that are pending stay so.
    Renewal,
}
