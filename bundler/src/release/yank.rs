//! Withdraws releases that are out, which takes effect with the next publish.

use super::error::no_release;
use super::pending::settle;
use super::{PendingTargets, ReleaseError};
use crate::metadata::Published;
use crate::project::Project;
use notsotuf_stub::catalog::Channel;
use pep440_rs::Version;
use std::collections::BTreeSet;

/// Takes a release back: its archive and all patches to and from it go, and
/// clients that have it go to another version, back if need be. The newest
/// release that is left says so.
///
/// # Errors
/// [`ReleaseError`], if there is no such release, or no other that all clients
/// which have it can get.
pub(crate) fn yank(
    project: &Project,
    published: &Published,
    app: &str,
    version: &Version,
) -> Result<(), ReleaseError> {
    let mut pending = PendingTargets::open(project, published)?;
    let releases = pending.releases(app);
    if !releases.iter().any(|(candidate, _)| candidate == version) {
        return Err(no_release(app, version));
    }
    if releases.len() == 1 {
        return Err(ReleaseError::OnlyOne(version.clone()));
    }
    if pending.is_published(app, version) {
        check_way_out(&pending, app, version)?;
    }
    // Patches that lead on from it.
    let crossing: BTreeSet<Version> = pending
        .line(app)
        .into_iter()
        .filter(|(_, listed)| listed.from.as_ref() == Some(version))
        .map(|(version, _)| version)
        .collect();
    let (mut withdrawn, mut retired) = (pending.withdrawn(app), pending.retired(app));
    pending.remove(app, |candidate| candidate == version)?;
    // Nobody has what was not published.
    if pending.is_published(app, version) {
        withdrawn.insert(version.clone());
        retired.remove(version);
    }
    pending.bear(app, withdrawn, retired);
    pending.drop_patches(app, |version| crossing.contains(version))?;
    settle(project, &mut pending, app)?;
    Ok(())
}

/// Checks that clients which have `version` have a release to go to, whichever
/// part of them they are.
pub(super) fn check_way_out(
    pending: &PendingTargets,
    app: &str,
    version: &Version,
) -> Result<(), ReleaseError> {
    let as_final = |other: &Version| Channel::of(other) >= Channel::of(version);
    let mut part = None;
    for (other, path) in pending.releases(app).into_iter().rev() {
        if other == *version || !as_final(&other) {
            continue;
        }
        let custom = pending.custom(&path);
        // Clients that go back look at the part also of a required one.
        if custom.rollout.is_none() || (custom.required && other > *version) {
            return Ok(());
        }
        part.get_or_insert(other);
    }
    Err(ReleaseError::NowhereToGo {
        app: app.into(),
        version: version.clone(),
        part,
    })
}
