//! Brings the trusted metadata up to date.

use crate::http::{Answer, Http, HttpError, shown};
use crate::repository::Repository;
use crate::repository::download::oddity_of;
use crate::repository::error::{RepositoryError, Time};
use crate::repository::urls::{Place, slashed};
use crate::tuf::{Refresh, Step, TargetFile, UnixTime};
use crate::{fs, tuf};

impl Repository {
    /// Brings the trusted metadata up to date, as of the time `now`: the top
    /// level of the client workflow of the TUF specification, section 5.
    ///
    /// # Errors
    /// [`RepositoryError`]; what was accepted before the error stays trusted.
    pub fn refresh(&self, now: UnixTime) -> Result<Refresh, RepositoryError> {
        self.anywhere(self.time_to_decide(), &mut |place, http, _| {
            // From what is stored, each time: what one place had that can be
            // trusted is kept, and no place is believed to be older.
            let mut refresh = self.start(now)?;
            self.proceed(&mut refresh, place, http)?;
            Ok(refresh)
        })
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
        self.anywhere(self.time_to_decide(), &mut |place, http, _| {
            self.proceed(refresh, place, http)
        })?;
        Ok(refresh.found().cloned())
    }

    /// Does what `refresh` asks for until it is done.
    fn proceed(
        &self,
        refresh: &mut Refresh,
        place: &Place,
        http: &Http,
    ) -> Result<(), RepositoryError> {
        let base = slashed(&place.metadata_url);
        // The stored timestamp, once loaded: a conditional request may say
        // that it still is the one.
        let mut timestamp = None;
        loop {
            match refresh.next_step() {
                Step::Done => return Ok(()),
                Step::Load { role } => {
                    let bytes = self.load(&role);
                    if role == "timestamp" {
                        timestamp = bytes.clone();
                    }
                    refresh.answer(bytes)?;
                }
                Step::Store { role, bytes } => self.store(&role, &bytes)?,
                Step::Remove { role } => fs::remove_file(&self.path(&role))?,
                Step::Fetch {
                    role,
                    file,
                    max_length,
                } => {
                    let url = format!("{base}{}", tuf::percent_encode(&file, false));
                    let etag = timestamp
                        .as_ref()
                        .filter(|_| role == "timestamp")
                        .and_then(|bytes| self.etag(bytes));
                    let (bytes, oddity) = match http.get(&url, max_length, etag.as_deref())? {
                        Answer::Found {
                            bytes,
                            etag,
                            oddity,
                        } => {
                            if role == "timestamp" {
                                self.keep_etag(&bytes, etag.as_deref());
                            }
                            let oddity = oddity.or_else(|| oddity_of(&bytes));
                            (Some(bytes), oddity)
                        }
                        Answer::NotModified => (timestamp.take(), None),
                        Answer::Absent => (None, None),
                        // The next root need not be there; all else must.
                        Answer::Forbidden if role == "root" => (None, None),
                        Answer::Forbidden => return Err(HttpError::forbidden(&url).into()),
                    };
                    refresh.answer(bytes).map_err(|source| match oddity {
                        Some(oddity) => RepositoryError::NotMetadata {
                            url: shown(&url),
                            oddity,
                            source: Box::new(source),
                        },
                        None => source.into(),
                    })?;
                }
            }
        }
    }
}
