//! Brings the trusted metadata up to date.

use crate::http::{Answer, Http, HttpError, Oddity, shown};
use crate::repository::Repository;
use crate::repository::download::oddity_of;
use crate::repository::error::{RepositoryError, Time};
use crate::repository::urls::slashed;
use crate::settings::RepositoryUrls;
use crate::tuf::{Refresh, RefreshIo, TargetFile, TufError, UnixTime};
use crate::{fs, tuf};
use std::time::Duration;

/// Names the file that is as old as the last question to earlier places.
const ASKED: &str = "earlier-places";
const DAY: Duration = Duration::from_secs(24 * 3600);
/// How long one of them may take to connect, and say nothing.
const ITS_TIME: Duration = Duration::from_secs(1);

impl Repository {
    /// Brings the trusted metadata up to date, as of the time `now`: the top
    /// level of the client workflow of the TUF specification, section 5.
    ///
    /// # Errors
    /// [`RepositoryError`]; what was accepted before the error stays trusted.
    pub fn refresh(&self, now: UnixTime) -> Result<Refresh, RepositoryError> {
        self.ask_earlier_places(now);
        self.with_mirrors(self.time_to_decide(), &mut |urls, http, _| {
            // From what is stored, each time: what one place had that can be
            // trusted is kept, and no place is believed to be older.
            let mut refresh = self.start(now)?;
            self.proceed(&mut refresh, urls, http)?;
            Ok(refresh)
        })
    }

    /// Takes what the shipped places have, where a release said that its files are
    /// elsewhere. Whoever released that with stolen keys would not show the root
    /// that ends what these can do; its owners publish that where they always did.
    fn ask_earlier_places(&self, now: UnixTime) {
        if self.earlier.is_empty() {
            return;
        }
        let stamp = self.metadata.join(ASKED);
        let asked = std::fs::metadata(&stamp).and_then(|found| found.modified());
        let is_recent = asked.is_ok_and(|at| at.elapsed().is_ok_and(|age| age < DAY));
        if is_recent {
            return;
        }
        // Before, as they may be the reason that this start waits no longer.
        if let Err(e) = fs::write_atomically(&stamp, b"") {
            return log::debug!("{e}");
        }
        let http = self.http.hurried(ITS_TIME, ITS_TIME);
        for urls in &self.earlier {
            let refresh = self.start(now);
            let asked = refresh.and_then(|mut refresh| self.proceed(&mut refresh, urls, &http));
            if let Err(e) = asked {
                log::debug!("{}", urls.says(&e));
            }
        }
    }

    fn time_to_decide(&self) -> Time {
        let options = self.http.options();
        // The deadline began a little earlier than this.
        let deadline = options.deadline.map(|deadline| deadline.mul_f32(0.9));
        deadline.map_or(Time::OfSilence(options.silence), Time::InAll)
    }

    /// Looks for a target, in delegated roles too, fetching their metadata.
    ///
    /// # Errors
    /// [`RepositoryError`].
    pub fn find(
        &self,
        refresh: &mut Refresh,
        path: &str,
    ) -> Result<Option<TargetFile>, RepositoryError> {
        refresh.search(path)?;
        // What one place does not have is still wanted from the next.
        self.with_mirrors(self.time_to_decide(), &mut |urls, http, _| {
            self.proceed(refresh, urls, http)
        })?;
        Ok(refresh.found().cloned())
    }

    /// Does what `refresh` asks for until it is done.
    fn proceed(
        &self,
        refresh: &mut Refresh,
        urls: &RepositoryUrls,
        http: &Http,
    ) -> Result<(), RepositoryError> {
        refresh.run(&mut RepositoryIo {
            repository: self,
            http,
            base: slashed(&urls.metadata_url),
            timestamp: None,
            last: None,
        })
    }
}

/// The stored metadata, and one place of a repository.
struct RepositoryIo<'a> {
    repository: &'a Repository,
    http: &'a Http,
    base: String,
    /// The stored timestamp, once loaded: a conditional request may say that it
    /// still is the one.
    timestamp: Option<Vec<u8>>,
    /// Where the last answer was from, if there was something odd about it.
    last: Option<(String, Oddity)>,
}

impl RefreshIo for RepositoryIo<'_> {
    type Error = RepositoryError;

    fn load(&mut self, role: &str) -> Option<Vec<u8>> {
        let bytes = self.repository.load(role);
        if role == "timestamp" {
            self.timestamp = bytes.clone();
        }
        bytes
    }

    fn fetch(
        &mut self,
        role: &str,
        file: &str,
        max_length: u64,
    ) -> Result<Option<Vec<u8>>, RepositoryError> {
        let url = format!("{}{}", self.base, tuf::percent_encode(file));
        let stored = self.timestamp.as_ref().filter(|_| role == "timestamp");
        let etag = stored.and_then(|bytes| self.repository.etag(bytes));
        self.last = None;
        match self.http.get(&url, max_length, etag.as_deref())? {
            Answer::Found {
                bytes,
                etag,
                oddity,
            } => {
                if role == "timestamp" {
                    self.repository.keep_etag(&bytes, etag.as_deref());
                }
                let oddity = oddity.or_else(|| oddity_of(&bytes));
                self.last = oddity.map(|oddity| (url, oddity));
                Ok(Some(bytes))
            }
            Answer::NotModified => Ok(self.timestamp.take()),
            // The next root need not be there; all else must.
            Answer::Absent => Ok(None),
            Answer::Forbidden if role == "root" => Ok(None),
            Answer::Forbidden => Err(HttpError::forbidden(&url).into()),
        }
    }

    fn store(&mut self, role: &str, bytes: &[u8]) -> Result<(), RepositoryError> {
        self.repository.store(role, bytes)
    }

    fn remove(&mut self, role: &str) -> Result<(), RepositoryError> {
        Ok(fs::remove_file_if_exists(&self.repository.path(role))?)
    }

    fn refused(&mut self, source: TufError) -> RepositoryError {
        match self.last.take() {
            Some((url, oddity)) => RepositoryError::NotMetadata {
                url: shown(&url),
                oddity,
                source: Box::new(source),
            },
            None => source.into(),
        }
    }
}
