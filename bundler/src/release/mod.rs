//! Adds releases, changes who gets them, and takes them back.

mod add;
mod direct_patches;
mod error;
mod explain;
mod new_release;
mod numbers;
mod patch_hints;
mod patching;
mod pending;
pub(crate) mod rebase;
pub(crate) mod remove;
pub(crate) mod rollout;
mod target_entry;
mod target_list;
mod version_check;
pub(crate) mod yank;

pub(crate) use add::{add, check_stub};
pub(crate) use error::ReleaseError;
pub(crate) use explain::explain;
pub(crate) use new_release::{AddReport, DirectPatch, NewRelease};
pub(crate) use pending::{PendingTargets, direct_patches};
pub(crate) use target_entry::{is_listed_as, stored_name};
pub(crate) use target_list::Entries;
pub(crate) use version_check::take_back;
