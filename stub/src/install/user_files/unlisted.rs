//! Finds what is in a bundle and not of the release.

use crate::bundle::Manifest;
use crate::bundle::path_rules::RECORD;
use crate::fs;
use crate::fs::FsError;
use crate::fs::attributes::with_access;
use std::path::{Path, PathBuf};

pub(super) fn lists(manifest: &Manifest, path: &str) -> bool {
    manifest.entries.contains_key(path)
}

/// Returns everything below `folder` that is not `known`, and never the record;
/// of a folder that is not, only the folder. Does not follow links.
pub(super) fn unlisted(
    folder: &Path,
    known: &dyn Fn(&str) -> bool,
) -> Result<Vec<PathBuf>, FsError> {
    let mut found = Vec::new();
    let mut folders = vec![PathBuf::new()];
    while let Some(relative) = folders.pop() {
        let place = folder.join(&relative);
        let is_dir = |path: &Path| {
            let found = with_access(&[&place], || fs::inspect(path))?;
            Ok::<_, FsError>(found.is_some_and(|found| found.is_dir()))
        };
        for entry in with_access(&[&place], || fs::list(&place))? {
            let Some(name) = entry.file_name() else {
                continue;
            };
            let path = relative.join(name);
            // A path that is not Unicode is in no manifest.
            let text = path.to_str().map(|p| p.replace('\\', "/"));
            if text.as_deref() == Some(RECORD) {
                continue;
            }
            if !text.is_some_and(|text| known(&text)) {
                found.push(path);
            } else if is_dir(&entry)? {
                folders.push(path);
            }
        }
    }
    Ok(found)
}
