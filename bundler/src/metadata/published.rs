//! Loads what is published as a client loads it: from a root that is trusted
//! already, with all signatures, thresholds, versions and hashes checked.
//! Expiry dates may be past, since renewing them is what it is loaded for.

use super::document::{Document, file_name};
use super::error::MetadataError;
use super::state::{Known, State};
use notsotuf_stub::fs::{self, FsError};
use notsotuf_stub::hex::sha256_hex;
use notsotuf_stub::tuf::{Limits, Refresh, RefreshIo, TrustedMetadataSet, TufError, UnixTime};
use serde_json::{Map, Value};
use std::path::Path;

/// Gives a metadata file of at most so many bytes, if it is there.
type Read<'a, E> = &'a mut dyn FnMut(&str, u64) -> Result<Option<Vec<u8>>, E>;

/// A time at which nothing is expired.
const BEFORE_ALL: UnixTime = UnixTime::MIN;

/// Limits what is loaded: a repository that is too large for clients can still
/// be looked at, and fixed.
pub(super) const BOUNDS: Limits = Limits {
    root: 512_000,
    timestamp: 16_384,
    snapshot: 16 << 20,
    targets: 64 << 20,
    all_targets: 64 << 20,
    root_rotations: 4096,
    delegations: 32,
};

/// Holds the published metadata of all top-level roles; those but the root may
/// not be published yet.
#[derive(Debug, Clone)]
pub(crate) struct Published {
    /// The newest root.
    pub root: Document,
    /// Targets.
    pub targets: Option<Document>,
    /// Snapshot.
    pub snapshot: Option<Document>,
    /// Timestamp.
    pub timestamp: Option<Document>,
    /// The files that these are in, and those of all roots before, in the
    /// order in which they must be written.
    pub files: Vec<(String, Vec<u8>)>,
}

impl Published {
    /// Loads the folder `metadata` from the root `pin`; without one, from its
    /// own first root.
    ///
    /// # Errors
    /// [`MetadataError::Untrusted`].
    pub(crate) fn from_folder(metadata: &Path, pin: Option<&[u8]>) -> Result<Self, MetadataError> {
        let untrusted = |reason: String| MetadataError::Untrusted {
            folder: metadata.into(),
            reason,
        };
        // That a file is longer than listed is for the client's code to say.
        let read = &mut |file: &str, _: u64| -> Result<_, MetadataError> {
            Ok(fs::read_optional(&metadata.join(file), BOUNDS.targets)?)
        };
        let published = walk(pin, read).map_err(|e| match e {
            MetadataError::Tuf(e) => untrusted(e.to_string()),
            // That of a project, as there is a pinned root.
            MetadataError::Missing(file) if pin.is_some() => {
                MetadataError::NotHere(metadata.join(file))
            }
            MetadataError::Missing(file) => MetadataError::Missing(metadata.join(file)),
            e => e,
        })?;
        published.check_root_copy(metadata)?;
        if published.timestamp.is_none() && has_more(metadata)? {
            return Err(untrusted(
                "it has targets or snapshot metadata, but no timestamp.json".into(),
            ));
        }
        Ok(published)
    }

    /// `root.json` is for those who start clients from the repository; after
    /// an interruption it may be one of the roots before.
    fn check_root_copy(&self, metadata: &Path) -> Result<(), MetadataError> {
        let path = metadata.join("root.json");
        let Some(bytes) = fs::read_optional(&path, BOUNDS.root)? else {
            return Ok(());
        };
        let known = self
            .roots()
            .any(|(_, root)| root == bytes || same_signed(&path, root, &bytes).unwrap_or_default());
        if known {
            Ok(())
        } else {
            Err(MetadataError::Untrusted {
                folder: metadata.into(),
                reason: "root.json is none of the project's roots".into(),
            })
        }
    }

    /// Returns all roots, oldest first, with the names of their files.
    pub(crate) fn roots(&self) -> impl Iterator<Item = (&str, &[u8])> {
        let roots = self
            .files
            .iter()
            .filter(|(file, _)| file.ends_with(".root.json"));
        roots.map(|(file, bytes)| (file.as_str(), bytes.as_slice()))
    }

    /// Returns the published metadata of a role.
    pub(crate) fn document(&self, role: &str) -> Option<&Document> {
        match role {
            "root" => Some(&self.root),
            "targets" => self.targets.as_ref(),
            "snapshot" => self.snapshot.as_ref(),
            _ => self.timestamp.as_ref(),
        }
    }

    /// Returns the file of a role other than root.
    pub(crate) fn file(&self, role: &str) -> Option<&[u8]> {
        let version = self.document(role)?.version();
        let name = file_name(role, version, self.consistent_snapshot());
        let found = self.files.iter().find(|(file, _)| *file == name);
        found.map(|(_, bytes)| bytes.as_slice())
    }

    /// Returns the published versions.
    pub(crate) fn state(&self) -> Option<State> {
        State::of(self)
    }

    /// Returns whether file names carry versions and hashes.
    pub(crate) fn consistent_snapshot(&self) -> bool {
        self.root.signed()["consistent_snapshot"] == true
    }

    /// Returns the published targets by path, as JSON.
    pub(crate) fn target_entries(&self) -> Map<String, Value> {
        let targets = self.targets.as_ref().map(|t| &t.signed()["targets"]);
        targets
            .and_then(Value::as_object)
            .cloned()
            .unwrap_or_default()
    }
}

impl State {
    /// Returns the state of `published`; `None` while only its root is.
    pub(crate) fn of(published: &Published) -> Option<Self> {
        let known = |role: &str| {
            Some(Known {
                version: published.document(role)?.version(),
                sha256: sha256_hex(published.file(role)?),
            })
        };
        Some(State {
            root: published.root.version(),
            timestamp: known("timestamp")?,
            snapshot: known("snapshot")?,
            targets: known("targets")?,
        })
    }
}

/// Whether there is metadata that a timestamp should lead to.
fn has_more(metadata: &Path) -> Result<bool, FsError> {
    let files = fs::list(metadata)?;
    let mut names = files
        .iter()
        .filter_map(|path| path.file_name().and_then(|name| name.to_str()));
    Ok(names.any(|name| name.ends_with("targets.json") || name.ends_with("snapshot.json")))
}

/// Returns whether two files say the same, whoever signed them.
pub(crate) fn same_signed(path: &Path, one: &[u8], other: &[u8]) -> Result<bool, MetadataError> {
    let (one, other) = (Document::parse(path, one)?, Document::parse(path, other)?);
    Ok(one.signed() == other.signed())
}

/// Goes through the metadata that `read` gives, as a client that trusts the
/// root `pin` (without one, the first root that is there). Of the roots before
/// it, each has to have signed the one after it, and the last of them `pin`.
///
/// # Errors
/// [`MetadataError::Tuf`]: what such a client would say. And what `read` says.
pub(crate) fn walk<E: From<MetadataError> + From<TufError>>(
    pin: Option<&[u8]>,
    read: Read<'_, E>,
) -> Result<Published, E> {
    let first = read("1.root.json", BOUNDS.root)?
        .ok_or_else(|| MetadataError::Missing("1.root.json".into()))?;
    let pin = pin.unwrap_or(&first);
    let mut files = vec![("1.root.json".to_owned(), first.clone())];
    roots_up_to(pin, first.clone(), &mut files, read)?;
    let mut client = Refresh::new(pin, BEFORE_ALL, BOUNDS)?;
    let published = Published {
        root: Document::parse(Path::new("root.json"), pin)?,
        targets: None,
        snapshot: None,
        timestamp: None,
        files,
    };
    let mut io = Collector {
        read,
        asked: String::new(),
        published,
    };
    match client.run(&mut io) {
        Ok(()) | Err(Ended::Unpublished) => {}
        Err(Ended::Failed(e)) => return Err(e),
    }
    let mut published = io.published;
    // Whoever sees a file finds what it leads to.
    published
        .files
        .sort_by_key(|(file, _)| match file.as_str() {
            file if file.ends_with("root.json") => 0,
            file if file.ends_with("targets.json") => 1,
            file if file.ends_with("snapshot.json") => 2,
            _ => 3,
        });
    Ok(published)
}

/// Why a walk ended before its end.
enum Ended<E> {
    /// There is no timestamp: nothing but roots was published yet.
    Unpublished,
    /// Something is wrong.
    Failed(E),
}

impl<E: From<TufError>> From<TufError> for Ended<E> {
    fn from(error: TufError) -> Self {
        Ended::Failed(error.into())
    }
}

/// Collects what a client that stores nothing accepts.
struct Collector<'a, E> {
    read: Read<'a, E>,
    /// The file that was fetched last.
    asked: String,
    published: Published,
}

impl<E: From<MetadataError> + From<TufError>> RefreshIo for Collector<'_, E> {
    type Error = Ended<E>;

    fn fetch(&mut self, _: &str, file: &str, most: u64) -> Result<Option<Vec<u8>>, Ended<E>> {
        let bytes = (self.read)(file, most).map_err(Ended::Failed)?;
        if bytes.is_none() && file == "timestamp.json" {
            return Err(Ended::Unpublished);
        }
        if bytes.is_none() && !file.ends_with(".root.json") {
            return Err(Ended::Failed(MetadataError::Missing(file.into()).into()));
        }
        self.asked = file.into();
        Ok(bytes)
    }

    fn store(&mut self, role: &str, bytes: &[u8]) -> Result<(), Ended<E>> {
        let document =
            Document::parse(Path::new(&self.asked), bytes).map_err(|e| Ended::Failed(e.into()))?;
        match role {
            "root" => self.published.root = document,
            "targets" => self.published.targets = Some(document),
            "snapshot" => self.published.snapshot = Some(document),
            _ => self.published.timestamp = Some(document),
        }
        self.published
            .files
            .push((self.asked.clone(), bytes.into()));
        Ok(())
    }
}

/// Walks from the first root to the pinned one.
fn roots_up_to<E: From<MetadataError> + From<TufError>>(
    pin: &[u8],
    first: Vec<u8>,
    files: &mut Vec<(String, Vec<u8>)>,
    read: Read<'_, E>,
) -> Result<(), E> {
    let wanted = TrustedMetadataSet::new(pin, BEFORE_ALL)?
        .root()
        .common
        .version;
    let mut chain = TrustedMetadataSet::new(&first, BEFORE_ALL)?;
    let mut last = first;
    for version in 2..=wanted {
        let file = format!("{version}.root.json");
        let bytes =
            read(&file, BOUNDS.root)?.ok_or_else(|| MetadataError::Missing(file.clone().into()))?;
        chain.update_root(&bytes)?;
        files.push((file, bytes.clone()));
        last = bytes;
    }
    if chain.root().common.version != wanted || !same_signed(Path::new("root.json"), pin, &last)? {
        let role = format!("root {wanted}");
        let reason = "it is not the root that the project pinned (notsotuf-root.json)".into();
        return Err(TufError::Form { role, reason }.into());
    }
    Ok(())
}
