//! Downloads a target, from where an earlier attempt broke off.

use crate::fs::{FsError, plain_file};
use crate::http::{Http, HttpError, Oddity, Rest, shown};
use crate::repository::Repository;
use crate::repository::download_all::Download;
use crate::repository::error::{RepositoryError, Time};
use crate::repository::mirrors::ATTEMPTS;
use crate::repository::urls::slashed;
use crate::tuf::TargetFile;
use crate::{fs, tuf};
use std::io::Write;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

/// How often the bytes of a target may come in one run, over all places and
/// attempts.
const TIMES: u64 = 2;

/// A target that is being downloaded.
struct Wanted<'a> {
    pub(super) path: &'a str,
    pub(super) target: &'a TargetFile,
    to: &'a Path,
    /// How many bytes may still come.
    most: u64,
    /// Whether what has come may come again, from a server that cannot go on:
    /// not while another may do better.
    anew: bool,
    /// Whether it is not wanted any more.
    stop: &'a AtomicBool,
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
                log::info!("{error}; resuming");
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
                fs::remove_file_if_exists(wanted.to)?;
                if !from_elsewhere || wanted.most < wanted.target.length {
                    return Err(error);
                }
                from_elsewhere = false;
                log::warn!("{error}; dropping what an earlier download left");
            }
            RepositoryError::Fs(_) => {
                fs::remove_file_if_exists(wanted.to)?;
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
    let stop = wanted.stop;
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
            most: if wanted.anew {
                wanted.most
            } else {
                wanted.most.min(target.length - received)
            },
        };
        let had = received;
        let most = &mut wanted.most;
        oddity = http.stream_rest::<RepositoryError>(url, rest, &mut |place, data| {
            if stop.load(Ordering::Relaxed) {
                return Err(RepositoryError::Stopped);
            }
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

/// Returns what was sent in place of metadata, where that can be seen: metadata
/// is always one JSON object.
pub(super) fn oddity_of(bytes: &[u8]) -> Option<Oddity> {
    let text = bytes.trim_ascii();
    match (text.first(), text.last()) {
        (Some(b'<'), _) => Some(Oddity::Page(None)),
        (Some(0x1f), _) if bytes.get(1) == Some(&0x8b) => Some(Oddity::Encoded("gzip".into())),
        (Some(b'{'), Some(b'}')) => None,
        (Some(b'{'), _) | (None, _) => Some(Oddity::Cut(bytes.len() as u64)),
        _ => None,
    }
}

impl Repository {
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
        let never = AtomicBool::new(false);
        let download = Download { path, target, to };
        self.download_unless(&never, download, consistent_snapshot, tell)
    }

    /// Downloads a target, but ends with [`RepositoryError::Stopped`] once
    /// `stop` is set.
    pub(super) fn download_unless(
        &self,
        stop: &AtomicBool,
        Download { path, target, to }: Download,
        consistent_snapshot: bool,
        tell: &mut dyn FnMut(u64),
    ) -> Result<(), RepositoryError> {
        let stored = target.stored_name(path, consistent_snapshot);
        let stored = tuf::percent_encode_path(&stored);
        let mut wanted = Wanted {
            path,
            target,
            to,
            most: target.length.saturating_mul(TIMES),
            anew: false,
            stop,
        };
        let time = Time::OfSilence(self.http.options().silence);
        self.with_mirrors(time, &mut |urls, http, last| {
            wanted.anew = last;
            let url = format!("{}{stored}", slashed(&urls.targets_url));
            download_from(http, &url, &mut wanted, tell)
        })
    }
}
