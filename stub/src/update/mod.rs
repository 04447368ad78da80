//! One update from check to commit: the modules put together.

pub mod behind;
pub mod elevated;
pub mod self_update;

use self::self_update::OwnError;
use crate::bundle::patch::{PatchError, Scattered};
use crate::bundle::path_rules::RECORD;
use crate::bundle::unpack::{self, ArchiveError};
use crate::bundle::{Manifest, Rules, TreeHash};
use crate::catalog::custom::{ArchiveCustom, PatchCustom};
use crate::catalog::{self, Archive, Catalog, Channel, Choice, Client, Patch};
use crate::failure::Class;
use crate::fs::attributes;
use crate::fs::plain_file;
use crate::fs::{self, FsError};
use crate::http::{self, Http, HttpError};
use crate::install::release_notes::{self, Note};
use crate::install::{
    self, BlockedVersions, CommitError, Committed, How, Layout, Lock, Origin, Record, RecordError,
    Release, StateError, Why,
};
use crate::nested_stub;
use crate::policy::blocked::{self, BlockedWhy, Circumstances, Skipped};
use crate::policy::update_plan::{self, Plan};
use crate::policy::vouch::{InstalledBundle, StagedBundle, Unvouched, Vouched, vouch};
use crate::progress::{self, Event};
use crate::repository::{Place, Repository, RepositoryError};
use crate::settings::Settings;
use crate::tuf::key::{encode_hex, sha256_hex};
use crate::tuf::{TargetFile, UnixTime};
use pep440_rs::Version;
use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Why there was no update.
#[derive(Debug, thiserror::Error)]
pub enum UpdateError {
    /// Metadata or a target could not be had, or was refused.
    #[error(transparent)]
    Repository(#[from] RepositoryError),
    /// The disk.
    #[error(transparent)]
    Fs(#[from] FsError),
    /// The archive could not be unpacked.
    #[error("{path}: {source}")]
    Archive {
        /// Target path.
        path: String,
        /// What was wrong.
        source: ArchiveError,
    },
    /// A patch could not be applied.
    #[error("{path}: {source}")]
    Patch {
        /// Target path.
        path: String,
        /// What was wrong.
        source: PatchError,
    },
    /// What is in the archive is not what the metadata says.
    #[error("{path}: its content has tree hash {found}, expected {expected}")]
    WrongTree {
        /// Target path.
        path: String,
        /// Hash of what is in it.
        found: TreeHash,
        /// Signed hash.
        expected: TreeHash,
    },
    /// The release does not have the program that is to be started.
    #[error(
        "version {version} has no {executable:?}, which the settings name as the program to start"
    )]
    NoExecutable {
        /// The release.
        version: Version,
        /// The setting.
        executable: String,
    },
    /// The release is a stub in place of the application.
    #[error(
        "version {version} holds this updater in place of the application: its makers released the folder that users install"
    )]
    NestedStub {
        /// The release.
        version: Version,
    },
    /// A record could not be read.
    #[error(transparent)]
    Record(#[from] RecordError),
    /// The state dir cannot be trusted.
    #[error(transparent)]
    State(#[from] StateError),
    /// The commit failed.
    #[error(transparent)]
    Commit(#[from] CommitError),
    /// What is installed is not recorded.
    #[error("it is not recorded what is installed; --updater update installs the newest version")]
    NoRecord,
    /// There is nothing to restore files from.
    #[error(
        "the repository does not offer version {0}, which is installed, any more; a newer one will replace it"
    )]
    NotOffered(Version),
    /// This stub is too old for that release.
    #[error(
        "version {version} needs version {needed} of the updater, and this is version {}; if it does not update itself, download the application again",
        self_update::version()
    )]
    StubTooOld {
        /// The release.
        version: Version,
        /// The oldest stub for it.
        needed: Version,
    },
    /// The stub itself could not be updated.
    #[error("{path}: {source}")]
    Own {
        /// Target path.
        path: String,
        /// What was wrong.
        source: OwnError,
    },
    /// There is nothing to go back to.
    #[error("there is no earlier version to go back to")]
    NoPrevious,
    /// What was there before does not work here.
    #[error("there is no version to go back to: {0}, which was here before, failed here")]
    PreviousFailed(Version),
    /// It would not fit.
    #[error(
        "version {version} needs {} on the disk, and {} are free there; make room in {folder:?}",
        progress::bytes(*needed),
        progress::bytes(*free)
    )]
    NoRoom {
        /// The release.
        version: Version,
        /// Bytes that it takes at the least.
        needed: u64,
        /// Bytes there are.
        free: u64,
        /// Where.
        folder: PathBuf,
    },
    /// An administrator's rights were needed.
    #[error("{0}")]
    Elevation(String),
    /// Another stub is updating.
    #[error("another instance is updating at this moment")]
    Locked,
}

impl UpdateError {
    /// The class of problem.
    pub fn class(&self) -> Class {
        match self {
            UpdateError::Repository(e) => e.class(),
            UpdateError::Archive { source, .. } => match source {
                ArchiveError::Fs(_) | ArchiveError::Stopped => Class::Local,
                _ => Class::Refused,
            },
            UpdateError::Patch { source, .. } => match source {
                PatchError::Fs(_) | PatchError::Stopped | PatchError::Changed { .. } => {
                    Class::Local
                }
                _ => Class::Refused,
            },
            UpdateError::WrongTree { .. }
            | UpdateError::NoExecutable { .. }
            | UpdateError::NestedStub { .. } => Class::Refused,
            UpdateError::Fs(_)
            | UpdateError::Record(_)
            | UpdateError::State(_)
            | UpdateError::Commit(_)
            | UpdateError::NoRecord
            | UpdateError::NoPrevious
            | UpdateError::PreviousFailed(_)
            | UpdateError::NoRoom { .. }
            | UpdateError::StubTooOld { .. }
            | UpdateError::Own { .. }
            | UpdateError::Elevation(_)
            | UpdateError::Locked => Class::Local,
            UpdateError::NotOffered(_) => Class::Unavailable,
        }
    }

    /// What a failed file system call said, if it was one.
    fn file_system(&self) -> Option<&FsError> {
        match self {
            UpdateError::Fs(e)
            | UpdateError::Repository(RepositoryError::Fs(e))
            | UpdateError::Commit(CommitError::Fs(e)) => Some(e),
            _ => None,
        }
    }

    /// Whether the disk is full.
    fn is_for_room(&self) -> bool {
        let full = [io::ErrorKind::StorageFull, io::ErrorKind::QuotaExceeded];
        let is_full = |e: &FsError| full.contains(&e.source.kind());
        matches!(self, UpdateError::NoRoom { .. }) || self.file_system().is_some_and(is_full)
    }

    /// Whether the same release fails in the same way every time here.
    fn is_for_good(&self) -> bool {
        match self {
            UpdateError::Archive { source, .. } => !matches!(source, ArchiveError::Stopped),
            UpdateError::WrongTree { .. }
            | UpdateError::NoExecutable { .. }
            | UpdateError::NestedStub { .. }
            | UpdateError::Commit(CommitError::OtherFileSystem { .. }) => true,
            _ => self.file_system().is_some_and(fs::is_beyond_file_system),
        }
    }

    /// Whether it is worth counting: it has to do with the release and this
    /// computer, not with the network or another stub.
    fn counts(&self) -> bool {
        let commit = matches!(self, UpdateError::Commit(_) | UpdateError::Record(_));
        commit || self.is_for_good() || self.file_system().is_some()
    }
}

/// How often an update is put together, or put in place, in vain before it is
/// left alone for a while: what went wrong may be over at the next start.
const STAGE_ATTEMPTS: u32 = 2;
const COMMIT_ATTEMPTS: u32 = 3;

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
    newest: Option<Version>,
    consistent_snapshot: bool,
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

/// How an update was staged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Staged {
    /// The version.
    pub version: Version,
    /// How many patches it took; 0 for the full archive.
    pub patches: usize,
    /// Bytes downloaded.
    pub bytes: u64,
}

/// How a whole run ended well.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// Nothing newer.
    UpToDate,
    /// The update that an earlier run staged is installed.
    Installed(Release),
    /// A new version is installed.
    Updated(Staged),
    /// A new version is staged, but these processes of the application are
    /// running (or another stub is just starting it).
    Deferred {
        /// The staged version.
        version: Version,
        /// Process ids.
        instances: Vec<u32>,
    },
}

impl std::fmt::Display for Outcome {
    fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        match self {
            Outcome::UpToDate => f.write_str("up to date"),
            Outcome::Installed(release) => {
                write!(f, "installed version {}, staged earlier", release.version)
            }
            Outcome::Updated(staged) => {
                let how = match staged.patches {
                    0 => "the full archive".into(),
                    1 => "1 patch".into(),
                    n => format!("{n} patches"),
                };
                let size = progress::bytes(staged.bytes);
                write!(f, "updated to version {} by {how}, {size}", staged.version)
            }
            Outcome::Deferred { version, instances } => {
                write!(
                    f,
                    "version {version} is ready and will be installed at the next start"
                )?;
                if !instances.is_empty() {
                    let list: Vec<_> = instances.iter().map(u32::to_string).collect();
                    write!(
                        f,
                        " (the application is running as process {})",
                        list.join(", ")
                    )?;
                }
                Ok(())
            }
        }
    }
}

/// A whole update: what is staged is installed, else what is new is checked
/// for, staged and installed. At most one version further, so that a required
/// release is started before the one after it comes.
///
/// # Errors
/// [`UpdateError`]; what was installed still is.
pub fn run(
    layout: &Layout,
    settings: &Settings,
    now: UnixTime,
    tell: &dyn Fn(Event),
) -> Result<Outcome, UpdateError> {
    run_and_name(layout, settings, now, tell, &mut Vec::new())
}

/// As [`run`], and names in `skipped` the newer versions that it passes over.
///
/// # Errors
/// [`UpdateError`]; what was installed still is.
pub fn run_and_name(
    layout: &Layout,
    settings: &Settings,
    now: UnixTime,
    tell: &dyn Fn(Event),
    skipped: &mut Vec<Skipped>,
) -> Result<Outcome, UpdateError> {
    let updater = Updater::new(layout, settings, now, tell)?;
    // One that cannot be installed is not to keep a later one away.
    let (outcome, pending) = match updater.install_staged() {
        Ok(outcome) => (outcome, None),
        Err(e) => (None, Some(updater.staged_failed(e)?)),
    };
    if let Some(outcome) = outcome {
        return Ok(outcome);
    }
    let checked = updater.check()?;
    skipped.extend_from_slice(&checked.skipped);
    let Choice::Update { version, required } = &checked.choice else {
        updater.update_stub(&checked);
        if let Some(failure) = pending {
            return Err(failure.error);
        }
        // What an interrupted run left is of no use any more.
        install::keep_downloads(layout, &[])?;
        install::discard(layout)?;
        return Ok(Outcome::UpToDate);
    };
    let waits = |failure: &StagedFailure| !failure.dropped && failure.version == *version;
    if let Some(failure) = pending.filter(waits) {
        updater.update_stub(&checked);
        return Err(failure.error);
    }
    log::info!(
        "found {}version {version}",
        if *required { "the required " } else { "" }
    );
    let staged = updater.stage(&checked, version);
    // Even if that failed: a newer stub may do better.
    updater.update_stub(&checked);
    let staged = staged?;
    match updater.commit() {
        Ok(Committed::Deferred(instances)) => Ok(Outcome::Deferred {
            version: version.clone(),
            instances,
        }),
        Ok(_) => Ok(Outcome::Updated(staged)),
        Err(e) => Err(updater.staged_failed(e)?.error),
    }
}

/// A staged update that could not be installed.
struct StagedFailure {
    version: Version,
    error: UpdateError,
    /// It is not there any more, and not taken again for a while.
    dropped: bool,
}

/// The part of an update that can be done while the application runs: what
/// is new is staged, and installed at the next start.
///
/// # Errors
/// [`UpdateError`]; what was installed still is.
pub fn run_behind(
    layout: &Layout,
    settings: &Settings,
    now: UnixTime,
    tell: &dyn Fn(Event),
) -> Result<Outcome, UpdateError> {
    let updater = Updater::new(layout, settings, now, tell)?;
    let checked = updater.check()?;
    updater.update_stub(&checked);
    let Choice::Update { version, .. } = &checked.choice else {
        return Ok(Outcome::UpToDate);
    };
    if !updater.has_staged(&checked, version) {
        log::info!("found version {version}");
        updater.stage(&checked, version)?;
    }
    Ok(Outcome::Deferred {
        version: version.clone(),
        instances: Vec::new(),
    })
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

fn repository(
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

fn check(
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

/// Does updates of one installed application. Only one per install dir at a
/// time: it holds the lock.
pub struct Updater<'a> {
    layout: &'a Layout,
    settings: &'a Settings,
    repository: Repository,
    now: UnixTime,
    rules: Rules,
    lock: Lock,
    tell: &'a dyn Fn(Event),
}

impl<'a> Updater<'a> {
    /// Takes the lock, at once or not at all, and completes a commit that was
    /// interrupted. `now` is the time of all expiry checks.
    ///
    /// # Errors
    /// [`UpdateError::Locked`] if another stub is updating; else what the
    /// file system said.
    pub fn new(
        layout: &'a Layout,
        settings: &'a Settings,
        now: UnixTime,
        tell: &'a dyn Fn(Event),
    ) -> Result<Self, UpdateError> {
        install::open_state(layout)?;
        fs::create_dir_all(&layout.metadata())?;
        let lock = Lock::exclusive(&layout.update_lock(), Duration::ZERO)?;
        let lock = lock.ok_or(UpdateError::Locked)?;
        install::recover(layout, &lock)?;
        fs::sweep(&layout.state())?;
        fs::sweep(&layout.metadata())?;
        let repository = repository(layout, settings, layout.metadata())?;
        match repository.settle_root(&mut || install::forget(layout, &lock)) {
            Err(e @ RepositoryError::Fs(_)) => return Err(e.into()),
            // Not every command needs one; a check will say the same.
            Err(e) => log::debug!("{e}"),
            Ok(_) => {}
        }
        Ok(Updater {
            repository,
            layout,
            settings,
            now,
            rules: Rules::host(),
            lock,
            tell,
        })
    }

    /// Installs an update that an earlier run staged. `None` if there is none.
    ///
    /// # Errors
    /// Only of the file system.
    pub fn install_staged(&self) -> Result<Option<Outcome>, UpdateError> {
        let staged = match Record::load_release(&self.layout.staged()) {
            Ok(staged) => staged,
            Err(RecordError::Fs(e)) => return Err(e.into()),
            Err(_) => None,
        };
        Ok(match (self.commit_staged()?, staged) {
            (Committed::Done(release), _) => Some(Outcome::Installed(release)),
            (Committed::Deferred(instances), Some(Release { version, .. })) => {
                Some(Outcome::Deferred { version, instances })
            }
            _ => None,
        })
    }

    /// Installs an update that an earlier run staged but could not commit. A
    /// damaged one is dropped.
    ///
    /// # Errors
    /// Only of the file system.
    pub fn commit_staged(&self) -> Result<Committed, UpdateError> {
        if !self.layout.staged().exists() {
            if self.layout.staging().exists() {
                // Something was interrupted before there was anything whole.
                install::discard(self.layout)?;
            }
            return Ok(Committed::Nothing);
        }
        let result = match Record::load_release(&self.layout.staged()) {
            Ok(None) => Ok(Committed::Nothing),
            Ok(Some(release)) if release.name != self.settings.name => Ok(Committed::Nothing),
            Ok(Some(_)) => match self.vouch_for_staged(self.stored_catalog().as_ref())? {
                Ok(vouched) => self.install(How {
                    recheck: true,
                    probation: true,
                    returning: vouched == Vouched::WayBack,
                    ..How::default()
                }),
                Err(e) => {
                    log::warn!("what is staged is not installed: {e}; dropping it");
                    Ok(Committed::Nothing)
                }
            },
            Err(e) => Err(e.into()),
        };
        match result {
            Ok(Committed::Nothing) => {
                install::discard(self.layout)?;
                Ok(Committed::Nothing)
            }
            Err(error @ (CommitError::Damaged { .. } | CommitError::Record(_))) => {
                log::warn!("{error}; dropping it");
                install::discard(self.layout)?;
                Ok(Committed::Nothing)
            }
            other => Ok(other?),
        }
    }

    /// What the stored metadata offers, as far as it is trusted still.
    fn stored_catalog(&self) -> Option<Catalog> {
        let stored = self.repository.stored_targets().unwrap_or_else(|e| {
            log::warn!("{e}");
            None
        });
        stored.map(|targets| Catalog::new(&self.settings.name, &targets.targets))
    }

    /// Whether what an earlier run staged may be installed, by the metadata
    /// that `catalog` is from. A record that cannot be used is an error when
    /// it is installed, not here.
    fn vouch_for_staged(
        &self,
        catalog: Option<&Catalog>,
    ) -> Result<Result<Vouched, Unvouched>, UpdateError> {
        let (app, staged) = (self.layout.app(), self.layout.staged());
        let (Ok(Some(record)), Some(hash)) = (
            Record::load(&staged, self.rules),
            install::record_hash(&staged)?,
        ) else {
            return Ok(Ok(Vouched::Listed));
        };
        let origin = Origin::load(self.layout);
        let release = Record::load_release(&app).unwrap_or_else(|e| {
            log::warn!("{e}; taking what is installed as unknown");
            None
        });
        let installed = release.filter(|release| release.name == self.settings.name);
        let installed_hash = install::record_hash(&app)?.unwrap_or_default();
        let installed = installed.as_ref().map(|release| InstalledBundle {
            version: &release.version,
            record: &installed_hash,
        });
        let staged = StagedBundle {
            version: &record.release.version,
            tree: record.manifest.tree_hash(),
            record: &hash,
            origin: origin.as_ref(),
        };
        Ok(vouch(staged, installed, catalog))
    }

    /// Whether exactly this version is staged already.
    fn has_staged(&self, checked: &Checked, version: &Version) -> bool {
        let staged = Record::load_release(&self.layout.staged());
        matches!(staged, Ok(Some(release)) if release.version == *version)
            && matches!(self.vouch_for_staged(Some(&checked.catalog)), Ok(Ok(_)))
    }

    /// Refreshes the trusted metadata and chooses the version to update to.
    ///
    /// # Errors
    /// [`UpdateError`].
    pub fn check(&self) -> Result<Checked, UpdateError> {
        check(&self.repository, self.layout, self.settings, self.now)
    }

    /// Downloads `version`, verifies it, and puts it together aside: by a
    /// chain of patches, or the full archive where that is better or the
    /// chain fails.
    ///
    /// # Errors
    /// [`UpdateError`], the one of the full archive if both ways fail.
    pub fn stage(&self, checked: &Checked, version: &Version) -> Result<Staged, UpdateError> {
        if let Some(newest) = &checked.newest
            && let Err(e) = BlockedVersions::tried_for(self.layout, version, newest)
        {
            log::warn!("{e}");
        }
        let result = self.stage_either_way(checked, version);
        if let Err(e) = &result
            && (e.is_for_good() || e.is_for_room())
            && let Err(e) = install::keep_downloads(self.layout, &[])
        {
            log::warn!("{e}");
        }
        let result = self.tidied(result);
        if let Err(e) = &result {
            let hash = checked.catalog.archives.get(version);
            let hash = hash.and_then(blocked::archive_hash);
            self.note_failure(version, hash, e, STAGE_ATTEMPTS);
        }
        result
    }

    /// Counts a failure, where that says anything of a next attempt, and
    /// tells whether the version is left alone for a while from now on.
    fn note_failure(
        &self,
        version: &Version,
        hash: Option<&str>,
        error: &UpdateError,
        attempts: u32,
    ) -> bool {
        if !error.counts() {
            return false;
        }
        let why = BlockedWhy::NotInstalled;
        let mut sure = false;
        let noted = BlockedVersions::add(self.layout, version, why, self.now, |entry| {
            let before = entry.count.saturating_sub(1);
            entry.attempts = entry.attempts.saturating_add(1);
            sure = error.is_for_good() || before > 0 || entry.attempts >= attempts;
            entry.sure = sure;
            if !sure {
                entry.count = before;
            }
            entry.updater = Some(self_update::version());
            if let Some(hash) = hash {
                entry.archive = Some(hash.to_owned());
            }
            let room = error
                .is_for_room()
                .then(|| attributes::room(self.layout.root()));
            entry.room = room.flatten();
            entry.reason = error.to_string();
        });
        if let Err(e) = noted {
            log::warn!("{e}");
        }
        sure
    }

    /// What is staged could not be installed: that is said and counted, and
    /// it is dropped where there is no hope for the next start.
    ///
    /// # Errors
    /// `error`, if nothing else can be done before that is mended.
    fn staged_failed(&self, error: UpdateError) -> Result<StagedFailure, UpdateError> {
        let staged = Record::load_release(&self.layout.staged()).ok().flatten();
        let Some(Release { version, .. }) = staged else {
            return Err(error);
        };
        if self.layout.journal().exists() || !error.counts() {
            return Err(error);
        }
        let dropped = self.note_failure(&version, None, &error, COMMIT_ATTEMPTS);
        let then = match dropped {
            true => "dropping it",
            false => "trying again at the next start",
        };
        log::error!("version {version} cannot be installed: {error}; {then}");
        if dropped || error.is_for_room() {
            install::discard(self.layout)?;
        }
        match error.is_for_room() {
            true => Err(error),
            false => Ok(StagedFailure {
                version,
                error,
                dropped,
            }),
        }
    }

    /// As [`Updater::install_staged`]; a failure is counted, too.
    ///
    /// # Errors
    /// [`UpdateError`]; what was installed still is.
    pub fn install_staged_or_drop(&self) -> Result<Option<Outcome>, UpdateError> {
        match self.install_staged() {
            Err(e) => Err(self.staged_failed(e)?.error),
            result => result,
        }
    }

    /// Compares what an update takes at the least with the room there is.
    /// `files` are downloaded, or partly so, already.
    fn check_room(
        &self,
        version: &Version,
        downloads: u64,
        files: &[PathBuf],
        tree: u64,
    ) -> Result<(), UpdateError> {
        let folder = self.layout.state();
        let Some(free) = attributes::room(&folder) else {
            return Ok(());
        };
        let mut there = 0;
        for file in files {
            there += fs::size(file)?;
        }
        let needed = downloads.saturating_sub(there).saturating_add(tree);
        match needed > free {
            true => Err(UpdateError::NoRoom {
                version: version.clone(),
                needed,
                free,
                folder,
            }),
            false => Ok(()),
        }
    }

    /// The bytes that the new bundle takes at the least, besides what it has
    /// in common with the installed one where files can have two names.
    /// `installed` is the size of that one.
    fn tree_room(&self, checked: &Checked, version: &Version, installed: Option<u64>) -> u64 {
        let patch = checked.catalog.patches.get(version);
        let archive = &checked.catalog.archives[version];
        let tar = || PatchCustom::of(&patch?.file.custom.value()).tar;
        let unpacked = ArchiveCustom::of(&archive.file.custom.value())
            .size
            .or_else(|| tar().map(|tar| tar.size));
        match attributes::has_hard_links(&self.layout.state()) {
            true => unpacked
                .zip(installed)
                .map_or(0, |(new, old)| new.saturating_sub(old)),
            false => unpacked.or(installed).unwrap_or(archive.file.length),
        }
    }

    /// Leaves nothing half done behind.
    fn tidied<T>(&self, result: Result<T, UpdateError>) -> Result<T, UpdateError> {
        if result.is_err()
            && let Err(e) = install::discard(self.layout)
        {
            log::warn!("{e}");
        }
        result
    }

    fn stage_either_way(
        &self,
        checked: &Checked,
        version: &Version,
    ) -> Result<Staged, UpdateError> {
        let needed = &checked.catalog.archives[version].stub;
        if let Some(needed) = needed
            .as_ref()
            .filter(|needed| **needed > self_update::version())
        {
            return Err(UpdateError::StubTooOld {
                version: version.clone(),
                needed: needed.clone(),
            });
        }
        let record = self.installed_record(checked);
        let base = record
            .as_ref()
            .map(|record| (&record.release.version, record.manifest.tree_hash()));
        match update_plan::plan(&checked.catalog, base, version) {
            Plan::Chain(patches) => {
                let record = record.expect("a chain starts from what is installed");
                match self.stage_chain(checked, version, record.manifest, &patches) {
                    Ok(staged) => return Ok(staged),
                    // The archive takes no less room, and makes the same tree.
                    Err(e) if e.is_for_good() || e.is_for_room() => return Err(e),
                    Err(e) => log::warn!("{e}; taking the full archive instead"),
                }
            }
            Plan::Full(why) => log::info!("taking the full archive: {why}"),
        }
        self.stage_full(checked, version)
    }

    fn installed_record(&self, checked: &Checked) -> Option<Record> {
        checked.installed.as_ref()?;
        Record::load(&self.layout.app(), self.rules).unwrap_or_else(|e| {
            log::warn!("{e}");
            None
        })
    }

    fn stage_chain(
        &self,
        checked: &Checked,
        version: &Version,
        installed: Manifest,
        patches: &[&Patch],
    ) -> Result<Staged, UpdateError> {
        install::prepare(self.layout)?;
        let size = patches.iter().map(|patch| patch.file.length).sum();
        self.found(checked, version, size);
        let numbered = patches.iter().enumerate();
        let files: Vec<PathBuf> = numbered
            .map(|(index, patch)| self.partial(&patch.file, index))
            .collect();
        install::keep_downloads(self.layout, &files)?;
        let tree = self.tree_room(checked, version, Some(installed.totals().1));
        self.check_room(version, size, &files, tree)?;
        let mut before = 0;
        for (patch, file) in patches.iter().zip(&files) {
            self.download(checked, &patch.path, &patch.file, file, before)?;
            before += patch.file.length;
        }
        let total = installed.totals().1;
        let mut done = 0;
        let mut observer = |bytes: u64| {
            done += bytes;
            (self.tell)(Event::Assembled { done, total });
            true
        };
        let last = patches.last().map_or("", |patch| patch.path.as_str());
        let free = |path: &str| self.settings.preserves(path);
        let mut tree = Scattered::installed(&self.layout.app(), installed).with_free(&free);
        for (index, patch) in patches.iter().enumerate() {
            let failed = |source| failed_patch(&patch.path, source);
            let work = self.layout.work().join(index.to_string());
            fs::create_dir_all(&work)?;
            let expected = patch.tree.expect("only such patches are planned");
            tree = tree
                .apply(&files[index], expected, &work, self.rules, &mut observer)
                .map_err(failed)?;
        }
        let manifest = tree
            .gather(&self.layout.staged(), &mut observer)
            .map_err(|source| failed_patch(last, source))?;
        self.seal(checked, version, manifest)?;
        Ok(Staged {
            version: version.clone(),
            patches: patches.len(),
            bytes: size,
        })
    }

    fn stage_full(&self, checked: &Checked, version: &Version) -> Result<Staged, UpdateError> {
        let archive: &Archive = &checked.catalog.archives[version];
        install::prepare(self.layout)?;
        self.found(checked, version, archive.file.length);
        let file = self.partial(&archive.file, 0);
        let files = std::slice::from_ref(&file);
        install::keep_downloads(self.layout, files)?;
        let installed = self.installed_record(checked);
        let installed = installed.map(|record| record.manifest.totals().1);
        let tree = self.tree_room(checked, version, installed);
        self.check_room(version, archive.file.length, files, tree)?;
        self.download(checked, &archive.path, &archive.file, &file, 0)?;
        // The unpacked size is not known; bundles shrink to about a third.
        let total = archive.file.length.saturating_mul(3);
        let mut done = 0;
        let mut observer = |bytes: u64| {
            done += bytes;
            (self.tell)(Event::Assembled { done, total });
            true
        };
        let manifest = unpack::unpack(
            fs::open(&file)?,
            &self.layout.staged(),
            Some(&self.layout.app()),
            self.rules,
            &mut observer,
        )
        .map_err(|source| match source {
            ArchiveError::Fs(e) => UpdateError::Fs(e),
            source => UpdateError::Archive {
                path: archive.path.clone(),
                source,
            },
        })?;
        let found = manifest.tree_hash();
        if let Some(expected) = archive.tree.filter(|&expected| expected != found) {
            return Err(UpdateError::WrongTree {
                path: archive.path.clone(),
                found,
                expected,
            });
        }
        self.seal(checked, version, manifest)?;
        Ok(Staged {
            version: version.clone(),
            patches: 0,
            bytes: archive.file.length,
        })
    }

    fn seal(
        &self,
        checked: &Checked,
        version: &Version,
        manifest: Manifest,
    ) -> Result<(), UpdateError> {
        let executable = &self.settings.executable;
        // A release that cannot be started must not replace one that can.
        if !manifest.entries.contains_key(executable) {
            return Err(UpdateError::NoExecutable {
                version: version.clone(),
                executable: executable.clone(),
            });
        }
        if nested_stub::is_in(&self.layout.staged(), self.settings) {
            return Err(UpdateError::NestedStub {
                version: version.clone(),
            });
        }
        debug_assert!(!manifest.entries.contains_key(RECORD));
        // An update is not to fail for what it says of itself.
        if let Err(e) = release_notes::keep(self.layout, &checked.notes(version)) {
            log::warn!("{e}");
        }
        let release = Release {
            name: self.settings.name.clone(),
            version: version.clone(),
        };
        let record = Record { release, manifest };
        self.note_origin(checked, &record)?;
        install::seal(self.layout, &record)?;
        Ok(())
    }

    /// A later run can check a bundle by its signed tree hash. Where there is
    /// none, it has to know of which target this is.
    fn note_origin(&self, checked: &Checked, record: &Record) -> Result<(), UpdateError> {
        let (catalog, version) = (&checked.catalog, &record.release.version);
        if catalog.signs_tree(version, record.manifest.tree_hash()) {
            return Ok(());
        }
        let archive = &catalog.archives[version];
        if let Some((algorithm, hash)) = archive.file.hashes.iter().next() {
            let why = Why::Target {
                path: archive.path.clone(),
                algorithm: algorithm.to_owned(),
                hash: hash.to_owned(),
            };
            let record = sha256_hex(record.to_text().as_bytes());
            Origin { record, why }.store(self.layout)?;
        }
        Ok(())
    }

    fn found(&self, checked: &Checked, version: &Version, size: u64) {
        let settings = &self.settings;
        (self.tell)(Event::Found {
            name: settings.title.as_ref().unwrap_or(&settings.name).clone(),
            version: version.to_string(),
            size,
            notes: checked.catalog.archives[version].notes.clone(),
        });
    }

    /// Where a target is downloaded to: named for its content, so that an
    /// interrupted download is found again, and nothing else is.
    fn partial(&self, target: &TargetFile, index: usize) -> PathBuf {
        let hash = target.hashes.values().next().unwrap_or_default();
        let name = match hash.get(..32) {
            Some(name) if name.bytes().all(|c| c.is_ascii_hexdigit()) => name.to_owned(),
            _ => format!("{index}-{}", target.length),
        };
        self.layout.downloads().join(name)
    }

    /// Fetches one target. `before` bytes of the same update were downloaded
    /// earlier.
    fn download(
        &self,
        checked: &Checked,
        path: &str,
        target: &TargetFile,
        to: &Path,
        before: u64,
    ) -> Result<(), UpdateError> {
        let consistent = checked.consistent_snapshot;
        self.repository
            .download(path, target, consistent, to, &mut |received| {
                (self.tell)(Event::Downloaded(before + received));
            })?;
        Ok(())
    }

    /// Installs the update that [`Updater::stage`] has just staged.
    ///
    /// # Errors
    /// [`UpdateError::Commit`]; what was installed still is.
    pub fn commit(&self) -> Result<Committed, UpdateError> {
        Ok(self.install(How {
            probation: true,
            ..How::default()
        })?)
    }

    /// As the settings want it, and as far as they want a probation.
    fn install(&self, how: How) -> Result<Committed, CommitError> {
        let how = How {
            purge: self.settings.purge,
            probation: how.probation && self.settings.probation().is_some(),
            preserve: Some(&|path| self.settings.preserves(path)),
            ..how
        };
        (self.tell)(Event::Committing);
        let result = install::commit(self.layout, &self.lock, how)?;
        if let Committed::Done(release) = &result {
            // What could not be installed before can, or is outdated.
            let over = |entry: &blocked::Blocked| {
                entry.why == BlockedWhy::NotInstalled && entry.version <= release.version
            };
            BlockedVersions::remove(self.layout, over).unwrap_or_else(|e| log::warn!("{e}"));
        }
        Ok(result)
    }

    /// Replaces this program by a newer version of it, if there is one. Never
    /// fails: this one works.
    pub fn update_stub(&self, checked: &Checked) {
        let Some((version, archive)) = &checked.stub else {
            return;
        };
        let failed = plain_file::read(&self.layout.failed_stub(), 256).unwrap_or_default();
        if failed.is_some_and(|failed| failed == version.to_string().as_bytes()) {
            return;
        }
        match self.replace_stub(checked, version, archive) {
            Ok(()) => log::info!("updated the updater to version {version}"),
            Err(e) => {
                log::warn!(
                    "the updater stays at version {}: {e}",
                    self_update::version()
                );
                if matches!(e, UpdateError::Own { .. }) {
                    // Once is enough, until there is another.
                    let noted = version.to_string();
                    let noted = fs::write_atomically(&self.layout.failed_stub(), noted.as_bytes());
                    noted.unwrap_or_else(|e| log::warn!("{e}"));
                }
            }
        }
        install::tidy(self.layout).unwrap_or_else(|e| log::warn!("{e}"));
    }

    fn replace_stub(
        &self,
        checked: &Checked,
        version: &Version,
        archive: &Archive,
    ) -> Result<(), UpdateError> {
        // It may be the cause of trouble with the application's update, so it
        // does not share its folders.
        let file = self.layout.downloads().join("stub");
        fs::create_dir_all(&self.layout.downloads())?;
        let consistent = checked.consistent_snapshot;
        self.repository
            .download(&archive.path, &archive.file, consistent, &file, &mut |_| {})?;
        let result = self_update::replace(self.layout, fs::open(&file)?, version);
        fs::remove_file(&file)?;
        result.map_err(|source| UpdateError::Own {
            path: archive.path.clone(),
            source,
        })
    }

    /// Goes back to the version before, and does not install this one again
    /// for a while: as it failed with `from`, if that still is installed (else
    /// another instance has gone back already, and the outcome is
    /// [`Outcome::UpToDate`]), and as the user wants it without.
    ///
    /// # Errors
    /// [`UpdateError`]; what was installed still is.
    pub fn roll_back(&self, from: Option<&Version>) -> Result<Outcome, UpdateError> {
        let installed = Record::load_release(&self.layout.app())?;
        if let (Some(from), Some(installed)) = (from, &installed)
            && installed.version != *from
        {
            return Ok(Outcome::UpToDate);
        }
        let previous = Record::load_release(&self.layout.previous())?;
        let previous = previous.ok_or(UpdateError::NoPrevious)?.version;
        let blocked = BlockedVersions::load(self.layout);
        if blocked.find(&previous, BlockedWhy::Failed).is_some() {
            return Err(UpdateError::PreviousFailed(previous));
        }
        if let Some(installed) = installed {
            let why = match from {
                Some(_) => BlockedWhy::Failed,
                None => BlockedWhy::RolledBack,
            };
            let fill = |entry: &mut blocked::Blocked| entry.updater = Some(self_update::version());
            BlockedVersions::add(self.layout, &installed.version, why, self.now, fill)?;
        }
        self.exchange_with(previous)
    }

    /// Goes forward again from `from`, if that still is installed, to the
    /// version that was there before, which did not fail after all.
    ///
    /// # Errors
    /// [`UpdateError`]; what was installed still is.
    pub fn reinstate(&self, from: &Version) -> Result<Outcome, UpdateError> {
        let installed = Record::load_release(&self.layout.app())?;
        if installed.is_none_or(|installed| installed.version != *from) {
            return Ok(Outcome::UpToDate);
        }
        let previous = Record::load_release(&self.layout.previous())?;
        self.exchange_with(previous.ok_or(UpdateError::NoPrevious)?.version)
    }

    fn exchange_with(&self, previous: Version) -> Result<Outcome, UpdateError> {
        BlockedVersions::remove(self.layout, |entry| entry.version == previous)?;
        let preserve = |path: &str| self.settings.preserves(path);
        match install::roll_back(self.layout, &self.lock, &preserve)? {
            Committed::Done(release) => Ok(Outcome::Installed(release)),
            Committed::Deferred(instances) => Ok(Outcome::Deferred {
                version: previous,
                instances,
            }),
            Committed::Nothing => Err(UpdateError::NoPrevious),
        }
    }

    /// Compares what is installed with its record, and installs the same
    /// version again if files are missing or changed. Files that users may
    /// change, and the application's own, stay.
    ///
    /// # Errors
    /// [`UpdateError`]; what was installed still is.
    pub fn repair(&self) -> Result<Repaired, UpdateError> {
        let record = Record::load(&self.layout.app(), self.rules)?;
        let record = record.ok_or(UpdateError::NoRecord)?;
        let free = |path: &str| self.settings.preserves(path);
        // These take no download.
        let modes = install::restore_modes(&self.layout.app(), &record, &free)?;
        for path in &modes {
            log::warn!("{path:?} had other permissions than it was installed with");
        }
        let mut damaged = install::check_files(&self.layout.app(), &record, &free)?;
        for path in &damaged {
            log::warn!("{path:?} is missing or not as it was installed");
        }
        let only_modes = damaged.is_empty();
        let both: BTreeSet<String> = damaged.into_iter().chain(modes).collect();
        damaged = both.into_iter().collect();
        if only_modes {
            let outcome = match damaged.is_empty() {
                true => Outcome::UpToDate,
                false => Outcome::Installed(record.release),
            };
            return Ok(Repaired { damaged, outcome });
        }
        let checked = self.check()?;
        let version = record.release.version;
        let offered = checked.catalog.archives.contains_key(&version);
        if !offered || record.release.name != self.settings.name {
            return Err(UpdateError::NotOffered(version));
        }
        let result = self.stage_full(&checked, &version);
        let staged = self.tidied(result)?;
        let outcome = match self.install(How::default())? {
            Committed::Deferred(instances) => Outcome::Deferred { version, instances },
            _ => Outcome::Updated(staged),
        };
        Ok(Repaired { damaged, outcome })
    }
}

/// What [`Updater::repair`] found and did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Repaired {
    /// Paths that were missing or changed.
    pub damaged: Vec<String>,
    /// [`Outcome::UpToDate`] if there was nothing to do.
    pub outcome: Outcome,
}

fn failed_patch(path: &str, source: PatchError) -> UpdateError {
    match source {
        PatchError::Fs(e) => UpdateError::Fs(e),
        source => UpdateError::Patch {
            path: path.into(),
            source,
        },
    }
}
