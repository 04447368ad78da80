//! One update from check to commit: the modules put together.

use crate::bundle::archive::{self, ArchiveError};
use crate::bundle::patch::{PatchError, Scattered};
use crate::bundle::rules::RECORD;
use crate::bundle::{Manifest, Rules, TreeHash};
use crate::error::Class;
use crate::fs::{self, FsError};
use crate::http::Http;
use crate::install::{self, CommitError, Committed, Layout, Lock, Record, RecordError, Release};
use crate::plan::{self, Plan};
use crate::report::{self, Event};
use crate::repository::{Repository, RepositoryError};
use crate::select::{self, Archive, Catalog, Choice, Patch};
use crate::settings::Settings;
use crate::tuf::{TargetFile, UnixTime};
use pep440_rs::Version;
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
    /// A record could not be read.
    #[error(transparent)]
    Record(#[from] RecordError),
    /// The commit failed.
    #[error(transparent)]
    Commit(#[from] CommitError),
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
            UpdateError::WrongTree { .. } | UpdateError::NoExecutable { .. } => Class::Refused,
            UpdateError::Fs(_)
            | UpdateError::Record(_)
            | UpdateError::Commit(_)
            | UpdateError::Locked => Class::Local,
        }
    }
}

/// What a check found.
#[derive(Debug)]
pub struct Checked {
    /// What is installed, where that is recorded.
    pub installed: Option<Release>,
    /// What the repository offers.
    pub catalog: Catalog,
    /// What to update to.
    pub choice: Choice,
    consistent_snapshot: bool,
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
                let size = report::bytes(staged.bytes);
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
    let updater = Updater::new(layout, settings, now, tell)?;
    let deferred = |version, instances| Ok(Outcome::Deferred { version, instances });
    match updater.commit_staged()? {
        Committed::Done(release) => return Ok(Outcome::Installed(release)),
        Committed::Deferred(instances) => {
            let staged = Record::load_release(&layout.staged())?;
            if let Some(staged) = staged {
                return deferred(staged.version, instances);
            }
        }
        Committed::Nothing => {}
    }
    let checked = updater.check()?;
    let Choice::Update { version, required } = &checked.choice else {
        return Ok(Outcome::UpToDate);
    };
    log::info!(
        "found {}version {version}",
        if *required { "the required " } else { "" }
    );
    let staged = updater.stage(&checked, version)?;
    match updater.commit()? {
        Committed::Deferred(instances) => deferred(version.clone(), instances),
        _ => Ok(Outcome::Updated(staged)),
    }
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
        fs::create_dir_all(&layout.metadata())?;
        let lock = Lock::exclusive(&layout.update_lock(), Duration::ZERO)?;
        let lock = lock.ok_or(UpdateError::Locked)?;
        install::recover(layout, &lock)?;
        Ok(Updater {
            repository: Repository {
                metadata: layout.metadata(),
                shipped_root: layout.shipped_root(),
                metadata_url: settings.metadata_url.clone(),
                targets_url: settings.targets_url.clone(),
                http: Http::new(settings.stall()),
            },
            layout,
            settings,
            now,
            rules: Rules::host(),
            lock,
            tell,
        })
    }

    /// Installs an update that an earlier run staged but could not commit. A
    /// damaged one is dropped.
    ///
    /// # Errors
    /// Only of the file system.
    pub fn commit_staged(&self) -> Result<Committed, UpdateError> {
        if !self.layout.staged().exists() {
            return Ok(Committed::Nothing);
        }
        let result = match Record::load_release(&self.layout.staged()) {
            Ok(None) => Ok(Committed::Nothing),
            Ok(Some(release)) if release.name != self.settings.name => Ok(Committed::Nothing),
            Ok(Some(_)) => {
                (self.tell)(Event::Committing);
                install::commit(self.layout, &self.lock, self.settings.purge, true)
            }
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

    /// Refreshes the trusted metadata and chooses the version to update to.
    ///
    /// # Errors
    /// [`UpdateError`].
    pub fn check(&self) -> Result<Checked, UpdateError> {
        let installed = match Record::load_release(&self.layout.app()) {
            Ok(release) => release.filter(|release| {
                let same = release.name == self.settings.name;
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
        let refresh = self.repository.refresh(self.now)?;
        let trusted = refresh.trusted();
        let targets = trusted.targets("targets").expect("refreshed");
        let catalog = Catalog::new(&self.settings.name, &targets.targets);
        let version = installed.as_ref().map(|release| &release.version);
        let choice = select::choose(&catalog, version, self.settings.channel);
        Ok(Checked {
            choice,
            catalog,
            consistent_snapshot: trusted.root().consistent_snapshot,
            installed,
        })
    }

    /// Downloads `version`, verifies it, and puts it together aside: by a
    /// chain of patches, or the full archive where that is better or the
    /// chain fails.
    ///
    /// # Errors
    /// [`UpdateError`], the one of the full archive if both ways fail.
    pub fn stage(&self, checked: &Checked, version: &Version) -> Result<Staged, UpdateError> {
        let result = self.stage_either_way(checked, version);
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
        let record = self.installed_record(checked);
        let base = record
            .as_ref()
            .map(|record| (&record.release.version, record.manifest.tree_hash()));
        match plan::plan(&checked.catalog, base, version) {
            Plan::Chain(patches) => {
                let record = record.expect("a chain starts from what is installed");
                match self.stage_chain(checked, version, record.manifest, &patches) {
                    Ok(staged) => return Ok(staged),
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
        self.found(version, size);
        let numbered = patches.iter().enumerate();
        let files: Vec<PathBuf> = numbered
            .map(|(index, patch)| self.partial(&patch.file, index))
            .collect();
        install::keep_downloads(self.layout, &files)?;
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
        let mut tree = Scattered::installed(&self.layout.app(), installed);
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
        self.seal(version, manifest)?;
        Ok(Staged {
            version: version.clone(),
            patches: patches.len(),
            bytes: size,
        })
    }

    fn stage_full(&self, checked: &Checked, version: &Version) -> Result<Staged, UpdateError> {
        let archive: &Archive = &checked.catalog.archives[version];
        install::prepare(self.layout)?;
        self.found(version, archive.file.length);
        let file = self.partial(&archive.file, 0);
        install::keep_downloads(self.layout, std::slice::from_ref(&file))?;
        self.download(checked, &archive.path, &archive.file, &file, 0)?;
        // The unpacked size is not known; bundles shrink to about a third.
        let total = archive.file.length.saturating_mul(3);
        let mut done = 0;
        let mut observer = |bytes: u64| {
            done += bytes;
            (self.tell)(Event::Assembled { done, total });
            true
        };
        let manifest = archive::unpack(
            fs::open(&file)?,
            &self.layout.staged(),
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
        self.seal(version, manifest)?;
        Ok(Staged {
            version: version.clone(),
            patches: 0,
            bytes: archive.file.length,
        })
    }

    fn seal(&self, version: &Version, manifest: Manifest) -> Result<(), UpdateError> {
        let executable = &self.settings.executable;
        // A release that cannot be started must not replace one that can.
        if !manifest.entries.contains_key(executable) {
            return Err(UpdateError::NoExecutable {
                version: version.clone(),
                executable: executable.clone(),
            });
        }
        debug_assert!(!manifest.entries.contains_key(RECORD));
        let release = Release {
            name: self.settings.name.clone(),
            version: version.clone(),
        };
        install::seal(self.layout, &Record { release, manifest })?;
        Ok(())
    }

    fn found(&self, version: &Version, size: u64) {
        (self.tell)(Event::Found {
            name: self.settings.name.clone(),
            version: version.to_string(),
            size,
        });
    }

    /// Where a target is downloaded to: named for its content, so that an
    /// interrupted download is found again, and nothing else is.
    fn partial(&self, target: &TargetFile, index: usize) -> PathBuf {
        let hash = target.hashes.values().next().map_or("", String::as_str);
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
        (self.tell)(Event::Committing);
        let purge = self.settings.purge;
        Ok(install::commit(self.layout, &self.lock, purge, false)?)
    }
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
