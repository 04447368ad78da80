//! Puts an update together in the staging area, by patches or from the archive.

use crate::bundle::patch::TreeOverlay;
use crate::bundle::path_rules::RECORD;
use crate::bundle::unpack::{ArchiveError, UnpackOptions, unpack};
use crate::bundle::{Manifest, TreeHash};
use crate::catalog::{Archive, Patch};
use crate::fs::attributes;
use crate::hex::sha256_hex;
use crate::install::{BlockedVersions, Record, Release, release_notes, shipped_folder};
use crate::policy::blocked::BlockedWhy;
use crate::policy::staged_origin::{Origin, Why};
use crate::policy::update_plan::Plan;
use crate::policy::{blocked, update_plan};
use crate::progress::Event;
use crate::repository::Download;
use crate::tuf::TargetFile;
use crate::update::check::UpdateCheck;
use crate::update::error::{UpdateError, failed_patch};
use crate::update::outcome::Staged;
use crate::update::session::Updater;
use crate::{fs, install, stub_version};
use pep440_rs::Version;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// How often an update is put together, or put in place, in vain before it is
/// left alone for a while: what went wrong may be over at the next start.
const STAGE_ATTEMPTS: u32 = 2;

/// How many characters of what went wrong are remembered: an error may name a
/// path that is as long as its maker liked.
const MAX_REASON: usize = 300;

impl<'a> Updater<'a> {
    /// Downloads `version`, verifies it, and puts it together aside: by the
    /// patches that take the fewest bytes, or the full archive where that is
    /// better or the patches fail.
    ///
    /// # Errors
    /// [`UpdateError`], the one of the full archive if both ways fail.
    pub fn stage(&self, checked: &UpdateCheck, version: &Version) -> Result<Staged, UpdateError> {
        if let Some(newest) = &checked.newest
            && let Err(e) = BlockedVersions::tried_for(self.layout, version, newest)
        {
            log::warn!("{e}");
        }
        let result = self.stage_either_way(checked, version);
        if let Err(e) = &result
            && (e.is_for_good() || e.is_for_room())
            && let Err(e) = install::prune_downloads(self.layout, &[])
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
    pub(super) fn note_failure(
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
            entry.updater = Some(stub_version::version());
            if let Some(hash) = hash {
                entry.archive = Some(hash.to_owned());
            }
            let room = error
                .is_for_room()
                .then(|| attributes::room(self.layout.root()));
            entry.room = room.flatten();
            entry.reason = error.to_string().chars().take(MAX_REASON).collect();
        });
        if let Err(e) = noted {
            log::warn!("{e}");
        }
        sure
    }

    /// Leaves nothing half done behind.
    pub(super) fn tidied<T>(&self, result: Result<T, UpdateError>) -> Result<T, UpdateError> {
        if result.is_err()
            && let Err(e) = install::discard(self.layout)
        {
            log::warn!("{e}");
        }
        result
    }

    fn stage_either_way(
        &self,
        checked: &UpdateCheck,
        version: &Version,
    ) -> Result<Staged, UpdateError> {
        install::check_place(self.layout)?;
        let needed = &checked.catalog.archives[version].stub;
        if let Some(needed) = needed
            .as_ref()
            .filter(|needed| **needed > stub_version::version())
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
            Plan::Patches {
                patches,
                bytes,
                why,
            } => {
                let count = patches.len();
                log::debug!("going by patches ({count}, {bytes} bytes in all): {why}");
                let record = record.expect("patches start from what is installed");
                match self.stage_patches(checked, version, record.manifest, &patches) {
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

    fn installed_record(&self, checked: &UpdateCheck) -> Option<Record> {
        checked.installed.as_ref()?;
        Record::load(&self.layout.app(), self.rules).unwrap_or_else(|e| {
            log::warn!("{e}");
            None
        })
    }

    fn stage_patches(
        &self,
        checked: &UpdateCheck,
        version: &Version,
        installed: Manifest,
        patches: &[&Patch],
    ) -> Result<Staged, UpdateError> {
        install::reset_staging(self.layout)?;
        let numbered = patches.iter().enumerate();
        let files: Vec<PathBuf> = numbered
            .map(|(index, patch)| self.partial(&patch.file, index))
            .collect();
        // Two small changes may come to the same patch, which is fetched once.
        let wanted: BTreeMap<&Path, &Patch> =
            std::iter::zip(files.iter().map(PathBuf::as_path), patches.iter().copied()).collect();
        let size = wanted.values().map(|patch| patch.file.length).sum();
        self.found(checked, version, size);
        install::prune_downloads(self.layout, &files)?;
        let tree = self.tree_room(checked, version, Some(installed.totals().1));
        self.check_room(version, size, &files, tree)?;
        self.download_patches(checked, &wanted)?;
        let total = installed.totals().1;
        let mut done = 0;
        let mut observer = |bytes: u64| {
            done += bytes;
            (self.tell)(Event::Assembled { done, total });
            true
        };
        let last = patches.last().map_or("", |patch| patch.path.as_str());
        let free = |path: &str| self.settings.preserves(path);
        let mut tree = TreeOverlay::installed(&self.layout.app(), installed).allow_modified(&free);
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
        // The last patch was applied only if it came to this.
        let signed = patches.last().and_then(|patch| patch.tree);
        let tree = signed.unwrap_or_else(|| manifest.tree_hash());
        self.seal(checked, version, manifest, tree)?;
        Ok(Staged {
            version: version.clone(),
            patches: patches.len(),
            bytes: size,
        })
    }

    pub(super) fn stage_full(
        &self,
        checked: &UpdateCheck,
        version: &Version,
    ) -> Result<Staged, UpdateError> {
        let archive: &Archive = &checked.catalog.archives[version];
        install::reset_staging(self.layout)?;
        self.found(checked, version, archive.file.length);
        let file = self.partial(&archive.file, 0);
        let files = std::slice::from_ref(&file);
        install::prune_downloads(self.layout, files)?;
        let installed = self.installed_record(checked);
        let installed = installed.map(|record| record.manifest.totals().1);
        let tree = self.tree_room(checked, version, installed);
        self.check_room(version, archive.file.length, files, tree)?;
        self.download(checked, &archive.path, &archive.file, &file)?;
        // The unpacked size is not known; bundles shrink to about a third.
        let total = archive.file.length.saturating_mul(3);
        let mut done = 0;
        let mut observer = |bytes: u64| {
            done += bytes;
            (self.tell)(Event::Assembled { done, total });
            true
        };
        let options = UnpackOptions {
            reuse_from: Some(&self.layout.app()),
            rules: self.rules,
            observer: Some(&mut observer),
        };
        let manifest = unpack(fs::open(&file)?, &self.layout.staged(), options).map_err(
            |source| match source {
                ArchiveError::Fs(e) => UpdateError::Fs(e),
                source => UpdateError::Archive {
                    path: archive.path.clone(),
                    source,
                },
            },
        )?;
        let found = manifest.tree_hash();
        if let Some(expected) = archive.tree.filter(|&expected| expected != found) {
            return Err(UpdateError::WrongTree {
                path: archive.path.clone(),
                found,
                expected,
            });
        }
        self.seal(checked, version, manifest, found)?;
        Ok(Staged {
            version: version.clone(),
            patches: 0,
            bytes: archive.file.length,
        })
    }

    fn seal(
        &self,
        checked: &UpdateCheck,
        version: &Version,
        manifest: Manifest,
        tree: TreeHash,
    ) -> Result<(), UpdateError> {
        let executable = &self.settings.executable;
        // A release that cannot be started must not replace one that can.
        if !manifest.entries.contains_key(executable) {
            return Err(UpdateError::NoExecutable {
                version: version.clone(),
                executable: executable.clone(),
            });
        }
        if shipped_folder::is_in(&self.layout.staged(), self.settings) {
            return Err(UpdateError::NestedStub {
                version: version.clone(),
            });
        }
        debug_assert!(!manifest.entries.contains_key(RECORD));
        // Notes are only shown: failing to store them must not fail the update.
        if let Err(e) = release_notes::keep(self.layout, &checked.notes(version)) {
            log::warn!("{e}");
        }
        let release = Release {
            name: self.settings.name.clone(),
            version: version.clone(),
        };
        let record = Record { release, manifest };
        self.note_origin(checked, &record, tree)?;
        install::seal(self.layout, &record)?;
        Ok(())
    }

    /// A later run can check a bundle by its signed tree hash. Where there is
    /// none, it has to know of which target this is.
    fn note_origin(
        &self,
        checked: &UpdateCheck,
        record: &Record,
        tree: TreeHash,
    ) -> Result<(), UpdateError> {
        let (catalog, version) = (&checked.catalog, &record.release.version);
        if catalog.signs_tree(version, tree) {
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

    pub(super) fn found(&self, checked: &UpdateCheck, version: &Version, size: u64) {
        let settings = &self.settings;
        (self.tell)(Event::Found {
            name: settings.title.as_ref().unwrap_or(&settings.name).clone(),
            version: version.to_string(),
            size,
            notes: checked.catalog.archives[version].notes.clone(),
        });
    }

    /// Returns where a target is downloaded to: named for its content, so that
    /// an interrupted download is found again, and nothing else is.
    fn partial(&self, target: &TargetFile, index: usize) -> PathBuf {
        let hash = target.hashes.values().next().unwrap_or_default();
        let name = match hash.get(..32) {
            Some(name) if name.bytes().all(|c| c.is_ascii_hexdigit()) => name.to_owned(),
            _ => format!("{index}-{}", target.length),
        };
        self.layout.downloads().join(name)
    }

    /// Fetches the patches, some of them at once.
    fn download_patches(
        &self,
        checked: &UpdateCheck,
        wanted: &BTreeMap<&Path, &Patch>,
    ) -> Result<(), UpdateError> {
        let wanted = wanted.iter().map(|(file, patch)| Download {
            path: &patch.path,
            target: &patch.file,
            to: file,
        });
        let wanted: Vec<Download> = wanted.collect();
        let consistent = checked.consistent_snapshot;
        let tell = &mut |received| (self.tell)(Event::Downloaded(received));
        Ok(self.repository.download_all(&wanted, consistent, tell)?)
    }

    /// Fetches one target.
    pub(super) fn download(
        &self,
        checked: &UpdateCheck,
        path: &str,
        target: &TargetFile,
        to: &Path,
    ) -> Result<(), UpdateError> {
        let consistent = checked.consistent_snapshot;
        self.repository
            .download(path, target, consistent, to, &mut |received| {
                (self.tell)(Event::Downloaded(received));
            })?;
        Ok(())
    }
}
