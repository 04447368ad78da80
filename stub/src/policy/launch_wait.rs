//! Decides how long the launcher waits for the update before it starts the
//! application. Pure: what happened and when in, what to do out.

use std::time::Duration;

/// Says where the update stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// It is not known yet whether there is an update.
    Checking,
    /// It is being downloaded and put together.
    Staging,
    /// Another process does it, and tells nothing of its progress.
    Elsewhere,
    /// It is being put in place: only a few renames, not to be left half way.
    Committing,
}

/// Says how long to wait, from the settings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WaitLimits {
    /// Until it must be known whether there is an update.
    pub decision: Duration,
    /// Without any progress afterwards.
    pub stall: Duration,
    /// In all, but for what is being put in place.
    pub total: Duration,
}

/// Says what the launcher does next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WaitDecision {
    /// Wait this long for news, at the most.
    Wait(Duration),
    /// Start the application now.
    Launch(WaitEnded),
}

/// Says why the launcher did not wait for the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WaitEnded {
    /// The deadline for the decision has passed.
    Deadline,
    /// The download stands still.
    Stalled,
    /// The user wants to start now.
    Cancelled,
    /// The user has waited for long enough.
    TookTooLong,
}

impl WaitEnded {
    /// Returns the reason in words for the log.
    pub fn reason(self) -> &'static str {
        match self {
            WaitEnded::Deadline => "no answer from the repository within the deadline",
            WaitEnded::Stalled => "the download has stalled",
            WaitEnded::Cancelled => "the update was cancelled by the user",
            WaitEnded::TookTooLong => "the update takes longer than the user should wait",
        }
    }

    /// Returns whether the update continues behind the application: not if the
    /// user did not want it.
    pub fn goes_on(self) -> bool {
        self != WaitEnded::Cancelled
    }
}

/// Returns whether the wish to start now can be granted.
pub fn may_cancel(phase: Phase) -> bool {
    phase != Phase::Committing
}

/// Decides what to do `elapsed` after the start, with the last news `quiet`
/// ago.
pub fn next(phase: Phase, elapsed: Duration, quiet: Duration, limits: WaitLimits) -> WaitDecision {
    let (used, limit, gave_up) = match phase {
        Phase::Checking => (elapsed, limits.decision, WaitEnded::Deadline),
        Phase::Staging => (quiet, limits.stall, WaitEnded::Stalled),
        Phase::Elsewhere => (elapsed, limits.total, WaitEnded::TookTooLong),
        Phase::Committing => return WaitDecision::Wait(Duration::from_secs(1)),
    };
    let left = limit.saturating_sub(used);
    let in_all = limits.total.saturating_sub(elapsed);
    match left.min(in_all) {
        Duration::ZERO if left.is_zero() => WaitDecision::Launch(gave_up),
        Duration::ZERO => WaitDecision::Launch(WaitEnded::TookTooLong),
        left => WaitDecision::Wait(left),
    }
}

/// Says what to do with a version that is on probation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProbationDecision {
    /// Start it and watch.
    Start,
    /// Go back to the previous version.
    RollBack,
}

/// How often a version is tried while nothing is known of it: a start may
/// have been cut off by the user, or by the version itself.
const MAX_TRIALS: u32 = 3;

/// Decides what to do with a version that has been started `starts` times, and
/// never ended on its own nor lived long enough.
pub fn trial(starts: u32) -> ProbationDecision {
    match starts {
        0..MAX_TRIALS => ProbationDecision::Start,
        _ => ProbationDecision::RollBack,
    }
}

/// How often a version on probation may be ended from outside before updates
/// are looked for all the same.
const MAX_ENDED: u32 = 3;

/// Returns whether updates are looked for while a version is on probation that
/// was ended from outside `ended` times. At first they are not: an update would
/// leave it as the one to go back to, and nobody knows whether it works. But
/// one that is never left the time to show that is not to be the last.
pub fn looks_for_updates(ended: u32) -> bool {
    ended >= MAX_ENDED
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_has_three_tries() {
        assert_eq!(trial(2), ProbationDecision::Start);
        assert_eq!(trial(3), ProbationDecision::RollBack);
    }

    #[test]
    fn waits_for_the_decision_then_for_progress_and_never_leaves_a_commit() {
        let s = Duration::from_secs;
        let limits = WaitLimits {
            decision: s(3),
            stall: s(20),
            total: s(600),
        };
        let after = |phase, elapsed, quiet| next(phase, s(elapsed), s(quiet), limits);
        assert_eq!(after(Phase::Checking, 1, 1), WaitDecision::Wait(s(2)));
        assert_eq!(
            after(Phase::Checking, 3, 0),
            WaitDecision::Launch(WaitEnded::Deadline)
        );
        assert_eq!(after(Phase::Staging, 500, 5), WaitDecision::Wait(s(15)));
        assert_eq!(
            after(Phase::Elsewhere, 500, 500),
            WaitDecision::Wait(s(100))
        );
        assert_eq!(
            after(Phase::Elsewhere, 600, 0),
            WaitDecision::Launch(WaitEnded::TookTooLong)
        );
        assert_eq!(
            after(Phase::Staging, 30, 25),
            WaitDecision::Launch(WaitEnded::Stalled)
        );
        assert_eq!(after(Phase::Staging, 599, 0), WaitDecision::Wait(s(1)));
        let too_long = WaitDecision::Launch(WaitEnded::TookTooLong);
        assert_eq!(after(Phase::Staging, 600, 0), too_long);
        let impatient = WaitLimits {
            total: s(2),
            ..limits
        };
        assert_eq!(next(Phase::Checking, s(2), s(0), impatient), too_long);
        assert_eq!(after(Phase::Committing, 900, 900), WaitDecision::Wait(s(1)));
        assert!(may_cancel(Phase::Staging) && !may_cancel(Phase::Committing));
        assert!(WaitEnded::Deadline.goes_on() && WaitEnded::TookTooLong.goes_on());
        assert!(!WaitEnded::Cancelled.goes_on());
    }
}
