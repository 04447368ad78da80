//! Tells on standard output what a command is doing, for `--events`: one JSON
//! object a line, each time it does something else, and at the most ten and at
//! the least one a second. When nobody reads that any more, the one who asked is
//! gone or does not want it any more, and the process ends: it can be killed at
//! any instant, and the next run continues. Only what is about to be put in
//! place is put in place.

use crate::progress::Event;
use crate::{fs, safe_text};
use serde_json::{Value, json};
use std::io::{self, Write};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

const MOST_OFTEN: Duration = Duration::from_millis(100);
/// So often at the least, and that the reader is there is found out by it.
const HEARTBEAT: Duration = Duration::from_secs(1);

/// Writes the events of one command.
pub(super) struct Events {
    shared: Arc<Shared>,
}

struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

/// Holds what is being done.
struct State {
    step: &'static str,
    version: Option<String>,
    /// Bytes of the download.
    size: u64,
    /// Bytes done, and all of them, where that is known.
    amount: Option<(u64, u64)>,
    written: Instant,
    over: bool,
}

impl Events {
    /// Begins, and says so.
    pub(super) fn start() -> Self {
        let shared = Arc::new(Shared {
            state: Mutex::new(State::begin()),
            changed: Condvar::new(),
        });
        shared.state().write();
        let beat = Arc::clone(&shared);
        let thread = std::thread::Builder::new().name("events".into());
        if let Err(e) = thread.spawn(move || beat.repeat()) {
            log::warn!("cannot start a thread: {e}");
        }
        Events { shared }
    }

    /// Takes in what happened.
    pub(super) fn tell(&self, event: Event) {
        self.shared.state().take(event);
    }

    /// Ends: what is written next is the answer.
    pub(super) fn end(self) {
        self.shared.state().over = true;
        self.shared.changed.notify_all();
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Says again what is being done, as long as that takes.
    fn repeat(&self) {
        let mut state = self.state();
        while !state.over {
            if state.silence().is_zero() {
                state.write();
            }
            let silence = state.silence();
            let waited = self.changed.wait_timeout(state, silence);
            (state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        }
    }
}

impl State {
    fn begin() -> Self {
        State {
            step: "checking",
            version: None,
            size: 0,
            amount: None,
            written: Instant::now(),
            over: false,
        }
    }

    fn take(&mut self, event: Event) {
        let (step, amount) = match event {
            Event::Found { version, size, .. } => {
                self.version = Some(version);
                self.size = size;
                ("downloading", Some((0, size)))
            }
            Event::Downloaded(done) => ("downloading", Some((done, self.size))),
            Event::Assembled { done, total } => ("unpacking", Some((done, total))),
            Event::Checking => ("checking", None),
            Event::Elevating | Event::Committing => ("installing", None),
        };
        let goes_on = step == self.step;
        self.step = step;
        // The size of what an archive holds is only estimated.
        self.amount = amount.map(|(done, total)| (done, total.max(done)));
        if !goes_on || self.written.elapsed() >= MOST_OFTEN {
            self.write();
        }
    }

    /// How long nothing need be written.
    fn silence(&self) -> Duration {
        HEARTBEAT.saturating_sub(self.written.elapsed())
    }

    fn to_json(&self) -> Value {
        json!({
            "progress": self.step,
            "version": self.version,
            "done": self.amount.map(|(done, _)| done),
            "total": self.amount.map(|(_, total)| total),
        })
    }

    fn write(&mut self) {
        self.written = Instant::now();
        let line = format!("{}\n", safe_text::json(&self.to_json()));
        let mut out = io::stdout().lock();
        let written = out.write_all(line.as_bytes()).and_then(|()| out.flush());
        if let Err(e) = written
            && self.step != "installing"
        {
            log::info!("nobody waits for this any more ({e}); the next run continues");
            let _none_is_half_written = fs::no_more_writes();
            std::process::exit(1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_event_says_what_is_done_of_what_for_which_version() {
        let mut state = State::begin();
        let nothing =
            json!({ "progress": "checking", "version": null, "done": null, "total": null });
        assert_eq!(state.to_json(), nothing);
        state.take(Event::Found {
            name: "App".into(),
            version: "1.1".into(),
            size: 100,
            notes: None,
        });
        let mut at = |event| {
            state.take(event);
            let found = state.to_json();
            assert_eq!(found["version"], "1.1");
            [&found["progress"], &found["done"], &found["total"]].map(Clone::clone)
        };
        let downloading = |done: u64, total: u64| [json!("downloading"), json!(done), json!(total)];
        assert_eq!(at(Event::Downloaded(40)), downloading(40, 100));
        // More than was said: it is never more than all of it.
        assert_eq!(at(Event::Downloaded(130)), downloading(130, 130));
        let event = Event::Assembled { done: 7, total: 9 };
        assert_eq!(at(event), [json!("unpacking"), json!(7), json!(9)]);
        let installing = [json!("installing"), Value::Null, Value::Null];
        assert_eq!(at(Event::Committing), installing);
    }

    #[test]
    fn silence_is_counted_from_the_last_line() {
        let mut state = State::begin();
        state.written = Instant::now() + HEARTBEAT;
        assert_eq!(state.silence(), HEARTBEAT);
        let ago = |part: u32| Instant::now().checked_sub(HEARTBEAT * part / 10).unwrap();
        state.written = ago(7);
        assert!(state.silence() <= HEARTBEAT * 3 / 10);
        state.written = ago(11);
        assert!(state.silence().is_zero());
    }
}
