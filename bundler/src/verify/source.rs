//! Reads a repository that is verified, here or on the web.

use super::finding::Finding;
use crate::project::Addresses;
use notsotuf_stub::fs::{self, FsError};
use notsotuf_stub::http::{Answer, Http, HttpError};
use notsotuf_stub::tuf::{self, TargetFile, TufError};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Says why a repository could not be checked.
#[derive(Debug, thiserror::Error)]
pub(crate) enum VerifyError {
    /// A file system call failed.
    #[error(transparent)]
    Fs(#[from] FsError),
    /// A request failed.
    #[error(transparent)]
    Http(#[from] HttpError),
    /// There is no root to start from.
    #[error("there is no {0:?}; name the root to trust with --root")]
    NoRoot(PathBuf),
}

/// Says where the repository is.
pub(crate) enum RepositorySource {
    /// A folder with `metadata` and `targets`.
    Local(PathBuf),
    /// The repository is on the web.
    Remote(Addresses, Http),
}

impl RepositorySource {
    /// Creates a repository on the web.
    pub(crate) fn remote(at: Addresses) -> Self {
        Self::patient(at, Duration::from_secs(30))
    }

    /// Creates a repository on the web, whose server may be silent for so long.
    pub(crate) fn patient(at: Addresses, silence: Duration) -> Self {
        RepositorySource::Remote(at, Http::new(silence))
    }

    pub(crate) fn metadata(&self, file: &str, limit: u64) -> Result<Option<Vec<u8>>, VerifyError> {
        match self {
            RepositorySource::Local(folder) => Ok(fs::read_optional(
                &folder.join("metadata").join(file),
                limit,
            )?),
            RepositorySource::Remote(at, http) => {
                let url = format!("{}/{}", at.metadata_url(), tuf::percent_encode(file));
                match http.get(&url, limit, None)? {
                    Answer::Found { bytes, .. } => Ok(Some(bytes)),
                    Answer::Absent | Answer::NotModified => Ok(None),
                    // As object stores answer where there is nothing.
                    Answer::Forbidden if file.ends_with(".root.json") => Ok(None),
                    Answer::Forbidden => Err(HttpError::forbidden(&url).into()),
                }
            }
        }
    }

    /// Returns the error of a client for a file here that is larger than it
    /// reads.
    pub(crate) fn too_large(
        &self,
        file: &str,
        limit: u64,
    ) -> Result<Option<TufError>, VerifyError> {
        let RepositorySource::Local(folder) = self else {
            return Ok(None);
        };
        let found = fs::inspect(&folder.join("metadata").join(file))?;
        let size = found.map_or(0, |found| found.len());
        Ok((size > limit).then(|| TufError::Length {
            name: file.into(),
            found: size,
            expected: limit,
        }))
    }

    /// Copies a target to `to`, checked.
    pub(crate) fn target(
        &self,
        path: &str,
        stored: &str,
        target: &TargetFile,
        to: &Path,
    ) -> Result<Finding<()>, VerifyError> {
        let mut hasher = match target.hasher(path) {
            Ok(hasher) => hasher,
            Err(e) => return Ok(Finding::Problem(e.to_string())),
        };
        let mut file = fs::create_new(to)?;
        let mut length = 0;
        let mut take = |data: &[u8]| -> Result<(), VerifyError> {
            hasher.update(data);
            length += data.len() as u64;
            file.write_all(data)
                .map_err(|e| FsError::new("write", to, e))?;
            Ok(())
        };
        match self {
            RepositorySource::Local(folder) => {
                let place = folder.join("targets").join(stored);
                let Ok(mut from) = fs::open(&place) else {
                    return Ok(Finding::Problem(format!("{place:?} is missing")));
                };
                let mut buffer = vec![0; 1 << 17];
                loop {
                    let n = from
                        .read(&mut buffer)
                        .map_err(|e| FsError::new("read", &place, e))?;
                    if n == 0 {
                        break;
                    }
                    take(&buffer[..n])?;
                }
            }
            RepositorySource::Remote(at, http) => {
                let url = format!("{}/{}", at.targets_url, tuf::percent_encode_path(stored));
                match http.stream(&url, target.length, &mut take) {
                    Ok(()) => {}
                    Err(VerifyError::Http(e)) => return Ok(Finding::Problem(e.to_string())),
                    Err(e) => return Err(e),
                }
            }
        }
        let checked = tuf::metadata::verify_length(path, target.length, length)
            .and_then(|()| hasher.finish(path));
        Ok(checked.into())
    }
}
