//! Finds the bundle that can be started now.

use crate::install::layout::Layout;
use crate::install::{Record, probation, swap};
use std::path::PathBuf;

impl Layout {
    /// Returns the folder to start the application from: `app`, unless a commit
    /// was interrupted and cannot be finished (on a disk that has become
    /// read-only, say); then any complete bundle that is there.
    pub fn launchable(&self) -> PathBuf {
        let app = self.app();
        if app.exists() && !swap::is_being_removed(self) {
            return app;
        }
        let is_whole = |folder: &PathBuf| matches!(Record::load_release(folder), Ok(Some(_)));
        // Whatever else is staged was not checked yet.
        let staged = Some(self.staged()).filter(|staged| {
            let staged = probation::record_hash(staged);
            let to = swap::interrupted(self);
            matches!((staged, to), (Ok(Some(staged)), Ok(Some(to))) if staged == to)
        });
        let mut bundles = staged.into_iter().chain([self.previous()]);
        bundles.find(is_whole).unwrap_or(app)
    }
}
