//! Gives access to a repository, whatever kind of place it is in.

use super::destination::Destination;
use super::error::UploadError;
use super::github::{Content, GitHub, GitHubError};
use super::object_store::{Found, Store};
use super::plan::Files;
use super::rsync::Rsync;
use crate::project::Addresses;
use indicatif::ProgressBar;
use notsotuf_stub::fs::{self, FsError};
use notsotuf_stub::http::{Answer, Http, HttpError, Rest};
use notsotuf_stub::tuf::{self, TargetFile};
use std::io::{Read, Write};
use std::path::Path;
use std::time::Duration;

/// Gives access to a repository at a destination.
pub(crate) enum OpenDestination {
    /// An object store, or a folder.
    Store(Store),
    /// A folder on another machine.
    Rsync(Rsync),
    /// A release and a branch at GitHub, and what follows its redirects.
    GitHub(Box<GitHub>, Http),
    /// The addresses that clients fetch from.
    Web(Addresses, Http),
}

impl OpenDestination {
    /// Opens the place; makes nothing.
    ///
    /// # Errors
    /// [`UploadError`].
    pub(crate) fn open(destination: &Destination) -> Result<Self, UploadError> {
        let http = || Http::new(Duration::from_secs(30));
        Ok(match destination {
            Destination::Folder(folder) => OpenDestination::Store(Store::folder(folder)?),
            Destination::Store(url) => OpenDestination::Store(Store::remote(url)?),
            Destination::Rsync(to) => OpenDestination::Rsync(Rsync::open(to)?),
            Destination::GitHub(place) => {
                OpenDestination::GitHub(Box::new(GitHub::open(place)?), http())
            }
            Destination::Web(at) => OpenDestination::Web(at.clone(), http()),
        })
    }

    /// Returns the place as it is written.
    pub(crate) fn name(&self) -> String {
        match self {
            OpenDestination::Store(store) => store.name.clone(),
            OpenDestination::Rsync(rsync) => rsync.name(),
            OpenDestination::GitHub(github, _) => github.name(),
            OpenDestination::Web(at, _) => at.url.clone(),
        }
    }

    /// Checks, before anything is sent, that the place would take these files.
    pub(super) fn check(&self, files: &[String], sizes: &Files) -> Result<(), UploadError> {
        match self {
            OpenDestination::GitHub(github, _) => Ok(github.check(files, sizes)?),
            _ => Ok(()),
        }
    }

    /// Brings what was sent and does not appear file by file.
    pub(super) fn complete(&self) -> Result<(), UploadError> {
        match self {
            OpenDestination::GitHub(github, _) => github.commit(),
            _ => Ok(()),
        }
    }

    /// Makes the folder, or what else files are put into.
    pub(super) fn create(&self) -> Result<(), UploadError> {
        match self {
            OpenDestination::Store(store) => Ok(store.create()?),
            OpenDestination::GitHub(github, _) => Ok(github.create()?),
            _ => Ok(()),
        }
    }

    pub(super) fn list(&self) -> Result<Files, UploadError> {
        match self {
            OpenDestination::Store(store) => store.list(),
            OpenDestination::Rsync(rsync) => rsync.list(),
            OpenDestination::GitHub(github, _) => github.list(),
            OpenDestination::Web(..) => Ok(Files::new()),
        }
    }

    /// Lists what an interrupted upload left there, if that can be seen.
    pub(super) fn leftovers(&self) -> Result<Vec<String>, UploadError> {
        match self {
            OpenDestination::Store(store) => Ok(store.leftovers()?),
            _ => Ok(Vec::new()),
        }
    }

    /// Removes what an interrupted upload left.
    pub(super) fn sweep(&self, leftovers: &[String]) -> Result<(), UploadError> {
        match self {
            OpenDestination::Store(store) => Ok(store.sweep(leftovers)?),
            _ => Ok(()),
        }
    }

    /// Makes sure that what is read from now on is what is there now.
    ///
    /// # Errors
    /// [`UploadError`].
    pub(crate) fn refresh(&self) -> Result<(), UploadError> {
        match self {
            OpenDestination::Rsync(rsync) => rsync.refresh(),
            OpenDestination::GitHub(github, _) => Ok(github.refresh()?),
            _ => Ok(()),
        }
    }

    /// Reads a small file; `None` if there is none.
    ///
    /// # Errors
    /// [`UploadError`].
    pub(crate) fn read(&self, path: &str, limit: u64) -> Result<Option<Found>, UploadError> {
        let plain = |bytes| Found {
            bytes,
            version: None,
        };
        match self {
            OpenDestination::Store(store) => store.read(path, limit),
            OpenDestination::Rsync(rsync) => Ok(rsync.read(path, limit)?.map(plain)),
            OpenDestination::GitHub(github, _) => github.read(path, limit),
            OpenDestination::Web(at, http) => {
                let url = format!("{}/{}", at.url, tuf::percent_encode_path(path));
                match http.get(&url, limit, None)? {
                    Answer::Found { bytes, .. } => Ok(Some(plain(bytes))),
                    Answer::Absent | Answer::NotModified => Ok(None),
                    // As object stores answer where there is nothing.
                    Answer::Forbidden if path.ends_with(".root.json") => Ok(None),
                    Answer::Forbidden => Err(HttpError::forbidden(&url).into()),
                }
            }
        }
    }

    pub(super) fn send(
        &self,
        group: &[String],
        repository: &Path,
        there: &Files,
        bar: &ProgressBar,
    ) -> Result<(), UploadError> {
        match self {
            OpenDestination::Store(store) => store.send_all(group, repository, there, bar),
            OpenDestination::Rsync(rsync) => rsync.send(repository, group),
            OpenDestination::GitHub(github, _) => github.send(group, repository, bar),
            OpenDestination::Web(at, _) => Err(UploadError::Destination(at.url.clone())),
        }
    }

    pub(super) fn replace(
        &self,
        path: &str,
        repository: &Path,
        bytes: Vec<u8>,
        seen: Option<&Found>,
    ) -> Result<(), UploadError> {
        match self {
            OpenDestination::Store(store) => store.replace(path, bytes, seen),
            OpenDestination::Rsync(rsync) => rsync.send(repository, &[path.to_owned()]),
            OpenDestination::GitHub(github, _) => github.replace(path, bytes),
            OpenDestination::Web(at, _) => Err(UploadError::Destination(at.url.clone())),
        }
    }

    pub(super) fn delete(&self, files: &[String]) -> Result<(), UploadError> {
        match self {
            _ if files.is_empty() => Ok(()),
            OpenDestination::Store(store) => files.iter().try_for_each(|file| store.delete(file)),
            OpenDestination::Rsync(rsync) => rsync.delete(files),
            OpenDestination::GitHub(github, _) => github.delete(files),
            OpenDestination::Web(at, _) => Err(UploadError::Destination(at.url.clone())),
        }
    }

    /// Downloads the target `path`, stored as `stored`, to `to`, and checks
    /// it. What is there from an earlier call is not asked for again.
    ///
    /// # Errors
    /// [`UploadError`]; what came is kept, unless it is wrong.
    pub(crate) fn download(
        &self,
        path: &str,
        stored: &str,
        target: &TargetFile,
        to: &Path,
        bar: &ProgressBar,
    ) -> Result<(), UploadError> {
        let resumed = fs::size(to)? > 0;
        match self.attempt(path, stored, target, to, bar) {
            Err(UploadError::Tuf(e)) => {
                fs::remove_file_if_exists(to)?;
                if resumed {
                    self.download(path, stored, target, to, bar)
                } else {
                    Err(e.into())
                }
            }
            result => result,
        }
    }

    fn attempt(
        &self,
        path: &str,
        stored: &str,
        target: &TargetFile,
        to: &Path,
        bar: &ProgressBar,
    ) -> Result<(), UploadError> {
        let place = format!("targets/{stored}");
        if let OpenDestination::Rsync(rsync) = self {
            rsync.fetch(&place, to)?;
        }
        let mut hasher = target.hasher(path)?;
        let (mut file, mut length) = fs::open_to_append(to, &mut |data| hasher.update(data))?;
        if length < target.length || target.length == 0 {
            let mut take = |at: u64, data: &[u8]| -> Result<(), UploadError> {
                if at == 0 && length > 0 {
                    // All of it comes again.
                    (file, length) = (fs::create_empty(to)?, 0);
                    hasher = target.hasher(path)?;
                }
                length += data.len() as u64;
                tuf::metadata::verify_length(path, target.length, length.max(target.length))?;
                hasher.update(data);
                bar.inc(data.len() as u64);
                Ok(file
                    .write_all(data)
                    .map_err(|e| FsError::new("write", to, e))?)
            };
            let from = fs::size(to)?;
            let rest = Rest {
                from,
                length: target.length,
                // A server that cannot resume sends all of it again.
                most: target.length,
            };
            match self {
                OpenDestination::Store(store) => {
                    let mut at = from;
                    store.stream(&place, from, &mut |data| {
                        let done = take(at, data);
                        at += data.len() as u64;
                        done
                    })?;
                }
                OpenDestination::Web(at, http) => {
                    let name = tuf::percent_encode_path(stored);
                    http.stream_rest(&format!("{}/{name}", at.targets_url), rest, &mut take)?;
                }
                OpenDestination::GitHub(github, http) => match github.content(stored)? {
                    Content::Elsewhere(url) => drop(http.stream_rest(&url, rest, &mut take)?),
                    Content::Body(body) => read_all(stored, body, &mut take)?,
                },
                OpenDestination::Rsync(_) => {}
            }
        }
        file.sync_all().map_err(|e| FsError::new("sync", to, e))?;
        tuf::metadata::verify_length(path, target.length, length)?;
        Ok(hasher.finish(path)?)
    }
}

/// Takes all of a body.
fn read_all<T>(name: &str, body: ureq::Body, take: &mut T) -> Result<(), UploadError>
where
    T: FnMut(u64, &[u8]) -> Result<(), UploadError>,
{
    let mut reader = body.into_reader();
    let (mut at, mut buffer) = (0, vec![0; 1 << 16]);
    loop {
        let n = reader
            .read(&mut buffer)
            .map_err(|e| GitHubError::Unreachable {
                what: format!("send {name}"),
                reason: e.to_string(),
            })?;
        if n == 0 {
            return Ok(());
        }
        take(at, &buffer[..n])?;
        at += n as u64;
    }
}
