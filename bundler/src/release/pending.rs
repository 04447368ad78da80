//! Keeps the list of what will be published, and the files that wait for it.

use super::error::ReleaseError;
use super::numbers::Line;
use super::rebase;
use super::target_entry::{is_listed_as, stored_name};
use super::target_list::{self, Gone};
use crate::metadata::{Published, archives_of, limits};
use crate::project::Project;
use notsotuf_stub::catalog::custom::ArchiveCustom;
use notsotuf_stub::catalog::{TargetKind, TargetName};
use notsotuf_stub::fs::{self, FsError};
use pep440_rs::Version;
use serde_json::{Map, Value};
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

/// Holds what will be published: all targets, and the files of those that are
/// new.
pub(crate) struct PendingTargets<'a> {
    project: &'a Project,
    /// Archives that are published.
    published: BTreeSet<(String, Version)>,
    /// Target entries by path, as targets metadata lists them.
    pub entries: Map<String, Value>,
    /// Those that are published.
    base: Map<String, Value>,
    /// Whether targets are stored under names with their hashes.
    consistent: bool,
}

impl<'a> PendingTargets<'a> {
    /// Opens what is prepared, or starts from what is published.
    ///
    /// # Errors
    /// [`ReleaseError`].
    pub(crate) fn open(project: &'a Project, published: &Published) -> Result<Self, ReleaseError> {
        let read = |path: PathBuf| match fs::read_optional(&path, limits::READ)? {
            Some(bytes) => serde_json::from_slice(&bytes)
                .map(Some)
                .map_err(|_| ReleaseError::Pending { path }),
            None => Ok(None),
        };
        let base = published.target_entries();
        let entries = match read(Self::list(project))? {
            Some(ours) => {
                // Somebody else may have published since it was begun.
                let begun = read(Self::begun(project))?.unwrap_or_else(|| base.clone());
                let format = project.settings.patch_format;
                let merged = rebase::merge(&begun, &ours, &base, format)?;
                if !merged.conflicts.is_empty() {
                    return Err(ReleaseError::Conflict(merged.conflicts));
                }
                if !merged.refused.is_empty() {
                    let refused = merged.refused.into_iter().map(|(_, error)| error);
                    return Err(ReleaseError::Outdated(refused.collect()));
                }
                merged.entries
            }
            None => base.clone(),
        };
        Ok(PendingTargets {
            project,
            published: archives_of(&base),
            entries,
            base,
            consistent: published.consistent_snapshot(),
        })
    }

    /// Prepares these entries to be published on top of `published`.
    pub(crate) fn on_top_of(
        project: &'a Project,
        published: &Published,
        entries: Map<String, Value>,
    ) -> Self {
        let base = published.target_entries();
        PendingTargets {
            project,
            published: archives_of(&base),
            entries,
            base,
            consistent: published.consistent_snapshot(),
        }
    }

    fn list(project: &Project) -> PathBuf {
        project.pending().join("targets.json")
    }

    /// What was published when the list was made.
    fn begun(project: &Project) -> PathBuf {
        project.pending().join("base.json")
    }

    /// Returns the folder in which the files of new targets wait.
    pub(crate) fn files(&self) -> PathBuf {
        self.project.pending().join("files")
    }

    /// Keeps the list for the next command.
    ///
    /// # Errors
    /// The file system's.
    pub(crate) fn save(&self) -> Result<(), FsError> {
        fs::create_dir_all(&self.files())?;
        let bytes = serde_json::to_vec_pretty(&self.entries).expect("a JSON object");
        fs::write_atomically(&Self::list(self.project), &bytes)?;
        let bytes = serde_json::to_vec_pretty(&self.base).expect("a JSON object");
        fs::write_atomically(&Self::begun(self.project), &bytes)
    }

    /// Takes releases of an application off the list, archives and patches,
    /// also direct ones that lead on from them, and deletes those of their
    /// files that are not published. What they said
    /// of other releases, and that they were there, the newest one that is left
    /// says from then on.
    ///
    /// # Errors
    /// The file system's.
    pub(crate) fn remove(
        &mut self,
        app: &str,
        gone: impl Fn(&Version) -> bool,
    ) -> Result<(), FsError> {
        let (withdrawn, mut retired) = (self.withdrawn(app), self.retired(app));
        let published = self.releases(app).into_iter().map(|(version, _)| version);
        let published = published.filter(|version| self.is_published(app, version));
        retired.extend(published.filter(&gone));
        self.drop_targets(|target| {
            let leads_on = matches!(&target.kind, TargetKind::DirectPatch { from } if gone(from));
            target.name == app && (gone(&target.version) || leads_on)
        })?;
        retired.retain(|version| !withdrawn.contains(version));
        self.bear(app, withdrawn, retired);
        self.save()
    }

    /// Takes targets off the list, and deletes those of their files that are
    /// not published.
    fn drop_targets(&mut self, gone: impl Fn(&TargetName) -> bool) -> Result<(), FsError> {
        let gone = |path: &String| TargetName::parse(path).is_some_and(|target| gone(&target));
        let paths: Vec<String> = self.entries.keys().filter(|p| gone(p)).cloned().collect();
        if paths.is_empty() {
            return Ok(());
        }
        let stored = |(path, entry): (&String, &Value)| stored_name(path, entry, self.consistent);
        let published: BTreeSet<String> = self.base.iter().map(stored).collect();
        let mut files = Vec::new();
        for path in &paths {
            files.push(self.files().join(path));
            // Where a `publish` that was interrupted put it.
            let stored = self.entries.get(path).map(|entry| stored((path, entry)));
            let there = stored.filter(|stored| !published.contains(stored));
            files.extend(there.map(|stored| self.project.targets().join(stored)));
        }
        self.entries.retain(|path, _| !paths.contains(path));
        self.save()?;
        files
            .iter()
            .try_for_each(|file| fs::remove_file_if_exists(file))
    }

    /// Takes patches of an application that lead from the release before off
    /// the list.
    ///
    /// # Errors
    /// The file system's.
    pub(crate) fn drop_patches(
        &mut self,
        app: &str,
        gone: impl Fn(&Version) -> bool,
    ) -> Result<(), FsError> {
        self.drop_targets(|target| {
            target.name == app && target.kind == TargetKind::Patch && gone(&target.version)
        })
    }

    /// Lets the newest release say which versions were withdrawn, and which
    /// numbers are used up: a final one if there is one, which every channel
    /// sees.
    pub(crate) fn bear(
        &mut self,
        app: &str,
        withdrawn: BTreeSet<Version>,
        retired: BTreeSet<Version>,
    ) {
        target_list::bear(&mut self.entries, app, Gone { withdrawn, retired });
    }

    /// Returns what is said of an archive.
    pub(crate) fn custom(&self, path: &str) -> ArchiveCustom {
        target_list::archive_custom(&self.entries, path)
    }

    /// Says something else of an archive.
    pub(crate) fn set_custom(&mut self, path: &str, internal: ArchiveCustom) {
        target_list::set_archive_custom(&mut self.entries, path, internal);
    }

    /// Returns the versions of an application that were withdrawn.
    pub(crate) fn withdrawn(&self, app: &str) -> BTreeSet<Version> {
        Gone::of(&self.entries, app).withdrawn
    }

    /// Returns the versions that were published and are not on the list any
    /// more.
    pub(crate) fn retired(&self, app: &str) -> BTreeSet<Version> {
        Gone::of(&self.entries, app).retired
    }

    /// Checks that nothing is listed that was withdrawn.
    ///
    /// # Errors
    /// [`ReleaseError::ListedWithdrawn`].
    pub(crate) fn check_withdrawn(&self) -> Result<(), ReleaseError> {
        for app in target_list::apps(&self.entries) {
            let withdrawn = self.withdrawn(&app);
            let releases = self.releases(&app).into_iter();
            let mut listed = releases.filter(|(version, _)| withdrawn.contains(version));
            if let Some((version, _)) = listed.next() {
                return Err(ReleaseError::ListedWithdrawn { app, version });
            }
        }
        Ok(())
    }

    /// Returns whether a version is published.
    pub(crate) fn is_published(&self, app: &str, version: &Version) -> bool {
        let wanted = (app.to_owned(), version.clone());
        self.published.contains(&wanted)
    }

    /// Returns the releases of an application, and where their patches lead
    /// from.
    pub(crate) fn line(&self, app: &str) -> Line {
        target_list::line(&self.entries, app)
    }

    /// Returns the sizes of the direct patches to a release, by the version
    /// that each leads from.
    pub(crate) fn direct_patches(&self, app: &str, to: &Version) -> BTreeMap<Version, u64> {
        direct_patches(&self.entries, app, to)
    }

    /// Returns the archive of an earlier release.
    ///
    /// # Errors
    /// [`ReleaseError::OldMissing`] if it is not here.
    pub(crate) fn archive(&self, path: &str, consistent: bool) -> Result<PathBuf, ReleaseError> {
        self.find(path, consistent)?
            .ok_or_else(|| ReleaseError::OldMissing {
                path: self.project.targets().join(path),
            })
    }

    /// Returns the releases of an application, oldest first, with the path of
    /// the archive.
    pub(crate) fn releases(&self, app: &str) -> Vec<(Version, String)> {
        target_list::releases(&self.entries, app)
    }

    /// Returns the file of a target, pending or published, if it is here and is
    /// what the entry says.
    ///
    /// # Errors
    /// The file system's, if it is here and cannot be read.
    pub(crate) fn find(&self, path: &str, consistent: bool) -> Result<Option<PathBuf>, FsError> {
        let entry = &self.entries[path];
        let published = self
            .project
            .targets()
            .join(stored_name(path, entry, consistent));
        for place in [self.files().join(path), published] {
            if place.exists() && is_listed_as(&place, entry)? {
                return Ok(Some(place));
            }
        }
        Ok(None)
    }
}

/// Returns the sizes of the direct patches to a release among targets, by the
/// version that each leads from.
pub(crate) fn direct_patches(
    entries: &Map<String, Value>,
    app: &str,
    to: &Version,
) -> BTreeMap<Version, u64> {
    let direct = entries.iter().filter_map(|(path, entry)| {
        let target = TargetName::parse(path)?;
        let own = target.name == app && target.version == *to;
        match target.kind {
            TargetKind::DirectPatch { from } if own => Some((from, entry["length"].as_u64()?)),
            _ => None,
        }
    });
    direct.collect()
}

/// Takes the patches off the list that the clients in the field would apply to
/// what they are not made for.
///
/// # Errors
/// The file system's.
pub(super) fn settle(
    project: &Project,
    pending: &mut PendingTargets,
    app: &str,
) -> Result<(), FsError> {
    let format = project.settings.patch_format;
    let misleads = target_list::misleading_patches(&pending.entries, app, format);
    pending.drop_targets(misleads)?;
    pending.save()
}
