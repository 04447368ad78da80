//! Runs one update from check to commit.

use crate::install;
use crate::install::{CommitOutcome, Layout};
use crate::policy::blocked::Skipped;
use crate::policy::choose_release::ReleaseChoice;
use crate::progress::Event;
use crate::settings::Settings;
use crate::tuf::UnixTime;
use crate::update::error::UpdateError;
use crate::update::outcome::Outcome;
use crate::update::session::Updater;
use crate::update::staged_update::StagedFailure;

/// Runs a whole update: what is staged is installed, else what is new is
/// checked for, staged and installed. It goes at most one version further, so
/// that a required release is started before the one after it comes.
///
/// # Errors
/// [`UpdateError`]; what was installed still is.
pub fn run(
    layout: &Layout,
    settings: &Settings,
    now: UnixTime,
    tell: &dyn Fn(Event),
) -> Result<Outcome, UpdateError> {
    run_and_name(layout, settings, now, tell, &mut Vec::new())
}

/// Does the same as [`run`], and names in `skipped` the newer versions that it
/// skips.
///
/// # Errors
/// [`UpdateError`]; what was installed still is.
pub fn run_and_name(
    layout: &Layout,
    settings: &Settings,
    now: UnixTime,
    tell: &dyn Fn(Event),
    skipped: &mut Vec<Skipped>,
) -> Result<Outcome, UpdateError> {
    let updater = Updater::new(layout, settings, now, tell)?;
    // One that cannot be installed must not keep a later one away.
    let (outcome, pending) = match updater.install_staged() {
        Ok(outcome) => (outcome, None),
        Err(e) => (None, Some(updater.staged_failed(e)?)),
    };
    if let Some(outcome) = outcome {
        return Ok(outcome);
    }
    let checked = updater.check()?;
    skipped.extend_from_slice(&checked.skipped);
    let ReleaseChoice::Update { version, required } = &checked.choice else {
        updater.update_stub(&checked);
        if let Some(failure) = pending {
            return Err(failure.error);
        }
        // What an interrupted run left is of no use any more.
        install::prune_downloads(layout, &[])?;
        install::discard(layout)?;
        return Ok(Outcome::UpToDate);
    };
    let waits = |failure: &StagedFailure| !failure.dropped && failure.version == *version;
    if let Some(failure) = pending.filter(waits) {
        updater.update_stub(&checked);
        return Err(failure.error);
    }
    log::info!(
        "found {}version {version}",
        if *required { "the required " } else { "" }
    );
    let staged = updater.stage(&checked, version);
    // Even if that failed: a newer stub may do better.
    updater.update_stub(&checked);
    let staged = staged?;
    match updater.commit() {
        Ok(CommitOutcome::Deferred(instances)) => Ok(Outcome::Deferred {
            version: version.clone(),
            instances,
        }),
        Ok(_) => Ok(Outcome::Updated(staged)),
        Err(e) => Err(updater.staged_failed(e)?.error),
    }
}

/// Runs the part of an update that can be done while the application runs: what
/// is new is staged, and installed at the next start.
///
/// # Errors
/// [`UpdateError`]; what was installed still is.
pub fn stage_in_background(
    layout: &Layout,
    settings: &Settings,
    now: UnixTime,
    tell: &dyn Fn(Event),
) -> Result<Outcome, UpdateError> {
    let updater = Updater::new(layout, settings, now, tell)?;
    let checked = updater.check()?;
    updater.update_stub(&checked);
    let ReleaseChoice::Update { version, .. } = &checked.choice else {
        updater.drop_unwanted()?;
        return Ok(Outcome::UpToDate);
    };
    if !updater.has_staged(&checked, version) {
        log::info!("found version {version}");
        updater.stage(&checked, version)?;
    }
    Ok(Outcome::Deferred {
        version: version.clone(),
        instances: Vec::new(),
    })
}
