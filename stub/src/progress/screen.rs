//! Shows an update on a terminal or in a window, once it takes longer.

use crate::progress::event::Event;
use crate::progress::surface::{Surface, Wish};
use crate::progress::terminal::Terminal;
use crate::progress::window::{Look, Programs, Style, Window};
use crate::progress::{Messages, ProgressModel, ProgressView};
use crate::settings::Settings;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::SeqCst;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, mpsc};
use std::time::{Duration, Instant};

/// Says how long to wait before a window opens: for less it would be a flash.
const WINDOW_GRACE: Duration = Duration::from_secs(1);

/// Nor for what is nearly done by then.
const NEARLY_DONE: f64 = 0.9;

/// How often what is shown is looked at.
const TICK: Duration = Duration::from_millis(200);

/// A window that is not there after this time is one that nobody sees.
const OPENING: Duration = Duration::from_secs(10);

/// How long taking away what was shown may take.
const CLEARING: Duration = Duration::from_secs(1);

/// Shows events to the user: on standard error if that is a terminal, else in
/// a window. That happens on a thread of its own, which may hang for all that
/// the one knows who tells the events: a terminal can be stopped, and a window
/// is another program.
pub struct ProgressDisplay {
    model: ProgressModel,
    start: Instant,
    icon: Option<PathBuf>,
    /// What to show it on, until there is something to show.
    place: Option<Wish>,
    shared: Arc<Shared>,
    /// Says that the thread has ended.
    ended: Option<Receiver<()>>,
}

/// Says where progress may be shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Surfaces {
    /// Only on a terminal: who called asked for an answer there.
    Terminal,
    /// Else in a window.
    TerminalOrWindow,
}

/// What the thread and its owner know of each other.
#[derive(Default)]
struct Shared {
    latest: Mutex<Latest>,
    changed: Condvar,
    cancelled: AtomicBool,
    /// Whether a window is open.
    open: AtomicBool,
    /// Whether there is nothing to be seen any more.
    gone: AtomicBool,
    programs: Programs,
}

#[derive(Default)]
struct Latest {
    view: Option<ProgressView>,
    over: bool,
}

impl ProgressDisplay {
    /// Creates a screen as the settings wish, where something is welcome to be
    /// shown. A window has this icon, where it can.
    pub fn new(settings: &Settings, surfaces: Surfaces, icon: Option<PathBuf>) -> Self {
        let window = surfaces == Surfaces::TerminalOrWindow && settings.window;
        let place = match Terminal::new() {
            _ if settings.quiet => None,
            Some(terminal) => Some(Wish::Terminal(terminal)),
            None if window && Window::may_open() => Some(Wish::Window),
            None => None,
        };
        let shared = Shared::default();
        shared.gone.store(place.is_none(), SeqCst);
        let terminal = matches!(place, Some(Wish::Terminal(_)));
        shared.open.store(terminal, SeqCst);
        ProgressDisplay {
            model: ProgressModel::new(Messages::new(settings)),
            start: Instant::now(),
            icon,
            place,
            shared: Arc::new(shared),
            ended: None,
        }
    }

    /// Takes in what happened.
    pub fn event(&mut self, event: &Event) {
        if self.shared.gone.load(SeqCst) {
            return;
        }
        let Some(view) = self.model.event(event, self.start.elapsed()) else {
            return;
        };
        self.shared.latest().view = Some(view.safe());
        if let Some(place) = self.place.take() {
            self.begin(place);
        }
    }

    fn begin(&mut self, place: Wish) {
        let (alive, ended) = mpsc::channel();
        let (shared, texts) = (Arc::clone(&self.shared), self.model.texts().clone());
        let (start, icon) = (self.start, self.icon.take());
        let work = move || {
            // A window belongs to the thread that opens it.
            let place = match place {
                Wish::Terminal(terminal) => Surface::Terminal(terminal),
                Wish::Window => Surface::Later,
            };
            let display = Display {
                shared,
                texts,
                icon,
                start,
                place,
            };
            display.run();
            drop(alive);
        };
        match std::thread::Builder::new()
            .name("display".into())
            .spawn(work)
        {
            Ok(_) => self.ended = Some(ended),
            Err(e) => {
                log::debug!("nothing is shown: {e}");
                self.shared.gone.store(true, SeqCst);
            }
        }
    }

    /// Shows what is due, and returns how long nothing needs to be done here;
    /// `None`: for ever.
    pub fn tick(&self) -> Option<Duration> {
        (!self.shared.gone.load(SeqCst)).then_some(TICK)
    }

    /// Returns whether the user wants the application to start now.
    pub fn cancelled(&self) -> bool {
        self.shared.cancelled.load(SeqCst)
    }

    /// Returns whether somebody can see what goes on.
    pub fn is_seen(&self) -> bool {
        let shared = &self.shared;
        let opening = self.start.elapsed() < OPENING;
        !shared.gone.load(SeqCst) && (opening || shared.open.load(SeqCst))
    }

    /// Takes away what was shown. What cannot be taken away within a moment
    /// is left to itself.
    pub fn clear(&mut self) {
        self.place = None;
        self.shared.latest().over = true;
        self.shared.changed.notify_all();
        if let Some(ended) = self.ended.take()
            && ended.recv_timeout(CLEARING) == Err(RecvTimeoutError::Timeout)
        {
            log::info!("the program that shows the update does not answer any more");
        }
        self.shared.programs.end();
        self.shared.gone.store(true, SeqCst);
    }
}

impl Shared {
    fn latest(&self) -> MutexGuard<'_, Latest> {
        self.latest.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What the thread does.
struct Display {
    shared: Arc<Shared>,
    texts: Messages,
    icon: Option<PathBuf>,
    start: Instant,
    place: Surface,
}

impl Display {
    fn run(mut self) {
        while let Some(view) = self.next() {
            if !self.show(&view) {
                log::debug!("the program that showed the update is gone");
                self.shared.gone.store(true, SeqCst);
                return;
            }
        }
        if let Surface::Terminal(terminal) = &mut self.place {
            terminal.clear();
        }
    }

    /// What to show, a moment later; `None` once there is nothing.
    fn next(&self) -> Option<ProgressView> {
        let latest = self.shared.latest();
        let waited = self
            .shared
            .changed
            .wait_timeout_while(latest, TICK, |latest| !latest.over);
        let (latest, _) = waited.unwrap_or_else(PoisonError::into_inner);
        latest.view.clone().filter(|_| !latest.over)
    }

    /// Whether there is something to be seen still.
    fn show(&mut self, view: &ProgressView) -> bool {
        match &mut self.place {
            Surface::Terminal(terminal) => terminal.show(view),
            Surface::Later => {
                if self.start.elapsed() > WINDOW_GRACE && view.part < NEARLY_DONE {
                    let style = Style {
                        texts: &self.texts,
                        icon: self.icon.as_deref().and_then(Path::to_str),
                    };
                    let opened = Window::open(view, style, &self.shared.programs);
                    let Some(window) = opened else {
                        return false;
                    };
                    self.place = Surface::Window(window);
                    self.shared.open.store(true, SeqCst);
                }
            }
            Surface::Window(window) => match window.look() {
                Look::Open => {
                    if let Err(e) = window.show(view) {
                        log::debug!("{e}");
                        return false;
                    }
                }
                Look::Cancelled => {
                    self.shared.cancelled.store(true, SeqCst);
                    return false;
                }
                Look::Gone => return false,
            },
        }
        true
    }
}
