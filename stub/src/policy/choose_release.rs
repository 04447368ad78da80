//! Chooses the release to update to.

use crate::catalog::Catalog;
use crate::policy::wanted::Wanted;
use pep440_rs::Version;
use std::collections::BTreeSet;

/// Says which version to update to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReleaseChoice {
    /// There is nothing newer that is wanted.
    UpToDate,
    /// There is this version.
    Update {
        /// The chosen version.
        version: Version,
        /// Whether it was chosen because it is required, rather than newest.
        required: bool,
    },
}

impl ReleaseChoice {
    /// Returns the version to update to, if there is one.
    pub fn version(&self) -> Option<&Version> {
        match self {
            ReleaseChoice::UpToDate => None,
            ReleaseChoice::Update { version, .. } => Some(version),
        }
    }
}

/// Holds what a client knows of itself that matters for its choice.
#[derive(Debug, Clone, Copy)]
pub struct ClientState<'a> {
    /// What is installed; `None` if that is not known.
    pub installed: Option<&'a Version>,
    /// Which releases it wants.
    pub wanted: Wanted<'a>,
    /// Versions that failed on this machine.
    pub blocked: &'a BTreeSet<Version>,
    /// Random, and the same every time.
    pub id: &'a str,
}

/// Chooses as tufup does: the first required release on the way, else the
/// newest on the channel. With no known installed version, all are newer.
/// Blocked versions are skipped, but for a required one: the client goes no
/// further than the release before it. A release that is rolled out step by
/// step is for those it includes, unless it is required. If there is nothing
/// newer and the installed version was withdrawn, the newest one before it is
/// chosen. What is newer than a version that the user stays with is not chosen,
/// required or not.
pub fn choose(catalog: &Catalog, client: ClientState) -> ReleaseChoice {
    let forward = choose_newer(catalog, client);
    let installed = client.installed;
    let withdrawn = installed.filter(|version| catalog.withdrawn.contains(version));
    let (ReleaseChoice::UpToDate, Some(installed)) = (&forward, withdrawn) else {
        return forward;
    };
    let older = catalog.archives.iter().rev().find(|(version, archive)| {
        *version < installed
            && client.wanted.is_on_channel(version)
            && !client.blocked.contains(version)
            && archive
                .rollout
                .as_ref()
                .is_none_or(|r| r.includes(client.id))
    });
    older.map_or(ReleaseChoice::UpToDate, |(version, _)| {
        ReleaseChoice::Update {
            version: version.clone(),
            required: false,
        }
    })
}

fn choose_newer(catalog: &Catalog, client: ClientState) -> ReleaseChoice {
    let ClientState {
        installed,
        wanted,
        blocked,
        id,
    } = client;
    let mut newest = None;
    for (version, archive) in &catalog.archives {
        if installed.is_some_and(|installed| version <= installed) || !wanted.includes(version) {
            continue;
        }
        if blocked.contains(version) {
            if archive.required { break } else { continue }
        }
        let included = archive.rollout.as_ref().is_none_or(|r| r.includes(id));
        if !included && !archive.required {
            continue;
        }
        newest = Some(version);
        if archive.required {
            return ReleaseChoice::Update {
                version: version.clone(),
                required: true,
            };
        }
    }
    newest.map_or(ReleaseChoice::UpToDate, |version| ReleaseChoice::Update {
        version: version.clone(),
        required: false,
    })
}
