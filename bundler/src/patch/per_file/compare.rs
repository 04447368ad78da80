//! Compares files several at a time, within a bound of memory.

use super::budget::Budget;
use super::error::DiffError;
use super::steps::{Content, Step};
use super::tree::Tree;
use super::work::{Gate, Work};
use crate::patch::bytes::Scratch;
use indicatif::ProgressBar;
use notsotuf_stub::bundle::patch::Format;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Condvar, Mutex};

/// Limits the memory that files which are compared at the same time may take.
pub(super) const MEMORY: u64 = 64 << 20;

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
    let mut order: Vec<usize> = (0..steps.len()).collect();
    order.sort_by_key(|&n| std::cmp::Reverse(steps[n].memory(old.manifest, new.manifest)));
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let queue = Mutex::new(Queue {
        waiting: order,
        free: MEMORY,
        failed: false,
    });
    let freed = Condvar::new();
    let done: Mutex<Vec<(usize, Content)>> = Mutex::default();
    let gate = Gate::new(SEARCH_MEMORY);
    let work = || -> Result<(), DiffError> {
        while let Some((index, memory)) = take(&queue, &freed, |n| {
            steps[n].memory(old.manifest, new.manifest)
        }) {
            let told = AtomicU64::new(0);
            let size = steps[index].size(new.manifest);
            let progress = |bytes: u64| {
                let before = told.fetch_add(bytes, Ordering::Relaxed);
                bar.inc(bytes.min(size.saturating_sub(before)));
            };
            let content = steps[index].content(
                old,
                new,
                &Work {
                    scratch,
                    budget,
                    gate: &gate,
                    format,
                    progress: &progress,
                },
            );
            progress(size);
            let mut queue = queue.lock().expect("no thread panics");
            queue.free += memory;
            queue.failed |= content.is_err();
            drop(queue);
            freed.notify_all();
            done.lock()
                .expect("no thread panics")
                .push((index, content?));
        }
        Ok(())
    };
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

pub(super) struct Queue {
    pub waiting: Vec<usize>,
    pub free: u64,
    pub failed: bool,
}

/// Returns the next step that fits into what is left of the memory, and how
/// much it takes; `None` when there is nothing left to do.
pub(super) fn take(
    queue: &Mutex<Queue>,
    freed: &Condvar,
    memory: impl Fn(usize) -> u64,
) -> Option<(usize, u64)> {
    let mut queue = queue.lock().expect("no thread panics");
    loop {
        if queue.waiting.is_empty() || queue.failed {
            return None;
        }
        let free = queue.free;
        let next = queue
            .waiting
            .iter()
            .position(|&n| memory(n).min(MEMORY) <= free);
        if let Some(next) = next {
            let index = queue.waiting.remove(next);
            let memory = memory(index).min(MEMORY);
            queue.free -= memory;
            return Some((index, memory));
        }
        queue = freed.wait(queue).expect("no thread panics");
    }
}
