//! Withdraws releases that are out, which takes effect with the next publish.

use super::error::no_release;
use super::pending::settle;
use super::{PendingTargets, ReleaseError};
use crate::metadata::Published;
use crate::project::Project;
use pep440_rs::Version;
use std::collections::BTreeSet;

/// Takes a release back: its archive and all patches to and from it go, and
/// clients that have it go to another version, back if need be. The newest
/// release that is left says so.
///
/// # Errors
/// [`ReleaseError`], if there is no such release, or no other.
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
