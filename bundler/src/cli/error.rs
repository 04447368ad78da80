//! Says what can go wrong, for the exit code and the last line of output.

use super::again::AgainError;
use crate::keys::KeyError;
use crate::metadata::limits::TooLarge;
use crate::metadata::{MetadataError, RootChangeError};
use crate::migrate::ImportError;
use crate::migrate::pyupdater_bridge::BridgeError;
use crate::pack::SigningError;
use crate::project::ProjectError;
use crate::project::lock::LockError;
use crate::publish::PublishError;
use crate::publish::fetch::FetchError;
use crate::publish::serve::ServeError;
use crate::publish::upload::UploadError;
use crate::rehearsal::RehearsalError;
use crate::release::ReleaseError;
use crate::ship::ShipError;
use crate::verify::VerifyError;
use notsotuf_stub::fs::FsError;
use notsotuf_stub::http::HttpError;
use notsotuf_stub::tuf::TufError;
use std::error::Error as _;
use std::io;
use std::path::PathBuf;
use std::process::ExitCode;

/// Holds the error of any failed command.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// A file system call failed.
    #[error(transparent)]
    Fs(#[from] FsError),
    /// The settings or the state of the project.
    #[error(transparent)]
    Project(#[from] ProjectError),
    /// Another command is changing the project.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// A program was not signed.
    #[error(transparent)]
    Signing(#[from] SigningError),
    /// A key cannot be used.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// Metadata cannot be used.
    #[error(transparent)]
    Metadata(#[from] MetadataError),
    /// A release cannot be made or removed.
    #[error(transparent)]
    Release(#[from] ReleaseError),
    /// A first-install folder.
    #[error(transparent)]
    Ship(#[from] ShipError),
    /// Release notes cannot be read.
    #[error("the notes {path:?} {reason}")]
    Notes {
        /// Their file.
        path: PathBuf,
        /// What is wrong, and what to do.
        reason: String,
    },
    /// Clients would refuse the metadata.
    #[error(transparent)]
    TooLarge(#[from] TooLarge),
    /// `release` of what was added or published from another bundle, or with
    /// other options.
    #[error(transparent)]
    Again(#[from] AgainError),
    /// An upload failed.
    #[error(transparent)]
    Upload(#[from] UploadError),
    /// The repository was not fetched.
    #[error(transparent)]
    Fetch(FetchError),
    /// An update did not work when it was tried.
    #[error(transparent)]
    Rehearsal(#[from] RehearsalError),
    /// Nobody could be asked.
    #[error(
        "nothing is signed: there is no terminal to ask on; check what changes, then run this \
         again with --yes"
    )]
    Unconfirmed,
    /// The answer was no.
    #[error("nothing is signed, as you answered")]
    Declined,
    /// Roles expire soon, as asked.
    #[error("expiring: {roles}; {fix}")]
    Expiring {
        /// Which ones.
        roles: String,
        /// What renews them.
        fix: &'static str,
    },
    /// `verify` found something.
    #[error("{0} problem(s)")]
    Problems(usize),
    /// The audit itself could not be done.
    #[error(transparent)]
    Verify(#[from] VerifyError),
    /// A repository could not be taken over.
    #[error(transparent)]
    Import(#[from] ImportError),
    /// A bridge from PyUpdater.
    #[error(transparent)]
    Bridge(#[from] BridgeError),
    /// The server for trying things out.
    #[error(transparent)]
    Serve(#[from] ServeError),
}

impl From<RootChangeError> for Error {
    fn from(error: RootChangeError) -> Self {
        MetadataError::from(error).into()
    }
}

impl From<PublishError> for Error {
    fn from(error: PublishError) -> Self {
        match error {
            PublishError::Fs(e) => e.into(),
            PublishError::Metadata(e) => e.into(),
            PublishError::Release(e) => e.into(),
            PublishError::TooLarge(e) => e.into(),
        }
    }
}

impl From<FetchError> for Error {
    fn from(error: FetchError) -> Self {
        match error {
            FetchError::Fs(e) => e.into(),
            FetchError::Metadata(e) => e.into(),
            FetchError::Release(e) => e.into(),
            FetchError::Upload(e) => e.into(),
            e => Error::Fetch(e),
        }
    }
}

impl Error {
    /// Returns what went wrong, why, and what to do.
    pub(crate) fn told(&self) -> String {
        match self.advice() {
            Some(advice) => format!("{self}; {advice}"),
            None => self.to_string(),
        }
    }

    /// Returns what to do about failures that have many places and one fix.
    fn advice(&self) -> Option<&'static str> {
        if let Error::Verify(VerifyError::Http(HttpError::Unreachable { .. }))
        | Error::Upload(UploadError::Http(HttpError::Unreachable { .. })) = self
        {
            return Some("is the address right, and the server running? Clients see the same");
        }
        let mut cause = self.source();
        while let Some(e) = cause {
            if let Some(advice) = advice_on(e) {
                return Some(advice);
            }
            cause = e.source();
        }
        None
    }

    /// Returns 3 if something did not verify, and 1 for everything else. (2 is
    /// clap's, for a wrong command line.)
    pub(crate) fn exit_code(&self) -> ExitCode {
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
            | Error::Fetch(
                FetchError::Refused { .. } | FetchError::Replaced { .. } | FetchError::Old { .. },
            )
            | Error::Upload(UploadError::Tuf(_))
            | Error::Problems(_) => 3.into(),
            _ => ExitCode::FAILURE,
        }
    }
}

fn advice_on(cause: &(dyn std::error::Error + 'static)) -> Option<&'static str> {
    if let Some(TufError::Expired { role, .. }) = cause.downcast_ref() {
        return Some(match role.as_str() {
            "root" => "`notsotuf renew --root`, with the root keys at hand (--key-dir), renews it",
            _ => "`notsotuf renew`, with the keys of that role at hand (--key-dir), renews it",
        });
    }
    match cause.downcast_ref::<io::Error>()?.kind() {
        io::ErrorKind::PermissionDenied => Some(
            "the user who runs this has no permission: `ls -ld` of that path, and of its folder, \
             shows who has",
        ),
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            Some("free some space there, and run this again")
        }
        io::ErrorKind::ReadOnlyFilesystem => Some("that file system is read-only"),
        _ => None,
    }
}
