//! Says why there was no update.

use crate::bundle::TreeHash;
use crate::bundle::patch::PatchError;
use crate::bundle::unpack::ArchiveError;
use crate::failure::{FailureKind, is_full, is_shortage};
use crate::fs::FsError;
use crate::install::{CommitError, RecordError, StateError};
use crate::repository::RepositoryError;
use crate::update::self_update::SelfUpdateError;
use crate::{format_bytes, fs, stub_version};
use pep440_rs::Version;
use std::io;
use std::path::PathBuf;

/// Says why there was no update.
#[derive(Debug, thiserror::Error)]
pub enum UpdateError {
    /// Metadata or a target could not be had, or was refused.
    #[error(transparent)]
    Repository(#[from] RepositoryError),
    /// A file system call failed.
    #[error(transparent)]
    Fs(#[from] FsError),
    /// The archive could not be unpacked.
    #[error("{path}: {source}")]
    Archive {
        /// Target path.
        path: String,
        /// What was wrong.
        source: ArchiveError,
    },
    /// A patch could not be applied.
    #[error("{path}: {source}")]
    Patch {
        /// Target path.
        path: String,
        /// What was wrong.
        source: PatchError,
    },
    /// What is in the archive is not what the metadata says.
    #[error("{path}: its content has tree hash {found}, expected {expected}")]
    WrongTree {
        /// Target path.
        path: String,
        /// Hash of what is in it.
        found: TreeHash,
        /// Signed hash.
        expected: TreeHash,
    },
    /// The release does not have the program to start.
    #[error(
        "version {version} has no {executable:?}, which the settings name as the program to start"
    )]
    NoExecutable {
        /// The release.
        version: Version,
        /// The setting.
        executable: String,
    },
    /// The release is a stub in place of the application.
    #[error(
        "version {version} holds this updater in place of the application: its makers released the folder that users install"
    )]
    NestedStub {
        /// The release.
        version: Version,
    },
    /// A record could not be read.
    #[error(transparent)]
    Record(#[from] RecordError),
    /// The state dir cannot be trusted.
    #[error(transparent)]
    State(#[from] StateError),
    /// The commit failed.
    #[error(transparent)]
    Commit(#[from] CommitError),
    /// The installed version is not recorded.
    #[error("the installed version is not recorded; --updater update installs the newest one")]
    NoRecord,
    /// There is nothing to restore files from.
    #[error(
        "the repository does not offer version {0}, which is installed, any more; a newer one will replace it"
    )]
    NotOffered(Version),
    /// This stub is too old for the release.
    #[error(
        "version {version} needs version {needed} of the updater, and this is version {}; if it does not update itself, download the application again",
        stub_version::version()
    )]
    StubTooOld {
        /// The release.
        version: Version,
        /// The oldest stub for it.
        needed: Version,
    },
    /// The stub itself could not be updated.
    #[error("{path}: {source}")]
    Own {
        /// Target path.
        path: String,
        /// What was wrong.
        source: SelfUpdateError,
    },
    /// There is nothing to go back to.
    #[error("there is no earlier version to go back to")]
    NoPrevious,
    /// What was there before does not work here.
    #[error("there is no version to go back to: {0}, which was here before, failed here")]
    PreviousFailed(Version),
    /// The makers withdrew what was there before.
    #[error(
        "there is no version to go back to: {0}, which was here before, was withdrawn by its makers"
    )]
    PreviousWithdrawn(Version),
    /// There is too little space on the disk.
    #[error(
        "version {version} needs {} on the disk, but {} are free; free more space in {folder:?}",
        format_bytes::bytes(*needed),
        format_bytes::bytes(*free)
    )]
    NoRoom {
        /// The release.
        version: Version,
        /// Bytes that it takes at the least.
        needed: u64,
        /// Bytes there are.
        free: u64,
        /// Where.
        folder: PathBuf,
    },
    /// An administrator's rights were needed.
    #[error(transparent)]
    Elevation(#[from] ElevationError),
    /// An administrator does not want updates.
    #[error("updates are switched off by {0:?}, a file of this computer's administrators")]
    SwitchedOff(PathBuf),
    /// Another stub is updating.
    #[error("another instance is updating at this moment")]
    Locked,
    /// The application is to be removed, and runs.
    #[error("the application is running ({}); close it, and try again", processes(.0))]
    Running(Vec<u32>),
}

/// Says why there was no update with an administrator's rights.
#[derive(Debug, thiserror::Error)]
pub enum ElevationError {
    /// There is nowhere to keep this user's metadata.
    #[error("this user has no folder for settings")]
    NoFolder,
    /// Others may have written to that place.
    #[error("{folder:?} is not used: {source}")]
    Folder {
        /// The folder.
        folder: PathBuf,
        /// What is wrong with it.
        source: io::Error,
    },
    /// The user said no to this version in an earlier run.
    #[error("version {0} is there, but the user did not allow to install it")]
    DeclinedBefore(Version),
    /// The user said no.
    #[error("the user did not allow version {0}")]
    Declined(Version),
    /// It is not known where this program is.
    #[error("{0}")]
    Program(#[source] io::Error),
    /// The system did not ask the user.
    #[error("cannot ask for more rights: {0}")]
    Ask(#[source] io::Error),
    /// The process with these rights failed.
    #[error("the update as administrator failed with exit code {code}; its log is {log:?}")]
    Failed {
        /// Its exit code.
        code: i32,
        /// Where it says why.
        log: PathBuf,
    },
}

/// Names processes for people.
pub(super) fn processes(ids: &[u32]) -> String {
    let list: Vec<_> = ids.iter().map(u32::to_string).collect();
    format!("process {}", list.join(", "))
}

pub(super) fn failed_patch(path: &str, source: PatchError) -> UpdateError {
    match source {
        PatchError::Fs(e) => UpdateError::Fs(e),
        source => UpdateError::Patch {
            path: path.into(),
            source,
        },
    }
}

impl UpdateError {
    /// Returns what kind of failure it is.
    pub fn failure_kind(&self) -> FailureKind {
        match self {
            UpdateError::Repository(e) => e.failure_kind(),
            UpdateError::Archive { source, .. } => match source {
                ArchiveError::Fs(_) | ArchiveError::Stopped => FailureKind::Local,
                _ => FailureKind::Refused,
            },
            UpdateError::Patch { source, .. } => match source {
                PatchError::Fs(_) | PatchError::Stopped | PatchError::Changed { .. } => {
                    FailureKind::Local
                }
                _ => FailureKind::Refused,
            },
            UpdateError::WrongTree { .. }
            | UpdateError::NoExecutable { .. }
            | UpdateError::NestedStub { .. } => FailureKind::Refused,
            UpdateError::Fs(_)
            | UpdateError::Record(_)
            | UpdateError::State(_)
            | UpdateError::Commit(_)
            | UpdateError::NoRecord
            | UpdateError::NoPrevious
            | UpdateError::PreviousFailed(_)
            | UpdateError::PreviousWithdrawn(_)
            | UpdateError::NoRoom { .. }
            | UpdateError::StubTooOld { .. }
            | UpdateError::Own { .. }
            | UpdateError::Elevation(_)
            | UpdateError::SwitchedOff(_)
            | UpdateError::Locked
            | UpdateError::Running(_) => FailureKind::Local,
            UpdateError::NotOffered(_) => FailureKind::Unavailable,
        }
    }

    /// What a failed file system call said, if it was one.
    fn file_system(&self) -> Option<&FsError> {
        match self {
            UpdateError::Fs(e)
            | UpdateError::Repository(RepositoryError::Fs(e))
            | UpdateError::Commit(CommitError::Fs(e)) => Some(e),
            _ => None,
        }
    }

    /// Returns whether the disk is full.
    pub(super) fn is_for_room(&self) -> bool {
        let full = |e: &FsError| is_full(&e.source);
        matches!(self, UpdateError::NoRoom { .. }) || self.file_system().is_some_and(full)
    }

    /// Returns whether the same release fails in the same way every time here.
    pub(super) fn is_for_good(&self) -> bool {
        match self {
            UpdateError::Archive { source, .. } => !matches!(source, ArchiveError::Stopped),
            UpdateError::WrongTree { .. }
            | UpdateError::NoExecutable { .. }
            | UpdateError::NestedStub { .. }
            | UpdateError::Commit(CommitError::OtherFileSystem { .. }) => true,
            _ => self.file_system().is_some_and(fs::is_beyond_file_system),
        }
    }

    /// Returns whether the failure is worth counting: it has to do with the
    /// release and this computer, not with the network or another stub.
    pub(super) fn counts(&self) -> bool {
        let commit = matches!(self, UpdateError::Commit(_) | UpdateError::Record(_));
        let file_system = self.file_system();
        let shortage = file_system.is_some_and(|e| is_shortage(&e.source));
        let nothing_was_done = matches!(self, UpdateError::Commit(CommitError::Link { .. }));
        !shortage && !nothing_was_done && (commit || self.is_for_good() || file_system.is_some())
    }
}
