//! Finds the project that a command is for.

use super::error::ProjectError;
use super::settings::FILE;
use notsotuf_stub::fs::FsError;
use std::path::{Path, PathBuf};

/// Returns the folder of the project: the one that is named, or else the
/// current one or the nearest above it.
///
/// # Errors
/// [`ProjectError::Nowhere`], or [`ProjectError::Foreign`] for one above that
/// is neither this user's nor of the owner of the current folder.
pub(crate) fn find(named: Option<&Path>) -> Result<PathBuf, ProjectError> {
    if let Some(folder) = named {
        return Ok(folder.into());
    }
    let here = PathBuf::from(".");
    if here.join(FILE).exists() {
        return Ok(here);
    }
    let current = std::env::current_dir().map_err(|e| FsError::new("find", &here, e))?;
    for folder in current.ancestors().skip(1) {
        let settings = folder.join(FILE);
        if settings.is_file() {
            return if is_trusted(&settings, &current) {
                Ok(folder.into())
            } else {
                Err(ProjectError::Foreign(settings))
            };
        }
    }
    Err(ProjectError::Nowhere(current))
}

#[cfg(unix)]
pub(super) fn is_trusted(settings: &Path, current: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    let owner = |path: &Path| std::fs::metadata(path).map(|found| found.uid()).ok();
    let of = owner(settings);
    of == Some(rustix::process::geteuid().as_raw()) || of == Some(0) || of == owner(current)
}

#[cfg(not(unix))]
pub(super) fn is_trusted(_: &Path, _: &Path) -> bool {
    true
}
