//! Which release to update to. Pure: names, versions and metadata in, a
//! decision with its reason out.

pub mod custom;

use crate::bundle::TreeHash;
pub use crate::catalog::custom::Rollout;
use crate::catalog::custom::{ArchiveCustom, PatchCustom};
use crate::tuf::TargetFile;
use pep440_rs::{PrereleaseKind, Version};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::str::FromStr;

/// The least final kind of release that is wanted; tufup's pre-release level.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
pub enum Channel {
    /// Alphas, betas, candidates, finals, and development releases.
    #[serde(rename = "a")]
    Alpha,
    /// Betas, candidates and finals.
    #[serde(rename = "b")]
    Beta,
    /// Candidates and finals.
    #[serde(rename = "rc")]
    Candidate,
    /// Finals (and post-releases) only.
    #[default]
    #[serde(rename = "final")]
    Final,
}

impl Channel {
    /// The most restrictive channel on which `version` is offered.
    ///
    /// tufup offers development releases to everyone; here they go with the
    /// alphas, since nobody on the final channel asked for them.
    pub fn of(version: &Version) -> Self {
        match version.pre().map(|pre| pre.kind) {
            Some(PrereleaseKind::Alpha) => Channel::Alpha,
            _ if version.is_dev() => Channel::Alpha,
            Some(PrereleaseKind::Beta) => Channel::Beta,
            Some(PrereleaseKind::Rc) => Channel::Candidate,
            None => Channel::Final,
        }
    }
}

impl fmt::Display for Channel {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(match self {
            Channel::Alpha => "a",
            Channel::Beta => "b",
            Channel::Candidate => "rc",
            Channel::Final => "final",
        })
    }
}

/// What a target file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TargetKind {
    /// `.tar.gz` or `.gz`.
    Archive,
    /// `.patch`.
    Patch,
}

/// The parts of `<name>-<version><suffix>`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TargetName {
    /// Letters, digits, `_` and `-`.
    pub name: String,
    /// PEP 440.
    pub version: Version,
    /// By the suffix.
    pub kind: TargetKind,
}

impl TargetName {
    /// Takes a target path apart; `None` if it is not of this form. As in
    /// tufup, the version starts after the last `-` that leaves a valid name.
    pub fn parse(path: &str) -> Option<Self> {
        let file = path.rsplit('/').next()?;
        let (stem, kind) = [
            (".tar.gz", TargetKind::Archive),
            (".gz", TargetKind::Archive),
            (".patch", TargetKind::Patch),
        ]
        .into_iter()
        .find_map(|(suffix, kind)| Some((file.strip_suffix(suffix)?, kind)))?;
        let (name, version) = stem
            .rmatch_indices('-')
            .map(|(at, _)| (&stem[..at], &stem[at + 1..]))
            .find(|(name, version)| is_name(name) && !version.is_empty())?;
        Some(TargetName {
            name: name.into(),
            version: Version::from_str(version).ok()?,
            kind,
        })
    }
}

/// Whether this is a proper application name.
pub fn is_name(name: &str) -> bool {
    !name.is_empty()
        && name
            .chars()
            .all(|c| c.is_alphanumeric() || c == '_' || c == '-')
}

/// A full archive on offer.
#[derive(Debug, Clone, PartialEq)]
pub struct Archive {
    /// Target path.
    pub path: String,
    /// As the metadata lists it.
    pub file: TargetFile,
    /// Whether no update may skip it.
    pub required: bool,
    /// The tree hash of what is in it, if the repository gives one.
    pub tree: Option<TreeHash>,
    /// The oldest stub that can install it, if it says so.
    pub stub: Option<Version>,
    /// The part of the clients that are to have it, if not all.
    pub rollout: Option<Rollout>,
    /// What is new in it, in Markdown.
    pub notes: Option<String>,
}

impl Rollout {
    /// Whether the client with this id is among those that are to have it.
    /// Who is stays so when the percentage grows.
    pub fn includes(&self, client: &str) -> bool {
        let text = format!("{}:{client}", self.salt);
        let hash = ring::digest::digest(&ring::digest::SHA256, text.as_bytes());
        let first: [u8; 8] = hash.as_ref()[..8].try_into().expect("32 bytes");
        u64::from_be_bytes(first) % 100 < self.percent
    }
}

/// A patch on offer.
#[derive(Debug, Clone, PartialEq)]
pub struct Patch {
    /// Target path.
    pub path: String,
    /// As the metadata lists it.
    pub file: TargetFile,
    /// Name of its format; `None` for tufup's.
    pub format: Option<String>,
    /// The version it applies to; tufup does not say.
    pub from: Option<Version>,
    /// The tree hash it applies to.
    pub from_tree: Option<TreeHash>,
    /// The tree hash it results in.
    pub tree: Option<TreeHash>,
}

/// All that a repository offers under one name.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Catalog {
    /// Archives by version.
    pub archives: BTreeMap<Version, Archive>,
    /// Patches by the version they result in.
    pub patches: BTreeMap<Version, Patch>,
    /// Versions that were published once and must not be used any more.
    pub withdrawn: BTreeSet<Version>,
}

impl Catalog {
    /// Picks the targets of `name` out of trusted targets metadata. Targets
    /// of other forms are passed over.
    pub fn new<'a>(
        name: &str,
        targets: impl IntoIterator<Item = (&'a String, &'a TargetFile)>,
    ) -> Self {
        let mut catalog = Catalog::default();
        for (path, file) in targets {
            // Versions of other names need not be parsed.
            let of_name = path.rsplit('/').next().is_some_and(|p| p.starts_with(name));
            let Some(target) = of_name
                .then(|| TargetName::parse(path))
                .flatten()
                .filter(|t| t.name == name)
            else {
                continue;
            };
            match target.kind {
                TargetKind::Archive => {
                    let custom = ArchiveCustom::of(&file.custom.value());
                    let archive = Archive {
                        path: path.clone(),
                        file: file.clone(),
                        required: custom.required,
                        tree: custom.tree,
                        stub: custom.stub,
                        rollout: custom.rollout,
                        notes: custom.notes,
                    };
                    catalog.withdrawn.extend(custom.withdrawn);
                    catalog.archives.insert(target.version, archive);
                }
                TargetKind::Patch => {
                    let custom = PatchCustom::of(&file.custom.value());
                    let patch = Patch {
                        path: path.clone(),
                        file: file.clone(),
                        format: custom.format,
                        from: custom.from,
                        from_tree: custom.from_tree,
                        tree: custom.tree,
                    };
                    catalog.patches.insert(target.version, patch);
                }
            }
        }
        catalog
    }

    /// Whether a bundle with this tree hash is signed as `version`.
    pub fn signs_tree(&self, version: &Version, tree: TreeHash) -> bool {
        let archive = self.archives.get(version).and_then(|archive| archive.tree);
        let patch = self.patches.get(version).and_then(|patch| patch.tree);
        archive == Some(tree) || patch == Some(tree)
    }
}

/// What to update to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Choice {
    /// Nothing newer on this channel.
    UpToDate,
    /// This version.
    Update {
        /// The chosen version.
        version: Version,
        /// Whether it was chosen because it is required, rather than newest.
        required: bool,
    },
}

/// What a client knows of itself that matters for its choice.
#[derive(Debug, Clone, Copy)]
pub struct Client<'a> {
    /// What is installed; `None` if that is not known.
    pub installed: Option<&'a Version>,
    /// What kind of releases it wants.
    pub channel: Channel,
    /// Versions that failed on this machine.
    pub held: &'a BTreeSet<Version>,
    /// Random, and the same every time.
    pub id: &'a str,
}

/// Chooses as tufup does: the first required release on the way, else the
/// newest on the channel. With no known installed version, all are newer.
/// Held versions are passed over; but a required one that is held is not
/// passed by. A release that is rolled out step by step is for those it
/// includes, unless it is required. Where there is nothing newer and the
/// installed version was withdrawn, the newest one before it is chosen.
pub fn choose(catalog: &Catalog, client: Client) -> Choice {
    let forward = choose_newer(catalog, client);
    let installed = client.installed;
    let withdrawn = installed.filter(|version| catalog.withdrawn.contains(version));
    let (Choice::UpToDate, Some(installed)) = (&forward, withdrawn) else {
        return forward;
    };
    let older = catalog.archives.iter().rev().find(|(version, archive)| {
        *version < installed
            && Channel::of(version) >= client.channel
            && !client.held.contains(version)
            && archive
                .rollout
                .as_ref()
                .is_none_or(|r| r.includes(client.id))
    });
    older.map_or(Choice::UpToDate, |(version, _)| Choice::Update {
        version: version.clone(),
        required: false,
    })
}

fn choose_newer(catalog: &Catalog, client: Client) -> Choice {
    let Client {
        installed,
        channel,
        held,
        id,
    } = client;
    let mut newest = None;
    for (version, archive) in &catalog.archives {
        if installed.is_some_and(|installed| version <= installed) || Channel::of(version) < channel
        {
            continue;
        }
        if held.contains(version) {
            match archive.required {
                true => break,
                false => continue,
            }
        }
        let included = archive.rollout.as_ref().is_none_or(|r| r.includes(id));
        if !included && !archive.required {
            continue;
        }
        newest = Some(version);
        if archive.required {
            return Choice::Update {
                version: version.clone(),
                required: true,
            };
        }
    }
    newest.map_or(Choice::UpToDate, |version| Choice::Update {
        version: version.clone(),
        required: false,
    })
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    fn version(text: &str) -> Version {
        Version::from_str(text).unwrap()
    }

    /// Archives of these versions, and whether they are required.
    pub(crate) fn catalog(archives: &[(&str, bool)]) -> Catalog {
        let mut catalog = Catalog::default();
        for (text, required) in archives {
            let hash = format!("hash of {text}");
            let file = TargetFile {
                length: 100,
                hashes: [("sha256".to_owned(), hash)].into_iter().collect(),
                custom: Default::default(),
            };
            let archive = Archive {
                path: format!("app-{text}.tar.gz"),
                file,
                required: *required,
                tree: None,
                stub: None,
                rollout: None,
                notes: None,
            };
            catalog.archives.insert(version(text), archive);
        }
        catalog
    }

    fn chosen(archives: &[(&str, bool)], installed: &str, channel: Channel) -> Option<String> {
        chosen_but(archives, installed, channel, &[])
    }

    fn chosen_but(
        archives: &[(&str, bool)],
        installed: &str,
        channel: Channel,
        held: &[&str],
    ) -> Option<String> {
        let held = held.iter().map(|text| version(text)).collect();
        chosen_from(&catalog(archives), installed, channel, &held, "id")
    }

    fn chosen_from(
        catalog: &Catalog,
        installed: &str,
        channel: Channel,
        held: &BTreeSet<Version>,
        id: &str,
    ) -> Option<String> {
        let client = Client {
            installed: Some(&version(installed)),
            channel,
            held,
            id,
        };
        match choose(catalog, client) {
            Choice::UpToDate => None,
            Choice::Update { version, .. } => Some(version.to_string()),
        }
    }

    #[test]
    fn a_rollout_reaches_its_part_and_those_stay_in_it() {
        let mut catalog = catalog(&[("1.1", false), ("1.2", false)]);
        let mut reached = |percent: u64, required: bool| -> BTreeSet<String> {
            let archive = catalog.archives.get_mut(&version("1.2")).unwrap();
            archive.required = required;
            archive.rollout = Some(Rollout {
                percent,
                salt: "salt".into(),
            });
            let ids = (0..1000).map(|n| n.to_string());
            let got = |id: &String| chosen_from(&catalog, "1.0", Channel::Final, &[].into(), id);
            ids.filter(|id| match got(id).as_deref() {
                Some("1.2") => true,
                Some("1.1") => false,
                other => panic!("{other:?}"),
            })
            .collect()
        };
        assert_eq!(reached(0, false).len(), 0);
        let (tenth, half) = (reached(10, false), reached(50, false));
        assert!((60..140).contains(&tenth.len()), "{}", tenth.len());
        assert!((400..600).contains(&half.len()), "{}", half.len());
        assert!(tenth.is_subset(&half));
        assert_eq!(reached(100, false).len(), 1000);
        assert_eq!(reached(0, true).len(), 1000);
    }

    #[test]
    fn who_has_a_withdrawn_version_goes_forward_or_else_back() {
        let mut some = catalog(&[("1.0", false), ("1.1b1", false), ("1.3", false)]);
        some.withdrawn = [version("1.2")].into();
        let chosen = |catalog: &Catalog, installed| {
            chosen_from(catalog, installed, Channel::Final, &[].into(), "id")
        };
        assert_eq!(chosen(&some, "1.2").unwrap(), "1.3");
        some.archives.remove(&version("1.3"));
        assert_eq!(chosen(&some, "1.2").unwrap(), "1.0");
        assert_eq!(chosen(&some, "1.2.1"), None);
        let held = [version("1.0")].into();
        assert_eq!(chosen_from(&some, "1.2", Channel::Final, &held, "id"), None);
    }

    #[test]
    fn names_are_taken_apart_as_tufup_does() {
        for (path, name, text) in [
            ("my-app_x-1.0.tar.gz", "my-app_x", "1.0"),
            (
                "myapp-windows-x86_64-1.0rc1.patch",
                "myapp-windows-x86_64",
                "1.0rc1",
            ),
            ("app-1.0+local.1.gz", "app", "1.0+local.1"),
            ("app-1.0.post1.tar.gz", "app", "1.0.post1"),
            ("sub/app-2!1.0.tar.gz", "app", "2!1.0"),
        ] {
            let target = TargetName::parse(path).unwrap();
            assert_eq!(
                (target.name.as_str(), target.version),
                (name, version(text))
            );
        }
        for path in [
            "app-1.0.zip",
            "app.tar.gz",
            "-1.0.tar.gz",
            "app-x.tar.gz",
            "a b-1.tar.gz",
        ] {
            assert_eq!(TargetName::parse(path), None, "{path}");
        }
    }

    #[test]
    fn newest_on_the_channel() {
        let all = [
            ("1.0", false),
            ("1.1.dev1", false),
            ("1.1a1", false),
            ("1.1b1", false),
            ("1.1rc1", false),
        ];
        assert_eq!(chosen(&all, "1.0", Channel::Final), None);
        assert_eq!(chosen(&all, "1.0", Channel::Candidate).unwrap(), "1.1rc1");
        assert_eq!(chosen(&all[..4], "1.0", Channel::Candidate), None);
        assert_eq!(chosen(&all[..4], "1.0", Channel::Beta).unwrap(), "1.1b1");
        assert_eq!(chosen(&all[..3], "1.0", Channel::Beta), None);
        assert_eq!(
            chosen(&all[..2], "1.0", Channel::Alpha).unwrap(),
            "1.1.dev1"
        );
        assert_eq!(
            chosen(&[("1.10", false), ("1.9", false)], "1.2", Channel::Final).unwrap(),
            "1.10"
        );
        assert_eq!(
            chosen(&[("1.0.post1", false)], "1.0", Channel::Final).unwrap(),
            "1.0.post1"
        );
    }

    #[test]
    fn what_failed_is_passed_over_unless_required() {
        let all = [("1.1", false), ("1.2", true), ("1.3", false)];
        let but = |from, held: &[&str]| chosen_but(&all, from, Channel::Final, held);
        assert_eq!(but("1.2", &["1.3"]), None);
        assert_eq!(but("1.0", &["1.1"]).unwrap(), "1.2");
        assert_eq!(but("1.0", &["1.2"]).unwrap(), "1.1");
        assert_eq!(but("1.1", &["1.2"]), None);
    }

    #[test]
    fn first_required_wins_and_only_on_the_channel() {
        let all = [
            ("1.1", true),
            ("1.2", true),
            ("1.3", false),
            ("1.1b1", true),
        ];
        assert_eq!(chosen(&all, "1.0", Channel::Final).unwrap(), "1.1");
        assert_eq!(chosen(&all, "1.1", Channel::Final).unwrap(), "1.2");
        assert_eq!(chosen(&all, "1.2", Channel::Final).unwrap(), "1.3");
        assert_eq!(chosen(&all, "1.0", Channel::Beta).unwrap(), "1.1b1");
        assert_eq!(chosen(&all, "2.0", Channel::Final), None);
    }
}
