//! Adds releases, changes who gets them, and takes them back.

mod add;
mod error;
mod explain;
mod new_release;
mod numbers;
mod patching;
mod pending;
pub mod rebase;
pub mod remove;
pub mod rollout;
mod target_entry;
mod version_check;
pub mod yank;

pub use add::{add, check_stub};
pub use error::ReleaseError;
pub use explain::explain;
pub use new_release::{AddReport, NewRelease};
pub use pending::PendingTargets;
pub use target_entry::{is_listed_as, stored_name};
