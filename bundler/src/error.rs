//! What can go wrong, for the exit code and the last line of output.

use crate::audit::AuditError;
use crate::bridge::BridgeError;
use crate::fetch::FetchError;
use crate::import::ImportError;
use crate::keys::KeyError;
use crate::limits::TooLarge;
use crate::lock::LockError;
use crate::metadata::MetadataError;
use crate::project::ProjectError;
use crate::release::ReleaseError;
use crate::ship::ShipError;
use crate::upload::UploadError;
use notsotuf_stub::fs::FsError;
use std::process::ExitCode;

/// Any failed command.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file system.
    #[error(transparent)]
    Fs(#[from] FsError),
    /// The settings or the state of the project.
    #[error(transparent)]
    Project(#[from] ProjectError),
    /// Another command is at it.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// A key.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The metadata.
    #[error(transparent)]
    Metadata(#[from] MetadataError),
    /// A release.
    #[error(transparent)]
    Release(#[from] ReleaseError),
    /// A first-install folder.
    #[error(transparent)]
    Ship(#[from] ShipError),
    /// Release notes.
    #[error("the notes {0:?}: the file {1}")]
    Notes(std::path::PathBuf, String),
    /// Metadata that clients would refuse.
    #[error(transparent)]
    TooLarge(#[from] TooLarge),
    /// An upload.
    #[error(transparent)]
    Upload(#[from] UploadError),
    /// A repository that was not fetched.
    #[error(transparent)]
    Fetch(#[from] FetchError),
    /// Nobody could be asked.
    #[error(
        "nothing is signed: there is no terminal to ask on; look at what changes, then repeat with --yes"
    )]
    Unconfirmed,
    /// The answer was no.
    #[error("nothing is signed, as you wish")]
    Declined,
    /// Roles that expire soon, as asked.
    #[error("expiring: {0}; `notsotuf renew` renews what the keys at hand can sign")]
    Expiring(String),
    /// `verify` found something.
    #[error("{0} problem(s)")]
    Problems(usize),
    /// The audit itself could not be done.
    #[error(transparent)]
    Audit(#[from] AuditError),
    /// A repository could not be taken over.
    #[error(transparent)]
    Import(#[from] ImportError),
    /// A bridge from PyUpdater.
    #[error(transparent)]
    Bridge(#[from] BridgeError),
    /// The server for trying things out.
    #[error("cannot serve on {address}: {source}")]
    Serve {
        /// Where it should listen.
        address: String,
        /// What went wrong.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

impl Error {
    /// 3: something did not verify; 1: everything else. (2 is clap's, for a
    /// wrong command line.)
    pub fn exit_code(&self) -> ExitCode {
        match self {
            Error::Metadata(e) | Error::Release(ReleaseError::Metadata(e)) if e.is_refusal() => {
                3.into()
            }
            Error::Ship(ShipError::Metadata(e)) | Error::Import(ImportError::Metadata(e))
                if e.is_refusal() =>
            {
                3.into()
            }
            Error::Import(ImportError::Signature(_) | ImportError::Damaged(_))
            | Error::Fetch(FetchError::Refused { .. } | FetchError::Old { .. })
            | Error::Upload(UploadError::Tuf(_))
            | Error::Problems(_) => 3.into(),
            _ => ExitCode::FAILURE,
        }
    }
}
