//! Finds the folders that tufup's settings name. Those may be of another
//! machine: older versions write whole paths.

use super::error::ImportError;
use std::path::{Path, PathBuf};

/// Names a folder with settings of tufup.
pub(super) struct TufupFolder<'a> {
    /// The folder.
    pub folder: &'a Path,
    /// The settings file.
    pub config: &'a Path,
}

impl TufupFolder<'_> {
    /// Returns the folder of the repository.
    ///
    /// # Errors
    /// [`ImportError::Elsewhere`] if there is none.
    pub(super) fn repository(
        &self,
        named: &str,
        warnings: &mut Vec<String>,
    ) -> Result<PathBuf, ImportError> {
        let is_one = |path: &Path| path.join("metadata").is_dir();
        self.find(named, "repo_dir", &is_one, warnings)
            .ok_or_else(|| ImportError::Elsewhere {
                config: self.config.into(),
                named: named.into(),
            })
    }

    /// Returns the folder of the keys, which may be on a medium that is not
    /// here.
    pub(super) fn keystore(&self, named: &str, warnings: &mut Vec<String>) -> PathBuf {
        if let Some(found) = self.find(named, "keys_dir", &Path::is_dir, warnings) {
            return found;
        }
        let path = PathBuf::from(slashes(named));
        if !is_whole(&path) {
            return path;
        }
        let here = PathBuf::from(path.file_name().unwrap_or_else(|| "keystore".as_ref()));
        warnings.push(format!(
            "keys_dir is {named:?}, which is not on this machine; copy the keys to {:?}, or name \
             their folder with --key-dir",
            self.folder.join(&here)
        ));
        here
    }

    /// The named folder, relative to that of the settings if it is in there;
    /// else one whose path ends like it.
    fn find(
        &self,
        named: &str,
        key: &str,
        is_one: &dyn Fn(&Path) -> bool,
        warnings: &mut Vec<String>,
    ) -> Option<PathBuf> {
        let path = PathBuf::from(slashes(named));
        let real = |path: &Path| std::fs::canonicalize(path).ok();
        if !is_whole(&path) {
            return is_one(&self.folder.join(&path)).then_some(path);
        }
        let named_one = Some(&path).filter(|path| is_one(path));
        let inside = named_one.and_then(|path| {
            let (path, folder) = (real(path)?, real(self.folder)?);
            path.strip_prefix(folder).ok().map(Path::to_path_buf)
        });
        if let Some(inside) = inside {
            return Some(inside);
        }
        let parts: Vec<_> = path.components().collect();
        let mut ends = (1..parts.len()).map(|n| parts[n..].iter().collect::<PathBuf>());
        let here = ends.find(|end| is_one(&self.folder.join(end)));
        match (named_one, here) {
            (Some(path), here) => {
                if let Some(here) = here {
                    warnings.push(format!(
                        "{key} is {named:?}, outside of this folder, and was used, although \
                         there is {:?}; if that is wrong, correct the new settings",
                        self.folder.join(here)
                    ));
                }
                Some(path.clone())
            }
            (None, Some(here)) => {
                warnings.push(format!(
                    "{key} is {named:?}, which is not on this machine; {:?} was used instead",
                    self.folder.join(&here)
                ));
                Some(here)
            }
            (None, None) => None,
        }
    }
}

/// tufup writes paths of Windows with either, and reads both.
fn slashes(path: &str) -> String {
    path.replace('\\', "/")
}

/// Whether a path starts at the root of some machine.
fn is_whole(path: &Path) -> bool {
    let text = path.to_string_lossy();
    let drive = text.as_bytes().get(1) == Some(&b':');
    path.is_absolute() || text.starts_with('/') || drive
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::create_dir_all;

    #[test]
    fn folders_of_another_machine_are_found_by_the_ends_of_their_paths() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().canonicalize().unwrap();
        create_dir_all(root.join("deep/repository/metadata")).unwrap();
        create_dir_all(root.join("keystore")).unwrap();
        let config = root.join(".tufup-repo-config");
        let tufup = TufupFolder {
            folder: &root,
            config: &config,
        };
        let absolute = root.join("deep/repository");
        for (named, told) in [
            ("deep/repository", 0),
            ("deep\\repository", 0),
            (absolute.to_str().unwrap(), 0),
            ("/home/another/app/deep/repository", 1),
            ("C:\\Users\\RUNNER~1\\app\\deep\\repository", 1),
        ] {
            let mut warnings = Vec::new();
            let found = tufup.repository(named, &mut warnings).unwrap();
            assert_eq!(found, Path::new("deep/repository"), "{named}");
            assert_eq!(warnings.len(), told, "{named}: {warnings:?}");
        }
        let mut warnings = Vec::new();
        for named in ["/home/another/elsewhere", "repository"] {
            let error = tufup
                .repository(named, &mut warnings)
                .unwrap_err()
                .to_string();
            assert!(
                error.contains(named) && error.contains("repo_dir"),
                "{error}"
            );
        }
        // One that is outside is taken, but said, if there is one here, too.
        let other = tempfile::tempdir().unwrap();
        create_dir_all(other.path().join("deep/repository/metadata")).unwrap();
        let outside = other.path().join("deep/repository");
        let found = tufup
            .repository(outside.to_str().unwrap(), &mut warnings)
            .unwrap();
        assert_eq!(found, outside);
        assert_eq!(warnings.len(), 1);

        let mut warnings = Vec::new();
        let found = tufup.keystore("/home/another/keystore", &mut warnings);
        assert_eq!((found, warnings.len()), ("keystore".into(), 1));
        let found = tufup.keystore("/media/stick/secret", &mut warnings);
        assert_eq!(found, Path::new("secret"));
        assert!(warnings[1].contains("--key-dir"), "{warnings:?}");
        assert_eq!(tufup.keystore("later", &mut warnings), Path::new("later"));
    }
}
