//! Tries the primary repository and its mirrors in turn.

use crate::failure::FailureKind;
use crate::http::Http;
use crate::repository::Repository;
use crate::repository::error::{RepositoryError, Time, keep_worst};
use crate::settings::RepositoryUrls;
use crate::tuf::{Limits, Refresh, UnixTime};
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

/// Limits how often a download is resumed after its connection broke.
pub(super) const ATTEMPTS: u32 = 10;

impl Repository {
    /// Does `work` at the place that is known to have something, and where
    /// that fails at the others, so that each gets its turn in `time`. Those
    /// that were too slow then are asked again, with patience. `work` is told
    /// whether nobody else is left to ask.
    pub(super) fn with_mirrors<T>(
        &self,
        time: Time,
        work: &mut dyn FnMut(&RepositoryUrls, &Http, bool) -> Result<T, RepositoryError>,
    ) -> Result<T, RepositoryError> {
        let start = Instant::now();
        let count = self.mirrors.len();
        let first = self.preferred.load(Ordering::Relaxed);
        let mut again = Vec::new();
        let mut worst = None;
        for turn in 0..count {
            let index = (first + turn) % count;
            let urls = &self.mirrors[index];
            let last = turn + 1 == count;
            let http = self.hurried(time, start, (turn, count));
            let error = match work(urls, &http, last) {
                Ok(done) => {
                    self.preferred.store(index, Ordering::Relaxed);
                    return Ok(done);
                }
                Err(e) if e.failure_kind() == FailureKind::Local => return Err(e),
                Err(e) => e,
            };
            if error.is_worth_again(time, last) {
                again.push(index);
            }
            let what_next = match () {
                () if !last => "; trying the next mirror",
                () if !again.is_empty() => "; trying again",
                () => "",
            };
            if count > 1 || !what_next.is_empty() {
                log::warn!("{}{what_next}", urls.says(&error));
            }
            keep_worst(&mut worst, error);
        }
        for index in again {
            const LAST: bool = true;
            match work(&self.mirrors[index], &self.http, LAST) {
                Ok(done) => {
                    self.preferred.store(index, Ordering::Relaxed);
                    return Ok(done);
                }
                Err(e) if e.failure_kind() == FailureKind::Local => return Err(e),
                Err(e) => keep_worst(&mut worst, e),
            }
        }
        Err(worst.unwrap_or(RepositoryError::NoUrl))
    }

    /// The client for the place whose turn it is, of so many: one that says
    /// nothing must not use up the time of the others.
    fn hurried(&self, time: Time, start: Instant, (turn, count): (usize, usize)) -> Http {
        match time {
            Time::InAll(time) => {
                let left = time.saturating_sub(start.elapsed());
                let places = count - turn;
                let share = left / places as u32;
                match places {
                    // There is nobody else; but it is better to say that no
                    // address answers than to be cut off.
                    1 => self.http.hurried(share.mul_f32(0.7), Duration::MAX),
                    _ => self.http.hurried(share, share / 2),
                }
            }
            Time::OfSilence(time) => {
                let share = time / count as u32;
                self.http.hurried(share, share)
            }
        }
    }

    pub(super) fn start(&self, now: UnixTime) -> Result<Refresh, RepositoryError> {
        Ok(Refresh::starting_from(
            self.trusted_root()?,
            now,
            Limits::default(),
        ))
    }
}
