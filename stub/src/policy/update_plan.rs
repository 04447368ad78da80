//! Decides between a chain of patches and the full archive. Pure.

use crate::bundle::TreeHash;
use crate::bundle::patch;
use crate::catalog::{Catalog, Patch};
use pep440_rs::Version;
use std::fmt;

/// Limits the size of a chain, as a fraction of the archive's: a larger one is
/// not worth it. It is tufup's limit.
pub const MAX_SIZE_RATIO: (u64, u64) = (8, 10);

/// Says how to get to a version.
#[derive(Debug, Clone, PartialEq)]
pub enum Plan<'a> {
    /// Apply these patches, in this order.
    Chain(Vec<&'a Patch>),
    /// Take the full archive.
    Full(FullArchiveReason),
}

/// Says why no chain is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FullArchiveReason {
    /// The installed version is not known.
    NothingKnown,
    /// A patch on the way is missing.
    Gap,
    /// A patch on the way is in a format this version does not apply.
    Format,
    /// The patches are made for something else than what is installed.
    OtherBase,
    /// The patches together are too large.
    TooLarge,
}

impl fmt::Display for FullArchiveReason {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(match self {
            FullArchiveReason::NothingKnown => "the installed version is not recorded",
            FullArchiveReason::Gap => "a patch of the chain is missing",
            FullArchiveReason::Format => "the patches are in a format this version does not know",
            FullArchiveReason::OtherBase => {
                "the patches are made for other files than those installed"
            }
            FullArchiveReason::TooLarge => "the patches are too large",
        })
    }
}

/// Plans the way from the installed version (and the hash of its tree) to
/// `version`, which must be in the catalog.
pub fn plan<'a>(
    catalog: &'a Catalog,
    installed: Option<(&Version, TreeHash)>,
    version: &Version,
) -> Plan<'a> {
    match chain(catalog, installed, version) {
        Ok(patches) => Plan::Chain(patches),
        Err(why) => Plan::Full(why),
    }
}

fn chain<'a>(
    catalog: &'a Catalog,
    installed: Option<(&Version, TreeHash)>,
    version: &Version,
) -> Result<Vec<&'a Patch>, FullArchiveReason> {
    let (base, base_tree) = installed.ok_or(FullArchiveReason::NothingKnown)?;
    let archive = catalog
        .archives
        .get(version)
        .ok_or(FullArchiveReason::Gap)?;
    let mut patches = Vec::new();
    let mut total = 0u64;
    let mut at = version;
    // Backwards along what each patch says it applies to, so that a chain
    // without gaps is the only one that can come out.
    while at != base {
        let patch = catalog.patches.get(at).ok_or(FullArchiveReason::Gap)?;
        let format = patch.format.as_deref().and_then(patch::Format::named);
        let known = format.is_some() && patch.tree.is_some();
        let from = patch
            .from
            .as_ref()
            .filter(|_| known)
            .ok_or(FullArchiveReason::Format)?;
        if from >= at || from < base {
            return Err(FullArchiveReason::Gap);
        }
        patches.push(patch);
        total = total.saturating_add(patch.file.length);
        at = from;
    }
    patches.reverse();
    let first = patches.first().ok_or(FullArchiveReason::Gap)?;
    // What one patch makes, the next must start from; the signed hashes say so.
    let mut tree = base_tree;
    for patch in &patches {
        if patch.from_tree.is_some_and(|from| from != tree) {
            let at_base = std::ptr::eq(*patch, *first);
            return Err(if at_base {
                FullArchiveReason::OtherBase
            } else {
                FullArchiveReason::Gap
            });
        }
        tree = patch.tree.expect("checked on the way");
    }
    if archive.tree.is_some_and(|wanted| wanted != tree) {
        return Err(FullArchiveReason::Gap);
    }
    let limit = u128::from(archive.file.length) * u128::from(MAX_SIZE_RATIO.0);
    if u128::from(total) * u128::from(MAX_SIZE_RATIO.1) > limit {
        return Err(FullArchiveReason::TooLarge);
    }
    Ok(patches)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::Archive;
    use crate::tuf::TargetFile;
    use std::str::FromStr;

    fn v(n: u8) -> Version {
        Version::from_str(&format!("{n}.0")).unwrap()
    }
    fn file(length: u64) -> TargetFile {
        TargetFile {
            length,
            hashes: Default::default(),
            custom: Default::default(),
        }
    }
    fn patch(n: u8, length: u64) -> Patch {
        Patch {
            path: format!("app-{n}.0.patch"),
            file: file(length),
            format: Some(patch::Format::Two.name().into()),
            from: Some(v(n - 1)),
            from_tree: Some(TreeHash([n - 1; 32])),
            tree: Some(TreeHash([n; 32])),
        }
    }
    fn catalog(lengths: &[(u8, u64)]) -> Catalog {
        let mut catalog = Catalog::default();
        for &(n, length) in lengths {
            let archive = Archive {
                path: format!("app-{n}.0.tar.gz"),
                file: file(1000),
                required: false,
                tree: Some(TreeHash([n; 32])),
                stub: None,
                rollout: None,
                notes: None,
            };
            catalog.archives.insert(v(n), archive);
            catalog.patches.insert(v(n), patch(n, length));
        }
        catalog
    }
    fn go(catalog: &Catalog, from: u8, to: u8) -> Result<Vec<String>, FullArchiveReason> {
        match plan(catalog, Some((&v(from), TreeHash([from; 32]))), &v(to)) {
            Plan::Chain(patches) => Ok(patches.iter().map(|p| p.path.clone()).collect()),
            Plan::Full(why) => Err(why),
        }
    }

    #[test]
    fn a_whole_chain_in_order_up_to_the_size_limit() {
        let fits = catalog(&[(2, 300), (3, 300), (4, 200)]);
        let names: Vec<_> = (2..=4).map(|n| format!("app-{n}.0.patch")).collect();
        assert_eq!(go(&fits, 1, 4), Ok(names.clone()));
        assert_eq!(go(&fits, 3, 4), Ok(names[2..].to_vec()));
        assert_eq!(go(&fits, 1, 3), Ok(names[..2].to_vec()));
        let over = catalog(&[(2, 300), (3, 300), (4, 201)]);
        assert_eq!(go(&over, 1, 4), Err(FullArchiveReason::TooLarge));
    }

    #[test]
    fn no_chain_with_a_gap_or_on_another_base() {
        let mut gap = catalog(&[(2, 1), (3, 1), (4, 1)]);
        gap.patches.remove(&v(3));
        assert_eq!(go(&gap, 1, 4), Err(FullArchiveReason::Gap));
        assert_eq!(go(&gap, 3, 4).map(|c| c.len()), Ok(1));

        // Made against version 2, which a client on 1 that skips 2 lacks.
        let mut skipped = catalog(&[(2, 1), (3, 1)]);
        skipped.patches.remove(&v(2));
        assert_eq!(go(&skipped, 1, 3), Err(FullArchiveReason::Gap));

        let all = catalog(&[(2, 1), (3, 1)]);
        let other = plan(&all, Some((&v(1), TreeHash([9; 32]))), &v(3));
        assert_eq!(other, Plan::Full(FullArchiveReason::OtherBase));
        assert_eq!(
            plan(&all, None, &v(3)),
            Plan::Full(FullArchiveReason::NothingKnown)
        );

        let mut broken = catalog(&[(2, 1), (3, 1)]);
        broken.patches.get_mut(&v(3)).unwrap().from_tree = Some(TreeHash([9; 32]));
        assert_eq!(go(&broken, 1, 3), Err(FullArchiveReason::Gap));

        let mut backwards = catalog(&[(2, 1), (3, 1)]);
        backwards.patches.get_mut(&v(3)).unwrap().from = Some(v(3));
        assert_eq!(go(&backwards, 1, 3), Err(FullArchiveReason::Gap));

        let mut tufup = catalog(&[(2, 1)]);
        tufup.patches.get_mut(&v(2)).unwrap().format = None;
        assert_eq!(go(&tufup, 1, 2), Err(FullArchiveReason::Format));
    }
}
