//! Keeps targets as the files of a release.

use super::api::{self, Answer, Api, Content, refused, text};
use super::error::GitHubError;
use crate::project::github::GitHubPlace;
use indicatif::ProgressBar;
use notsotuf_stub::fs;
use notsotuf_stub::tuf::percent_encode;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::io::{self, Read};
use std::path::Path;
use ureq::http::Method;

/// How many files a release may have, and from which size on none is taken
/// (<https://docs.github.com/repositories/releasing-projects-on-github/about-releases>).
const MOST_FILES: usize = 1000;
const TOO_LARGE: u64 = 2 << 30;

/// How often a file is sent, if it does not arrive.
const ATTEMPTS: u32 = 3;

/// Holds a release, and its files by name.
#[derive(Debug, Clone)]
pub(super) struct Release {
    id: u64,
    /// Where files are sent.
    upload_url: String,
    assets: BTreeMap<String, Asset>,
}

/// Holds a file of a release.
#[derive(Debug, Clone)]
struct Asset {
    id: u64,
    size: u64,
    /// Not only announced.
    whole: bool,
}

impl Release {
    /// Reads the release and the list of its files; `None` if there is none.
    ///
    /// # Errors
    /// [`GitHubError`].
    pub(super) fn load(api: &Api, place: &GitHubPlace) -> Result<Option<Self>, GitHubError> {
        let what = format!("read the release {} of {place}", place.name);
        let answer = api.get(&at(place, &format!("tags/{}", place.name)), &what)?;
        match answer.status {
            404 => Ok(None),
            200 => Self::read(api, place, &answer.body, &what).map(Some),
            _ => Err(refused(answer, &what)),
        }
    }

    /// Makes the release.
    ///
    /// # Errors
    /// [`GitHubError`].
    pub(super) fn create(api: &Api, place: &GitHubPlace) -> Result<Self, GitHubError> {
        let what = format!("make the release {} of {place}", place.name);
        let body = json!({
            "tag_name": place.name,
            "name": "Updates",
            "body": "Files that installed applications fetch to update themselves. They are \
                     not for people: leave this release as it is.",
            // Not offered to people as the newest version.
            "prerelease": true,
            "make_latest": "false",
        });
        let answer = api.ask(Method::POST, &at(place, ""), Some(&body), &what)?;
        match answer.status {
            201 => Self::read(api, place, &answer.body, &what),
            // Another upload made it, or an answer got lost.
            422 => Self::load(api, place)?.ok_or_else(|| refused(answer, &what)),
            _ => Err(refused(answer, &what)),
        }
    }

    fn read(
        api: &Api,
        place: &GitHubPlace,
        found: &Value,
        what: &str,
    ) -> Result<Self, GitHubError> {
        // As in https://…/assets{?name,label} (RFC 6570).
        let url = text(found, "/upload_url", what)?;
        let url = url.split('{').next().unwrap_or_default();
        let mut release = Release {
            id: number(found, "id", what)?,
            upload_url: url.into(),
            assets: BTreeMap::new(),
        };
        if !api.is_as_secure(url) {
            return Err(GitHubError::Insecure(url.into()));
        }
        release.refresh(api, place)?;
        Ok(release)
    }

    fn refresh(&mut self, api: &Api, place: &GitHubPlace) -> Result<(), GitHubError> {
        let what = format!("list the files of the release {} of {place}", place.name);
        self.assets.clear();
        let mut next = Some(at(place, &format!("{}/assets?per_page=100", self.id)));
        while let Some(page) = next {
            let answer = api.get(&page, &what)?;
            let Some(list) = answer.body.as_array().filter(|_| answer.status == 200) else {
                return Err(refused(answer, &what));
            };
            for found in list {
                let (name, asset) = asset(found, &what)?;
                self.assets.insert(name, asset);
            }
            next = answer.next;
        }
        Ok(())
    }

    /// Returns the names and sizes of files that have arrived.
    pub(super) fn files(&self) -> impl Iterator<Item = (&String, u64)> {
        let whole = self.assets.iter().filter(|(_, asset)| asset.whole);
        whole.map(|(name, asset)| (name, asset.size))
    }

    /// Returns how many files it has, whoever they are of.
    pub(super) fn count(&self) -> usize {
        self.assets.len()
    }

    /// Returns whether it has such a file.
    pub(super) fn has(&self, name: &str) -> bool {
        self.assets.contains_key(name)
    }

    /// Sends a file. One that is there is replaced, unless it arrived only now and never
    /// changes.
    ///
    /// # Errors
    /// [`GitHubError`].
    pub(super) fn send(
        &mut self,
        api: &Api,
        place: &GitHubPlace,
        name: &str,
        from: &Path,
        bar: &ProgressBar,
    ) -> Result<(), SendError> {
        let what = format!("take {name} into the release {} of {place}", place.name);
        let size = fs::size(from)?;
        for attempt in 1.. {
            if self.make_way(api, place, name, size)? {
                return Ok(());
            }
            let before = bar.position();
            let failed = match self.send_once(api, name, (from, size), &what, bar) {
                Ok(answer) if answer.status == 201 => {
                    return Ok(self.arrived(api, place, name, size, &answer.body, &what)?);
                }
                Ok(answer) if answer.status == 422 || answer.status >= 500 => {
                    refused(answer, &what)
                }
                Ok(answer) => return Err(refused(answer, &what).into()),
                Err(SendError::GitHub(e @ GitHubError::Unreachable { .. })) => e,
                Err(SendError::GitHub(e)) if api::wait_for(&e) => e,
                Err(e) => return Err(e),
            };
            // Perhaps an answer got lost, or another upload brought the same.
            self.refresh(api, place)?;
            let there = self.assets.get(name);
            if there.is_some_and(|asset| asset.whole && asset.size == size) {
                return Ok(());
            }
            // Not there at all, and so not why it was refused.
            let hopeless =
                matches!(failed, GitHubError::Refused { status: 422, .. }) && there.is_none();
            if hopeless || attempt == ATTEMPTS {
                return Err(failed.into());
            }
            log::info!("{failed}; sending it again");
            bar.set_position(before);
        }
        unreachable!("the last attempt returns")
    }

    /// Removes the file of that name, which may be announced only. Returns whether another
    /// upload has brought it meanwhile.
    fn make_way(
        &mut self,
        api: &Api,
        place: &GitHubPlace,
        name: &str,
        size: u64,
    ) -> Result<bool, GitHubError> {
        let Some(known) = self.assets.get(name).map(|asset| asset.id) else {
            return Ok(false);
        };
        self.refresh(api, place)?;
        let there = self.assets.get(name);
        if there.is_some_and(|asset| asset.id != known && asset.whole && asset.size == size) {
            return Ok(true);
        }
        self.delete(api, place, name)?;
        Ok(false)
    }

    fn send_once(
        &self,
        api: &Api,
        name: &str,
        (from, size): (&Path, u64),
        what: &str,
        bar: &ProgressBar,
    ) -> Result<Answer, SendError> {
        let url = format!("{}?name={}", self.upload_url, percent_encode(name));
        let file = fs::open(from)?;
        let mut read = bar.wrap_read(file);
        let mut failed = None;
        let mut reader = Watched(&mut read, &mut failed);
        let sent = api.send_file(&url, size, &mut reader, what);
        match failed {
            // Not GitHub's fault.
            Some(e) => Err(fs::FsError::new("read", from, e).into()),
            None => Ok(sent?),
        }
    }

    fn arrived(
        &mut self,
        api: &Api,
        place: &GitHubPlace,
        name: &str,
        size: u64,
        found: &Value,
        what: &str,
    ) -> Result<(), GitHubError> {
        let (given, asset) = asset(found, what)?;
        let whole = asset.whole && asset.size == size;
        self.assets.insert(given.clone(), asset);
        if given != name {
            self.delete(api, place, &given)?;
            return Err(GitHubError::Renamed {
                asked: name.into(),
                given,
            });
        }
        if whole {
            Ok(())
        } else {
            Err(GitHubError::Answer {
                what: what.into(),
                reason: format!("it is not {size} bytes there"),
            })
        }
    }

    /// Removes a file.
    ///
    /// # Errors
    /// [`GitHubError`].
    pub(super) fn delete(
        &mut self,
        api: &Api,
        place: &GitHubPlace,
        name: &str,
    ) -> Result<(), GitHubError> {
        let Some(asset) = self.assets.remove(name) else {
            return Ok(());
        };
        let what = format!("remove {name} from the release {} of {place}", place.name);
        let path = at(place, &format!("assets/{}", asset.id));
        let answer = api.ask(Method::DELETE, &path, None, &what)?;
        match answer.status {
            // Somebody else removed it.
            204 | 404 => Ok(()),
            _ => Err(refused(answer, &what)),
        }
    }

    /// Returns where the content of a file is.
    ///
    /// # Errors
    /// [`GitHubError`].
    pub(super) fn content(
        &self,
        api: &Api,
        place: &GitHubPlace,
        name: &str,
    ) -> Result<Option<Content>, GitHubError> {
        let Some(asset) = self.assets.get(name).filter(|asset| asset.whole) else {
            return Ok(None);
        };
        let what = format!("read {name} of the release {} of {place}", place.name);
        let path = at(place, &format!("assets/{}", asset.id));
        api.content(&path, &what).map(Some)
    }

    /// Checks that as many new files have room.
    ///
    /// # Errors
    /// [`GitHubError::Full`].
    pub(super) fn check_room(
        place: &GitHubPlace,
        there: usize,
        new: usize,
    ) -> Result<(), GitHubError> {
        if there + new > MOST_FILES && new > 0 {
            return Err(GitHubError::Full {
                place: place.to_string(),
                there,
                new,
            });
        }
        Ok(())
    }
}

/// Checks that GitHub takes a file, under this name.
///
/// # Errors
/// [`GitHubError::Name`], [`GitHubError::TooLarge`].
pub(super) fn check_file(name: &str, size: u64) -> Result<(), GitHubError> {
    let kept = |c: char| c.is_ascii_alphanumeric() || "._+-".contains(c);
    if name.is_empty() || !name.chars().all(kept) || name.starts_with('.') || name.ends_with('.') {
        return Err(GitHubError::Name(name.into()));
    }
    if size >= TOO_LARGE {
        return Err(GitHubError::TooLarge {
            name: name.into(),
            size,
        });
    }
    Ok(())
}

/// Says why a file was not sent.
#[derive(Debug, thiserror::Error)]
pub(super) enum SendError {
    #[error(transparent)]
    GitHub(#[from] GitHubError),
    #[error(transparent)]
    Fs(#[from] fs::FsError),
}

/// Reads, and keeps the error for who asks.
struct Watched<'a>(&'a mut dyn Read, &'a mut Option<io::Error>);

impl Read for Watched<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.read(buffer).map_err(|e| {
            let told = io::Error::from(e.kind());
            *self.1 = Some(e);
            told
        })
    }
}

fn asset(found: &Value, what: &str) -> Result<(String, Asset), GitHubError> {
    let asset = Asset {
        id: number(found, "id", what)?,
        size: number(found, "size", what)?,
        whole: found["state"] == "uploaded",
    };
    Ok((text(found, "/name", what)?, asset))
}

fn number(found: &Value, name: &str, what: &str) -> Result<u64, GitHubError> {
    found[name].as_u64().ok_or_else(|| GitHubError::Answer {
        what: what.into(),
        reason: format!("there is no {name}"),
    })
}

fn at(place: &GitHubPlace, path: &str) -> String {
    let GitHubPlace {
        owner, repository, ..
    } = place;
    let path = format!("/repos/{owner}/{repository}/releases/{path}");
    path.trim_end_matches('/').into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_keeps_its_name_is_sent() {
        let hash = "a".repeat(64);
        for name in ["myapp-1.0.tar.gz", "my_app-1.0+local.1.patch", "a"] {
            assert!(check_file(&format!("{hash}.{name}"), 1).is_ok(), "{name}");
        }
        for name in [
            "",
            ".hidden",
            "a.",
            "a b",
            "app-1!2.0.tar.gz",
            "a~1",
            "größe",
            "a/b",
            "a%20b",
        ] {
            assert!(
                matches!(check_file(name, 1), Err(GitHubError::Name(_))),
                "{name}"
            );
        }
        assert!(check_file("a", TOO_LARGE - 1).is_ok());
        assert!(matches!(
            check_file("a", TOO_LARGE),
            Err(GitHubError::TooLarge { .. })
        ));
    }

    #[test]
    fn a_thousand_files_have_room() {
        let place = GitHubPlace::parse("me/app").unwrap();
        let room = |there, new| Release::check_room(&place, there, new).is_ok();
        assert!(room(0, 1000) && room(999, 1) && room(1000, 0) && room(1200, 0));
        assert!(!room(0, 1001) && !room(1000, 1) && !room(990, 11));
    }
}
