//! Takes a newer stub that the repository offers.

use crate::catalog::Archive;
use crate::fs::plain_file;
use crate::stub_version::version;
use crate::update::check::UpdateCheck;
use crate::update::error::UpdateError;
use crate::update::self_update::replace;
use crate::update::session::Updater;
use crate::{fs, install};
use pep440_rs::Version;

impl<'a> Updater<'a> {
    /// Replaces this program by a newer version of it, if there is one. Never
    /// fails: this one works.
    pub fn update_stub(&self, checked: &UpdateCheck) {
        let Some((wanted, archive)) = &checked.stub else {
            return;
        };
        let failed = plain_file::read(&self.layout.failed_stub(), 256).unwrap_or_default();
        if failed.is_some_and(|failed| failed == wanted.to_string().as_bytes()) {
            return;
        }
        match self.replace_stub(checked, wanted, archive) {
            Ok(()) => log::info!("updated the updater to version {wanted}"),
            Err(e) => {
                log::warn!("the updater stays at version {}: {e}", version());
                if matches!(e, UpdateError::Own { .. }) {
                    // Once is enough, until there is another.
                    let noted = wanted.to_string();
                    let noted = fs::write_atomically(&self.layout.failed_stub(), noted.as_bytes());
                    noted.unwrap_or_else(|e| log::warn!("{e}"));
                }
            }
        }
        install::remove_empty_dirs(self.layout).unwrap_or_else(|e| log::warn!("{e}"));
    }

    fn replace_stub(
        &self,
        checked: &UpdateCheck,
        version: &Version,
        archive: &Archive,
    ) -> Result<(), UpdateError> {
        // It may be the cause of trouble with the application's update, so it
        // does not share its folders.
        let file = self.layout.downloads().join("stub");
        fs::create_dir_all(&self.layout.downloads())?;
        let consistent = checked.consistent_snapshot;
        self.repository
            .download(&archive.path, &archive.file, consistent, &file, &mut |_| {})?;
        let result = replace(self.layout, fs::open(&file)?, version);
        fs::remove_file_if_exists(&file)?;
        result.map_err(|source| UpdateError::Own {
            path: archive.path.clone(),
            source,
        })
    }
}
