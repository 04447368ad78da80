//! Taking over repositories that other programs made.

pub mod tufup;

use crate::keys::KeyError;
use crate::metadata::MetadataError;
use crate::project::ProjectError;
use std::path::PathBuf;

/// Why a repository cannot be taken over. Nothing of it is changed.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// The settings of the new project.
    #[error(transparent)]
    Project(#[from] ProjectError),
    /// A key.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The metadata.
    #[error(transparent)]
    Metadata(#[from] MetadataError),
    /// The other program's settings are not there.
    #[error(
        "there is no {0:?}; run this in (or with --project) the folder of the tufup repository"
    )]
    Missing(PathBuf),
    /// They are not of the form they should be.
    #[error("{path:?}: {reason}")]
    Form {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
}
