//! TUF metadata: reading what is published, editing, signing, and checking
//! it as a client would. Documents stay JSON values, so fields that this
//! program does not know survive.

mod client_check;
mod document;
mod drafts;
mod error;
pub mod limits;
mod next_versions;
mod published;
mod role_keys;
mod root_change;
mod state;
mod trust;

pub use client_check::check_as_client;
pub use document::{Document, archives_of, file_name};
pub use drafts::drop_drafts;
pub use error::{MetadataError, RootChangeError};
pub use next_versions::{
    Update, has_targets_draft, next_root, sign_targets, targets_draft, update,
};
pub use published::{Published, same_signed, walk};
pub use role_keys::{key_names, role_keys, signers};
pub use root_change::{Change, change_root, first_root, root_draft, sign_root_draft};
pub use state::State;
pub use trust::{MEMORY, Memory, PIN, Trust};
