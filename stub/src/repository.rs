//! A TUF repository as the client has it: trusted metadata in a folder, new
//! metadata and targets over HTTP. What to fetch and what to believe is up to
//! [`crate::tuf`].

use crate::failure::Class;
use crate::fs::plain_file;
use crate::fs::{self, FsError};
use crate::http::{Answer, Http, HttpError, Oddity, Rest, shown};
use crate::tuf::key::sha256_hex;
use crate::tuf::metadata::Targets;
use crate::tuf::root_chain::{self, RootChain, SelfSignedRoot, Shipped};
use crate::tuf::{self, Bounds, Refresh, RootChange, Step, TargetFile, TufError, UnixTime};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// Why metadata could not be refreshed or a target not be had.
#[derive(Debug, thiserror::Error)]
pub enum RepositoryError {
    /// Refused.
    #[error(transparent)]
    Tuf(#[from] TufError),
    /// Refused, and it is plain to see why.
    #[error("{source}: {url} {oddity}")]
    NotMetadata {
        /// What was asked for.
        url: String,
        /// What came instead.
        oddity: Oddity,
        /// Why it was refused.
        source: Box<TufError>,
    },
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
            RepositoryError::NotMetadata { oddity, source, .. } => match oddity {
                Oddity::Cut(_) => Class::Unavailable,
                _ => source.class(),
            },
            RepositoryError::Http(e) => e.class(),
            RepositoryError::Fs(_) | RepositoryError::NoPlace | RepositoryError::NoRoot { .. } => {
                Class::Local
            }
        }
    }
}

impl RepositoryError {
    /// How much it tells, where several places failed: that something was
    /// refused is more than that nothing came; but a copy that is merely old
    /// says nothing of the place that it is a copy of.
    fn weight(&self) -> u8 {
        match self {
            RepositoryError::Tuf(TufError::Rollback { .. }) => 0,
            e if e.class() == Class::Refused => 1,
            _ => 0,
        }
    }

    /// Whether the same place may do better without haste, or as the last one
    /// that is asked.
    fn is_worth_again(&self, time: Time, last: bool) -> bool {
        match (self, time) {
            (RepositoryError::Http(HttpError::Again { .. }), _) => !last,
            // Of the last one, only connecting was cut short.
            (RepositoryError::Http(e), Time::InAll(_)) => {
                e.is_slowness() && (!last || matches!(e, HttpError::Unreachable { .. }))
            }
            _ => false,
        }
    }
}

/// The time that places have to share.
#[derive(Clone, Copy)]
enum Time {
    /// For all that is asked.
    InAll(Duration),
    /// In which nothing comes.
    OfSilence(Duration),
}

/// How often a download is gone on with after its connection broke.
const ATTEMPTS: u32 = 10;

/// How often the bytes of a target may come in one run, over all places and
/// attempts.
const TIMES: u64 = 2;
/// The roots of the stored chain, in the folder of the metadata; see
/// [`RootChain`].
const CHAIN: &str = "root.chain";

/// One repository.
pub struct Repository {
    /// The folder of the trusted metadata; it must exist.
    pub metadata: PathBuf,
    /// The root to start from while that folder has none.
    pub shipped_root: PathBuf,
    /// Where its files are: the first that has them is used.
    pub places: Vec<Place>,
    /// How they are fetched.
    pub http: Http,
    /// The place that had something last.
    preferred: AtomicUsize,
    /// Whether the stored root was compared with the shipped one by this
    /// process.
    settled: AtomicBool,
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
    /// The repository at these places.
    pub fn new(metadata: PathBuf, shipped_root: PathBuf, places: Vec<Place>, http: Http) -> Self {
        Repository {
            metadata,
            shipped_root,
            places,
            http,
            preferred: AtomicUsize::new(0),
            settled: AtomicBool::new(false),
        }
    }

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

    /// Does `work` at the place that is known to have something, and where
    /// that fails at the others, so that each gets its turn in `time`. Those
    /// that were too slow then are asked again, with patience. `work` is told
    /// whether nobody else is left to ask.
    fn anywhere<T>(
        &self,
        time: Time,
        work: &mut dyn FnMut(&Place, &Http, bool) -> Result<T, RepositoryError>,
    ) -> Result<T, RepositoryError> {
        let start = Instant::now();
        let count = self.places.len();
        let first = self.preferred.load(Ordering::Relaxed);
        let mut again = Vec::new();
        let mut worst = None;
        for turn in 0..count {
            let index = (first + turn) % count;
            let place = &self.places[index];
            let last = turn + 1 == count;
            let http = self.hurried(time, start, (turn, count));
            let error = match work(place, &http, last) {
                Ok(done) => {
                    self.preferred.store(index, Ordering::Relaxed);
                    return Ok(done);
                }
                Err(e) if e.class() == Class::Local => return Err(e),
                Err(e) => e,
            };
            if error.is_worth_again(time, last) {
                again.push(index);
            }
            let what_next = match () {
                () if !last => "; trying the next mirror",
                () if !again.is_empty() => "; trying again",
                () => "",
            };
            if count > 1 || !what_next.is_empty() {
                log::warn!("{}{what_next}", place.says(&error));
            }
            keep_worst(&mut worst, error);
        }
        for index in again {
            match work(&self.places[index], &self.http, true) {
                Ok(done) => {
                    self.preferred.store(index, Ordering::Relaxed);
                    return Ok(done);
                }
                Err(e) if e.class() == Class::Local => return Err(e),
                Err(e) => keep_worst(&mut worst, e),
            }
        }
        Err(worst.unwrap_or(RepositoryError::NoPlace))
    }

    /// The client for the place whose turn it is, of so many: one that says
    /// nothing must not use up the time of the others.
    fn hurried(&self, time: Time, start: Instant, (turn, count): (usize, usize)) -> Http {
        match time {
            Time::InAll(time) => {
                let left = time.saturating_sub(start.elapsed());
                let places = count - turn;
                let share = left / places as u32;
                match places {
                    // There is nobody else; but it is better to say that no
                    // address answers than to be cut off.
                    1 => self.http.hurried(share.mul_f32(0.7), Duration::MAX),
                    _ => self.http.hurried(share, share / 2),
                }
            }
            Time::OfSilence(time) => {
                let share = time / count as u32;
                self.http.hurried(share, share)
            }
        }
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

    /// Downloads a target to the file `to`, checks its length and hashes, and
    /// tells how many bytes have come. What `to` has already, from an earlier
    /// call that failed, is not asked for again; nor is what came before a
    /// connection broke, from whichever place. Not much more than the target's
    /// length is received in all.
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
        let mut wanted = Wanted {
            path,
            target,
            to,
            most: target.length.saturating_mul(TIMES),
            anew: false,
        };
        let time = Time::OfSilence(self.http.options().silence);
        self.anywhere(time, &mut |place, http, last| {
            wanted.anew = last;
            let url = format!("{}{stored}", slashed(&place.targets_url));
            download_from(http, &url, &mut wanted, tell)
        })
    }

    fn start(&self, now: UnixTime) -> Result<Refresh, RepositoryError> {
        Ok(Refresh::starting_from(
            self.trusted_root()?,
            now,
            Bounds::default(),
        ))
    }

    /// The stored root, after it was settled once which one that is.
    fn trusted_root(&self) -> Result<SelfSignedRoot, RepositoryError> {
        let settled = self.settled.load(Ordering::Relaxed);
        match settled.then(|| self.stored_root()).flatten() {
            Some((_, root)) => Ok(root),
            None => self.settle_root(&mut || Ok(())),
        }
    }

    /// The root to start from: the stored one, unless the shipped one is newer
    /// or of another chain, which then is stored. In the latter case all that
    /// came by the stored one goes, and `forget` is called first, for what
    /// is not in the metadata folder.
    ///
    /// # Errors
    /// If there is no root to start from; the file system's.
    pub fn settle_root(
        &self,
        forget: &mut dyn FnMut() -> Result<(), FsError>,
    ) -> Result<SelfSignedRoot, RepositoryError> {
        let root = self.settle(forget)?;
        self.settled.store(true, Ordering::Relaxed);
        Ok(root)
    }

    fn settle(
        &self,
        forget: &mut dyn FnMut() -> Result<(), FsError>,
    ) -> Result<SelfSignedRoot, RepositoryError> {
        let stored = self.stored_root();
        let (bytes, shipped) = match (self.shipped_root(stored.as_ref()), &stored) {
            (Ok(shipped), _) => shipped,
            (Err(RepositoryError::NoRoot { .. }), Some((_, root))) => return Ok(root.clone()),
            (Err(e), Some((_, root))) => {
                log::warn!("the shipped root cannot be used ({e}), keeping the stored one");
                return Ok(root.clone());
            }
            (Err(e), None) => return Err(e),
        };
        let mut chain = self.chain();
        let Some((_, stored)) = stored else {
            self.keep_chain(&RootChain::begin(&shipped))?;
            fs::write_atomically(&self.path("root"), &bytes)?;
            return Ok(shipped);
        };
        let (old, new) = (stored.version(), shipped.version());
        match root_chain::compare(&stored, &shipped, &chain) {
            Shipped::Known => {
                let unfinished = std::mem::take(&mut chain.starting_over);
                if chain.add(&stored) | chain.add(&shipped) | unfinished {
                    self.keep_chain(&chain)?;
                }
                return Ok(stored);
            }
            Shipped::Newer(change) => {
                log::info!("taking the shipped root, version {new}; version {old} was stored");
                if change == RootChange::KeysRotated {
                    // First, as when the repository rotates them.
                    for role in ["timestamp", "snapshot"] {
                        fs::remove_file(&self.path(role))?;
                    }
                }
                chain.add(&stored);
            }
            Shipped::OtherChain => {
                log::warn!(
                    "the shipped root, version {new}, does not belong to the stored one, version {old}; starting over from it"
                );
                forget()?;
                chain = RootChain::begin(&shipped);
                chain.starting_over = true;
                self.keep_chain(&chain)?;
                self.forget_metadata()?;
            }
        }
        chain.add(&shipped);
        self.keep_chain(&chain)?;
        fs::write_atomically(&self.path("root"), &bytes)?;
        if chain.starting_over {
            chain.starting_over = false;
            self.keep_chain(&chain)?;
        }
        Ok(shipped)
    }

    fn stored_root(&self) -> Option<(Vec<u8>, SelfSignedRoot)> {
        let bytes = self.load("root")?;
        match SelfSignedRoot::parse(&bytes) {
            Ok(root) => Some((bytes, root)),
            Err(e) => {
                log::warn!("the stored root cannot be used ({e}), taking the shipped one");
                None
            }
        }
    }

    /// The shipped root; as a rule it is the `stored` one, byte for byte, and
    /// need not be verified again.
    fn shipped_root(
        &self,
        stored: Option<&(Vec<u8>, SelfSignedRoot)>,
    ) -> Result<(Vec<u8>, SelfSignedRoot), RepositoryError> {
        let path = &self.shipped_root;
        let bytes = fs::read_optional(path, Bounds::default().root)?
            .ok_or_else(|| RepositoryError::NoRoot { path: path.clone() })?;
        let root = match stored {
            Some((kept, root)) if *kept == bytes => root.clone(),
            _ => SelfSignedRoot::parse(&bytes)?,
        };
        Ok((bytes, root))
    }

    /// Targets metadata that an earlier refresh accepted and the root that is
    /// trusted now still does, expired or not; `None` if there is none.
    ///
    /// # Errors
    /// As [`Repository::settle_root`]; or it is not signed.
    pub fn stored_targets(&self) -> Result<Option<Targets>, RepositoryError> {
        let root = self.trusted_root()?;
        let Some(targets) = self.load("targets") else {
            return Ok(None);
        };
        Ok(Some(tuf::verify_stored_targets(&root, &targets)?))
    }

    fn store(&self, role: &str, bytes: &[u8]) -> Result<(), RepositoryError> {
        if role == "root" {
            // Known before it is there: one that is not there does no harm.
            let mut chain = self.chain();
            if chain.add(&SelfSignedRoot::parse(bytes)?) {
                self.keep_chain(&chain)?;
            }
        }
        Ok(fs::write_atomically(&self.path(role), bytes)?)
    }

    fn chain_path(&self) -> PathBuf {
        self.metadata.join(CHAIN)
    }

    fn chain(&self) -> RootChain {
        let stored = plain_file::read(&self.chain_path(), 1 << 20).unwrap_or_else(|e| {
            log::warn!("{e}");
            None
        });
        RootChain::parse(&String::from_utf8_lossy(&stored.unwrap_or_default()))
    }

    fn keep_chain(&self, chain: &RootChain) -> Result<(), FsError> {
        fs::write_atomically(&self.chain_path(), chain.to_text().as_bytes())
    }

    /// Removes the metadata that came by the stored root, but for that.
    fn forget_metadata(&self) -> Result<(), FsError> {
        let kept = [self.path("root"), self.chain_path()];
        for path in fs::list(&self.metadata)? {
            if !kept.contains(&path) && fs::inspect(&path)?.is_some_and(|found| !found.is_dir()) {
                fs::remove_file(&path)?;
            }
        }
        Ok(())
    }

    fn path(&self, role: &str) -> PathBuf {
        let role = tuf::percent_encode(role, false);
        self.metadata.join(format!("{role}.json"))
    }

    /// A stored file that cannot be read is as good as none: a fresh one
    /// takes its place, or cannot, which is an error then.
    fn load(&self, role: &str) -> Option<Vec<u8>> {
        plain_file::read(&self.path(role), Bounds::default().targets).unwrap_or_else(|e| {
            log::warn!("{e}");
            None
        })
    }

    fn etag_path(&self) -> PathBuf {
        self.metadata.join("timestamp.etag")
    }

    /// The entity tag that the server gave for exactly these bytes.
    fn etag(&self, timestamp: &[u8]) -> Option<String> {
        let stored = plain_file::read(&self.etag_path(), 1024).ok()??;
        let text = String::from_utf8(stored).ok()?;
        let (hash, etag) = text.trim_end().split_once(' ')?;
        (hash == sha256_hex(timestamp) && !etag.is_empty()).then(|| etag.to_owned())
    }

    fn keep_etag(&self, timestamp: &[u8], etag: Option<&str>) {
        let text = format!("{} {}\n", sha256_hex(timestamp), etag.unwrap_or_default());
        // Only saves a few bytes next time.
        if let Err(e) = fs::write_atomically(&self.etag_path(), text.as_bytes()) {
            log::debug!("{e}");
        }
    }
}

/// A target that is being downloaded.
struct Wanted<'a> {
    path: &'a str,
    target: &'a TargetFile,
    to: &'a Path,
    /// How many bytes may still come.
    most: u64,
    /// Whether what has come may come again, from a server that cannot go on:
    /// not while another may do better.
    anew: bool,
}

/// All that is missing of a target, from one place.
fn download_from(
    http: &Http,
    url: &str,
    wanted: &mut Wanted,
    tell: &mut dyn FnMut(u64),
) -> Result<(), RepositoryError> {
    // What came earlier, or from elsewhere, may be what is wrong.
    let mut from_elsewhere = fs::size(wanted.to)? > 0;
    let mut attempt = 1;
    loop {
        let (before, most) = (fs::size(wanted.to)?, wanted.most);
        if wanted.target.length.saturating_sub(before) > most {
            return Err(HttpError::Again { url: shown(url) }.into());
        }
        let mut begun_anew = false;
        let Err(error) = request_rest(http, url, wanted, &mut begun_anew, tell) else {
            return Ok(());
        };
        match &error {
            RepositoryError::Http(HttpError::Broken { .. })
                if attempt < ATTEMPTS && fs::size(wanted.to)? > before =>
            {
                // Would it begin anew once more, there must be room for that.
                if begun_anew && wanted.most < wanted.target.length {
                    return Err(error);
                }
                log::info!("{error}; going on from there");
            }
            RepositoryError::Http(HttpError::TooLong { .. } | HttpError::Encoded { .. })
                if wanted.most == most =>
            {
                // It did not even begin; what is there is not to blame.
                return Err(error);
            }
            RepositoryError::Http(HttpError::TooLong { .. } | HttpError::Encoded { .. })
            | RepositoryError::Tuf(_) => {
                // Whatever it is that is there, it does not lead on.
                fs::remove_file(wanted.to)?;
                if !from_elsewhere || wanted.most < wanted.target.length {
                    return Err(error);
                }
                from_elsewhere = false;
                log::warn!("{error}; what was there from an earlier download is dropped");
            }
            RepositoryError::Fs(_) => {
                fs::remove_file(wanted.to)?;
                return Err(error);
            }
            _ => return Err(error),
        }
        attempt += 1;
    }
}

/// One request for what is missing of a target.
fn request_rest(
    http: &Http,
    url: &str,
    wanted: &mut Wanted,
    begun_anew: &mut bool,
    tell: &mut dyn FnMut(u64),
) -> Result<(), RepositoryError> {
    let (path, target, to) = (wanted.path, wanted.target, wanted.to);
    let mut hasher = target.hasher(path)?;
    let (mut file, mut received) = fs::open_to_append(to, &mut |data| hasher.update(data))?;
    if received > target.length {
        (file, received) = (fs::create_empty(to)?, 0);
        hasher = target.hasher(path)?;
    }
    let mut oddity = None;
    if received < target.length || target.length == 0 {
        let rest = Rest {
            from: received,
            length: target.length,
            most: match wanted.anew {
                true => wanted.most,
                false => wanted.most.min(target.length - received),
            },
        };
        let had = received;
        let most = &mut wanted.most;
        oddity = http.stream_rest::<RepositoryError>(url, rest, &mut |place, data| {
            *most = most.saturating_sub(data.len() as u64);
            if place == 0 && received > 0 {
                // The server sends all of it again. What is there is written
                // over, not dropped: it may break off earlier this time.
                file = plain_file::open_or_create(to)?;
                received = 0;
                hasher = target.hasher(path)?;
                *begun_anew = true;
            }
            hasher.update(data);
            file.write_all(data)
                .map_err(|e| FsError::new("write", to, e))?;
            received += data.len() as u64;
            tell(received.max(had));
            Ok(())
        })?;
    }
    let checked = tuf::metadata::verify_length(path, target.length, received)
        .and_then(|()| hasher.finish(path));
    checked.map_err(|source| match oddity {
        Some(Oddity::Encoded(encoding)) => HttpError::Encoded {
            url: shown(url),
            encoding,
        }
        .into(),
        _ => source.into(),
    })
}

impl Place {
    /// An error, with the place where that is not named.
    fn says(&self, error: &RepositoryError) -> String {
        match error {
            RepositoryError::Tuf(_) => format!("{}: {error}", shown(&self.metadata_url)),
            _ => error.to_string(),
        }
    }
}

fn keep_worst(worst: &mut Option<RepositoryError>, error: RepositoryError) {
    if worst.as_ref().is_none_or(|w| w.weight() < error.weight()) {
        *worst = Some(error);
    }
}

/// What was sent in place of metadata, where that can be seen: all of it is
/// one JSON object.
fn oddity_of(bytes: &[u8]) -> Option<Oddity> {
    let text = bytes.trim_ascii();
    match (text.first(), text.last()) {
        (Some(b'<'), _) => Some(Oddity::Page(None)),
        (Some(0x1f), _) if bytes.get(1) == Some(&0x8b) => Some(Oddity::Encoded("gzip".into())),
        (Some(b'{'), Some(b'}')) => None,
        (Some(b'{'), _) | (None, _) => Some(Oddity::Cut(bytes.len() as u64)),
        _ => None,
    }
}

fn slashed(url: &str) -> String {
    format!("{}/", url.trim_end_matches('/'))
}
