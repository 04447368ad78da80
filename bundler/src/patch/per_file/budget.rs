//! Bounds the time that making a patch may take.

use std::io::{self, Read};
use std::time::{Duration, Instant};

/// Bounds the time that making a patch may take.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Budget(Option<Instant>);

impl Budget {
    /// Sets no bound.
    pub(crate) const UNLIMITED: Budget = Budget(None);

    /// Starts a budget now.
    pub(crate) fn of(time: Duration) -> Self {
        Budget(Instant::now().checked_add(time))
    }

    /// Returns the time that is left; `None` if there is no bound.
    pub(crate) fn left(self) -> Option<Duration> {
        let end = self.0?;
        Some(end.saturating_duration_since(Instant::now()))
    }

    /// Returns whether no time is left.
    pub(crate) fn is_spent(self) -> bool {
        self.0.is_some_and(|end| Instant::now() >= end)
    }
}

/// Reads from a reader, and fails once the budget is spent.
pub(super) struct Timed<R>(pub R, pub Budget);

impl<R: Read> Read for Timed<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.1.is_spent() {
            return Err(io::ErrorKind::TimedOut.into());
        }
        self.0.read(buffer)
    }
}
