//! Holds what comparing files shares: memory, time, and a file for what does not
//! fit.

use super::budget::Budget;
use crate::patch::bytes::Scratch;
use notsotuf_stub::bundle::patch::Format;
use std::sync::{Condvar, Mutex};

/// Holds what comparing files shares.
#[derive(Clone, Copy)]
pub(super) struct Work<'a> {
    /// Takes what does not stay in memory.
    pub scratch: &'a Scratch,
    /// Bounds the time.
    pub budget: Budget,
    /// Bounds the memory of searches.
    pub gate: &'a Gate,
    /// The patch's format.
    pub format: Format,
    /// Is told of bytes of new files that are done.
    pub progress: &'a dyn Fn(u64),
}

/// Lets several threads take memory, but not too much together.
pub(super) struct Gate {
    most: u64,
    free: Mutex<u64>,
    freed: Condvar,
}

/// Counts memory as taken while it lives.
pub(super) struct Taken<'a> {
    gate: &'a Gate,
    bytes: u64,
}

impl Gate {
    /// Creates a gate for so many bytes.
    pub(super) fn new(most: u64) -> Self {
        Gate {
            most,
            free: Mutex::new(most),
            freed: Condvar::new(),
        }
    }

    /// Waits until so many bytes are free, and takes them. What is more than all
    /// gets all.
    pub(super) fn take(&self, bytes: u64) -> Taken<'_> {
        let bytes = bytes.min(self.most);
        let free = self.free.lock().expect("no thread panics");
        let enough = self.freed.wait_while(free, |free| *free < bytes);
        *enough.expect("no thread panics") -= bytes;
        Taken { gate: self, bytes }
    }
}

impl Drop for Taken<'_> {
    fn drop(&mut self) {
        *self.gate.free.lock().expect("no thread panics") += self.bytes;
        self.gate.freed.notify_all();
    }
}

/// Calls `then` with work in the second format that has no bound.
#[cfg(test)]
pub(super) fn for_tests<T>(budget: Budget, then: impl FnOnce(&Work) -> T) -> T {
    let folder = tempfile::tempdir().unwrap();
    then(&Work {
        scratch: &Scratch::new_in(folder.path()).unwrap(),
        budget,
        gate: &Gate::new(u64::MAX),
        format: Format::Two,
        progress: &|_| {},
    })
}
