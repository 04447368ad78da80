//! Takes releases off the list: the one that was added last, or all that are old.

use super::numbers::Listed;
use super::pending::settle;
use super::{PendingTargets, ReleaseError};
use crate::metadata::Published;
use crate::project::Project;
use pep440_rs::Version;
use std::collections::BTreeSet;

/// Says who gets a release.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reach {
    /// All; no update may skip it.
    Required,
    /// All who want one that is as final.
    All,
    /// A part of these: the others need the one before it.
    Part,
}

/// Returns which releases stay: of the final ones that are for all, the newest
/// `keep`; all that are newer than the oldest of these; and those that no
/// client may skip. `releases` are sorted.
fn kept(releases: &[(Version, Reach)], keep: usize) -> BTreeSet<Version> {
    let finals = releases
        .iter()
        .filter(|(version, reach)| !version.any_prerelease() && *reach != Reach::Part);
    let oldest = finals.rev().nth(keep.saturating_sub(1)).map(|(v, _)| v);
    releases
        .iter()
        .filter(|(v, reach)| *reach == Reach::Required || oldest.is_none_or(|oldest| v >= oldest))
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
    let releases: Vec<(Version, Reach)> = pending
        .releases(app)
        .into_iter()
        .map(|(version, path)| {
            let custom = pending.custom(&path);
            let reach = match custom.rollout {
                _ if custom.required => Reach::Required,
                Some(_) => Reach::Part,
                None => Reach::All,
            };
            (version, reach)
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
/// [`ReleaseError::None`] if there is no release, [`ReleaseError::LastWord`] if
/// it is the only one that is left to tell what was withdrawn.
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
    let withdrawn = pending.withdrawn(app);
    if !withdrawn.is_empty() && pending.releases(app).len() == 1 {
        return Err(ReleaseError::LastWord {
            app: app.into(),
            version,
            withdrawn: withdrawn.into_iter().collect(),
        });
    }
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
        let releases = [
            "1.0", "1.1!", "1.2", "1.3rc1", "1.3", "1.4b1", "1.4b2", "1.4%",
        ];
        let releases: Vec<(Version, Reach)> = releases
            .iter()
            .map(|text| {
                let reach = match text.chars().last() {
                    Some('!') => Reach::Required,
                    Some('%') => Reach::Part,
                    _ => Reach::All,
                };
                (text.trim_end_matches(['!', '%']).parse().unwrap(), reach)
            })
            .collect();
        let left = |keep| -> Vec<String> {
            kept(&releases, keep)
                .iter()
                .map(ToString::to_string)
                .collect()
        };
        assert_eq!(left(1), ["1.1", "1.3", "1.4b1", "1.4b2", "1.4"]);
        assert_eq!(
            left(2),
            ["1.1", "1.2", "1.3rc1", "1.3", "1.4b1", "1.4b2", "1.4"]
        );
        assert_eq!(left(4).len(), 8);
        assert_eq!(left(9).len(), 8);
    }
}
