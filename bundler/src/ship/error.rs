//! Says why nothing can be shipped.

use crate::metadata::MetadataError;
use crate::pack::SigningError;
use crate::project::FILE;
use crate::release::ReleaseError;
use crate::ship::installer::InstallerError;
use notsotuf_stub::bundle::unpack::ArchiveError;
use notsotuf_stub::fs::FsError;
use std::path::PathBuf;

/// Says why nothing can be shipped.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ShipError {
    /// A file system call failed.
    #[error(transparent)]
    Fs(#[from] FsError),
    /// The published metadata.
    #[error(transparent)]
    Metadata(#[from] MetadataError),
    /// The list of releases.
    #[error(transparent)]
    Release(#[from] ReleaseError),
    /// The archive of the release.
    #[error("{path:?}: {source}")]
    Archive {
        /// The archive.
        path: PathBuf,
        /// What is wrong.
        source: ArchiveError,
    },
    /// There is no such release.
    #[error("there is no release {0}; `notsotuf add` and `notsotuf publish` make one")]
    NoRelease(String),
    /// The archive is not here.
    #[error("the archive {0} is not in the repository folder, or is not the published one")]
    NoArchive(String),
    /// The output folder has something in it.
    #[error("{0:?} exists already; remove it or name another folder with --output")]
    Exists(PathBuf),
    /// It is not clear which program to start.
    #[error("cannot tell which program of the bundle to start; name it with --executable ({})", .0.join(", "))]
    WhichProgram(Vec<String>),
    /// A program that is not in the bundle.
    #[error("the bundle has no {0:?}")]
    NoProgram(String),
    /// The settings have no URL.
    #[error(
        "where will the repository be? Set `url` under [client] in the project settings, or use --url"
    )]
    NoUrl,
    /// The program is no stub.
    #[error(
        "{0:?} is not a notsotuf-stub: name the stub of the target platform with --stub; the \
         application itself is in the release"
    )]
    NotAStub(PathBuf),
    /// The stub cannot start the program.
    #[error(
        "{stub:?} is a stub for {system}, and the program of the bundle is for {program}: name the \
         notsotuf-stub for {program} instead (`ship` takes it with --stub)"
    )]
    OtherSystem {
        /// The stub.
        stub: PathBuf,
        /// What it is for.
        system: &'static str,
        /// What the program is for.
        program: &'static str,
    },
    /// There is no stub to ship.
    #[error("there is no stub at {0:?}; name the notsotuf-stub of the target platform with --stub")]
    NoStub(PathBuf),
    /// The settings would not work.
    #[error(
        "the stub would not accept `settings` under [client] in {FILE}: {0}; docs/reference/settings.md \
         lists them all"
    )]
    Settings(String),
    /// The stub cannot have the name of the folder that the bundle is in.
    #[error(
        "the stub cannot be called {0:?} beside the folder `app`; give it another name with --name"
    )]
    Name(String),
    /// The stub is signed, and would not be any more.
    #[error(
        "{0:?} is signed, and would take on subsystem, icon, version information and manifest of the \
         application, which breaks the signature; take an unsigned stub here, and sign what comes out"
    )]
    Signed(PathBuf),
    /// An installer was not made.
    #[error(transparent)]
    Installer(#[from] InstallerError),
    /// The stub was not signed.
    #[error(transparent)]
    Signing(#[from] SigningError),
    /// The stub cannot take on the resources of the application.
    #[error("{path:?} cannot take on the application's icon and the like: {reason}")]
    Resources {
        /// The stub.
        path: PathBuf,
        /// Why it cannot.
        reason: String,
    },
    /// The stub is no Windows program.
    #[error("{0:?} is not a program for Windows")]
    NotPe(PathBuf),
}
