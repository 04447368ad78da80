//! Uploads to GitHub, and fetches from there: the targets are files of a release,
//! and the metadata is on a branch, on which it changes in one commit.

mod api;
mod branch;
mod error;
mod release;

use super::error::UploadError;
use super::object_store::Found;
use super::plan::Files;
use crate::metadata::limits;
use crate::project::github::GitHubPlace;
use api::Api;
pub(crate) use api::Content;
use branch::{Branch, Changes};
pub(crate) use error::GitHubError;
use indicatif::ProgressBar;
use notsotuf_stub::fs;
use release::{Release, SendError, check_file};
use std::cell::RefCell;
use std::path::Path;

/// Gives access to a branch and a release of a repository.
pub(crate) struct GitHub {
    place: GitHubPlace,
    api: Api,
    /// What is there, as far as it was asked for.
    there: RefCell<There>,
}

#[derive(Debug, Default)]
struct There {
    branch: Option<Branch>,
    /// Whether there is one, and which.
    release: Option<Option<Release>>,
    /// Metadata that the next commit brings, or removes.
    staged: Changes,
}

impl GitHub {
    /// Opens the place; nothing is asked for yet.
    ///
    /// # Errors
    /// [`GitHubError`], for an address or a token that cannot be used.
    pub(super) fn open(place: &GitHubPlace) -> Result<Self, GitHubError> {
        Ok(GitHub {
            place: place.clone(),
            api: Api::open()?,
            there: RefCell::default(),
        })
    }

    /// Returns the destination as it is written.
    pub(super) fn name(&self) -> String {
        self.place.to_string()
    }

    /// Lists what is there.
    ///
    /// # Errors
    /// [`GitHubError`].
    pub(super) fn list(&self) -> Result<Files, UploadError> {
        self.look()?;
        self.refresh()?;
        let there = &mut *self.there.borrow_mut();
        let branch = there.branch.get_or_insert_default();
        let metadata = branch
            .files
            .iter()
            .map(|(path, (_, size))| (path.clone(), *size));
        let mut files: Files = metadata.collect();
        if let Some(release) = self.release(&mut there.release)? {
            let targets = release.files();
            files.extend(targets.map(|(name, size)| (format!("targets/{name}"), size)));
        }
        Ok(files)
    }

    /// Makes sure that the repository is there, and public.
    fn look(&self) -> Result<bool, GitHubError> {
        let what = format!("read {}", self.place);
        let path = format!("/repos/{}/{}", self.place.owner, self.place.repository);
        let answer = self.api.get(&path, &what)?;
        match answer.status {
            200 => Ok(answer.body["private"] == true),
            404 => Err(GitHubError::NoRepository { place: self.name() }),
            _ => Err(api::refused(answer, &what)),
        }
    }

    fn release<'a>(
        &self,
        known: &'a mut Option<Option<Release>>,
    ) -> Result<&'a mut Option<Release>, GitHubError> {
        Ok(match known {
            Some(release) => release,
            None => known.insert(Release::load(&self.api, &self.place)?),
        })
    }

    /// Reads what the branch has now.
    ///
    /// # Errors
    /// [`GitHubError`].
    pub(super) fn refresh(&self) -> Result<(), GitHubError> {
        let branch = Branch::load(&self.api, &self.place)?;
        self.there.borrow_mut().branch = Some(branch);
        Ok(())
    }

    /// Reads a metadata file, as it will be with what is sent already.
    ///
    /// # Errors
    /// [`UploadError`].
    pub(super) fn read(&self, path: &str, limit: u64) -> Result<Option<Found>, UploadError> {
        let there = &mut *self.there.borrow_mut();
        let found = |bytes: Vec<u8>| Found {
            bytes,
            version: None,
        };
        if let Some(staged) = there.staged.get(path) {
            return Ok(staged.clone().map(found));
        }
        let branch = match &there.branch {
            Some(branch) => branch,
            None => there.branch.insert(Branch::load(&self.api, &self.place)?),
        };
        match branch.files.get(path) {
            None => Ok(None),
            Some((_, size)) if *size > limit => Err(UploadError::TooLarge {
                place: format!("{path} of {}", self.place),
                size: *size,
            }),
            Some((blob, _)) => Ok(Some(found(Branch::blob(&self.api, &self.place, blob)?))),
        }
    }

    /// Checks, before anything is sent, that GitHub would take these files of `sizes`.
    ///
    /// # Errors
    /// [`GitHubError`].
    pub(super) fn check(&self, files: &[String], sizes: &Files) -> Result<(), GitHubError> {
        let there = &mut *self.there.borrow_mut();
        let release = self.release(&mut there.release)?;
        let mut new = 0;
        for path in files {
            if let Some(name) = path.strip_prefix("targets/") {
                check_file(name, sizes.get(path).copied().unwrap_or(0))?;
                new += usize::from(release.as_ref().is_none_or(|release| !release.has(name)));
            }
        }
        let count = release.as_ref().map_or(0, Release::count);
        Release::check_room(&self.place, count, new)
    }

    /// Makes what targets and metadata are put into, as far as it is not there.
    ///
    /// # Errors
    /// [`GitHubError`], if clients or we may not.
    pub(super) fn create(&self) -> Result<(), GitHubError> {
        let place = self.name();
        if !self.api.has_token() {
            return Err(GitHubError::NoToken { place });
        }
        if self.look()? {
            return Err(GitHubError::Private { place });
        }
        let there = &mut *self.there.borrow_mut();
        let release = self.release(&mut there.release)?;
        if release.is_none() {
            *release = Some(Release::create(&self.api, &self.place)?);
        }
        Ok(())
    }

    /// Sends targets; metadata waits for the commit.
    ///
    /// # Errors
    /// [`UploadError`].
    pub(super) fn send(
        &self,
        group: &[String],
        repository: &Path,
        bar: &ProgressBar,
    ) -> Result<(), UploadError> {
        let there = &mut *self.there.borrow_mut();
        for path in group {
            let from = fs::join(repository, path);
            let Some(name) = path.strip_prefix("targets/") else {
                let bytes = fs::read_optional(&from, limits::READ)?;
                let bytes = bytes.ok_or_else(|| UploadError::Missing {
                    place: self.name(),
                    files: vec![path.clone()],
                })?;
                bar.inc(bytes.len() as u64);
                there.staged.insert(path.clone(), Some(bytes));
                continue;
            };
            let release = self.release(&mut there.release)?.as_mut();
            let release = release.ok_or_else(|| UploadError::Raced(self.name()))?;
            let sent = release.send(&self.api, &self.place, name, &from, bar);
            sent.map_err(|e| match e {
                SendError::GitHub(e) => UploadError::from(e),
                SendError::Fs(e) => e.into(),
            })?;
        }
        Ok(())
    }

    /// Brings the timestamp, and all metadata that was sent before.
    ///
    /// # Errors
    /// [`UploadError::Raced`], if the branch has moved on.
    pub(super) fn replace(&self, path: &str, bytes: Vec<u8>) -> Result<(), UploadError> {
        self.there
            .borrow_mut()
            .staged
            .insert(path.into(), Some(bytes));
        self.commit()
    }

    /// Makes a commit of what waits for one.
    ///
    /// # Errors
    /// As [`GitHub::replace`].
    pub(super) fn commit(&self) -> Result<(), UploadError> {
        let there = &mut *self.there.borrow_mut();
        if there.staged.is_empty() {
            return Ok(());
        }
        let branch = there.branch.get_or_insert_default();
        let next = branch.commit(&self.api, &self.place, &there.staged)?;
        // Not asked for again: an answer may be older than the commit.
        *branch = next.ok_or_else(|| UploadError::Raced(self.name()))?;
        there.staged.clear();
        Ok(())
    }

    /// Removes files.
    ///
    /// # Errors
    /// [`UploadError`].
    pub(super) fn delete(&self, files: &[String]) -> Result<(), UploadError> {
        {
            let there = &mut *self.there.borrow_mut();
            for path in files {
                if let Some(name) = path.strip_prefix("targets/") {
                    if let Some(release) = self.release(&mut there.release)? {
                        release.delete(&self.api, &self.place, name)?;
                    }
                } else if there
                    .branch
                    .as_ref()
                    .is_some_and(|b| b.files.contains_key(path))
                {
                    there.staged.insert(path.clone(), None);
                }
            }
        }
        self.commit()
    }

    /// Returns where the content of a target is.
    ///
    /// # Errors
    /// [`UploadError`].
    pub(crate) fn content(&self, stored: &str) -> Result<Content, UploadError> {
        let there = &mut *self.there.borrow_mut();
        let release = self.release(&mut there.release)?;
        let missing = || GitHubError::Refused {
            what: format!("read {stored} of {}", self.place),
            status: 404,
            message: "the release has no such file".into(),
        };
        let content = match release {
            Some(release) => release.content(&self.api, &self.place, stored)?,
            None => None,
        };
        Ok(content.ok_or_else(missing)?)
    }
}
