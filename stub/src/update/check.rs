//! Refreshes the metadata and chooses the version to update to.

use crate::catalog::{Archive, Catalog};
use crate::fs::{attributes, plain_file};
use crate::hex::encode_hex;
use crate::http::{Http, HttpError};
use crate::install::release_notes::Note;
use crate::install::{BlockedVersions, Layout, Record, Release};
use crate::policy::blocked;
use crate::policy::blocked::{Circumstances, Skipped, SkippedWhy};
use crate::policy::choose_release::{self, ClientState, ReleaseChoice};
use crate::policy::wanted::Wanted;
use crate::repository::{Repository, RepositoryError};
use crate::settings::Settings;
use crate::tuf::{TargetFile, UnixTime};
use crate::update::error::UpdateError;
use crate::{fs, http, stub_version};
use pep440_rs::Version;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// The most that is read of the file of the setting `ca_file`: those of whole
/// systems have some 200 kB.
const MAX_CA_FILE: u64 = 4 << 20;

/// Holds what a check found.
#[derive(Debug)]
pub struct UpdateCheck {
    /// What is installed, where that is recorded.
    pub installed: Option<Release>,
    /// What the repository offers.
    pub catalog: Catalog,
    /// What to update to.
    pub choice: ReleaseChoice,
    /// A newer stub.
    pub stub: Option<(Version, Archive)>,
    /// Newer versions that are not installed now.
    pub skipped: Vec<Skipped>,
    /// The newest version there is for this client.
    pub(super) newest: Option<Version>,
    pub(super) consistent_snapshot: bool,
}

impl UpdateCheck {
    /// Returns what the makers say is new, from the installed version up to
    /// `version`: newest first.
    pub fn notes(&self, version: &Version) -> Vec<Note> {
        let installed = self.installed.as_ref().map(|release| &release.version);
        let archives = self.catalog.archives.iter().rev();
        archives
            .filter(|(v, _)| *v <= version && installed.is_none_or(|installed| *v > installed))
            .filter_map(|(v, archive)| {
                let text = archive.notes.clone()?;
                let version = v.clone();
                Some(Note { version, text })
            })
            .collect()
    }
}

/// Looks for an update without writing to the install dir, with the trusted
/// metadata in the folder `metadata`.
///
/// # Errors
/// [`UpdateError`].
pub fn check_read_only(
    layout: &Layout,
    settings: &Settings,
    now: UnixTime,
    metadata: &Path,
) -> Result<ReleaseChoice, UpdateError> {
    fs::create_dir_all(metadata)?;
    let repository = repository(layout, settings, metadata.to_path_buf())?;
    Ok(check(&repository, layout, settings, now)?.choice)
}

pub(super) fn repository(
    layout: &Layout,
    settings: &Settings,
    metadata: PathBuf,
) -> Result<Repository, UpdateError> {
    let roots = match &settings.ca_file {
        None => None,
        Some(name) => {
            let path = layout.root().join(name);
            let missing = || HttpError::Roots(format!("{path:?} is not there"));
            let bytes = fs::read_optional(&path, MAX_CA_FILE)?;
            Some(bytes.ok_or_else(|| RepositoryError::from(missing()))?)
        }
    };
    let options = http::Options {
        silence: settings.stall(),
        deadline: Some(settings.deadline()),
        roots,
        authorization: settings.authorization(),
        max_rate: (settings.max_rate > 0).then_some(settings.max_rate),
    };
    let http = Http::with(options).map_err(RepositoryError::from)?;
    let urls = settings.all_urls();
    let repository = Repository::new(metadata, layout.shipped_root(), urls, http);
    Ok(repository.with_earlier_places(settings.other_urls.clone()))
}

/// What is installed, if it is a release of this application.
fn installed_release(layout: &Layout, settings: &Settings) -> Option<Release> {
    let release = Record::load_release(&layout.app()).unwrap_or_else(|e| {
        log::warn!("{e}; the installed version counts as unknown");
        None
    })?;
    if release.name != settings.name {
        log::warn!("what is installed is recorded as {:?}", release.name);
        return None;
    }
    Some(release)
}

/// The id of this client, if there is a rollout that asks for it.
fn client_id_for(catalog: &Catalog, layout: &Layout) -> String {
    if catalog.archives.values().any(|a| a.rollout.is_some()) {
        client_id(layout)
    } else {
        String::new()
    }
}

fn warn_of_withdrawn(catalog: &Catalog, installed: Option<&Version>) {
    if let Some(version) = installed.filter(|v| catalog.withdrawn.contains(v)) {
        log::warn!("version {version}, which is installed, was withdrawn by its makers");
    }
}

/// The newest stub on the channel, if it is newer than `this` one.
fn newer_stub(
    settings: &Settings,
    targets: &BTreeMap<String, TargetFile>,
    this: &Version,
) -> Option<(Version, Archive)> {
    let stubs = Catalog::new(&stub_version::target_name(&settings.name), targets).archives;
    stubs
        .into_iter()
        .rfind(|(version, _)| version > this && Wanted::of(settings).is_on_channel(version))
}

pub(super) fn check(
    repository: &Repository,
    layout: &Layout,
    settings: &Settings,
    now: UnixTime,
) -> Result<UpdateCheck, UpdateError> {
    let installed = installed_release(layout, settings);
    let refresh = repository.refresh(now)?;
    let trusted = refresh.trusted();
    let targets = trusted.targets("targets").expect("refreshed");
    let catalog = Catalog::new(&settings.name, &targets.targets);
    let version = installed.as_ref().map(|release| &release.version);
    let entries = BlockedVersions::load(layout).entries;
    let id = client_id_for(&catalog, layout);
    let this = stub_version::version();
    let at = Circumstances {
        now,
        updater: &this,
        room: attributes::room(layout.root()),
    };
    let wanted = Wanted::of(settings);
    let included = |archive: &Archive| {
        let rollout = archive.rollout.as_ref();
        archive.required || rollout.is_none_or(|rollout| rollout.includes(&id))
    };
    let blocked = blocked::blocked_now(&catalog, &entries, wanted, &included, at);
    let client = ClientState {
        installed: version,
        wanted,
        blocked: &blocked,
        id: &id,
    };
    let choice = choose_release::choose(&catalog, client);
    let chosen = choice.version();
    let beyond = chosen.max(version);
    let skipped = blocked::skipped(&catalog, &entries, &blocked, wanted, &included, beyond);
    let rollout = |skipped: &&Skipped| skipped.why == SkippedWhy::Rollout;
    for skipped in skipped.iter().filter(|skipped| !rollout(skipped)) {
        log::info!("{skipped}");
    }
    let is_blocked = |version: &Version| blocked.contains(version);
    let newest = blocked::newest(&catalog, wanted, &included, &is_blocked).cloned();
    warn_of_withdrawn(&catalog, version);
    let stub = newer_stub(settings, &targets.targets, &this);
    Ok(UpdateCheck {
        choice,
        catalog,
        stub,
        skipped,
        newest,
        consistent_snapshot: trusted.root().consistent_snapshot,
        installed,
    })
}

/// A random text of this install's own, by which it is early or late in a
/// rollout. It is not sent anywhere.
fn client_id(layout: &Layout) -> String {
    let path = layout.client_id();
    let stored = plain_file::read(&path, 64).unwrap_or_default();
    let stored = stored.and_then(|bytes| String::from_utf8(bytes).ok());
    if let Some(id) = stored.filter(|id| id.len() == 32) {
        return id;
    }
    let mut bytes = [0; 16];
    let random = ring::rand::SystemRandom::new();
    if ring::rand::SecureRandom::fill(&random, &mut bytes).is_err() {
        log::warn!("the system has no random numbers");
    }
    let id = encode_hex(&bytes);
    if let Err(e) = fs::write_atomically(&path, id.as_bytes()) {
        log::debug!("{e}");
    }
    id
}
