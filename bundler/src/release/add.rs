//! Releases: packing, patching, checking, and the list of what will be
//! published.

use crate::metadata::limits;
use crate::metadata::{MetadataError, Published};
use crate::pack::archive::{self, PackError};
use crate::patch::bsdiff4::WholeError;
use crate::patch::per_file::{self, Budget, DiffError, Summary, Tree};
use crate::progress::Progress;
use crate::project::{PatchFormat, Project};
use crate::release::numbers::{self, Line, Listed};
use crate::release::patching::{self, Bases, Making};
use crate::release::rebase;
use crate::release::rollout;
use crate::temporary;
use crate::vet::{self, VetError, Vetting};
use notsotuf_stub::bundle::Manifest;
use notsotuf_stub::bundle::patch::PatchError;
use notsotuf_stub::bundle::patch::hash_file;
use notsotuf_stub::bundle::unpack::ArchiveError;
use notsotuf_stub::catalog::custom::{self, ArchiveCustom, PatchCustom};
use notsotuf_stub::catalog::{TargetKind, TargetName};
use notsotuf_stub::fs::{self, FsError};
use notsotuf_stub::startup::now;
use notsotuf_stub::tuf::TargetFile;
use notsotuf_stub::tuf::key::encode_hex;
use notsotuf_stub::update::self_update;
use pep440_rs::Version;
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Why a release cannot be added or removed.
#[derive(Debug, thiserror::Error)]
pub enum ReleaseError {
    /// The file system.
    #[error(transparent)]
    Fs(#[from] FsError),
    /// The published metadata.
    #[error(transparent)]
    Metadata(#[from] MetadataError),
    /// The bundle.
    #[error(transparent)]
    Pack(#[from] PackError),
    /// The patch.
    #[error(transparent)]
    Diff(#[from] DiffError),
    /// Clients would refuse the new archive.
    #[error("a client would not install this bundle: {0}")]
    NewArchive(#[source] ArchiveError),
    /// The previous archive cannot be read.
    #[error("the previous archive {path:?} cannot be used: {source}; --skip-patch goes on without")]
    OldArchive {
        /// The archive.
        path: PathBuf,
        /// What is wrong.
        source: ArchiveError,
    },
    /// The previous archive is not here, or is not the published one.
    #[error(
        "the previous archive {path:?} is missing or is not the one that was published; fetch it \
         from where you publish, or go on with --skip-patch"
    )]
    OldMissing {
        /// The archive.
        path: PathBuf,
    },
    /// A patch over the whole archive could not be made.
    #[error(transparent)]
    Whole(#[from] WholeError),
    /// What was to be added is no bundle.
    #[error(transparent)]
    Vet(#[from] VetError),
    /// The stub does not get the new tree out of the patch.
    #[error("the patch was made but does not apply (please report this): {0}")]
    Check(#[source] PatchError),
    /// A version that no client would take.
    #[error(
        "version {version} is not newer than {latest}, the latest of {app} that its clients see; \
         use a higher number{}",
        if *.published { "" } else {
            ", or take that one back with `notsotuf remove-latest`: it is not published yet"
        }
    )]
    NotNewer {
        /// Application.
        app: String,
        /// What was to be added.
        version: Version,
        /// What there is.
        latest: Version,
        /// Whether that is published.
        published: bool,
    },
    /// A number that was withdrawn.
    #[error(
        "version {version} of {app} was withdrawn; clients leave whatever has that number, so it \
         cannot be used again: use a higher one"
    )]
    Withdrawn {
        /// Application.
        app: String,
        /// What was to be added.
        version: Version,
    },
    /// A number that was published.
    #[error(
        "version {version} of {app} was published before; clients that have it would not take \
         another one of that number: use a higher one (or --force, if no client can have it)"
    )]
    Used {
        /// Application.
        app: String,
        /// What was to be added.
        version: Version,
    },
    /// A stub that nobody can have.
    #[error(
        "no stub is as new as {wanted}: {}; no client could install this release. Name an older \
         one with --min-stub, or release the newer stub first with `notsotuf add-stub`",
        match .newest {
            Some(newest) => format!("the newest that is listed or at hand is {newest}"),
            None => "none is listed, and none is beside this program".into(),
        }
    )]
    NoSuchStub {
        /// What was asked for.
        wanted: Version,
        /// The newest there is.
        newest: Option<Version>,
    },
    /// A program that is no stub.
    #[error("{0:?} is no notsotuf-stub, or one that is too old to replace itself")]
    NotAStub(PathBuf),
    /// No release of that version.
    #[error("there is no release {version} of {app}")]
    NoRelease {
        /// Application.
        app: String,
        /// What was asked for.
        version: Version,
    },
    /// Clients would have nothing to go to.
    #[error("{0} is the only release; add another one before you withdraw it")]
    OnlyOne(Version),
    /// Nothing to remove.
    #[error("there is no release of {0}")]
    None(String),
    /// Somebody else published the same.
    #[error(
        "{} is prepared here, and was published by somebody else with another content. Delete \
         .notsotuf-pending to drop what is prepared here, and add it again under a version that is free",
        .0.join(", ")
    )]
    Conflict(Vec<String>),
    /// The list of pending targets is damaged.
    #[error("{path:?} is malformed; delete the folder it is in to drop all that is not published")]
    Pending {
        /// The list.
        path: PathBuf,
    },
}

/// What is to be published: all targets, and the files of those that are new.
pub struct Pending<'a> {
    project: &'a Project,
    /// Archives that are published.
    published: BTreeSet<(String, Version)>,
    /// Target entries by path, as targets metadata lists them.
    pub entries: Map<String, Value>,
    /// Those that are published.
    base: Map<String, Value>,
}

/// The archives among target entries.
fn archives_of(entries: &Map<String, Value>) -> BTreeSet<(String, Version)> {
    let targets = entries.keys().filter_map(|path| TargetName::parse(path));
    let archives = targets.filter(|target| target.kind == TargetKind::Archive);
    archives.map(|t| (t.name, t.version)).collect()
}

impl<'a> Pending<'a> {
    /// Opens what is prepared, or starts from what is published.
    ///
    /// # Errors
    /// [`ReleaseError`].
    pub fn open(project: &'a Project, published: &Published) -> Result<Self, ReleaseError> {
        let read = |path: PathBuf| match fs::read_optional(&path, 64 << 20)? {
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
                let (entries, conflicts) = rebase::merge(&begun, &ours, &base);
                if !conflicts.is_empty() {
                    return Err(ReleaseError::Conflict(conflicts));
                }
                entries
            }
            None => base.clone(),
        };
        Ok(Pending {
            project,
            published: archives_of(&base),
            entries,
            base,
        })
    }

    /// These entries, to be published on top of `published`.
    pub fn on_top_of(
        project: &'a Project,
        published: &Published,
        entries: Map<String, Value>,
    ) -> Self {
        let base = published.target_entries();
        Pending {
            project,
            published: archives_of(&base),
            entries,
            base,
        }
    }

    fn list(project: &Project) -> PathBuf {
        project.pending().join("targets.json")
    }

    /// What was published when the list was made.
    fn begun(project: &Project) -> PathBuf {
        project.pending().join("base.json")
    }

    /// Where the files of new targets wait.
    pub fn files(&self) -> PathBuf {
        self.project.pending().join("files")
    }

    /// Keeps the list for the next command.
    ///
    /// # Errors
    /// The file system's.
    pub fn save(&self) -> Result<(), FsError> {
        fs::create_dir_all(&self.files())?;
        let bytes = serde_json::to_vec_pretty(&self.entries).expect("a JSON object");
        fs::write_atomically(&Self::list(self.project), &bytes)?;
        let bytes = serde_json::to_vec_pretty(&self.base).expect("a JSON object");
        fs::write_atomically(&Self::begun(self.project), &bytes)
    }

    /// Takes releases of an application off the list, archives and patches,
    /// and deletes those of their files that are not published. What they said
    /// of other releases, and that they were there, the newest one that is left
    /// says from then on.
    ///
    /// # Errors
    /// The file system's.
    pub fn remove(&mut self, app: &str, gone: impl Fn(&Version) -> bool) -> Result<(), FsError> {
        let (withdrawn, mut retired) = (self.withdrawn(app), self.retired(app));
        let published = self.releases(app).into_iter().map(|(version, _)| version);
        let published = published.filter(|version| self.is_published(app, version));
        retired.extend(published.filter(&gone));
        self.drop_targets(|target| target.name == app && gone(&target.version))?;
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
        for path in &paths {
            self.entries.remove(path);
        }
        self.save()?;
        for path in &paths {
            fs::remove_file(&self.files().join(path))?;
        }
        Ok(())
    }

    /// Takes patches of an application off the list.
    ///
    /// # Errors
    /// The file system's.
    pub fn drop_patches(
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
    pub fn bear(&mut self, app: &str, withdrawn: BTreeSet<Version>, retired: BTreeSet<Version>) {
        if self.withdrawn(app) == withdrawn && self.retired(app) == retired {
            return;
        }
        let releases = self.releases(app);
        let is_final = |(version, _): &&(Version, String)| !version.any_prerelease();
        let bearer = releases.iter().rfind(is_final).or(releases.last());
        if let Some((_, path)) = bearer {
            let mut custom = self.custom(path);
            custom.withdrawn = withdrawn.into_iter().collect();
            custom.retired = retired.into_iter().collect();
            self.set_custom(path, custom);
        }
    }

    /// What is said of an archive.
    pub fn custom(&self, path: &str) -> ArchiveCustom {
        ArchiveCustom::of(&self.entries[path]["custom"])
    }

    /// Says something else of an archive.
    pub fn set_custom(&mut self, path: &str, internal: ArchiveCustom) {
        let custom = &mut self.entries[path]["custom"];
        *custom = custom::whole(custom, internal);
    }

    fn named(&self, app: &str, list: fn(ArchiveCustom) -> Vec<Version>) -> BTreeSet<Version> {
        let releases = self.releases(app).into_iter();
        releases
            .flat_map(|(_, path)| list(self.custom(&path)))
            .collect()
    }

    /// Versions of an application that were withdrawn.
    pub fn withdrawn(&self, app: &str) -> BTreeSet<Version> {
        self.named(app, |custom| custom.withdrawn)
    }

    /// Versions that were published and are not on the list any more.
    pub fn retired(&self, app: &str) -> BTreeSet<Version> {
        self.named(app, |custom| custom.retired)
    }

    /// Whether a version is published.
    pub fn is_published(&self, app: &str, version: &Version) -> bool {
        let wanted = (app.to_owned(), version.clone());
        self.published.contains(&wanted)
    }

    /// The releases of an application, and where their patches lead from.
    pub fn line(&self, app: &str) -> Line {
        let releases = self.releases(app);
        let mut line: Line = releases
            .iter()
            .map(|(version, path)| {
                let custom = self.custom(path);
                let partial = custom.rollout.is_some() && !custom.required;
                (
                    version.clone(),
                    Listed {
                        from: None,
                        partial,
                    },
                )
            })
            .collect();
        let patches = self.entries.iter().filter_map(|(path, entry)| {
            let target = TargetName::parse(path)?;
            let own = target.name == app && target.kind == TargetKind::Patch;
            own.then(|| (target.version, PatchCustom::of(&entry["custom"]).from))
        });
        for (version, from) in patches {
            // tufup does not say; its patches lead from the release before.
            let before = line.range(..version.clone()).next_back();
            let from = from.or_else(|| before.map(|(version, _)| version.clone()));
            if let Some(listed) = line.get_mut(&version) {
                listed.from = from;
            }
        }
        line
    }

    /// The archive of an earlier release.
    ///
    /// # Errors
    /// [`ReleaseError::OldMissing`] if it is not here.
    pub fn archive(&self, path: &str, consistent: bool) -> Result<PathBuf, ReleaseError> {
        self.find(path, consistent)?
            .ok_or_else(|| ReleaseError::OldMissing {
                path: self.project.targets().join(path),
            })
    }

    /// Releases of an application, oldest first, with the path of the archive.
    pub fn releases(&self, app: &str) -> Vec<(Version, String)> {
        let mut releases: Vec<_> = self
            .entries
            .keys()
            .filter_map(|path| Some((path, TargetName::parse(path)?)))
            .filter(|(_, target)| target.name == app && target.kind == TargetKind::Archive)
            .map(|(path, target)| (target.version, path.clone()))
            .collect();
        releases.sort();
        releases
    }

    /// The file of a target, pending or published, if it is here and is what
    /// the entry says.
    ///
    /// # Errors
    /// The file system's, if it is here and cannot be read.
    pub fn find(&self, path: &str, consistent: bool) -> Result<Option<PathBuf>, FsError> {
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

/// The name under which the target of an entry of targets metadata is
/// published: where clients look.
pub fn stored_name(path: &str, entry: &Value, consistent: bool) -> String {
    match serde_json::from_value::<TargetFile>(entry.clone()) {
        Ok(target) => target.stored_name(path, consistent),
        // Clients do not get as far as looking.
        Err(_) => path.into(),
    }
}

/// What to add.
#[derive(Debug, Clone)]
pub struct Addition<'a> {
    /// Application.
    pub app: &'a str,
    /// Version.
    pub version: Version,
    /// Folder or one file.
    pub bundle: &'a Path,
    /// No client may skip it.
    pub required: bool,
    /// For the application's own use.
    pub meta: Map<String, Value>,
    /// Make no patch.
    pub skip_patch: bool,
    /// The oldest stub that can install it.
    pub stub: Option<Version>,
    /// Part of the clients that get it.
    pub rollout: u64,
    /// What is new, in Markdown.
    pub notes: Option<String>,
    /// How long making the patch may take.
    pub budget: Duration,
    /// How the bundle is looked at.
    pub vetting: Vetting<'a>,
}

impl<'a> Addition<'a> {
    /// Nothing special about it, not looked at, and no patch.
    pub fn plain(app: &'a str, version: Version, bundle: &'a Path) -> Self {
        Addition {
            app,
            version,
            bundle,
            required: false,
            meta: Map::new(),
            skip_patch: true,
            stub: None,
            rollout: 100,
            notes: None,
            budget: Duration::ZERO,
            vetting: Vetting::None,
        }
    }
}

/// What was added.
#[derive(Debug, Clone)]
pub struct Added {
    /// Target path and size of the archive.
    pub archive: (String, u64),
    /// Target path and size of the patch, if there is one, and what is in it,
    /// if it works per file.
    pub patch: Option<(String, u64, Option<Summary>)>,
    /// Why there is none.
    pub no_patch: Option<String>,
    /// The version the patch leads from.
    pub from: Option<Version>,
    /// What the release engineer should know, one sentence each.
    pub warnings: Vec<String>,
}

/// Packs a bundle, makes a patch from the release before it, checks both
/// with the stub's own code, and puts them on the list.
///
/// # Errors
/// [`ReleaseError`]; nothing is on the list then.
pub fn add(
    project: &Project,
    published: &Published,
    addition: &Addition,
    progress: Progress,
) -> Result<Added, ReleaseError> {
    let mut pending = Pending::open(project, published)?;
    let (app, version) = (addition.app, &addition.version);
    let force = matches!(addition.vetting, Vetting::Forced { .. });
    numbers::check(&pending, &project.metadata(), app, version, force)?;
    let bases = Bases::new(project, &pending, published, addition);
    let mut warnings = vet::vet(project, published, addition, bases.previous()?.as_ref())?;
    fs::create_dir_all(&pending.files())?;
    let work = temporary::Folder::new_in(&project.pending(), ".add-")?;
    let archive_file = work.path().join("archive");
    let tar = archive::pack(addition.bundle, &archive_file, |n| {
        progress.bar("packing", n)
    })?;
    let new = patching::open(&archive_file, &work.path().join("new"), progress)
        .map_err(ReleaseError::NewArchive)?;
    let custom = archive_custom(&pending, addition, &new.manifest);
    let (archive_entry, archive_size) = entry(&archive_file, addition.meta.clone().into(), custom)?;
    let archive_path = project.target(app, version, TargetKind::Archive);
    let making = Making {
        work: work.path(),
        archive: &archive_file,
        size: archive_size,
        tar,
        new,
        progress,
        budget: Budget::of(addition.budget),
        within: addition.budget,
    };
    let patches = patching::make(&bases, &making)?;
    warnings.extend(patches.warnings);
    let mut files = vec![(archive_file, archive_path.clone(), archive_entry)];
    files.extend(patches.files);
    for (file, path, entry) in files {
        fs::rename(&file, &pending.files().join(&path))?;
        pending.entries.insert(path, entry);
    }
    pending.save()?;
    settle(project, &mut pending, app)?;
    warnings.extend(limits::warning(&pending.entries));
    Ok(Added {
        archive: (archive_path, archive_size),
        patch: patches.made,
        no_patch: patches.why_none,
        from: patches.from,
        warnings,
    })
}

fn archive_custom(pending: &Pending, addition: &Addition, new: &Manifest) -> ArchiveCustom {
    let releases = pending.releases(addition.app).into_iter();
    let last = releases
        .filter_map(|(_, path)| pending.custom(&path).added)
        .max();
    ArchiveCustom {
        required: addition.required,
        tree: Some(new.tree_hash()),
        stub: addition.stub.clone(),
        rollout: rollout::rollout_entry(None, addition.rollout),
        notes: addition.notes.clone(),
        size: Some(new.totals().1),
        // Later than all others, so that the last one is known.
        added: Some(now().max(last.map_or(0, |last| last + 1))),
        ..ArchiveCustom::default()
    }
}

/// Takes the patches off the list that the clients in the field would apply to
/// what they are not made for.
///
/// # Errors
/// The file system's.
pub fn settle(project: &Project, pending: &mut Pending, app: &str) -> Result<(), FsError> {
    match project.settings.patch_format {
        PatchFormat::PerFile => pending.save(),
        PatchFormat::Bsdiff4 => {
            let gone = numbers::misleading(&pending.line(app));
            pending.drop_patches(app, |version| gone.contains(version))?;
            pending.save()
        }
        // A client of original notsotuf takes the patches that there are for
        // all that lead to the new version.
        PatchFormat::None => {
            pending.drop_patches(app, |_| true)?;
            pending.save()
        }
    }
}

/// A targets metadata entry for a file.
///
/// # Errors
/// The file system's.
pub fn entry(
    file: &Path,
    user: Value,
    internal: impl Into<Map<String, Value>>,
) -> Result<(Value, u64), FsError> {
    let (size, hash) = hash_file(file)?;
    let before = json!({ "user": user, "tufup": null });
    let entry = json!({
        "length": size,
        "hashes": { "sha256": encode_hex(&hash) },
        "custom": custom::whole(&before, internal),
    });
    Ok((entry, size))
}

/// Whether `file` has the length and the hash that `entry` of targets metadata
/// lists. A file of another length is not read.
///
/// # Errors
/// The file system's.
pub fn is_listed_as(file: &Path, entry: &Value) -> Result<bool, FsError> {
    Ok(entry["length"] == fs::size(file)?
        && entry["hashes"]["sha256"] == encode_hex(&hash_file(file)?.1))
}

/// Refuses a `wanted` stub that no client can have: neither is it listed for
/// the application, nor is it `at_hand`.
///
/// # Errors
/// [`ReleaseError::NoSuchStub`].
pub fn check_stub(
    pending: &Pending,
    app: &str,
    wanted: &Version,
    at_hand: Option<Version>,
) -> Result<(), ReleaseError> {
    let listed = pending.releases(&self_update::target_name(app)).pop();
    let newest = listed.map(|(version, _)| version).max(at_hand);
    if newest.as_ref().is_some_and(|newest| newest >= wanted) {
        return Ok(());
    }
    Err(ReleaseError::NoSuchStub {
        wanted: wanted.clone(),
        newest,
    })
}

/// Takes the release of an application that was added last off the list,
/// archive and patch, and returns its version. Files that are not published
/// are deleted.
///
/// # Errors
/// [`ReleaseError::None`] if there is no release.
pub fn remove_latest(
    project: &Project,
    published: &Published,
    app: &str,
) -> Result<Version, ReleaseError> {
    let mut pending = Pending::open(project, published)?;
    // Older bundlers, and tufup, did not say when; those were in order.
    let releases = pending.releases(app).into_iter();
    let last = releases.max_by_key(|(version, path)| (pending.custom(path).added, version.clone()));
    let (version, _) = last.ok_or_else(|| ReleaseError::None(app.into()))?;
    pending.remove(app, |candidate| *candidate == version)?;
    let leads_on = |listed: &Listed| listed.from.as_ref() == Some(&version);
    let crossing: BTreeSet<Version> = pending
        .line(app)
        .into_iter()
        .filter(|(_, listed)| leads_on(listed))
        .map(|(version, _)| version)
        .collect();
    pending.drop_patches(app, |version| crossing.contains(version))?;
    settle(project, &mut pending, app)?;
    Ok(version)
}

/// What a patch is made of.
#[derive(Debug)]
pub struct Explained {
    /// The version it leads from.
    pub from: Version,
    /// How many files are treated how.
    pub summary: Summary,
    /// Every file that is not kept.
    pub parts: Vec<per_file::Part>,
}

/// Compares the archive of a version with that of the release before it.
///
/// # Errors
/// [`ReleaseError`], if one of the two is not there.
pub fn explain(
    project: &Project,
    published: &Published,
    app: &str,
    version: &Version,
    progress: Progress,
) -> Result<Explained, ReleaseError> {
    let pending = Pending::open(project, published)?;
    let releases: BTreeMap<Version, String> = pending.releases(app).into_iter().collect();
    let line = pending.line(app);
    let from = line.get(version).and_then(|listed| listed.from.as_ref());
    let from = from.filter(|from| line.contains_key(from));
    let from = from.or_else(|| numbers::base(&line, version));
    let (Some(to), Some(from)) = (releases.get(version), from) else {
        return Err(ReleaseError::None(format!(
            "{app} {version} with another one before it"
        )));
    };
    // Not among what is pending, which another command may publish meanwhile.
    let work = temporary::Folder::new()?;
    let unpacked = |path: &str, name: &str| {
        let file = pending.archive(path, published.consistent_snapshot())?;
        patching::open_old(&file, &work.path().join(name), progress)
    };
    let (old, new) = (unpacked(&releases[from], "old")?, unpacked(to, "new")?);
    let [old, new] = [&old, &new].map(|tree| Tree {
        folder: &tree.folder,
        manifest: &tree.manifest,
    });
    let (summary, parts) = per_file::explain(old, new, |n| progress.bar("comparing", n))?;
    Ok(Explained {
        from: from.clone(),
        summary,
        parts,
    })
}
