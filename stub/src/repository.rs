//! A TUF repository as the client has it: trusted metadata in a folder, new
//! metadata and targets over HTTP. What to fetch and what to believe is up to
//! [`crate::tuf`].

use crate::error::Class;
use crate::fs::{self, FsError};
use crate::http::{Answer, Http, HttpError};
use crate::tuf::{self, Bounds, Refresh, Step, TargetFile, TufError, UnixTime};
use std::io::Write;
use std::path::{Path, PathBuf};

/// Why metadata could not be refreshed or a target not be had.
#[derive(Debug, thiserror::Error)]
pub enum RepositoryError {
    /// Refused.
    #[error(transparent)]
    Tuf(#[from] TufError),
    /// The network.
    #[error(transparent)]
    Http(#[from] HttpError),
    /// The disk.
    #[error(transparent)]
    Fs(#[from] FsError),
    /// No place is named.
    #[error("no address is named from which files could be fetched")]
    NoPlace,
    /// There is no trusted root to start from.
    #[error("there is no {path:?}; it belongs beside the stub, as `notsotuf ship` puts it there")]
    NoRoot {
        /// The shipped root.
        path: PathBuf,
    },
}

impl RepositoryError {
    /// The class of problem.
    pub fn class(&self) -> Class {
        match self {
            RepositoryError::Tuf(e) => e.class(),
            RepositoryError::Http(e) => e.class(),
            RepositoryError::Fs(_) | RepositoryError::NoPlace | RepositoryError::NoRoot { .. } => {
                Class::Local
            }
        }
    }
}

/// How often a download is gone on with after its connection broke.
const ATTEMPTS: u32 = 10;

/// One repository.
pub struct Repository {
    /// The folder of the trusted metadata; it must exist.
    pub metadata: PathBuf,
    /// The root to start from while that folder has none.
    pub shipped_root: PathBuf,
    /// Where its files are: the first that answers is used.
    pub places: Vec<Place>,
    /// How they are fetched.
    pub http: Http,
}

/// Where files of a repository are, with or without a final slash.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The metadata files.
    pub metadata_url: String,
    /// The target files.
    pub targets_url: String,
}

impl Repository {
    /// Brings the trusted metadata up to date, as of the time `now`: the top
    /// level of the client workflow of the TUF specification, section 5.
    ///
    /// # Errors
    /// [`RepositoryError`]; what was accepted before the error stays trusted.
    pub fn refresh(&self, now: UnixTime) -> Result<Refresh, RepositoryError> {
        self.anywhere(|place| {
            let mut refresh = self.start(now)?;
            self.proceed(&mut refresh, place)?;
            Ok(refresh)
        })
    }

    /// Does `work` at the first place; where that is out of reach, at the
    /// next one.
    fn anywhere<T>(
        &self,
        mut work: impl FnMut(&Place) -> Result<T, RepositoryError>,
    ) -> Result<T, RepositoryError> {
        let mut places = self.places.iter().peekable();
        while let Some(place) = places.next() {
            match work(place) {
                Err(e) if e.class() == Class::Unavailable && places.peek().is_some() => {
                    log::warn!("{e}; trying the next mirror");
                }
                result => return result,
            }
        }
        Err(RepositoryError::NoPlace)
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
        refresh.search(path);
        let place = self.places.first().ok_or(RepositoryError::NoPlace)?;
        self.proceed(refresh, place)?;
        Ok(refresh.found().cloned())
    }

    /// Does what `refresh` asks for until it is done.
    fn proceed(&self, refresh: &mut Refresh, place: &Place) -> Result<(), RepositoryError> {
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
                Step::Store { role, bytes } => fs::write_atomically(&self.path(&role), &bytes)?,
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
                    let bytes = match self.http.get(&url, max_length, etag.as_deref())? {
                        Answer::Found { bytes, etag } => {
                            if role == "timestamp" {
                                self.keep_etag(&bytes, etag.as_deref());
                            }
                            Some(bytes)
                        }
                        Answer::NotModified => timestamp.take(),
                        Answer::Absent => None,
                        // The next root need not be there; all else must.
                        Answer::Forbidden if role == "root" => None,
                        Answer::Forbidden => return Err(HttpError::forbidden(&url).into()),
                    };
                    refresh.answer(bytes)?;
                }
            }
        }
    }

    /// Downloads a target to the file `to`, checks its length and hashes, and
    /// tells how many bytes have come. What `to` has already, from an earlier
    /// call that failed, is not asked for again; nor is what came before a
    /// connection broke.
    ///
    /// # Errors
    /// [`RepositoryError`]; the file then is incomplete, and may be given
    /// again, or is gone.
    pub fn download(
        &self,
        path: &str,
        target: &TargetFile,
        consistent_snapshot: bool,
        to: &Path,
        tell: &mut dyn FnMut(u64),
    ) -> Result<(), RepositoryError> {
        let stored = target.stored_name(path, consistent_snapshot);
        let stored = tuf::percent_encode(&stored, true);
        self.anywhere(|place| {
            let url = format!("{}{stored}", slashed(&place.targets_url));
            self.download_from(&url, path, target, to, tell)
        })
    }

    fn download_from(
        &self,
        url: &str,
        path: &str,
        target: &TargetFile,
        to: &Path,
        tell: &mut dyn FnMut(u64),
    ) -> Result<(), RepositoryError> {
        for attempt in 1.. {
            let before = fs::size(to)?;
            let Err(error) = self.attempt(url, path, target, to, tell) else {
                break;
            };
            match &error {
                RepositoryError::Http(HttpError::Broken { .. })
                    if attempt < ATTEMPTS && fs::size(to)? > before =>
                {
                    log::info!("{error}; going on from there");
                }
                RepositoryError::Http(e) if e.class() == Class::Unavailable => return Err(error),
                // Whatever it is that is there, it does not lead on.
                _ => {
                    fs::remove_file(to)?;
                    let resumed = matches!(error, RepositoryError::Tuf(_)) && before > 0;
                    if !resumed || attempt == ATTEMPTS {
                        return Err(error);
                    }
                    log::warn!("{error}; what was there from an earlier download is dropped");
                }
            }
        }
        Ok(())
    }

    /// One request for what is missing of a target.
    fn attempt(
        &self,
        url: &str,
        path: &str,
        target: &TargetFile,
        to: &Path,
        tell: &mut dyn FnMut(u64),
    ) -> Result<(), RepositoryError> {
        let mut hasher = target.hasher(path)?;
        let (mut file, mut received) = fs::open_to_append(to, &mut |data| hasher.update(data))?;
        if received > target.length {
            (file, received) = (fs::create_empty(to)?, 0);
            hasher = target.hasher(path)?;
        }
        if received < target.length || target.length == 0 {
            self.http.stream_from::<RepositoryError>(
                url,
                received,
                target.length,
                &mut |place, data| {
                    if place == 0 && received > 0 {
                        // The server sends all of it again.
                        (file, received) = (fs::create_empty(to)?, 0);
                        hasher = target.hasher(path)?;
                    }
                    hasher.update(data);
                    file.write_all(data)
                        .map_err(|e| FsError::new("write", to, e))?;
                    received += data.len() as u64;
                    tell(received);
                    Ok(())
                },
            )?;
        }
        tuf::schema::verify_length(path, target.length, received)?;
        hasher.finish(path)?;
        Ok(())
    }

    /// Starts from the stored root, or from the shipped one if there is none
    /// or it is damaged.
    fn start(&self, now: UnixTime) -> Result<Refresh, RepositoryError> {
        if let Some(root) = self.load("root") {
            match Refresh::new(&root, now, Bounds::default()) {
                Ok(refresh) => return Ok(refresh),
                Err(e) => {
                    log::warn!("the stored root cannot be used ({e}), taking the shipped one");
                }
            }
        }
        let path = &self.shipped_root;
        let root = fs::read_optional(path, Bounds::default().root)?
            .ok_or_else(|| RepositoryError::NoRoot { path: path.clone() })?;
        let refresh = Refresh::new(&root, now, Bounds::default())?;
        fs::write_atomically(&self.path("root"), &root)?;
        Ok(refresh)
    }

    fn path(&self, role: &str) -> PathBuf {
        let role = tuf::percent_encode(role, false);
        self.metadata.join(format!("{role}.json"))
    }

    /// A stored file that cannot be read is as good as none: a fresh one
    /// takes its place, or cannot, which is an error then.
    fn load(&self, role: &str) -> Option<Vec<u8>> {
        fs::read_optional(&self.path(role), Bounds::default().targets).unwrap_or_else(|e| {
            log::warn!("{e}");
            None
        })
    }

    fn etag_path(&self) -> PathBuf {
        self.metadata.join("timestamp.etag")
    }

    /// The entity tag that the server gave for exactly these bytes.
    fn etag(&self, timestamp: &[u8]) -> Option<String> {
        let stored = fs::read_optional(&self.etag_path(), 1024).ok()??;
        let text = String::from_utf8(stored).ok()?;
        let (hash, etag) = text.trim_end().split_once(' ')?;
        (hash == content_hash(timestamp) && !etag.is_empty()).then(|| etag.to_owned())
    }

    fn keep_etag(&self, timestamp: &[u8], etag: Option<&str>) {
        let text = format!("{} {}\n", content_hash(timestamp), etag.unwrap_or_default());
        // Only saves a few bytes next time.
        if let Err(e) = fs::write_atomically(&self.etag_path(), text.as_bytes()) {
            log::debug!("{e}");
        }
    }
}

fn slashed(url: &str) -> String {
    format!("{}/", url.trim_end_matches('/'))
}

/// SHA-256, in hexadecimal.
pub(crate) fn content_hash(bytes: &[u8]) -> String {
    let hash = ring::digest::digest(&ring::digest::SHA256, bytes);
    tuf::key::encode_hex(hash.as_ref())
}
