//! Refreshes the metadata and chooses the version to update to.

use crate::catalog::{Archive, Catalog, Channel, Choice, Client};
use crate::fs::{attributes, plain_file};
use crate::http::{Http, HttpError};
use crate::install::release_notes::Note;
use crate::install::{BlockedVersions, Layout, Record, Release};
use crate::policy::blocked;
use crate::policy::blocked::{Circumstances, Skipped};
use crate::repository::{Place, Repository, RepositoryError};
use crate::settings::Settings;
use crate::tuf::UnixTime;
use crate::tuf::key::encode_hex;
use crate::update::error::UpdateError;
use crate::update::self_update;
use crate::{catalog, fs, http};
use pep440_rs::Version;
use std::path::{Path, PathBuf};

/// What a check found.
#[derive(Debug)]
pub struct Checked {
    /// What is installed, where that is recorded.
    pub installed: Option<Release>,
    /// What the repository offers.
    pub catalog: Catalog,
    /// What to update to.
    pub choice: Choice,
    /// A newer stub.
    pub stub: Option<(Version, Archive)>,
    /// Newer versions that are not to be installed now.
    pub skipped: Vec<Skipped>,
    /// The newest version there is for this client.
    pub(super) newest: Option<Version>,
    pub(super) consistent_snapshot: bool,
}

impl Checked {
    /// What the makers say is new, from what is installed up to `version`:
    /// newest first.
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
pub fn look(
    layout: &Layout,
    settings: &Settings,
    now: UnixTime,
    metadata: &Path,
) -> Result<Choice, UpdateError> {
    fs::create_dir_all(metadata)?;
    let repository = repository(layout, settings, metadata.to_path_buf())?;
    Ok(check(&repository, layout, settings, now)?.choice)
}

pub(super) fn repository(
    layout: &Layout,
    settings: &Settings,
    metadata: PathBuf,
) -> Result<Repository, UpdateError> {
    let first = Place {
        metadata_url: settings.metadata_url.clone(),
        targets_url: settings.targets_url.clone(),
    };
    let mirrors = settings.mirrors.iter().map(|mirror| {
        let mirror = mirror.trim_end_matches('/');
        Place {
            metadata_url: format!("{mirror}/metadata"),
            targets_url: format!("{mirror}/targets"),
        }
    });
    let roots = match &settings.ca_file {
        None => None,
        Some(name) => {
            let path = layout.root().join(name);
            let missing = || HttpError::Roots(format!("{path:?} is not there"));
            let bytes = fs::read_optional(&path, 4 << 20)?;
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
    Ok(Repository::new(
        metadata,
        layout.shipped_root(),
        std::iter::once(first).chain(mirrors).collect(),
        Http::with(options).map_err(RepositoryError::from)?,
    ))
}

pub(super) fn check(
    repository: &Repository,
    layout: &Layout,
    settings: &Settings,
    now: UnixTime,
) -> Result<Checked, UpdateError> {
    let installed = match Record::load_release(&layout.app()) {
        Ok(release) => release.filter(|release| {
            let same = release.name == settings.name;
            if !same {
                log::warn!("what is installed is recorded as {:?}", release.name);
            }
            same
        }),
        Err(e) => {
            log::warn!("{e}; taking what is installed as unknown");
            None
        }
    };
    let refresh = repository.refresh(now)?;
    let trusted = refresh.trusted();
    let targets = trusted.targets("targets").expect("refreshed");
    let catalog = Catalog::new(&settings.name, &targets.targets);
    let version = installed.as_ref().map(|release| &release.version);
    let entries = BlockedVersions::load(layout).entries;
    // Only a rollout asks for it.
    let id = match catalog.archives.values().any(|a| a.rollout.is_some()) {
        true => client_id(layout),
        false => String::new(),
    };
    let this = self_update::version();
    let at = Circumstances {
        now,
        updater: &this,
        room: attributes::room(layout.root()),
    };
    let included = |archive: &Archive| {
        let rollout = archive.rollout.as_ref();
        archive.required || rollout.is_none_or(|rollout| rollout.includes(&id))
    };
    let held = blocked::held(&catalog, &entries, settings.channel, &included, at);
    let client = Client {
        installed: version,
        channel: settings.channel,
        held: &held,
        id: &id,
    };
    let choice = catalog::choose(&catalog, client);
    let chosen = match &choice {
        Choice::Update { version, .. } => Some(version),
        Choice::UpToDate => None,
    };
    let beyond = chosen.max(version);
    let skipped = blocked::skipped(
        &catalog,
        &entries,
        &held,
        settings.channel,
        &included,
        beyond,
    );
    for skipped in skipped.iter().filter(|skipped| skipped.why.is_some()) {
        log::info!("{skipped}");
    }
    let blocked = |version: &Version| held.contains(version);
    let newest = blocked::newest(&catalog, settings.channel, &included, &blocked).cloned();
    if let Some(version) = version.filter(|v| catalog.withdrawn.contains(v)) {
        log::warn!("version {version}, which is installed, was withdrawn by its makers");
    }
    let stubs = Catalog::new(&self_update::target_name(&settings.name), &targets.targets).archives;
    let stub = stubs
        .into_iter()
        .rfind(|(version, _)| *version > this && Channel::of(version) >= settings.channel);
    Ok(Checked {
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
