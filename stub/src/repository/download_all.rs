//! Downloads several targets at once, over one connection pool.

use crate::http::HttpError;
use crate::repository::{Repository, RepositoryError};
use crate::tuf::TargetFile;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{self, Sender};
use std::thread;

/// Limits how many targets are downloaded at once.
const AT_ONCE: usize = 4;

/// Names a target to be downloaded.
#[derive(Debug, Clone, Copy)]
pub struct Download<'a> {
    /// Target path.
    pub path: &'a str,
    /// As the metadata lists it.
    pub target: &'a TargetFile,
    /// The file it goes to, which may have a part of it already.
    pub to: &'a Path,
}

/// What the threads have in common.
struct Queue<'a> {
    wanted: &'a [Download<'a>],
    consistent_snapshot: bool,
    next: AtomicUsize,
    /// Set once one of them has failed.
    stop: AtomicBool,
}

/// What a thread tells: how much has come of which target.
type News = Result<(usize, u64), RepositoryError>;

impl Repository {
    /// Downloads targets as [`Repository::download`] does, a few at a time, and
    /// tells how many bytes have come of all of them.
    ///
    /// # Errors
    /// [`RepositoryError`], the first one; the other downloads end then, and
    /// their files may be given again, too.
    pub fn download_all(
        &self,
        wanted: &[Download],
        consistent_snapshot: bool,
        tell: &mut dyn FnMut(u64),
    ) -> Result<(), RepositoryError> {
        let at_once = match self.http.options().max_rate {
            // That is for each connection.
            Some(_) => 1,
            None => AT_ONCE.min(wanted.len()),
        };
        if at_once > 1 {
            match self.at_once(at_once, wanted, consistent_snapshot, tell) {
                Err(RepositoryError::Http(e @ HttpError::TooSlow { .. })) => {
                    log::info!("{e}; downloading one file at a time");
                }
                result => return result,
            }
        }
        let mut before = 0;
        for download in wanted {
            let Download { path, target, to } = *download;
            let tell = &mut |received| tell(before + received);
            self.download(path, target, consistent_snapshot, to, tell)?;
            before += target.length;
        }
        Ok(())
    }

    fn at_once(
        &self,
        threads: usize,
        wanted: &[Download],
        consistent_snapshot: bool,
        tell: &mut dyn FnMut(u64),
    ) -> Result<(), RepositoryError> {
        let queue = Queue {
            wanted,
            consistent_snapshot,
            next: AtomicUsize::new(0),
            stop: AtomicBool::new(false),
        };
        let (sender, news) = mpsc::channel();
        thread::scope(|scope| {
            for number in 0..threads {
                let (its_own, queue) = (sender.clone(), &queue);
                let work = move || self.work_off(queue, &its_own);
                let started = thread::Builder::new().spawn_scoped(scope, work);
                let Err(e) = started else { continue };
                log::debug!("no thread for another download: {e}");
                if number == 0 {
                    self.work_off(queue, &sender);
                }
                break;
            }
            drop(sender);
            let mut received = vec![0; wanted.len()];
            let mut result = Ok(());
            // It ends when the last thread does.
            for news in news {
                match news {
                    Ok((index, bytes)) => {
                        received[index] = bytes;
                        tell(received.iter().sum());
                    }
                    Err(e) => result = result.and(Err(e)),
                }
            }
            result
        })
    }

    fn work_off(&self, queue: &Queue, sender: &Sender<News>) {
        // The other end is there as long as any thread is.
        let say = |news| drop(sender.send(news));
        while !queue.stop.load(Ordering::Relaxed) {
            let index = queue.next.fetch_add(1, Ordering::Relaxed);
            let Some(download) = queue.wanted.get(index) else {
                return;
            };
            let mut tell = |received| say(Ok((index, received)));
            let consistent = queue.consistent_snapshot;
            match self.download_unless(&queue.stop, *download, consistent, &mut tell) {
                Ok(()) => say(Ok((index, download.target.length))),
                Err(RepositoryError::Stopped) => return,
                Err(e) => {
                    queue.stop.store(true, Ordering::Relaxed);
                    return say(Err(e));
                }
            }
        }
    }
}
