//! Programs that show something, and that somebody else than who waits for them
//! may have to end.

use std::io;
use std::process::{Child, Command, ExitStatus};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// How long a program that was killed may take to be gone.
const PATIENCE: Duration = Duration::from_millis(500);

/// Holds all that were started and may still run.
#[derive(Debug, Default, Clone)]
pub(crate) struct Programs(Arc<Mutex<List>>);

#[derive(Debug, Default)]
struct List {
    over: bool,
    programs: Vec<Program>,
}

/// Handles one of the started programs.
#[derive(Debug, Clone)]
pub(crate) struct Program(Arc<Mutex<Child>>);

impl Programs {
    /// Starts one; what it has as pipes is the caller's to take.
    pub(crate) fn start(
        &self,
        command: &mut Command,
        take: impl FnOnce(&mut Child),
    ) -> io::Result<Program> {
        let mut list = locked(&self.0);
        if list.over {
            return Err(io::Error::other("there is nothing to show any more"));
        }
        let mut child = command.spawn()?;
        take(&mut child);
        let program = Program(Arc::new(Mutex::new(child)));
        list.programs.retain(|known| known.ended().is_none());
        list.programs.push(program.clone());
        Ok(program)
    }

    /// Ends all that run, and lets none start any more.
    pub(crate) fn end(&self) {
        let mut list = locked(&self.0);
        list.over = true;
        for program in list.programs.drain(..) {
            program.end();
        }
    }
}

impl Program {
    /// Returns how the program ended, if it has.
    pub(crate) fn ended(&self) -> Option<ExitStatus> {
        locked(&self.0).try_wait().ok()?
    }

    /// Waits until the program has ended.
    pub(crate) fn wait(&self) -> io::Result<ExitStatus> {
        loop {
            // Not with the lock held: it may have to be killed meanwhile.
            if let Some(status) = locked(&self.0).try_wait()? {
                return Ok(status);
            }
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    /// Kills the program. Nobody should inherit a dead child, so its end is
    /// waited for, as long as that makes sense.
    pub(crate) fn end(&self) {
        if self.ended().is_some() {
            return;
        }
        if let Err(e) = locked(&self.0).kill() {
            log::debug!("the window cannot be closed: {e}");
        }
        let start = Instant::now();
        while self.ended().is_none() && start.elapsed() < PATIENCE {
            std::thread::sleep(Duration::from_millis(2));
        }
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn one_that_hangs_is_ended_by_another_thread() {
        let programs = Programs::default();
        let mut hangs = Command::new("sleep");
        let program = programs.start(hangs.arg("1000"), |_| {}).unwrap();
        assert!(program.ended().is_none());
        std::thread::scope(|scope| {
            let waits = scope.spawn(|| program.wait().unwrap());
            programs.end();
            assert!(!waits.join().unwrap().success());
        });
        assert!(programs.start(&mut Command::new("true"), |_| {}).is_err());
    }
}
