//! Decides which patches lead to a version with the fewest bytes, each to the
//! next release or over several at once, or that the full archive is taken.
//! Pure.

use crate::bundle::TreeHash;
use crate::bundle::patch;
use crate::catalog::{Catalog, Patch};
use pep440_rs::Version;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::ops::Bound;

/// Limits the size of patches together, as a fraction of the archive's: larger
/// ones are not worth it. It is tufup's limit.
pub const MAX_SIZE_RATIO: (u64, u64) = (8, 10);

/// Says how to get to a version.
#[derive(Debug, Clone, PartialEq)]
pub enum Plan<'a> {
    /// Apply these patches, in this order.
    Patches {
        /// At least one.
        patches: Vec<&'a Patch>,
        /// What they take together.
        bytes: u64,
        /// Why these.
        why: PatchesReason,
    },
    /// Take the full archive.
    Full(FullArchiveReason),
}

/// Says why these patches are taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PatchesReason {
    /// No others lead to the version.
    OnlyWay,
    /// Others do, with more bytes or, for as many bytes, more patches.
    Cheapest,
}

impl fmt::Display for PatchesReason {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(match self {
            PatchesReason::OnlyWay => "no others lead there",
            PatchesReason::Cheapest => "others take more",
        })
    }
}

/// Says why no patches are taken.
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
/// `version`, which must be in the catalog: the patches with the fewest bytes
/// in all, and of those the fewest, if they are not too large.
pub fn plan<'a>(
    catalog: &'a Catalog,
    installed: Option<(&Version, TreeHash)>,
    version: &Version,
) -> Plan<'a> {
    let Some((base, base_tree)) = installed else {
        return Plan::Full(FullArchiveReason::NothingKnown);
    };
    let archive = catalog.archives.get(version);
    let Some(archive) = archive.filter(|_| version > base) else {
        return Plan::Full(FullArchiveReason::Gap);
    };
    let graph = Graph::new(catalog, base, version);
    let ways = graph.ways(Some(base_tree));
    let Some(way) = ways.to(version, archive.tree) else {
        return Plan::Full(graph.why_no_way(archive.tree));
    };
    let limit = u128::from(archive.file.length) * u128::from(MAX_SIZE_RATIO.0);
    if u128::from(way.bytes) * u128::from(MAX_SIZE_RATIO.1) > limit {
        return Plan::Full(FullArchiveReason::TooLarge);
    }
    Plan::Patches {
        patches: ways.patches(&way),
        bytes: way.bytes,
        why: match way.choices {
            1 => PatchesReason::OnlyWay,
            _ => PatchesReason::Cheapest,
        },
    }
}

/// The patches between two versions.
struct Graph<'a, 'v> {
    base: &'v Version,
    version: &'v Version,
    /// Each with the version that it results in, which rises.
    patches: Vec<(&'a Version, &'a Patch)>,
}

/// A way from what is installed to what its last patch results in.
#[derive(Debug, Clone, Copy)]
struct Way<'a> {
    last: &'a Patch,
    /// The way to what that applies to, by its place; `None`: it is installed.
    before: Option<usize>,
    tree: TreeHash,
    bytes: u64,
    count: usize,
    /// How many ways end with the last patch; this is the cheapest.
    choices: u64,
}

/// The cheapest ways by each patch.
#[derive(Default)]
struct Ways<'a> {
    all: Vec<Way<'a>>,
    /// Places of those that lead to a version.
    at: BTreeMap<&'a Version, Vec<usize>>,
}

impl<'a, 'v> Graph<'a, 'v> {
    fn new(catalog: &'a Catalog, base: &'v Version, version: &'v Version) -> Self {
        let between = (Bound::Excluded(base), Bound::Included(version));
        let chain = catalog.patches.range::<Version, _>(between);
        let direct = catalog.direct_patches.range::<Version, _>(between);
        let versions = chain.map(|(to, _)| to).chain(direct.map(|(to, _)| to));
        let versions: BTreeSet<&Version> = versions.collect();
        let patches = versions.into_iter();
        let patches = patches.flat_map(|to| catalog.patches_to(to).map(move |patch| (to, patch)));
        Graph {
            base,
            version,
            patches: patches.collect(),
        }
    }

    /// Finds the cheapest way that ends with each patch. As patches lead from
    /// older to newer versions only, those before it are known when its turn
    /// comes. `base_tree` is the tree that is installed; `None`: whatever the
    /// patches want.
    fn ways(&self, base_tree: Option<TreeHash>) -> Ways<'a> {
        let mut ways = Ways::default();
        for (to, last) in &self.patches {
            let Some((from, tree)) = applicable(last) else {
                continue;
            };
            let fits = |tree| last.from_tree.is_none_or(|from_tree| from_tree == tree);
            let (before, choices) = if from == self.base {
                if base_tree.is_some_and(|tree| !fits(tree)) {
                    continue;
                }
                (None, 1)
            } else {
                match ways.best(from, fits) {
                    Some((place, choices)) => (Some(place), choices),
                    None => continue,
                }
            };
            let so_far = before.map(|place| ways.all[place]);
            let way = Way {
                last,
                before,
                tree,
                bytes: so_far
                    .map_or(0, |way| way.bytes)
                    .saturating_add(last.file.length),
                count: so_far.map_or(0, |way| way.count) + 1,
                choices,
            };
            ways.at.entry(to).or_default().push(ways.all.len());
            ways.all.push(way);
        }
        ways
    }

    /// Returns whether versions alone lead to the wanted one, by the patches
    /// that are `usable`. A patch of tufup, which does not say where it leads
    /// from, may lead from anywhere.
    fn is_connected(&self, usable: impl Fn(&Patch) -> bool) -> bool {
        let mut reached = BTreeSet::from([self.base]);
        for (to, patch) in self.patches.iter().filter(|(_, patch)| usable(patch)) {
            let from = patch.from.as_ref();
            if from.is_none_or(|from| reached.contains(from)) {
                reached.insert(to);
            }
        }
        reached.contains(self.version)
    }

    fn why_no_way(&self, wanted: Option<TreeHash>) -> FullArchiveReason {
        if !self.is_connected(|_| true) {
            FullArchiveReason::Gap
        } else if !self.is_connected(|patch| applicable(patch).is_some()) {
            FullArchiveReason::Format
        } else if self.ways(None).to(self.version, wanted).is_some() {
            FullArchiveReason::OtherBase
        } else {
            FullArchiveReason::Gap
        }
    }
}

/// Returns the version a patch leads from, and the tree it results in, if it
/// can be applied.
fn applicable(patch: &Patch) -> Option<(&Version, TreeHash)> {
    patch.format.as_deref().and_then(patch::Format::named)?;
    Some((patch.from.as_ref()?, patch.tree?))
}

impl<'a> Ways<'a> {
    /// Returns the place of the cheapest way to a version whose tree `fits`,
    /// and how many there are.
    fn best(&self, to: &Version, fits: impl Fn(TreeHash) -> bool) -> Option<(usize, u64)> {
        let places = self.at.get(to)?.iter().copied();
        let places: Vec<usize> = places.filter(|at| fits(self.all[*at].tree)).collect();
        let cost = |place: &&usize| (self.all[**place].bytes, self.all[**place].count);
        let best = *places.iter().min_by_key(cost)?;
        let choices = places.iter().map(|place| self.all[*place].choices);
        Some((best, choices.fold(0, u64::saturating_add)))
    }

    /// Returns the cheapest way to a version and this tree, if one is known.
    fn to(&self, version: &Version, wanted: Option<TreeHash>) -> Option<Way<'a>> {
        let fits = |tree| wanted.is_none_or(|wanted| wanted == tree);
        let (place, choices) = self.best(version, fits)?;
        let way = self.all[place];
        Some(Way { choices, ..way })
    }

    /// Returns the patches of a way, in the order in which they are applied.
    fn patches(&self, way: &Way<'a>) -> Vec<&'a Patch> {
        let before = |way: &Way<'a>| way.before.map(|place| self.all[place]);
        let mut patches: Vec<&Patch> = std::iter::successors(Some(*way), before)
            .map(|way| way.last)
            .collect();
        patches.reverse();
        patches
    }
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
        direct(n - 1, n, length)
    }
    fn direct(from: u8, to: u8, length: u64) -> Patch {
        Patch {
            path: format!("{from}-{to}"),
            file: file(length),
            format: Some(patch::Format::Two.name().into()),
            from: Some(v(from)),
            from_tree: Some(TreeHash([from; 32])),
            tree: Some(TreeHash([to; 32])),
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
                settings: None,
            };
            catalog.archives.insert(v(n), archive);
            catalog.patches.insert(v(n), patch(n, length));
        }
        catalog
    }
    fn with_direct(lengths: &[(u8, u64)], more: &[(u8, u8, u64)]) -> Catalog {
        let mut catalog = catalog(lengths);
        for &(from, to, length) in more {
            let patches = catalog.direct_patches.entry(v(to)).or_default();
            patches.insert(v(from), direct(from, to, length));
        }
        catalog
    }
    fn go(catalog: &Catalog, from: u8, to: u8) -> Result<Vec<String>, FullArchiveReason> {
        match plan(catalog, Some((&v(from), TreeHash([from; 32]))), &v(to)) {
            Plan::Patches { patches, bytes, .. } => {
                let sum: u64 = patches.iter().map(|p| p.file.length).sum();
                assert_eq!(bytes, sum);
                Ok(patches.iter().map(|p| p.path.clone()).collect())
            }
            Plan::Full(why) => Err(why),
        }
    }
    /// Text of the outcome: the patches and why these, or why none.
    fn told(catalog: &Catalog, from: u8, to: u8) -> String {
        let (from, to) = (v(from), v(to));
        let tree = TreeHash([from.release()[0] as u8; 32]);
        match plan(catalog, Some((&from, tree)), &to) {
            Plan::Patches { patches, why, .. } => {
                let names: Vec<&str> = patches.iter().map(|p| p.path.as_str()).collect();
                format!("{}: {why:?}", names.join(" "))
            }
            Plan::Full(why) => format!("{why:?}"),
        }
    }

    #[test]
    fn a_whole_chain_in_order_up_to_the_size_limit() {
        let fits = catalog(&[(2, 300), (3, 300), (4, 200)]);
        let names = ["1-2", "2-3", "3-4"].map(String::from).to_vec();
        assert_eq!(go(&fits, 1, 4), Ok(names.clone()));
        assert_eq!(go(&fits, 3, 4), Ok(names[2..].to_vec()));
        assert_eq!(go(&fits, 1, 3), Ok(names[..2].to_vec()));
        let over = catalog(&[(2, 300), (3, 300), (4, 201)]);
        assert_eq!(go(&over, 1, 4), Err(FullArchiveReason::TooLarge));
        assert_eq!(go(&fits, 4, 4), Err(FullArchiveReason::Gap));
        assert_eq!(go(&fits, 4, 2), Err(FullArchiveReason::Gap));
    }

    #[test]
    fn the_way_with_the_fewest_bytes_is_taken() {
        const CHAIN: [(u8, u64); 4] = [(2, 100), (3, 100), (4, 100), (5, 100)];
        let told = |more: &[(u8, u8, u64)]| told(&with_direct(&CHAIN, more), 1, 5);
        for (more, outcome) in [
            (&[][..], "1-2 2-3 3-4 4-5: OnlyWay"),
            // The chain is cheaper.
            (&[(1, 5, 401)], "1-2 2-3 3-4 4-5: Cheapest"),
            // For as many bytes, fewer patches.
            (&[(1, 5, 400)], "1-5: Cheapest"),
            (&[(1, 5, 399)], "1-5: Cheapest"),
            // Both kinds.
            (&[(2, 5, 250)], "1-2 2-5: Cheapest"),
            (&[(1, 4, 150), (2, 5, 250)], "1-4 4-5: Cheapest"),
            (
                &[(1, 3, 110), (3, 5, 110), (1, 5, 230)],
                "1-3 3-5: Cheapest",
            ),
            // Those that lead elsewhere do not matter.
            (&[(1, 6, 1), (4, 6, 1)], "1-2 2-3 3-4 4-5: OnlyWay"),
        ] {
            assert_eq!(told(more), outcome, "{more:?}");
        }
    }

    #[test]
    fn direct_patches_lead_over_what_is_missing_or_does_not_fit() {
        const CHAIN: [(u8, u64); 3] = [(2, 100), (3, 100), (4, 100)];
        // 3 was withdrawn: it is gone with the patches to it and from it.
        let mut withdrawn = with_direct(&CHAIN, &[(2, 4, 150)]);
        withdrawn.withdrawn.insert(v(3));
        withdrawn.archives.remove(&v(3));
        withdrawn.patches.remove(&v(3));
        withdrawn.patches.remove(&v(4));
        assert_eq!(told(&withdrawn, 1, 4), "1-2 2-4: OnlyWay");
        assert_eq!(told(&withdrawn, 3, 4), "Gap");
        withdrawn.direct_patches.clear();
        assert_eq!(told(&withdrawn, 1, 4), "Gap");

        let change = |change: &dyn Fn(&mut Patch)| {
            let mut catalog = with_direct(&CHAIN, &[(1, 4, 50)]);
            let to = catalog.direct_patches.get_mut(&v(4)).unwrap();
            change(to.get_mut(&v(1)).unwrap());
            told(&catalog, 1, 4)
        };
        let chain = "1-2 2-3 3-4: OnlyWay";
        assert_eq!(change(&|_| ()), "1-4: Cheapest");
        assert_eq!(change(&|p| p.format = Some("of the future".into())), chain);
        assert_eq!(change(&|p| p.from_tree = Some(TreeHash([9; 32]))), chain);
        assert_eq!(change(&|p| p.tree = Some(TreeHash([9; 32]))), chain);
        assert_eq!(change(&|p| p.tree = None), chain);
        assert_eq!(change(&|p| p.from = None), chain);
        assert_eq!(change(&|p| p.from = Some(v(4))), chain);

        let mut only = with_direct(&CHAIN, &[(1, 4, 801)]);
        assert_eq!(told(&only, 1, 4), "1-2 2-3 3-4: Cheapest");
        only.patches.clear();
        assert_eq!(told(&only, 1, 4), "TooLarge");
        let to = only.direct_patches.get_mut(&v(4)).unwrap();
        to.get_mut(&v(1)).unwrap().format = Some("of the future".into());
        assert_eq!(told(&only, 1, 4), "Format");
        assert_eq!(told(&only, 2, 4), "Gap");
    }

    /// A repository may list as many as fit into its metadata.
    #[test]
    fn many_versions_and_patches_are_no_burden() {
        let mut all = catalog(&[]);
        for to in 2..=120u8 {
            all.archives.extend(catalog(&[(to, 1)]).archives);
            for from in 1..to {
                let patches = all.direct_patches.entry(v(to)).or_default();
                patches.insert(v(from), direct(from, to, 7));
            }
        }
        assert_eq!(told(&all, 1, 120), "1-120: Cheapest");
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
