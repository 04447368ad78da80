//! Makes the last release that clients of PyUpdater install: an archive as
//! PyUpdater makes them, with a first-install folder in it.

use crate::pack::archive::{self, PackError};
use crate::project::{Project, PyUpdaterName};
use crate::ship::{self, ShipError, ShipOptions};
use crate::temporary;
use notsotuf_stub::fs::{self, FsError};
use pep440_rs::{PrereleaseKind, Version};
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

/// Says why there is no bridge.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BridgeError {
    /// A file system call failed.
    #[error(transparent)]
    Fs(#[from] FsError),
    /// What it contains cannot be made.
    #[error(transparent)]
    Ship(#[from] ShipError),
    /// The archive cannot be made.
    #[error(transparent)]
    Pack(#[from] PackError),
    /// The archive, as zip.
    #[error("cannot write {path:?}: {source}")]
    Zip {
        /// The archive.
        path: PathBuf,
        /// What went wrong.
        source: zip::result::ZipError,
    },
    /// It is not known what PyUpdater calls the application.
    #[error(
        "what does PyUpdater call {0}? `import pyupdater` writes it into the settings: \
         [pyupdater.{0}] with name = \"…\" and platform = \"win\", \"mac\", \"nix64\" or the like"
    )]
    Unknown(String),
    /// PyUpdater cannot have this version.
    #[error(
        "PyUpdater has no version {0}: it knows two or three numbers, with a1 or b1 after them; add the \
         release under such a version"
    )]
    Version(Version),
    /// There are only two ways to what it replaces.
    #[error(
        "{0:?} cannot cross: PyUpdater replaces a single file, or a .app, by another one of the \
         same name, but the stub needs a folder; give these users an installer"
    )]
    NoFolder(PathBuf),
    /// The archive exists already.
    #[error("{0:?} exists already")]
    Exists(PathBuf),
}

/// Says what was made.
#[derive(Debug)]
pub(crate) struct Bridge {
    /// The release in it.
    pub version: Version,
    /// The archive.
    pub archive: PathBuf,
    /// Its bytes.
    pub size: u64,
}

/// Makes the archive in the folder `order.output`.
///
/// # Errors
/// [`BridgeError`]; there is no archive then.
pub(crate) fn make(project: &Project, options: &ShipOptions) -> Result<Bridge, BridgeError> {
    let old = project.settings.pyupdater.get(options.app);
    let old = old.ok_or_else(|| BridgeError::Unknown(options.app.into()))?;
    fs::create_dir_all(options.output)?;
    let work = temporary::Folder::new_in(options.output, ".bridge-")?;
    // The one folder at the top has the application's name, and so has the
    // program in it: PyUpdater starts that.
    let tree = work.path().join("tree");
    let folder = tree.join(&old.name);
    let windows = old.platform == "win";
    let name = format!("{}{}", old.name, if windows { ".exe" } else { "" });
    let shipped = ship::ship(
        project,
        &ShipOptions {
            name: Some(&name),
            title: Some(&old.name),
            output: &folder,
            ..options.clone()
        },
    )?;
    check_folder(&folder.join("app"))?;
    let archive = options.output.join(archive_name(old, &shipped.version)?);
    if archive.exists() {
        return Err(BridgeError::Exists(archive));
    }
    let made = work.path().join("archive");
    if windows {
        zip_tree(&tree, &made)?;
    } else {
        archive::pack(&tree, &made, |_| indicatif::ProgressBar::hidden())?;
    }
    fs::rename_durably(&made, &archive)?;
    Ok(Bridge {
        version: shipped.version,
        size: fs::size(&archive)?,
        archive,
    })
}

/// Returns the name as PyUpdater reads it: name, platform and version.
fn archive_name(old: &PyUpdaterName, version: &Version) -> Result<String, BridgeError> {
    let plain = version.epoch() == 0
        && !version.is_dev()
        && !version.is_post()
        && !version.is_local()
        && (2..=3).contains(&version.release().len())
        && version
            .pre()
            .is_none_or(|pre| pre.kind != PrereleaseKind::Rc);
    if !plain {
        return Err(BridgeError::Version(version.clone()));
    }
    let suffix = if old.platform == "win" {
        ".zip"
    } else {
        ".tar.gz"
    };
    Ok(format!("{}-{}-{version}{suffix}", old.name, old.platform))
}

/// What was installed must be a folder, as PyUpdater would remove the folder
/// that a single file is in, whatever else is in that.
fn check_folder(app: &Path) -> Result<(), BridgeError> {
    let content: Vec<PathBuf> = fs::list(app)?
        .into_iter()
        .filter(|path| {
            path.file_name()
                .is_some_and(|name| name != notsotuf_stub::bundle::path_rules::RECORD)
        })
        .collect();
    match &content[..] {
        [only] if only.is_file() || only.extension().is_some_and(|e| e == "app") => {
            Err(BridgeError::NoFolder(only.clone()))
        }
        _ => Ok(()),
    }
}

/// Zip, as PyUpdater makes it for Windows, where there are no links.
fn zip_tree(tree: &Path, to: &Path) -> Result<(), BridgeError> {
    let failed = |source| BridgeError::Zip {
        path: to.into(),
        source,
    };
    let mut zip = ZipWriter::new(fs::create_new(to)?);
    let mut folders = vec![tree.to_path_buf()];
    while let Some(folder) = folders.pop() {
        for path in fs::list(&folder)? {
            let inside = path.strip_prefix(tree).expect("it is below");
            let name = inside.to_string_lossy().replace('\\', "/");
            // Entries of the same content are the same bytes, whenever made.
            let options = SimpleFileOptions::default()
                .last_modified_time(zip::DateTime::default())
                .large_file(fs::size(&path)? >= u32::MAX.into());
            if path.is_dir() {
                zip.add_directory(name, options).map_err(failed)?;
                folders.push(path);
            } else {
                zip.start_file(name, options).map_err(failed)?;
                let mut from = fs::open(&path)?;
                io::copy(&mut from, &mut zip).map_err(|e| FsError::new("pack", &path, e))?;
            }
        }
    }
    let file: File = zip.finish().map_err(failed)?;
    file.sync_all().map_err(|e| FsError::new("sync", to, e))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::str::FromStr;

    #[test]
    fn archives_have_names_that_pyupdater_understands() {
        let old = |platform: &str| PyUpdaterName {
            name: "My App".into(),
            platform: platform.into(),
        };
        let name = |platform: &str, version: &str| {
            archive_name(&old(platform), &Version::from_str(version).unwrap()).ok()
        };
        assert_eq!(name("win", "1.2").as_deref(), Some("My App-win-1.2.zip"));
        assert_eq!(
            name("nix64", "1.2.3b1").as_deref(),
            Some("My App-nix64-1.2.3b1.tar.gz")
        );
        for version in [
            "1",
            "1.2.3.4",
            "1.2rc1",
            "1.2.dev1",
            "1.2.post1",
            "1!1.2",
            "1.2+x",
        ] {
            assert_eq!(name("win", version), None, "{version}");
        }
    }
}
