//! Releases: packing, patching, checking, and the list of what will be
//! published.

use crate::archive::{self, PackError};
use crate::diff::{self, DiffError, Summary, Tree};
use crate::metadata::{MetadataError, Published};
use crate::operate;
use crate::progress::Progress;
use crate::project::{PatchFormat, Project};
use crate::temporary;
use crate::whole::{self, WholeError};
use notsotuf_stub::bundle::archive::{ArchiveError, unpack};
use notsotuf_stub::bundle::patch::{self, PatchError, Scattered, hash_file};
use notsotuf_stub::bundle::{Manifest, Rules};
use notsotuf_stub::fs::{self, FsError};
use notsotuf_stub::launcher::now;
use notsotuf_stub::plan::MAX_SIZE_RATIO;
use notsotuf_stub::select::{TargetKind, TargetName};
use notsotuf_stub::tuf::key::encode_hex;
use notsotuf_stub::tuf::schema::format_time;
use pep440_rs::Version;
use serde_json::{Map, Value, json};
use std::path::{Path, PathBuf};

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
    /// The stub does not get the new tree out of the patch.
    #[error("the patch was made but does not apply (please report this): {0}")]
    Check(#[source] PatchError),
    /// A version that is not newer.
    #[error("version {version} is not newer than {latest}, the latest of {app}")]
    NotNewer {
        /// Application.
        app: String,
        /// What was to be added.
        version: Version,
        /// What there is.
        latest: Version,
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
    /// Target entries by path, as targets metadata lists them.
    pub entries: Map<String, Value>,
}

impl<'a> Pending<'a> {
    /// Opens what is prepared, or starts from what is published.
    ///
    /// # Errors
    /// [`ReleaseError`].
    pub fn open(project: &'a Project, published: &Published) -> Result<Self, ReleaseError> {
        let path = Self::list(project);
        let entries = match fs::read_optional(&path, 64 << 20)? {
            Some(bytes) => {
                serde_json::from_slice(&bytes).map_err(|_| ReleaseError::Pending { path })?
            }
            None => published.target_entries(),
        };
        Ok(Pending { project, entries })
    }

    fn list(project: &Project) -> PathBuf {
        project.pending().join("targets.json")
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
        fs::write_atomically(&Self::list(self.project), &bytes)
    }

    /// Takes releases of an application off the list, archives and patches,
    /// and deletes those of their files that are not published.
    ///
    /// # Errors
    /// The file system's.
    pub fn remove(&mut self, app: &str, gone: impl Fn(&Version) -> bool) -> Result<(), FsError> {
        let gone = |path: &String| {
            TargetName::parse(path).is_some_and(|t| t.name == app && gone(&t.version))
        };
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
            if place.exists() {
                let (size, hash) = hash_file(&place)?;
                let same =
                    entry["length"] == size && entry["hashes"]["sha256"] == encode_hex(&hash);
                if same {
                    return Ok(Some(place));
                }
            }
        }
        Ok(None)
    }
}

/// The name under which a target is published (TUF specification section
/// 6.2): with its hash in front if snapshots are consistent.
pub fn stored_name(path: &str, entry: &Value, consistent: bool) -> String {
    match entry["hashes"]["sha256"].as_str().filter(|_| consistent) {
        Some(hash) => format!("{hash}.{path}"),
        None => path.into(),
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
}

impl<'a> Addition<'a> {
    /// Nothing special about it, and no patch.
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
    pub no_patch: Option<&'static str>,
    /// The version the patch leads from.
    pub from: Option<Version>,
}

/// A bundle that was unpacked from its archive, as a client does.
struct Unpacked {
    folder: PathBuf,
    manifest: Manifest,
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
    let previous = pending.releases(addition.app).pop();
    if let Some((latest, _)) = previous.as_ref().filter(|(v, _)| *v >= addition.version) {
        return Err(ReleaseError::NotNewer {
            app: addition.app.into(),
            version: addition.version.clone(),
            latest: latest.clone(),
        });
    }
    fs::create_dir_all(&pending.files())?;
    let work = temporary::Folder::new_in(&project.pending(), ".add-")?;
    let archive_path = project.target(addition.app, &addition.version, TargetKind::Archive);
    let archive_file = work.path().join("archive");
    let tar = archive::pack(addition.bundle, &archive_file, |n| {
        progress.bar("packing", n)
    })?;
    let new = open(&archive_file, &work.path().join("new"), progress)
        .map_err(ReleaseError::NewArchive)?;
    let tree = new.manifest.tree_hash();
    let mut custom = json!({
        "required": addition.required, "tree": tree.to_string(), "date": format_time(now()),
    });
    if let Some(stub) = &addition.stub {
        custom["stub"] = stub.to_string().into();
    }
    if let Some(rollout) = operate::rollout_entry(&Value::Null, addition.rollout) {
        custom["rollout"] = rollout;
    }
    if let Some(notes) = &addition.notes {
        custom["notes"] = notes.as_str().into();
    }
    let (archive_entry, archive_size) = entry(&archive_file, &addition.meta, custom)?;
    let mut added = Added {
        archive: (archive_path.clone(), archive_size),
        patch: None,
        no_patch: None,
        from: None,
    };
    let mut files = vec![(archive_file, archive_path, archive_entry)];
    match previous {
        None => added.no_patch = Some("it is the first release"),
        Some(_) if addition.skip_patch => added.no_patch = Some("as asked"),
        Some(_) if project.settings.patch_format == PatchFormat::None => {
            drop_patches(&mut pending, addition.app);
            added.no_patch = Some("patch_format is \"none\"");
        }
        Some((from, old_path)) => {
            let old_file = pending.archive(&old_path, published.consistent_snapshot())?;
            let patch_file = work.path().join("patch");
            let mut custom = json!({
                "from": from.to_string(),
                "tar_hash": encode_hex(&tar.sha256),
                "tar_size": tar.size,
                "tar_hash_algorithm": "sha256",
            });
            let summary = if project.settings.patch_format == PatchFormat::Bsdiff4 {
                custom["format"] = "bsdiff4".into();
                whole::patch(&old_file, &files[0].0, &patch_file, progress)?;
                None
            } else {
                let old = open_old(&old_file, &work.path().join("old"), progress)?;
                custom["format"] = patch::FORMAT.into();
                custom["from_tree"] = old.manifest.tree_hash().to_string().into();
                custom["tree"] = tree.to_string().into();
                let check = work.path().join("check");
                Some(make_patch(&old, &new, &patch_file, &check, progress)?)
            };
            let (patch_entry, size) = entry(&patch_file, &Map::new(), custom)?;
            added.from = Some(from);
            if size * MAX_SIZE_RATIO.1 > archive_size * MAX_SIZE_RATIO.0 {
                added.no_patch = Some("it would be about as large as the archive");
            } else {
                let path = project.target(addition.app, &addition.version, TargetKind::Patch);
                added.patch = Some((path.clone(), size, summary));
                files.push((patch_file, path, patch_entry));
            }
        }
    }
    for (file, path, entry) in files {
        fs::rename(&file, &pending.files().join(&path))?;
        pending.entries.insert(path, entry);
    }
    pending.save()?;
    Ok(added)
}

/// A client of original notsotuf takes the patches that there are for all that
/// lead to the new version.
fn drop_patches(pending: &mut Pending, app: &str) {
    pending.entries.retain(|path, _| {
        let target = TargetName::parse(path);
        target.is_none_or(|t| t.name != app || t.kind != TargetKind::Patch)
    });
}

fn open(archive: &Path, folder: &Path, progress: Progress) -> Result<Unpacked, ArchiveError> {
    fs::create_dir_all(folder)?;
    let file = fs::open(archive)?;
    let size = file.metadata().map_or(0, |m| m.len());
    let bar = progress.bar("reading back", size);
    let manifest = unpack(
        bar.wrap_read(file),
        folder,
        None,
        Rules::host(),
        &mut |_| true,
    )?;
    bar.finish_and_clear();
    Ok(Unpacked {
        folder: folder.into(),
        manifest,
    })
}

fn open_old(archive: &Path, folder: &Path, progress: Progress) -> Result<Unpacked, ReleaseError> {
    open(archive, folder, progress).map_err(|source| ReleaseError::OldArchive {
        path: archive.into(),
        source,
    })
}

fn make_patch(
    old: &Unpacked,
    new: &Unpacked,
    patch: &Path,
    check: &Path,
    progress: Progress,
) -> Result<Summary, ReleaseError> {
    let expected = new.manifest.tree_hash();
    let summary = diff::diff(
        Tree {
            folder: &old.folder,
            manifest: &old.manifest,
        },
        Tree {
            folder: &new.folder,
            manifest: &new.manifest,
        },
        patch,
        |n| progress.bar("making the patch", n),
    )?;
    let (work, out) = (check.join("work"), check.join("tree"));
    fs::create_dir_all(&work)?;
    fs::create_dir_all(&out)?;
    let bar = progress.bar("checking the patch", new.manifest.totals().1);
    let mut observer = |n| {
        bar.inc(n);
        true
    };
    Scattered::installed(&old.folder, old.manifest.clone())
        .apply(patch, expected, &work, Rules::host(), &mut observer)
        .and_then(|scattered| scattered.gather(&out, &mut observer))
        .map_err(ReleaseError::Check)?;
    bar.finish_and_clear();
    Ok(summary)
}

/// A targets metadata entry for a file. `custom` has the two keys that tufup
/// knows, and no others: tufup's client would not find its own then.
fn entry(file: &Path, user: &Map<String, Value>, internal: Value) -> Result<(Value, u64), FsError> {
    let (size, hash) = hash_file(file)?;
    let entry = json!({
        "length": size,
        "hashes": { "sha256": encode_hex(&hash) },
        "custom": { "user": user, "tufup": internal },
    });
    Ok((entry, size))
}

/// Takes the latest release of an application off the list, archive and
/// patch, and returns its version. Files that are not published are deleted.
///
/// # Errors
/// [`ReleaseError::None`] if there is no release.
pub fn remove_latest(
    project: &Project,
    published: &Published,
    app: &str,
) -> Result<Version, ReleaseError> {
    let mut pending = Pending::open(project, published)?;
    let (version, _) = pending
        .releases(app)
        .pop()
        .ok_or_else(|| ReleaseError::None(app.into()))?;
    pending.remove(app, |candidate| *candidate == version)?;
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
    pub parts: Vec<diff::Part>,
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
    let releases = pending.releases(app);
    let to = releases.iter().position(|(v, _)| v == version);
    let (Some(to), Some(from)) = (to, to.and_then(|n| n.checked_sub(1))) else {
        return Err(ReleaseError::None(format!(
            "{app} {version} with another one before it"
        )));
    };
    fs::create_dir_all(&project.pending())?;
    let work = temporary::Folder::new_in(&project.pending(), ".explain-")?;
    let unpacked = |n: usize, name: &str| {
        let file = pending.archive(&releases[n].1, published.consistent_snapshot())?;
        open_old(&file, &work.path().join(name), progress)
    };
    let (old, new) = (unpacked(from, "old")?, unpacked(to, "new")?);
    let [old, new] = [&old, &new].map(|tree| Tree {
        folder: &tree.folder,
        manifest: &tree.manifest,
    });
    let (summary, parts) = diff::explain(old, new, |n| progress.bar("comparing", n))?;
    Ok(Explained {
        from: releases[from].0.clone(),
        summary,
        parts,
    })
}
