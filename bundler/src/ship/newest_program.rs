//! Looks at the program of the newest release.

use super::error::ShipError;
use super::program_of::program_of;
use super::unpack_release::unpack_newest;
use crate::metadata::Published;
use crate::project::Project;
use crate::temporary;
use notsotuf_stub::fs;
use std::path::Path;

/// Calls `look` with the program of the newest release of `app`: the one that is named, else
/// the only one. `None` if there is no release.
///
/// # Errors
/// [`ShipError`]; those of `look`.
pub(crate) fn with_newest_program<T>(
    project: &Project,
    published: &Published,
    app: &str,
    named: Option<&str>,
    look: impl FnOnce(&Path) -> Result<T, ShipError>,
) -> Result<Option<T>, ShipError> {
    let work = temporary::Folder::new()?;
    let Some(unpacked) = unpack_newest(project, published, app, work.path())? else {
        return Ok(None);
    };
    let program = program_of(&unpacked.manifest, named)?;
    look(&fs::join(work.path(), &program)).map(Some)
}
