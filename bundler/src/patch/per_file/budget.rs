//! Bounds the time that making a patch may take.

use std::io::{self, Read};
use std::time::{Duration, Instant};

/// Bounds the time that making a patch may take.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Budget(Option<Bounds>);

#[derive(Debug, Clone, Copy)]
struct Bounds {
    /// From when on only what is needed is done.
    short: Instant,
    end: Instant,
}

impl Budget {
    /// Sets no bound.
    pub(crate) const UNLIMITED: Budget = Budget(None);

    /// Starts a budget now.
    pub(crate) fn of(time: Duration) -> Self {
        let now = Instant::now();
        let bounds = |end| Bounds {
            short: now + time / 2,
            end,
        };
        Budget(now.checked_add(time).map(bounds))
    }

    /// Starts one of so much time that is left, which is the second half.
    #[cfg(test)]
    pub(super) fn of_which_half_is_over(time: Duration) -> Self {
        let now = Instant::now();
        Budget(Some(Bounds {
            short: now,
            end: now + time,
        }))
    }

    /// Returns the time that is left; `None` if there is no bound.
    pub(crate) fn left(self) -> Option<Duration> {
        let end = self.0?.end;
        Some(end.saturating_duration_since(Instant::now()))
    }

    /// Returns whether no time is left.
    pub(crate) fn is_spent(self) -> bool {
        self.0.is_some_and(|bounds| Instant::now() >= bounds.end)
    }

    /// Returns whether half of the time is over: then what would only make a patch
    /// smaller is left out, if that takes long.
    pub(super) fn is_running_out(self) -> bool {
        self.0.is_some_and(|bounds| Instant::now() >= bounds.short)
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
