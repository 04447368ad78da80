//! Manages the installed application on disk: where things are, what is
//! installed, and how an update takes its place.

mod blocked_versions;
mod commit;
mod commit_error;
mod elevate;
mod exchange;
mod integrity;
mod journal;
mod launchable;
mod layout;
mod lock;
mod offered;
mod probation;
mod processes;
mod record;
mod recover;
pub mod release_notes;
mod running_instances;
pub mod shipped_folder;
mod staged_origin;
mod staging;
mod state_dir;
mod swap;
mod trash;
mod uninstall;
#[cfg(windows)]
mod uninstall_entry;
mod user_choices;
mod user_files;

pub use elevate::Elevated;
pub use layout::Layout;

pub use blocked_versions::BlockedVersions;
pub use commit::{CommitOptions, CommitOutcome, check_place, commit, roll_back};
pub use commit_error::CommitError;
pub use elevate::run_elevated;
pub use integrity::{restore_modes, verify_installed_files};
pub use lock::Lock;
pub use offered::{may_follow, offered_previous, offered_staged, recorded};
pub use probation::{Probation, record_hash};
pub use processes::sees_processes;
pub use record::{Record, RecordError, Release};
pub use recover::recover;
pub use running_instances::{BOOTLOADERS, await_end, bootloaders, instances};
pub use staging::{SealError, discard, prune_downloads, remove_empty_dirs, reset_staging, seal};
pub use state_dir::{
    StateError, forget, has_quarantine_attribute, is_left_to_owner, may_believe_state,
    open_state_dir, owns_state, secure_state, translocated,
};
#[cfg(windows)]
pub(crate) use state_dir::{belongs_to_administrators, is_as_trusted};
pub use trash::empty_trash;
pub use uninstall::{Extent, Uninstalled, uninstall};
pub use user_choices::UserChoices;
