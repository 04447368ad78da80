//! Finds what an interrupted upload to a folder left: files that were not whole
//! yet, which `object_store` calls `NAME#NUMBER` and lists no more.

use super::plan;
use notsotuf_stub::catalog::TargetName;
use notsotuf_stub::fs::{self, FsError};
use std::path::Path;

/// Returns their paths, with `/`, in a folder that was uploaded to.
///
/// # Errors
/// The file system's.
pub(super) fn of(folder: &Path) -> Result<Vec<String>, FsError> {
    let mut found = Vec::new();
    for part in ["metadata", "targets"] {
        for path in fs::list(&folder.join(part))? {
            let name = path.file_name().and_then(|name| name.to_str());
            let path = name.map(|name| format!("{part}/{name}"));
            found.extend(path.filter(|path| is_leftover(path)));
        }
    }
    Ok(found)
}

/// Whether it is one: `#NUMBER` after the name of a file that is uploaded.
fn is_leftover(path: &str) -> bool {
    let Some((whole, number)) = path.rsplit_once('#') else {
        return false;
    };
    let is_ours = match whole.split_once('/') {
        Some(("targets", name)) => plan::is_immutable(whole) || TargetName::parse(name).is_some(),
        _ => whole.ends_with(".json"),
    };
    is_ours && !number.is_empty() && number.bytes().all(|c| c.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_called_as_a_file_that_was_not_whole_is_one() {
        let hash = "a".repeat(64);
        for name in ["metadata/timestamp.json#1", "targets/app-1.0.tar.gz#12"] {
            assert!(is_leftover(name), "{name}");
        }
        assert!(is_leftover(&format!("targets/{hash}.app-1.0.tar.gz#3")));
        for name in [
            "metadata/timestamp.json",
            "metadata/notes#1",
            "targets/app-1.0.tar.gz#",
            "targets/app-1.0.tar.gz#x",
            "targets/track#1",
        ] {
            assert!(!is_leftover(name), "{name}");
        }
    }
}
