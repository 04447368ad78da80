//! Unpacks the archive of a release.

use super::error::ShipError;
use crate::metadata::Published;
use crate::pack::Unpacked;
use crate::project::Project;
use crate::release::PendingTargets;
use notsotuf_stub::fs;
use std::path::Path;

/// Unpacks the archive that is listed as `target` into a folder.
///
/// # Errors
/// [`ShipError`].
pub(super) fn unpack_release(
    pending: &PendingTargets,
    published: &Published,
    target: &str,
    folder: &Path,
) -> Result<Unpacked, ShipError> {
    let archive = pending
        .find(target, published.consistent_snapshot())?
        .ok_or_else(|| ShipError::NoArchive(target.into()))?;
    let file = fs::open(&archive)?;
    Unpacked::read(file, folder).map_err(|source| ShipError::Archive {
        path: archive,
        source,
    })
}

/// Unpacks the newest release of `app` into a folder; `None` if there is no release.
///
/// # Errors
/// [`ShipError`].
pub(crate) fn unpack_newest(
    project: &Project,
    published: &Published,
    app: &str,
    folder: &Path,
) -> Result<Option<Unpacked>, ShipError> {
    let pending = PendingTargets::open(project, published)?;
    let newest = pending.releases(app).pop();
    newest
        .map(|(_, target)| unpack_release(&pending, published, &target, folder))
        .transpose()
}
