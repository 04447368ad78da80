//! Says why a repository cannot be taken over.

use crate::keys::KeyError;
use crate::metadata::MetadataError;
use crate::project::ProjectError;
use notsotuf_stub::fs::FsError;
use std::path::PathBuf;

/// Says why a repository cannot be imported. Nothing of it is changed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ImportError {
    /// The settings of the new project.
    #[error(transparent)]
    Project(#[from] ProjectError),
    /// A key cannot be used.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// Metadata cannot be used.
    #[error(transparent)]
    Metadata(#[from] MetadataError),
    /// A file system call failed.
    #[error(transparent)]
    Fs(#[from] FsError),
    /// The other program's settings are not there.
    #[error("there is no {0:?}; run this in (or with --project) the folder of that repository")]
    Missing(PathBuf),
    /// The settings are not of the form they should have.
    #[error("{path:?}: {reason}")]
    Form {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// The settings are of another machine, and what they name is not here.
    #[error(
        "{config:?} names {named:?} as the folder of the repository, which is not on this machine, \
         and there is no such folder here either; put its path into that file, relative to the \
         file, as `repo_dir`"
    )]
    Elsewhere {
        /// The settings file.
        config: PathBuf,
        /// What it names.
        named: String,
    },
    /// Roots that clients need are not there.
    #[error(
        "{} missing in {folder:?}: clients with an older root go from one to the next, and need \
         each of them; look for them where the repository is published, or in a backup",
        match .missing.as_slice() {
            [one] => format!("{one} is"),
            more => format!("{} are", more.join(", ")),
        }
    )]
    Roots {
        /// The folder of the metadata.
        folder: PathBuf,
        /// Names of files.
        missing: Vec<String>,
    },
    /// The folder is none of PyUpdater.
    #[error("there is no {0:?}; name the folder in which `pyupdater init` was called")]
    NoPyUpdater(PathBuf),
    /// There are no keys.
    #[error(
        "the settings have no keypack, and there is no {0:?}: without it nothing can be checked"
    )]
    NoKeypack(PathBuf),
    /// What PyUpdater uploads and then deletes is missing.
    #[error(
        "there is no {0:?}; PyUpdater deletes files once they are uploaded: fetch keys.gz, versions.gz \
         and the archives from where they are published, and name their folder with --published"
    )]
    NotPublished(PathBuf),
    /// A signature is wrong.
    #[error("the signature of {0:?} is wrong: nothing is imported from it")]
    Signature(PathBuf),
    /// A target that is not what the metadata says.
    #[error(
        "{0:?} is not the file that the signed metadata lists; copy it back from where you \
         publish, then import again"
    )]
    Damaged(PathBuf),
    /// An archive that cannot be taken over.
    #[error("{path:?}: {reason}")]
    Archive {
        /// The archive.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// Nothing to take over.
    #[error("none of the listed archives is there; name their folder with --published")]
    NoArchives,
}
