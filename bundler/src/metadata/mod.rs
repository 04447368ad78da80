//! Handles TUF metadata: reads what is published, edits, signs, and checks it
//! as a client would. Documents stay JSON values, so fields that this program
//! does not know survive.

mod client_check;
mod document;
mod drafts;
mod error;
mod journal;
pub(crate) mod limits;
mod next_versions;
mod published;
mod role_keys;
mod root_change;
mod state;
mod trust;

pub(crate) use client_check::check_as_client;
pub(crate) use document::{Document, archives_of, file_name, root_file_name};
pub(crate) use drafts::drop_drafts;
pub(crate) use error::{MetadataError, RootChangeError};
pub(crate) use journal::Journal;
pub(crate) use next_versions::{
    Update, Wanted, has_targets_draft, next_root, renewal_is_due, sign_targets, signing_root,
    targets_draft, update,
};
pub(crate) use published::{Published, same_signed, walk};
pub(crate) use role_keys::{key_names, missing_names, role_keys, signers};
pub(crate) use root_change::{
    Change, change_root, first_root, keep_root_draft, root_draft, root_draft_version,
    sign_root_draft, stale_root_draft, told_root_draft,
};
pub(crate) use state::State;
pub(crate) use trust::{MEMORY, Memory, PIN, Trust};
