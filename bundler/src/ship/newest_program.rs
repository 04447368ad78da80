//! Looks at the program of the newest release.

use super::error::ShipError;
use super::program_of::program_of;
use crate::metadata::Published;
use crate::pack::Unpacked;
use crate::project::Project;
use crate::release::PendingTargets;
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
    let pending = PendingTargets::open(project, published)?;
    let Some((_, target)) = pending.releases(app).pop() else {
        return Ok(None);
    };
    let archive = pending
        .find(&target, published.consistent_snapshot())?
        .ok_or(ShipError::NoArchive(target))?;
    let work = temporary::Folder::new()?;
    let file = fs::open(&archive)?;
    let unpacked = Unpacked::read(file, work.path()).map_err(|source| ShipError::Archive {
        path: archive,
        source,
    })?;
    let program = program_of(&unpacked.manifest, named)?;
    look(&fs::join(work.path(), &program)).map(Some)
}
