//! Keeps what a project trusts and remembers outside of the folder that is
//! published: its root, and which versions were published last. Whoever can
//! write to the published folder can change neither.

use super::document::{Document, archives_of};
use super::error::MetadataError;
use super::journal::Journal;
use super::published::{BOUNDS, Published};
use super::role_keys::role_keys;
use super::state::State;
use crate::output::complain;
use crate::project::Project;
use notsotuf_stub::fs;
use notsotuf_stub::hex::sha256_hex;
use pep440_rs::Version;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Names the file of the pinned root, beside the settings; for version control.
pub(crate) const PIN: &str = "notsotuf-root.json";
/// Names the file of what was published last, beside the settings; for version
/// control, too.
pub(crate) const MEMORY: &str = "notsotuf-published.json";

/// The most that is read of what is remembered: about 100 bytes for each root
/// and 10 for each release that ever was.
const MAX_MEMORY: u64 = 4 << 20;

/// Holds what a project remembers of what it published.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Memory {
    /// SHA-256 of each root, from the first on.
    #[serde(default)]
    pub roots: Vec<String>,
    /// What `publish` wrote here last.
    pub published: Option<State>,
    /// What was seen last where clients fetch it, by `upload` or `fetch`.
    pub uploaded: Option<State>,
    /// The versions of each application that were published here, which are
    /// not to be used again.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub used: BTreeMap<String, BTreeSet<Version>>,
}

impl Memory {
    /// Adds the versions that `published` lists.
    fn note_used(&mut self, published: &Published) {
        for (app, version) in archives_of(&published.target_entries()) {
            self.used.entry(app).or_default().insert(version);
        }
    }

    /// Checks that `found`, in `folder`, is not older than what is remembered,
    /// and not another version of it.
    ///
    /// # Errors
    /// [`MetadataError::Old`], [`MetadataError::Other`].
    pub(crate) fn check(&self, folder: &Path, found: &Published) -> Result<(), MetadataError> {
        self.check_roots(folder, found)?;
        for known in [&self.published, &self.uploaded].into_iter().flatten() {
            self.check_state(folder, found, known)?;
        }
        Ok(())
    }

    /// Checks that the roots are those that were published.
    ///
    /// # Errors
    /// [`MetadataError::Untrusted`].
    pub(crate) fn check_roots(
        &self,
        folder: &Path,
        found: &Published,
    ) -> Result<(), MetadataError> {
        for (known, (file, bytes)) in self.roots.iter().zip(found.roots()) {
            if *known != sha256_hex(bytes) {
                return Err(MetadataError::Untrusted {
                    folder: folder.into(),
                    reason: format!("{file} is not the root that was published"),
                });
            }
        }
        Ok(())
    }

    fn check_state(
        &self,
        folder: &Path,
        found: &Published,
        known: &State,
    ) -> Result<(), MetadataError> {
        let Some(state) = found.state() else {
            return Err(MetadataError::Old {
                folder: folder.into(),
                role: "timestamp",
                found: 0,
                known: known.timestamp.version,
            });
        };
        if let Some((role, found, known)) = state.older_than(known) {
            return Err(MetadataError::Old {
                folder: folder.into(),
                role,
                found,
                known,
            });
        }
        match state.differs_from(known) {
            // Two published from one state, and the other one was quicker.
            Some((role, version)) if self.uploaded.as_ref() == Some(known) => {
                Err(MetadataError::Other {
                    folder: folder.into(),
                    role,
                    version,
                })
            }
            Some((role, version)) => {
                complain(format!(
                    "warning: {role} version {version} in {folder:?} is signed, but is not what was \
                     published from here"
                ));
                Ok(())
            }
            None => Ok(()),
        }
    }
}

impl Published {
    /// Loads what is in the repository folder of the project, from its pinned
    /// root, and compares it with what the project remembers.
    ///
    /// # Errors
    /// [`MetadataError`], saying what is wrong and how to get a good copy.
    pub(crate) fn load(project: &Project) -> Result<Self, MetadataError> {
        let trust = Trust::open(project)?;
        match Self::load_trusting(project, &trust) {
            // Another command may just be publishing.
            Err(e) if e.is_refusal() => {
                std::thread::sleep(Duration::from_millis(50));
                Self::load_trusting(project, &trust).map_err(|e| match e {
                    e if e.is_refusal() && Journal::is_there(project) => {
                        MetadataError::Interrupted {
                            folder: project.metadata(),
                            reason: e.to_string(),
                        }
                    }
                    e => e,
                })
            }
            result => result,
        }
    }

    fn load_trusting(project: &Project, trust: &Trust) -> Result<Self, MetadataError> {
        let folder = project.metadata();
        let published = Self::from_folder(&folder, trust.root.as_deref())?;
        trust.memory.check(&folder, &published)?;
        Ok(published)
    }
}

/// Holds what a project trusts.
#[derive(Debug)]
pub(crate) struct Trust {
    folder: PathBuf,
    /// The pinned root.
    pub root: Option<Vec<u8>>,
    /// What was published.
    pub memory: Memory,
}

impl Trust {
    /// Reads both.
    ///
    /// # Errors
    /// If one of them is malformed.
    pub(crate) fn open(project: &Project) -> Result<Self, MetadataError> {
        let folder = project.folder().to_path_buf();
        let path = folder.join(MEMORY);
        let memory = match fs::read_optional(&path, MAX_MEMORY)? {
            Some(bytes) => serde_json::from_slice(&bytes).map_err(|e| MetadataError::Memory {
                path,
                reason: e.to_string(),
            })?,
            None => Memory::default(),
        };
        let root = fs::read_optional(&folder.join(PIN), BOUNDS.root)?;
        if let Some(root) = &root {
            Document::parse(&folder.join(PIN), root)?;
        }
        Ok(Trust {
            folder,
            root,
            memory,
        })
    }

    /// Returns the path of the pinned root.
    pub(crate) fn pin(&self) -> PathBuf {
        self.folder.join(PIN)
    }

    /// Pins the newest root of `published`, which must have been loaded from
    /// what was pinned before; `true` if that was another one, or none.
    ///
    /// # Errors
    /// The file system's.
    pub(crate) fn follow(&mut self, published: &Published) -> Result<bool, MetadataError> {
        let Some((_, newest)) = published.roots().last() else {
            return Ok(false);
        };
        let new = self.root.as_deref() != Some(newest);
        if new {
            fs::write_atomically(&self.pin(), newest)?;
            self.root = Some(newest.to_vec());
        }
        self.memory.roots = published
            .roots()
            .map(|(_, bytes)| sha256_hex(bytes))
            .collect();
        self.memory.note_used(published);
        Ok(new)
    }

    /// Returns whether a release of this number was published.
    pub(crate) fn was_used(&self, app: &str, version: &Version) -> bool {
        let versions = self.memory.used.get(app);
        versions.is_some_and(|versions| versions.contains(version))
    }

    /// Keeps what is remembered.
    ///
    /// # Errors
    /// The file system's.
    pub(crate) fn save(&self) -> Result<(), MetadataError> {
        let mut text = serde_json::to_string_pretty(&self.memory).expect("it can be written");
        text.push('\n');
        fs::write_atomically(&self.folder.join(MEMORY), text.as_bytes())?;
        Ok(())
    }

    /// Remembers that `published` was published here.
    ///
    /// # Errors
    /// The file system's.
    pub(crate) fn remember_published(
        project: &Project,
        published: &Published,
    ) -> Result<(), MetadataError> {
        Self::following(project, published)?.save()
    }

    /// Remembers that `published` was seen where clients see it.
    ///
    /// # Errors
    /// The file system's.
    pub(crate) fn remember_uploaded(
        project: &Project,
        published: &Published,
    ) -> Result<(), MetadataError> {
        let mut trust = Self::following(project, published)?;
        trust.memory.uploaded = published.state();
        trust.save()
    }

    /// What is remembered, with `published` as the newest; not kept yet.
    fn following(project: &Project, published: &Published) -> Result<Self, MetadataError> {
        let mut trust = Self::open(project)?;
        trust.follow(published)?;
        trust.memory.published = published.state();
        Ok(trust)
    }

    /// Pins the root of a project that was made before roots were pinned: the
    /// chain of its repository, if a key of the project signed its first root.
    /// Says so. Does nothing where a root is pinned.
    ///
    /// # Errors
    /// [`MetadataError::Unpinned`], or what is wrong with the repository.
    pub(crate) fn pin_first(project: &Project, key_dirs: &[PathBuf]) -> Result<(), MetadataError> {
        let mut trust = Self::open(project)?;
        let folder = project.metadata();
        if trust.root.is_some() || !folder.join("1.root.json").exists() {
            return Ok(());
        }
        let published = Published::from_folder(&folder, None)?;
        trust.memory.check(&folder, &published)?;
        if !signed_by_ours(project, key_dirs, &published) {
            return Err(MetadataError::Unpinned {
                pin: trust.pin(),
                folder,
            });
        }
        trust.follow(&published)?;
        trust.memory.published = published.state();
        trust.save()?;
        complain(format!(
            "pinned root {} of {folder:?} in {PIN}: from now on, notsotuf accepts nothing from \
             the repository folder that does not follow from it. Put {PIN} and {MEMORY} under \
             version control",
            published.root.version()
        ));
        Ok(())
    }
}

/// Whether the first root has a valid signature by a key whose public half is
/// the project's.
fn signed_by_ours(project: &Project, key_dirs: &[PathBuf], published: &Published) -> bool {
    let Ok(keyring) = project.keyring(key_dirs) else {
        return false;
    };
    let first = published.roots().next();
    let first = first.and_then(|(file, bytes)| Document::parse(Path::new(file), bytes).ok());
    let Some(first) = first else {
        return false;
    };
    role_keys("root", &first)
        .iter()
        .filter_map(|(id, key)| Some((id, key.as_ref()?)))
        .filter(|(_, key)| keyring.find(key).is_some())
        .any(|(id, key)| first.has_signature(id, key))
}
