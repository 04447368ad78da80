//! Runs one update from check to commit: the modules put together.

pub mod behind;
mod check;
pub mod elevated;
mod error;
mod outcome;
mod repair;
mod rollback;
mod room;
mod run;
pub mod self_update;
mod session;
mod stage;
mod staged_update;
mod stub_update;

pub use check::{UpdateCheck, check_read_only};
pub use error::{ElevationError, UpdateError};
pub use outcome::{Outcome, Staged, tell_end};
pub use repair::Repaired;
pub use run::{run, run_and_name, stage_in_background};
pub use session::Updater;
