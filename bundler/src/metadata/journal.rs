//! Keeps the metadata of a publication until all of it is written, so that one
//! that was interrupted can be completed: what is half written may be such that
//! no client, and no command, accepts it.

use super::error::MetadataError;
use super::limits;
use super::next_versions::Update;
use crate::project::Project;
use notsotuf_stub::fs::{self, FsError};
use notsotuf_stub::hex::sha256_hex;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

const TIMESTAMP: &str = "timestamp.json";

/// Holds metadata that is being written.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Journal {
    /// SHA-256 of the timestamp before.
    before: Option<String>,
    /// Names and content, in the order in which they are written.
    files: Vec<(String, String)>,
}

impl Journal {
    fn path(project: &Project) -> PathBuf {
        project.pending().join("publication.json")
    }

    /// Writes the files of an update in their order, once they are kept.
    ///
    /// # Errors
    /// The file system's.
    pub(crate) fn write(project: &Project, update: &Update) -> Result<(), MetadataError> {
        let mut files = Vec::new();
        for (name, bytes) in &update.files {
            let text = String::from_utf8(bytes.clone()).map_err(|e| MetadataError::Form {
                path: name.into(),
                reason: e.to_string(),
            })?;
            files.push((name.clone(), text));
        }
        let journal = Journal {
            before: timestamp(project)?.as_deref().map(sha256_hex),
            files,
        };
        fs::create_dir_all(&project.pending())?;
        let bytes = serde_json::to_vec(&journal).expect("text");
        fs::write_atomically(&Self::path(project), &bytes)?;
        Ok(journal.go_on(&project.metadata())?)
    }

    fn go_on(&self, metadata: &Path) -> Result<(), FsError> {
        for (name, text) in &self.files {
            let path = metadata.join(name);
            if fs::read_optional(&path, limits::READ)?.as_deref() != Some(text.as_bytes()) {
                fs::write_atomically(&path, text.as_bytes())?;
            }
        }
        Ok(())
    }

    /// Returns whether a publication was interrupted, or is going on.
    pub(super) fn is_there(project: &Project) -> bool {
        Self::path(project).exists()
    }

    /// Completes a publication that was interrupted. What has changed since, by
    /// a copy from elsewhere, stays.
    ///
    /// # Errors
    /// [`MetadataError::Form`], or the file system's.
    pub(crate) fn complete(project: &Project) -> Result<(), MetadataError> {
        let path = Self::path(project);
        let Some(bytes) = fs::read_optional(&path, limits::READ)? else {
            return Ok(());
        };
        let form = |reason: String| MetadataError::Form {
            path: path.clone(),
            reason,
        };
        let journal: Journal = serde_json::from_slice(&bytes).map_err(|e| form(e.to_string()))?;
        // It may have come with a checkout, and nothing that it has is signed yet.
        if let Some((name, _)) = journal.files.iter().find(|(name, _)| !is_metadata(name)) {
            return Err(form(format!("{name:?} is no file of metadata")));
        }
        let there = timestamp(project)?;
        let new = journal.files.iter().find(|(file, _)| file == TIMESTAMP);
        let is_written = new.map(|(_, text)| text.as_bytes()) == there.as_deref();
        if is_written || there.as_deref().map(sha256_hex) == journal.before {
            journal.go_on(&project.metadata())?;
        }
        Ok(Self::remove(project)?)
    }

    /// Forgets a publication that is complete.
    ///
    /// # Errors
    /// The file system's.
    pub(crate) fn remove(project: &Project) -> Result<(), FsError> {
        fs::remove_file_if_exists(&Self::path(project))?;
        let folder = project.pending();
        if folder.exists() && fs::list(&folder)?.is_empty() {
            fs::remove_tree_if_exists(&folder)?;
        }
        Ok(())
    }
}

/// Whether that is the name of a file in the folder of metadata.
fn is_metadata(name: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    let stem = name.strip_suffix(".json").unwrap_or_default();
    !stem.is_empty() && !stem.starts_with('.') && stem.chars().all(plain)
}

fn timestamp(project: &Project) -> Result<Option<Vec<u8>>, FsError> {
    fs::read_optional(&project.metadata().join(TIMESTAMP), limits::READ)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_metadata_is_written() {
        for good in ["timestamp.json", "2.root.json", "12.targets.json"] {
            assert!(is_metadata(good), "{good}");
        }
        for bad in [
            "",
            ".json",
            "..json",
            "../a.json",
            "/a.json",
            "a/b.json",
            "a\\b.json",
            "C:a.json",
            "a.sh",
        ] {
            assert!(!is_metadata(bad), "{bad}");
        }
    }
}
