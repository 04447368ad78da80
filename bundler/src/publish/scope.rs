//! Says what a publication takes in.

/// Says what to publish.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PublishScope {
    /// All that is pending, and fresh timestamp and snapshot.
    Pending,
    /// Fresh expiry dates only, for cron; releases and roots that are pending
    /// stay so.
    Renewal,
    /// The same, with the root that was drafted for it.
    RootRenewal,
}

impl PublishScope {
    /// Returns whether only expiry dates change.
    pub(super) fn only_renews(self) -> bool {
        self != PublishScope::Pending
    }
}
