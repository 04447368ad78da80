//! Compares files several at a time, within a bound of memory.

use super::budget::Budget;
use super::error::DiffError;
use super::steps::{Content, Step};
use super::tree::Tree;
use super::work::{Gate, Work};
use crate::patch::bytes::Scratch;
use indicatif::ProgressBar;
use notsotuf_stub::bundle::patch::Format;
use std::cmp::Reverse;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};

/// Limits the memory that files which are compared at the same time may take.
const MEMORY: u64 = 64 << 20;

/// Limits the memory that searches at the same time may take.
const SEARCH_MEMORY: u64 = 120 << 20;

/// Compares the files of all steps, several at a time, the largest first.
pub(super) fn compare(
    steps: &[Step],
    old: Tree,
    new: Tree,
    format: Format,
    budget: Budget,
    (scratch, bar): (&Scratch, &ProgressBar),
) -> Result<Vec<Content>, DiffError> {
    let memory = |n: usize| steps[n].memory(old.manifest, new.manifest);
    let mut order: Vec<usize> = (0..steps.len()).collect();
    order.sort_by_key(|&n| Reverse((memory(n), steps[n].size(new.manifest))));
    let (files, searches) = (Gate::new(MEMORY), Gate::new(SEARCH_MEMORY));
    let (next, failed) = (AtomicUsize::new(0), AtomicBool::new(false));
    let done: Mutex<Vec<(usize, Content)>> = Mutex::default();
    let work = || -> Result<(), DiffError> {
        while let Some(&index) = order.get(next.fetch_add(1, Ordering::Relaxed)) {
            if failed.load(Ordering::Relaxed) {
                break;
            }
            let _taken = files.take(memory(index));
            let step = Progress::new(bar, steps[index].size(new.manifest));
            let work = Work {
                scratch,
                budget,
                gate: &searches,
                format,
                progress: &|bytes| step.tell(bytes),
            };
            let content = steps[index].content(old, new, &work);
            failed.fetch_or(content.is_err(), Ordering::Relaxed);
            step.tell(u64::MAX);
            let mut done = done.lock().expect("no thread panics");
            done.push((index, content?));
        }
        Ok(())
    };
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..cores).map(|_| scope.spawn(work)).collect();
        workers
            .into_iter()
            .try_for_each(|worker| worker.join().expect("no thread panics"))
    })?;
    let mut done = done.into_inner().expect("no thread panics");
    done.sort_by_key(|(index, _)| *index);
    Ok(done.into_iter().map(|(_, content)| content).collect())
}

/// Shows the progress of one step.
struct Progress<'a> {
    bar: &'a ProgressBar,
    left: AtomicU64,
}

impl<'a> Progress<'a> {
    fn new(bar: &'a ProgressBar, size: u64) -> Self {
        Progress {
            bar,
            left: AtomicU64::new(size),
        }
    }

    /// Tells that so many bytes more are done, or all.
    fn tell(&self, bytes: u64) {
        let left = self.left.load(Ordering::Relaxed);
        let done = bytes.min(left);
        self.left.store(left - done, Ordering::Relaxed);
        self.bar.inc(done);
    }
}
