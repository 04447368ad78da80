//! Joins paths of bundles to folders.

use std::path::{Path, PathBuf};

/// Joins `folder` and a `/`-separated relative path.
pub fn join(folder: &Path, path: &str) -> PathBuf {
    let mut out = folder.to_path_buf();
    out.extend(path.split('/'));
    out
}
