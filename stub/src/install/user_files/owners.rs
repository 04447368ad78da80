//! Gives an update the owners that the installed version has.

use crate::bundle::{EntryKind, Manifest};
use crate::fs;
use crate::fs::attributes::with_access;
use crate::fs::{FsError, attributes};
use crate::install::user_files::lists;
use std::path::Path;

/// Gives the bundle in `staged` the owners that the one in `app` has, file by
/// file, and its folder all that `app` has: who updates does not take it away
/// from anybody, and shuts nobody out or in.
///
/// # Errors
/// If something is there and cannot be inspected.
pub(crate) fn adopt_owners(
    app: &Path,
    installed: Option<&Manifest>,
    staged: &Path,
    update: &Manifest,
) -> Result<(), FsError> {
    let (Some(wanted), Some(found)) = (fs::inspect(app)?, fs::inspect(staged)?) else {
        return Ok(());
    };
    let alike = attributes::same_owner(&wanted, &found);
    attributes::copy_attributes(app, staged)?;
    if alike && !attributes::may_give_away() {
        return Ok(());
    }
    let inspect = |path: &Path| match path.parent() {
        Some(parent) => with_access(&[parent], || fs::inspect(path)),
        None => fs::inspect(path),
    };
    // Sorted by path, so the folder that something is in comes first.
    let mut folders = vec![(String::new(), wanted)];
    for (path, entry) in &update.entries {
        let place = fs::join(staged, path);
        let Some(found) = inspect(&place)? else {
            continue;
        };
        let inside = |folder: &str| {
            let rest = path.strip_prefix(folder);
            folder.is_empty() || rest.is_some_and(|rest| rest.starts_with('/'))
        };
        while folders.len() > 1 && !folders.last().is_some_and(|(folder, _)| inside(folder)) {
            folders.pop();
        }
        // What somebody made in the place of a new file does not count.
        let wanted = if installed.is_none_or(|old| lists(old, path)) {
            inspect(&fs::join(app, path))?
        } else {
            None
        };
        let wanted = wanted.or_else(|| folders.last().map(|(_, folder)| folder.clone()));
        let Some(wanted) = wanted else { continue };
        attributes::copy_owner(&wanted, &found, &place);
        if entry.kind == EntryKind::Dir {
            folders.push((path.clone(), wanted));
        }
    }
    Ok(())
}
