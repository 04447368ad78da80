//! Completes a commit that was interrupted.

use crate::fs::FsError;
use crate::install::journal::Journal;
use crate::install::swap::finish;
use crate::install::{Layout, Lock};

/// Completes a commit that was interrupted at any point, or takes it back.
/// Does nothing if none was.
///
/// # Errors
/// A file system call that failed; [`Layout::launchable`] still names a
/// complete bundle.
pub fn recover(layout: &Layout, _update_lock: &Lock) -> Result<(), FsError> {
    let Some(Journal { to, .. }) = Journal::load(layout)? else {
        return Ok(());
    };
    log::warn!("an update was interrupted while it was put in place; completing it");
    finish(layout, &to)
}
