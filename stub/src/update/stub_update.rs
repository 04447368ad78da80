//! Takes a newer stub that the repository offers.

use crate::catalog::Archive;
use crate::fs::plain_file;
use crate::stub_version::version;
use crate::update::check::UpdateCheck;
use crate::update::error::UpdateError;
use crate::update::self_update::{SelfUpdateError, replace};
use crate::update::session::Updater;
use crate::{fs, install};
use pep440_rs::Version;

/// How often this program is replaced in vain by the same version. Each attempt
/// but the last is a mark behind the version in the file that notes it.
const STUB_ATTEMPTS: usize = 3;

impl<'a> Updater<'a> {
    /// Replaces this program by a newer version of it, if there is one. Never
    /// fails: this one works.
    pub fn update_stub(&self, checked: &UpdateCheck) {
        let Some((wanted, archive)) = &checked.stub else {
            return;
        };
        let wanted_text = wanted.to_string();
        let failed = plain_file::read(&self.layout.failed_stub(), 256).unwrap_or_default();
        let failed = failed.and_then(|text| String::from_utf8(text).ok());
        let failed = failed
            .as_deref()
            .and_then(|text| text.strip_prefix(&wanted_text))
            .filter(|marks| marks.bytes().all(|mark| mark == b'?'));
        if failed == Some("") {
            return;
        }
        match self.replace_stub(checked, wanted, archive) {
            Ok(()) => log::info!("updated the updater to version {wanted}"),
            Err(e) => {
                log::warn!("the updater stays at version {}: {e}", version());
                if let UpdateError::Own { source, .. } = &e {
                    self.note_failed_stub(source, &wanted_text, failed.unwrap_or_default());
                }
            }
        }
        install::remove_empty_dirs(self.layout).unwrap_or_else(|e| log::warn!("{e}"));
    }

    /// Notes that this version is not to be tried again, until there is another:
    /// at once, or, where it may work the next time, after some attempts.
    fn note_failed_stub(&self, error: &SelfUpdateError, wanted: &str, attempts: &str) {
        if error.is_for_want() {
            return;
        }
        let over = error.is_for_good() || attempts.len() + 1 >= STUB_ATTEMPTS;
        let attempts = if over { "" } else { &format!("{attempts}?") };
        let noted = format!("{wanted}{attempts}");
        let noted = fs::write_atomically(&self.layout.failed_stub(), noted.as_bytes());
        noted.unwrap_or_else(|e| log::warn!("{e}"));
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
