//! Takes releases off the list: the one that was added last, or all that are old.

use super::numbers::Listed;
use super::pending::settle;
use super::{PendingTargets, ReleaseError};
use crate::metadata::Published;
use crate::project::Project;
use pep440_rs::Version;
use std::collections::BTreeSet;

/// Returns which releases stay: the newest `keep` final ones, all that are
/// newer than the oldest of these, and those that no client may skip.
/// `releases` are sorted, each with whether it is required.
pub(crate) fn kept(releases: &[(Version, bool)], keep: usize) -> BTreeSet<Version> {
    let finals = releases.iter().filter(|(v, _)| !v.any_prerelease());
    let oldest = finals.rev().nth(keep.saturating_sub(1)).map(|(v, _)| v);
    releases
        .iter()
        .filter(|(v, required)| *required || oldest.is_none_or(|oldest| v >= oldest))
        .map(|(version, _)| version.clone())
        .collect()
}

/// Takes all but the kept releases of an application off the list, archives
/// and patches, and returns their versions. The files go with the next
/// publish. The patch of a release that stays does too, whatever it leads
/// from: clients that have that still take it. Direct patches go with the
/// release they lead from: who has that is to be had by a full archive.
///
/// # Errors
/// [`ReleaseError`].
pub(crate) fn prune(
    project: &Project,
    published: &Published,
    app: &str,
    keep: usize,
) -> Result<Vec<Version>, ReleaseError> {
    let mut pending = PendingTargets::open(project, published)?;
    let releases: Vec<(Version, bool)> = pending
        .releases(app)
        .into_iter()
        .map(|(version, path)| {
            let required = pending.custom(&path).required;
            (version, required)
        })
        .collect();
    let kept = kept(&releases, keep);
    let gone: Vec<Version> = releases
        .into_iter()
        .map(|(version, _)| version)
        .filter(|version| !kept.contains(version))
        .collect();
    pending.remove(app, |version| !kept.contains(version))?;
    Ok(gone)
}

/// Takes the release of an application that was added last off the list,
/// archive and patch. Files that are not published are deleted. Returns its
/// version, and whether it is published.
///
/// # Errors
/// [`ReleaseError::None`] if there is no release.
pub(crate) fn remove_latest(
    project: &Project,
    published: &Published,
    app: &str,
) -> Result<(Version, bool), ReleaseError> {
    let mut pending = PendingTargets::open(project, published)?;
    // Older bundlers, and tufup, did not say when; those were in order.
    let releases = pending.releases(app).into_iter();
    let last = releases.max_by_key(|(version, path)| (pending.custom(path).added, version.clone()));
    let (version, _) = last.ok_or_else(|| ReleaseError::None(app.into()))?;
    let was_published = pending.is_published(app, &version);
    pending.remove(app, |candidate| *candidate == version)?;
    let leads_on = |listed: &Listed| listed.from.as_ref() == Some(&version);
    let crossing: BTreeSet<Version> = pending
        .line(app)
        .into_iter()
        .filter(|(_, listed)| leads_on(listed))
        .map(|(version, _)| version)
        .collect();
    pending.drop_patches(app, |version| crossing.contains(version))?;
    settle(project, &mut pending, app)?;
    Ok((version, was_published))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finals_are_counted_and_required_ones_stay() {
        let releases = ["1.0", "1.1!", "1.2", "1.3rc1", "1.3", "1.4b1", "1.4b2"];
        let releases: Vec<(Version, bool)> = releases
            .iter()
            .map(|text| {
                (
                    text.trim_end_matches('!').parse().unwrap(),
                    text.ends_with('!'),
                )
            })
            .collect();
        let left = |keep| -> Vec<String> {
            kept(&releases, keep)
                .iter()
                .map(ToString::to_string)
                .collect()
        };
        assert_eq!(left(1), ["1.1", "1.3", "1.4b1", "1.4b2"]);
        assert_eq!(left(2), ["1.1", "1.2", "1.3rc1", "1.3", "1.4b1", "1.4b2"]);
        assert_eq!(left(4).len(), 7);
        assert_eq!(left(9).len(), 7);
    }
}
